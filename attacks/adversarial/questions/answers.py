"""How near a change is to its goal, by scores or by frames: one question either way."""

from sealproof.attacks.adversarial.contract.objective import nearness_of_frames
from sealproof.attacks.adversarial.contract.oracle import Floats, Indices
from sealproof.attacks.adversarial.contract.search import Search

ANSWERS = ("scores", "frames")


def nearness(search: Search, who: Indices, changes: Floats, answers: str) -> Floats:
    """Ask about changes and return (m,) how near they are to their goal; higher is nearer."""
    oracle = search.task.oracle
    if answers == "scores":
        return search.sign * (search.score(who, changes) - oracle.threshold)
    return nearness_of_frames(search.frames(who, changes), oracle.threshold, search.sign)
