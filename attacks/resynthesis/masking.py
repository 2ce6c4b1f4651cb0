"""Cells of a short-time spectrum are weighed, or rounded, and the phases of the clip kept."""

import math
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.contract.base import Attack, AttackError, Audio, Claim, parameter
from sealproof.attacks.resynthesis.spectra import (
    LONG_S,
    SHORT_S,
    Floats,
    Magnitude,
    istft,
    stft,
    window_length,
)


@dataclass(frozen=True, kw_only=True)
class SpectrumAttack(Attack):
    """Changes short-time spectra and puts them together again with the phases of the clip.

    Attributes:
        window_s: Length of the window in s, rounded up to a power of two samples.
    """

    family: ClassVar[str] = "resynthesis"
    window_s: ClassVar[float] = SHORT_S

    @abstractmethod
    def weights(self, magnitude: Magnitude) -> Magnitude:
        """Gain of each cell (frames, bins) of a spectrum with these magnitudes."""

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Weigh the cells."""
        del rng
        width = window_length(self.window_s, sample_rate)
        spectrum = stft(clip, width)
        return istft(spectrum * self.weights(np.abs(spectrum)), clip.size)


FLOOR_DB = 80.0
"""Below the highest magnitude of a clip the logarithmic quantiser knows nothing but zero."""


@dataclass(frozen=True, kw_only=True)
class STFTQuantise(SpectrumAttack):
    """Rounds the short-time magnitudes to a number of levels and keeps the phases.

    The levels are zero and others spaced evenly up to the highest magnitude of the clip: on a logarithmic scale from
    80 dB below it, or on a linear scale from zero. Windows of 32 ms.
    """

    name: ClassVar[str] = "stft_quantise"
    sweep: ClassVar[Mapping[str, tuple[int | str, ...]]] = {"levels": (256, 64, 32, 16, 8), "scale": ("linear",)}

    levels: int = parameter(unit="levels", kind=int, low=4, high=4096, default=64)
    scale: str = parameter(unit="", kind=str, choices=("log", "linear"), default="log")

    @property
    def _step_db(self) -> float:
        return FLOOR_DB / (self.levels - 2)

    def weights(self, magnitude: Magnitude) -> Magnitude:
        """The rounded magnitude over the magnitude."""
        peak = magnitude.max()
        if peak == 0:
            return magnitude
        relative = np.maximum(magnitude / peak, np.float32(1e-12))
        if self.scale == "linear":
            step = np.float32(1 / (self.levels - 1))
            return np.asarray(np.rint(relative / step) * step / relative)
        steps = np.rint(np.log10(relative) * np.float32(-20 / self._step_db))
        rounded = np.power(np.float32(10), steps * np.float32(-self._step_db / 20))
        return np.where(steps > self.levels - 2, np.float32(0), rounded / relative)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The SNR of errors spread evenly over the steps; overlapping windows cancel some of it.

        On the linear scale it depends on how far the clip's magnitudes lie below the highest one.
        """
        del sample_rate
        if self.scale == "linear":
            return (Claim("snr_db", 5, 20 * math.log10(self.levels) + 10),)
        error_db = 20 * math.log10(math.log(10) / 20 * self._step_db / math.sqrt(12))
        return (Claim("snr_db", -error_db - 3, -error_db + 8),)


@dataclass(frozen=True, kw_only=True)
class StrongestBins(SpectrumAttack):
    """Keeps only the strongest bins of each short-time spectrum, and of the 257 at 16 kHz throws all others away.

    The sparse approximation that sinusoidal models rest on: R. J. McAulay and T. F. Quatieri, "Speech
    analysis/synthesis based on a sinusoidal representation", IEEE Trans. ASSP 34(4), 1986. Windows of 32 ms.
    """

    name: ClassVar[str] = "strongest_bins"
    sweep: ClassVar[Mapping[str, tuple[int, ...]]] = {"bins": (128, 64, 32, 16, 8)}

    bins: int = parameter(unit="bins", kind=int, low=1, high=4096)

    def weights(self, magnitude: Magnitude) -> Magnitude:
        """One for the strongest, zero for the others."""
        if self.bins >= magnitude.shape[1]:
            raise AttackError(
                f"The 'bins' of strongest_bins must be below {magnitude.shape[1]}, all that there are. Got {self.bins}."
            )
        weakest_kept = np.partition(magnitude, -self.bins, axis=1)[:, -self.bins, None]
        return (magnitude >= weakest_kept).astype(np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Nothing is added, and what is left lies in few bins."""
        del sample_rate
        return (Claim("level_change_db", -12, 0), Claim("remaining_db", high=-2))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Energy of the result outside its own strongest bins, over that of the clip outside its own."""
        width = window_length(self.window_s, sample_rate)
        ratios = np.full(len(before), np.nan)
        for index, pair in enumerate(zip(before, after, strict=True)):
            power = [np.sort(np.abs(stft(clip, width)), axis=1).astype(np.float64) ** 2 for clip in pair]
            was, rest = (each[:, : -self.bins].sum() for each in power)
            if was > 1e-10 * power[0].sum() and rest > 0:
                ratios[index] = 10 * math.log10(rest / was)
        return {"remaining_db": ratios}


@dataclass(frozen=True, kw_only=True)
class HarmonicPercussive(SpectrumAttack):
    """Keeps only what sustains (harmonic) or only what strikes (percussive).

    Median filters over 17 windows and over 17 bins of a spectrogram give the two parts, of whose energies the mask is
    made: D. Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010. Windows of 64 ms; the
    phases are those of the clip.
    """

    name: ClassVar[str] = "harmonic_percussive"
    sweep: ClassVar[Mapping[str, tuple[str, ...]]] = {"keep": ("harmonic", "percussive")}
    window_s: ClassVar[float] = LONG_S

    keep: str = parameter(unit="", kind=str, choices=("harmonic", "percussive"))

    def weights(self, magnitude: Magnitude) -> Magnitude:
        """The Wiener mask of the part that is kept."""
        # Relative to the peak no square underflows; a cell that both medians find empty is shared.
        peak = magnitude.max()
        relative = magnitude / peak if peak > 0 else magnitude
        harmonic, percussive = (_running_median(relative, axis) ** 2 + np.float32(1e-12) for axis in (0, 1))
        kept = harmonic if self.keep == "harmonic" else percussive
        return np.asarray(kept / (harmonic + percussive), dtype=np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The spectrogram gets smoother along the axis of the part that is kept, compared with the other axis."""
        del sample_rate
        sign = 1 if self.keep == "harmonic" else -1
        low, high = sorted((sign * 0.5, sign * math.inf))
        return (Claim("sustain_db", low, high), Claim("level_change_db", high=0))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Variation of the spectrogram from bin to bin over that from window to window: how much that changed."""
        width = window_length(self.window_s, sample_rate)
        changes = np.full(len(before), np.nan)
        for index, pair in enumerate(zip(before, after, strict=True)):
            spectra = [np.abs(stft(clip, width)).astype(np.float64) for clip in pair]
            along, across = ([np.abs(np.diff(each, axis=axis)).sum() for each in spectra] for axis in (0, 1))
            if min(*along, *across) > 0:
                changes[index] = 20 * math.log10(across[1] / along[1] * along[0] / across[0])
        return {"sustain_db": changes}


def _running_median(magnitude: Magnitude, axis: int) -> Magnitude:
    """Median over 17 neighbours along an axis; beyond the ends the spectrogram is mirrored, as often as it takes."""
    reach = 8
    padded = np.pad(magnitude, [(reach, reach) if each == axis else (0, 0) for each in (0, 1)], mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=axis)
    return np.asarray(np.partition(windows, reach, axis=-1)[..., reach])
