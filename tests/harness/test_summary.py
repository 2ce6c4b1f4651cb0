import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import Attack, get_attack
from sealproof.harness.dataset import Dataset
from sealproof.harness.manifest import CLEAN, WATERMARKED, Row
from sealproof.harness.matrix import Cell, Subject, params_text
from sealproof.harness.run import Outcome
from sealproof.harness.store import Measured, Scores
from sealproof.harness.summary import (
    SUMMARY_COLUMNS,
    Summariser,
    SummaryRow,
    Thresholds,
    as_record,
    calibrate,
)

ATTACK = get_attack("echo", delay_ms=100, gain=0.3)
MESSAGE = "1100"


def nothing() -> None:
    raise AssertionError("a summary must not load a detector")


SUBJECTS = [
    Subject("real", "reference", "1", nothing),  # type: ignore[arg-type]  # never called
    Subject("copy", "mimic", "1", nothing),  # type: ignore[arg-type]
]
THRESHOLDS = {"real": Thresholds(0.5, 0.75, 100), "copy": Thresholds(0.0, -1.5, 99)}

# Clean clips above, watermarked ones below; a score at a threshold counts as clean.
REAL = np.array([[0.1, 0.6, 0.5, 0.2], [0.9, 0.8, 0.7, 0.3]], dtype=np.float32)
COPY = np.array([[-1.0, 2.0, -1.0, -2.0], [3.0, -1.0, 1.0, 1.0]], dtype=np.float32)
BITS = np.array([[[0] * 4] * 4, [[1, 1, 0, 0], [1, 1, 0, 1], [0, 0, 1, 1], [1, 1, 0, 0]]], dtype=np.uint8)


def dataset(groups: Sequence[str] = "aabc") -> Dataset:
    def row(index: int, label: str) -> Row:
        message = MESSAGE if label == WATERMARKED else ""
        return Row(
            f"clip{index:02d}", groups[index], "s", 0.0, "test", label, f"{label}/{index}.wav", message, None, "0"
        )

    rows = tuple(row(index, label) for index in range(len(groups)) for label in (CLEAN, WATERMARKED))
    return Dataset(Path("somewhere/tiny"), {"scheme": "real", "seed": 3, "sample_rate": 16_000}, rows)


def outcome(
    real: NDArray[np.float32] = REAL,
    copy: NDArray[np.float32] = COPY,
    snr: NDArray[np.float64] | None = None,
    attack: Attack = ATTACK,
) -> Outcome:
    snr_db = np.array([[10.0, 20.0, 30.0, 40.0], [12.0, 22.0, 32.0, 42.0]]) if snr is None else snr
    no_bits = np.zeros((2, real.shape[1], 0), dtype=np.uint8)
    scores = {
        "real": Scores(real, BITS if real.shape[1] == 4 else no_bits, 0.5, 1.0),
        "copy": Scores(copy, no_bits, 0.0, 1.0),
    }
    the_cell = Cell("real", attack, 0, "test", (CLEAN, WATERMARKED), "0")
    return Outcome(the_cell, None, Measured(snr_db, np.zeros((2, 4), dtype=bool), "{}", 1.0), scores)


def rows_of(
    an_outcome: Outcome, subjects: list[Subject] = SUBJECTS, groups: Sequence[str] = "aabc"
) -> list[SummaryRow]:
    tiny = dataset(groups)
    return list(Summariser(tiny, tiny.split("test"), subjects, THRESHOLDS).rows(an_outcome))


def values(rows: list[SummaryRow]) -> dict[tuple[str, str, str], float | None]:
    return {(row.detector, row.metric, row.threshold_rule): row.value for row in rows}


def test_values_are_those_worked_out_by_hand() -> None:
    rows = rows_of(outcome())
    expected = {
        ("", "snr_db", ""): 26.0,  # the median: half-way between 22 and 30
        # real > 0.5: of the clean ones 0.6; of the marked ones all but 0.3.
        ("real", "accuracy", "fixed"): 6 / 8,
        ("real", "tpr", "fixed"): 3 / 4,
        ("real", "fpr", "fixed"): 1 / 4,
        # real > 0.75: none; 0.9 and 0.8.
        ("real", "accuracy", "fpr_1pct"): 6 / 8,
        ("real", "tpr", "fpr_1pct"): 2 / 4,
        ("real", "fpr", "fpr_1pct"): 0.0,
        # 0.9, 0.8 and 0.7 beat all four clean ones, 0.3 beats 0.1 and 0.2.
        ("real", "auc", ""): 14 / 16,
        # Right bits of the watermarked clips: 4, 3, 0, 4 of 4.
        ("real", "bit_accuracy", ""): 11 / 16,
        # copy > 0: 2.0; 3, 1, 1.
        ("copy", "accuracy", "fixed"): 6 / 8,
        ("copy", "tpr", "fixed"): 3 / 4,
        ("copy", "fpr", "fixed"): 1 / 4,
        # copy > -1.5: all but -2; all.
        ("copy", "accuracy", "fpr_1pct"): 5 / 8,
        ("copy", "tpr", "fpr_1pct"): 1.0,
        ("copy", "fpr", "fpr_1pct"): 3 / 4,
        # 3 beats 4; -1 beats -2 and ties with two: 1 + 1; the 1s beat 3 each.
        ("copy", "auc", ""): (4 + 2 + 3 + 3) / 16,
        # fixed: real says 0100 1110, copy 0100 1011: 6 alike; each says yes to 4 of 8, so 4 by chance.
        ("copy", "agreement", "fixed"): 6 / 8,
        ("copy", "cohens_kappa", "fixed"): (6 / 8 - 4 / 8) / (1 - 4 / 8),
        # calibrated: real 0000 1100, copy 1110 1111: 3 alike; by chance 2/8 * 7/8 + 6/8 * 1/8 = 20/64.
        ("copy", "agreement", "fpr_1pct"): 3 / 8,
        ("copy", "cohens_kappa", "fpr_1pct"): (3 / 8 - 20 / 64) / (1 - 20 / 64),
    }
    found = values(rows)
    assert found.keys() == expected.keys()
    assert {key: pytest.approx(value) for key, value in expected.items()} == found


def test_every_number_has_its_counts_and_an_interval_around_it() -> None:
    rows = rows_of(outcome())
    for row in rows:
        one_label = row.metric in ("tpr", "fpr", "bit_accuracy")
        assert (row.n_clips, row.n_groups) == (4 if one_label else 8, 3), row
        assert (row.dataset, row.scheme, row.attack, row.params) == ("tiny", "real", "echo", "delay_ms=100;gain=0.3")
        assert (row.status, row.error) == ("ok", "")
        if row.metric not in ("snr_db", "auc"):  # three groups are too few for these
            assert row.ci_low is not None
            assert row.ci_high is not None
            assert row.value is not None
            assert row.ci_low <= row.value <= row.ci_high
            assert row.ci_low < row.ci_high
    roles = {row.detector: row.role for row in rows}
    assert roles == {"": "attack", "real": "reference", "copy": "mimic"}


def test_an_interval_is_at_least_wilsons() -> None:
    (row,) = [row for row in rows_of(outcome()) if (row.detector, row.metric) == ("real", "fpr") and not row.value]
    # Wilson's 95 % interval of 0 out of 4: 0 to z^2 / (4 + z^2).
    assert row.ci_low == pytest.approx(0.0, abs=1e-9)
    assert row.ci_high == pytest.approx(1.959964**2 / (4 + 1.959964**2), abs=1e-6)


def test_intervals_know_which_clips_belong_together() -> None:
    # Of ten recordings with four clips each, all clips of the even ones are found and none of the others.
    real = np.tile(np.repeat(np.array([0.9, 0.1], dtype=np.float32), 4), (2, 5))

    def width(groups: list[str]) -> float:
        (row,) = [
            row
            for row in rows_of(outcome(real=real, copy=real, snr=np.ones((2, 40))), groups=groups)
            if (row.detector, row.metric, row.threshold_rule) == ("real", "tpr", "fixed")
        ]
        assert row.value == 0.5
        assert row.ci_low is not None
        assert row.ci_high is not None
        return row.ci_high - row.ci_low

    together, apart = width([f"g{index // 4}" for index in range(40)]), width([f"g{index}" for index in range(40)])
    assert together > 1.5 * apart


def test_the_same_outcome_gives_the_same_rows() -> None:
    assert rows_of(outcome()) == rows_of(outcome())


def test_a_failed_cell_is_one_row_that_says_why() -> None:
    failed = Outcome(outcome().cell, "AttackError: ffmpeg, gone", None, {})
    (row,) = rows_of(failed)
    assert (row.status, row.error) == ("failed", "AttackError: ffmpeg, gone")
    assert (row.value, row.ci_low, row.ci_high, row.n_clips, row.n_groups) == (None, None, None, 0, 0)
    assert (row.attack, row.params, row.metric, row.detector) == ("echo", "delay_ms=100;gain=0.3", "", "")


@pytest.mark.parametrize("snr", [np.inf, np.nan], ids=["unchanged", "moved"])
def test_where_no_snr_is_defined_there_is_no_row(snr: float) -> None:
    rows = rows_of(outcome(snr=np.full((2, 4), snr)))
    assert "snr_db" not in {row.metric for row in rows}
    assert len(rows) == 19


def test_kappa_of_detectors_that_never_differ_is_missing_not_zero() -> None:
    low = np.full((2, 4), -9.0, dtype=np.float32)
    rows = rows_of(outcome(real=low, copy=low))
    found = values(rows)
    assert found["copy", "agreement", "fixed"] == 1.0
    assert found["copy", "cohens_kappa", "fixed"] is None
    (row,) = [row for row in rows if (row.metric, row.threshold_rule) == ("cohens_kappa", "fixed")]
    assert as_record(row)["value"] == ""
    assert as_record(row)["n_clips"] == 8


def test_without_mimics_nothing_is_said_of_agreement() -> None:
    rows = rows_of(outcome(), subjects=SUBJECTS[:1])
    assert {row.detector for row in rows} == {"", "real"}
    assert "agreement" not in {row.metric for row in rows}


def test_thresholds_come_from_clean_clips_alone() -> None:
    clean = np.arange(200, dtype=np.float32)[None]
    calibration = Cell("real", get_attack("identity"), 0, "calibration", (CLEAN,), "0")
    scores = {"real": Scores(clean, np.zeros((1, 200, 0), dtype=np.uint8), 4.0, 1.0)}
    found = calibrate(Outcome(calibration, None, None, scores))
    # 1 % of 200: two clips, 198 and 199, lie above it.
    assert found == {"real": Thresholds(fixed=4.0, calibrated=197.0, n_negatives=200)}
    assert found["real"].by_rule() == {"fixed": 4.0, "fpr_1pct": 197.0}
    assert found["real"].fpr_support
    assert THRESHOLDS["real"].fpr_support
    assert not THRESHOLDS["copy"].fpr_support


def test_params_are_written_in_order() -> None:
    assert params_text(ATTACK.params) == "delay_ms=100;gain=0.3"
    assert params_text({}) == ""


def test_a_record_has_the_columns_and_reads_back() -> None:
    row = replace(rows_of(outcome())[1], value=1 / 3, ci_low=None, error='a, "b"\nc')
    text = io.StringIO()
    writer = csv.DictWriter(text, SUMMARY_COLUMNS)
    writer.writeheader()
    writer.writerow(as_record(row))
    (record,) = csv.DictReader(io.StringIO(text.getvalue(), newline=""))
    assert list(record) == list(asdict(row))
    assert (record["value"], record["ci_low"], record["error"]) == ("0.333333", "", 'a, "b"\nc')
