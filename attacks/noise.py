"""Noise: errors added to every sample."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.base import Attack, Audio, parameter


@dataclass(frozen=True, kw_only=True)
class WhiteNoise(Attack):
    """Adds white Gaussian noise at an exact signal-to-noise ratio in dB.

    The noise is scaled by the energy it really has, not by its expected energy, so that the ratio of the energies of
    clip and noise is `snr_db` in every clip, however short. Silence has no signal-to-noise ratio and stays silence.
    """

    name: ClassVar[str] = "white_noise"
    family: ClassVar[str] = "noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"snr_db": (40, 30, 20, 10, 5)}
    is_random: ClassVar[bool] = True

    snr_db: float = parameter(unit="db", low=-20, high=80)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Adds scaled noise, in float64 until the last step."""
        del sample_rate
        signal = clip.astype(np.float64)
        noise = rng.standard_normal(clip.size)
        wanted_energy = np.sum(signal**2) / 10 ** (self.snr_db / 10)
        noise *= np.sqrt(wanted_energy / np.sum(noise**2))
        return (signal + noise).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Quantise(Attack):
    """Rounds samples to integer PCM of the given number of bits, without dither.

    A uniform mid-tread quantiser with step 2^(1 - bits): zero is a level, codes run from -2^(bits-1) to 2^(bits-1) - 1.
    Audio beyond [-1, 1 - step] is clipped, as in every integer format. Audio that is already a multiple of the step
    passes unchanged: 16 bits do nothing to a clip read from a 16-bit file.
    """

    name: ClassVar[str] = "quantise"
    family: ClassVar[str] = "noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bits": (12, 10, 8, 6, 4)}

    bits: int = parameter(unit="bits", kind=int, low=2, high=16)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Rounds to the nearest code, clips the code and scales back."""
        del sample_rate, rng
        half = np.float32(2 ** (self.bits - 1))
        # The clip to [-1, 1] comes first so that the multiplication cannot overflow.
        codes: Audio = np.clip(np.rint(np.clip(clip, -1, 1) * half), -half, half - 1)
        return codes / half
