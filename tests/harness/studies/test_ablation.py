"""Why the study's network fails: its variants, and who is judged apart by where the twin is."""

from dataclasses import replace

import numpy as np
import pytest

from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.studies.ablation.study import judge, run_variant, twins_in
from sealproof.harness.studies.ablation.variants import CHANGES, Variant, combined
from sealproof.harness.training.mimics.train import group_files, leaky_files

BARE = Variant(changes=(), split="group", epochs=1, seed=0)


def test_every_variant_can_be_built_with_an_output_a_clip() -> None:
    for change in CHANGES:
        recipe = replace(BARE, changes=(change,)).recipe()
        assert recipe.build(16_000).output_shape == (None, 1)
    assert type(replace(BARE, changes=("adam",)).recipe().optimizer()).__name__ == "Adam"
    assert type(BARE.recipe().optimizer()).__name__ == "SGD"


def test_combinations_have_one_window_at_most() -> None:
    found = list(combined(tuple(CHANGES), 3))
    assert found[0] == ()
    assert ("adam", "twins", "log") in found
    assert not any(sum(name.startswith("window") for name in names) > 1 for names in found)
    # Nothing, 6 alone, 15 - 3 in twos, and in threes 1 without a window and 3 x 3 with one.
    assert len(found) == 1 + 6 + 12 + 10


def test_a_twin_is_where_the_split_put_it(bench_dataset: Dataset) -> None:
    assert set(twins_in(group_files(bench_dataset))) == {"test"}
    files = leaky_files(bench_dataset, 0)
    places = twins_in(files)
    in_training = {(row.clip_id, row.label) for row in files["train"]}
    other = {"clean": "watermarked", "watermarked": "clean"}
    assert places.count("train") > 0
    for row, place in zip(files["test"], places, strict=True):
        assert ((row.clip_id, other[row.label]) in in_training) == (place == "train")


def test_clips_are_judged_apart_by_where_their_twin_is(bench_dataset: Dataset) -> None:
    files = leaky_files(bench_dataset, 0)
    test, twins = files["test"], twins_in(files)
    truth = np.array([row.label == "watermarked" for row in test])
    away = np.array([twin == "train" for twin in twins])
    # Wrong just where the twin is in training.
    scores = np.where(truth ^ away, 0.9, 0.1)
    found = {each.twin: each for each in judge(test, scores, twins, 0, 0.5)}
    assert found["train"].accuracy.value == 0
    assert found["all"].accuracy.value == pytest.approx(1 - away.mean())
    assert found["all"].accuracy.n_clips == len(test)


def test_a_variant_is_trained_and_judged(bench_dataset: Dataset) -> None:
    every, of_test = run_variant(bench_dataset, BARE)
    assert (every.twin, of_test.twin) == ("all", "test")
    assert every.accuracy == of_test.accuracy
    assert 0 <= every.best_validation_accuracy <= 1


def test_unknown_changes_are_refused() -> None:
    with pytest.raises(HarnessError, match=r"Changes must be some of adam, .* Got magic"):
        replace(BARE, changes=("magic",))
    with pytest.raises(HarnessError, match="A split must be one of leaky, group"):
        replace(BARE, split="by heart")
