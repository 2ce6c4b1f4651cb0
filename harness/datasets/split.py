"""Splits by group, so that clips of one recording, and a clip and its twin, are never on two sides."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from sealproof.harness.foundation.errors import HarnessError

SPLIT_FRACTIONS: Mapping[str, float] = {"train": 0.55, "validation": 0.10, "calibration": 0.15, "test": 0.20}
"""Share of the clips that each split aims at; whole groups are dealt out, so the shares are approximate."""


_TEST_GROUPS = 10
"""Recordings that test should have: so many must get worse before the gate takes that for proven in one of 28 cells."""

_FEW_GROUPS = 16
"""Recordings below which the shares stay: a mimic would have next to none to learn from."""

_LARGEST_TEST_SHARE = 0.4

HELD_OUT_SPLITS = ("calibration", "test")
"""Splits that no mimic learns from: where a corpus has a split of its own, these share its evaluation half."""


def split_by_group(groups: Sequence[str], seed: int, splits: Sequence[str] = tuple(SPLIT_FRACTIONS)) -> dict[str, str]:
    """Deal the groups out to train, validation, calibration and test.

    Of 16 to 49 groups test gets more than its share, at the cost of train: ten where there are 25 and more, else four
    of ten. Groups are dealt in shuffled order, each to the split that is furthest below its share of clips; the first
    of them go one to each split, so that none is empty.

    Args:
        groups: Each clip's group.
        seed: Shuffles the groups.
        splits: Those to deal to, in proportion to their shares.

    Returns:
        The split of each group.

    Raises:
        HarnessError: There are fewer groups than splits.
    """
    sizes = Counter(groups)
    if len(sizes) < len(splits):
        raise HarnessError(
            f"The corpus must have at least {len(splits)} groups, one for each split "
            f"({', '.join(splits)}). Got {len(sizes)}: put recordings into folders of their own, "
            "or use --group-by file, or --groups FILE.csv."
        )
    fractions = _fractions(len(sizes), splits)
    whole = sum(fractions.values())
    order = [sorted(sizes)[index] for index in np.random.default_rng(seed).permutation(len(sizes))]
    filled = dict.fromkeys(splits, 0)
    split_of: dict[str, str] = {}
    for position, group in enumerate(order):
        if position < len(splits):
            split = splits[position]
        else:
            split = max(splits, key=lambda name: fractions[name] / whole * len(groups) - filled[name])
        split_of[group] = split
        filled[split] += sizes[group]
    return split_of


def _fractions(n_groups: int, splits: Sequence[str]) -> dict[str, float]:
    """Return the share of each split."""
    fractions = {name: SPLIT_FRACTIONS[name] for name in splits}
    if n_groups >= _FEW_GROUPS and fractions.keys() >= {"train", "test"}:
        wanted = min(_TEST_GROUPS / n_groups, _LARGEST_TEST_SHARE)
        more = max(0.0, wanted - fractions["test"])
        fractions["test"] += more
        fractions["train"] -= more
    return fractions


def split_by_corpus(groups: Sequence[str], held_out: Collection[str], seed: int) -> dict[str, str]:
    """Keep a corpus' own split: what it holds out becomes calibration and test, the rest train and validation.

    Args:
        groups: Each clip's group.
        held_out: The groups that the corpus keeps for evaluation.
        seed: Shuffles the groups within either half.

    Returns:
        The split of each group.

    Raises:
        HarnessError: A half has fewer groups than splits.
    """
    n_held_out = len(set(groups) & set(held_out))
    n_others = len(set(groups)) - n_held_out
    if min(n_held_out, n_others) < 2:
        raise HarnessError(
            "To keep the corpus' own split, at least 2 groups must be held out for evaluation and 2 not. "
            f"Got {n_held_out} and {n_others}: take more clips, or let the groups be dealt out by chance."
        )
    learnt_from = [name for name in SPLIT_FRACTIONS if name not in HELD_OUT_SPLITS]
    return {
        **split_by_group([group for group in groups if group not in held_out], seed, learnt_from),
        **split_by_group([group for group in groups if group in held_out], seed, HELD_OUT_SPLITS),
    }


def split_by_file(labels: Sequence[str], seed: int) -> list[str]:
    """Deal single files out as the Breaking-AudioSeal-Watermark study did: leaky, for comparison only.

    Every file is dealt by itself, 70 % train, 20 % validation, 10 % test within each label, so the clean twin of most
    watermarked test files is in train with the opposite label.

    Args:
        labels: Each file's label.
        seed: Shuffles the files.

    Returns:
        The split of each file.
    """
    rng = np.random.default_rng(seed)
    splits = [""] * len(labels)
    for label in sorted(set(labels)):
        members = [index for index, other in enumerate(labels) if other == label]
        n_train, n_validation = round(0.7 * len(members)), round(0.2 * len(members))
        for position, member in enumerate(rng.permutation(len(members))):
            split = "train" if position < n_train else "validation" if position < n_train + n_validation else "test"
            splits[members[member]] = split
    return splits


def shared_groups(groups: Sequence[str], splits: Sequence[str]) -> dict[str, set[str]]:
    """Find the groups that stand in more than one split: the test for leaks.

    Args:
        groups: Each file's group, or each file's clip id to look for twins that were parted.
        splits: Each file's split.

    Returns:
        The splits of every group that has more than one; empty when nothing leaks.
    """
    sides: dict[str, set[str]] = {}
    for group, split in zip(groups, splits, strict=True):
        sides.setdefault(group, set()).add(split)
    return {group: in_splits for group, in_splits in sides.items() if len(in_splits) > 1}
