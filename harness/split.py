"""Splits by group, so that clips of one recording, and a clip and its twin, are never on two sides."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from sealproof.harness.errors import HarnessError

SPLIT_FRACTIONS: Mapping[str, float] = {"train": 0.55, "validation": 0.10, "calibration": 0.15, "test": 0.20}
"""Share of the clips that each split aims at; whole groups are dealt out, so the shares are approximate."""


def split_by_group(groups: Sequence[str], seed: int) -> dict[str, str]:
    """Deal the groups out to train, validation, calibration and test.

    Groups are dealt in shuffled order, each to the split that is furthest below its share of clips; the first of them
    go one to each split, so that none is empty.

    Args:
        groups: Each clip's group.
        seed: Shuffles the groups.

    Returns:
        The split of each group.

    Raises:
        HarnessError: There are fewer groups than splits.
    """
    sizes = Counter(groups)
    if len(sizes) < len(SPLIT_FRACTIONS):
        msg = (
            f"The corpus must have at least {len(SPLIT_FRACTIONS)} groups, one for each split "
            f"({', '.join(SPLIT_FRACTIONS)}). Got {len(sizes)}: put recordings into folders of their own, "
            "or use --group-by file, or --groups FILE.csv."
        )
        raise HarnessError(msg)
    names = list(SPLIT_FRACTIONS)
    order = [sorted(sizes)[index] for index in np.random.default_rng(seed).permutation(len(sizes))]
    filled = dict.fromkeys(names, 0)
    split_of: dict[str, str] = {}
    for position, group in enumerate(order):
        if position < len(names):
            split = names[position]
        else:
            split = max(names, key=lambda name: SPLIT_FRACTIONS[name] * len(groups) - filled[name])
        split_of[group] = split
        filled[split] += sizes[group]
    return split_of


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
    found: dict[str, set[str]] = {}
    for group, split in zip(groups, splits, strict=True):
        found.setdefault(group, set()).add(split)
    return {group: in_splits for group, in_splits in found.items() if len(in_splits) > 1}
