"""A bootstrap that resamples whole recordings: the values of a metric on every resample, all at once.

Clips of one recording are alike, so `n` clips carry less information than `n` independent ones. The unit of
resampling is therefore the group (the recording), never the clip. A resample is a vector of weights, one per group, and
almost every metric is a function of sums over groups; so all resamples together are one matrix product.

Every function here is exact: it gives the statistic of each resample as if every clip had its group's weight; where the
weights are whole numbers, as if the resample had been written out clip by clip.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.bootstrap_ranks import Ranked, first_reaching
from sealproof.harness.statistics.estimation.groups import count_by_group, sum_by_group
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.estimation.vectors import Codes, Floats, Singles, as_scores, ratio

__all__ = [
    "bootstrap_auc",
    "bootstrap_eer",
    "bootstrap_mean",
    "bootstrap_median",
    "bootstrap_ratio",
    "bootstrap_tpr_at_allowance",
    "group_weights",
    "midcounts",
    "pairwise_wins",
]


def group_weights(n_groups: int, n_resamples: int = 2000, seed: int | np.random.Generator = 0) -> Floats:
    """Draw groups with replacement: how often each comes up in each resample.

    A row is one draw of `n_groups` groups, so it sums to `n_groups`. For differences between two runs; the
    estimates of one run use `Resamples`. (Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 6.)

    Args:
        n_groups: Number of groups `G` in the evaluation, at least 1.
        n_resamples: Number of resamples `B`, at least 1; with 2,000 the ends of a 95 % interval are steady.
        seed: Seed or generator; the same seed gives the same resamples.

    Returns:
        `(B, G)` float64, whole numbers; floating because matrix products of integers are slow.

    Raises:
        ValueError: If a count is below 1.
    """
    for name, count in (("n_groups", n_groups), ("n_resamples", n_resamples)):
        if count < 1:
            raise ValueError(f"{name!r} of group_weights must be at least 1. Got {count}.")
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_groups, np.full(n_groups, 1.0 / n_groups), size=n_resamples).astype(np.float64)


def bootstrap_ratio(numerators: Floats, denominators: Floats, weights: Floats) -> Floats:
    """Values of a ratio of sums on every resample; NaN where the denominator is 0.

    Args:
        numerators: `(G,)` sums per group, as correct clips.
        denominators: `(G,)` sums per group, as clips.
        weights: `(B, G)` resamples.

    Returns:
        `(B,)` ratios.
    """
    totals = weights @ np.stack([numerators, denominators], axis=1)
    return ratio(totals[:, 0], totals[:, 1])


def bootstrap_mean(values: ArrayLike, resamples: Resamples) -> Floats:
    """Values of the mean over clips on every resample; a resample without clips is NaN.

    Args:
        values: `(n,)` finite numbers.
        resamples: Of the `n` clips.

    Returns:
        `(B,)` means.

    Raises:
        ValueError: If a value is not finite, or the shapes do not fit.
    """
    numbers = as_scores("values", values)
    if not np.isfinite(numbers).all():
        raise ValueError(
            "'values' must be finite to have a mean. Got infinite ones (as the SNR of an unchanged clip); use a median."
        )
    resamples.require(numbers.size)
    return bootstrap_ratio(resamples.sums(numbers), resamples.counts(), resamples.weights)


def bootstrap_median(values: ArrayLike, resamples: Resamples) -> Floats:
    """Values of the median over clips on every resample; a resample without clips is NaN.

    Args:
        values: `(n,)` numbers; infinite ones are allowed.
        resamples: Of the `n` clips.

    Returns:
        `(B,)` medians; for an even count the mean of the two in the middle.

    Raises:
        ValueError: If a value is NaN, or the shapes do not fit.
    """
    numbers = as_scores("values", values)
    resamples.require(numbers.size)
    weights = resamples.weights
    if numbers.size == 0:
        return np.full(weights.shape[0], np.nan)
    distinct, ranks = np.unique(numbers, return_inverse=True)
    n_clips = weights @ resamples.counts()
    # The first value that half of the clips do not exceed, and the first that more than half do not.
    middle = [
        distinct[first_reaching([Ranked(ranks, resamples.codes, 1.0)], mark, distinct.size, weights).position]
        for mark in (n_clips / 2, (n_clips + 1) / 2)
    ]
    # As a sum, so that two equal infinities give that infinity; opposite ones have no mean.
    with np.errstate(invalid="ignore"):
        medians = (middle[0] + middle[1]) / 2
    return np.where(n_clips > 0, medians, np.nan)


def bootstrap_auc(wins: Floats, n_marked: Floats, n_clean: Floats, weights: Floats) -> Floats:
    """Values of the AUC on every resample: a quadratic form in the weights.

    Args:
        wins: `(G, G)` from `pairwise_wins`.
        n_marked: `(G,)` watermarked clips per group.
        n_clean: `(G,)` clean clips per group.
        weights: `(B, G)` resamples.

    Returns:
        `(B,)` AUCs; NaN where a resample lacks one of the classes.
    """
    # Single precision holds the pairs won against one group; their sum may be larger.
    won_from_group = weights.astype(np.float32) @ wins.astype(np.float32)
    won = np.einsum("bg,bg->b", won_from_group, weights)
    return ratio(won, (weights @ n_marked) * (weights @ n_clean))


def bootstrap_eer(marked: Floats, marked_groups: Codes, clean: Floats, clean_groups: Codes, weights: Floats) -> Floats:
    """Values of the equal error rate on every resample, each with a threshold of its own.

    Args:
        marked: `(n,)` scores of watermarked clips.
        marked_groups: `(n,)` their group codes.
        clean: `(m,)` scores of clean clips.
        clean_groups: `(m,)` their group codes.
        weights: `(B, G)` resamples.

    Returns:
        `(B,)` rates; NaN where a resample lacks one of the classes.
    """
    if marked.size == 0 or clean.size == 0:
        return np.full(weights.shape[0], np.nan)
    n_marked = weights @ count_by_group(marked_groups, weights.shape[1])
    n_clean = weights @ count_by_group(clean_groups, weights.shape[1])
    distinct, ranks = np.unique(np.concatenate([marked, clean]), return_inverse=True)
    # Of the clips up to a threshold the watermarked ones are missed and the clean ones no false alarms, so the rates
    # are equal where missed / n_marked + rejected / n_clean = 1.
    crossing = first_reaching(
        [
            Ranked(ranks[: marked.size], marked_groups, n_clean),
            Ranked(ranks[marked.size :], clean_groups, n_marked),
        ],
        n_marked * n_clean,
        distinct.size,
        weights,
    )
    gap_before = n_marked * n_clean - crossing.before[0] * n_clean - crossing.before[1] * n_marked
    gap_after = crossing.upto[0] * n_clean + crossing.upto[1] * n_marked - n_marked * n_clean
    share = ratio(gap_before, gap_before + gap_after)
    return ratio(crossing.before[0] + share * (crossing.upto[0] - crossing.before[0]), n_marked * (n_clean > 0))


def bootstrap_tpr_at_allowance(
    marked: Floats, marked_groups: Codes, clean: Floats, clean_groups: Codes, allowed: Floats, weights: Floats
) -> Floats:
    """Values of the TPR on every resample, at the smallest clean score above which no more than is allowed is clean.

    Args:
        marked: `(n,)` scores of watermarked clips.
        marked_groups: `(n,)` their group codes.
        clean: `(m,)` scores of clean clips.
        clean_groups: `(m,)` their group codes.
        allowed: `(B,)` how many clean clips may be flagged, by weight; where it is below 0 none is.
        weights: `(B, G)` resamples.

    Returns:
        `(B,)` rates; NaN where a resample lacks one of the classes.
    """
    if marked.size == 0 or clean.size == 0:
        return np.full(weights.shape[0], np.nan)
    n_marked = weights @ count_by_group(marked_groups, weights.shape[1])
    n_clean = weights @ count_by_group(clean_groups, weights.shape[1])
    distinct, ranks = np.unique(clean, return_inverse=True)
    # A watermarked clip is missed at the first clean score that is not below it, and at all higher ones.
    missed_from = np.searchsorted(distinct, marked)
    beyond = missed_from == distinct.size
    crossing = first_reaching(
        [Ranked(missed_from[~beyond], marked_groups[~beyond], 0.0), Ranked(ranks, clean_groups, 1.0)],
        # Rounding must not forbid the clip that is just allowed. Something clean stays below: a threshold is one of
        # the clean scores.
        np.maximum(n_clean - np.maximum(allowed, 0.0) - 1e-6 * n_clean, np.minimum(1e-3, n_clean)),
        distinct.size,
        weights,
    )
    return ratio(n_marked - crossing.upto[0], n_marked * (n_clean > 0))


def midcounts(values: Floats, others: Floats, groups: Codes, n_groups: int) -> Singles:
    """Count, for every value and group, the others of that group that lie below it; an equal one counts half.

    Args:
        values: `(n,)` numbers without NaN.
        others: `(m,)` numbers without NaN.
        groups: `(m,)` codes of `others`.
        n_groups: Number of groups.

    Returns:
        `(n, G)` counts, in halves: single precision holds them exactly, and is twice as fast.
    """
    order = np.argsort(others, kind="stable")
    cumulative = np.zeros((others.size + 1, n_groups), dtype=np.float32)
    cumulative[np.arange(1, others.size + 1), groups[order]] = 1.0
    np.cumsum(cumulative, axis=0, out=cumulative)
    ordered = others[order]
    below = cumulative[np.searchsorted(ordered, values, side="left")]
    below += cumulative[np.searchsorted(ordered, values, side="right")]
    below *= 0.5
    return below


def pairwise_wins(marked: Floats, marked_groups: Codes, clean: Floats, clean_groups: Codes, n_groups: int) -> Floats:
    """Count, for every two groups, the pairs in which a watermarked clip of one outscores a clean clip of the other.

    A tie counts half, so the sum over all groups is the Mann-Whitney U statistic. Time `n log n + n G`, memory
    `n G`: no pair of clips is ever formed.

    Args:
        marked: `(n,)` scores of watermarked clips.
        marked_groups: `(n,)` their group codes.
        clean: `(m,)` scores of clean clips.
        clean_groups: `(m,)` their group codes.
        n_groups: Number of groups `G`.

    Returns:
        `(G, G)` wins of the row's watermarked clips over the column's clean clips.
    """
    return sum_by_group(midcounts(marked, clean, clean_groups, n_groups), marked_groups, n_groups)
