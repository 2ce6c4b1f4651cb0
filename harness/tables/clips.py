"""clips.csv: one row per clip, attack and detector, written cell by cell so that no run is too large for memory."""

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.datasets.dataset import messages
from sealproof.harness.foundation.text import csv_fields, filled
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.outcome import Outcome, Scores
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.statistics.message import bit_accuracy_per_clip
from sealproof.harness.statistics.thresholds import decide
from sealproof.harness.tables.dictionary.columns import COLUMNS
from sealproof.harness.tables.rules import CALIBRATED, FIXED, Thresholds

CLIP_COLUMNS = tuple(COLUMNS["clips.csv"])

_YES_NO = np.array(["0", "1"])


def write_clips(
    file: BinaryIO, bench: Bench, outcomes: Sequence[Outcome], thresholds: Mapping[str, Thresholds]
) -> None:
    """Write the rows of all cells that did not fail.

    Lines are put together as text: what cells have in common is written out once, and a csv writer or a data frame of a
    million rows takes many times as long.

    Args:
        file: Where to.
        bench: What the cells were run with.
        outcomes: The cells' outcomes.
        thresholds: By detector.
    """
    file.write(csv_fields(CLIP_COLUMNS).encode() + b"\n")
    sent = messages([pair.watermarked for pair in bench.pairs])
    clips = [csv_fields((pair.clip_id, pair.group)) for pair in bench.pairs]
    for outcome in outcomes:
        if outcome.measured is None:
            continue
        attack = outcome.cell.attack
        start = csv_fields((bench.dataset.name, outcome.cell.scheme, attack.name, filled(attack.params_text)))
        heads = [f"{start},{clip},{label}" for label in outcome.cell.labels for clip in clips]
        snr = _texts(outcome.measured.quality["snr_db"], 2)
        for subject in bench.subjects:
            scores = outcome.scores[subject.name]
            columns = _columns(subject, scores, thresholds[subject.name], sent)
            rows = map(",".join, zip(heads, *columns, snr, strict=True))
            file.write("\n".join([*rows, ""]).encode())


def _columns(subject: Subject, scores: Scores, thresholds: Thresholds, sent: NDArray[np.uint8]) -> list[Sequence[str]]:
    flat = scores.score.ravel()
    at = thresholds.by_rule()
    decisions = [
        _YES_NO[decide(flat, at[rule]).astype(int)].tolist() if rule in at else [""] * flat.size
        for rule in (FIXED, CALIBRATED)
    ]
    return [
        list(repeat(csv_fields((subject.name,)), flat.size)),
        [f"{score:.9g}" for score in flat.tolist()],
        *decisions,
        _texts(_bit_accuracies(scores, sent), 4),
        _texts(scores.mean_probability, 6) if scores.mean_probability.size else [""] * flat.size,
        _texts(scores.frame_iou, 4),
    ]


def _bit_accuracies(scores: Scores, sent: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return each clip's share of right bits; NaN for clean clips, where no message was sent."""
    accuracy = np.full(scores.score.shape, np.nan)
    if scores.bits.shape[-1]:
        accuracy[1] = bit_accuracy_per_clip(scores.bits[1], sent)
    return accuracy


def _texts(values: NDArray[np.floating], decimals: int) -> list[str]:
    """Write numbers with fixed decimals; missing ones are empty, and the SNR of an unchanged clip is `inf`."""
    # NaN is the one number that is not itself.
    return [f"{value:z.{decimals}f}" if value == value else "" for value in values.ravel().tolist()]
