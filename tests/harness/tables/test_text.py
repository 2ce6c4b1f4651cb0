"""What the tables for people say beside the numbers."""

import pytest

from sealproof.harness.tables.rules import Thresholds
from sealproof.harness.tables.text import thin_calibration_note


@pytest.mark.parametrize(("n_negatives", "is_thin"), [(31, True), (99, True), (100, False), (784, False)])
def test_too_few_calibration_clips_are_spoken_of(n_negatives: int, is_thin: bool) -> None:
    note = thin_calibration_note({"perth": Thresholds(0.5, {"fpr_1pct": 0.9}, n_negatives)})
    assert (f"has {n_negatives} clean clips" in note) == is_thin
    assert bool(note) == is_thin


@pytest.mark.parametrize(("n_negatives", "said"), [(99, ["1 %", "0.1 %"]), (100, ["0.1 %"]), (1000, [])])
def test_each_rule_that_readers_see_is_spoken_of(n_negatives: int, said: list[str]) -> None:
    thresholds = {"perth": Thresholds(0.5, {"fpr_1pct": 0.9, "fpr_0.1pct": 0.95}, n_negatives)}
    lines = thin_calibration_note(thresholds, ("fpr_1pct", "fpr_0.1pct")).splitlines()
    assert [line.split(" false positives")[0].split("and ")[1] for line in lines] == said
