"""Agreement beyond what strata explain: one kappa over many small tables."""

import math

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.statistics.estimation.estimate import Estimate
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.estimation.vectors import Floats


def kappa_over_strata(
    a: NDArray[np.bool_], b: NDArray[np.bool_], strata: NDArray[np.intp], codes: NDArray[np.intp], resamples: Resamples
) -> Estimate:
    """Cohen's kappa with the agreement by chance taken within each stratum: 1 - disagreements / those expected.

    What knows nothing but a clip's stratum has 0, however well it agrees; one stratum gives Cohen's kappa. A stratum in
    which both always say the same tells nothing and counts for nothing. NaN where that is so of all. (Stratified kappa,
    weighted by the expected disagreement: Barlow, Lai and Azen 1991, Statistics in Medicine 10, compare the weights.)

    Args:
        a: (m,) decisions of one.
        b: (m,) decisions of the other.
        strata: (m,) whole numbers, the stratum of each.
        codes: (m,) the column of the resamples' weights of each.
        resamples: Whose weights the interval is drawn from.
    """
    n_groups, n_strata = resamples.weights.shape[1], int(strata.max(initial=0)) + 1
    counts = np.zeros((n_groups, n_strata, 4))
    np.add.at(counts, (codes, strata, 2 * a.astype(int) + b.astype(int)), 1)
    value = float(_kappa(counts.sum(axis=0)[None])[0])
    present = np.unique(codes)
    if math.isnan(value):
        return Estimate(math.nan, math.nan, math.nan, len(a), len(present))
    weighted = (resamples.weights @ counts.reshape(n_groups, -1)).reshape(-1, n_strata, 4)
    interval = resamples.interval(_kappa(weighted), len(present))
    known = interval.known
    return Estimate(
        value,
        min(interval.low, value) if known else math.nan,
        max(interval.high, value) if known else math.nan,
        len(a),
        len(present),
    )


def _kappa(counts: Floats) -> Floats:
    """Return kappa of `(..., strata, 4)` counts: neither, only b, only a, both."""
    neither, only_b, only_a, both = np.moveaxis(counts, -1, 0)
    n = np.maximum(counts.sum(axis=-1), 1e-300)
    expected = ((neither + only_b) * (only_b + both) + (neither + only_a) * (only_a + both)) / n
    observed = np.where(expected > 0, only_a + only_b, 0).sum(axis=-1)
    total = expected.sum(axis=-1)
    return np.asarray(np.where(total > 0, 1 - observed / np.where(total > 0, total, 1), np.nan))
