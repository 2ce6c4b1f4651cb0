"""Whether the baseline knows a mimic to follow its reference at all: the kappa of the two, from counts by group.

A mimic that says "clean" to every clip agrees with the reference where that says "clean", and so agrees less with a
better one. Its drop is no loss.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.pytest_plugin.baseline import BaselineKey, BaselineRow, Sample
from sealproof.harness.statistics.agreement import estimate_kappa
from sealproof.harness.statistics.estimation.estimate import Estimate
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.tables.rates import RULES, RateKey, Tally

_UNATTACKED = ("identity", "")


@dataclass(frozen=True)
class Chance:
    """Tells the mimics that follow their reference from those that do not.

    Attributes:
        baseline: What the file holds.
        sample: What the run's rates are taken on.
    """

    baseline: Mapping[BaselineKey, BaselineRow]
    sample: Sample
    _known: dict[tuple[str, str, str, str], Estimate | None] = field(default_factory=dict)

    def excuse(self, tally: Tally) -> str:
        """Say why a mimic's rate is not held against the baseline; empty where it is, as for a reference.

        Unattacked clips decide. Where the baseline has none, and for agreement, the cell's own do, too.

        Raises:
            HarnessError: Lines of the baseline contradict each other.
        """
        if tally.role == "reference":
            return ""
        unattacked = self._kappa(tally, *_UNATTACKED)
        cells = {"unattacked": unattacked}
        if unattacked is None or tally.metric == "agreement":
            cells["here"] = self._kappa(tally, tally.attack, tally.params)
        for where, kappa in cells.items():
            # A kappa that is not defined (both say the same of all clips) is no evidence of following either.
            if kappa is not None and not (kappa.ci_low > 0 or kappa.ci_high < 0):
                interval = (
                    "" if np.isnan(kappa.value) else f", {kappa.value:.3f} [{kappa.ci_low:.3f}, {kappa.ci_high:.3f}]"
                )
                return f"its kappa with the reference {where} in the baseline{interval} cannot be told from 0"
        return ""

    def _kappa(self, tally: Tally, attack: str, params: str) -> Estimate | None:
        key = (tally.detector, _rule(tally), attack, params)
        if key not in self._known:
            self._known[key] = self._estimate(tally, attack, params)
        return self._known[key]

    def _estimate(self, tally: Tally, attack: str, params: str) -> Estimate | None:
        """Return kappa with its interval; None where the baseline lacks a rate that it takes."""
        own = [self._row(tally, attack, params, tally.detector, metric) for metric in ("agreement", "tpr", "fpr")]
        name = self._reference(tally, attack, params)
        of_reference = [self._row(tally, attack, params, name, metric) for metric in ("tpr", "fpr")]
        rows = [row for row in (*own, *of_reference) if row is not None]
        if len(rows) < 5:
            return None
        damaged = HarnessError(
            f"The baseline's lines of {tally.detector} and {name} under {' '.join([attack, params]).strip()} must fit "
            "each other: agreement, TPR and FPR by group. They do not: a line was changed. Take the file from version "
            "control again, or delete these lines."
        )
        if any(len(row.trials) != len(self.sample.groups) for row in rows):
            raise damaged
        agreed, *positive = (np.array(row.successes) for row in rows)
        n_clips = np.array(rows[0].trials)
        said, reference_said = positive[0] + positive[1], positive[2] + positive[3]
        both, odd = np.divmod(agreed - n_clips + said + reference_said, 2)
        counts = np.stack([both, said - both, reference_said - both, n_clips - said - reference_said + both])
        if odd.any() or (counts < 0).any():
            raise damaged
        groups = [name for name, n in zip(self.sample.groups, n_clips.tolist(), strict=True) for _ in range(n)]
        by_clip = counts.T.ravel()
        mimic = np.repeat(np.tile([True, True, False, False], len(n_clips)), by_clip)
        reference = np.repeat(np.tile([True, False, True, False], len(n_clips)), by_clip)
        return estimate_kappa(mimic, reference, Resamples.of(groups, derive_seed("kappa of the baseline")))

    def _reference(self, tally: Tally, attack: str, params: str) -> str:
        """Return the name of the reference in a cell of the baseline; empty where it has none."""
        cell = (*self.sample[:2], tally.scheme, attack, params)
        names = (
            key.rate.detector for key, row in self.baseline.items() if row.role == "reference" and _cell(key) == cell
        )
        return next(names, "")

    def _row(self, tally: Tally, attack: str, params: str, detector: str, metric: str) -> BaselineRow | None:
        rate = RateKey(tally.scheme, attack, params, detector, _rule(tally), metric)
        return self.baseline.get(BaselineKey(*self.sample[:2], rate))


def _rule(tally: Tally) -> str:
    """Return the rule whose decisions tell; of a rate without a rule, as AUC, the detector's own threshold."""
    return tally.threshold_rule or RULES[0]


def _cell(key: BaselineKey) -> tuple[str, ...]:
    return (key.dataset, key.clips, *key.rate[:3])
