"""The files of a run: summary.csv, summary.md, summary.png, attacks.csv, clips.csv and run.json."""

import csv
import io
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sealproof.harness import picture, summary, text_table, verify
from sealproof.harness.dataset import messages
from sealproof.harness.errors import HarnessError
from sealproof.harness.files import read_json, sha256_file, sha256_json, write_json, write_text
from sealproof.harness.matrix import Subject, params_text
from sealproof.harness.metrics import bit_accuracy_per_clip
from sealproof.harness.picture import write_picture
from sealproof.harness.run import Bench, Outcome
from sealproof.harness.store import Scores
from sealproof.harness.summary import (
    SUMMARY_COLUMNS,
    Summariser,
    SummaryRow,
    Thresholds,
    as_record,
    calibrate,
)
from sealproof.harness.text_table import markdown_table, thin_calibration_note
from sealproof.harness.verify import Checked
from sealproof.harness.versions import package_versions

if TYPE_CHECKING:
    import pandas as pd

CLIPS, SUMMARY, MARKDOWN, PICTURE, RUN = "clips.csv", "summary.csv", "summary.md", "summary.png", "run.json"
ATTACKS = "attacks.csv"

CLIP_COLUMNS = (
    "dataset", "scheme", "attack", "params", "clip_id", "group", "label", "detector", "score", "decision_fixed",
    "decision_fpr_1pct", "bit_accuracy", "snr_db",
)  # fmt: skip


@dataclass(frozen=True)
class Tables:
    """What a run wrote.

    Attributes:
        rows: The rows of summary.csv.
        files: The files, the most read first.
    """

    rows: list[SummaryRow]
    files: list[Path]


def write_tables(bench: Bench, outcomes: Sequence[Outcome], seed: int, out: Path) -> Tables:
    """Write all tables of a run; files that already say the same are left alone.

    Args:
        bench: What the cells were run with.
        outcomes: The cells' outcomes, failed ones among them.
        seed: The run's seed.
        out: The folder to write to.

    Raises:
        HarnessError: The calibration clips could not be scored, so there are no thresholds.
        OSError: The folder cannot be written or the disk is full; tables that stood there stay as they were.
    """
    thresholds = thresholds_of(bench, seed)
    summariser = summariser_of(bench, seed)
    rows = [row for outcome in outcomes for row in summariser.rows(outcome)]
    files = [out / name for name in (SUMMARY, MARKDOWN, PICTURE, ATTACKS, CLIPS, RUN)]
    content = _content_sha256(rows, outcomes, bench.subjects)
    if not _already_there(out, content):
        write_text(out / SUMMARY, _summary_csv(rows))
        write_text(out / MARKDOWN, "\n".join(filter(None, [markdown_table(rows), thin_calibration_note(thresholds)])))
        write_picture(rows, f"{bench.dataset.name}: {bench.dataset.scheme} and its mimics under attack", out / PICTURE)
        write_text(out / ATTACKS, verify.as_csv([checked(outcome) for outcome in outcomes]))
        write_text(out / CLIPS, _clips_csv(bench, outcomes, thresholds))
        # Last: its hashes say that the others are whole.
        write_json(out / RUN, _run_facts(bench, outcomes, thresholds, seed, content, files[:-1]))
    return Tables(rows, files)


def thresholds_of(bench: Bench, seed: int) -> dict[str, Thresholds]:
    """Return every detector's thresholds; the calibration clips are scored when they are not yet.

    Raises:
        HarnessError: They could not be scored, so there are no thresholds.
    """
    calibration = bench.run(bench.calibration_cell(seed))
    if calibration.error is not None:
        msg = f"The calibration clips must be scored before there are thresholds. {calibration.error}"
        raise HarnessError(msg)
    return calibrate(calibration)


def summariser_of(bench: Bench, seed: int) -> Summariser:
    """Return what turns a bench's outcomes into rows."""
    return Summariser(bench.dataset, bench.pairs, bench.subjects, thresholds_of(bench, seed))


def _content_sha256(rows: Sequence[SummaryRow], outcomes: Sequence[Outcome], subjects: Sequence[Subject]) -> str:
    keys = [(outcome.cell.key, [subject.key(outcome.cell) for subject in subjects]) for outcome in outcomes]
    # How the numbers are shown counts too: a new version of these files shows them anew.
    code = [sha256_file(Path(str(module.__file__))) for module in (summary, text_table, picture, verify)]
    return sha256_json([keys, [as_record(row) for row in rows], sha256_file(Path(__file__)), code])


def _already_there(out: Path, content: str) -> bool:
    try:
        facts = read_json(out / RUN)
        is_same, files = facts["content_sha256"] == content, facts["files"].items()
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        # Not there, or damaged: to be written anew.
        return False
    return is_same and all((out / name).is_file() and sha256_file(out / name) == sha256 for name, sha256 in files)


def _summary_csv(rows: Sequence[SummaryRow]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, SUMMARY_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(as_record(row) for row in rows)
    return text.getvalue()


def checked(outcome: Outcome) -> Checked:
    """Return what the verification of a cell's attack came to."""
    if outcome.measured is None:
        return Checked(outcome.cell.attack, None, outcome.error)
    return Checked(outcome.cell.attack, json.loads(outcome.measured.verification), None)


def _clips_csv(bench: Bench, outcomes: Sequence[Outcome], thresholds: Mapping[str, Thresholds]) -> str:
    import pandas as pd

    frames = [
        _clip_frame(bench, outcome, subject, thresholds[subject.name])
        for outcome in outcomes
        if outcome.error is None
        for subject in bench.subjects
    ]
    table = pd.concat(frames) if frames else pd.DataFrame(columns=list(CLIP_COLUMNS))
    return str(table.to_csv(index=False, columns=list(CLIP_COLUMNS), lineterminator="\n"))


def _clip_frame(bench: Bench, outcome: Outcome, subject: Subject, thresholds: Thresholds) -> "pd.DataFrame":
    import pandas as pd

    scores, measured = outcome.scores[subject.name], outcome.measured
    assert measured is not None  # noqa: S101 - the cell did not fail
    flat = scores.score.ravel()
    labels = outcome.cell.labels
    columns = {
        "clip_id": [pair.clip_id for pair in bench.pairs] * len(labels),
        "group": [pair.group for pair in bench.pairs] * len(labels),
        "label": np.repeat(labels, len(bench.pairs)),
        "score": [f"{score:.6g}" for score in flat.tolist()],
        "decision_fixed": (flat > thresholds.fixed).astype(int),
        "decision_fpr_1pct": (flat > thresholds.calibrated).astype(int),
        "bit_accuracy": _texts(_bit_accuracies(bench, scores), 4),
        "snr_db": _texts(measured.snr_db.ravel(), 2),
    }
    names = {
        "dataset": bench.dataset.name,
        "scheme": outcome.cell.scheme,
        "attack": outcome.cell.attack.name,
        "params": params_text(outcome.cell.attack.params),
        "detector": subject.name,
    }
    return pd.DataFrame(columns).assign(**names)


def _bit_accuracies(bench: Bench, scores: Scores) -> NDArray[np.float64]:
    """Return each clip's share of right bits; NaN for clean clips, where no message was sent."""
    found = np.full(scores.score.shape, np.nan)
    if scores.bits.shape[-1]:
        found[1] = bit_accuracy_per_clip(scores.bits[1], messages([pair.watermarked for pair in bench.pairs]))
    return found.ravel()


def _texts(values: NDArray[np.float64], decimals: int) -> list[str]:
    """Write numbers with fixed decimals; missing ones are empty, and the SNR of an unchanged clip is `inf`."""
    return ["" if np.isnan(value) else f"{value:.{decimals}f}" for value in values]


def _run_facts(
    bench: Bench,
    outcomes: Sequence[Outcome],
    thresholds: Mapping[str, Thresholds],
    seed: int,
    content: str,
    files: Sequence[Path],
) -> dict[str, object]:
    return {
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": seed,
        "dataset": bench.dataset.name,
        "dataset_sha256": bench.dataset.sha256,
        "dataset_seed": bench.dataset.facts["seed"],
        "corpus": bench.dataset.facts["corpus"],
        "scheme": bench.dataset.scheme,
        "n_test_pairs": len(bench.pairs),
        "n_test_groups": len({pair.group for pair in bench.pairs}),
        "detectors": {
            subject.name: {
                "role": subject.role,
                "version": subject.version,
                "threshold_fixed": thresholds[subject.name].fixed,
                "threshold_fpr_1pct": thresholds[subject.name].calibrated,
                "calibration_clean_clips": thresholds[subject.name].n_negatives,
                "fpr_support": thresholds[subject.name].fpr_support,
            }
            for subject in bench.subjects
        },
        "cells": list(_cell_facts(outcomes)),
        "packages": package_versions(),
        "machine": {"platform": platform.platform(), "processor": platform.machine(), "cores": os.cpu_count()},
        "content_sha256": content,
        "files": {path.name: sha256_file(path) for path in files},
    }


def _cell_facts(outcomes: Sequence[Outcome]) -> Iterator[dict[str, object]]:
    for outcome in outcomes:
        facts: dict[str, object] = {"id": outcome.cell.id, "key": outcome.cell.key}
        if outcome.measured is None:
            yield {**facts, "status": "failed", "error": outcome.error}
            continue
        detect_s = {name: round(scores.detect_s, 3) for name, scores in outcome.scores.items()}
        yield {**facts, "status": "ok", "attack_s": round(outcome.measured.attack_s, 3), "detect_s": detect_s}
