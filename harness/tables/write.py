"""The files of a run: the tables that `columns.FILES` lists, and run.json."""

import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sealproof.harness.foundation.code.files import packages_sha256
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import (
    read_json,
    sha256_file,
    sha256_json,
    write_atomically,
    write_json,
    write_text,
)
from sealproof.harness.foundation.text import csv_text
from sealproof.harness.foundation.versions import package_versions
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.outcome import Outcome
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.tables.attacks import Checked, attacks_csv
from sealproof.harness.tables.break_points import break_point_rows, break_points_csv
from sealproof.harness.tables.clips import write_clips
from sealproof.harness.tables.dictionary.columns import ATTACKS, BREAK_POINTS, CLIPS, MARKDOWN, PICTURE, RUN, SUMMARY
from sealproof.harness.tables.picture import write_picture
from sealproof.harness.tables.rules import CALIBRATED, CALIBRATED_STRICT, FIXED, TARGET_FPRS, Thresholds, calibrate
from sealproof.harness.tables.summary import SUMMARY_COLUMNS, Summariser, SummaryRow, as_record
from sealproof.harness.tables.summary_parallel import rows_of_cells
from sealproof.harness.tables.text import summary_markdown, thin_calibration_note

_SHOWN_BY = ("sealproof.harness.tables", "sealproof.harness.statistics")
"""Rooms that decide how numbers are shown, or that say more of them than the summary's rows."""


@dataclass(frozen=True)
class Tables:
    """What a run wrote.

    Attributes:
        rows: The rows of summary.csv.
        files: The files, the most read first.
    """

    rows: list[SummaryRow]
    files: list[Path]


def write_tables(bench: Bench, outcomes: Sequence[Outcome], seed: int, out: Path, *, processes: int = 1) -> Tables:
    """Write all tables of a run; files that already say the same are left alone.

    Args:
        bench: What the cells were run with.
        outcomes: The cells' outcomes, failed ones among them.
        seed: The run's seed.
        out: The folder to write to.
        processes: At most so many compute the rows.

    Raises:
        HarnessError: The calibration clips could not be scored, so there are no thresholds.
        OSError: The folder cannot be written or the disk is full; tables that stood there stay as they were.
    """
    thresholds = thresholds_of(bench, seed)
    rows = rows_of_cells(summariser_of(bench, seed), outcomes, processes)
    files = [out / name for name in (SUMMARY, MARKDOWN, PICTURE, ATTACKS, BREAK_POINTS, CLIPS, RUN)]
    content = _content_sha256(rows, outcomes, bench.subjects)
    if not _already_there(out, content):
        write_text(out / SUMMARY, csv_text(SUMMARY_COLUMNS, map(as_record, rows)))
        notes = thin_calibration_note(thresholds, tuple(TARGET_FPRS))
        write_text(out / MARKDOWN, "\n".join(filter(None, [summary_markdown(rows), notes])))
        write_picture(rows, f"{bench.dataset.name}: {bench.dataset.scheme} and its mimics under attack", out / PICTURE)
        write_text(out / ATTACKS, attacks_csv([checked(outcome) for outcome in outcomes]))
        points = break_point_rows(bench.dataset, bench.pairs, bench.subjects, thresholds, outcomes)
        write_text(out / BREAK_POINTS, break_points_csv(list(points)))
        write_atomically(out / CLIPS, lambda file: write_clips(file, bench, outcomes, thresholds))
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
        raise HarnessError(f"The calibration clips must be scored before there are thresholds. {calibration.error}")
    groups = [pair.group for pair in bench.dataset.split("calibration")]
    return calibrate(calibration, groups, bench.dataset.facts["seed"])


def summariser_of(bench: Bench, seed: int) -> Summariser:
    """Return what turns a bench's outcomes into rows."""
    return Summariser(bench.dataset, bench.pairs, bench.subjects, thresholds_of(bench, seed))


def _content_sha256(rows: Sequence[SummaryRow], outcomes: Sequence[Outcome], subjects: Sequence[Subject]) -> str:
    keys = [(outcome.cell.key, [subject.key(outcome.cell) for subject in subjects]) for outcome in outcomes]
    # How the numbers are shown counts too: a new version of these files shows them anew.
    code = packages_sha256(*_SHOWN_BY)
    return sha256_json([keys, [as_record(row) for row in rows], code])


def _already_there(out: Path, content: str) -> bool:
    try:
        facts = read_json(out / RUN)
        is_same, files = facts["content_sha256"] == content, facts["files"].items()
    except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
        # Not there, or damaged: to be written anew.
        return False
    return is_same and all((out / name).is_file() and sha256_file(out / name) == sha256 for name, sha256 in files)


def checked(outcome: Outcome) -> Checked:
    """Return what the verification of a cell's attack came to."""
    if outcome.measured is None:
        return Checked(outcome.cell.attack, None, outcome.error)
    return Checked(outcome.cell.attack, json.loads(outcome.measured.verification), None)


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
        "dataset_path": str(bench.dataset.root.absolute()),
        "dataset_sha256": bench.dataset.sha256,
        "clean_sha256": bench.dataset.clean_sha256,
        "dataset_seed": bench.dataset.facts["seed"],
        "corpus": bench.dataset.facts["corpus"],
        "scheme": bench.dataset.scheme,
        "n_test_pairs": len(bench.pairs),
        "n_test_groups": len({pair.group for pair in bench.pairs}),
        "detectors": {
            subject.name: {
                "role": subject.role,
                "version": subject.version,
                **{f"threshold_{rule}": thresholds[subject.name].by_rule().get(rule) for rule in (FIXED, *TARGET_FPRS)},
                "calibration_clean_clips": thresholds[subject.name].n_negatives,
                "fpr_support": thresholds[subject.name].is_supported(CALIBRATED),
                "fpr_support_0.1pct": thresholds[subject.name].is_supported(CALIBRATED_STRICT),
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
