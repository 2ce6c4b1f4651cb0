"""Mimics that the gate does not hold against the baseline."""

from collections.abc import Iterator

import numpy as np
import pytest

from sealproof.harness.comparison.difference import REGRESSION, SAME
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.pytest_plugin.baseline import BaselineKey, BaselineRow, Sample, row_of
from sealproof.harness.pytest_plugin.chance import Chance
from sealproof.harness.pytest_plugin.gate import AT_CHANCE, Gate
from sealproof.harness.statistics.agreement import cohens_kappa
from sealproof.harness.statistics.estimation.groups import successes_by_group
from sealproof.harness.statistics.estimation.vectors import Flags
from sealproof.harness.tables.rates import RateKey, Tally, rate_flags

GROUPS = tuple(f"song{number:02}" for number in range(20))
SAMPLE = Sample("set", "0123456789ab", GROUPS)
N_PAIRS = 160


def cell(attack: str, reference: Flags, mimic: Flags) -> Iterator[Tally]:
    """The rates of a reference and a mimic, (2, pairs) decisions each."""
    codes = np.arange(N_PAIRS) % len(GROUPS)
    for name, role, says, other in (("ref", "reference", reference, None), ("follower", "mimic", mimic, reference)):
        for metric, flags in rate_flags(says, other).items():
            counts = successes_by_group(flags, codes, len(GROUPS))
            yield Tally("perth", attack, "", name, role, "fixed", metric, GROUPS, *counts)


def baseline_of(*cells: Iterator[Tally]) -> dict[BaselineKey, BaselineRow]:
    rows = [row_of(tally, SAMPLE) for tallies in cells for tally in tallies]
    return {row.key: row for row in rows}


def says(rng: np.random.Generator, tpr: float, fpr: float) -> Flags:
    return np.stack([rng.random(N_PAIRS) < fpr, rng.random(N_PAIRS) < tpr])


def test_a_better_detector_beside_a_mimic_that_says_clean_to_everything_is_no_failure() -> None:
    rng = np.random.default_rng(0)
    nothing = np.zeros((2, N_PAIRS), bool)
    before, after = says(rng, 0.75, 0.0), says(rng, 0.95, 0.0)
    gate = Gate(
        baseline_of(cell("identity", before, nothing), cell("mp3", before, nothing)), "baseline.csv", SAMPLE, 0.05
    )
    judged = gate.judge(cell("mp3", after, nothing))
    assert [one.verdict for one in judged if one.tally.metric == "agreement"] == [AT_CHANCE]
    assert not [one for one in judged if one.verdict == REGRESSION]
    told = next(one for one in judged if one.verdict == AT_CHANCE).sentence()
    assert "its kappa with the reference unattacked in the baseline, 0.000 [" in told
    assert told.endswith("cannot be told from 0")


def test_a_mimic_that_followed_and_follows_no_more_is_a_regression() -> None:
    rng = np.random.default_rng(1)
    reference = says(rng, 0.95, 0.02)
    mimic = reference ^ (rng.random(reference.shape) < 0.05)
    gate = Gate(
        baseline_of(cell("identity", reference, mimic), cell("mp3", reference, mimic)), "baseline.csv", SAMPLE, 0.05
    )
    nothing = np.zeros((2, N_PAIRS), bool)
    verdicts = {
        one.tally.metric: one.verdict
        for one in gate.judge(cell("mp3", reference, nothing))
        if one.tally.role == "mimic"
    }
    assert verdicts["agreement"] == verdicts["tpr"] == verdicts["accuracy"] == REGRESSION
    assert {one.verdict for one in gate.judge(cell("mp3", reference, mimic))} == {SAME}


def test_under_an_attack_that_leaves_nothing_to_agree_on_agreement_alone_is_excused() -> None:
    rng = np.random.default_rng(2)
    reference = says(rng, 0.95, 0.02)
    nothing = np.zeros((2, N_PAIRS), bool)
    gate = Gate(
        baseline_of(cell("identity", reference, reference), cell("speed", nothing, nothing)),
        "baseline.csv",
        SAMPLE,
        0.05,
    )
    alarms = np.stack([np.ones(N_PAIRS, bool), np.zeros(N_PAIRS, bool)])
    verdicts = {
        one.tally.metric: one.verdict for one in gate.judge(cell("speed", nothing, alarms)) if one.tally.role == "mimic"
    }
    assert verdicts["agreement"] == AT_CHANCE
    assert verdicts["fpr"] == REGRESSION


def test_the_kappa_of_counts_by_group_is_that_of_the_clips() -> None:
    rng = np.random.default_rng(3)
    reference, mimic = says(rng, 0.8, 0.1), says(rng, 0.7, 0.3)
    rates = list(cell("identity", reference, mimic))
    excuse = Chance(baseline_of(iter(rates)), SAMPLE)._kappa(rates[-1], "identity", "")
    assert excuse is not None
    assert excuse.value == pytest.approx(cohens_kappa(mimic.ravel(), reference.ravel()), abs=1e-12)


def test_lines_that_contradict_each_other_are_refused() -> None:
    rng = np.random.default_rng(4)
    reference, mimic = says(rng, 0.8, 0.1), says(rng, 0.7, 0.3)
    rates = list(cell("identity", reference, mimic))
    baseline = baseline_of(iter(rates))
    key = BaselineKey("set", "0123456789ab", RateKey("perth", "identity", "", "follower", "fixed", "tpr"))
    row = baseline[key]
    baseline[key] = BaselineRow(key, "mimic", (row.successes[0] ^ 1, *row.successes[1:]), row.trials)
    with pytest.raises(HarnessError, match=r"lines of follower and ref under identity must fit each other"):
        Chance(baseline, SAMPLE).excuse(rates[-1])
