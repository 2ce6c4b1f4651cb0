"""What the tables for people say beside the numbers."""

import pytest

from sealproof.harness.summary import Thresholds
from sealproof.harness.text_table import thin_calibration_note


@pytest.mark.parametrize(("n_negatives", "is_thin"), [(31, True), (99, True), (100, False), (784, False)])
def test_too_few_calibration_clips_are_spoken_of(n_negatives: int, is_thin: bool) -> None:
    note = thin_calibration_note({"perth": Thresholds(0.5, 0.9, n_negatives)})
    assert (f"has {n_negatives} clean clips" in note) == is_thin
    assert bool(note) == is_thin
