"""Where adversaries that hear yes or no begin: at a change that turns the decision, however large."""

import numpy as np

from sealproof.attacks.adversarial.contract.basis import restricted
from sealproof.attacks.adversarial.contract.oracle import Floats, Indices
from sealproof.attacks.adversarial.contract.search import Search

_N_OTHERS = 6
"""Other clips that are tried, in a random order of each clip's own."""

_HALVINGS = 8


def find_start(search: Search, basis: str) -> tuple[Indices, Floats]:
    """Ask for a first change that turns the decision: the way to another recording of the other kind.

    For forgery that is a marked clip that is detected: nothing that is found by chance is. The part of the way in the
    basis is tried first, and the whole way where that does not do. What turns the decision is pulled towards the clip.

    Returns:
        The clips (m,) for which one was found, and the changes (m, samples).
    """
    task = search.task
    others = (task.knowledge.marked if search.sign > 0 else task.knowledge.clean).astype(np.float64)
    orders = np.stack([rng.permutation(len(others)) for rng in search.rngs])
    missing = search.everybody
    for place in range(min(_N_OTHERS, len(others))):
        for inside in dict.fromkeys((basis, "all")):
            missing = missing[~search.has_turned[missing] & (search.left[missing] > 0)]
            if len(missing):
                way = others[orders[missing, place]] - search.clips[missing]
                search.decide(missing, restricted(way, inside, task.sample_rate))
    who = np.flatnonzero(search.has_turned)
    return who, pull(search, who, search.least_change(who), _HALVINGS)


def pull(search: Search, who: Indices, changes: Floats, rounds: int) -> Floats:
    """Shrink changes that turn the decision along their ray, by halving; as far as there are questions.

    Returns:
        Changes that turn the decision, close to where it turns.
    """
    holds, fails = np.ones(len(who)), np.zeros(len(who))
    for _ in range(rounds):
        asked = np.flatnonzero(search.left[who] > 0)
        if not len(asked):
            break
        middle = (holds[asked] + fails[asked]) / 2
        turned = search.decide(who[asked], middle[:, None] * changes[asked])
        holds[asked] = np.where(turned, middle, holds[asked])
        fails[asked] = np.where(turned, fails[asked], middle)
    return np.asarray(holds[:, None] * changes)
