"""How audible a mark is: its level against what its host masks, band by band.

The model is that of the basic version of PEAQ (ITU-R BS.1387-1, annex 2, sections 2.1 and 4.4; Thiede et al. 2000,
PEAQ - the ITU standard for objective measurement of perceived audio quality, J. Audio Eng. Soc. 48): weighting by outer
and middle ear, quarter-Bark bands, internal noise, spreading over bands that depends on level, spreading in time, and a
mask 3 dB below the excitation, more in high bands. It differs in three points: frames are 40 ms at any sample rate,
bands end at half of it, and the noise is the spectrum of the difference itself instead of the difference of magnitudes,
so that a mark which only turns phases is heard as well. So the numbers are of PEAQ's kind, not PEAQ's.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio

Floats = NDArray[np.float64]

FULL_SCALE_DB_SPL = 92.0
"""Level at which a full-scale sine is played: PEAQ's own assumption where nothing else is known."""

AUDIBLE_DB = 1.5
"""Noise-to-mask ratio above which a frame counts as disturbed, as in PEAQ."""

_BAND_BARK = 0.25
_FRAME_S, _HOP_S = 0.04, 0.02
_LOWEST_HZ = 80.0
_FORWARD_S_AT_100HZ, _FORWARD_S_LEAST = 0.03, 0.008
_SPREAD_POWER = 0.4
_BLOCK = 16


@dataclass(frozen=True)
class Audibility:
    """How far the change of each clip stands above what its host masks.

    Attributes:
        nmr_db: Shape (n,): noise-to-mask ratio, mean over frames and bands of the ratios, in dB. Below -10 dB a change
            is as good as inaudible; NaN where nothing was changed.
        disturbed_frames: Shape (n,): share of the frames in which some band stands more than 1.5 dB above its mask.
        band_nmr_db: Shape (n, bands): the ratio of each band, mean over frames, in dB.
        centres_hz: Shape (bands,): centres of the bands.
    """

    nmr_db: Floats
    disturbed_frames: Floats
    band_nmr_db: Floats
    centres_hz: Floats


def audibility(before: Audio, after: Audio, sample_rate: int) -> Audibility:
    """Compare what was added to clips with what these mask.

    Args:
        before: (n, samples) float32, full scale 1.
        after: (n, samples) float32, aligned with it.
        sample_rate: In Hz, at least 4,000.

    Raises:
        ValueError: The shapes differ, or the clips are shorter than a frame of 40 ms.
    """
    if before.shape != after.shape or before.ndim != 2:
        raise ValueError(
            f"'before' and 'after' must have one shape (n, samples). Got {before.shape} and {after.shape}."
        )
    if before.shape[1] < round(_FRAME_S * sample_rate):
        raise ValueError(f"The clips must last at least {_FRAME_S:g} s. Got {before.shape[1] / sample_rate:g} s.")
    ear = _Ear(sample_rate)
    parts = [
        ear.ratios(before[start : start + _BLOCK], after[start : start + _BLOCK])
        for start in range(0, len(before), _BLOCK)
    ]
    ratios = np.concatenate(parts)
    by_band = ratios.mean(axis=1)
    changed = (before != after).any(axis=1)
    with np.errstate(divide="ignore"):
        total, bands = (10 * np.log10(values) for values in (by_band.mean(axis=1), by_band))
    loudest = ratios.max(axis=2) > 10 ** (AUDIBLE_DB / 10)
    return Audibility(np.where(changed, total, np.nan), loudest.mean(axis=1), bands, ear.centres_hz)


class Masks:
    """What clips mask, worked out once: for whoever asks about many changes of the same clips.

    Attributes:
        n_clips: How many clips.
    """

    def __init__(self, hosts: Audio, sample_rate: int) -> None:
        """Work out what hosts (n, samples) mask.

        Raises:
            ValueError: The clips are shorter than a frame of 40 ms.
        """
        if hosts.shape[1] < round(_FRAME_S * sample_rate):
            raise ValueError(f"The clips must last at least {_FRAME_S:g} s. Got {hosts.shape[1] / sample_rate:g} s.")
        self.n_clips = len(hosts)
        self._ear = _Ear(sample_rate)
        parts = [self._ear.masks(hosts[start : start + _BLOCK]) for start in range(0, len(hosts), _BLOCK)]
        self._masks = np.concatenate(parts) if parts else np.zeros((0, 0, 0))

    def nmr(self, who: NDArray[np.intp], changes: Floats) -> Floats:
        """Return noise-to-mask ratios (m,), as power, of changes (m, samples) of the clips `who` (m,).

        It is `10 ** (nmr_db / 10)` of `audibility`, and quadratic in the change: half of it has a quarter.
        """
        return np.asarray((self._ear.noise(changes) / self._masks[who]).mean(axis=(1, 2)))

    def cheapest(self, who: NDArray[np.intp], gradients: Floats) -> Floats:
        """Turn gradients (m, samples) into the changes, up to their size, that gain most for their ratio, or nearly.

        Each bin of each frame is weighed by what the clip masks there.
        """
        return self._ear.weighed(gradients, self._masks[who])


class _Ear:
    """The filters of the model at one sample rate."""

    def __init__(self, sample_rate: int) -> None:
        self._frame, self._hop = round(_FRAME_S * sample_rate), round(_HOP_S * sample_rate)
        window = np.hanning(self._frame + 2)[1:-1]
        # The bins of a full-scale sine hold 3/32 of the squared length of the frame, by Parseval and Hann's 3/8.
        self._window = window * 10 ** (FULL_SCALE_DB_SPL / 20) * np.sqrt(32 / 3) / self._frame
        hz: Floats = np.asarray(np.fft.rfftfreq(self._frame, 1 / sample_rate), np.float64)
        khz = np.maximum(hz, 1.0) / 1000
        weight_db = -2.184 * khz**-0.8 + 6.5 * np.exp(-0.6 * (khz - 3.3) ** 2) - 1e-3 * khz**3.6
        self._weight = 10 ** (weight_db / 10)
        lowest, highest = (float(_bark(np.array(end))) for end in (_LOWEST_HZ, sample_rate / 2))
        edges = np.arange(lowest, highest, _BAND_BARK)
        self._bark = edges[:-1] + _BAND_BARK / 2
        self.centres_hz = 650 * np.sinh(self._bark / 7)
        self._members = _shares(hz, 650 * np.sinh(edges / 7))
        self._internal = 10 ** (0.1456 * (self.centres_hz / 1000) ** -0.8)
        self._offset = 10 ** (np.maximum(3.0, 0.25 * (self._bark - self._bark[0])) / 10)
        seconds = _FORWARD_S_LEAST + 100 / self.centres_hz * (_FORWARD_S_AT_100HZ - _FORWARD_S_LEAST)
        self._decay = np.exp(-self._hop / sample_rate / seconds)
        # What spreading would make of equal levels: it is normalised by that, as in PEAQ.
        self._spread_of_equal = self._spread_raw(np.ones((1, self._bark.size)))[0]

    def ratios(self, before: Audio, after: Audio) -> Floats:
        """Return noise-to-mask ratios, shape (n, frames, bands)."""
        return np.asarray(self.noise(after.astype(np.float64) - before) / self.masks(before))

    def noise(self, change: Floats) -> Floats:
        """Return the powers of changes, shape (n, frames, bands)."""
        return self._band_powers(change)

    def masks(self, hosts: Audio) -> Floats:
        """Return the powers that hosts mask, shape (n, frames, bands)."""
        host = self._band_powers(hosts) + self._internal
        spread = self._spread_raw(host.reshape(-1, host.shape[2])).reshape(host.shape) / self._spread_of_equal
        return np.asarray(np.maximum(self._lasting(spread), spread) / self._offset)

    def weighed(self, signals: Floats, masks: Floats) -> Floats:
        """Divide each bin of each frame by what a change of it costs, and put the frames together again."""
        frames = np.lib.stride_tricks.sliding_window_view(signals, self._frame, axis=1)[:, :: self._hop]
        spectrum = np.fft.rfft(frames * self._window)
        cost = (1 / masks) @ self._members.T * self._weight
        # Bins below the lowest band cost nothing by the model; they are left alone all the same.
        allowed = np.where(cost > 0, 1 / np.where(cost > 0, cost, 1.0), 0.0)
        pieces = np.fft.irfft(spectrum * allowed, self._frame) * self._window
        total = np.zeros_like(signals)
        for frame in range(pieces.shape[1]):
            total[:, frame * self._hop : frame * self._hop + self._frame] += pieces[:, frame]
        return total

    def _band_powers(self, audio: NDArray[np.floating[Any]]) -> Floats:
        frames = np.lib.stride_tricks.sliding_window_view(audio, self._frame, axis=1)[:, :: self._hop]
        power = np.abs(np.fft.rfft(frames * self._window)) ** 2 * self._weight
        return np.asarray(power @ self._members)

    def _spread_raw(self, power: Floats) -> Floats:
        """Spread powers (rows, bands) over the bands: 27 dB a Bark downwards, less upwards the louder a band is."""
        level_db = 10 * np.log10(np.maximum(power, 1e-12))
        upwards = np.minimum(-24 - 230 / self.centres_hz + 0.2 * level_db, -4.0)
        total = np.zeros_like(power)
        for band, bark in enumerate(self._bark):
            away = self._bark - bark
            slope_db = np.where(away < 0, 27.0 * away, upwards[:, band, None] * away)
            share = 10 ** (slope_db / 10)
            spread = power[:, band, None] * share / share.sum(axis=1, keepdims=True)
            total += spread**_SPREAD_POWER
        return np.asarray(total ** (1 / _SPREAD_POWER))

    def _lasting(self, spread: Floats) -> Floats:
        """Let excitation fade over time; shape (n, frames, bands)."""
        lasting = np.empty_like(spread)
        state = np.zeros_like(spread[:, 0])
        for frame in range(spread.shape[1]):
            state = self._decay * state + (1 - self._decay) * spread[:, frame]
            lasting[:, frame] = state
        return lasting


def _bark(hz: Floats) -> Floats:
    return np.asarray(7 * np.arcsinh(hz / 650))


def _shares(hz: Floats, edges_hz: Floats) -> Floats:
    """Return which share of each bin's power each band gets, shape (bins, bands): bins on an edge are cut."""
    half = (hz[1] - hz[0]) / 2
    overlap = [
        np.clip(np.minimum(hz + half, high) - np.maximum(hz - half, low), 0, None) for low, high in pairwise(edges_hz)
    ]
    return np.asarray(np.stack(overlap, axis=1) / (2 * half))
