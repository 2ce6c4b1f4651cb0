"""Measure how often the intervals contain the truth, on simulated detectors whose truth is known.

    python -m benchmarks.coverage
    python -m benchmarks.coverage --simulations 400 --groups 12 40

Run by hand from the repository's root; the tests run a small part of it. An interval of 95 % shall cover in 93 to 97 %.

The model: recordings of 10 clean clips and their twins. A score is 0 for a clean clip and 2 for a watermarked one, plus
standard normal noise of which a share, the likeness, is the recording's, and half of that the same for clean and
watermarked clips. A mimic's score is normal too and correlates .8 with the reference's. So all clips together have
known distributions, whatever the likeness.
"""

import argparse
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.statistics import agreement, detection, message, rank_agreement, roc
from sealproof.harness.statistics.break_point import find_break_point
from sealproof.harness.statistics.estimation import estimate as estimates
from sealproof.harness.statistics.estimation.bootstrap import Resamples, group_weights

SHIFT, CORRELATION, PAIRS = 2.0, 0.8, 10
"""Of the watermarked clips' scores; of mimic and reference; clips (with twins) of a recording."""

N_BITS, BIT_RATE = 16, 0.9
"""Bits of a message, and how many come through on average."""

STRENGTHS = np.arange(1.0, 9.0)
BREAK_POINT, SLOPE = 4.3, 1.5
"""Of the logistic curve that detection follows along a sweep; it lies between two strengths."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Setting:
    """How many recordings there are, and how alike the clips of one are (0: not at all, 1: copies)."""

    n_groups: int
    likeness: float


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=2000, help="default 2000")
    parser.add_argument("--resamples", type=int, default=2000, help="default 2000")
    parser.add_argument("--groups", type=int, nargs="+", default=[8, 12, 24, 40, 120], help="default 8 12 24 40 120")
    parser.add_argument("--likeness", type=float, nargs="+", default=[0.0, 0.3], help="default 0 0.3")
    options = parser.parse_args()
    settings = [Setting(n_groups, likeness) for likeness in options.likeness for n_groups in options.groups]
    started = time.process_time()
    found = {setting: coverage(setting, options.simulations, options.resamples) for setting in settings}
    error = 100 * math.sqrt(0.95 * 0.05 / options.simulations)
    print(f"{options.simulations} simulations, {options.resamples} resamples; coverage of 95 % intervals in %, each")
    print(f"with a standard error of about {error:.1f} ({time.process_time() - started:.0f} s of processor time)\n")
    print("| likeness |" + "".join(f" {setting.likeness:g} |" for setting in settings))
    print("|---|" + "---:|" * len(settings))
    print("| groups |" + "".join(f" {setting.n_groups} |" for setting in settings))
    for name in found[settings[0]]:
        print(f"| {name} |" + "".join(f" {100 * found[setting][name]:.1f} |" for setting in settings))


def coverage(setting: Setting, n_simulations: int, n_resamples: int) -> dict[str, float]:
    """Return the share of simulations in which each interval contains the truth."""
    rng = np.random.default_rng([setting.n_groups, round(1000 * setting.likeness)])
    truth = truths()
    weights = group_weights(setting.n_groups, n_resamples, rng)
    covered = dict.fromkeys(truth, 0)
    for _ in range(n_simulations):
        for name, (low, high) in _intervals(setting, weights, rng):
            covered[name] += low <= truth[name] <= high
    return {name: count / n_simulations for name, count in covered.items()}


@lru_cache
def truths() -> Mapping[str, float]:
    """Return the true value of every metric."""
    from scipy.stats import multivariate_normal, norm

    # Both detectors flag a clip above half the shift; by symmetry both classes are alike.
    right = float(norm.cdf(SHIFT / 2))
    both_right = float(multivariate_normal.cdf([SHIFT / 2] * 2, cov=[[1, CORRELATION], [CORRELATION, 1]]))
    agreed = both_right + (1 - 2 * right + both_right)
    return {
        "tpr": right,
        "accuracy": right,
        "balanced accuracy": right,
        "AUC": float(norm.cdf(SHIFT / math.sqrt(2))),
        "EER": 1 - right,
        "TPR at 1 % FPR": float(norm.cdf(SHIFT - norm.ppf(0.99))),
        "TPR at 10 % FPR": float(norm.cdf(SHIFT - norm.ppf(0.9))),
        "agreement": agreed,
        "kappa": 2 * agreed - 1,
        "MCC": 2 * agreed - 1,
        "PABAK": 2 * agreed - 1,
        "agreement, reference right": both_right / right,
        "agreement, reference wrong": (1 - 2 * right + both_right) / (1 - right),
        "Spearman": _spearman(),
        "bit accuracy": BIT_RATE,
        "mean": 0.0,
        "median": 0.0,
        "break point": BREAK_POINT,
    }


def _spearman() -> float:
    """Return the rank correlation over both classes, from pairs of clips: 3 P(both orders agree) - 3 P(they do not).

    For independent clips i, j and k it is 12 P(a_i < a_j, b_i < b_k) - 3, a bivariate normal probability for each
    combination of their classes.
    """
    from scipy.stats import multivariate_normal

    total = 0.0
    for i, j, k in np.ndindex(2, 2, 2):
        means = SHIFT * np.array([j - i, k - i])
        total += float(multivariate_normal.cdf(means, cov=[[2, CORRELATION], [CORRELATION, 2]]))
    return 12 * total / 8 - 3


def _intervals(
    setting: Setting, weights: NDArray[np.float64], rng: np.random.Generator
) -> Iterator[tuple[str, Interval]]:
    groups = np.tile(np.repeat(np.arange(setting.n_groups), PAIRS), 2)
    truth = np.repeat([False, True], groups.size // 2)
    ours, theirs = _noise(setting, groups, truth, rng), _noise(setting, groups, truth, rng)
    reference = SHIFT * truth + ours
    mimic = SHIFT * truth + CORRELATION * ours + math.sqrt(1 - CORRELATION**2) * theirs
    a, b, cut = mimic > SHIFT / 2, reference > SHIFT / 2, SHIFT / 2
    resamples = Resamples(groups, weights)
    bits, sent = _bits(setting, groups[truth], rng), np.ones((groups.size // 2, N_BITS), np.bool_)
    found = {
        "tpr": detection.estimate_tpr(reference, truth, cut, resamples),
        "accuracy": detection.estimate_accuracy(reference, truth, cut, resamples),
        "balanced accuracy": detection.estimate_balanced_accuracy(reference, truth, cut, resamples),
        "AUC": roc.estimate_auc(reference, truth, resamples),
        "EER": roc.estimate_eer(reference, truth, resamples),
        "TPR at 1 % FPR": roc.estimate_tpr_at_fpr(reference, truth, 0.01, resamples),
        "TPR at 10 % FPR": roc.estimate_tpr_at_fpr(reference, truth, 0.1, resamples),
        "agreement": agreement.estimate_agreement(a, b, resamples),
        "kappa": agreement.estimate_kappa(a, b, resamples),
        "MCC": agreement.estimate_mcc(a, b, resamples),
        "PABAK": agreement.estimate_pabak(a, b, resamples),
        "agreement, reference right": agreement.estimate_conditional_agreement(a, b, truth, resamples, given="right"),
        "agreement, reference wrong": agreement.estimate_conditional_agreement(a, b, truth, resamples, given="wrong"),
        "Spearman": rank_agreement.estimate_spearman(mimic, reference, resamples),
        "bit accuracy": message.estimate_bit_accuracy(bits, sent, resamples.of_clips(truth)),
        "mean": estimates.estimate_mean(ours[truth], resamples.of_clips(truth)),
        "median": estimates.estimate_median(ours[truth], resamples.of_clips(truth)),
    }
    yield from ((name, (estimate.ci_low, estimate.ci_high)) for name, estimate in found.items())
    hits, trials = _sweep(setting, rng)
    point = find_break_point(STRENGTHS, hits, trials, weights)
    yield "break point", (point.ci_low, point.ci_high)


def _noise(
    setting: Setting, groups: NDArray[np.intp], truth: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw standard normal noise, a share of which is the recording's, half of that for both classes alike."""
    common, by_class = rng.normal(size=setting.n_groups), rng.normal(size=(2, setting.n_groups))
    recording = (common[groups] + by_class[truth.astype(int), groups]) / math.sqrt(2)
    own = rng.normal(size=groups.size)
    return math.sqrt(setting.likeness) * recording + math.sqrt(1 - setting.likeness) * own


def _bits(setting: Setting, groups: NDArray[np.intp], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw which bits come out right: each where a normal variable, alike within recording and clip, is high enough."""
    recording, clip = rng.normal(size=setting.n_groups)[groups], rng.normal(size=groups.size)
    alike = (setting.likeness * recording + (1 - setting.likeness) * clip) / math.hypot(
        setting.likeness, 1 - setting.likeness
    )
    latent = (alike[:, None] + rng.normal(size=(groups.size, N_BITS))) / math.sqrt(2)
    return latent < NormalDist().inv_cdf(BIT_RATE)


def _sweep(setting: Setting, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw detections of the same clips along a sweep: each is found up to a strength of its own."""
    recording = rng.normal(size=(setting.n_groups, 1))
    own = rng.logistic(size=(setting.n_groups, PAIRS))
    # Both parts are symmetric, so half of all clips are lost at the break point whatever the likeness.
    spread = math.sqrt(setting.likeness) * math.pi / math.sqrt(3) * recording + math.sqrt(1 - setting.likeness) * own
    limits = BREAK_POINT + spread / SLOPE
    hits = (limits[None] > STRENGTHS[:, None, None]).sum(axis=2)
    return hits, np.full(hits.shape, PAIRS)


if __name__ == "__main__":
    main()
