"""The worst case, worked out by hand."""

import numpy as np

from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.estimation.worst_case import worst_case

RESAMPLES = Resamples.of(["a", "a", "b", "b"], 0)


def test_a_clip_falls_to_the_least_damaging_attack_that_turns_it() -> None:
    turned = np.array([[True, False, True, False], [True, False, False, False]])
    snr_db = np.array([[22.0, 50.0, np.nan, 50.0], [41.0, 50.0, 50.0, 50.0]])
    right = np.array([True, True, True, False])
    found = worst_case("clean", ["loud", "soft"], turned, snr_db, right, RESAMPLES, (45, 40, 20))
    # The last clip is wrong without any attack; the third falls to an attack without an SNR, which is in no budget.
    assert [estimate.value for estimate in found.estimates] == [0.75, 0.5, 0.5]
    assert found.by == ({}, {"soft": 1}, {"soft": 1})


def test_without_any_attack_what_was_right_stays_right() -> None:
    nothing = np.zeros((0, 4))
    found = worst_case("clean", [], nothing > 0, nothing, np.array([True, True, False, True]), RESAMPLES, (20,))
    assert found.estimates[0].value == 0.75
    assert found.estimates[0].ci_low < 0.75 < found.estimates[0].ci_high
