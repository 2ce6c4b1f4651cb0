"""What the tables for people say beside the numbers."""

import pytest

from sealproof.harness.tables.rules import Thresholds
from sealproof.harness.tables.text import thin_calibration_note


@pytest.mark.parametrize(("n_negatives", "is_thin"), [(31, True), (98, True), (99, False), (784, False)])
def test_too_few_calibration_clips_are_spoken_of(n_negatives: int, is_thin: bool) -> None:
    note = thin_calibration_note({"perth": Thresholds(0.5, {}, n_negatives)})
    assert (f"take 99 clean calibration clips, there are {n_negatives}" in note) == is_thin
    assert bool(note) == is_thin


@pytest.mark.parametrize(("n_negatives", "said"), [(98, ["1 %", "0.1 %"]), (99, ["0.1 %"]), (999, [])])
def test_each_rule_that_readers_see_is_spoken_of(n_negatives: int, said: list[str]) -> None:
    thresholds = {"perth": Thresholds(0.5, {}, n_negatives)}
    lines = thin_calibration_note(thresholds, ("fpr_1pct", "fpr_0.1pct")).splitlines()
    assert [line.split(" false positives")[0].split("no threshold: ")[1] for line in lines] == said
