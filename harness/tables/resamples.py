"""The resamples of a run: drawn once, by the dataset's seed, so that all its numbers are of the same recordings."""

from collections.abc import Sequence

from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.statistics.estimation.resamples import Resamples


def resamples_of(groups: Sequence[str], dataset_seed: int) -> Resamples:
    """Return the resamples that every table, page and study of a dataset draws its intervals from.

    Args:
        groups: The group of each clip.
        dataset_seed: The seed that the dataset was built with.
    """
    return Resamples.of(groups, derive_seed(dataset_seed, "bootstrap"))


def calibration_resamples_of(groups: Sequence[str], dataset_seed: int) -> Resamples:
    """Return the resamples of the calibration clips, which are other recordings: apart from those that are judged.

    Args:
        groups: The group of each clean calibration clip.
        dataset_seed: The seed that the dataset was built with.
    """
    return Resamples.of(groups, derive_seed(dataset_seed, "bootstrap", "calibration"))
