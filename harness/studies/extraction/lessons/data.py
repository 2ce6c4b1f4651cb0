"""Whose clips an attacker has, and on whose an imitation is judged."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from sealproof.harness.corpora.base import interleave_groups
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.studies.extraction.request import TRAIN, UNHEARD, WITHOUT

_UNHEARD_SPLITS = ("validation", "calibration")
"""Of a dataset that was split as its scheme's training was: recordings from which no weight of the detector comes."""

_HELD_OUT_SPLITS = ("validation", "calibration", "test")


def attackers_pairs(dataset: Dataset, data: str, seed: int) -> tuple[Dataset, list[Pair]]:
    """Return the attacker's pairs and the dataset that they are in.

    They are in random order, recordings taking turns: a first part has as many recordings as can be.

    Args:
        dataset: Whose detector is imitated.
        data: As in `Case`.
        seed: Shuffles the pairs.

    Raises:
        HarnessError: There are none, there is no such dataset, or another scheme marked it.
    """
    source = dataset
    if data == TRAIN:
        pairs: Sequence[Pair] = dataset.split("train")
    elif data == UNHEARD:
        pairs = [pair for name in _UNHEARD_SPLITS for pair in dataset.split(name)]
    elif data.startswith(WITHOUT):
        name = data.removeprefix(WITHOUT)
        _require_source(dataset, name)
        pairs = [pair for pair in dataset.split("train") if source_of(pair) != name]
    else:
        source = _same_scheme(dataset, Path(data), "--data")
        pairs = source.split("train")
    if not pairs:
        raise HarnessError(f"The dataset must have training pairs to learn from. With --data {data} it has none.")
    order = interleave_groups([pair.group for pair in pairs], derive_seed(seed, "extract"))
    return source, [pairs[index] for index in order]


def data_sha256(dataset: Dataset, data: str) -> str:
    """Hash the dataset that an attacker's clips are in."""
    own = data in (TRAIN, UNHEARD) or data.startswith(WITHOUT)
    return dataset.sha256 if own else Dataset.open(Path(data)).sha256


def judged_pairs(dataset: Dataset, data: str, n: int, judge: Path | None) -> tuple[Dataset, list[Pair]]:
    """Return the pairs on which imitations are judged, spread over recordings, and the dataset that they are in.

    No recording that the attacker or, where the dataset was split as its scheme's training, the detector learnt from is
    among them. With `without:SOURCE` they are of that source.

    Raises:
        HarnessError: There are none, or another scheme marked the other dataset.
    """
    source = dataset if judge is None else _same_scheme(dataset, judge, "--judge")
    if data.startswith(WITHOUT):
        name = data.removeprefix(WITHOUT)
        pairs = [pair for split in _HELD_OUT_SPLITS for pair in source.split(split) if source_of(pair) == name]
    else:
        pairs = list(source.split("test"))
    if judge is not None:
        # The same recordings may have been dealt out otherwise there.
        learnt = {pair.group for split in ("train", *_UNHEARD_SPLITS) for pair in dataset.split(split)}
        pairs = [pair for pair in pairs if pair.group not in learnt]
    if not pairs:
        raise HarnessError(f"There must be held-out clips to judge on. {source.root} has none for --data {data}.")
    order = interleave_groups([pair.group for pair in pairs], derive_seed("test clips"))
    return source, [pairs[index] for index in sorted(order[:n])]


def source_of(pair: Pair) -> str:
    """Return where a recording is from: the first folder of its path in the corpus."""
    return PurePosixPath(pair.clean.source).parts[0]


def _require_source(dataset: Dataset, name: str) -> None:
    known = sorted({source_of(pair) for pair in dataset.pairs})
    if name not in known:
        raise HarnessError(f"--data {WITHOUT}SOURCE must name one of {', '.join(known[:20])}. Got {name}.")


def _same_scheme(dataset: Dataset, root: Path, option: str) -> Dataset:
    other = Dataset.open(root)
    for fact in ("scheme", "scheme_weights_sha256"):
        if other.facts.get(fact) != dataset.facts.get(fact):
            raise HarnessError(
                f"{option} must be a dataset that the same scheme marked, {dataset.facts.get(fact)}. "
                f"Got {other.facts.get(fact)}."
            )
    return other
