"""Splits: no recording in two of them, none empty, shares as promised, and the same whatever the order."""

import re
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sealproof.harness.datasets.split import (
    SPLIT_FRACTIONS,
    shared_groups,
    split_by_corpus,
    split_by_file,
    split_by_group,
)
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.seeds import derive_seed

clips_in_groups = st.lists(st.sampled_from([f"g{n}" for n in range(30)]), min_size=4, max_size=200)
seeds = st.integers(0, 2**64 - 1)


@given(clips_in_groups, seeds)
def test_every_group_is_in_one_split_and_no_split_is_empty(groups: list[str], seed: int) -> None:
    assume(len(set(groups)) >= 4)
    split_of = split_by_group(groups, seed)
    assert split_of.keys() == set(groups)
    assert set(split_of.values()) == set(SPLIT_FRACTIONS)
    assert shared_groups(groups, [split_of[group] for group in groups]) == {}


@given(clips_in_groups, seeds, st.randoms(use_true_random=False))
def test_the_order_of_the_clips_does_not_matter(groups: list[str], seed: int, random: "np.random.Generator") -> None:
    assume(len(set(groups)) >= 4)
    shuffled = groups.copy()
    random.shuffle(shuffled)
    assert split_by_group(shuffled, seed) == split_by_group(groups, seed)


@given(st.integers(50, 200), st.integers(1, 5), seeds)
def test_many_equal_groups_come_within_a_group_of_the_shares(n_groups: int, size: int, seed: int) -> None:
    groups = [f"g{n}" for n in range(n_groups)] * size
    found = Counter(split_by_group(groups, seed).values())
    for split, share in SPLIT_FRACTIONS.items():
        assert abs(found[split] - share * n_groups) <= 1.5


@pytest.mark.parametrize(("n_groups", "n_test"), [(12, 2), (16, 6), (20, 8), (25, 10), (40, 10), (49, 10), (60, 12)])
def test_of_few_recordings_test_has_enough_for_the_gate_where_it_can(n_groups: int, n_test: int) -> None:
    groups = [f"g{n}" for n in range(n_groups)] * 3
    for seed in range(5):
        found = Counter(split_by_group(groups, seed).values())
        assert abs(found["test"] - n_test) <= 1
        assert found["train"] >= 0.3 * n_groups
        assert found["calibration"] >= 0.15 * n_groups - 1.5


def test_a_group_larger_than_its_split_does_not_pull_others_in() -> None:
    groups = ["whale"] * 500 + [f"g{n}" for n in range(100)]
    split_of = split_by_group(groups, 3)
    beside = [group for group, split in split_of.items() if split == split_of["whale"] and group != "whale"]
    assert len(beside) <= 1 or split_of["whale"] == "train"
    assert set(split_of.values()) == set(SPLIT_FRACTIONS)


@given(st.integers(2, 60), st.integers(2, 60), st.integers(1, 3), seeds)
def test_a_corpus_own_split_is_kept_and_shared_out_within_its_halves(
    n_learnt: int, n_held: int, size: int, seed: int
) -> None:
    learnt, held = [f"g{n}" for n in range(n_learnt)], [f"h{n}" for n in range(n_held)]
    split_of = split_by_corpus((learnt + held) * size, set(held), seed)
    assert split_of.keys() == {*learnt, *held}
    assert {split_of[group] for group in held} == {"calibration", "test"}
    assert {split_of[group] for group in learnt} == {"train", "validation"}
    found = Counter(split_of.values())
    assert abs(found["test"] - n_held * 0.20 / 0.35) <= 1.5
    assert abs(found["train"] - n_learnt * 0.55 / 0.65) <= 1.5
    assert split_by_corpus((held + learnt)[::-1] * size, set(held), seed) == split_of


@pytest.mark.parametrize(("n_learnt", "n_held"), [(0, 9), (1, 9), (9, 1), (0, 0)])
def test_a_corpus_own_split_with_a_half_too_small_is_refused(n_learnt: int, n_held: int) -> None:
    groups = [f"g{n}" for n in range(n_learnt)] + [f"h{n}" for n in range(n_held)]
    with pytest.raises(HarnessError, match=rf"2 groups must be held out for evaluation and 2 not\. Got {n_held} and"):
        split_by_corpus(groups * 3, {group for group in groups if group[0] == "h"}, 0)


def test_another_seed_is_another_split() -> None:
    groups = [f"g{n}" for n in range(40)]
    assert split_by_group(groups, 0) == split_by_group(groups, 0)
    assert split_by_group(groups, 0) != split_by_group(groups, 1)


def test_the_shares_are_a_whole() -> None:
    assert sum(SPLIT_FRACTIONS.values()) == pytest.approx(1)


@pytest.mark.parametrize("n_groups", [0, 1, 3])
def test_fewer_groups_than_splits_are_refused(n_groups: int) -> None:
    rule = f"must have at least 4 groups, one for each split (train, validation, calibration, test). Got {n_groups}:"
    with pytest.raises(HarnessError, match=re.escape(rule) + ".*--group-by file"):
        split_by_group([f"g{n}" for n in range(n_groups)] * 5, 0)


@given(st.integers(10, 100), seeds)
def test_the_study_s_split_deals_single_files_and_leaks(n_clips: int, seed: int) -> None:
    labels, clips = ["clean"] * n_clips + ["watermarked"] * n_clips, [*range(n_clips)] * 2
    splits = split_by_file(labels, seed)
    for label in ("clean", "watermarked"):
        found = Counter(split for split, other in zip(splits, labels, strict=True) if other == label)
        assert (found["train"], found["validation"]) == (round(0.7 * n_clips), round(0.2 * n_clips))
        assert found.total() == n_clips
    assert splits == split_by_file(labels, seed)
    if n_clips >= 40:
        assert shared_groups([str(clip) for clip in clips], splits), "this split is there because it leaks"


def test_shared_groups_names_group_and_splits() -> None:
    assert shared_groups(["a", "b", "a", "b"], ["train", "test", "test", "test"]) == {"a": {"train", "test"}}
    with pytest.raises(ValueError, match="shorter"):
        shared_groups(["a", "b"], ["train"])


@given(st.lists(st.text(), max_size=4))
def test_seeds_are_64_bits_and_keep_names_apart(parts: list[str]) -> None:
    assert 0 <= derive_seed(*parts) < 2**64
    assert derive_seed(*parts) == derive_seed(*parts)
    assert derive_seed(*parts) != derive_seed(*parts, "x")


def test_seeds_are_the_same_on_every_machine() -> None:
    assert derive_seed(0, "clip", "message") == 6194262488489989647
    assert derive_seed("ab", "c") != derive_seed("a", "bc")
