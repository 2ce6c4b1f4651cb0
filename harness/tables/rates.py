"""Tallies: the rates that are held against a baseline or another run, counted by group so that they can be paired."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sealproof.harness.statistics.estimation.groups import Counts, group_codes, successes_by_group
from sealproof.harness.statistics.estimation.vectors import Flags
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

MIMIC_METRICS = (*DETECTOR_METRICS, "agreement")
"""Gated rates of a mimic."""

LOWER_IS_BETTER = frozenset({"fpr"})
"""Rates of which a rise is the drop."""


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
        threshold_rule: `fixed` or `fpr_1pct`.
        metric: `accuracy`, `tpr`, `fpr` or `agreement`.
        groups: (G,) sorted names of the groups.
        successes: (G,) clips of each that count for the rate.
        trials: (G,) clips of each that it is taken over.
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
    def n_clips(self) -> int:
        """Clips that the rate is taken over."""
        return int(self.trials.sum())


def gated_metrics(role: str) -> tuple[str, ...]:
    """Return the names of the rates that are gated for a detector of this role."""
    return DETECTOR_METRICS if role == "reference" else MIMIC_METRICS


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
    codes, names = group_codes([pair.group for pair in pairs])
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
                yield Tally(*cell, subject.name, subject.role, rule, metric, tuple(names), *counts)
