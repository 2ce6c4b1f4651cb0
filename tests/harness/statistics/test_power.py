"""The smallest drop that the gate finds, held against the gate itself."""

import inspect
import math

import numpy as np
import pytest

from sealproof.harness.comparison import ALLOWED_DROP
from sealproof.harness.comparison.difference import REGRESSION, paired_differences
from sealproof.harness.statistics.power import detectable_drop
from sealproof.harness.tables.rates import Tally

N_SAMPLES = 400


@pytest.mark.parametrize("by_group", [False, True])
@pytest.mark.parametrize(("n_clips", "n_groups"), [(80, 20), (60, 10), (400, 40)])
def test_the_gate_finds_that_drop_in_about_four_of_five_cases(n_clips: int, n_groups: int, by_group: bool) -> None:
    rng = np.random.default_rng(n_clips)
    drop, size = detectable_drop(n_clips, n_groups, by_group=by_group), n_clips // n_groups
    lost = rng.binomial(1, drop, (N_SAMPLES, n_groups)) * size if by_group else None
    lost = rng.binomial(size, drop, (N_SAMPLES, n_groups)) if lost is None else lost
    trials = np.full(n_groups, size)
    groups = tuple(f"song{number:03}" for number in range(n_groups))

    def tally(successes: np.ndarray) -> Tally:
        return Tally("perth", "mp3", "", "perth", "reference", "fixed", "tpr", groups, successes, trials)

    found = paired_differences([tally(trials)] * N_SAMPLES, [tally(trials - one) for one in lost])
    share = np.mean([one.verdict("tpr", ALLOWED_DROP) == REGRESSION for one in found])
    # Counts come in steps, which moves the share by more than its sampling error of 2 points.
    assert 0.7 <= share <= 0.95


def test_the_default_is_what_the_gate_allows() -> None:
    assert inspect.signature(detectable_drop).parameters["allowed_drop"].default == ALLOWED_DROP


def test_more_clips_and_more_recordings_find_less() -> None:
    assert detectable_drop(800, 40, by_group=False) < detectable_drop(80, 40, by_group=False)
    assert detectable_drop(80, 40, by_group=True) < detectable_drop(80, 10, by_group=True)
    assert detectable_drop(80, 20, by_group=False) < detectable_drop(80, 20, by_group=True)
    assert detectable_drop(80, 4, by_group=True) > 0.163


def test_one_recording_or_three_clips_find_nothing() -> None:
    assert math.isnan(detectable_drop(80, 1, by_group=False))
    assert math.isnan(detectable_drop(3, 3, by_group=False))
