"""Tallies: the rates that are held against a baseline or another run, counted by group so that they can be paired."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.datasets.dataset import messages
from sealproof.harness.statistics.estimation.groups import Counts, group_codes, successes_by_group, sum_by_group
from sealproof.harness.statistics.estimation.vectors import Codes, Flags
from sealproof.harness.statistics.thresholds import decide

if TYPE_CHECKING:
    from sealproof.harness.datasets.dataset import Pair
    from sealproof.harness.matrix.outcome import Outcome
    from sealproof.harness.matrix.subject import Subject
    from sealproof.harness.tables.rules import Thresholds


RULES = ("fixed", "fpr_1pct")
"""Threshold rules of the gated rates."""

DETECTOR_METRICS = ("accuracy", "tpr", "fpr")
"""Gated rates of every detector."""

AUC, BIT_ACCURACY = "auc", "bit_accuracy"

RULELESS_METRICS = (AUC, BIT_ACCURACY)
"""Gated rates of every detector that no threshold is involved in; of bits there is one only where it decodes them."""

MIMIC_METRICS = (*DETECTOR_METRICS, "agreement")
"""Gated rates of a mimic."""

LOWER_IS_BETTER = frozenset({"fpr"})
"""Rates of which a rise is the drop."""

UNITS = {AUC: "pairs", BIT_ACCURACY: "bits"}
"""What a rate's trials are, where they are no clips. Of AUC they are pairs of a marked and a clean clip, each counted
for both recordings and twice, so that a tie counts 1 and a win 2."""


class RateKey(NamedTuple):
    """Which rate of which cell."""

    scheme: str
    attack: str
    params: str
    detector: str
    threshold_rule: str
    metric: str


@dataclass(frozen=True, eq=False)
class Tally:
    """One rate of one cell by group.

    Attributes:
        scheme: Name of the watermark scheme.
        attack: Name of the attack.
        params: Its parameters, `name=value` joined by `;`.
        detector: Whose rate it is.
        role: `reference` or `mimic`.
        threshold_rule: `fixed` or `fpr_1pct`; empty for `auc` and `bit_accuracy`.
        metric: `accuracy`, `tpr`, `fpr`, `auc`, `bit_accuracy` or `agreement`.
        groups: (G,) sorted names of the groups.
        successes: (G,) clips of each that count for the rate; or what `UNITS` says.
        trials: (G,) clips of each that it is taken over; or what `UNITS` says.
    """

    scheme: str
    attack: str
    params: str
    detector: str
    role: str
    threshold_rule: str
    metric: str
    groups: tuple[str, ...]
    successes: Counts
    trials: Counts

    @property
    def key(self) -> RateKey:
        """Which rate it is."""
        return RateKey(self.scheme, self.attack, self.params, self.detector, self.threshold_rule, self.metric)

    @property
    def value(self) -> float:
        """The rate, in [0, 1]."""
        return float(self.successes.sum() / self.trials.sum())

    @property
    def n_trials(self) -> int:
        """Clips that the rate is taken over; or what `UNITS` says."""
        return int(self.trials.sum())

    @property
    def unit(self) -> str:
        """What its trials are: `clips`, `bits` or `pairs`."""
        return UNITS.get(self.metric, "clips")


def gated_rates(role: str) -> Iterator[tuple[str, str]]:
    """Yield the rules and names of the rates that are gated for a detector of this role."""
    for rule in RULES:
        for metric in DETECTOR_METRICS if role == "reference" else MIMIC_METRICS:
            yield rule, metric
    for metric in RULELESS_METRICS:
        yield "", metric


def rate_flags(says: Flags, reference_says: Flags | None) -> dict[str, Flags]:
    """Return, for each gated rate, which clips count for it.

    Args:
        says: (2, clips) decisions on clean clips and on their watermarked twins.
        reference_says: The same of the reference detector, for a mimic; None for the reference itself.

    Returns:
        By metric (labels, clips): one row where the rate is taken over watermarked (`tpr`) or clean clips (`fpr`) only.
    """
    truth = np.array([[False], [True]])
    hits = {"accuracy": says == truth, "tpr": says[1:], "fpr": says[:1]}
    return hits if reference_says is None else {**hits, "agreement": says == reference_says}


def tallies(
    outcome: "Outcome",
    pairs: "Sequence[Pair]",
    subjects: "Sequence[Subject]",
    thresholds: "Mapping[str, Thresholds]",
) -> Iterator[Tally]:
    """Yield the gated rates of one cell that did not fail; none by a rule that has no threshold.

    Args:
        outcome: What the cell came to.
        pairs: The attacked pairs, in the order of the scores.
        subjects: The reference detector first, then the mimics.
        thresholds: By detector.
    """
    attack = outcome.cell.attack
    cell = (outcome.cell.scheme, attack.name, attack.params_text)
    codes, groups = group_codes([pair.group for pair in pairs])
    names = tuple(groups)
    sent = messages([pair.watermarked for pair in pairs])
    for subject in subjects:
        scores = outcome.scores[subject.name]
        who = (*cell, subject.name, subject.role, "")
        yield Tally(*who, AUC, names, *pairs_won(scores.score, codes, len(names)))
        if scores.bits.shape[-1]:
            right = (scores.bits[1] == sent).T
            yield Tally(*who, BIT_ACCURACY, names, *successes_by_group(right, codes, len(names)))
    for rule in RULES:
        # Too few calibration clips, and all detectors lack the same.
        if any(rule not in thresholds[subject.name].by_rule() for subject in subjects):
            continue
        says = {
            subject.name: decide(
                outcome.scores[subject.name].score.ravel(), thresholds[subject.name].by_rule()[rule]
            ).reshape(2, -1)
            for subject in subjects
        }
        for subject in subjects:
            reference = None if subject.role == "reference" else says[subjects[0].name]
            for metric, flags in rate_flags(says[subject.name], reference).items():
                counts = successes_by_group(flags, codes, len(names))
                yield Tally(*cell, subject.name, subject.role, rule, metric, names, *counts)


def pairs_won(scores: NDArray[np.floating], groups: Codes, n_groups: int) -> tuple[Counts, Counts]:
    """Count, for every group, the pairs of a marked and a clean clip with a clip of its own in them.

    A pair that the marked clip wins counts 2, a tie 1, for the group of either clip; so the sum of the wins over that
    of the trials is the AUC, and a group's share is what it adds to it (the placements of DeLong et al. 1988,
    Biometrics 44, in whole numbers).

    Args:
        scores: (2, clips) of clean and of watermarked clips.
        groups: (clips,) code of each clip's group.
        n_groups: Number of groups.

    Returns:
        (G,) wins and (G,) trials.
    """
    clean, marked = np.asarray(scores, dtype=np.float64)
    n_clips = marked.size
    below, above = np.sort(clean), np.sort(marked)
    of_marked = np.searchsorted(below, marked, "left") + np.searchsorted(below, marked, "right")
    of_clean = 2 * n_clips - np.searchsorted(above, clean, "left") - np.searchsorted(above, clean, "right")
    wins = sum_by_group(of_marked + of_clean, groups, n_groups)
    trials = np.bincount(groups, minlength=n_groups) * 4 * n_clips
    return wins.astype(np.int64), trials.astype(np.int64)
