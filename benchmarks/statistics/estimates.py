"""Time every estimate: milliseconds for one detector in one cell, on one core.

    python -m benchmarks.statistics.estimates
    python -m benchmarks.statistics.estimates --clips 4000 --groups 24 120

Run by hand from the repository's root; it is no test. The last column says how often a row is needed for one mimic in
one cell (a mimic has the rows of a detector and those of its agreement), the last lines what that comes to for a run.
Processor time, fastest of several rounds: what the machine does besides hardly counts.
"""

import argparse
import os
import time
from collections.abc import Callable, Mapping

# One core: must be set before numpy is loaded.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import numpy as np

from sealproof.harness.statistics import (
    agreement,
    calibrated,
    detection,
    message,
    rank_agreement,
    roc,
    significance,
    thresholds,
)
from sealproof.harness.statistics.break_point import find_break_point
from sealproof.harness.statistics.estimation.estimate import estimate_median_of_defined
from sealproof.harness.statistics.estimation.resamples import Resamples

RULES = 2
"""Threshold rules that are given: fixed and best. Those of 1 % and 0.1 % are calibrated."""

Timed = Mapping[str, tuple[Callable[[], object], int]]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=2000, help="clean and watermarked together (default 2000)")
    parser.add_argument("--groups", type=int, nargs="+", default=[24, 120], help="default 24 120")
    parser.add_argument("--resamples", type=int, default=2000, help="default 2000")
    parser.add_argument("--rounds", type=int, default=7, help="fastest of (default 7)")
    options = parser.parse_args()
    tables = [_estimates(options.clips, n_groups, options.resamples) for n_groups in options.groups]
    spent = [{name: _fastest(call, options.rounds) for name, (call, _) in table.items()} for table in tables]
    print(f"{options.clips} clips, {options.resamples} resamples, one core, fastest of {options.rounds}; ms\n")
    print("estimate".ljust(34), *(f"{n_groups:4d} groups" for n_groups in options.groups), "  times")
    for name, (_, times) in tables[0].items():
        print(name.ljust(34), *(f"{took[name]:11.2f}" for took in spent), f"{times:6d}")
    print()
    totals = [sum(took[name] * times for name, (_, times) in tables[0].items()) for took in spent]
    print("all, for one mimic in one cell".ljust(34), *(f"{total:11.1f}" for total in totals))
    print("250 cells x 4 mimics, s".ljust(34), *(f"{total:11.1f}" for total in totals))


def _estimates(n_clips: int, n_groups: int, n_resamples: int) -> Timed:
    rng = np.random.default_rng(0)
    # Clean clips, then their twins, as a run has them.
    groups = np.tile(np.arange(n_clips // 2) % n_groups, 2)
    truth = np.repeat([False, True], n_clips // 2)
    recording = rng.normal(size=n_groups)[groups]
    reference = 2 * truth + recording + rng.normal(size=truth.size)
    mimic = reference + rng.normal(size=truth.size)
    a, b, snrs = mimic > 1, reference > 1, rng.normal(20, 3, truth.size)
    sent = rng.integers(0, 2, (n_clips // 2, 16))
    decoded = np.where(rng.random(sent.shape) < 0.1, 1 - sent, sent)
    resamples = Resamples.of(groups, 0, n_resamples=n_resamples)
    calibration = Resamples.of(np.arange(300) % n_groups, 1, n_resamples=n_resamples)
    threshold = calibrated.calibrate_threshold(rng.normal(size=300), 0.01, calibration)
    if threshold is None:
        raise AssertionError
    bits = (decoded, sent, resamples.of_clips(truth))
    strengths = np.arange(12.0)
    trials = np.tile(np.bincount(groups[truth], minlength=n_groups), (12, 1))
    hits = rng.binomial(trials, np.linspace(0.95, 0.05, 12)[:, None])
    return {
        "four rates, calibrated": (lambda: calibrated.estimate_rates(mimic, truth, threshold, resamples), 2),
        "accuracy": (lambda: detection.estimate_accuracy(mimic, truth, 1, resamples), RULES),
        "balanced_accuracy": (lambda: detection.estimate_balanced_accuracy(mimic, truth, 1, resamples), RULES),
        "tpr": (lambda: detection.estimate_tpr(mimic, truth, 1, resamples), RULES),
        "fpr": (lambda: detection.estimate_fpr(mimic, truth, 1, resamples), RULES),
        "best_threshold": (lambda: thresholds.best_threshold(mimic, truth), 1),
        "auc": (lambda: roc.estimate_auc(mimic, truth, resamples), 1),
        "eer": (lambda: roc.estimate_eer(mimic, truth, resamples), 1),
        "tpr_at_fpr_1pct": (lambda: roc.estimate_tpr_at_fpr(mimic, truth, 0.01, resamples), 1),
        "bit_accuracy": (lambda: message.estimate_bit_accuracy(*bits), 1),
        "exact_match": (lambda: message.estimate_exact_match(*bits), 1),
        "message_p_value": (lambda: message.estimate_p_value(*bits), 1),
        "agreement": (lambda: agreement.estimate_agreement(a, b, resamples), 2),
        "cohens_kappa": (lambda: agreement.estimate_kappa(a, b, resamples), 2),
        "pabak": (lambda: agreement.estimate_pabak(a, b, resamples), 2),
        "mcc": (lambda: agreement.estimate_mcc(a, b, resamples), 2),
        "agreement by truth class": (
            lambda: agreement.estimate_agreement(a[truth], b[truth], resamples.of_clips(truth)),
            4,
        ),
        "agreement given right or wrong": (
            lambda: agreement.estimate_conditional_agreement(a, b, truth, resamples, given="right"),
            4,
        ),
        "mcnemar_p": (lambda: significance.mcnemar_exact(a == truth, b == truth), 2),
        "spearman": (lambda: rank_agreement.estimate_spearman(mimic, reference, resamples), 1),
        "median (3 qualities for 4 mimics)": (lambda: estimate_median_of_defined(snrs, resamples), 1),
        "break point (12 strengths)": (lambda: find_break_point(strengths, hits, trials, resamples), 0),
    }


def _fastest(call: Callable[[], object], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        call()
        best = min(best, time.process_time() - started)
    return 1000 * best


if __name__ == "__main__":
    main()
