"""Noise: something else is added to every sample."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, AttackError, Audio, parameter
from sealproof.attacks.contract.claims import Claim
from sealproof.attacks.contract.knowledge import Knowledge

LOWEST_HZ = 20.0
"""Down to here, the lower end of hearing, coloured noise keeps its slope; below, its density is constant."""

EXACT_DB = 0.003
"""Within this a ratio is exact that was set by the energy itself; single precision costs less."""

_FEWEST_SAMPLES = 1000
"""A shorter clip does not tell the level or the colour of its noise."""

_FEWEST_OCTAVES = 4


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Attack):
    """Adds Gaussian noise whose power density goes with a power of the frequency.

    Attributes:
        exponent: Of that power: 0 is white, -1 pink, ...
    """

    family: ClassVar[str] = "noise"
    is_random: ClassVar[bool] = True
    exponent: ClassVar[int] = 0

    @abstractmethod
    def noise(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the noise for a clip (samples,), a new array at its final level."""

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Add the noise, in float64 until the last step."""
        noisy = self.noise(clip, sample_rate, rng)
        noisy += clip
        return noisy.astype(np.float32)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """`noise_exponent`: the exponent of the frequency in the power density of what was added."""
        return {"noise_exponent": noise_exponent(np.subtract(after, before, dtype=np.float64), sample_rate)}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The colour of the noise."""
        del sample_rate
        return (Claim.about("noise_exponent", self.exponent, 0.2),)


@dataclass(frozen=True, kw_only=True)
class NoiseBySNR(GaussianNoise):
    """Gaussian noise at an exact signal-to-noise ratio: white, unless a subclass states another exponent.

    The density is proportional to f^exponent from 20 Hz to half the sample rate and constant below 20 Hz. The noise is
    drawn in the frequency domain (Timmer and Koenig 1995, "On generating power law noise", Astronomy and Astrophysics
    300), which gives the slope exactly.
    """

    snr_db: float = parameter(unit="db", low=-20, high=80)

    def noise(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the noise of the stated colour and scale it by the energy that it has."""
        return _at_snr(self.draw(clip.size, sample_rate, rng), clip, self.snr_db)

    def draw(self, samples: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw noise (samples,) of the stated colour at any level."""
        return _draw(self.exponent, samples, sample_rate, rng)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The ratio, in every clip, and the colour."""
        return (Claim.about("snr_db", self.snr_db, EXACT_DB, every=True), *super().claims(sample_rate))


@dataclass(frozen=True, kw_only=True)
class WhiteNoise(NoiseBySNR):
    """Adds white Gaussian noise at an exact signal-to-noise ratio in dB.

    The noise is scaled by the energy it really has, not by its expected energy, so that the ratio of the energies of
    clip and noise is `snr_db` in every clip, however short. Silence has no signal-to-noise ratio and stays silence.
    """

    name: ClassVar[str] = "white_noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"snr_db": (40, 30, 20, 15, 10, 5, 0)}

    def draw(self, samples: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw sample by sample: white noise needs no spectrum."""
        del sample_rate
        return rng.standard_normal(samples)


@dataclass(frozen=True, kw_only=True)
class PinkNoise(NoiseBySNR):
    """Adds pink noise, whose power density falls as 1/f, at an exact signal-to-noise ratio in dB.

    -3.01 dB an octave from 20 Hz upwards: equal power in every octave. Gaussian; the ratio as in `WhiteNoise`.
    """

    name: ClassVar[str] = "pink_noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"snr_db": (30, 20, 10, 5, 0)}
    exponent: ClassVar[int] = -1


@dataclass(frozen=True, kw_only=True)
class BrownNoise(NoiseBySNR):
    """Adds brown (red) noise, whose power density falls as 1/f^2, at an exact signal-to-noise ratio in dB.

    -6.02 dB an octave from 20 Hz upwards, as of Brownian motion without its drift. Gaussian; the ratio as in
    `WhiteNoise`.
    """

    name: ClassVar[str] = "brown_noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"snr_db": (30, 20, 10, 5, 0)}
    exponent: ClassVar[int] = -2


@dataclass(frozen=True, kw_only=True)
class BlueNoise(NoiseBySNR):
    """Adds blue noise, whose power density rises as f, at an exact signal-to-noise ratio in dB.

    +3.01 dB an octave from 20 Hz to half the sample rate. Gaussian; the ratio as in `WhiteNoise`.
    """

    name: ClassVar[str] = "blue_noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"snr_db": (30, 20, 10, 5, 0)}
    exponent: ClassVar[int] = 1


@dataclass(frozen=True, kw_only=True)
class VioletNoise(NoiseBySNR):
    """Adds violet noise, whose power density rises as f^2, at an exact signal-to-noise ratio in dB.

    +6.02 dB an octave from 20 Hz to half the sample rate, as of differentiated white noise. Gaussian; the ratio as in
    `WhiteNoise`.
    """

    name: ClassVar[str] = "violet_noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"snr_db": (30, 20, 10, 5, 0)}
    exponent: ClassVar[int] = 2


@dataclass(frozen=True, kw_only=True)
class WhiteNoiseLevel(GaussianNoise):
    """Adds white Gaussian noise of a stated standard deviation, full scale being 1, however loud the clip is.

    This is how AudioSeal (San Roman et al. 2024, arXiv 2401.17264) and Omniseal Bench state their white noise: the same
    strength hurts a quiet clip more than a loud one, and it sounds in silence too. `white_noise` follows the level of
    the clip.
    """

    name: ClassVar[str] = "white_noise_level"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"std": (0.001, 0.01, 0.05, 0.1, 0.3)}

    std: float = parameter(unit="fs", low=1e-4, high=1)

    def noise(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw N(0, std^2)."""
        del sample_rate
        return self.std * rng.standard_normal(clip.size)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """The exponent, and `noise_level_dbfs`: RMS of what was added, 0 dB being 1."""
        added = np.subtract(after, before, dtype=np.float64)
        level = np.full(len(before), np.nan)
        if before.shape[1] >= _FEWEST_SAMPLES:
            with np.errstate(divide="ignore"):  # nothing added is -inf dB
                level = 10 * np.log10(np.mean(added**2, axis=1))
        return {"noise_level_dbfs": level, "noise_exponent": noise_exponent(added, sample_rate)}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The level, which scatters by 0.2 dB in the shortest clip that is measured, and the colour."""
        level = Claim.about("noise_level_dbfs", 20 * np.log10(self.std), 0.3)
        return (level, *super().claims(sample_rate))


@dataclass(frozen=True, kw_only=True)
class BrownNoisePeak(GaussianNoise):
    """Adds brown noise of a stated peak, full scale being 1, however loud the clip is.

    What the effects that AudioSeal and Omniseal Bench publish do under the name of pink noise: its density falls as
    1/f^2, and its "standard deviation" is its largest magnitude. `pink_noise` is pink.
    """

    name: ClassVar[str] = "brown_noise_peak"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"peak": (0.01, 0.05, 0.1, 0.2, 0.3, 0.5, 1)}
    exponent: ClassVar[int] = -2

    peak: float = parameter(unit="fs", low=1e-4, high=10)

    def noise(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw the noise and scale it by its peak."""
        noise = _draw(self.exponent, clip.size, sample_rate, rng)
        return np.asarray(noise * (self.peak / np.abs(noise).max()))

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """The exponent, and `noise_peak`: the largest magnitude of what was added."""
        added = np.subtract(after, before, dtype=np.float64)
        return {"noise_peak": np.abs(added).max(axis=1), "noise_exponent": noise_exponent(added, sample_rate)}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The peak, in every clip, and the colour."""
        peak = Claim.about("noise_peak", self.peak, 1e-5 + 1e-4 * self.peak, every=True)
        return (peak, *super().claims(sample_rate))


@dataclass(frozen=True, kw_only=True)
class Background(Attack):
    """Mixes another recording in, at an exact signal-to-noise ratio in dB.

    The recording is drawn from those that are known without a watermark, silent ones left out, and scaled by its own
    energy: the ratio of the energies of the clip and of what is added is `snr_db`. Silence stays silence.
    """

    name: ClassVar[str] = "background"
    family: ClassVar[str] = "noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"snr_db": (40, 30, 20, 10, 5, 0)}
    is_random: ClassVar[bool] = True
    needs_knowledge: ClassVar[bool] = True

    snr_db: float = parameter(unit="db", low=-10, high=80)

    def apply_knowing(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge
    ) -> Attacked:
        """Draw a recording for each clip and add it."""
        del sample_rate
        sounding = np.flatnonzero(knowledge.clean.any(axis=1))
        if not sounding.size:
            raise AttackError(
                f"{self.id} must know a clean recording that is not silent; pass some in 'clean'. "
                f"Got {len(knowledge.clean)}, of which none sounds."
            )
        mixed = np.empty_like(batch)
        for index, rng in enumerate(rngs):
            other = knowledge.clean[sounding[rng.integers(sounding.size)]].astype(np.float64)
            mixed[index] = batch[index] + _at_snr(other, batch[index], self.snr_db)
        return Attacked(mixed)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The ratio, in every clip."""
        del sample_rate
        return (Claim.about("snr_db", self.snr_db, EXACT_DB, every=True),)


def _draw(exponent: int, samples: int, sample_rate: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw Gaussian noise (samples,) with a power density ~ f^exponent, at any level."""
    from scipy import fft

    # An inverse FFT gives periodic noise. One period of the lowest frequency more than is used keeps the end from
    # leading back to the start, and gives a short clip the low frequencies of a long one.
    size = fft.next_fast_len(samples + int(sample_rate / LOWEST_HZ), real=True)
    shape = _amplitudes(exponent, size, sample_rate)
    spectrum = rng.standard_normal(2 * shape.size).view(np.complex128)
    spectrum *= shape
    return np.asarray(fft.irfft(spectrum, size, overwrite_x=True)[:samples])


def noise_exponent(noise: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Exponent of the frequency in the power density of noise: 0 for white, -1 for pink, +2 for violet.

    The slope of a straight line through the densities of whole octaves, down from half the sample rate to the last that
    starts above 20 Hz and holds eight frequencies of the clip.

    Args:
        noise: (n, samples).
        sample_rate: Samples per second, in Hz.

    Returns:
        (n,) float64; NaN where there are fewer than four octaves, or one is empty.
    """
    from scipy import fft

    n, samples = noise.shape
    top = sample_rate / 2
    lowest = max(LOWEST_HZ, 8 * sample_rate / samples)
    octaves = int(np.floor(np.log2(top / lowest))) if top > lowest else 0
    if octaves < _FEWEST_OCTAVES:
        return np.full(n, np.nan)
    # A Hann window: the jump from the end to the start would else leak with the slope of brown noise.
    power = np.abs(fft.rfft(noise * _hann(samples))) ** 2
    edges = np.rint(top / 2.0 ** np.arange(octaves, -1, -1) * samples / sample_rate).astype(int)
    densities = [power[:, low:high].mean(axis=1) for low, high in pairwise(edges)]
    steps = np.arange(octaves) - (octaves - 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = steps @ np.log2(densities) / np.sum(steps**2)
    return np.where(np.isfinite(slope), slope, np.nan)


@lru_cache(maxsize=8)
def _amplitudes(exponent: int, size: int, sample_rate: int) -> NDArray[np.float64]:
    """Amplitude of each frequency of a real FFT of `size` samples, for a power density ~ f^exponent."""
    frequencies = np.maximum(np.fft.rfftfreq(size, 1 / sample_rate), LOWEST_HZ)
    amplitudes: NDArray[np.float64] = (frequencies / LOWEST_HZ) ** (exponent / 2)
    amplitudes.flags.writeable = False
    return amplitudes


@lru_cache(maxsize=8)
def _hann(samples: int) -> NDArray[np.float64]:
    window: NDArray[np.float64] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(samples) / samples)
    window.flags.writeable = False
    return window


def _at_snr(noise: NDArray[np.float64], clip: Audio, snr_db: float) -> NDArray[np.float64]:
    """Scale the noise, in place, so that the energy of the clip is `snr_db` above its own."""
    wanted_energy = np.square(clip, dtype=np.float64).sum() / 10 ** (snr_db / 10)
    noise *= np.sqrt(wanted_energy / np.square(noise).sum())
    return noise
