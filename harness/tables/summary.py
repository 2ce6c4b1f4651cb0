"""From scores to table rows: the schema of summary.csv and what each of its metrics is taken over."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.datasets.dataset import Dataset, Pair, messages
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED
from sealproof.harness.foundation.text import filled
from sealproof.harness.matrix.outcome import Outcome, Scores
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.statistics import (
    agreement,
    detection,
    localisation,
    message,
    rank_agreement,
    roc,
    significance,
    thresholds,
)
from sealproof.harness.statistics.calibrated import estimate_rates as calibrated_rates
from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_median_of_defined, make_estimate
from sealproof.harness.statistics.estimation.intervals import UNKNOWN
from sealproof.harness.statistics.estimation.vectors import Flags
from sealproof.harness.statistics.thresholds import TARGET_FPR
from sealproof.harness.tables.dictionary.metrics import METRICS
from sealproof.harness.tables.resamples import resamples_of
from sealproof.harness.tables.rules import BEST, CALIBRATED, FIXED, TARGET_FPRS, Thresholds, alternative_decisions

__all__ = ["SUMMARY_COLUMNS", "Summariser", "SummaryRow", "as_record", "with_holm"]

MCNEMAR = "mcnemar_p"
"""Metric that `with_holm` adjusts."""

_Found = tuple[str, str, Estimate]
"""Threshold rule, metric and estimate."""

Number = tuple[str, str, str, str, Estimate]
"""Detector, role, threshold rule, metric and estimate: a row, but for the cell that it is of."""


@dataclass(frozen=True, kw_only=True)
class SummaryRow:
    """One number of summary.csv.

    Attributes:
        dataset: Name of the dataset's folder.
        scheme: Name of the watermark scheme.
        attack: Name of the attack.
        params: Its parameters, `name=value` joined by `;`.
        detector: Whose number it is; empty for a number about the attacked audio.
        role: `reference`, `mimic`, or `attack` for a number about the attacked audio.
        threshold_rule: Name of the rule; empty where no threshold is involved. See `metrics.THRESHOLD_RULES`.
        metric: Name of the metric. See `metrics.METRICS`.
        value: The estimate; empty where it is not defined.
        ci_low: Lower end of the 95 % interval; empty where it is not defined.
        ci_high: Upper end.
        n_clips: Clips it is taken over.
        n_groups: Groups they are from.
        status: `ok`, `failed`, or `no_threshold`: the calibration clips are too few for the rule.
        error: Why the cell failed, or how many clips it takes.
    """

    dataset: str
    scheme: str
    attack: str
    params: str
    detector: str
    role: str
    threshold_rule: str
    metric: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n_clips: int
    n_groups: int
    status: str = "ok"
    error: str = ""


NO_THRESHOLD = "no_threshold"
"""Status of a number that there is none of, as the rule has no threshold."""

_NOTHING = Estimate(np.nan, np.nan, np.nan, 0, 0)

_RATES = {
    "accuracy": detection.estimate_accuracy,
    "balanced_accuracy": detection.estimate_balanced_accuracy,
    "tpr": detection.estimate_tpr,
    "fpr": detection.estimate_fpr,
}

_AGREEMENT = (
    "agreement",
    "cohens_kappa",
    "pabak",
    "mcc",
    "agreement_reference_right",
    "agreement_reference_wrong",
    f"agreement_{CLEAN}",
    f"agreement_{WATERMARKED}",
    MCNEMAR,
)

SUMMARY_COLUMNS = tuple(field.name for field in fields(SummaryRow))


class Summariser:
    """Turns outcomes into rows; holds what all cells of a run share, and can be sent to another process."""

    def __init__(
        self, dataset: Dataset, pairs: Sequence[Pair], subjects: Sequence[Subject], thresholds: Mapping[str, Thresholds]
    ) -> None:
        """Prepare the truth, the groups and the resamples."""
        self._dataset_name = dataset.name
        # Not the subjects themselves: how a detector is loaded cannot be sent to another process.
        self._roles = {subject.name: subject.role for subject in subjects}
        self._thresholds = thresholds
        self._messages = messages([pair.watermarked for pair in pairs])
        # One draw of resamples for all cells and detectors, so that they can be compared.
        self._of_clips = resamples_of([pair.group for pair in pairs], dataset.facts["seed"])
        self._resamples = self._of_clips.twice()
        self._truth = np.repeat([False, True], len(pairs))

    def rows(self, outcome: Outcome) -> Iterator[SummaryRow]:
        """Yield the rows of one cell; a failed cell has one row, which says why.

        P values are those of the one cell; `with_holm` adjusts them for the number of attacks.
        """
        if outcome.error is not None:
            yield self._row(outcome, ("", "attack", "", "", _NOTHING))
            return
        assert outcome.measured is not None  # noqa: S101 - the cell did not fail
        yield from self.named(outcome, self.numbers(outcome.measured.quality, outcome.scores))

    def named(self, outcome: Outcome, numbers: Iterable[Number]) -> Iterator[SummaryRow]:
        """Make rows of a cell's numbers."""
        return (self._row(outcome, number) for number in numbers)

    def numbers(self, quality: Mapping[str, NDArray[np.float64]], scores: Mapping[str, Scores]) -> Iterator[Number]:
        """Yield the numbers of a cell that did not fail: all the work there is in its rows.

        Args:
            quality: (labels, clips) by metric of the attacked audio.
            scores: By detector.
        """
        for metric, values in quality.items():
            if np.isfinite(values).any():
                estimate = estimate_median_of_defined(values.ravel(), self._resamples)
                yield "", "attack", "", metric, estimate
        decisions = {name: self._decisions(scores[name], name) for name in self._roles}
        for name, role in self._roles.items():
            for rule, metric, estimate in chain(
                self._rates(name, scores[name], decisions[name]), self._measures(scores[name])
            ):
                yield name, role, rule, metric, estimate
        reference, *mimics = self._roles
        for name in mimics:
            shared = self._agreement(decisions[name], decisions[reference])
            alike = self._likeness(scores[name], scores[reference])
            for rule, metric, estimate in chain(shared, alike):
                yield name, self._roles[name], rule, metric, estimate

    def _decisions(self, scores: Scores, name: str) -> dict[str, Flags]:
        """Decide by every rule: (2 x clips,) by rule."""
        flat = scores.score.ravel()
        at = {**self._thresholds[name].by_rule(), BEST: thresholds.best_threshold(flat, self._truth)}
        decisions = {rule: thresholds.decide(flat, threshold) for rule, threshold in at.items()}
        alternatives = alternative_decisions(scores, self._messages)
        return {**decisions, **{rule: says.ravel() for rule, says in alternatives.items()}}

    def _rates(self, name: str, scores: Scores, decisions: Mapping[str, Flags]) -> Iterator[_Found]:
        """Yield what is taken over decisions, by every rule; nothing is known by one that has no threshold."""
        calibrated = self._thresholds[name].calibrated
        for rule in dict.fromkeys((FIXED, *TARGET_FPRS, *decisions)):
            if rule in calibrated:
                rates = calibrated_rates(scores.score.ravel(), self._truth, calibrated[rule], self._resamples)
                yield from ((rule, metric, estimate) for metric, estimate in rates.items())
            elif rule in TARGET_FPRS:
                yield from ((rule, metric, _NOTHING) for metric in _RATES)
            else:
                # A decision is a score, too: of 0 or 1, with a threshold between them.
                common = (decisions[rule], self._truth, 0.5, self._resamples)
                yield from ((rule, metric, estimate(*common)) for metric, estimate in _RATES.items())

    def _measures(self, scores: Scores) -> Iterator[_Found]:
        """Yield what is taken over scores, messages and frames: no rule is involved."""
        flat = scores.score.ravel()
        yield "", "auc", roc.estimate_auc(flat, self._truth, self._resamples)
        yield "", "eer", roc.estimate_eer(flat, self._truth, self._resamples)
        yield "", "tpr_at_fpr_1pct", roc.estimate_tpr_at_fpr(flat, self._truth, TARGET_FPR, self._resamples)
        if scores.bits.shape[-1]:
            common = (scores.bits[1], self._messages, self._of_clips)
            yield "", "bit_accuracy", message.estimate_bit_accuracy(*common)
            yield "", "exact_match", message.estimate_exact_match(*common)
            yield "", "message_p_value", message.estimate_p_value(*common)
        if not np.isnan(scores.frame_iou[1]).all():
            located = localisation.estimate_frame_iou(scores.frame_iou[1], self._of_clips)
            yield "", "frame_iou", located

    def _agreement(self, mimic: Mapping[str, Flags], reference: Mapping[str, Flags]) -> Iterator[_Found]:
        """Yield how far the decisions of a mimic and of the reference are alike, by the rules that both have."""
        for rule in (FIXED, CALIBRATED):
            if rule not in mimic:
                yield from ((rule, metric, _NOTHING) for metric in _AGREEMENT)
                continue
            a, b, truth, resamples = mimic[rule], reference[rule], self._truth, self._resamples
            yield rule, "agreement", agreement.estimate_agreement(a, b, resamples)
            yield rule, "cohens_kappa", agreement.estimate_kappa(a, b, resamples)
            yield rule, "pabak", agreement.estimate_pabak(a, b, resamples)
            yield rule, "mcc", agreement.estimate_mcc(a, b, resamples)
            for given in ("right", "wrong"):
                estimate = agreement.estimate_conditional_agreement(a, b, truth, resamples, given=given)
                yield rule, f"agreement_reference_{given}", estimate
            for label, chosen in ((CLEAN, ~truth), (WATERMARKED, truth)):
                some = agreement.estimate_agreement(a[chosen], b[chosen], resamples.of_clips(chosen))
                yield rule, f"agreement_{label}", some
            p_value = significance.mcnemar_exact(a == truth, b == truth)
            yield rule, MCNEMAR, make_estimate(p_value, UNKNOWN, resamples)

    def _likeness(self, mimic: Scores, reference: Scores) -> Iterator[_Found]:
        """Yield how far the scores of a mimic and of the reference are alike."""
        common = (mimic.score.ravel(), reference.score.ravel(), self._resamples)
        yield "", "spearman", rank_agreement.estimate_spearman(*common)

    def _row(self, outcome: Outcome, number: Number) -> SummaryRow:
        detector, role, rule, metric, estimate = number
        attack = outcome.cell.attack
        missing = self._thresholds[detector].why_not(rule) if rule in TARGET_FPRS else ""
        return SummaryRow(
            dataset=self._dataset_name,
            scheme=outcome.cell.scheme,
            attack=attack.name,
            params=attack.params_text,
            detector=detector,
            role=role,
            threshold_rule=rule,
            metric=metric,
            value=_defined(estimate.value),
            ci_low=_defined(estimate.ci_low),
            ci_high=_defined(estimate.ci_high),
            n_clips=estimate.n_clips,
            n_groups=estimate.n_groups,
            status="failed" if outcome.error is not None else NO_THRESHOLD if missing else "ok",
            error=outcome.error or missing,
        )


def _defined(value: float) -> float | None:
    """Turn NaN, and the infinite SNR of unchanged clips, into an empty cell."""
    return value if np.isfinite(value) else None


def with_holm(rows: Sequence[SummaryRow]) -> list[SummaryRow]:
    """Add McNemar's p values adjusted for the number of attacks, each behind the one that it comes from.

    Holm's method over all cells of a run, for every mimic and threshold rule by itself.

    Args:
        rows: The rows of a run's cells.
    """
    families: dict[tuple[str, str], dict[int, float]] = {}
    for index, row in enumerate(rows):
        if row.metric == MCNEMAR and row.value is not None:
            families.setdefault((row.detector, row.threshold_rule), {})[index] = row.value
    adjusted: dict[int, float] = {}
    for p_values in families.values():
        adjusted.update(zip(p_values, significance.holm(list(p_values.values())).tolist(), strict=True))
    corrected = []
    for index, row in enumerate(rows):
        corrected.append(row)
        if index in adjusted:
            corrected.append(replace(row, metric=f"{MCNEMAR}_holm", value=adjusted[index]))
    return corrected


def as_record(row: SummaryRow) -> dict[str, object]:
    """Return a row as it stands in the CSV: six decimals, of p values six digits; missing values empty."""
    form = METRICS[row.metric].form if row.metric else ""
    numbers = {name: getattr(row, name) for name in ("value", "ci_low", "ci_high")}
    record = {**row.__dict__, "params": filled(row.params)}
    return {**record, **{name: "" if number is None else f"{number:{form}}" for name, number in numbers.items()}}
