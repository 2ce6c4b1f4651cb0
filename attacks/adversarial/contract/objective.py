"""How near to its goal a clip is, read off a detector's answers: the higher the nearer."""

import math

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.adversarial.contract.oracle import Floats

_SOFTEST = 1e-7
"""Probabilities nearer to 0 or 1 are saturated: single precision tells them apart no more."""


def nearness_of_frames(frames: NDArray[np.float32], threshold: float, sign: float) -> Floats:
    """Return the mean of those frames' log odds that must turn, saturating where they are sure already.

    The score is taken to be the share of frames above one half, as AudioSeal's is: for forgery more than `threshold` of
    the frames must be flagged, so the highest of them count; for removal no more, so the lowest of the others do. A
    frame that is sure says little of where to go, so odds count less the larger they are.

    Args:
        frames: (m, t) probabilities.
        threshold: Of the score.
        sign: -1 for removal, +1 for forgery.
    """
    odds = np.clip(frames.astype(np.float64), _SOFTEST, 1 - _SOFTEST)
    towards = np.sort(sign * np.log(odds / (1 - odds)), axis=1)
    t = towards.shape[1]
    allowed = min(math.floor(max(threshold, 0.0) * t), t - 1)
    needed = allowed + 1 if sign > 0 else t - allowed
    chosen = towards[:, t - needed :]
    return np.asarray((chosen / (1 + np.abs(chosen))).mean(axis=1))
