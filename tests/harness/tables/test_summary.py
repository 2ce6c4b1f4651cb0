import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import Attack, get_attack
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED, Row
from sealproof.harness.matrix.cell import Cell
from sealproof.harness.matrix.outcome import Measured, Outcome, Scores
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.statistics.calibrated import CalibratedThreshold
from sealproof.harness.tables.dictionary.metrics import THRESHOLD_RULES
from sealproof.harness.tables.rules import Thresholds, calibrate
from sealproof.harness.tables.summary import SUMMARY_COLUMNS, Summariser, SummaryRow, as_record, with_holm
from sealproof.harness.tables.summary_parallel import rows_of_cells

ATTACK = get_attack("echo", delay_ms=100, gain=0.3)
MESSAGE = "1100"


def nothing() -> None:
    raise AssertionError("a summary must not load a detector")


def calibrated_at(*values: float) -> dict[str, CalibratedThreshold]:
    return dict(zip(("fpr_1pct", "fpr_0.1pct"), map(CalibratedThreshold.given, values), strict=False))


SUBJECTS = [
    Subject("real", "reference", "1", nothing),  # type: ignore[arg-type]  # never called
    Subject("copy", "mimic", "1", nothing),  # type: ignore[arg-type]
]
THRESHOLDS = {
    "real": Thresholds(0.5, calibrated_at(0.75, 0.85), 1000),
    "copy": Thresholds(0.0, calibrated_at(-1.5, 2.5), 1000),
}

# Clean clips above, watermarked ones below; a score at a threshold counts as clean.
REAL = np.array([[0.1, 0.6, 0.5, 0.2], [0.9, 0.8, 0.7, 0.3]], dtype=np.float32)
COPY = np.array([[-1.0, 2.0, -1.0, -2.0], [3.0, -1.0, 1.0, 1.0]], dtype=np.float32)
MEANS = np.array([[0.2, 0.4, 0.6, 0.1], [0.9, 0.8, 0.3, 0.5]], dtype=np.float32)
OVERLAPS = np.array([[np.nan] * 4, [0.5, 0.75, np.nan, 1.0]])
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
    means: NDArray[np.float32] | None = None,
    overlaps: NDArray[np.float64] | None = None,
) -> Outcome:
    snr_db = np.array([[10.0, 20.0, 30.0, 40.0], [12.0, 22.0, 32.0, 42.0]]) if snr is None else snr
    shape = real.shape
    no_bits, no_means = np.zeros((*shape, 0), dtype=np.uint8), np.zeros((2, 0), dtype=np.float32)
    nowhere = np.full(shape, np.nan)
    scores = {
        "real": Scores(
            real,
            BITS if shape[1] == 4 else no_bits,
            0.5,
            1.0,
            no_means if means is None else means,
            nowhere if overlaps is None else overlaps,
        ),
        "copy": Scores(copy, no_bits, 0.0, 1.0, no_means, nowhere),
    }
    the_cell = Cell("real", attack, 0, "test", (CLEAN, WATERMARKED), "0")
    quality = {"snr_db": snr_db, "si_sdr_db": np.full(shape, np.nan)}
    return Outcome(the_cell, None, Measured(quality, np.zeros(shape, dtype=bool), "{}", 1.0), scores)


def rows_of(
    an_outcome: Outcome,
    subjects: list[Subject] = SUBJECTS,
    groups: Sequence[str] = "aabc",
    thresholds: Mapping[str, Thresholds] = THRESHOLDS,
) -> list[SummaryRow]:
    tiny = dataset(groups)
    return list(Summariser(tiny, tiny.split("test"), subjects, thresholds).rows(an_outcome))


def values(rows: list[SummaryRow]) -> dict[tuple[str, str, str], float | None]:
    return {(row.detector, row.metric, row.threshold_rule): row.value for row in rows}


def rates(right_clean: int, right_marked: int, n: int = 4) -> dict[str, float]:
    return {
        "accuracy": (right_clean + right_marked) / (2 * n),
        "balanced_accuracy": (right_clean + right_marked) / (2 * n),
        "tpr": right_marked / n,
        "fpr": 1 - right_clean / n,
    }


def test_values_are_those_worked_out_by_hand() -> None:
    rows = rows_of(outcome(means=MEANS, overlaps=OVERLAPS))
    by_rule = {
        # real > 0.5: of the clean ones 0.6; of the marked ones all but 0.3.
        ("real", "fixed"): rates(3, 3),
        # real > 0.75: none; 0.9 and 0.8.
        ("real", "fpr_1pct"): rates(4, 2),
        # real > 0.85: none; 0.9.
        ("real", "fpr_0.1pct"): rates(4, 1),
        # Between 0.6 and 0.7 seven of eight are right.
        ("real", "best"): rates(4, 3),
        # MEANS > 0.5: 0.6; 0.9 and 0.8.
        ("real", "mean_probability"): rates(3, 2),
        # real > 0.1: all but the one that is 0.1.
        ("real", "low_tau"): rates(1, 4),
        # More than 80 % of 4 bits are 4: no zeros are 1100; the first and last of the marked ones.
        ("real", "bits"): rates(4, 2),
        # copy > 0: 2.0; 3, 1, 1.
        ("copy", "fixed"): rates(3, 3),
        # copy > -1.5: all but -2; all.
        ("copy", "fpr_1pct"): rates(1, 4),
        # copy > 2.5: none; 3.
        ("copy", "fpr_0.1pct"): rates(4, 1),
        # Above -1: 2.0; 3, 1, 1.
        ("copy", "best"): rates(3, 3),
    }
    expected = {
        ("", "snr_db", ""): 26.0,  # the median: half-way between 22 and 30
        **{(name, metric, rule): value for (name, rule), many in by_rule.items() for metric, value in many.items()},
        # 0.9, 0.8 and 0.7 beat all four clean ones, 0.3 beats 0.1 and 0.2.
        ("real", "auc", ""): 14 / 16,
        # At any threshold from 0.5 to 0.6 one clip of each kind is wrong.
        ("real", "eer", ""): 1 / 4,
        # Four clean clips give no threshold at 1 %.
        ("real", "tpr_at_fpr_1pct", ""): None,
        # Right bits of the watermarked clips: 4, 3, 0, 4 of 4.
        ("real", "bit_accuracy", ""): 11 / 16,
        ("real", "exact_match", ""): 2 / 4,
        # P(4 of 4) = 1/16 twice, P(3 or more) = 5/16, P(0 or more) = 1.
        ("real", "message_p_value", ""): (1 / 16 + 5 / 16) / 2,
        ("real", "frame_iou", ""): 0.75,
        # 3 beats 4; -1 beats -2 and ties with two: 1 + 1; the 1s beat 3 each.
        ("copy", "auc", ""): (4 + 2 + 3 + 3) / 16,
        ("copy", "eer", ""): 1 / 4,
        ("copy", "tpr_at_fpr_1pct", ""): None,
        # fixed: real says 0100 1110, copy 0100 1011: 6 alike; each says yes to 4 of 8, so 4 by chance.
        ("copy", "agreement", "fixed"): 6 / 8,
        ("copy", "cohens_kappa", "fixed"): (6 / 8 - 4 / 8) / (1 - 4 / 8),
        ("copy", "pabak", "fixed"): 2 * 6 / 8 - 1,
        ("copy", "mcc", "fixed"): 1 / 2,  # as kappa, where both say yes as often
        # The reference is wrong about 0.6 and 0.3: the copy is wrong about the first too, and right about the other.
        ("copy", "agreement_reference_right", "fixed"): 5 / 6,
        ("copy", "agreement_reference_wrong", "fixed"): 1 / 2,
        ("copy", "agreement_clean", "fixed"): 1.0,
        ("copy", "agreement_watermarked", "fixed"): 2 / 4,
        ("copy", "mcnemar_p", "fixed"): 1.0,  # each is right alone once
        # calibrated: real 0000 1100, copy 1110 1111: 3 alike; by chance 2/8 * 7/8 + 6/8 * 1/8 = 20/64.
        ("copy", "agreement", "fpr_1pct"): 3 / 8,
        ("copy", "cohens_kappa", "fpr_1pct"): (3 / 8 - 20 / 64) / (1 - 20 / 64),
        ("copy", "pabak", "fpr_1pct"): 2 * 3 / 8 - 1,
        # Neither 1, both 2, only the copy 5, only real 0.
        ("copy", "mcc", "fpr_1pct"): (1 * 2 - 0 * 5) / np.sqrt(2 * 7 * 6 * 1),
        ("copy", "agreement_reference_right", "fpr_1pct"): 3 / 6,
        ("copy", "agreement_reference_wrong", "fpr_1pct"): 0.0,
        ("copy", "agreement_clean", "fpr_1pct"): 1 / 4,
        ("copy", "agreement_watermarked", "fpr_1pct"): 2 / 4,
        # real is right alone three times, copy two times: 2 P(2 or fewer of 5) = 1.
        ("copy", "mcnemar_p", "fpr_1pct"): 1.0,
        ("copy", "spearman", ""): spearman(),
    }
    found = values(rows)
    assert found.keys() == expected.keys()
    assert {key: pytest.approx(value) for key, value in expected.items()} == found


def spearman() -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(REAL.ravel(), COPY.ravel()).statistic)


def test_rules_stand_in_the_order_of_the_dictionary() -> None:
    rows = rows_of(outcome(means=MEANS))
    seen = dict.fromkeys(row.threshold_rule for row in rows if row.detector == "real" and row.threshold_rule)
    assert list(seen) == list(THRESHOLD_RULES)


def test_without_probabilities_of_frames_there_are_no_rules_about_them() -> None:
    rules = {row.threshold_rule for row in rows_of(outcome())}
    assert rules == {"", "fixed", "fpr_1pct", "fpr_0.1pct", "best"}


def test_every_number_has_its_counts_and_an_interval_around_it() -> None:
    rows = rows_of(outcome(means=MEANS, overlaps=OVERLAPS))
    one_label = {"tpr", "fpr", "bit_accuracy", "exact_match", "message_p_value"}
    one_label |= {"agreement_clean", "agreement_watermarked"}
    for row in rows:
        n_clips = 4 if row.metric in one_label else 3 if row.metric == "frame_iou" else 8
        if "reference_" not in row.metric:
            assert (row.n_clips, row.n_groups) == (n_clips, 2 if row.metric == "frame_iou" else 3), row
        assert (row.dataset, row.scheme, row.attack, row.params) == ("tiny", "real", "echo", "delay_ms=100;gain=0.3")
        assert (row.status, row.error) == ("ok", "")
        # Three groups are too few for those that are no shares of clips.
        if row.metric in ("accuracy", "balanced_accuracy", "tpr", "fpr", "agreement", "pabak", "bit_accuracy"):
            assert row.ci_low is not None, row
            assert row.ci_high is not None
            assert row.value is not None
            assert row.ci_low <= row.value <= row.ci_high
            assert row.ci_low < row.ci_high
    wrong = [row for row in rows if row.metric == "agreement_reference_wrong"]
    assert [(row.n_clips, row.n_groups) for row in wrong] == [(2, 2), (2, 2)]
    roles = {row.detector: row.role for row in rows}
    assert roles == {"": "attack", "real": "reference", "copy": "mimic"}


def test_holm_adjusts_over_the_attacks_of_a_run() -> None:
    def p_row(p_value: float | None, detector: str = "copy", rule: str = "fixed") -> SummaryRow:
        (row,) = [row for row in rows_of(outcome()) if (row.metric, row.threshold_rule) == ("mcnemar_p", "fixed")]
        return replace(row, value=p_value, detector=detector, threshold_rule=rule)

    others = [p_row(0.03, detector="other"), p_row(0.04, rule="fpr_1pct"), p_row(None)]
    rows = [p_row(0.01), *others, p_row(0.04), p_row(0.02)]
    found = with_holm(rows)
    adjusted: dict[tuple[str, str], list[float | None]] = {(row.detector, row.threshold_rule): [] for row in rows}
    for before, row in pairwise(found):
        if row.metric == "mcnemar_p_holm":
            assert replace(row, metric="mcnemar_p", value=before.value) == before
            adjusted[row.detector, row.threshold_rule].append(row.value)
    assert adjusted["copy", "fixed"] == pytest.approx([0.03, 0.04, 0.04])
    assert adjusted["other", "fixed"] == [0.03]
    assert adjusted["copy", "fpr_1pct"] == [0.04]
    assert [row for row in found if row.metric == "mcnemar_p"] == rows


def test_p_values_keep_their_digits_and_others_have_six_decimals() -> None:
    row = replace(rows_of(outcome())[1], value=1.52587890625e-05)
    assert as_record(replace(row, metric="message_p_value"))["value"] == "1.52588e-05"
    assert as_record(replace(row, metric="accuracy"))["value"] == "0.000015"


def test_an_interval_is_at_least_wilsons_of_the_recordings() -> None:
    (row,) = [
        row
        for row in rows_of(outcome())
        if (row.detector, row.metric, row.threshold_rule) == ("real", "fpr", "fpr_1pct")
    ]
    assert row.value == 0
    # Wilson's 95 % interval of 0 out of 3 recordings that are alike: 0 to z^2 / (3 + z^2).
    assert row.ci_low == pytest.approx(0.0, abs=1e-9)
    assert row.ci_high == pytest.approx(1.959964**2 / (3 + 1.959964**2), abs=1e-6)


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
    assert not {"snr_db", "si_sdr_db"} & {row.metric for row in rows}
    assert len(rows) == len(rows_of(outcome())) - 1


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
    nothing_else = (np.zeros((1, 0), dtype=np.float32), np.full((1, 200), np.nan))
    scores = {"real": Scores(clean, np.zeros((1, 200, 0), dtype=np.uint8), 4.0, 1.0, *nothing_else)}
    (found,) = calibrate(Outcome(calibration, None, None, scores), [str(clip) for clip in range(200)], 0).values()
    # 1 % of 201: a new clip and one other, 199, lie above it. 0.1 % takes 999 clips.
    assert found.by_rule() == {"fixed": 4.0, "fpr_1pct": 198.0}
    assert found.n_negatives == 200
    assert found.is_supported("fpr_1pct")
    assert not found.is_supported("fpr_0.1pct")
    assert found.why_not("fpr_1pct") == ""
    assert found.why_not("fpr_0.1pct") == (
        "no threshold: 0.1 % false positives take 999 clean calibration clips, there are 200"
    )


def test_without_a_threshold_numbers_are_empty_and_say_why() -> None:
    thin = {name: Thresholds(found.fixed, {}, 98) for name, found in THRESHOLDS.items()}
    rows = rows_of(outcome(), thresholds=thin)
    lacking = [row for row in rows if row.threshold_rule in ("fpr_1pct", "fpr_0.1pct")]
    assert {row.metric for row in lacking} >= {"accuracy", "tpr", "fpr", "agreement", "cohens_kappa", "mcnemar_p"}
    assert {(row.value, row.ci_low, row.status) for row in lacking} == {(None, None, "no_threshold")}
    assert {row.error for row in lacking if row.threshold_rule == "fpr_1pct"} == {
        "no threshold: 1 % false positives take 99 clean calibration clips, there are 98"
    }
    others = [row for row in rows if row not in lacking]
    assert {(row.status, row.error) for row in others} == {("ok", "")}
    assert len(rows) == len(rows_of(outcome()))


def test_params_are_written_in_order() -> None:
    assert ATTACK.params_text == "delay_ms=100;gain=0.3"
    assert get_attack("identity").params_text == ""


def test_a_record_has_the_columns_and_reads_back() -> None:
    row = replace(rows_of(outcome())[1], value=1 / 3, ci_low=None, error='a, "b"\nc')
    text = io.StringIO()
    writer = csv.DictWriter(text, SUMMARY_COLUMNS)
    writer.writeheader()
    writer.writerow(as_record(row))
    (record,) = csv.DictReader(io.StringIO(text.getvalue(), newline=""))
    assert list(record) == list(asdict(row))
    assert (record["value"], record["ci_low"], record["error"]) == ("0.333333", "", 'a, "b"\nc')


def test_rows_are_the_same_whatever_the_number_of_processes() -> None:
    tiny = dataset()
    summariser = Summariser(tiny, tiny.split("test"), SUBJECTS, THRESHOLDS)
    rng = np.random.default_rng(0)
    cells = [
        outcome(real=rng.random((2, 4), dtype=np.float32), attack=get_attack("gain", gain_db=-1.0 - n))
        for n in range(33)
    ]
    cells[20] = replace(cells[20], error="AttackError: it broke", measured=None, scores={})

    alone = rows_of_cells(summariser, cells, 1)

    assert next(row for row in alone if row.status == "failed").params == cells[20].cell.attack.params_text
    assert len({row.params for row in alone}) == len(cells)
    assert rows_of_cells(summariser, cells, 2) == alone
    assert [row for row in alone if row.metric == "accuracy"] == [
        row for cell in cells for row in summariser.rows(cell) if row.metric == "accuracy"
    ]
