"""Score intervals of differences of matched proportions."""

import numpy as np

from sealproof.harness.statistics.estimation.intervals import normal_quantile
from sealproof.harness.statistics.estimation.vectors import Floats


def score_interval(lost: Floats, won: Floats, n: Floats, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Score intervals of differences of matched proportions: those that a two-sided score test does not reject.

    What Wilson's interval is to one rate, with a width where nothing changed. (Tango 1998, Equivalence test and
    confidence interval for the difference in proportions for the paired-sample design, Statistics in Medicine 17.)

    Args:
        lost: (R,) clips that succeeded before only.
        won: (R,) clips that succeeded after only.
        n: (R,) clips, at least 1.
        confidence: Share of intervals that shall cover, in (0, 1).

    Returns:
        (R,) lower and upper ends, in [-1, 1].
    """
    z = normal_quantile(confidence)
    value = (won - lost) / n

    def end(outside: float) -> Floats:
        # The statistic falls with the difference, so its crossing of z is found by bisection.
        inside, beyond = value.copy(), np.full(value.shape, outside)
        for _ in range(60):
            middle = (inside + beyond) / 2
            rejected = np.abs(score_statistic(lost, won, n, middle)) > z
            inside, beyond = np.where(rejected, inside, middle), np.where(rejected, middle, beyond)
        return inside

    return end(-1.0), end(1.0)


def score_statistic(lost: Floats, won: Floats, n: Floats, difference: Floats) -> Floats:
    """Return Tango's statistic, standard normal where the true difference is `difference`; arguments (R,) each."""
    a = 2 * n
    b = (2 * n - won + lost) * difference - lost - won
    c = -lost * difference * (1 - difference)
    # Likeliest share of clips that succeed before only, given the difference.
    share = (np.sqrt(np.maximum(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = n * (2 * share + difference * (1 - difference))
    distance = won - lost - n * difference
    with np.errstate(divide="ignore"):
        statistic = distance / np.sqrt(np.maximum(variance, 0.0), where=distance != 0, out=np.ones_like(variance))
    return np.where(distance == 0, 0.0, statistic)
