"""Quantising: samples are rounded to fewer values."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, Audio, parameter
from sealproof.attacks.contract.claims import Claim

_FEWEST_SAMPLES = 1000
"""Fewer do not tell the RMS of a random error to a few percent."""


@dataclass(frozen=True, kw_only=True)
class Quantise(Attack):
    """Rounds samples to integer PCM of the given number of bits, without dither.

    A uniform mid-tread quantiser with step 2^(1 - bits): zero is a level, codes run from -2^(bits-1) to 2^(bits-1) - 1.
    Audio beyond [-1, 1 - step] is clipped, as in every integer format. Audio that is already a multiple of the step
    passes unchanged: 16 bits do nothing to a clip read from a 16-bit file.
    """

    name: ClassVar[str] = "quantise"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bits": (14, 12, 10, 8, 6, 4)}

    bits: int = parameter(unit="bits", kind=int, low=2, high=16)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Round to the nearest code, clips the code and scale back."""
        del sample_rate, rngs
        half = np.float32(2 ** (self.bits - 1))
        # The clip to [-1, 1] comes first so that the multiplication cannot overflow.
        codes = np.clip(batch, -1, 1) * half
        np.rint(codes, out=codes)
        np.minimum(codes, half - 1, out=codes)
        codes /= half
        return Attacked(codes)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """`off_grid_percent` of the samples are no code; `error_steps` is the largest error that is not clipping."""
        del sample_rate
        half = 2.0 ** (self.bits - 1)
        was, now = half * before.astype(np.float64), half * after.astype(np.float64)
        inside = (was >= -half) & (was <= half - 1)
        return {
            "off_grid_percent": 100 * np.mean(now != np.rint(now), axis=1),
            "error_steps": _largest(np.abs(now - was), inside),
        }

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Every sample is a code, the nearest one."""
        del sample_rate
        return (Claim("off_grid_percent", 0, 0, every=True), Claim("error_steps", 0, 0.5, every=True))

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips that consist of codes already."""
        del sample_rate
        half = 2.0 ** (self.bits - 1)
        codes = half * before.astype(np.float64)
        return np.asarray(
            ((codes == np.rint(codes)) & (codes >= -half) & (codes <= half - 1)).all(axis=1), dtype=np.bool_
        )


@dataclass(frozen=True, kw_only=True)
class DitheredQuantise(Attack):
    """Rounds samples to integer PCM of the given number of bits, with triangular (TPDF) dither.

    Before the quantiser of `Quantise` the sum of two independent uniform variables, each a step wide, is added and not
    taken away again. Then neither the mean nor the variance of the total error depends on the signal: its RMS is half a
    step, and what lies below one step is kept as a tone in noise rather than lost (Lipshitz, Wannamaker and Vanderkooy
    1992, "Quantization and dither: a theoretical survey", J. Audio Eng. Soc. 40). Silence becomes noise of one step.
    Audio beyond [-1, 1 - step] is clipped.
    """

    name: ClassVar[str] = "dithered_quantise"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bits": (16, 14, 12, 10, 8, 6, 4)}
    is_random: ClassVar[bool] = True

    bits: int = parameter(unit="bits", kind=int, low=2, high=16)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Add the dither, rounds to the nearest code, clips the code and scale back."""
        del sample_rate
        half = 2.0 ** (self.bits - 1)
        uniform = rng.random((2, clip.size))
        codes = np.clip(clip, -1, 1) * half
        codes += uniform[0]
        codes -= uniform[1]
        np.rint(codes, out=codes)
        np.clip(codes, -half, half - 1, out=codes)
        codes /= half
        return codes.astype(np.float32)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """`off_grid_percent` of the samples are no code; `error_steps` and `error_rms_steps` of those not clipped."""
        del sample_rate
        half = 2.0 ** (self.bits - 1)
        was, now = half * before.astype(np.float64), half * after.astype(np.float64)
        inside = np.abs(was) <= half - 2  # clipped with no dither at all
        error = np.abs(now - was)
        count = inside.sum(axis=1)
        energy = np.where(inside, error**2, 0).sum(axis=1)
        return {
            "off_grid_percent": 100 * np.mean(now != np.rint(now), axis=1),
            "error_steps": _largest(error, inside),
            "error_rms_steps": np.where(count < _FEWEST_SAMPLES, np.nan, np.sqrt(energy / np.maximum(count, 1))),
        }

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Every sample is a code, with the error of triangular dither: half a step, at most one and a half."""
        del sample_rate
        return (
            Claim("off_grid_percent", 0, 0, every=True),
            Claim("error_steps", 0, 1.5, every=True),
            Claim.about("error_rms_steps", 0.5, 0.02),
        )


@dataclass(frozen=True, kw_only=True)
class QuantiseLevels(Attack):
    """Rounds samples to a number of equally spaced levels between the clip's own minimum and maximum.

    Level k of N is min + k (max - min) / (N - 1), as in AudioMarkBench (Liu et al. 2024, arXiv 2406.06979). Unlike
    `quantise`, the step follows the level of the clip, so that a quiet clip suffers as much as a loud one, and zero
    need not be a level, so that pauses may get an offset. A clip of constant value stays as it is.
    """

    name: ClassVar[str] = "quantise_levels"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "noise"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"levels": (64, 32, 16, 8, 4)}

    levels: int = parameter(unit="levels", kind=int, low=2, high=65_536)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Round to the nearest level."""
        del sample_rate, rng
        low, step = self._grid(clip)
        audio = clip - low
        audio /= step
        np.rint(audio, out=audio)
        audio *= step
        audio += low
        return audio.astype(np.float32)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """`distinct_levels` came out; `error_steps` is the largest error."""
        del sample_rate
        _, step = self._grid(before)
        ascending = np.sort(after, axis=1)
        return {
            "distinct_levels": 1.0 + np.count_nonzero(np.diff(ascending, axis=1), axis=1),
            "error_steps": np.max(np.abs(after - before.astype(np.float64)) / step, axis=1),
        }

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """No more than the stated levels come out, each the nearest but for the rounding of float32."""
        del sample_rate
        return (Claim("distinct_levels", 1, self.levels, every=True), Claim("error_steps", 0, 0.51, every=True))

    def _grid(self, audio: Audio) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest level and step, (..., 1) each; where a clip is constant the step is 1, which leaves it alone."""
        low = audio.min(axis=-1, keepdims=True).astype(np.float64)
        span = audio.max(axis=-1, keepdims=True) - low
        return low, np.where(span > 0, span / (self.levels - 1), 1.0)

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips that hold no more than the stated levels already."""
        del sample_rate
        ascending = np.sort(before, axis=1)
        return np.asarray(np.count_nonzero(np.diff(ascending, axis=1), axis=1) < self.levels, dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class G711(Attack):
    """One of the two companding laws of ITU-T G.711 (1988): 8 bits a sample, finer steps for softer samples.

    A magnitude in units of 1/`full_scale` falls into one of 128 intervals: eight segments of sixteen, the step doubling
    from segment to segment. Tables 1 and 2 of the recommendation are kept to the letter: decision values, not the
    midpoints between outputs, which differ where two segments meet. Audio beyond the largest interval is clipped.

    Attributes:
        full_scale: Integer units in 1.0; all decision values are whole numbers of them.
    """

    family: ClassVar[str] = "noise"
    silences: ClassVar[bool] = True
    full_scale: ClassVar[int]

    @classmethod
    @abstractmethod
    def intervals(cls) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Lower decision values and outputs of the 128 intervals, in units of 1/`full_scale`."""

    @classmethod
    @abstractmethod
    def step(cls, magnitude: NDArray[np.float64]) -> NDArray[np.float64]:
        """Width of the interval into which a magnitude falls, by formula, both in units of 1/`full_scale`."""

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Look the output of every sample up."""
        del sample_rate, rng
        return self._companded(clip)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """`off_grid_percent` of the samples are no output of G.711; `error_steps` is the largest error not clipped."""
        del sample_rate
        was = np.abs(before.astype(np.float64)) * self.full_scale
        error = np.abs(after - before.astype(np.float64)) * self.full_scale
        outputs = self.intervals()[1]
        # Every output stands for itself, so a second pass must change nothing.
        return {
            "off_grid_percent": 100 * np.mean(self._companded(after) != after, axis=1),
            "error_steps": _largest(error / self.step(was), was <= outputs[-1]),
        }

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Every sample is an output of the law, that of its own interval."""
        del sample_rate
        return (Claim("off_grid_percent", 0, 0, every=True), Claim("error_steps", 0, 0.5, every=True))

    def _companded(self, audio: Audio) -> Audio:
        units = np.abs(audio)
        np.minimum(units, 1, out=units)
        units *= self.full_scale
        magnitudes = _lookup(type(self)).take(units.astype(np.intp), mode="clip")  # the mode without a second check
        return np.asarray(np.copysign(magnitudes, audio, out=magnitudes))

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips that consist of outputs of the law already."""
        del sample_rate
        outputs = (self.intervals()[1] / self.full_scale).astype(np.float32)
        return np.asarray(np.isin(np.abs(before), outputs).all(axis=1), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class MuLaw(G711):
    """Sends the clip through the mu-law of telephony (ITU-T G.711, North America and Japan): 8 bits a sample.

    Full scale is 8192; the largest output is 8031, 0.980. Zero is an output.
    """

    name: ClassVar[str] = "mu_law"
    full_scale: ClassVar[int] = 8192

    @classmethod
    def intervals(cls) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Interval k of segment s starts at (32 + 2k) 2^s - 33 and gives (33 + 2k) 2^s - 33."""
        segment, k = np.divmod(np.arange(128), 16)
        scale = 2**segment
        return np.maximum((32 + 2 * k) * scale - 33, 0), (33 + 2 * k) * scale - 33

    @classmethod
    def step(cls, magnitude: NDArray[np.float64]) -> NDArray[np.float64]:
        """2 up to a magnitude of 31, doubled at 31, 95, 223, ..."""
        return np.asarray(np.exp2(np.floor(np.log2(magnitude + 33)) - 4))


@dataclass(frozen=True, kw_only=True)
class ALaw(G711):
    """Sends the clip through the A-law of telephony (ITU-T G.711, Europe and international lines): 8 bits a sample.

    Full scale is 4096; the largest output is 4032, 0.984. Zero is no output: silence becomes the lowest positive one,
    1/4096, as in every A-law channel.
    """

    name: ClassVar[str] = "a_law"
    full_scale: ClassVar[int] = 4096

    @classmethod
    def intervals(cls) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Interval k starts at 2k in segment 0, at (16 + k) 2^s in segment s, and gives its midpoint."""
        segment, k = np.divmod(np.arange(128), 16)
        start = np.where(segment == 0, 2 * k, (16 + k) * 2**segment)
        return start, start + 2 ** np.maximum(segment - 1, 0)

    @classmethod
    def step(cls, magnitude: NDArray[np.float64]) -> NDArray[np.float64]:
        """2 up to a magnitude of 64, doubled at 64, 128, 256, ..."""
        return np.asarray(np.exp2(np.floor(np.log2(np.maximum(magnitude, 32))) - 4))


@lru_cache(maxsize=2)
def _lookup(law: type[G711]) -> Audio:
    """Output for every whole number of units from 0 to full scale; decision values are whole, so no more is needed."""
    starts, outputs = law.intervals()
    interval = np.searchsorted(starts, np.arange(law.full_scale + 1), side="right") - 1
    table: Audio = (outputs[interval] / law.full_scale).astype(np.float32)
    table.flags.writeable = False
    return table


def _largest(values: NDArray[np.float64], where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Largest value of each row among those selected, NaN where none is."""
    largest = np.max(values, axis=1, initial=-np.inf, where=where)
    return np.where(where.any(axis=1), largest, np.nan)
