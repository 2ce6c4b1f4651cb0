"""Checks: an adversary that is broken must not look like a robust detector. What fails them has no number."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise

import numpy as np

from sealproof.attacks.adversarial import get_adversary
from sealproof.attacks.adversarial.contract.base import AdaptiveAttack
from sealproof.attacks.adversarial.contract.budget import SnrBudget, norms
from sealproof.attacks.adversarial.contract.oracle import DIRECTIONS, Direction
from sealproof.attacks.adversarial.testing import LinearOracle, StubbornOracle, toy_task
from sealproof.attacks.contract.errors import AttackError
from sealproof.detectors.base import Audio
from sealproof.detectors.slopes import SlopeFunction, slope_of
from sealproof.harness.statistics.significance import mcnemar_exact
from sealproof.harness.studies.adversaries.arena import Arena, row_of
from sealproof.harness.studies.adversaries.cell import AdversaryCell
from sealproof.harness.studies.adversaries.study import CellResult
from sealproof.harness.studies.adversaries.target.oracle import detect
from sealproof.harness.studies.adversaries.target.surrogates import SHUFFLED

N_PROBED = 4
"""Clips that single checks look at."""

_STEPS = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One row of adversary_checks.csv.

    Attributes:
        number: As docs/adversaries.md numbers them, 1 to 10.
        name: What is checked.
        about: Of which adversary, surrogate or cell.
        direction: Which way; empty where that does not matter.
        rule: At which threshold rule; empty where that does not matter.
        value: What was measured.
        required: What was asked for, in words.
        passed: Whether it holds.
        cells: Ids of the cells whose numbers fall with it, joined by blanks.
    """

    number: int
    name: str
    about: str
    direction: str
    rule: str
    value: float
    required: str
    passed: bool
    cells: str


CHECK_COLUMNS = tuple(item.name for item in fields(Check))


def run_checks(arena: Arena, results: Sequence[CellResult]) -> list[Check]:
    """Run all checks of a study."""
    done = [each for each in results if each.fought is not None]
    return [
        *_gradients(arena, done),
        *_alone(arena, done),
        *_without_budget(done),
        *_monotone(done),
        *_white_box_wins(done),
        *_on_toys(done),
        *_spies(done),
        *_ignorance(done),
    ]


def unreliable_cells(checks: Sequence[Check]) -> dict[str, str]:
    """Return by id of a cell which check it failed first."""
    reasons: dict[str, str] = {}
    for check in checks:
        if not check.passed:
            for cell in check.cells.split():
                reasons.setdefault(cell, f"check {check.number} failed: {check.name}: {check.value:.4g}")
    return reasons


def _gradients(arena: Arena, results: Sequence[CellResult]) -> Iterator[Check]:
    """1: differences along gradients are what the gradients promise."""
    for direction in DIRECTIONS:
        audio = arena.dataset.audio([row_of(pair, direction) for pair in arena.pairs[:N_PROBED]])
        with_weights = _ids(results, lambda cell: cell.adversary.knows == "weights", direction)
        slope = slope_of(arena.detector)
        thresholds = {each.cell.rule: each.cell.threshold for each in results}
        if slope is not None and with_weights:
            for rule, threshold in thresholds.items():
                worst = worst_slope(slope, audio, threshold, direction == "forgery")
                cells = [each.cell.id for each in results if each.cell.id in with_weights and each.cell.rule == rule]
                yield _check(1, "gradient", arena.subject.name, worst, "within 0.01 of 1", worst <= 0.01, cells,
                             direction, rule)  # fmt: skip
        surrogates = {each.cell.surrogate.name: each.cell.surrogate for each in results if each.cell.surrogate}
        for name, source in surrogates.items():
            worst = worst_slope(source.load(), audio, 0.5, direction == "forgery")
            cells = _ids(results, lambda cell, name=name: cell.surrogate_name == name, direction)  # type: ignore[misc]
            yield _check(1, "gradient", name, worst, "within 0.01 of 1", worst <= 0.01, cells, direction)


def worst_slope(slope: SlopeFunction, audio: Audio, threshold: float, is_to_flag: bool) -> float:
    """Return how far from 1 the ratio of difference to gradient is, of the clip where it is worst.

    Of several lengths of the step that counts at which a clip fits best: networks bend, and single precision ends. A
    gradient of zero is infinitely far.
    """
    gradient = slope(audio, threshold, is_to_flag).gradient
    length = norms(gradient.astype(np.float64))[:, None]
    if not (length > 0).all():
        return float("inf")
    misses = []
    for step in _STEPS:
        along = (step * gradient / length).astype(np.float32)
        up, down = (slope(audio + side * along, threshold, is_to_flag).value for side in (1, -1))
        misses.append(np.abs((up - down) / (2 * step * length[:, 0]) - 1))
    return float(np.min(misses, axis=0).max())


def _alone(arena: Arena, results: Sequence[CellResult]) -> Iterator[Check]:
    """2: a clip gets the same answer alone and in a batch."""
    pairs = arena.pairs[: 2 * N_PROBED]
    audio = arena.dataset.audio([row_of(pair, direction) for direction in DIRECTIONS for pair in pairs])
    together = detect(arena.detector, audio).score
    alone = np.concatenate([detect(arena.detector, clip[None]).score for clip in audio])
    for rule, threshold in {each.cell.rule: each.cell.threshold for each in results}.items():
        differ = int(((together > threshold) != (alone > threshold)).sum())
        cells = [each.cell.id for each in results if each.cell.rule == rule]
        yield _check(2, "same answer alone and in a batch", arena.subject.name, differ, "0 clips differ", differ == 0,
                     cells, rule=rule)  # fmt: skip


def _without_budget(results: Sequence[CellResult]) -> Iterator[Check]:
    """3: whoever seeks the least change with the detector's help finds one for every clip, however large."""
    for each in results:
        cell, fought = each.cell, each.fought
        helped = cell.adversary.asks == "gradients" or cell.adversary.needs_start
        if fought is None or not cell.adversary.seeks_least or not helped or cell.limit < 50:
            continue
        share = float(np.isfinite(fought.least_snr_db).mean())
        yield _check(3, "every clip falls without a budget", cell.id, share, "1", share == 1.0, [cell.id],
                     cell.direction, cell.rule)  # fmt: skip


def _monotone(results: Sequence[CellResult]) -> Iterator[Check]:
    """4: a larger budget does not help less, and neither do more questions."""
    families: dict[tuple[str, ...], list[tuple[float, float, str]]] = {}
    for each in results:
        cell, fought = each.cell, each.fought
        if fought is None:
            continue
        for place, budget in enumerate(cell.budgets):
            # What nobody asks about may overshoot: that is a fact about it, and no fault.
            if isinstance(budget, SnrBudget) and cell.adversary.asks != "nothing":
                key = (cell.adversary.id, cell.surrogate_name, cell.direction, cell.rule)
                won = float(fought.success[place].sum())
                families.setdefault(key, []).append((budget.snr_db, won, cell.id))
    for (adversary, surrogate, direction, rule), members in families.items():
        ordered = sorted(members)
        if len(ordered) < 2:
            continue
        # Searches that draw may miss a clip: one is no fault.
        worst = max(later[1] - earlier[1] for earlier, later in pairwise(ordered))
        about = f"{adversary} {surrogate}".strip()
        cells = sorted({member[2] for member in ordered})
        yield _check(4, "monotone in the budget", about, worst, "at most 1 clip", worst <= 1, cells, direction, rule)
    for each in results:
        if each.fought is not None and each.cell.adversary.asks != "nothing":
            first = each.fought.first_question
            late = np.isfinite(first) & (first > each.fought.n_questions[None, :])
            yield _check(4, "no success after the last question", each.cell.id, float(late.sum()), "0",
                         not late.any(), [each.cell.id], each.cell.direction, each.cell.rule)  # fmt: skip


def _white_box_wins(results: Sequence[CellResult]) -> Iterator[Check]:
    """5: per clip the white box is at least as good as all that know less; where it is not, it is the one in doubt."""
    boxes = [each for each in results if each.cell.adversary.name == "white_box"]
    for box in boxes:
        assert box.fought is not None  # noqa: S101 - the caller has looked
        rivals = [
            each
            for each in results
            if each.cell.adversary.knows != "weights"
            and (each.cell.direction, each.cell.rule) == (box.cell.direction, box.cell.rule)
        ]
        for place, budget in enumerate(box.cell.budgets):
            fallen = {pair.clip_id for pair, won in zip(box.pairs, box.fought.success[place], strict=True) if won}
            tried = {pair.clip_id for pair in box.pairs}
            lost = {
                pair.clip_id
                for rival in rivals
                if rival.fought is not None and budget in rival.cell.budgets
                for pair, won in zip(rival.pairs, rival.fought.success[rival.cell.budgets.index(budget)], strict=True)
                if won and pair.clip_id in tried
            } - fallen
            yield _check(5, f"nobody beats the white box under {budget.name}", box.cell.id, float(len(lost)), "0 clips",
                         not lost, [box.cell.id], box.cell.direction, box.cell.rule)  # fmt: skip


def _on_toys(results: Sequence[CellResult]) -> Iterator[Check]:
    """6, 7 and 8: on detectors of which all is known."""
    for adversary in {each.cell.adversary: None for each in results}:
        for direction in DIRECTIONS:
            cells = _ids(results, lambda cell, one=adversary: cell.adversary == one, direction)  # type: ignore[misc]
            if adversary.name in ("white_box", "hsja"):
                most = 0.1 if adversary.name == "white_box" else 2.0
                # Questions in all samples take more of them than a check may ask: the low basis answers for both.
                asked = adversary if adversary.name == "white_box" else get_adversary("hsja.low")
                excess = linear_excess_db(asked, direction)
                yield _check(6, "boundary of a linear detector", asked.id, excess, f"within {most:g} dB",
                             excess <= most, cells, direction)  # fmt: skip
            n_claimed = stubborn_finds(adversary, direction)
            yield _check(7, "a detector that never falls", adversary.id, n_claimed, "0 successes, ends in budget",
                         n_claimed == 0, cells, direction)  # fmt: skip
            if adversary.needs_start:
                excess = planted_excess_db(adversary, direction)
                yield _check(8, "a planted example is found", adversary.id, excess, "at most as large as planted",
                             excess <= 0, cells, direction)  # fmt: skip


def linear_excess_db(adversary: AdaptiveAttack, direction: Direction) -> float:
    """Return by how much an adversary's median change is larger than the way to a linear detector's boundary.

    Infinite where it does not find one for every clip.
    """
    task = toy_task(direction, limit=1500)
    assert isinstance(task.oracle, LinearOracle)  # noqa: S101 - a toy without frames is one
    distance = np.abs(task.clips.astype(np.float64) @ task.oracle.weights)
    attempt = adversary.perform(task)
    if not np.isfinite(attempt.least_size).all():
        return float("inf")
    return float(np.median(20 * np.log10(norms(attempt.least.astype(np.float64) - task.clips) / distance)))


def stubborn_finds(adversary: AdaptiveAttack, direction: Direction) -> float:
    """Return how many successes an adversary claims against a detector that never changes its mind; -1 if it breaks."""
    task = toy_task(direction, limit=60)
    stubborn = StubbornOracle(len(task.clips), 60, flags=direction == "removal")
    try:
        attempt = adversary.perform(replace(task, oracle=stubborn))
    except AttackError:
        return -1.0
    return float(np.isfinite(attempt.least_size).sum())


def planted_excess_db(adversary: AdaptiveAttack, direction: Direction) -> float:
    """Return by how much what an adversary finds is larger than what was laid in its way, in dB."""
    task = toy_task(direction, limit=200)
    assert isinstance(task.oracle, LinearOracle)  # noqa: S101 - a toy without frames is one
    way = (1.0 if direction == "forgery" else -1.0) * 0.16 * task.oracle.weights
    planted = (task.clips + way).astype(np.float32)
    ball = task.budget.ball(task.clips, task.sample_rate)
    sizes = ball.size(np.arange(len(planted)), np.tile(way, (len(planted), 1)))
    excess = []
    for clip in range(len(planted)):
        # Each clip alone, so that the planted one is its own.
        own = slice(clip, clip + 1)
        known = replace(task.knowledge, clean=planted[own], marked=planted[own])
        oracle = LinearOracle(task.oracle.weights, 0.0, 1, 200)
        one = replace(task, clips=task.clips[own], seeds=[int(task.seeds[clip])], knowledge=known, oracle=oracle)
        excess.append(20 * np.log10(adversary.perform(one).least_size[0] / sizes[clip]))
    return float(max(excess))


def _spies(results: Sequence[CellResult]) -> Iterator[Check]:
    """9: the detector's own counter says the same, and no limit was exceeded."""
    for each in results:
        assert each.fought is not None  # noqa: S101 - the caller has looked
        differ = float(np.abs(each.fought.spied - each.fought.n_questions).sum())
        exceeded = bool((each.fought.spied > each.cell.limit).any())
        yield _check(9, "questions as the detector counts them", each.cell.id, differ, "0, none beyond the limit",
                     differ == 0 and not exceeded, [each.cell.id], each.cell.direction, each.cell.rule)  # fmt: skip


def _ignorance(results: Sequence[CellResult]) -> Iterator[Check]:
    """10: a surrogate that was taught nonsense is no better than another clip's change of the same size."""
    for each in results:
        if each.cell.surrogate_name != SHUFFLED or each.fought is None or each.cell.adversary.asks != "nothing":
            continue
        won = each.fought.success[0] == 1
        control = np.nan_to_num(each.fought.controls[0]).max(axis=0) == 1
        p = mcnemar_exact(won, control)
        better = bool(won.sum() > control.sum()) and p < 0.05
        transfers = [
            other.cell.id
            for other in results
            if other.cell.adversary.id == each.cell.adversary.id
            and (other.cell.direction, other.cell.rule) == (each.cell.direction, each.cell.rule)
        ]
        yield _check(10, f"nonsense teaches nothing under {each.cell.budgets[0].name}", each.cell.id, p,
                     "not better than its best control (p >= 0.05)", not better, transfers, each.cell.direction,
                     each.cell.rule)  # fmt: skip


def _ids(results: Sequence[CellResult], is_meant: Callable[[AdversaryCell], bool], direction: str) -> list[str]:
    return [each.cell.id for each in results if is_meant(each.cell) and each.cell.direction == direction]


def _check(
    number: int,
    name: str,
    about: str,
    value: float,
    required: str,
    passed: bool,
    cells: Sequence[str],
    direction: str = "",
    rule: str = "",
) -> Check:
    return Check(
        number=number, name=name, about=about, direction=direction, rule=rule, value=float(value), required=required,
        passed=bool(passed), cells=" ".join(cells),
    )  # fmt: skip
