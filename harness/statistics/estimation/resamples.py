"""The resamples of a run: which recording every clip is of, and how much each recording counts in every resample.

Clips of one recording are alike, so `n` clips carry less information than `n` independent ones: what is resampled
is the group (the recording), never the clip. The resamples are drawn once per run and shared by all cells and
detectors, which can then be compared; one `Resamples` is all that an `estimate_...` needs beside its data.

Three things make the intervals cover where recordings are unequal, rare or few (docs/statistics.md has the table):

- **Weights, not counts.** A group's weight is drawn from a gamma distribution of mean 1, so that no resample lacks a
  group, and rare groups pull an interval towards the side on which more of them may be. (The Bayesian bootstrap: Rubin
  1981, The Annals of Statistics 9.) Its variance is `1 / (1 - h)^2` for a group with the share `h` of all clips:
  a large group draws the estimate towards itself and so looks closer to it than it is. (As the jackknife has it: Bell
  and McCaffrey 2002, Survey Methodology 28.)
- **Recordings of a kind not seen.** Of 40 recordings none is dead in 13 % of samples where 5 % of all are. So a
  resample also holds a few recordings in which everything is wrong, and a few in which all is right: `unseen`, with a
  prior of 0.3 recordings each. Their pull falls with the number of groups.
- **Student's quantile** for the number of groups in place of the normal one, as the spread itself is estimated.
  (Hesterberg 2015, What Teachers Should Know About the Bootstrap, The American Statistician 69, section 4.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sealproof.harness.statistics.estimation.groups import count_by_group, count_groups, sum_by_group
from sealproof.harness.statistics.estimation.intervals import UNKNOWN, Interval, normal_quantile
from sealproof.harness.statistics.estimation.vectors import Codes, Flags, Floats, as_groups

__all__ = ["N_RESAMPLES", "UNSEEN", "Resamples"]

N_RESAMPLES = 2000
"""With so many the ends of a 95 % interval are steady."""

UNSEEN = 0.3
"""Recordings of each extreme kind that are assumed beforehand. Chosen on those of `benchmarks.statistics.coverage`."""

MAX_DEGENERATE_SHARE = 0.05
"""Share of resamples that may have no value before the interval itself has none."""

_MAX_SHARE = 0.75
"""A group with more of the clips than this is taken to have as many: its variance would have no end."""


@dataclass(frozen=True, eq=False)
class Resamples:
    """Groups of clips, and how much each group counts in every resample.

    Attributes:
        codes: `(n,)` the column of `weights` that each clip belongs to.
        weights: `(B, G)` how much each group counts in each resample, 1 on average.
        names: The `G` names of the groups; empty where nobody needs them.
        unseen: `(2, B)` recordings of a kind not seen, the worst and the best; none where it is left out.
        beyond: `(B,)` draws of a standard exponential variable, for what lies beyond the highest score; see `roc`.
        confidence: Share of intervals that shall cover, in (0, 1).
    """

    codes: Codes
    weights: Floats
    names: tuple[str, ...] = ()
    unseen: Floats = field(default_factory=lambda: np.zeros((2, 1)))
    beyond: Floats = field(default_factory=lambda: np.zeros(1))
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Refuse codes without a column.

        Raises:
            ValueError: The codes do not fit the weights, or `confidence` is not in (0, 1).
        """
        normal_quantile(self.confidence)
        object.__setattr__(self, "codes", as_groups(self.codes, np.size(self.codes), self.weights))

    @classmethod
    def of(
        cls,
        groups: Sequence[str] | NDArray[np.integer],
        seed: int | np.random.Generator = 0,
        *,
        n_resamples: int = N_RESAMPLES,
        confidence: float = 0.95,
    ) -> Resamples:
        """Draw the resamples of a run.

        Args:
            groups: The group of every clip: names or numbers, at least one.
            seed: Seed or generator; the same seed gives the same resamples. For the numbers of one dataset it is
                `derive_seed(seed of the dataset, "bootstrap")`, so that whatever shows them shows the same intervals.
            n_resamples: Number of resamples `B`, at least 1.
            confidence: Share of intervals that shall cover, in (0, 1).

        Raises:
            ValueError: If there is no group, or a number is out of its range.
        """
        if len(groups) == 0 or n_resamples < 1:
            raise ValueError(
                f"'groups' and 'n_resamples' of Resamples.of must be at least one. Got {len(groups)} and {n_resamples}."
            )
        distinct, codes = np.unique(np.asarray(groups), return_inverse=True)
        rng = np.random.default_rng(seed)
        share = np.minimum(np.bincount(codes) / codes.size, _MAX_SHARE)
        variance = 1 / (1 - share) ** 2
        weights = rng.standard_gamma(1 / variance, size=(n_resamples, distinct.size)) * variance
        unseen = rng.standard_gamma(UNSEEN, size=(2, n_resamples))
        beyond = rng.standard_exponential(n_resamples)
        return cls(
            codes.astype(np.intp, copy=False), weights, tuple(map(str, distinct)), unseen, beyond, confidence=confidence
        )

    @property
    def n_clips(self) -> int:
        """Number of clips."""
        return int(self.codes.size)

    @cached_property
    def n_groups(self) -> int:
        """Number of groups that have clips."""
        return count_groups(self.codes) if self.codes.size else 0

    def of_clips(self, clips: Flags | Codes | slice) -> Resamples:
        """Return the same resamples for some of the clips.

        Args:
            clips: `(n,)` booleans, indices, or a slice.
        """
        return replace(self, codes=self.codes[clips])

    def compact(self) -> Resamples:
        """Return the same resamples without the groups that have no clip, which add nothing to any sum."""
        present, codes = np.unique(self.codes, return_inverse=True)
        names = tuple(self.names[group] for group in present) if self.names else ()
        return replace(self, codes=codes.astype(np.intp), weights=self.weights[:, present], names=names)

    def twice(self) -> Resamples:
        """Return the same resamples for the clips and, behind them, their twins."""
        return replace(self, codes=np.concatenate([self.codes, self.codes]))

    def require(self, n_clips: int) -> None:
        """Refuse resamples of other clips.

        Raises:
            ValueError: There is not one code for each clip.
        """
        if self.codes.size != n_clips:
            raise ValueError(
                f"'resamples' must hold one group for each of the {n_clips} clips. Got {self.codes.size}; take a part "
                f"of them with of_clips."
            )

    def sums(self, values: ArrayLike) -> Floats:
        """Add up the clips' values by group: `(n,)` or `(n, k)` to `(G,)` or `(G, k)`."""
        return sum_by_group(values, self.codes, self.weights.shape[1])

    def counts(self) -> Floats:
        """Count the clips of every group: `(G,)`."""
        return count_by_group(self.codes, self.weights.shape[1])

    def interval(
        self, replicates: Floats, n_groups: int | None = None, *, extremes: tuple[float, float] | None = None
    ) -> Interval:
        """Interval of a metric from its values on the resamples.

        Where `extremes` are given, recordings of a kind not seen count in; and where the value is the same
        on all resamples, which tells nothing of how recordings differ, the interval is Wilson's with as many trials as
        there are groups: 12 groups in which all is right bound a rate to [0.76, 1].

        Args:
            replicates: `(B,)` values of the metric, NaN where a resample is degenerate (a zero denominator). These
                are left out; where they are more than 5 % the interval is NaN.
            n_groups: Number of groups the metric is taken over, by default those of the clips; with fewer than 2 the
                interval is NaN.
            extremes: What the metric may be in a recording of the worst and in one of the best kind.
        """
        number = self.n_groups if n_groups is None else n_groups
        defined = ~np.isnan(replicates)
        if number < 2 or np.count_nonzero(defined) < (1 - MAX_DEGENERATE_SHARE) * replicates.size:
            return UNKNOWN
        values = replicates[defined]
        if extremes is None:
            return self._percentiles(values, number)
        worst, best = extremes
        low, high = values.min(), values.max()
        if high - low <= 1e-12:
            z = normal_quantile(self.confidence)
            share = z * z / (number + z * z)
            return Interval(float(low + share * (worst - low)), float(high + share * (best - high)))
        bad, good = (np.broadcast_to(part, replicates.shape)[defined] for part in self.unseen)
        values = (number * values + bad * worst + good * best) / (number + bad + good)
        return self._percentiles(values, number)

    def _percentiles(self, values: Floats, n_groups: int) -> Interval:
        """Cut off Student's share at each end, without interpolation, so that infinite values work."""
        first = math.floor(_tail(n_groups, self.confidence) * (values.size - 1))
        last = values.size - 1 - first
        ordered = np.partition(values, (first, last))
        return Interval(float(ordered[first]), float(ordered[last]))


@lru_cache(maxsize=1024)
def _tail(n_groups: int, confidence: float) -> float:
    """Share of the resamples to cut off at each end, so that few groups do not make the interval too narrow."""
    from scipy.special import stdtrit

    return NormalDist().cdf(-float(stdtrit(n_groups - 1, (1 + confidence) / 2)))
