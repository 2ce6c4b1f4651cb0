"""How well a watermark's message comes through: bits right, messages right, and how likely that is by luck.

Bits are booleans, or zeros and ones. Without clips every metric is NaN, "not defined". `estimate_...` gives the same
value with an interval.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from sealproof.harness.statistics.estimation.bootstrap import bootstrap_mean
from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_median, estimate_rate, make_estimate
from sealproof.harness.statistics.estimation.intervals import UNKNOWN, wider, wilson
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.estimation.vectors import Flags, Floats

__all__ = [
    "bit_accuracy",
    "bit_accuracy_per_clip",
    "estimate_bit_accuracy",
    "estimate_exact_match",
    "estimate_p_value",
    "exact_match",
    "p_value",
    "p_value_per_clip",
]


def bit_accuracy(decoded: ArrayLike, sent: ArrayLike) -> float:
    """Share of message bits decoded rightly, over all clips.

    Range [0, 1], higher is better, .5 by chance; 1 minus the bit error rate. NaN without clips.

    Args:
        decoded: `(n, k)` bits.
        sent: `(n, k)` bits.

    Raises:
        ValueError: If these are not bits, or the shapes differ.
    """
    return _mean(bit_accuracy_per_clip(decoded, sent))


def bit_accuracy_per_clip(decoded: ArrayLike, sent: ArrayLike) -> Floats:
    """Share of message bits decoded rightly, of each clip.

    Args:
        decoded: `(n, k)` bits.
        sent: `(n, k)` bits.

    Returns:
        `(n,)` shares in [0, 1].

    Raises:
        ValueError: If these are not bits, or the shapes differ.
    """
    shares: Floats = _right_bits(decoded, sent).mean(axis=1)
    return shares


def exact_match(decoded: ArrayLike, sent: ArrayLike) -> float:
    """Share of clips whose message is decoded without a wrong bit.

    Range [0, 1], higher is better, 2^-k by chance; 1 minus the message error rate. NaN without clips.

    Args:
        decoded: `(n, k)` bits.
        sent: `(n, k)` bits.

    Raises:
        ValueError: If these are not bits, or the shapes differ.
    """
    return _mean(_right_messages(decoded, sent))


def p_value_per_clip(decoded: ArrayLike, sent: ArrayLike) -> Floats:
    """Probability of at least as many right bits by tossing a coin for each: P(Binomial(k, 1/2) >= right bits).

    The evidence of one clip that this message was in it; lower is stronger. With k bits it is at least 2^-k, and 1
    where every bit is wrong. (The exact one-sided binomial test; for watermarks' messages: Fernandez et al. 2023,
    The Stable Signature, ICCV.)

    Args:
        decoded: `(n, k)` bits.
        sent: `(n, k)` bits.

    Returns:
        `(n,)` probabilities in (0, 1].

    Raises:
        ValueError: If these are not bits, or the shapes differ.
    """
    right = _right_bits(decoded, sent)
    n_bits = right.shape[1]
    tail = [0]
    for n_right in range(n_bits, -1, -1):
        tail.append(tail[-1] + math.comb(n_bits, n_right))
    # Whole numbers up to here: the quotient is right to the last digit.
    at_least = np.array([ways / (1 << n_bits) for ways in reversed(tail[1:])])
    p_values: Floats = at_least[np.count_nonzero(right, axis=1)]
    return p_values


def p_value(decoded: ArrayLike, sent: ArrayLike) -> float:
    """Median over clips of `p_value_per_clip`: what half of the clips reach or stay below. NaN without clips.

    Args:
        decoded: `(n, k)` bits.
        sent: `(n, k)` bits.

    Raises:
        ValueError: If these are not bits, or the shapes differ.
    """
    p_values = p_value_per_clip(decoded, sent)
    return float(np.median(p_values)) if p_values.size else math.nan


def estimate_bit_accuracy(decoded: ArrayLike, sent: ArrayLike, resamples: Resamples) -> Estimate:
    """Bit accuracy with the wider of Wilson's interval over bits and the cluster bootstrap's over clips.

    Bits of a clip fail together, so the bootstrap's is almost always the one; Wilson's stands in where every bit of
    every clip came out right and the bootstrap has no width.

    Args:
        decoded: `(n, k)` bits.
        sent: `(n, k)` bits.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    right = _right_bits(decoded, sent)
    resamples.require(right.shape[0])
    if right.size == 0:
        return make_estimate(math.nan, UNKNOWN, resamples)
    value = float(right.mean())
    # In a recording of the worst kind bits are tosses of a coin, not all wrong.
    clustered = resamples.interval(
        bootstrap_mean(right.mean(axis=1), resamples), extremes=(max(0.0, value - 0.5), min(1.0, value + 0.5))
    )
    independent = wilson(int(np.count_nonzero(right)), right.size, resamples.confidence)
    return make_estimate(value, wider(independent, clustered), resamples)


def estimate_exact_match(decoded: ArrayLike, sent: ArrayLike, resamples: Resamples) -> Estimate:
    """Share of messages without a wrong bit, with the wider of Wilson's and the cluster bootstrap's interval.

    Args:
        decoded: `(n, k)` bits.
        sent: `(n, k)` bits.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    return estimate_rate(_right_messages(decoded, sent), resamples)


def estimate_p_value(decoded: ArrayLike, sent: ArrayLike, resamples: Resamples) -> Estimate:
    """Median p value over clips with the cluster bootstrap's interval.

    Args:
        decoded: `(n, k)` bits.
        sent: `(n, k)` bits.
        resamples: Of the `n` clips.

    Raises:
        ValueError: If the arguments do not fit each other.
    """
    return estimate_median(p_value_per_clip(decoded, sent), resamples)


def _right_bits(decoded: ArrayLike, sent: ArrayLike) -> Flags:
    """Tell which bits are right, `(n, k)`."""
    received, message = _bits("decoded", decoded), _bits("sent", sent)
    if received.shape != message.shape:
        raise ValueError(f"'decoded' and 'sent' must have one shape. Got {received.shape} and {message.shape}.")
    right: Flags = received == message
    return right


def _right_messages(decoded: ArrayLike, sent: ArrayLike) -> Flags:
    """Tell which messages have no wrong bit, `(n,)`."""
    return np.asarray(_right_bits(decoded, sent).all(axis=1))


def _bits(name: str, values: ArrayLike) -> Flags:
    """Return `(n, k)` bits as booleans; probabilities are refused, they would never equal a bit."""
    bits = np.asarray(values)
    if bits.ndim != 2 or bits.shape[1] == 0:
        raise ValueError(f"{name!r} must be (clips, bits) with at least one bit. Got shape {bits.shape}.")
    if bits.dtype == np.bool_:
        return bits
    if not np.all((bits == 0) | (bits == 1)):
        raise ValueError(f"{name!r} must hold zeros and ones. Got other values; compare probabilities with 0.5 first.")
    ones: Flags = bits == 1
    return ones


def _mean(values: Flags | Floats) -> float:
    """Mean, with NaN instead of a warning for nothing."""
    return float(values.mean()) if values.size else math.nan
