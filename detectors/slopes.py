"""Gradients: how a detector's decision hangs on each sample, for those detectors that can say."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio, Detector, DetectorError


@dataclass(frozen=True)
class Slope:
    """What a detector says of a batch, and which way it would say more.

    Attributes:
        score: (n,) float32, as `detect` gives it, but for the last digits.
        value: (n,) float64: a smooth quantity from before any saturation; the higher the nearer to being flagged.
        gradient: (n, samples) float32: of `value` by the samples.
    """

    score: NDArray[np.float32]
    value: NDArray[np.float64]
    gradient: Audio

    def __post_init__(self) -> None:
        for name, field in (("value", self.value), ("gradient", self.gradient)):
            if not np.isfinite(field).all():
                raise DetectorError(f"The '{name}' of a Slope must be finite. Got NaN or infinity.")


SlopeFunction = Callable[[Audio, float, bool], Slope]
"""Of a batch, a threshold of the score, and whether clips shall be flagged (True) or not be flagged (False)."""


class Differentiable(Protocol):
    """A detector that gives gradients."""

    def slope(self, batch: Audio, threshold: float, is_to_flag: bool) -> Slope:
        """Return values and their gradients.

        Args:
            batch: (n, samples) float32.
            threshold: Of the score: the decision that shall turn.
            is_to_flag: Which way. A score that counts parts of a clip needs other parts to turn one way than the other.
        """
        ...


def slope_of(detector: Detector) -> SlopeFunction | None:
    """Return a detector's gradients, or None where it gives none: there is no white box of it."""
    slope: SlopeFunction | None = getattr(detector, "slope", None)
    return slope


def required_frames(n_frames: int, threshold: float, is_to_flag: bool) -> int:
    """Return how many frames must turn for the share of flagged ones to cross a threshold, from the worst case.

    To be flagged, more than `threshold` of them must be; not to be, no more may.
    """
    allowed = min(int(np.floor(max(threshold, 0.0) * n_frames)), n_frames - 1)
    return allowed + 1 if is_to_flag else n_frames - allowed
