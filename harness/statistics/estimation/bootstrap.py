"""A bootstrap that resamples whole recordings: the values of a metric on every resample, all at once.

Clips of one recording are alike, so ``n`` clips carry less information than ``n`` independent ones. The unit of
resampling is therefore the group (the recording), never the clip. A resample is a vector of counts, one per group, and
almost every metric is a function of sums over groups; so all resamples together are one matrix product. The counts are
drawn once per run and shared by all cells (cells then stay comparable: they see the same resamples).

Every function here is exact: it gives the statistic of each resample as if that had been written out clip by clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.bootstrap_ranks import Ranked, first_reaching
from sealproof.harness.statistics.estimation.groups import count_by_group, group_codes, sum_by_group
from sealproof.harness.statistics.estimation.vectors import Codes, Flags, Floats, Singles, as_groups, as_scores, ratio

__all__ = [
    "Resamples",
    "bootstrap_auc",
    "bootstrap_eer",
    "bootstrap_mean",
    "bootstrap_median",
    "bootstrap_ratio",
    "bootstrap_tpr_at_fpr",
    "group_weights",
    "midcounts",
    "pairwise_wins",
]


def group_weights(n_groups: int, n_resamples: int = 2000, seed: int | np.random.Generator = 0) -> Floats:
    """Draw the resamples of a run: how often each group comes up in each of them.

    A row is one draw of ``n_groups`` groups with replacement, so it sums to ``n_groups``. Draw it once per run, for all
    groups, and pass it to every estimate. (Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 6.)

    Args:
        n_groups: Number of groups ``G`` in the evaluation, at least 1.
        n_resamples: Number of resamples ``B``, at least 1; with 2,000 the ends of a 95 % interval are steady.
        seed: Seed or generator; the same seed gives the same resamples.

    Returns:
        ``(B, G)`` float64, whole numbers; floating because matrix products of integers are slow.

    Raises:
        ValueError: If a count is below 1.
    """
    for name, count in (("n_groups", n_groups), ("n_resamples", n_resamples)):
        if count < 1:
            raise ValueError(f"{name!r} of group_weights must be at least 1. Got {count}.")
    rng = np.random.default_rng(seed)
    return rng.multinomial(n_groups, np.full(n_groups, 1.0 / n_groups), size=n_resamples).astype(np.float64)


@dataclass(frozen=True, eq=False)
class Resamples:
    """What an interval is made from: the groups of some clips, and what is drawn of these groups.

    Attributes:
        codes: ``(n,)`` code of each clip's group.
        weights: ``(B, G)`` how often each group comes up in each resample: see ``group_weights``.
        names: ``G`` groups, sorted, whose places the codes are; empty where they have none.
        confidence: Share of intervals that shall cover.
    """

    codes: Codes
    weights: Floats
    names: tuple[str, ...] = ()
    confidence: float = 0.95

    @classmethod
    def of(cls, groups: Sequence[str], seed: int, n_resamples: int = 2000) -> Resamples:
        """Draw resamples of the groups of clips.

        Args:
            groups: The group of each clip.
            seed: The same seed gives the same resamples.
            n_resamples: Their number.
        """
        codes, names = group_codes(groups)
        return cls(codes, group_weights(len(names), n_resamples, seed), tuple(names))

    @property
    def n_groups(self) -> int:
        """Number of groups, those without a clip included."""
        return int(self.weights.shape[1])

    def fitting(self, n_clips: int) -> Resamples:
        """Return them, checked to be of so many clips.

        Raises:
            ValueError: If there is not one code per clip, or a code has no column: see ``as_groups``.
        """
        return replace(self, codes=as_groups(self.codes, n_clips, self.weights))

    def of_clips(self, chosen: Flags | Codes) -> Resamples:
        """Return the same resamples for some of the clips, by flags or places."""
        return replace(self, codes=np.asarray(self.codes)[chosen])

    def twice(self) -> Resamples:
        """Return the same resamples for all clips, and then once more for their twins."""
        return replace(self, codes=np.tile(self.codes, 2))


def bootstrap_ratio(numerators: Floats, denominators: Floats, weights: Floats) -> Floats:
    """Values of a ratio of sums on every resample; NaN where the denominator is 0.

    Args:
        numerators: ``(G,)`` sums per group, as correct clips.
        denominators: ``(G,)`` sums per group, as clips.
        weights: ``(B, G)`` resamples.

    Returns:
        ``(B,)`` ratios.
    """
    totals = weights @ np.stack([numerators, denominators], axis=1)
    return ratio(totals[:, 0], totals[:, 1])


def bootstrap_mean(values: ArrayLike, groups: ArrayLike, weights: Floats) -> Floats:
    """Values of the mean over clips on every resample; a resample without clips is NaN.

    Args:
        values: ``(n,)`` finite numbers.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.

    Returns:
        ``(B,)`` means.

    Raises:
        ValueError: If a value is not finite, or the shapes do not fit.
    """
    numbers = as_scores("values", values)
    if not np.isfinite(numbers).all():
        raise ValueError(
            "'values' must be finite to have a mean. Got infinite ones (as the SNR of an unchanged clip); use a median."
        )
    codes = as_groups(groups, numbers.size, weights)
    n_groups = weights.shape[1]
    return bootstrap_ratio(sum_by_group(numbers, codes, n_groups), count_by_group(codes, n_groups), weights)


def bootstrap_median(values: ArrayLike, groups: ArrayLike, weights: Floats) -> Floats:
    """Values of the median over clips on every resample; a resample without clips is NaN.

    Args:
        values: ``(n,)`` numbers; infinite ones are allowed.
        groups: ``(n,)`` group codes.
        weights: ``(B, G)`` resamples.

    Returns:
        ``(B,)`` medians; for an even count the mean of the two in the middle.

    Raises:
        ValueError: If a value is NaN, or the shapes do not fit.
    """
    numbers = as_scores("values", values)
    codes = as_groups(groups, numbers.size, weights)
    if numbers.size == 0:
        return np.full(weights.shape[0], np.nan)
    distinct, ranks = np.unique(numbers, return_inverse=True)
    n_clips = weights @ count_by_group(codes, weights.shape[1])
    middle = [
        distinct[first_reaching([Ranked(ranks, codes, 1.0)], rank + 1, distinct.size, weights).position]
        for rank in (np.floor((n_clips - 1) / 2), np.floor(n_clips / 2))
    ]
    # As a sum, so that two equal infinities give that infinity; opposite ones have no mean.
    with np.errstate(invalid="ignore"):
        medians = (middle[0] + middle[1]) / 2
    return np.where(n_clips > 0, medians, np.nan)


def bootstrap_auc(wins: Floats, n_marked: Floats, n_clean: Floats, weights: Floats) -> Floats:
    """Values of the AUC on every resample: a quadratic form in the weights.

    Args:
        wins: ``(G, G)`` from ``pairwise_wins``.
        n_marked: ``(G,)`` watermarked clips per group.
        n_clean: ``(G,)`` clean clips per group.
        weights: ``(B, G)`` resamples.

    Returns:
        ``(B,)`` AUCs; NaN where a resample lacks one of the classes.
    """
    # Single precision holds the pairs won against one group; their sum may be larger.
    won_from_group = weights.astype(np.float32) @ wins.astype(np.float32)
    won = np.einsum("bg,bg->b", won_from_group, weights)
    return ratio(won, (weights @ n_marked) * (weights @ n_clean))


def bootstrap_eer(marked: Floats, marked_groups: Codes, clean: Floats, clean_groups: Codes, weights: Floats) -> Floats:
    """Values of the equal error rate on every resample, each with a threshold of its own.

    Args:
        marked: ``(n,)`` scores of watermarked clips.
        marked_groups: ``(n,)`` their group codes.
        clean: ``(m,)`` scores of clean clips.
        clean_groups: ``(m,)`` their group codes.
        weights: ``(B, G)`` resamples.

    Returns:
        ``(B,)`` rates; NaN where a resample lacks one of the classes.
    """
    if marked.size == 0 or clean.size == 0:
        return np.full(weights.shape[0], np.nan)
    n_marked = weights @ count_by_group(marked_groups, weights.shape[1])
    n_clean = weights @ count_by_group(clean_groups, weights.shape[1])
    distinct, ranks = np.unique(np.concatenate([marked, clean]), return_inverse=True)
    # Of the clips up to a threshold the watermarked ones are missed and the clean ones no false alarms, so the rates
    # are equal where missed / n_marked + rejected / n_clean = 1.
    found = first_reaching(
        [
            Ranked(ranks[: marked.size], marked_groups, n_clean),
            Ranked(ranks[marked.size :], clean_groups, n_marked),
        ],
        n_marked * n_clean,
        distinct.size,
        weights,
    )
    gap_before = n_marked * n_clean - found.before[0] * n_clean - found.before[1] * n_marked
    gap_after = found.upto[0] * n_clean + found.upto[1] * n_marked - n_marked * n_clean
    share = ratio(gap_before, gap_before + gap_after)
    return ratio(found.before[0] + share * (found.upto[0] - found.before[0]), n_marked * (n_clean > 0))


def bootstrap_tpr_at_fpr(
    marked: Floats, marked_groups: Codes, clean: Floats, clean_groups: Codes, target_fpr: float, weights: Floats
) -> Floats:
    """Values of the TPR on every resample, at the threshold that this resample's clean clips give.

    Args:
        marked: ``(n,)`` scores of watermarked clips.
        marked_groups: ``(n,)`` their group codes.
        clean: ``(m,)`` scores of clean clips.
        clean_groups: ``(m,)`` their group codes.
        target_fpr: Highest false positive rate allowed, in [0, 1].
        weights: ``(B, G)`` resamples.

    Returns:
        ``(B,)`` rates; NaN where a resample lacks one of the classes.
    """
    if marked.size == 0 or clean.size == 0:
        return np.full(weights.shape[0], np.nan)
    n_marked = weights @ count_by_group(marked_groups, weights.shape[1])
    n_clean = weights @ count_by_group(clean_groups, weights.shape[1])
    distinct, ranks = np.unique(clean, return_inverse=True)
    # A watermarked clip is missed at the first clean score that is not below it, and at all higher ones.
    missed_from = np.searchsorted(distinct, marked)
    beyond = missed_from == distinct.size
    found = first_reaching(
        [Ranked(missed_from[~beyond], marked_groups[~beyond], 0.0), Ranked(ranks, clean_groups, 1.0)],
        # Rounding must not forbid the clip that the target just allows: 0.01 x 1,000 may lie below 10. At least one
        # clean clip stays below: a threshold is one of their scores.
        np.maximum(n_clean - np.floor(target_fpr * n_clean + 1e-9), 1.0),
        distinct.size,
        weights,
    )
    return ratio(n_marked - found.upto[0], n_marked * (n_clean > 0))


def midcounts(values: Floats, others: Floats, groups: Codes, n_groups: int) -> Singles:
    """Count, for every value and group, the others of that group that lie below it; an equal one counts half.

    Args:
        values: ``(n,)`` numbers without NaN.
        others: ``(m,)`` numbers without NaN.
        groups: ``(m,)`` codes of ``others``.
        n_groups: Number of groups.

    Returns:
        ``(n, G)`` counts, in halves: single precision holds them exactly, and is twice as fast.
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

    A tie counts half, so the sum over all groups is the Mann-Whitney U statistic. Time ``n log n + n G``, memory
    ``n G``: no pair of clips is ever formed.

    Args:
        marked: ``(n,)`` scores of watermarked clips.
        marked_groups: ``(n,)`` their group codes.
        clean: ``(m,)`` scores of clean clips.
        clean_groups: ``(m,)`` their group codes.
        n_groups: Number of groups ``G``.

    Returns:
        ``(G, G)`` wins of the row's watermarked clips over the column's clean clips.
    """
    return sum_by_group(midcounts(marked, clean, clean_groups, n_groups), marked_groups, n_groups)
