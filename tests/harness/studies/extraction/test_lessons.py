"""Whose clips an attacker has, and how it chooses what to ask about."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.studies.extraction.imitators.base import Imitator, Judgement, Lesson
from sealproof.harness.studies.extraction.lessons.choose import choose
from sealproof.harness.studies.extraction.lessons.data import attackers_pairs, judged_pairs, source_of
from sealproof.harness.studies.extraction.request import Case
from sealproof.harness.training.mimics.queries import Answers

CASE = Case(
    imitator="stub", access="scores", augment="altered", select="active", data="train", budget=40, steps=4, seed=0
)


class Stub(Imitator):
    """Reads the probability off the first sample, and counts how often it was taught."""

    name: ClassVar[str] = "stub"
    summary: ClassVar[str] = "reads its answer"

    def fit(self, lesson: Lesson, *, steps: int, seed: int) -> Judgement:
        def judge(audio: Audio) -> NDArray[np.floating]:
            return audio[:, 0]

        return judge


def _choose(select: str, guesses: NDArray[np.float32], answers: NDArray[np.float32], attacks: list[str]) -> list[int]:
    twins = Answers(np.zeros((4, 1), np.float32), np.zeros((4, 1), np.float32))
    candidates = Answers(guesses[:, None], answers[:, None])
    stub = Stub(get_scheme("spread_spectrum"))
    return [int(at) for at in choose(replace(CASE, select=select), stub, twins, candidates, attacks, 40)]


def test_recordings_take_turns_in_a_small_budget(bench_dataset: Dataset) -> None:
    _, pairs = attackers_pairs(bench_dataset, "train", 0)
    groups = {pair.group for pair in pairs}
    assert {pair.group for pair in pairs[: len(groups)]} == groups


def test_unheard_clips_are_of_neither_the_training_nor_the_test_split(bench_dataset: Dataset) -> None:
    _, pairs = attackers_pairs(bench_dataset, "unheard", 0)
    assert {pair.clean.split for pair in pairs} == {"validation", "calibration"}


def test_a_source_that_is_left_out_is_judged_on(bench_dataset: Dataset) -> None:
    name = source_of(bench_dataset.split("test")[0])
    if name == source_of(bench_dataset.split("train")[0]):
        with pytest.raises(HarnessError):
            attackers_pairs(bench_dataset, "without:nobody", 0)
        return
    _, pairs = attackers_pairs(bench_dataset, f"without:{name}", 0)
    assert name not in {source_of(pair) for pair in pairs}
    _, judged = judged_pairs(bench_dataset, f"without:{name}", 100, None)
    assert {source_of(pair) for pair in judged} == {name}
    with pytest.raises(HarnessError, match="must name one of"):
        attackers_pairs(bench_dataset, "without:nobody", 0)


def test_doubt_chooses_what_the_imitator_is_least_sure_of() -> None:
    guesses = np.where(np.arange(120) % 2, 0.5, 0.99).astype(np.float32)
    chosen = _choose("active", guesses, guesses, ["mixture"] * 120)
    assert len(set(chosen)) == 40
    # After the first round, which is by chance, only those in doubt.
    assert all(at % 2 for at in chosen[10:])


def test_families_that_taught_most_are_asked_about_more() -> None:
    rng = np.random.default_rng(0)
    is_noise = rng.random(120) < 0.5
    answers = np.full(120, 1.0, np.float32)
    guesses = np.where(is_noise, 0.0, 1.0).astype(np.float32)
    attacks = ["white_noise.20db" if noisy else "gain.6db" for noisy in is_noise]
    chosen = _choose("knockoff", guesses, answers, attacks)
    assert len(set(chosen)) == 40
    assert is_noise[chosen[10:]].mean() > is_noise.mean() + 0.15


def test_all_are_asked_where_there_are_no_more() -> None:
    few = np.zeros(30, np.float32)
    assert _choose("active", few, few, ["mixture"] * 30) == list(range(30))
