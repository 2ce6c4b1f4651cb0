"""From scores to table rows: the schema of summary.csv and what each of its metrics is taken over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sealproof.harness import agreement, metrics
from sealproof.harness.dataset import Dataset, Pair, messages
from sealproof.harness.intervals import Estimate, Floats, group_codes, group_weights
from sealproof.harness.matrix import Subject, params_text
from sealproof.harness.run import Outcome
from sealproof.harness.seeds import derive_seed
from sealproof.harness.store import Scores
from sealproof.harness.train_mimic import TARGET_FPR

FIXED, CALIBRATED = "fixed", "fpr_1pct"
"""Threshold rules: the detector's own, and the one with 1 % false positives on clean calibration clips."""


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
        threshold_rule: `fixed`, `fpr_1pct`, or empty where no threshold is involved.
        metric: Name of the metric.
        value: The estimate; empty where it is not defined.
        ci_low: Lower end of the 95 % interval; empty where it is not defined.
        ci_high: Upper end.
        n_clips: Clips it is taken over.
        n_groups: Groups they are from.
        status: `ok` or `failed`.
        error: Why the cell failed.
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


_NOTHING = Estimate(np.nan, np.nan, np.nan, 0, 0)

SUMMARY_COLUMNS = tuple(field.name for field in fields(SummaryRow))


@dataclass(frozen=True)
class Thresholds:
    """A detector's thresholds.

    Attributes:
        fixed: The detector's own.
        calibrated: The one with at most 1 % false positives on the calibration split's clean clips.
        n_negatives: Number of those clips.
    """

    fixed: float
    calibrated: float
    n_negatives: int

    @property
    def fpr_support(self) -> bool:
        """Say whether there are enough clean calibration clips for 1 %."""
        return metrics.fpr_support(self.n_negatives, TARGET_FPR)

    def by_rule(self) -> dict[str, float]:
        """Return the thresholds by the rules' names."""
        return {FIXED: self.fixed, CALIBRATED: self.calibrated}


def calibrate(outcome: Outcome) -> dict[str, Thresholds]:
    """Return every detector's thresholds from the calibration cell."""
    return {
        name: Thresholds(
            scores.threshold, metrics.threshold_at_fpr(scores.score[0], TARGET_FPR), int(scores.score[0].size)
        )
        for name, scores in outcome.scores.items()
    }


class Summariser:
    """Turns outcomes into rows; holds what all cells of a run share."""

    def __init__(
        self, dataset: Dataset, pairs: Sequence[Pair], subjects: Sequence[Subject], thresholds: Mapping[str, Thresholds]
    ) -> None:
        """Prepare the truth, the groups and the resamples."""
        self._dataset = dataset
        self._subjects = subjects
        self._thresholds = thresholds
        self._pairs = pairs
        codes, names = group_codes([pair.group for pair in pairs])
        self._clip_groups = codes
        self._groups = np.concatenate([codes, codes])
        self._truth = np.repeat([False, True], len(pairs))
        # One draw of resamples for all cells and detectors, so that they can be compared.
        seed = derive_seed(dataset.facts["seed"], "bootstrap")
        self._weights: Floats = group_weights(len(names), seed=seed)

    @cached_property
    def _messages(self) -> NDArray[np.uint8]:
        return messages([pair.watermarked for pair in self._pairs])

    def rows(self, outcome: Outcome) -> Iterator[SummaryRow]:
        """Yield the rows of one cell; a failed cell has one row, which says why."""
        if outcome.error is not None:
            yield self._row(outcome, "", "attack", "", "", _NOTHING)
            return
        yield from self._attack_rows(outcome)
        for subject in self._subjects:
            yield from self._detector_rows(outcome, subject)
        reference = self._subjects[0]
        for subject in self._subjects[1:]:
            yield from self._agreement_rows(outcome, subject, reference)

    def _attack_rows(self, outcome: Outcome) -> Iterator[SummaryRow]:
        assert outcome.measured is not None  # noqa: S101 - the cell did not fail
        snrs = outcome.measured.snr_db.ravel()
        if np.isfinite(snrs).any():
            estimate = metrics.estimate_snr_db(snrs, self._groups, self._weights)
            yield self._row(outcome, "", "attack", "", "snr_db", estimate)

    def _detector_rows(self, outcome: Outcome, subject: Subject) -> Iterator[SummaryRow]:
        scores = outcome.scores[subject.name]
        flat = scores.score.ravel()
        common = (self._groups, self._weights)
        for rule, threshold in self._thresholds[subject.name].by_rule().items():
            for metric, estimate in (
                ("accuracy", metrics.estimate_accuracy(flat, self._truth, threshold, *common)),
                ("tpr", metrics.estimate_tpr(flat, self._truth, threshold, *common)),
                ("fpr", metrics.estimate_fpr(flat, self._truth, threshold, *common)),
            ):
                yield self._row(outcome, subject.name, subject.role, rule, metric, estimate)
        yield self._row(
            outcome, subject.name, subject.role, "", "auc", metrics.estimate_auc(flat, self._truth, *common)
        )
        if scores.bits.shape[-1]:
            bits = metrics.estimate_bit_accuracy(scores.bits[1], self._messages, self._clip_groups, self._weights)
            yield self._row(outcome, subject.name, subject.role, "", "bit_accuracy", bits)

    def _agreement_rows(self, outcome: Outcome, mimic: Subject, reference: Subject) -> Iterator[SummaryRow]:
        for rule in (FIXED, CALIBRATED):
            mimic_says = self._decisions(outcome.scores[mimic.name], mimic, rule)
            reference_says = self._decisions(outcome.scores[reference.name], reference, rule)
            common = (mimic_says, reference_says, self._groups, self._weights)
            yield self._row(outcome, mimic.name, mimic.role, rule, "agreement", agreement.estimate_agreement(*common))
            kappa = agreement.estimate_kappa(*common)
            yield self._row(outcome, mimic.name, mimic.role, rule, "cohens_kappa", kappa)

    def _decisions(self, scores: Scores, subject: Subject, rule: str) -> NDArray[np.bool_]:
        return metrics.decide(scores.score.ravel(), self._thresholds[subject.name].by_rule()[rule])

    def _row(
        self, outcome: Outcome, detector: str, role: str, rule: str, metric: str, estimate: Estimate
    ) -> SummaryRow:
        attack = outcome.cell.attack
        return SummaryRow(
            dataset=self._dataset.name,
            scheme=outcome.cell.scheme,
            attack=attack.name,
            params=params_text(attack.params),
            detector=detector,
            role=role,
            threshold_rule=rule,
            metric=metric,
            value=_defined(estimate.value),
            ci_low=_defined(estimate.ci_low),
            ci_high=_defined(estimate.ci_high),
            n_clips=estimate.n_clips,
            n_groups=estimate.n_groups,
            status="ok" if outcome.error is None else "failed",
            error=outcome.error or "",
        )


def _defined(value: float) -> float | None:
    """Turn NaN, and the infinite SNR of unchanged clips, into an empty cell."""
    return value if np.isfinite(value) else None


def as_record(row: SummaryRow) -> dict[str, object]:
    """Return a row as it stands in the CSV: six decimals, missing values empty."""
    record = asdict(row)
    for name in ("value", "ci_low", "ci_high"):
        record[name] = "" if record[name] is None else f"{record[name]:.6f}"
    return {name: "" if value is None else value for name, value in record.items()}
