"""The samples of a source that a clip needs, gathered frame by frame and brought to 16 kHz."""

import math
from typing import TYPE_CHECKING

import numpy as np

from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.foundation.audio.files import SAMPLE_RATE, Audio

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

_MARGIN_S = 0.05
"""Resampled on both sides of a clip, so that the resampler's edges fall outside it."""

_PADDING_S = 0.25
"""A file that ends earlier than its header says by more than this was cut off; less is a coder's padding."""


class Window:
    """A clip's samples in a source, and a margin on both sides.

    Attributes:
        rate: Of the source, in Hz; 0 before the first frame.
        channels: Of the source.
        end: Position behind the last sample that was seen.
    """

    def __init__(self, start_s: float, n_samples: int) -> None:
        self.start_s, self.n_samples = start_s, n_samples
        self.rate = self.channels = 0
        self.end = 0
        self._parts: list[Audio] = []

    def add(self, position: int, frame: "AudioFrame") -> None:
        """Keep what the clip needs of a frame whose first sample has this position."""
        if not self.rate:
            self._measure(frame)
        if frame.sample_rate != self.rate:
            raise CutError("undecodable", "changes its sample rate on the way")
        self.end = max(self.end, position + frame.samples)
        have = self._first + sum(map(len, self._parts))
        if position + frame.samples <= have:
            return
        if position > have:
            raise CutError("undecodable", f"has a hole in its audio before {position / self.rate:.3f} s")
        self._parts.append(_mono(frame)[have - position :])

    @property
    def is_full(self) -> bool:
        """Whether more frames would add nothing."""
        return bool(self._parts) and self.end >= self._last

    def clip(self, duration_s: float | None) -> Audio:
        """Return the clip at 16 kHz, shape (n_samples,).

        Args:
            duration_s: Length of the source by its header, to tell a short one from a truncated one.

        Raises:
            CutError: The source ended before the clip did, or is not finite.
        """
        if not self.rate or self.end < self._needed:
            end_s = self.end / self.rate if self.rate else 0.0
            end = f"ends at {end_s:.3f} s, before the {self.n_samples / SAMPLE_RATE:g} s from {self.start_s:g} s on do"
            if duration_s is not None and duration_s > end_s + _PADDING_S:
                raise CutError("truncated", f"{end}, but its header says {duration_s:.3f} s: it is truncated")
            raise CutError("too_short", end)
        audio = np.concatenate(self._parts)[: self._last - self._first]
        if not np.isfinite(audio).all():
            raise CutError("undecodable", f"must hold finite samples. Got NaN or infinity near {self.start_s:g} s")
        if self.rate != SAMPLE_RATE:
            import soxr

            audio = soxr.resample(audio, self.rate, SAMPLE_RATE)
        skip = self._margin * SAMPLE_RATE // self.rate
        return audio[skip : skip + self.n_samples]

    def _measure(self, frame: "AudioFrame") -> None:
        self.rate, self.channels = frame.sample_rate, frame.layout.nb_channels
        start = round(self.start_s * self.rate)
        # A whole number of samples at either rate, so that the resampler's grid stays the clip's.
        unit = self.rate // math.gcd(self.rate, SAMPLE_RATE)
        margin = 0 if self.rate == SAMPLE_RATE else math.ceil(_MARGIN_S * self.rate / unit) * unit
        self._margin = min(margin, start // unit * unit)
        self._first = start - self._margin
        self._needed = start + math.ceil(self.n_samples * self.rate / SAMPLE_RATE)
        self._last = self._needed + margin


def _mono(frame: "AudioFrame") -> Audio:
    """Average a frame's channels; integer samples become full scale 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    mean: Audio = samples.mean(axis=0, dtype=np.float64 if samples.dtype.kind != "f" else samples.dtype)
    if samples.dtype.kind == "u":
        mean = mean - 128
    if samples.dtype.kind in "iu":
        mean = mean / 2.0 ** (8 * samples.dtype.itemsize - 1)
    return mean.astype(np.float32)
