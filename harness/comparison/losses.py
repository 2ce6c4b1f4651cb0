"""How much each recording lost of a rate, as tests over recordings take it."""

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.change.parts import pair_parts
from sealproof.harness.statistics.estimation.vectors import Floats
from sealproof.harness.tables.rates import LOWER_IS_BETTER, UNITS


def parts(metric: str, change: ArrayLike, trials: ArrayLike) -> Floats:
    """Return what each recording adds to a rate's change, in trials; the sum is that of the change.

    Args:
        metric: Name of the rate.
        change: `(..., G)` successes after minus before, by recording.
        trials: `(..., G)` trials by recording.
    """
    counts, of = np.asarray(change, dtype=np.float64), np.asarray(trials, dtype=np.float64)
    return pair_parts(counts, of) if UNITS.get(metric) == "pairs" else counts


def losses(metric: str, before: ArrayLike, after: ArrayLike, trials: ArrayLike) -> Floats:
    """Return what each recording lost, in trials; positive is worse, whether the rate should be high or low.

    Args:
        metric: Name of the rate.
        before: `(G,)` successes of each recording.
        after: `(G,)` successes now.
        trials: `(G,)` trials.
    """
    worse = np.asarray(before, dtype=np.int64) - np.asarray(after, dtype=np.int64)
    return parts(metric, -worse if metric in LOWER_IS_BETTER else worse, trials)
