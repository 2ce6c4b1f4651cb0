"""Every adversary keeps the contract, finds what is there to be found, and stops where nothing is."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from sealproof.attacks.adversarial import get_adversary, list_adversaries, standard_adversaries
from sealproof.attacks.adversarial.contract.base import AdaptiveAttack
from sealproof.attacks.adversarial.contract.budget import STEP, PeakBudget, SnrBudget, norms, written
from sealproof.attacks.adversarial.contract.knowledge import AdversaryKnowledge
from sealproof.attacks.adversarial.contract.oracle import DIRECTIONS, Direction, OutOfQueriesError
from sealproof.attacks.adversarial.contract.search import WITHIN, Search
from sealproof.attacks.adversarial.testing import N_FRAMES, FramedOracle, LinearOracle, check_adversary, toy_task
from sealproof.attacks.contract.errors import AttackError


@pytest.mark.parametrize("adversary", standard_adversaries(), ids=lambda adversary: adversary.id)
def test_keeps_the_contract(adversary: AdaptiveAttack) -> None:
    check_adversary(adversary)


def excess_db(adversary_id: str, direction: Direction, limit: int) -> float:
    """By how much the median change is larger than the distance of the boundary."""
    task = toy_task(direction, limit=limit)
    assert isinstance(task.oracle, LinearOracle)
    distance = np.abs(task.clips.astype(np.float64) @ task.oracle.weights)
    attempt = get_adversary(adversary_id).perform(task)
    length = norms(attempt.least.astype(np.float64) - task.clips)
    return float(np.median(20 * np.log10(length / distance)))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_white_box_finds_the_boundary_of_a_linear_detector_within_a_tenth_of_a_decibel(
    direction: Direction,
) -> None:
    assert -0.02 <= excess_db("white_box", direction, 100) < 0.1


def test_the_white_box_sets_out_where_its_value_is_past_zero_and_the_decision_is_not() -> None:
    """Four of ten parts are flagged, and strongly: their mean is positive, and six must be flagged."""
    task = toy_task("forgery", framed=True)
    assert isinstance(task.oracle, FramedOracle)
    blocks = task.oracle.weights.reshape(N_FRAMES, -1)
    clips = task.clips.astype(np.float64).reshape(len(task.clips), N_FRAMES, -1).copy()
    clips[:, :4] += 20 * 0.12 * blocks[:4]
    half_way = replace(task, clips=written(clips.reshape(task.clips.shape)))
    slope = task.oracle.gradient(half_way.clips, np.arange(len(clips)), "forgery")
    assert (slope.value > 0).all()
    assert not slope.flagged.any()
    assert np.isfinite(get_adversary("white_box").perform(half_way).least_size).all()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_decisions_find_the_boundary_of_a_linear_detector_within_two_decibels(direction: Direction) -> None:
    assert -0.02 <= excess_db("hsja.low", direction, 1500) < 2


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_the_walk_along_the_boundary_comes_nearer_with_more_questions(direction: Direction) -> None:
    few, many = (excess_db("boundary.low", direction, limit) for limit in (100, 1500))
    assert many < few - 3
    assert many < 5


@pytest.mark.parametrize("answers", ["scores", "frames"])
@pytest.mark.parametrize("name", ["nes", "random_search"])
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_scores_and_frames_turn_every_clip_of_a_toy_detector_within_the_budget(
    name: str, answers: str, direction: Direction
) -> None:
    task = toy_task(direction, limit=800, framed=answers == "frames")
    attempt = get_adversary(f"{name}.{answers}.low").perform(task)
    flagged = task.oracle.score(attempt.audio, np.arange(len(task.clips))) > task.oracle.threshold
    assert (flagged == (direction == "forgery")).all()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_budget_that_is_too_small_for_anybody_is_kept(direction: Direction) -> None:
    task = toy_task(direction, snr_db=60.0)
    attempt = get_adversary("white_box_pgd").perform(task)
    assert attempt.least_size.min() > WITHIN
    quiet = norms(attempt.audio.astype(np.float64) - task.clips) / norms(task.clips.astype(np.float64))
    assert (20 * np.log10(np.maximum(quiet, 1e-9)) <= -60).all()


def test_no_sample_changes_by_more_than_the_peak_budget() -> None:
    task = replace(toy_task(), budget=PeakBudget(250))
    attempt = get_adversary("white_box_pgd").perform(task)
    assert np.abs(attempt.audio - task.clips).max() <= 250 * STEP
    assert (np.isfinite(attempt.least_size)).all()


def test_a_silent_clip_allows_no_change_and_stays_silent() -> None:
    task = toy_task("forgery")
    silent = replace(task, clips=np.zeros_like(task.clips))
    for name in ("white_box", "white_box_pgd", "transfer", "universal", "tone", "mean_mark"):
        assert not get_adversary(name).perform(silent).audio.any()


def test_what_turns_the_decision_only_before_it_is_written_does_not_count() -> None:
    task = toy_task(limit=50)
    search = Search(task)
    who = search.everybody
    # Less than half a step everywhere: in a file nothing has changed.
    assert not search.decide(who, np.full_like(search.clips, 0.4 * STEP)).any()
    assert not np.isfinite(search.attempt().least_size).any()


def test_the_best_so_far_stands_when_questions_run_out() -> None:
    task = toy_task(limit=2)
    search = Search(task)
    assert isinstance(task.oracle, LinearOracle)
    enough = -0.2 * task.oracle.weights * np.ones((len(task.clips), 1))
    who = search.everybody
    assert search.decide(who, 2 * enough).all()
    assert search.decide(who, enough).all()
    with pytest.raises(OutOfQueriesError):
        search.decide(who, enough / 2)
    attempt = search.attempt()
    assert (attempt.n_questions == 2).all()
    assert np.array_equal(attempt.least, written(task.clips + enough))
    assert [step.n_questions for step in attempt.steps if step.clip == 0] == [1, 2]


def test_a_detector_without_gradients_has_no_white_box() -> None:
    task = toy_task()
    assert isinstance(task.oracle, LinearOracle)
    closed = LinearOracle(task.oracle.weights, 0.0, len(task.clips), 10, has_gradient=False)
    with pytest.raises(AttackError, match=r"white_box\..* needs gradients, which this detector does not give"):
        get_adversary("white_box").perform(replace(task, oracle=closed))


@pytest.mark.parametrize(("name", "missing"), [("transfer", "a surrogate"), ("tone", "marked"), ("hsja", "marked")])
def test_an_adversary_says_what_it_lacks(name: str, missing: str) -> None:
    with pytest.raises(AttackError, match=f"{name}.* needs {missing}"):
        get_adversary(name).perform(replace(toy_task(), knowledge=AdversaryKnowledge()))


@pytest.mark.parametrize("spec", ["hsja.high", "white_box.3steps", "nothing", "white_box.60", "transfer.20steps"])
def test_what_is_no_id_is_refused(spec: str) -> None:
    with pytest.raises(AttackError):
        get_adversary(spec)


def test_a_budget_of_energy_never_makes_a_change_larger() -> None:
    rng = np.random.default_rng(0)
    clips = rng.standard_normal((3, 100)).astype(np.float32)
    ball = SnrBudget(20).ball(clips, 16_000)
    who = np.arange(3)
    small = 0.01 * rng.standard_normal((3, 100)) * norms(clips.astype(np.float64))[:, None] / 100
    assert np.array_equal(ball.project(who, small), small)
    assert np.allclose(ball.size(who, ball.project(who, 100 * clips.astype(np.float64))), 1)
    assert np.allclose(ball.size(who, 2 * small), 2 * ball.size(who, small))


def test_adversaries_load_no_framework() -> None:
    code = (
        "import sys\nfrom sealproof.attacks.adversarial import standard_adversaries\nstandard_adversaries()\n"
        "assert not {'torch', 'tensorflow', 'keras', 'onnxruntime', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_adversary_has_a_summary_of_one_line() -> None:
    summaries = {form.name: form.summary for form in standard_adversaries()}
    assert set(summaries) == set(list_adversaries())
    assert all(summary and "\n" not in summary for summary in summaries.values())
