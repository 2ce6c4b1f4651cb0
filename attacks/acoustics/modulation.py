"""Modulation: delay lines and all-pass filters that move while the clip plays.

A delay that is no whole number of samples is read from the clip at twice its rate (soxr) by four-point Lagrange
interpolation, which is flat within 1 dB to 0.9 of half the sample rate. Before the clip there is silence.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft
from scipy.linalg.blas import dtbsv

from sealproof.attacks.contract.base import Attack, Attacked, AttackError, Audio, Claim, parameter

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class DelayEffect(Attack):
    """Adds moving copies of the clip to what is kept of it.

    Attributes:
        rate_hz: Declared by each effect: cycles per second of the movement.
    """

    family: ClassVar[str] = "modulation"
    is_ordered: ClassVar[bool] = False  # as fast or as deep a movement may leave the SNR as it is

    @abstractmethod
    def delays_ms(self, time: Floats) -> Floats:
        """The delay of each copy at each time: (copies, samples) in ms, from (samples,) in s."""

    @abstractmethod
    def mixed(self, clip: Audio, copies: Floats) -> Floats:
        """The output (samples,) from the clip (samples,) and its copies (copies, samples)."""

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Read the copies off every clip at the same places."""
        del rngs
        samples = batch.shape[1]
        time = np.arange(samples)
        places, weights = _lagrange(time - self.delays_ms(time / sample_rate) * (sample_rate / 1000), samples)
        attacked = np.empty_like(batch)
        for out, clip in zip(attacked, batch, strict=True):
            out[:] = self.mixed(clip, _read(clip, places, weights))
        return Attacked(attacked)


@dataclass(frozen=True, kw_only=True)
class Vibrato(DelayEffect):
    """Bends the pitch up and down by a depth in cents, sinusoidally, as a delay that grows and shrinks.

    y(t) = x(t + a sin(2 pi rate t)) with a = (2^(depth/1200) - 1) / (2 pi rate), so that the highest pitch is `depth`
    above that of the clip; U. Zoelzer (ed.), "DAFX: Digital Audio Effects", on vibrato. The mean delay is zero.
    """

    name: ClassVar[str] = "vibrato"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"depth_cents": (5, 10, 25, 50, 100), "rate_hz": (2, 8)}
    keeps_alignment: ClassVar[bool] = False

    rate_hz: float = parameter(unit="hz", low=0.1, high=20, default=5.0)
    depth_cents: float = parameter(unit="cents", low=1, high=400, default=25.0)

    @property
    def _swing_ms(self) -> float:
        return 1000 * (2 ** (self.depth_cents / 1200) - 1) / (2 * math.pi * self.rate_hz)

    def delays_ms(self, time: Floats) -> Floats:
        """One copy that moves about the clip's own place."""
        return np.asarray(-self._swing_ms * np.sin(2 * np.pi * self.rate_hz * time))[None]

    def mixed(self, clip: Audio, copies: Floats) -> Floats:
        """Only the copy is heard."""
        del clip
        return np.asarray(copies[0])

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The clip moves by what the depth asks for, at the stated rate; the level stays."""
        del sample_rate
        return (_swings(self._swing_ms), Claim.about("level_change_db", 0, 0.5))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Follow the delay through each clip."""
        return {"swing_ms": swing_ms(before, after, sample_rate, self.rate_hz, -self._swing_ms, self._swing_ms)}


@dataclass(frozen=True, kw_only=True)
class Flanger(DelayEffect):
    """Adds one copy whose delay sweeps from 0 to a few milliseconds and back: a moving comb filter.

    y(t) = x(t) + gain x(t - d(t)), d(t) = delay (1 - cos(2 pi rate t)) / 2, without feedback; U. Zoelzer (ed.), "DAFX:
    Digital Audio Effects", on flangers. The direct sound is not scaled.
    """

    name: ClassVar[str] = "flanger"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "gain": (0.3, 0.5, 0.7, 1),
        "delay_ms": (1, 10),
        "rate_hz": (0.5, 4),
    }

    delay_ms: float = parameter(unit="ms", low=0.2, high=20, default=5.0)
    rate_hz: float = parameter(unit="hz", low=0.05, high=20, default=1.0)
    gain: float = parameter(unit="x", low=0, high=1, above_low=True, default=0.7)

    def delays_ms(self, time: Floats) -> Floats:
        """One copy, at first on top of the clip."""
        return np.asarray(0.5 * self.delay_ms * (1 - np.cos(2 * np.pi * self.rate_hz * time)))[None]

    def mixed(self, clip: Audio, copies: Floats) -> Floats:
        """Clip and scaled copy."""
        return np.asarray(clip + self.gain * copies[0])

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """What was added has the level of the gain, and moves by the delay at the stated rate."""
        del sample_rate
        return (Claim.about("snr_db", -20 * math.log10(self.gain), 1), _swings(self.delay_ms / 2))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Follow the delay of what was added through each clip."""
        return {"swing_ms": swing_ms(before, after - before, sample_rate, self.rate_hz, 0, self.delay_ms)}


@dataclass(frozen=True, kw_only=True)
class Chorus(DelayEffect):
    """Adds several copies, 20 ms and more behind the clip, each slowly moving on its own: one voice becomes many.

    y(t) = x(t) + gain / sqrt(voices) sum_k x(t - 20 ms - 5 ms k - depth sin(2 pi (rate t + k / voices))): U. Zoelzer
    (ed.), "DAFX: Digital Audio Effects", puts the delays of a chorus at 10 to 25 ms and more. The direct sound is not
    scaled.
    """

    name: ClassVar[str] = "chorus"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "gain": (0.3, 0.5, 0.7, 1),
        "voices": (1, 2, 5),
        "depth_ms": (1, 5),
        "rate_hz": (0.5, 4),
    }

    voices: int = parameter(unit="voices", kind=int, low=1, high=8, default=3)
    depth_ms: float = parameter(unit="ms", low=0.1, high=10, default=3.0)
    rate_hz: float = parameter(unit="hz", low=0.05, high=20, default=1.5)
    gain: float = parameter(unit="x", low=0, high=1, above_low=True, default=0.7)

    def delays_ms(self, time: Floats) -> Floats:
        """Each copy at its own place, in its own phase."""
        voice = np.arange(self.voices)[:, None]
        phase = 2 * np.pi * (self.rate_hz * time + voice / self.voices)
        return np.asarray(20 + 5 * voice + self.depth_ms * np.sin(phase))

    def mixed(self, clip: Audio, copies: Floats) -> Floats:
        """Clip and scaled copies."""
        mix = clip.astype(np.float64)
        for copy in copies:
            mix += self.gain / math.sqrt(self.voices) * copy
        return mix

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """What was added has about the level of the gain, and its strongest parts lie where the voices are."""
        del sample_rate
        return (
            Claim.about("snr_db", -20 * math.log10(self.gain), 3),
            Claim("added_delay_ms", 20 - self.depth_ms - 0.5, 20 + 5 * (self.voices - 1) + self.depth_ms + 0.5),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """The median delay of what was added, looked for from 0 to well beyond the last voice."""
        latest = 30 + 5 * self.voices + self.depth_ms
        tracks = delay_track_ms(before, after - before, sample_rate, 0, latest)[1]
        known = [track[np.isfinite(track)] for track in tracks]
        return {"added_delay_ms": np.array([np.median(track) if track.size else np.nan for track in known])}


BREAK_HZ = (300.0, 3000.0)
"""Between these the break frequency of the phaser's all-pass filters sweeps, evenly in octaves."""


@dataclass(frozen=True, kw_only=True)
class Phaser(Attack):
    """Adds a copy that passed moving all-pass filters, so that half as many notches as filters sweep the spectrum.

    y = x + gain A(x), A a cascade of equal first-order all-pass filters (c + z^-1) / (1 + c z^-1) with
    c = (tan(pi f / fs) - 1) / (tan(pi f / fs) + 1), whose break frequency f sweeps from 300 to 3000 Hz and back: J. O.
    Smith, "Physical Audio Signal Processing", on phasing with first-order all-pass filters. The coefficient moves every
    sample; the recursion is a banded triangular system of equations and solved as such. No feedback; the direct sound
    is not scaled.
    """

    name: ClassVar[str] = "phaser"
    family: ClassVar[str] = "modulation"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "gain": (0.3, 0.5, 0.7, 1),
        "filters": (2, 8),
        "rate_hz": (0.5, 4),
    }
    is_ordered: ClassVar[bool] = False

    filters: int = parameter(unit="filters", kind=int, low=2, high=12, default=4)
    rate_hz: float = parameter(unit="hz", low=0.05, high=20, default=1.0)
    gain: float = parameter(unit="x", low=0, high=1, above_low=True, default=0.7)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Filter every clip with the same moving coefficients."""
        del rngs
        lowest, highest = BREAK_HZ
        if sample_rate <= 2 * highest:
            raise AttackError(f"The sample rate for phaser must be above {2 * highest:g} Hz. Got {sample_rate}.")
        cycle = 2 * np.pi * self.rate_hz * np.arange(batch.shape[1]) / sample_rate
        tangent = np.tan(np.pi * lowest * (highest / lowest) ** (0.5 - 0.5 * np.cos(cycle)) / sample_rate)
        coefficient = (tangent - 1) / (tangent + 1)
        # y[n] + c[n] y[n-1] = c[n] x[n] + x[n-1]: ones on the diagonal, and c[n] below it.
        band = np.ones((2, coefficient.size), order="F")
        band[1, :-1] = coefficient[1:]
        attacked = np.empty_like(batch)
        for out, clip in zip(attacked, batch, strict=True):
            turned = clip.astype(np.float64)
            for _ in range(self.filters):
                forced = coefficient * turned
                forced[1:] += turned[:-1]
                turned = dtbsv(1, band, forced, lower=1, diag=1)
            out[:] = clip + self.gain * turned
        return Attacked(attacked)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """What was added is as loud as the gain says (all-pass); it raises some of the spectrum and lowers some."""
        del sample_rate
        return (
            Claim.about("snr_db", -20 * math.log10(self.gain), 1),
            Claim("notch_db", high=20 * math.log10(1 - 0.7 * self.gain)),
            Claim("boost_db", low=20 * math.log10(1 + 0.7 * self.gain)),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """The 5th and 95th percentile of the change of level, over the cells of a spectrogram from 150 to 4000 Hz."""
        width = max(4, round(0.032 * sample_rate))
        starts, window = np.arange(0, before.shape[1] - width + 1, width), np.hanning(width)
        swept = slice(math.ceil(150 * width / sample_rate), math.ceil(4000 * width / sample_rate))
        percentiles = np.full((len(before), 2), np.nan)
        if before.shape[1] < sample_rate // 2:  # not a whole sweep
            return {"notch_db": percentiles[:, 0], "boost_db": percentiles[:, 1]}
        for row, old, new in zip(percentiles, before, after, strict=True):
            power = [np.abs(fft.rfft(_windows(clip, width, starts) * window))[:, swept] ** 2 for clip in (old, new)]
            heard = power[0] > 1e-8 * power[0].max()
            if heard.any():
                row[:] = 10 * np.log10(np.percentile(power[1][heard] / power[0][heard], (5, 95)) + 1e-12)
        return {"notch_db": percentiles[:, 0], "boost_db": percentiles[:, 1]}


def delay_track_ms(
    before: Audio, after: Audio, sample_rate: int, earliest_ms: float, latest_ms: float
) -> tuple[Floats, Floats]:
    """Follow by how much each clip is late: the best correlation of frames of 32 ms, to a fraction of a sample.

    Args:
        before: (n, samples).
        after: (n, samples).
        sample_rate: In Hz.
        earliest_ms: Smallest delay looked for, negative for early.
        latest_ms: Largest delay looked for.

    Returns:
        The centres of the frames in s, (frames,), and the delays there, (n, frames): NaN where a clip is silent.
        No frames at all where the clips are too short.
    """
    width = max(4, round(0.032 * sample_rate))
    lags = np.arange(math.floor(earliest_ms * sample_rate / 1000) - 2, math.ceil(latest_ms * sample_rate / 1000) + 3)
    starts = np.arange(max(0, int(lags[-1])), before.shape[1] - width + min(0, int(lags[0])) + 1, width)
    tracks = np.full((len(before), starts.size), np.nan)
    size = fft.next_fast_len(width + lags.size - 1, real=True)
    rows = np.arange(starts.size)
    for track, old, new in zip(tracks, before, after, strict=True):
        peak = np.abs(old).max()
        if peak == 0 or not starts.size:
            continue
        # Float32 is enough for a likeness, once the peak is 1 and no square underflows.
        heard = _windows(new / peak, width, starts)
        around = _windows(old / peak, width + lags.size - 1, starts - lags[-1])
        product = fft.irfft(fft.rfft(around, size) * np.conj(fft.rfft(heard, size)), size)[:, : lags.size]
        running = np.cumsum(np.pad(np.square(around, dtype=np.float64), ((0, 0), (1, 0))), axis=1)
        energy = running[:, width:] - running[:, : lags.size]
        likeness = (product / np.sqrt(np.maximum(energy, 1e-6)))[:, ::-1]
        best = np.clip(likeness.argmax(axis=1), 1, lags.size - 2)
        left, top, right = likeness[rows, best - 1], likeness[rows, best], likeness[rows, best + 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            fraction = np.clip(0.5 * (left - right) / (left - 2 * top + right), -1, 1)
        track[:] = np.where(top > 0, (lags[best] + fraction) * 1000 / sample_rate, np.nan)
    return (starts + width / 2) / sample_rate, tracks


def swing_ms(
    before: Audio, after: Audio, sample_rate: int, rate_hz: float, earliest_ms: float, latest_ms: float
) -> Floats:
    """Amplitude (n,) in ms with which the delay of each clip swings at a rate; NaN where it cannot be followed."""
    reach = 0.5 * (latest_ms - earliest_ms)
    times, tracks = delay_track_ms(before, after, sample_rate, earliest_ms - reach, latest_ms + reach)
    cycle = 2 * np.pi * rate_hz * times
    basis = np.stack([np.ones_like(cycle), np.sin(cycle), np.cos(cycle)], axis=1)
    swings = np.full(len(before), np.nan)
    for index, track in enumerate(tracks):
        known = np.isfinite(track)
        if known.sum() >= 8 and np.ptp(times[known]) * rate_hz >= 0.4:
            fit = np.linalg.lstsq(basis[known], track[known], rcond=None)[0]
            swings[index] = math.hypot(fit[1], fit[2])
    return swings


def _swings(amplitude_ms: float) -> Claim:
    """A frame sees the mean of the delays within it, so that a deep or fast swing is measured too small."""
    return Claim("swing_ms", 0.35 * amplitude_ms, 1.3 * amplitude_ms)


def _windows(clip: Audio, width: int, starts: NDArray[np.intp]) -> Audio:
    return np.lib.stride_tricks.sliding_window_view(clip, width)[starts]


_MARGIN = 8
"""Zeros on both sides of a clip, in samples at twice its rate: what is read beyond them is silence."""


def _lagrange(positions: Floats, samples: int) -> tuple[NDArray[np.intp], Floats]:
    """Where and with which weights four neighbours give the value between them: (4, ...) each."""
    doubled = np.clip(2 * positions, -_MARGIN / 2, 2 * samples + _MARGIN / 2)
    whole = np.floor(doubled)
    f = doubled - whole
    weights = np.stack(
        [
            -f * (f - 1) * (f - 2) / 6,
            (f + 1) * (f - 1) * (f - 2) / 2,
            -(f + 1) * f * (f - 2) / 2,
            (f + 1) * f * (f - 1) / 6,
        ]
    )
    return whole.astype(np.intp) + (_MARGIN - 1) + np.arange(4).reshape(-1, *[1] * whole.ndim), weights


def _read(clip: Audio, places: NDArray[np.intp], weights: Floats) -> Floats:
    """The clip (samples,) at the positions that places and weights were made for."""
    padded = np.zeros(2 * clip.size + 2 * _MARGIN)
    # The zeros behind the clip make up for what soxr rounds off the length.
    padded[_MARGIN:-_MARGIN] = soxr.resample(np.pad(clip, (0, 64)), 1, 2, "HQ")[: 2 * clip.size]
    value = np.zeros(places.shape[1:])
    for place, weight in zip(places, weights, strict=True):
        value += weight * np.take(padded, place)
    return value


def read_at(clip: Audio, positions: Floats) -> Floats:
    """The clip (samples,) at positions between its samples, which need not be in order; beyond its ends is silence."""
    return _read(clip, *_lagrange(positions, clip.size))
