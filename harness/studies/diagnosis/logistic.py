"""Logistic regression with a ridge: small enough to need no library."""

import numpy as np

from sealproof.harness.statistics.estimation.vectors import Flags, Floats

_ROUNDS = 25


def logistic_scores(train: Floats, labels: Flags, test: Floats, ridge: float = 1.0) -> Floats:
    """Learn of some rows and scores others.

    Features are standardised over the training rows; fitted by Newton's method in the span of the training rows, which
    is exact for a ridge however many features there are.

    Args:
        train: Shape (n, features).
        labels: Shape (n,).
        test: Shape (m, features).
        ridge: Weight of half the squared norm of the coefficients, the intercept's not counted.

    Returns:
        Log odds, shape (m,).
    """
    mean, scale = train.mean(axis=0), train.std(axis=0)
    scale[scale < 1e-12] = np.inf
    rows, others = (train - mean) / scale, (test - mean) / scale
    # An orthonormal basis of the training rows: ridge solutions lie in their span.
    _, singular, basis = np.linalg.svd(rows, full_matrices=False)
    basis = basis[singular > 1e-9 * max(float(singular[0]), 1e-300)]
    rows, others = rows @ basis.T, others @ basis.T
    rows = np.column_stack([rows, np.ones(len(rows))])
    penalty = np.full(rows.shape[1], ridge)
    penalty[-1] = 1e-6
    weights = np.zeros(rows.shape[1])
    for _ in range(_ROUNDS):
        odds = np.clip(rows @ weights, -30, 30)
        probability = 1 / (1 + np.exp(-odds))
        gradient = rows.T @ (probability - labels) + penalty * weights
        curvature = (rows * (probability * (1 - probability))[:, None]).T @ rows + np.diag(penalty)
        step = np.linalg.solve(curvature, gradient)
        weights -= step
        if np.abs(step).max() < 1e-6:
            break
    return np.asarray(others @ weights[:-1] + weights[-1])
