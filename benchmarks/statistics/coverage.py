"""Measure how often the intervals contain the truth, on simulated detectors whose truth is known.

    python -m benchmarks.statistics.coverage
    python -m benchmarks.statistics.coverage --simulations 400 --populations unequal dead
    python -m benchmarks.statistics.coverage --calibration 99 120 540

Run by hand from the repository's root; the tests run a small part of it. An interval of 95 % shall cover in 93 to 97 %.

The model: 40 recordings of 10 clean clips and their twins. A score is 0 for a clean clip and 2 for a watermarked one,
plus standard normal noise of which a share, the likeness of .3, is the recording's, and half of that the same for clean
and watermarked clips. A mimic's score is normal too and correlates .8 with the reference's. Each population turns one
thing about this into something that an evaluation meets: `POPULATIONS` says what. The truth is that of some 30,000
recordings, by the plain metrics.

With --calibration it is about rates at a calibrated threshold: a calibration split of so many clean clips, 10 a
recording, and the truth at the threshold that 1 % of all clean clips exceed.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.statistics import agreement, detection, localisation, message, rank_agreement, roc
from sealproof.harness.statistics.break_point import find_break_point
from sealproof.harness.statistics.calibrated import CalibratedThreshold, calibrate_threshold, estimate_rates
from sealproof.harness.statistics.estimation import estimate as estimates
from sealproof.harness.statistics.estimation.resamples import Resamples

SHIFT, CORRELATION, PAIRS, GROUPS, LIKENESS = 2.0, 0.8, 10, 40, 0.3
"""Of marked scores; of mimic and reference; clips (with twins) of a recording; recordings; see above."""

N_BITS, BIT_RATE = 16, 0.9
"""Bits of a message, and how many come through on average."""

STRENGTHS = np.arange(1.0, 9.0)
BREAK_POINT, SLOPE = 4.3, 1.5
"""Of the logistic curve that detection follows along a sweep; it lies between two strengths."""

TARGET_FPR = 0.01

_LARGE = 30_000
"""Recordings whose metrics are taken for the truth."""

Interval = tuple[float, float]
Floats = NDArray[np.float64]
Sizes = Callable[[int, np.random.Generator], NDArray[np.intp]]


def _equal(n_groups: int, rng: np.random.Generator) -> NDArray[np.intp]:
    del rng
    return np.full(n_groups, PAIRS)


def _unequal(n_groups: int, rng: np.random.Generator) -> NDArray[np.intp]:
    return np.clip(rng.lognormal(1.6, 1.0, n_groups).astype(np.intp) + 1, 1, 80)


def _one_giant(n_groups: int, rng: np.random.Generator) -> NDArray[np.intp]:
    # Of the large sample it is one in as many as of a small one; how likely a clip is to be found has no part in it.
    del rng
    return np.where(np.arange(n_groups) % GROUPS == 0, 200, 5)


@dataclass(frozen=True)
class Population:
    """What is special about some recordings.

    Attributes:
        what: In words.
        n_groups: Recordings of a sample.
        likeness: How alike clips of a recording are (0: not at all, 1: copies).
        sizes: Draws how many clips each recording has.
        shift: What a mark adds to a score.
        shifts: Draws it for each recording, from their sizes, where it is not the same.
        cut: The detector's own threshold.
        is_heavy: Clean scores have heavy tails (Student's t, 3 degrees of freedom).
        is_coarse: Scores are sixteenths of 0 to 1, as a share of few frames.
    """

    what: str
    n_groups: int = GROUPS
    likeness: float = LIKENESS
    sizes: Sizes = _equal
    shift: float = SHIFT
    shifts: Callable[[NDArray[np.intp], np.random.Generator], Floats] | None = None
    cut: float = SHIFT / 2
    is_heavy: bool = False
    is_coarse: bool = False


def _dead(sizes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
    return np.where(rng.random(sizes.size) < 0.05, 0.0, 3.0)


def _bimodal(sizes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
    return np.where(rng.random(sizes.size) < 0.5, 3.5, 0.8)


def _larger_is_harder(sizes: NDArray[np.intp], rng: np.random.Generator) -> Floats:
    del rng
    return np.where(sizes > 7, 1.2, 2.5)


POPULATIONS: Mapping[str, Population] = {
    "plain": Population("clips are independent", likeness=0.0),
    "alike": Population("nothing else"),
    "unequal": Population("recordings of 1 to 80 clips", sizes=_unequal),
    "giant": Population("one recording has half of the clips", sizes=_one_giant),
    "harder": Population(
        "recordings of 1 to 80 clips, the larger the harder", sizes=_unequal, shifts=_larger_is_harder
    ),
    "dead": Population("in 5 % of the recordings the mark does nothing", shifts=_dead),
    "bimodal": Population("half of the recordings are easy, half are hard", shifts=_bimodal),
    "few": Population("12 recordings", n_groups=12),
    "rare": Population("2 % of the marked clips are missed", shift=3.05),
    "all right": Population("12 recordings; nothing is missed", n_groups=12, shift=5.0),
    "copies": Population("clips of a recording are almost copies", likeness=0.95),
    "heavy": Population("clean scores have heavy tails", cut=1.5, is_heavy=True),
    "coarse": Population("scores are sixteenths", cut=0.5, is_coarse=True),
}
"""Eleven that are nasty, behind two that are not."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=1000, help="default 1000")
    parser.add_argument("--resamples", type=int, default=1000, help="default 1000")
    parser.add_argument("--populations", nargs="+", default=list(POPULATIONS), choices=list(POPULATIONS))
    parser.add_argument("--calibration", type=int, nargs="+", metavar="CLIPS", help="rates at a calibrated threshold")
    options = parser.parse_args()
    started = time.process_time()
    if options.calibration:
        columns = {str(n): calibrated(n, options.simulations, options.resamples) for n in options.calibration}
    else:
        columns = {name: coverage(name, options.simulations, options.resamples) for name in options.populations}
    error = 100 * math.sqrt(0.95 * 0.05 / options.simulations)
    print(f"{options.simulations} simulations, {options.resamples} resamples; coverage of 95 % intervals in %, each")
    print(f"with a standard error of about {error:.1f} ({time.process_time() - started:.0f} s of processor time)\n")
    print("| |" + "".join(f" {name} |" for name in columns))
    print("|---|" + "---:|" * len(columns))
    for metric in next(iter(columns.values())):
        print(f"| {metric} |" + "".join(f" {100 * shares[metric]:.1f} |" for shares in columns.values()))


def coverage(name: str, n_simulations: int, n_resamples: int) -> dict[str, float]:
    """Return the share of simulations in which each interval contains the truth."""
    population, truth = POPULATIONS[name], truths(name)
    rng = np.random.default_rng([1, list(POPULATIONS).index(name)])
    covered = dict.fromkeys(truth, 0)
    for _ in range(n_simulations):
        for metric, (low, high) in _intervals(population, n_resamples, rng):
            # A truth of 1 or 0 that is an end is met, whatever the last digit.
            covered[metric] += low - 1e-9 <= truth[metric] <= high + 1e-9
    return {metric: count / n_simulations for metric, count in covered.items()}


def calibrated(n_clips: int, n_simulations: int, n_resamples: int) -> dict[str, float]:
    """Return the same for rates at a threshold calibrated on so many clean clips, of ``alike`` recordings."""
    alike = POPULATIONS["alike"]
    at = NormalDist().inv_cdf(1 - TARGET_FPR)
    true_tpr = 1 - NormalDist(SHIFT).cdf(at)
    truth = {"tpr": true_tpr, "fpr": TARGET_FPR, "accuracy": (true_tpr + 1 - TARGET_FPR) / 2}
    covered = dict.fromkeys([*truth, "tpr, threshold as given", "fpr, threshold as given"], 0)
    rng = np.random.default_rng([2, n_clips])
    for _ in range(n_simulations):
        codes = np.arange(n_clips) // PAIRS
        sizes = np.bincount(codes)
        calibration = Resamples.of(codes, rng, n_resamples=n_resamples)
        clean = _noise(alike, sizes, rng)[0]
        threshold = calibrate_threshold(clean, TARGET_FPR, calibration)
        if threshold is None:
            message = f"1 % takes 99 clean calibration clips. Got {n_clips}."
            raise SystemExit(message)
        sample = _sample(alike, alike.n_groups, rng)
        clips = sample.resamples(rng, n_resamples)
        as_given = CalibratedThreshold.given(threshold.value, n_resamples)
        for suffix, used in (("", threshold), (", threshold as given", as_given)):
            rates = estimate_rates(sample.reference, sample.truth, used, clips)
            for metric in truth:
                if f"{metric}{suffix}" in covered:
                    covered[f"{metric}{suffix}"] += rates[metric].ci_low <= truth[metric] <= rates[metric].ci_high
    return {metric: count / n_simulations for metric, count in covered.items()}


@dataclass(frozen=True)
class _Sample:
    """Clean clips, then their twins."""

    groups: NDArray[np.intp]
    truth: NDArray[np.bool_]
    reference: Floats
    mimic: Floats
    noise: Floats

    def resamples(self, rng: np.random.Generator, n_resamples: int) -> Resamples:
        return Resamples.of(self.groups, rng, n_resamples=n_resamples)


def _sample(population: Population, n_groups: int, rng: np.random.Generator) -> _Sample:
    sizes = population.sizes(n_groups, rng)
    codes = np.repeat(np.arange(n_groups), sizes)
    shifts = np.full(n_groups, population.shift) if population.shifts is None else population.shifts(sizes, rng)
    ours, theirs = (np.concatenate(_noise(population, sizes, rng)) for _ in range(2))
    mark = np.concatenate([np.zeros(codes.size), shifts[codes]])
    truth = np.repeat([False, True], codes.size)
    reference, mimic = mark + ours, mark + CORRELATION * ours + math.sqrt(1 - CORRELATION**2) * theirs
    if population.is_coarse:
        reference, mimic = (np.round(16 / (1 + np.exp(2 - 2 * scores))) / 16 for scores in (reference, mimic))
    return _Sample(np.concatenate([codes, codes]), truth, reference, mimic, ours[truth])


def _noise(population: Population, sizes: NDArray[np.intp], rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Draw noise of clean clips and of twins, a share of which is the recording's, half of that the same for both."""
    codes = np.repeat(np.arange(sizes.size), sizes)
    common, *own = rng.normal(size=(3, sizes.size))
    alone = rng.normal(size=(2, codes.size))
    recordings = [(common + of_class) / math.sqrt(2) for of_class in own]
    if population.is_heavy:
        recordings[0], alone[0] = rng.standard_t(3, size=sizes.size), rng.standard_t(3, size=codes.size)
    share = population.likeness
    clean, marked = (
        math.sqrt(share) * recording[codes] + math.sqrt(1 - share) * mine
        for recording, mine in zip(recordings, alone, strict=True)
    )
    return clean, marked


@lru_cache
def truths(name: str) -> Mapping[str, float]:
    """Return the value of every metric over very many recordings."""
    population = POPULATIONS[name]
    rng = np.random.default_rng([3, list(POPULATIONS).index(name)])
    whole = _sample(population, _LARGE, rng)
    values = dict(_values(population, whole))
    if population.shifts is None and not (population.is_heavy or population.is_coarse):
        # Clips as such are normal, whatever the recordings: known without a sample.
        values |= _known(population)
    return {**values, "bit accuracy": BIT_RATE, "mean": 0.0, "median": 0.0, "break point": BREAK_POINT}


def _values(population: Population, sample: _Sample) -> Iterator[tuple[str, float]]:
    truth, cut = sample.truth, population.cut
    reference, mimic = sample.reference, sample.mimic
    a, b = mimic > cut, reference > cut
    yield "tpr", detection.tpr(reference, truth, cut)
    yield "fpr", detection.fpr(reference, truth, cut)
    yield "accuracy", detection.accuracy(reference, truth, cut)
    yield "balanced accuracy", detection.balanced_accuracy(reference, truth, cut)
    yield "AUC", roc.auc(reference, truth)
    yield "EER", roc.eer(reference, truth)
    yield "TPR at 1 % FPR", roc.tpr_at_fpr(reference, truth, TARGET_FPR)
    yield "agreement", agreement.agreement(a, b)
    yield "kappa", agreement.cohens_kappa(a, b)
    yield "MCC", agreement.mcc(a, b)
    yield "agreement, reference right", agreement.conditional_agreement(a, b, truth, given="right")
    yield "Spearman", rank_agreement.spearman(mimic, reference)
    yield "frame IoU", float(_overlaps(sample).mean())


def _known(population: Population) -> dict[str, float]:
    from scipy.stats import norm

    shift, cut = population.shift, population.cut
    tpr, fpr = float(norm.sf(cut - shift)), float(norm.sf(cut))
    return {
        "tpr": tpr,
        "fpr": fpr,
        "accuracy": (tpr + 1 - fpr) / 2,
        "balanced accuracy": (tpr + 1 - fpr) / 2,
        "AUC": float(norm.cdf(shift / math.sqrt(2))),
        "EER": float(norm.sf(shift / 2)),
        "TPR at 1 % FPR": float(norm.sf(norm.isf(TARGET_FPR) - shift)),
    }


def _overlaps(sample: _Sample) -> Floats:
    """Return an overlap of frames for each marked clip: the higher its score, the more of it is flagged."""
    return np.clip(sample.reference[sample.truth] / 3, 0.0, 1.0)


def _intervals(population: Population, n_resamples: int, rng: np.random.Generator) -> Iterator[tuple[str, Interval]]:
    sample = _sample(population, population.n_groups, rng)
    clips = sample.resamples(rng, n_resamples)
    truth, cut, reference, mimic = sample.truth, population.cut, sample.reference, sample.mimic
    a, b, marked = mimic > cut, reference > cut, clips.of_clips(truth)
    bits, sent = _bits(population, sample, rng), np.ones((marked.n_clips, N_BITS), np.bool_)
    intervals = {
        "tpr": detection.estimate_tpr(reference, truth, cut, clips),
        "fpr": detection.estimate_fpr(reference, truth, cut, clips),
        "accuracy": detection.estimate_accuracy(reference, truth, cut, clips),
        "balanced accuracy": detection.estimate_balanced_accuracy(reference, truth, cut, clips),
        "AUC": roc.estimate_auc(reference, truth, clips),
        "EER": roc.estimate_eer(reference, truth, clips),
        "TPR at 1 % FPR": roc.estimate_tpr_at_fpr(reference, truth, TARGET_FPR, clips),
        "agreement": agreement.estimate_agreement(a, b, clips),
        "kappa": agreement.estimate_kappa(a, b, clips),
        "MCC": agreement.estimate_mcc(a, b, clips),
        "agreement, reference right": agreement.estimate_conditional_agreement(a, b, truth, clips, given="right"),
        "Spearman": rank_agreement.estimate_spearman(mimic, reference, clips),
        "frame IoU": localisation.estimate_frame_iou(_overlaps(sample), marked),
        "bit accuracy": message.estimate_bit_accuracy(bits, sent, marked),
        "mean": estimates.estimate_mean(sample.noise, marked),
        "median": estimates.estimate_median(sample.noise, marked),
    }
    yield from ((name, (estimate.ci_low, estimate.ci_high)) for name, estimate in intervals.items())
    hits, trials = _sweep(population, rng)
    recordings = Resamples.of(np.arange(hits.shape[1]), rng, n_resamples=n_resamples)
    point = find_break_point(STRENGTHS, hits, trials, recordings)
    yield "break point", (point.ci_low, point.ci_high)


def _bits(population: Population, sample: _Sample, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw which bits come out right: each where a normal variable, alike within recording and clip, is high enough."""
    groups = sample.groups[sample.truth]
    recording, clip = rng.normal(size=groups.max() + 1)[groups], rng.normal(size=groups.size)
    share = population.likeness
    alike = (share * recording + (1 - share) * clip) / math.hypot(share, 1 - share)
    latent = (alike[:, None] + rng.normal(size=(groups.size, N_BITS))) / math.sqrt(2)
    return latent < NormalDist().inv_cdf(BIT_RATE)


def _sweep(population: Population, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw detections of the same clips along a sweep: each is found up to a strength of its own."""
    share, n_groups = population.likeness, population.n_groups
    recording = rng.normal(size=(n_groups, 1))
    own = rng.logistic(size=(n_groups, PAIRS))
    # Both parts are symmetric, so half of all clips are lost at the break point whatever the likeness.
    spread = math.sqrt(share) * math.pi / math.sqrt(3) * recording + math.sqrt(1 - share) * own
    limits = BREAK_POINT + spread / SLOPE
    hits = (limits[None] > STRENGTHS[:, None, None]).sum(axis=2)
    return hits, np.full(hits.shape, PAIRS)


if __name__ == "__main__":
    main()
