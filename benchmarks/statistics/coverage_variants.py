"""Other ways to make the interval of a TPR, on the populations of `benchmarks.statistics.coverage`: tried and left.

    python -m benchmarks.statistics.coverage_variants --populations harder giant few dead

Each way changes one thing about the interval as it is made: the degrees of freedom of Student's quantile (fewer where
recordings are unequal, after Satterthwaite), the variance of the weights, or how many recordings of a kind not seen are
assumed. All judge the same samples.
"""

import argparse
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from benchmarks.statistics.coverage import POPULATIONS, Interval, _sample, truths
from sealproof.harness.statistics.estimation.intervals import wilson
from sealproof.harness.statistics.estimation.resamples import UNSEEN

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Variant:
    """A way to make the interval.

    Attributes:
        power: The variance of a weight is 1 / (1 - share of all clips) to this power: 2 as after CR3, 1 as after CR2.
        freedom: Degrees of freedom are those of as many equal recordings as weigh alike by clips to this power; 0 for
            the number of recordings less one.
        unseen: Recordings of each extreme kind that are assumed.
    """

    power: float = 2
    freedom: float = 0
    unseen: float = UNSEEN

    def interval(self, hits: Floats, clips: Floats, n_resamples: int, rng: np.random.Generator) -> Interval:
        """Return the interval of the rate, from hits and clips by recording."""
        n_groups, share = len(clips), np.minimum(clips / clips.sum(), 0.75)
        variance = 1 / (1 - share) ** self.power
        weights = rng.standard_gamma(1 / variance, size=(n_resamples, n_groups)) * variance
        rates = (weights @ hits) / np.maximum(weights @ clips, 1e-12)
        independent = wilson(float(hits.sum()), int(clips.sum()))
        low, high = rates.min(), rates.max()
        if high - low <= 1e-12:
            z = NormalDist().inv_cdf(0.975)
            by_chance = z * z / (n_groups + z * z)
            clustered = (low - by_chance * low, high + by_chance * (1 - high))
        else:
            bad, good = rng.standard_gamma(max(self.unseen, 1e-9), size=(2, n_resamples))
            ordered = np.sort((n_groups * rates + good) / (n_groups + bad + good))
            first = int(self._tail(clips) * (n_resamples - 1))
            clustered = (float(ordered[first]), float(ordered[n_resamples - 1 - first]))
        return max((independent.low, independent.high), clustered, key=lambda ends: ends[1] - ends[0])

    def _tail(self, clips: Floats) -> float:
        from scipy.special import stdtrit

        weight = clips**self.freedom * (1 - clips / clips.sum())
        alike = weight.sum() ** 2 / (weight**2).sum()
        degrees = len(clips) - 1 if self.freedom == 0 else max(1.5, min(len(clips) - 1, alike))
        return NormalDist().cdf(-float(stdtrit(degrees, 0.975)))


VARIANTS = {
    "as it is": Variant(),
    "freedom by clips": Variant(freedom=1),
    "freedom by clips^1.5": Variant(freedom=1.5),
    "CR2": Variant(power=1),
    "CR2, freedom by clips": Variant(power=1, freedom=1),
    "CR2, freedom by clips^2": Variant(power=1, freedom=2),
    "0.2 unseen": Variant(unseen=0.2),
    "0.1 unseen": Variant(unseen=0.1),
    "none unseen": Variant(unseen=0),
}


def main() -> None:
    """Print coverage and mean width by population and variant."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulations", type=int, default=600)
    parser.add_argument("--resamples", type=int, default=600)
    parser.add_argument("--populations", nargs="+", default=list(POPULATIONS), choices=list(POPULATIONS))
    options = parser.parse_args()
    for name in options.populations:
        population, truth, rng = POPULATIONS[name], truths(name)["tpr"], np.random.default_rng(5)
        ends: dict[str, list[Interval]] = {variant: [] for variant in VARIANTS}
        for _ in range(options.simulations):
            sample = _sample(population, population.n_groups, rng)
            groups = sample.groups[sample.truth]
            clips = np.bincount(groups).astype(float)
            hits = np.bincount(groups, sample.reference[sample.truth] > population.cut).astype(float)
            for variant, how in VARIANTS.items():
                ends[variant].append(how.interval(hits, clips, options.resamples, rng))
        print(f"{name}:")
        for variant, intervals in ends.items():
            covered = np.mean([low - 1e-9 <= truth <= high + 1e-9 for low, high in intervals])
            width = np.mean([high - low for low, high in intervals])
            print(f"  {variant:24} {100 * covered:5.1f} %, {width:.3f} wide")


if __name__ == "__main__":
    main()
