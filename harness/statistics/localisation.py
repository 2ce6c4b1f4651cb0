"""How well a detector tells *where* a clip is watermarked: the overlap of marked and flagged frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_mean, only_defined
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.estimation.vectors import Floats, ratio

__all__ = ["estimate_frame_iou", "frame_iou"]


def frame_iou(predicted: ArrayLike, truth: ArrayLike) -> Floats:
    """Overlap of flagged and marked frames of each clip: both / either (the intersection over union, or Jaccard index).

    Range [0, 1], higher is better: 1 where exactly the marked frames are flagged, 0 where none of them is. It is blind
    to frames that are neither, so a short mark counts as much as a long one. NaN, "not defined", where no frame is
    marked and none is flagged. (Jaccard 1912, New Phytologist 11; for watermarks: San Roman et al. 2024, Proactive
    Detection of Voice Cloning with Localized Watermarking, ICML.)

    Args:
        predicted: `(n, t)` booleans, frames that the detector flags.
        truth: `(n, t)` booleans, frames that are marked.

    Returns:
        `(n,)` shares.

    Raises:
        ValueError: If these are not booleans of one shape.
    """
    flagged, marked = np.asarray(predicted), np.asarray(truth)
    for name, frames in (("predicted", flagged), ("truth", marked)):
        if frames.dtype != np.bool_ or frames.ndim != 2:
            raise ValueError(
                f"{name!r} of frame_iou must be (clips, frames) booleans. Got {frames.dtype} of shape {frames.shape}; "
                f"compare frame scores with a threshold first."
            )
    if flagged.shape != marked.shape:
        raise ValueError(f"'predicted' and 'truth' must have one shape. Got {flagged.shape} and {marked.shape}.")
    return ratio(np.count_nonzero(flagged & marked, axis=1), np.count_nonzero(flagged | marked, axis=1))


def estimate_frame_iou(ious: ArrayLike, resamples: Resamples) -> Estimate:
    """Mean overlap over the clips where it is defined, with the cluster bootstrap's interval, which is never a point.

    Clips where it is not (NaN) are left out and not counted in `n_clips`.

    Args:
        ious: `(n,)` overlaps from `frame_iou`; NaN is allowed.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    return estimate_mean(*only_defined(ious, resamples), bounds=(0.0, 1.0))
