"""Logistic regression with a ridge: small enough to need no library."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.statistics.estimation.vectors import Floats

_ROUNDS = 25


@dataclass(frozen=True)
class Logistic:
    """What was learnt: log odds are `(rows - mean) / scale @ weights + intercept`.

    Attributes:
        mean: Shape (features,).
        scale: Shape (features,); infinite for a feature that never changed.
        weights: Shape (features,).
        intercept: Log odds of the mean row.
    """

    mean: Floats
    scale: Floats
    weights: Floats
    intercept: float

    def __call__(self, rows: Floats) -> Floats:
        """Return log odds, (n, features) to (n,)."""
        return np.asarray((rows - self.mean) / self.scale @ self.weights + self.intercept)

    def probabilities(self, rows: Floats) -> Floats:
        """Return probabilities, (n, features) to (n,)."""
        return _probabilities(self(rows))


def fit_logistic(rows: Floats, targets: NDArray[Any], ridge: float = 1.0) -> Logistic:
    """Learn of some rows.

    Features are standardised over the rows; fitted by Newton's method in the span of the rows, which is exact for a
    ridge however many features there are.

    Args:
        rows: Shape (n, features).
        targets: Shape (n,): labels, or probabilities.
        ridge: Weight of half the squared norm of the coefficients, the intercept's not counted.
    """
    mean, scale = rows.mean(axis=0), rows.std(axis=0)
    scale[scale < 1e-12] = np.inf
    standard = (rows - mean) / scale
    # An orthonormal basis of the rows: ridge solutions lie in their span.
    _, singular, basis = np.linalg.svd(standard, full_matrices=False)
    basis = basis[singular > 1e-9 * max(float(singular[0]), 1e-300)]
    inside = np.column_stack([standard @ basis.T, np.ones(len(standard))])
    penalty = np.full(inside.shape[1], ridge)
    penalty[-1] = 1e-6
    weights = np.zeros(inside.shape[1])
    for _ in range(_ROUNDS):
        probability = _probabilities(inside @ weights)
        gradient = inside.T @ (probability - targets) + penalty * weights
        curvature = (inside * (probability * (1 - probability))[:, None]).T @ inside + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return Logistic(mean, scale, np.asarray(weights[:-1] @ basis), float(weights[-1]))


def _probabilities(odds: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))))
