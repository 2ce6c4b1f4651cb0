"""Smoothing: every sample is replaced by what its neighbours say, and nothing is delayed.

At the ends the first and the last sample are repeated.

Beyond its first zero, near fs / w, the response of a window of w samples changes sign, and a noise-like clip comes out
with a correlation as flat as the window is wide: the lag of the highest correlation then says little of a delay. The
linear smoothers measure it as the slope of the phase below half that frequency instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, AttackError, Audio, Claim, parameter
from sealproof.attacks.filtering.zero_phase import phase_delay, response_error_db


@dataclass(frozen=True, kw_only=True)
class Smooth(Attack):
    """Replaces each sample by the mean of a number of samples around it.

    A moving average over w samples, with the response sin(pi f w / fs) / (w sin(pi f / fs)), whose zeros lie at the
    multiples of fs / w: a wider window need not do more damage. An odd window is centred. An even one has one sample
    more before than after, so that the clip comes half a sample late; smoothing by convolution, as it is usually done,
    delays it by half the window.
    """

    name: ClassVar[str] = "smooth"
    family: ClassVar[str] = "smoothing"
    sweep: ClassVar[Mapping[str, tuple[int, ...]]] = {"window_samples": (2, 4, 6, 8, 10, 14, 18, 22, 40)}
    is_ordered: ClassVar[bool] = False

    window_samples: int = parameter(unit="samples", kind=int, low=2, high=1000)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Average."""
        from scipy import ndimage

        del sample_rate, rng
        mean = ndimage.uniform_filter1d(clip.astype(np.float64), self.window_samples, mode="nearest")
        return np.asarray(mean, dtype=np.float32)

    def response(self, frequencies: NDArray[np.float64], sample_rate: int) -> NDArray[np.complex128]:
        """Complex response at frequencies in Hz."""
        angle = np.pi * frequencies / sample_rate
        # numpy's sinc is that of pi times its argument.
        mean = np.sinc(self.window_samples * angle / np.pi) / np.sinc(angle / np.pi)
        return np.asarray(mean * np.exp(-2j * angle * self._delay))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The response, magnitude and phase, and the delay."""
        del sample_rate
        return Claim("response_error_db", high=-20), Claim.about("delay_samples", self._delay, 0.1)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Compare magnitude and phase with the formula, octave by octave, and fit a line through the phase."""
        error = response_error_db(before, after, sample_rate, lambda hz: self.response(hz, sample_rate))
        return {"response_error_db": error, "delay_samples": _delays(before, after, self.window_samples)}

    @property
    def _delay(self) -> float:
        return 0.0 if self.window_samples % 2 else 0.5


@dataclass(frozen=True, kw_only=True)
class SavitzkyGolay(Attack):
    """Replaces each sample by the value there of a cubic fitted to the samples around it.

    The filter of A. Savitzky and M. Golay (Analytical Chemistry 36, 1964): a least-squares fit of a polynomial of
    degree 3 in a centred window. It keeps peaks that a moving average of the same width would flatten, and has
    zeros as well, so a wider window need not do more damage.
    """

    name: ClassVar[str] = "savitzky_golay"
    family: ClassVar[str] = "smoothing"
    sweep: ClassVar[Mapping[str, tuple[int, ...]]] = {"window_samples": (5, 9, 15, 25)}
    is_ordered: ClassVar[bool] = False

    window_samples: int = parameter(unit="samples", kind=int, low=5, high=999)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_odd(self, self.window_samples)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Correlate the clip with the weights of the fit."""
        from scipy import ndimage

        del sample_rate, rng
        fitted = ndimage.correlate1d(clip.astype(np.float64), _cubic_weights(self.window_samples), mode="nearest")
        return np.asarray(fitted, dtype=np.float32)

    def response(self, frequencies: NDArray[np.float64], sample_rate: int) -> NDArray[np.complex128]:
        """Response at frequencies in Hz; real, for the weights are symmetric."""
        half = self.window_samples // 2
        angles = 2 * np.pi * np.outer(frequencies, np.arange(-half, half + 1)) / sample_rate
        return np.asarray(np.cos(angles) @ _cubic_weights(self.window_samples), dtype=np.complex128)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The response, magnitude and phase, and no delay."""
        del sample_rate
        return Claim("response_error_db", high=-20), Claim.about("delay_samples", 0, 0.1)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Compare magnitude and phase with those of the weights, octave by octave, and fit a line to the phase."""
        error = response_error_db(before, after, sample_rate, lambda hz: self.response(hz, sample_rate))
        return {"response_error_db": error, "delay_samples": _delays(before, after, self.window_samples)}


@dataclass(frozen=True, kw_only=True)
class MedianFilter(Attack):
    """Replaces each sample by the median of a number of samples around it.

    The window is centred and odd, so that each output is one of the samples (J. Tukey's running median).
    """

    name: ClassVar[str] = "median_filter"
    family: ClassVar[str] = "smoothing"
    sweep: ClassVar[Mapping[str, tuple[int, ...]]] = {"window_samples": (3, 5, 7, 9)}

    window_samples: int = parameter(unit="samples", kind=int, low=3, high=99)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_odd(self, self.window_samples)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Take medians."""
        from scipy import ndimage

        del sample_rate, rng
        return np.asarray(ndimage.median_filter(clip, self.window_samples, mode="nearest"), dtype=np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Every sample is the median of the window around its own place, which leaves no room for a delay."""
        del sample_rate
        medians = Claim("median_percent", 100, 100, every=True)
        return medians, Claim.about("delay_samples", 0, self.window_samples // 2)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Count the samples with half of their window at or below them, half at or above, and one equal to them."""
        del sample_rate
        window, inner = self.window_samples, before.shape[1] - self.window_samples + 1
        share = np.full(len(before), np.nan)
        if inner > 0:
            for index, (x, y) in enumerate(zip(before, after, strict=True)):
                middle = y[window // 2 : window // 2 + inner]
                below, above = np.zeros(inner, np.int16), np.zeros(inner, np.int16)
                for shift in range(window):
                    below += x[shift : shift + inner] <= middle
                    above += x[shift : shift + inner] >= middle
                # Together more than the window: at least one sample is both.
                medians = (below > window // 2) & (above > window // 2) & (below + above > window)
                share[index] = 100 * np.mean(medians)
        return {"median_percent": share}


def _delays(before: Audio, after: Audio, window_samples: int) -> NDArray[np.float64]:
    return np.array([phase_delay(x, y, 0.5 / window_samples) for x, y in zip(before, after, strict=True)], dtype=float)


def _check_odd(attack: Attack, window_samples: int) -> None:
    if window_samples % 2 == 0:
        raise AttackError(
            f"The 'window_samples' of {attack.name} must be odd, so that the window has a centre. Got {window_samples}."
        )


@lru_cache(maxsize=64)
def _cubic_weights(window_samples: int) -> NDArray[np.float64]:
    """Weights of the samples -m to m in the value at 0 of the cubic that fits them best.

    The closed form for degrees 2 and 3: 3 (3 m^2 + 3 m - 1 - 5 i^2) / ((2 m - 1) (2 m + 1) (2 m + 3)).
    """
    m = window_samples // 2
    i = np.arange(-m, m + 1)
    return 3 * (3 * m**2 + 3 * m - 1 - 5 * i**2) / ((2 * m - 1) * (2 * m + 1) * (2 * m + 3))
