"""How well a detector tells watermarked clips from clean ones, and how much an attack changed them.

Conventions: a score is higher the surer the detector is that a clip is watermarked, and its decision is ``score >
threshold``, strictly. Every function is pure. A metric over no clips (a true positive rate without watermarked clips)
is NaN, "not defined", and never 0. ``estimate_...`` gives the same value with an interval; its ``groups`` and
``weights`` are those of ``intervals``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.intervals import (
    UNKNOWN,
    Estimate,
    Flags,
    Floats,
    Interval,
    as_flags,
    as_groups,
    as_scores,
    bootstrap_auc,
    bootstrap_mean,
    count_groups,
    estimate_median,
    estimate_rate,
    make_estimate,
    midcounts,
    normal_quantile,
    pairwise_wins,
    percentile_interval,
    ratio,
    sum_by_group,
    wider,
    wilson,
)

__all__ = [
    "Estimate",
    "accuracy",
    "auc",
    "balanced_accuracy",
    "bit_accuracy",
    "bit_accuracy_per_clip",
    "decide",
    "estimate_accuracy",
    "estimate_auc",
    "estimate_balanced_accuracy",
    "estimate_bit_accuracy",
    "estimate_fpr",
    "estimate_rate",
    "estimate_snr_db",
    "estimate_tpr",
    "fpr",
    "fpr_support",
    "snr_db",
    "threshold_at_fpr",
    "tpr",
]


def decide(scores: ArrayLike, threshold: float) -> Flags:
    """Decide for each clip whether it is watermarked: ``score > threshold``.

    Args:
        scores: ``(n,)`` scores, without NaN.
        threshold: In the unit of the scores. A score equal to it is "clean".

    Returns:
        ``(n,)`` booleans.

    Raises:
        ValueError: If a score or the threshold is NaN.
    """
    if math.isnan(threshold):
        raise ValueError(
            "'threshold' must be a number. Got NaN, for which every clip would be clean; calibrate it first."
        )
    return as_scores("scores", scores) > threshold


def accuracy(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float) -> float:
    """Share of clips decided rightly: (true positives + true negatives) / clips.

    Range [0, 1], higher is better; .5 by chance where both classes are equally many.

    Args:
        scores: ``(n,)`` scores.
        is_watermarked: ``(n,)`` booleans, the truth.
        threshold: Decisions are ``score > threshold``.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    decisions, truth = _decisions_and_truth(scores, is_watermarked, threshold)
    return _share(decisions == truth)


def tpr(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float) -> float:
    """Share of watermarked clips that are flagged: the true positive rate, or recall.

    Range [0, 1], higher is better for the detector; 1 minus the miss rate. NaN without watermarked clips.

    Args:
        scores: ``(n,)`` scores.
        is_watermarked: ``(n,)`` booleans, the truth.
        threshold: Decisions are ``score > threshold``.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    decisions, truth = _decisions_and_truth(scores, is_watermarked, threshold)
    return _share(decisions[truth])


def fpr(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float) -> float:
    """Share of clean clips that are flagged: the false positive rate.

    Range [0, 1], lower is better for the detector. NaN without clean clips.

    Args:
        scores: ``(n,)`` scores.
        is_watermarked: ``(n,)`` booleans, the truth.
        threshold: Decisions are ``score > threshold``.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    decisions, truth = _decisions_and_truth(scores, is_watermarked, threshold)
    return _share(decisions[~truth])


def balanced_accuracy(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float) -> float:
    """Mean of the shares of watermarked and of clean clips decided rightly: (TPR + 1 - FPR) / 2.

    Range [0, 1], higher is better; .5 for a detector that always says the same. NaN where a class is missing.

    Args:
        scores: ``(n,)`` scores.
        is_watermarked: ``(n,)`` booleans, the truth.
        threshold: Decisions are ``score > threshold``.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    decisions, truth = _decisions_and_truth(scores, is_watermarked, threshold)
    return (_share(decisions[truth]) + _share(~decisions[~truth])) / 2


def auc(scores: ArrayLike, is_watermarked: ArrayLike) -> float:
    """Probability that a watermarked clip scores higher than a clean one, a tie counting half.

    The area under the ROC curve. Range [0, 1], higher is better, .5 by chance. NaN where a class is missing. Compare
    clips under the same attack: attacks move the clean clips' scores too. (Hanley and McNeil 1982, Radiology 143.)

    Args:
        scores: ``(n,)`` scores.
        is_watermarked: ``(n,)`` booleans, the truth.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    marked, clean = _split_scores(scores, is_watermarked)
    wins = midcounts(marked, clean, np.zeros(clean.size, dtype=np.intp), 1).sum()
    return float(ratio(wins, marked.size * clean.size))


def threshold_at_fpr(clean_scores: ArrayLike, target_fpr: float) -> float:
    """Return the smallest threshold among the scores of clean clips that flags at most a share of them.

    Take the clean clips of a calibration split, not those under test, or the rate is optimistic. Clips that tie share
    one fate: as a decision is ``score > threshold``, ties at the threshold are all "clean" and the reached rate can lie
    well below the target (it is 0 for a detector that gives every clean clip the same score). With fewer than
    ``1 / target_fpr`` clips it is the highest score; see ``fpr_support``.

    Args:
        clean_scores: ``(n,)`` scores of clean clips, at least one.
        target_fpr: Highest false positive rate allowed, in [0, 1].

    Returns:
        A threshold, in the unit of the scores.

    Raises:
        ValueError: If there is no score, one is NaN, or the target is not in [0, 1].
    """
    ordered = np.sort(as_scores("clean_scores", clean_scores))
    if ordered.size == 0:
        raise ValueError("'clean_scores' of threshold_at_fpr must hold at least one score. Got none.")
    if not 0 <= target_fpr <= 1:
        raise ValueError(f"'target_fpr' must be a share in 0 .. 1, as 0.01 for 1 %. Got {target_fpr}.")
    flagged = ordered.size - np.searchsorted(ordered, ordered, side="right")
    return float(ordered[np.argmax(flagged / ordered.size <= target_fpr)])


def fpr_support(n_negatives: int, target_fpr: float) -> bool:
    """Tell whether there are enough clean clips to speak of a false positive rate: at least ``1 / target_fpr``.

    With fewer, one false alarm already exceeds the target, and the threshold is merely the highest score seen. 1 %
    takes 100 clean clips, .1 % takes 1,000.

    Args:
        n_negatives: Clean clips in the calibration split.
        target_fpr: The false positive rate, in (0, 1].

    Raises:
        ValueError: If the target is not in (0, 1] or the number of clips is negative.
    """
    if not 0 < target_fpr <= 1:
        raise ValueError(f"'target_fpr' of fpr_support must lie above 0 and up to 1. Got {target_fpr}.")
    if n_negatives < 0:
        raise ValueError(f"'n_negatives' of fpr_support must be at least 0. Got {n_negatives}.")
    # The product of 1 / x and x can round to just below 1.
    return n_negatives * target_fpr >= 1 - 1e-9


def bit_accuracy(decoded: ArrayLike, sent: ArrayLike) -> float:
    """Share of message bits decoded rightly, over all clips.

    Range [0, 1], higher is better, .5 by chance; 1 minus the bit error rate. NaN without clips.

    Args:
        decoded: ``(n, k)`` bits, booleans or zeros and ones.
        sent: ``(n, k)`` bits.

    Raises:
        ValueError: If these are not bits, or the shapes differ.
    """
    return _share(bit_accuracy_per_clip(decoded, sent))


def bit_accuracy_per_clip(decoded: ArrayLike, sent: ArrayLike) -> Floats:
    """Share of message bits decoded rightly, of each clip.

    Args:
        decoded: ``(n, k)`` bits, booleans or zeros and ones.
        sent: ``(n, k)`` bits.

    Returns:
        ``(n,)`` shares in [0, 1].

    Raises:
        ValueError: If these are not bits, or the shapes differ.
    """
    received, message = _bits("decoded", decoded), _bits("sent", sent)
    if received.shape != message.shape:
        raise ValueError(f"'decoded' and 'sent' must have one shape. Got {received.shape} and {message.shape}.")
    shares: Floats = (received == message).mean(axis=1)
    return shares


def snr_db(reference: ArrayLike, test: ArrayLike) -> Floats:
    """Signal-to-noise ratio of each clip in dB, all that differs from the reference being noise.

    ``10 log10(sum reference^2 / sum (test - reference)^2)``, over the clip as it is: no mean is removed and no level or
    delay matched (which is what tells it from SI-SNR), so it means nothing once an attack moved the audio in time.
    Higher is closer. Infinite for an unchanged clip; NaN for a silent reference. Over clips take the median
    (``estimate_snr_db``): one unchanged clip would make a mean infinite.

    Args:
        reference: ``(n, samples)`` audio before.
        test: ``(n, samples)`` audio after.

    Returns:
        ``(n,)`` float64, in dB.

    Raises:
        ValueError: If the shapes differ or a sample is not finite.
    """
    before, after = np.asarray(reference), np.asarray(test)
    if before.ndim != 2 or before.shape != after.shape:
        raise ValueError(
            f"'reference' and 'test' of snr_db must both be (clips, samples) and equally long. "
            f"Got {before.shape} and {after.shape}; the SNR is not defined once an attack changed the length."
        )
    ratios = np.empty(before.shape[0])
    # Clip by clip: in float64 a whole batch and its difference would take four times the memory of the audio.
    for row, (clean, changed) in enumerate(zip(before, after, strict=True)):
        signal = clean.astype(np.float64)
        noise = changed.astype(np.float64) - signal
        ratios[row] = _decibels(float(signal @ signal), float(noise @ noise))
    return ratios


def estimate_accuracy(
    scores: ArrayLike,
    is_watermarked: ArrayLike,
    threshold: float,
    groups: ArrayLike,
    weights: Floats,
    confidence: float = 0.95,
) -> Estimate:
    """Accuracy with the wider of Wilson's and the cluster bootstrap's interval.

    Args:
        scores: ``(n,)`` scores.
        is_watermarked: ``(n,)`` booleans, the truth.
        threshold: Decisions are ``score > threshold``.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    decisions, truth = _decisions_and_truth(scores, is_watermarked, threshold)
    return estimate_rate(decisions == truth, groups, weights, confidence)


def estimate_tpr(
    scores: ArrayLike,
    is_watermarked: ArrayLike,
    threshold: float,
    groups: ArrayLike,
    weights: Floats,
    confidence: float = 0.95,
) -> Estimate:
    """True positive rate with the wider of Wilson's and the cluster bootstrap's interval.

    Args:
        scores: ``(n,)`` scores.
        is_watermarked: ``(n,)`` booleans, the truth.
        threshold: Decisions are ``score > threshold``; it is taken as given, its own uncertainty is not included.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    decisions, truth = _decisions_and_truth(scores, is_watermarked, threshold)
    codes = as_groups(groups, truth.size, weights)
    return estimate_rate(decisions[truth], codes[truth], weights, confidence)


def estimate_fpr(
    scores: ArrayLike,
    is_watermarked: ArrayLike,
    threshold: float,
    groups: ArrayLike,
    weights: Floats,
    confidence: float = 0.95,
) -> Estimate:
    """False positive rate with the wider of Wilson's and the cluster bootstrap's interval.

    Args:
        scores: ``(n,)`` scores.
        is_watermarked: ``(n,)`` booleans, the truth.
        threshold: Decisions are ``score > threshold``; it is taken as given, its own uncertainty is not included.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    decisions, truth = _decisions_and_truth(scores, is_watermarked, threshold)
    codes = as_groups(groups, truth.size, weights)
    return estimate_rate(decisions[~truth], codes[~truth], weights, confidence)


def estimate_balanced_accuracy(
    scores: ArrayLike,
    is_watermarked: ArrayLike,
    threshold: float,
    groups: ArrayLike,
    weights: Floats,
    confidence: float = 0.95,
) -> Estimate:
    """Balanced accuracy with the wider of the interval for independent clips and the cluster bootstrap's.

    The former joins the Wilson intervals of the two rates (Newcombe 1998, Statistics in Medicine 17, method 10, for a
    mean in place of a difference).

    Args:
        scores: ``(n,)`` scores.
        is_watermarked: ``(n,)`` booleans, the truth.
        threshold: Decisions are ``score > threshold``.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    decisions, truth = _decisions_and_truth(scores, is_watermarked, threshold)
    codes = as_groups(groups, truth.size, weights)
    right = decisions == truth
    per_clip = np.stack([right & truth, truth, right & ~truth, ~truth], axis=1)
    by_group = sum_by_group(per_clip, codes, weights.shape[1])
    hits, n_marked, rejections, n_clean = by_group.sum(axis=0)
    value = float(ratio(hits, n_marked) + ratio(rejections, n_clean)) / 2
    totals = weights @ by_group
    replicates = (ratio(totals[:, 0], totals[:, 1]) + ratio(totals[:, 2], totals[:, 3])) / 2
    clustered = percentile_interval(replicates, count_groups(codes), confidence)
    independent = _mean_of_rates(hits, int(n_marked), rejections, int(n_clean), confidence)
    return make_estimate(value, wider(independent, clustered), codes)


def estimate_auc(
    scores: ArrayLike, is_watermarked: ArrayLike, groups: ArrayLike, weights: Floats, confidence: float = 0.95
) -> Estimate:
    """AUC with the wider of the interval for independent clips and the cluster bootstrap's.

    The bootstrap is exact: it counts the pairs of every resample. The interval for independent clips is a score
    interval that has a width at an AUC of 1 too (Newcombe 2006, Statistics in Medicine 25, part 2, method 5).

    Args:
        scores: ``(n,)`` scores.
        is_watermarked: ``(n,)`` booleans, the truth.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    marked, clean = _split_scores(scores, is_watermarked)
    truth = as_flags("is_watermarked", is_watermarked)
    codes = as_groups(groups, truth.size, weights)
    n_groups = weights.shape[1]
    wins = pairwise_wins(marked, codes[truth], clean, codes[~truth], n_groups)
    n_marked, n_clean = sum_by_group(truth, codes, n_groups), sum_by_group(~truth, codes, n_groups)
    value = float(ratio(wins.sum(), marked.size * clean.size))
    replicates = bootstrap_auc(wins, n_marked, n_clean, weights)
    clustered = percentile_interval(replicates, count_groups(codes), confidence)
    independent = auc_interval(value, marked.size, clean.size, confidence)
    return make_estimate(value, wider(independent, clustered), codes)


def estimate_bit_accuracy(
    decoded: ArrayLike, sent: ArrayLike, groups: ArrayLike, weights: Floats, confidence: float = 0.95
) -> Estimate:
    """Bit accuracy with the wider of Wilson's interval over bits and the cluster bootstrap's over clips.

    Bits of a clip fail together, so the bootstrap's is almost always the one; Wilson's stands in where every bit of
    every clip came out right and the bootstrap has no width.

    Args:
        decoded: ``(n, k)`` bits, booleans or zeros and ones.
        sent: ``(n, k)`` bits.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    shares = bit_accuracy_per_clip(decoded, sent)
    codes = as_groups(groups, shares.size, weights)
    if shares.size == 0:
        return make_estimate(math.nan, UNKNOWN, codes)
    n_bits = np.asarray(sent).size
    value = float(shares.mean())
    clustered = percentile_interval(bootstrap_mean(shares, codes, weights), count_groups(codes), confidence)
    return make_estimate(value, wider(wilson(round(value * n_bits), n_bits, confidence), clustered), codes)


def estimate_snr_db(snrs: ArrayLike, groups: ArrayLike, weights: Floats, confidence: float = 0.95) -> Estimate:
    """Median signal-to-noise ratio over clips in dB, with the cluster bootstrap's interval.

    Clips whose SNR is not defined (a silent reference) are left out and not counted in ``n_clips``.

    Args:
        snrs: ``(n,)`` ratios in dB from ``snr_db``; infinite ones are allowed.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.
        confidence: Share of intervals that shall cover.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    ratios = np.asarray(snrs, dtype=np.float64)
    codes = as_groups(groups, ratios.size, weights)
    defined = ~np.isnan(ratios)
    return estimate_median(ratios[defined], codes[defined], weights, confidence)


def auc_interval(value: float, n_marked: int, n_clean: int, confidence: float = 0.95) -> Interval:
    """Interval of an AUC over independent clips, by Newcombe's score method.

    The AUCs whose distance from ``value`` is within the reach of their own standard error, that being Hanley and
    McNeil's for exponential scores with both class sizes replaced by their mean. (Newcombe 2006, Statistics in Medicine
    25, part 2, method 5.)

    Args:
        value: The AUC, in [0, 1]; the interval of a NaN is NaN.
        n_marked: Watermarked clips.
        n_clean: Clean clips.
        confidence: Share of intervals that shall cover.
    """
    z = normal_quantile(confidence)
    if math.isnan(value):
        return UNKNOWN
    excess = (n_marked + n_clean) / 2 - 1

    def within_reach(area: float) -> bool:
        shape = 1 + excess * ((1 - area) / (2 - area) + area / (1 + area))
        return (value - area) ** 2 <= z * z * area * (1 - area) * shape / (n_marked * n_clean)

    def edge(outside: float) -> float:
        inside = value
        for _ in range(50):
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if within_reach(middle) else (inside, middle)
        return inside

    return Interval(edge(0.0), edge(1.0))


def _share(values: Flags | Floats) -> float:
    """Mean, with NaN instead of a warning for nothing."""
    return float(values.mean()) if values.size else math.nan


def _decisions_and_truth(scores: ArrayLike, is_watermarked: ArrayLike, threshold: float) -> tuple[Flags, Flags]:
    """Check that scores and truth fit each other, and decide."""
    decisions, truth = decide(scores, threshold), as_flags("is_watermarked", is_watermarked)
    _require_equal_length(decisions.size, truth.size)
    return decisions, truth


def _split_scores(scores: ArrayLike, is_watermarked: ArrayLike) -> tuple[Floats, Floats]:
    """Split the scores into those of watermarked and those of clean clips."""
    numbers, truth = as_scores("scores", scores), as_flags("is_watermarked", is_watermarked)
    _require_equal_length(numbers.size, truth.size)
    return numbers[truth], numbers[~truth]


def _require_equal_length(n_scores: int, n_labels: int) -> None:
    if n_scores != n_labels:
        raise ValueError(f"'scores' and 'is_watermarked' must be equally long. Got {n_scores} and {n_labels}.")


def _bits(name: str, values: ArrayLike) -> Flags:
    """Return ``(n, k)`` bits as booleans; probabilities are refused, they would never equal a bit."""
    bits = np.asarray(values)
    if bits.ndim != 2 or bits.shape[1] == 0:
        raise ValueError(f"{name!r} must be (clips, bits) with at least one bit. Got shape {bits.shape}.")
    if bits.dtype == np.bool_:
        return bits
    if not np.all((bits == 0) | (bits == 1)):
        raise ValueError(f"{name!r} must hold zeros and ones. Got other values; compare probabilities with 0.5 first.")
    ones: Flags = bits == 1
    return ones


def _decibels(signal_energy: float, noise_energy: float) -> float:
    """Ratio of two energies in dB; NaN without signal, infinite without noise."""
    if not (math.isfinite(signal_energy) and math.isfinite(noise_energy)):
        raise ValueError("'reference' and 'test' of snr_db must be finite. Got NaN or infinite samples.")
    if signal_energy == 0:
        return math.nan
    return math.inf if noise_energy == 0 else 10 * (math.log10(signal_energy) - math.log10(noise_energy))


def _mean_of_rates(first: float, n_first: int, second: float, n_second: int, confidence: float) -> Interval:
    """Interval of the mean of two independent rates, from the Wilson intervals of each."""
    if n_first == 0 or n_second == 0:
        return UNKNOWN
    one, other = wilson(first, n_first, confidence), wilson(second, n_second, confidence)
    p, q = first / n_first, second / n_second
    below = math.hypot(p - one.low, q - other.low) / 2
    above = math.hypot(one.high - p, other.high - q) / 2
    return Interval((p + q) / 2 - below, (p + q) / 2 + above)
