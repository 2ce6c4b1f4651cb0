"""How metrics, threshold rules and parameters are called and shown in a report."""

import re
from typing import NamedTuple


class Term(NamedTuple):
    """How a metric is shown.

    Attributes:
        label: What readers call it.
        low: Where the colour scale and the axes begin.
        high: Where they end; values beyond have the colour of the end.
        group: Heading in lists of metrics.
        decimals: As it is written.
        pale: Which end of the scale is harmless, and so near the paper: `high` or `low`.
    """

    label: str
    low: float
    high: float
    group: str
    decimals: int = 2
    pale: str = "high"


DETECTION, MESSAGE, AGREEMENT, AUDIO = (
    "Detection",
    "Message and place",
    "Agreement with the reference",
    "Attacked audio",
)

METRICS = {
    "accuracy": Term("Accuracy", 0.5, 1, DETECTION),
    "balanced_accuracy": Term("Balanced accuracy", 0.5, 1, DETECTION),
    "tpr": Term("True positive rate", 0, 1, DETECTION),
    "fpr": Term("False positive rate", 0, 1, DETECTION, pale="low"),
    "auc": Term("AUC", 0.5, 1, DETECTION),
    "eer": Term("Equal error rate", 0, 0.5, DETECTION, pale="low"),
    "tpr_at_fpr_1pct": Term("TPR at 1 % FPR under the attack", 0, 1, DETECTION),
    "bit_accuracy": Term("Bit accuracy", 0.5, 1, MESSAGE),
    "exact_match": Term("Exact message", 0, 1, MESSAGE),
    "message_p_value": Term("Message p value", 0, 1, MESSAGE, 3, "low"),
    "frame_iou": Term("Frame IoU", 0, 1, MESSAGE),
    "agreement": Term("Agreement", 0.5, 1, AGREEMENT),
    "cohens_kappa": Term("Cohen's kappa", 0, 1, AGREEMENT),
    "pabak": Term("PABAK", 0, 1, AGREEMENT),
    "mcc": Term("MCC", 0, 1, AGREEMENT),
    "agreement_reference_right": Term("Agreement, reference right", 0.5, 1, AGREEMENT),
    "agreement_reference_wrong": Term("Agreement, reference wrong", 0.5, 1, AGREEMENT),
    "agreement_clean": Term("Agreement, clean", 0.5, 1, AGREEMENT),
    "agreement_watermarked": Term("Agreement, watermarked", 0.5, 1, AGREEMENT),
    "spearman": Term("Spearman of scores", 0, 1, AGREEMENT),
    "mcnemar_p": Term("McNemar p", 0, 1, AGREEMENT, 3),
    "mcnemar_p_holm": Term("McNemar p, Holm", 0, 1, AGREEMENT, 3),
    "snr_db": Term("SNR, dB", 0, 40, AUDIO, 1),
    "si_sdr_db": Term("SI-SDR, dB", 0, 40, AUDIO, 1),
    "log_spectral_distance_db": Term("Log-spectral distance, dB", 0, 20, AUDIO, 1, "low"),
    "pesq": Term("PESQ", 1, 4.6, AUDIO),
    "stoi": Term("STOI", 0, 1, AUDIO),
    "zimtohrli": Term("Zimtohrli", 1, 5, AUDIO),
}
"""How metrics are shown; what each means says `tables.dictionary.metrics`."""

OTHER = "Other"

RULES = {
    "fixed": "each detector's own threshold",
    "fpr_1pct": "1 % false alarms on clean calibration clips",
    "fpr_0.1pct": "0.1 % false alarms on clean calibration clips",
    "best": "best threshold of the very cell (optimistic)",
    "mean_probability": "mean frame probability above 0.5",
    "low_tau": "share of frames above 0.1",
    "bits": "more than 80 % of the message bits right",
}
"""Threshold rules in words."""

_UNITS = {
    "kbps": " kbps", "hz": " Hz", "db": " dB", "dbfs": " dBFS", "lufs": " LUFS", "ms": " ms", "s": " s", "m": " m",
    "kmh": " km/h", "percent": " %", "samples": " samples", "cents": " cents", "degrees": " degrees",
}  # fmt: skip
"""Units by the last part of a parameter's name."""


def metric_term(metric: str, low: float, high: float) -> Term:
    """Return how a metric is shown; one without a term is shown by its name, from `low` to `high`."""
    return METRICS.get(metric, Term(metric, low, high, OTHER, 3))


def rule_label(rule: str) -> str:
    """Return a threshold rule in words."""
    return RULES.get(rule, rule)


def parameter_words(name: str) -> str:
    """Return a parameter's name without its unit, and without its place in a chain: `bitrate_kbps` is `bitrate`."""
    words = re.sub(r"^\d+\.(\w+)\.", r"\1 ", name).split("_")
    return " ".join(words[:-1] if len(words) > 1 and words[-1] in _UNITS else words)


def unit_words(name: str) -> str:
    """Return the unit of a parameter, or empty text."""
    return _UNITS.get(name.rpartition("_")[2], "").strip()


def value_short(name: str, value: str) -> str:
    """Write a parameter's value without its unit, for where that stands beside: `4k` for 4000 Hz, `-6`, `1.05`."""
    try:
        number = float(value)
    except ValueError:
        return value
    return f"{number / 1000:g}k" if name.endswith("_hz") and abs(number) >= 1000 else f"{number:g}"


def value_text(name: str, value: str) -> str:
    """Write a parameter's value with its unit: `4 kHz`, `-6 dB`, `1.05`."""
    try:
        number = float(value)
    except ValueError:
        return value
    unit = _UNITS.get(name.rpartition("_")[2], "")
    if unit == " Hz" and abs(number) >= 1000:
        return f"{number / 1000:g} kHz"
    return f"{number:g}{unit}"
