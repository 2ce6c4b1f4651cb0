"""What every threshold rule and metric of the tables means: with `columns`, the data dictionary as data.

A test holds it against what a run writes, both ways, and `results/README.md` is made from it by `data_dictionary`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["METRICS", "THRESHOLD_RULES", "Metric", "ThresholdRule"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric of summary.csv.

    Attributes:
        meaning: What it is, in words; it stands in a table.
        unit: Its unit; empty for a bare number.
        low: Lowest value that it can have; None for no bound.
        high: Highest.
        better: `higher`, `lower`, or empty where neither is good in itself.
        chance: What a detector gets that guesses; None where that says nothing.
        source: Who defined it.
        defined_in: `module.function` of the harness that computes it.
        has_rule: It is taken at a threshold rule.
        form: How its values are written; `z` keeps a rounded zero from having a sign.
    """

    meaning: str
    unit: str = ""
    low: float | None = 0
    high: float | None = 1
    better: str = "higher"
    chance: float | None = None
    source: str = ""
    defined_in: str
    has_rule: bool = False
    form: str = "z.6f"


@dataclass(frozen=True, kw_only=True)
class ThresholdRule:
    """A threshold rule: how a score becomes a decision.

    Attributes:
        meaning: What it is, in words.
        applies_to: Which detectors have it.
        is_optimistic: The threshold was chosen on the very clips that it is judged by: an upper bound, no result.
    """

    meaning: str
    applies_to: str = "all"
    is_optimistic: bool = False


_AUDIOSEALS = "detectors whose frames are probabilities (AudioSeal's kind)"

THRESHOLD_RULES: Mapping[str, ThresholdRule] = {
    "fixed": ThresholdRule(
        meaning="the score exceeds the detector's own threshold, as its makers publish it; of AudioSeal's kind: more "
        "than half of the samples are taken for watermarked"
    ),
    "fpr_1pct": ThresholdRule(
        meaning="it exceeds the threshold that new clean, unattacked clips exceed with 1 % at most, from those of the "
        "calibration split: of `n` it flags `floor((n + 1) / 100) - 1`. It takes 99 of them; with fewer there is no "
        "threshold, and its numbers are empty"
    ),
    "fpr_0.1pct": ThresholdRule(meaning="the same for 0.1 %, which takes 999 clean calibration clips"),
    "best": ThresholdRule(
        meaning="it exceeds the threshold with the highest accuracy in this very cell, which nobody knows who must "
        "decide: an upper bound",
        is_optimistic=True,
    ),
    "mean_probability": ThresholdRule(
        meaning="the mean of the frames' probabilities exceeds 0.5", applies_to=_AUDIOSEALS
    ),
    "low_tau": ThresholdRule(
        meaning="more than 10 % of the samples are taken for watermarked (AudioMarkBench's tau of 0.1)",
        applies_to=_AUDIOSEALS,
    ),
    "bits": ThresholdRule(
        meaning="more than 80 % of the decoded bits (13 of 16) are those that were sent; of a clean clip, those of its "
        "watermarked twin. The score is not looked at",
        applies_to=f"{_AUDIOSEALS} with a message",
    ),
}
"""Rules by name, in the order of the tables."""

_ABOUT_DECISIONS = {
    "accuracy": Metric(
        meaning="share of clips, clean and watermarked, both attacked, that the detector judges right",
        chance=0.5,
        defined_in="statistics.detection.accuracy",
        has_rule=True,
    ),
    "balanced_accuracy": Metric(
        meaning="mean of TPR and 1 - FPR; the accuracy, where clean and watermarked clips are equally many",
        chance=0.5,
        defined_in="statistics.detection.balanced_accuracy",
        has_rule=True,
    ),
    "tpr": Metric(
        meaning="share of watermarked clips that it flags", defined_in="statistics.detection.tpr", has_rule=True
    ),
    "fpr": Metric(
        meaning="share of clean clips that it flags, under the same attack",
        better="lower",
        defined_in="statistics.detection.fpr",
        has_rule=True,
    ),
}

_ABOUT_SCORES = {
    "auc": Metric(
        meaning="probability that a watermarked clip scores above a clean one, under the same attack",
        chance=0.5,
        source="Hanley and McNeil 1982",
        defined_in="statistics.roc.auc",
    ),
    "eer": Metric(
        meaning="equal error rate: the share of wrong decisions at the threshold where misses and false alarms are as "
        "frequent, both under the same attack",
        better="lower",
        chance=0.5,
        defined_in="statistics.roc.eer",
    ),
    "tpr_at_fpr_1pct": Metric(
        meaning="TPR at the threshold for 1 % false positives (as `fpr_1pct`) from the *attacked* clean clips of the "
        "same cell: what could be had if the threshold were set anew for each attack; empty with fewer than 99 of them",
        chance=0.01,
        defined_in="statistics.roc.tpr_at_fpr",
    ),
}

_ABOUT_MESSAGES = {
    "bit_accuracy": Metric(
        meaning="share of message bits decoded right, watermarked clips only",
        chance=0.5,
        defined_in="statistics.message.bit_accuracy",
    ),
    "exact_match": Metric(
        meaning="share of watermarked clips whose whole message is decoded right",
        defined_in="statistics.message.exact_match",
    ),
    "message_p_value": Metric(
        meaning="median over watermarked clips of the probability to get as many bits right by tosses of a coin",
        better="lower",
        source="exact binomial test",
        defined_in="statistics.message.p_value",
        form=".6g",
    ),
    "frame_iou": Metric(
        meaning="where a part of a watermarked clip lost its mark (attack `splice`, silenced stretches): the samples "
        "flagged *and* marked over those flagged *or* marked, mean over clips",
        source="Jaccard 1912; San Roman et al. 2024",
        defined_in="statistics.localisation.frame_iou",
    ),
}

_ABOUT_MIMICS = {
    "agreement": Metric(
        meaning="share of clips on which the mimic and the reference decide alike",
        source="Jagielski et al. 2020 (fidelity)",
        defined_in="statistics.agreement.agreement",
        has_rule=True,
    ),
    "cohens_kappa": Metric(
        meaning="agreement beyond what their rates of yes and no give by chance; empty where both always say the same",
        low=-1,
        chance=0,
        source="Cohen 1960",
        defined_in="statistics.agreement.cohens_kappa",
        has_rule=True,
    ),
    "pabak": Metric(
        meaning="kappa if both said yes to half of the clips: 2 x agreement - 1",
        low=-1,
        chance=0,
        source="Byrt, Bishop and Carlin 1993",
        defined_in="statistics.agreement.pabak",
        has_rule=True,
    ),
    "mcc": Metric(
        meaning="correlation of their decisions (Matthews); empty where one always says the same",
        low=-1,
        chance=0,
        source="Matthews 1975",
        defined_in="statistics.agreement.mcc",
        has_rule=True,
    ),
    "agreement_reference_right": Metric(
        meaning="agreement on the clips that the reference judges right",
        defined_in="statistics.agreement.conditional_agreement",
        has_rule=True,
    ),
    "agreement_reference_wrong": Metric(
        meaning="agreement on the clips that the reference judges wrong: the errors that the mimic copies, which no "
        "detector would that merely learnt the truth; empty where it judges none wrong",
        defined_in="statistics.agreement.conditional_agreement",
        has_rule=True,
    ),
    "agreement_clean": Metric(
        meaning="agreement on clean clips", defined_in="statistics.agreement.agreement", has_rule=True
    ),
    "agreement_watermarked": Metric(
        meaning="agreement on watermarked clips", defined_in="statistics.agreement.agreement", has_rule=True
    ),
    "mcnemar_p": Metric(
        meaning="p value of the hypothesis that mimic and reference are right equally often; clips are taken for "
        "independent, so with many of each recording it is somewhat too small",
        better="",
        source="McNemar 1947, exact",
        defined_in="statistics.significance.mcnemar_exact",
        has_rule=True,
        form=".6g",
    ),
    "mcnemar_p_holm": Metric(
        meaning="the same, adjusted for the number of attacks in the run: below 0.05 in any cell by chance in at most "
        "5 % of runs",
        better="",
        source="Holm 1979",
        defined_in="statistics.significance.holm",
        has_rule=True,
        form=".6g",
    ),
    "spearman": Metric(
        meaning="rank correlation of the scores of mimic and reference; empty where one gives every clip the same",
        low=-1,
        chance=0,
        source="Spearman 1904",
        defined_in="statistics.rank_agreement.spearman",
    ),
}

_ABOUT_AUDIO = {
    "snr_db": Metric(
        meaning="power of the clip over the power of what the attack changed",
        unit="dB",
        low=None,
        high=None,
        better="",
        defined_in="matrix.quality.waveform.snr_db",
    ),
    "si_sdr_db": Metric(
        meaning="the same once the best gain was given back: a change of level alone costs nothing",
        unit="dB",
        low=None,
        high=None,
        better="",
        source="Le Roux et al. 2019",
        defined_in="matrix.quality.waveform.si_sdr_db",
    ),
    "log_spectral_distance_db": Metric(
        meaning="distance of the log power spectra before and after, frames of 32 ms, floor at -100 dB: whatever the "
        "phases do",
        unit="dB",
        high=None,
        better="",
        source="Gray and Markel 1976",
        defined_in="matrix.quality.waveform.log_spectral_distance_db",
    ),
    "pesq": Metric(
        meaning="wide-band PESQ, an opinion score for speech (`--quality pesq`)",
        unit="MOS",
        low=1,
        high=5,
        better="",
        source="ITU-T P.862.2",
        defined_in="matrix.quality.perceptual.pesq",
    ),
    "stoi": Metric(
        meaning="short-time objective intelligibility of speech (`--quality stoi`)",
        low=-1,
        better="",
        source="Taal et al. 2011",
        defined_in="matrix.quality.perceptual.stoi",
    ),
    "zimtohrli": Metric(
        meaning="Zimtohrli's opinion score, for music too (`--quality zimtohrli`)",
        unit="MOS",
        low=1,
        high=5,
        better="",
        source="Alakuijala et al. 2025",
        defined_in="matrix.quality.perceptual.zimtohrli",
    ),
}

METRICS: Mapping[str, Metric] = {
    **_ABOUT_DECISIONS,
    **_ABOUT_SCORES,
    **_ABOUT_MESSAGES,
    **_ABOUT_MIMICS,
    **_ABOUT_AUDIO,
}
"""Metrics of summary.csv by name, in the order of the dictionary."""
