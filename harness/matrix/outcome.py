"""What a cell came to: what was measured on the attacked audio, what each detector said, or why it failed."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.matrix.cell import Cell

MEASURED, STORED, FAILED = "measured", "from the store", "failed"
"""Where a cell's numbers come from, as messages say it."""


@dataclass(frozen=True)
class Measured:
    """What was measured on the attacked audio itself; arrays are (labels, clips).

    Attributes:
        quality: By metric, how far the attacked clips are from the clips before; NaN where a metric is not defined: the
            attack moves the audio in time, say, or the clip is not among the few that a slow metric is measured of.
        is_noop: The attack returned the clip bit for bit.
        verification: The attack's claims and what was measured, as JSON; see `tables.attacks`.
        attack_s: Seconds the attack took, for all clips.
    """

    quality: dict[str, NDArray[np.float64]]
    is_noop: NDArray[np.bool_]
    verification: str
    attack_s: float


@dataclass(frozen=True)
class Scores:
    """What one detector said in one cell; arrays are (labels, clips).

    Attributes:
        score: Higher is surer.
        bits: (labels, clips, bits) decoded messages; no bits where the scheme has none.
        threshold: The detector's fixed threshold.
        detect_s: Seconds the detector took, for all clips.
        mean_probability: Mean of the probabilities that the detector gives the frames of a clip, in [0, 1]; of shape
            (labels, 0) where its frames are none.
        frame_iou: How well the frames that it takes for watermarked fit the part of the clip that is, in [0, 1]; NaN
            where the whole clip is, or none of it.
    """

    score: NDArray[np.float32]
    bits: NDArray[np.uint8]
    threshold: float
    detect_s: float
    mean_probability: NDArray[np.float32]
    frame_iou: NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What a cell came to.

    Attributes:
        cell: The cell.
        error: Why it failed; None when it did not.
        measured: What was measured on the attacked audio; None when it failed.
        scores: By detector; empty when it failed.
        was_finished: All of it was in the store; nothing was computed for it.
    """

    cell: Cell
    error: str | None
    measured: Measured | None
    scores: dict[str, Scores]
    was_finished: bool = False

    @property
    def source(self) -> str:
        """Where its numbers come from: `STORED` or `MEASURED`; or `FAILED`."""
        return FAILED if self.error is not None else STORED if self.was_finished else MEASURED


def sources_text(sources: Iterable[str]) -> str:
    """Write how many cells were measured now: `28 cells: 3 measured, 25 from the store`."""
    counts = Counter(sources)
    parts = [
        f"{counts[source]} {source}" for source in (MEASURED, STORED, FAILED) if counts[source] or source != FAILED
    ]
    return f"{counts.total()} cell{'s' * (counts.total() != 1)}: {', '.join(parts)}"
