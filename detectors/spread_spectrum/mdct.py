"""The modified discrete cosine transform: an orthonormal lapped transform, so energies mean the same on both sides."""

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@functools.cache
def _basis(hop: int) -> Floats:
    n = np.arange(2 * hop)[:, None] + 0.5
    k = np.arange(hop)[None, :] + 0.5
    window = np.sin(np.pi / (2 * hop) * n)
    basis: Floats = np.sqrt(2 / hop) * window * np.cos(np.pi / hop * (n + hop / 2) * k)
    return basis


def frame_count(samples: int, hop: int) -> int:
    """Number of frames that cover `samples` samples, each by two frames."""
    return -(-samples // hop) + 1


def mdct(batch: NDArray[np.floating], hop: int) -> Floats:
    """Transform each clip with a sine window of 2 * hop samples.

    The batch is padded with zeros in front by one hop and behind to whole frames, so `imdct(mdct(x)) == x`.

    Args:
        batch: Shape (n, samples).
        hop: Coefficients per frame.

    Returns:
        Coefficients, shape (n, `frame_count`, hop); their energy is the batch's.

    Source: Princen, Johnson and Bradley, "Subband/transform coding using filter bank designs based on time domain
    aliasing cancellation", ICASSP 1987.
    """
    samples = batch.shape[1]
    padded = np.zeros((len(batch), (frame_count(samples, hop) + 1) * hop))
    padded[:, hop : hop + samples] = batch
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * hop, axis=1)[:, ::hop]
    coefficients: Floats = frames @ _basis(hop)
    return coefficients


def imdct(coefficients: Floats, samples: int) -> Floats:
    """Invert `mdct`: shape (n, frames, hop) back to (n, samples)."""
    n, frames, hop = coefficients.shape
    pieces = coefficients @ _basis(hop).T
    halves = np.zeros((n, frames + 1, hop))
    halves[:, :-1] = pieces[:, :, :hop]
    halves[:, 1:] += pieces[:, :, hop:]
    return halves.reshape(n, -1)[:, hop : hop + samples]
