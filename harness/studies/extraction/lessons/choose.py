"""Choosing what to ask about: by doubt, or by which families of attacks have taught most."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks import get_attack
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.studies.extraction.imitators.base import CUT, Imitator, Judgement, Lesson
from sealproof.harness.studies.extraction.request import Case
from sealproof.harness.training.mimics.altered import MIXTURE
from sealproof.harness.training.mimics.queries import Answers

_ROUNDS = 4
"""The imitator is taught anew before each but the first, with a quarter of the steps."""

_LEARNING_RATE = 2.0
"""Of the preferences, in rewards, of a gradient bandit: Sutton and Barto, Reinforcement Learning, section 2.8."""


def choose(
    case: Case, imitator: Imitator, twins: Answers, candidates: Answers, attacks: Sequence[str], n: int
) -> NDArray[np.intp]:
    """Choose n of the candidates to ask about, in rounds; the first round is by chance.

    `active` takes those about which the imitator is least sure (Lewis and Gale, "A sequential algorithm for training
    text classifiers", SIGIR 1994). `knockoff` draws families of attacks by a policy and clips of a family by chance; a
    family earns how far the imitator was from the answers on its clips, and how sure the answers were (after Orekondy,
    Schiele and Fritz, "Knockoff Nets", CVPR 2019, section 4.2.2, with families in place of classes of pictures).

    Args:
        case: What is chosen for.
        imitator: Taught in every round.
        twins: What it learns from as well.
        candidates: Altered clips and what the imitator would be told of each; looked at for those chosen only.
        attacks: The attack of each.
        n: How many to choose.

    Returns:
        (n,) indices, in the order in which they were chosen; all candidates where there are no more than n.
    """
    rng = np.random.default_rng(derive_seed(case.seed, "choose", case.select, case.budget))
    total = len(attacks)
    if total <= n:
        return np.arange(total)
    sizes = [len(part) for part in np.array_split(np.arange(n), min(_ROUNDS, n))]
    chosen = np.arange(sizes[0])
    families = np.array([_family(attack) for attack in attacks])
    preferences = dict.fromkeys(sorted(set(families)), 0.0)
    answers = candidates.targets.mean(axis=1)
    latest = chosen
    for number, size in enumerate(sizes[1:], 1):
        lesson = Lesson(twins, Answers(candidates.audio[chosen], candidates.targets[chosen]))
        judge = imitator.fit(lesson, steps=max(1, case.steps // _ROUNDS), seed=case.seed + number)
        left = np.setdiff1d(np.arange(total), chosen)
        if case.select == "active":
            latest = left[np.argsort(np.abs(_scores(judge, candidates, left) - CUT), kind="stable")[:size]]
        else:
            error = np.abs(_scores(judge, candidates, latest) - answers[latest])
            sureness = 2 * np.abs(answers[latest] - CUT)
            _learn(preferences, families[latest], error + sureness)
            latest = _draw(preferences, families, left, size, rng)
        chosen = np.concatenate([chosen, latest])
    return chosen


def _family(attack: str) -> str:
    return MIXTURE if attack == MIXTURE else get_attack(attack).family


def _scores(judge: Judgement, candidates: Answers, index: NDArray[np.intp]) -> NDArray[np.float64]:
    parts = [judge(candidates.audio[index[at : at + 128]].astype(np.float32)) for at in range(0, len(index), 128)]
    return np.concatenate(parts).astype(np.float64)


def _policy(preferences: dict[str, float]) -> dict[str, float]:
    weights = {name: float(np.exp(value)) for name, value in preferences.items()}
    return {name: weight / sum(weights.values()) for name, weight in weights.items()}


def _learn(preferences: dict[str, float], families: NDArray[np.str_], rewards: NDArray[np.float64]) -> None:
    """Raise the preferences of families that earned more than the mean, and lower those of the others."""
    policy, mean = _policy(preferences), float(rewards.mean())
    for name in sorted(set(families)):
        gain = _LEARNING_RATE * (float(rewards[families == name].mean()) - mean)
        for other in preferences:
            preferences[other] += gain * ((other == name) - policy[other])


def _draw(
    preferences: dict[str, float], families: NDArray[np.str_], left: NDArray[np.intp], n: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    policy = _policy(preferences)
    in_family = {name: np.count_nonzero(families[left] == name) for name in policy}
    weights = np.array([policy[name] / in_family[name] for name in families[left]])
    return rng.choice(left, size=n, replace=False, p=weights / weights.sum())
