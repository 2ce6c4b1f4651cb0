"""Clips with the detector's answers, made and asked once for all cases of one attacker's data."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.studies.extraction.imitators.base import FRAME, Imitator, Lesson
from sealproof.harness.studies.extraction.lessons.choose import choose
from sealproof.harness.studies.extraction.request import Case
from sealproof.harness.training.mimics.altered import Altered, altered_clips, query_attacks
from sealproof.harness.training.mimics.queries import Answers, Replies, ask, over_frames, sure_distance

_CANDIDATES = 3
"""Altered clips among which one is chosen, where they are not chosen by chance."""

_SURE_PAIRS = 100


@dataclass(frozen=True)
class Pool:
    """What an attacker could ask about.

    Attributes:
        twins: (2 n, samples), each clean clip followed by its twin.
        replies: What the detector says of them.
        altered: Altered clips; any first part is a fair sample.
        altered_replies: What the detector says of them.
    """

    twins: Audio
    replies: Replies
    altered: Altered
    altered_replies: Replies

    def lesson(self, case: Case, imitator: Imitator) -> tuple[Lesson, int, int]:
        """Return what a case learns from, and how many pairs and altered clips that is."""
        n_pairs, n_altered = case.shares(len(self.twins) // 2)
        twins = Answers(self.twins[: 2 * n_pairs], self._twin_targets(case.access, n_pairs))
        targets = self._altered_targets(case.access)
        every = Answers(self.altered.audio, targets)
        if case.select == "random" or not n_altered:
            return Lesson(twins, every.first(n_altered)), n_pairs, n_altered
        n_candidates = min(len(targets), candidates(case, n_altered))
        chosen = choose(
            case, imitator, twins, every.first(n_candidates), self.altered.attacks[:n_candidates], n_altered
        )
        return Lesson(twins, Answers(self.altered.audio[chosen], targets[chosen])), n_pairs, len(chosen)

    def _twin_targets(self, access: str, n_pairs: int) -> NDArray[np.float32]:
        if access == "labels":
            return over_frames(np.tile([False, True], n_pairs), self.replies.scores.shape[1])
        return self.replies.first(2 * n_pairs).targets(access)

    def _altered_targets(self, access: str) -> NDArray[np.float32]:
        if access == "labels":
            return over_frames(self.altered.is_marked, self.altered_replies.scores.shape[1])
        return self.altered_replies.targets(access)


def candidates(case: Case, n_altered: int) -> int:
    """Return how many altered clips must be there for so many to be chosen."""
    return n_altered if case.select == "random" else _CANDIDATES * n_altered


def gather_pool(dataset: Dataset, pairs: list[Pair], cases: list[Case]) -> Pool:
    """Make and ask about as many clips as cases of one attacker's data, augmentation and seed need.

    Raises:
        HarnessError: No attack is of the families that are asked for.
    """
    shares = [(case, *case.shares(len(pairs))) for case in cases]
    most_pairs = max(n_pairs for _, n_pairs, _ in shares)
    most_altered = max(candidates(case, n_altered) for case, _, n_altered in shares)
    twins = dataset.audio([row for pair in pairs[:most_pairs] for row in (pair.clean, pair.watermarked)])
    altered = altered_clips(dataset, pairs, most_altered, cases[0].seed, _attacks(cases[0]))
    detector = get_scheme(dataset.scheme).detector
    # Of the first pairs whatever the budget, so that a case's answers do not depend on the others'.
    first = dataset.audio([row for pair in pairs[:_SURE_PAIRS] for row in (pair.clean, pair.watermarked)])
    scale = sure_distance(detector, first)
    return Pool(twins, ask(detector, twins, FRAME, scale), altered, ask(detector, altered.audio, FRAME, scale))


def _attacks(case: Case) -> list[Attack] | None:
    if case.families is None:
        return None
    attacks = query_attacks()
    unknown = sorted(set(case.families) - {attack.family for attack in attacks})
    if unknown:
        known = ", ".join(sorted({attack.family for attack in attacks}))
        raise HarnessError(f"--augment altered:FAMILIES must name some of {known}. Got {', '.join(unknown)}.")
    return [attack for attack in attacks if attack.family in case.families]
