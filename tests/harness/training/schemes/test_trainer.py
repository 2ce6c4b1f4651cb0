"""The training loop: that it resumes, what it logs, what the detector hears."""

import csv
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks.testing import music_like
from sealproof.detectors.audioseal.net_file import write_net
from sealproof.detectors.audioseal.nets import load_net, uncompiled
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.training.schemes import trainer
from sealproof.harness.training.schemes.clips import (
    CLIP_S,
)
from sealproof.harness.training.schemes.hearing import frame_logits
from sealproof.harness.training.schemes.recipe import RECIPES, NetShape, Recipe, Weights, load_recipe
from sealproof.harness.training.schemes.trainer import Trainer

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.usefixtures("one_torch_thread")

RATE = 16_000

ToTensor = Callable[[NDArray[Any]], "torch.Tensor"]
SameWeights = Callable[[Any, Any], bool]


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Log each step, save each second one."""
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)
    monkeypatch.setattr(trainer, "SAVE_EVERY", 2)


def without_seconds(rows: list[dict[str, float]]) -> list[dict[str, float]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize("stop", [3, 8])
def test_an_interrupted_training_ends_as_an_uninterrupted_one(
    stop: int, tiny: Recipe, pcm: NDArray[np.int16], tmp_path: Path, same_weights: SameWeights
) -> None:
    import torch

    whole = Trainer(tiny, pcm, tmp_path / "whole")
    start = Trainer(tiny, pcm, tmp_path / "start")
    assert [step.step for step in whole.run()] == [1, 2, 3, 4, 5, 6, 7, 8]
    torch.manual_seed(99)
    interrupted = Trainer(tiny, pcm, tmp_path / "parts")
    for step in interrupted.run():
        if step.step == stop:
            break
    torch.manual_seed(99)
    resumed = Trainer(tiny, pcm, tmp_path / "parts")
    saved = 2 * ((stop - 1) // 2)
    assert resumed.step == saved
    assert [step.step for step in resumed.run()] == list(range(saved + 1, 9))
    for net in ("generator", "detector"):
        assert same_weights(getattr(whole, net), getattr(resumed, net))
        assert not same_weights(getattr(whole, net), getattr(start, net))
    for one, other, untrained in zip(whole.nets(), resumed.nets(), start.nets(), strict=True):
        assert all(torch.equal(one.tensors[name], other.tensors[name]) for name in one.tensors)
        assert not all(torch.equal(one.tensors[name], untrained.tensors[name]) for name in one.tensors)
        assert one.source == other.source == "trained by sealproof: recipe audioseal_mini, seed 0, step 8"
    np.testing.assert_equal(without_seconds(resumed.log), without_seconds(whole.log))
    assert [row["seconds"] for row in resumed.log] == sorted(row["seconds"] for row in resumed.log)


@pytest.fixture
def trained(every_step: None, tiny: Recipe, pcm: NDArray[np.int16], tmp_path: Path) -> Trainer:
    """Two steps of both and two of the detector alone, in the folder `trained`."""
    scheme = Trainer(replace(tiny, steps=2), pcm, tmp_path / "trained")
    list(scheme.run())
    return scheme


def test_a_finished_training_is_not_trained_on(
    trained: Trainer, pcm: NDArray[np.int16], tmp_path: Path, same_weights: SameWeights
) -> None:
    again = Trainer(trained.recipe, pcm, tmp_path / "trained")
    assert list(again.run()) == []
    np.testing.assert_equal(again.log, trained.log)
    assert same_weights(again.generator, trained.generator)


def test_another_training_in_the_folder_is_refused(trained: Trainer, pcm: NDArray[np.int16], tmp_path: Path) -> None:
    recipe = trained.recipe
    others: list[tuple[Recipe, NDArray[np.int16]]] = [
        (replace(recipe, learning_rate=1e-5), pcm),
        (replace(recipe, seed=1), pcm),
        (recipe, pcm[:5]),
        (recipe, np.where(np.arange(RATE) == 5, pcm + 1, pcm).astype(np.int16)),
    ]
    for other in others:
        with pytest.raises(HarnessError, match=r"checkpoint\.\w+ belongs to another recipe, seed or corpus"):
            Trainer(*other, tmp_path / "trained")


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: b"hello",
        lambda whole: whole[:-1000],
        lambda whole: whole[:1000],
        lambda whole: b"\x80",
    ],
    ids=["empty", "text", "end missing", "start only", "one byte"],
)
def test_a_damaged_checkpoint_is_refused(
    damage: Callable[[bytes], bytes], trained: Trainer, pcm: NDArray[np.int16], tmp_path: Path
) -> None:
    (path,) = (tmp_path / "trained").glob("checkpoint.*")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(HarnessError, match=r"checkpoint\.\w+ must be a checkpoint .*delete it to start anew"):
        Trainer(trained.recipe, pcm, tmp_path / "trained")


def test_the_checkpoint_is_plain_data(trained: Trainer, tmp_path: Path) -> None:
    import torch

    (path,) = (tmp_path / "trained").glob("checkpoint.*")
    state = torch.load(path, weights_only=True)
    assert state["step"] == 4
    assert len(state["nets"]) == 4


def test_the_curve_is_a_csv(trained: Trainer, tmp_path: Path) -> None:
    with (tmp_path / "trained" / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["shape_loss"] == "" for row in rows] == [False, False, True, True], "the generator is finished"
    assert list(rows[0]) == list(trained.log[0])
    for row, logged in zip(rows, trained.log, strict=True):
        values = [float(value or "nan") for value in row.values()]
        np.testing.assert_allclose(values, list(logged.values()), rtol=1e-5)


def test_logged_values_are_means_since_the_last_row(
    tiny: Recipe, pcm: NDArray[np.int16], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = []
    for every in (1, 3):
        monkeypatch.setattr(trainer, "LOG_EVERY", every)
        scheme = Trainer(replace(tiny, steps=5, listening=replace(tiny.listening, steps=0)), pcm, tmp_path / str(every))
        list(scheme.run())
        logs.append(scheme.log)
    each, means = logs
    assert [row["step"] for row in means] == [3, 5]
    for name in ("loss", "shape_loss", "snr_db", "frames_found"):
        values = [row[name] for row in each]
        assert means[0][name] == pytest.approx(np.mean(values[:3]))
        assert means[1][name] == pytest.approx(np.mean(values[3:]))


def logged_accuracy(values: list[float], recipe: Recipe, folder: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """What a training logs when its steps say these values."""
    left = iter(values)
    monkeypatch.setattr(Trainer, "_update", lambda _: {"bit_accuracy": next(left)})
    recipe = replace(recipe, steps=len(values), listening=replace(recipe.listening, steps=0))
    (step,) = Trainer(recipe, np.zeros((1, RATE), np.int16), folder).run()
    return step.values["bit_accuracy"]


def test_a_step_that_asks_for_no_message_leaves_the_mean_of_the_others(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert logged_accuracy([0.5, math.nan, 1.0, math.nan], tiny, tmp_path, monkeypatch) == 0.75


def test_steps_that_ask_for_no_message_have_no_accuracy(
    tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert math.isnan(logged_accuracy([math.nan, math.nan], tiny, tmp_path, monkeypatch))


def test_at_last_only_the_detector_learns(tiny: Recipe, pcm: NDArray[np.int16], tmp_path: Path) -> None:
    both = Trainer(replace(tiny, listening=replace(tiny.listening, steps=0)), pcm, tmp_path / "both")
    list(both.run())
    alone = Trainer(tiny, pcm, tmp_path / "alone")
    *_, last = alone.run()
    assert last.step == tiny.steps + 2
    (generator, detector), (same, other) = both.nets(), alone.nets()
    import torch

    assert all(torch.equal(generator.tensors[name], same.tensors[name]) for name in generator.tensors)
    assert not all(torch.equal(detector.tensors[name], other.tensors[name]) for name in detector.tensors)
    assert math.isnan(last.values["shape_loss"]) == (trainer.LOG_EVERY == 1)
    assert math.isfinite(last.values["loss"])


def test_training_lowers_the_loss(tiny: Recipe, pcm: NDArray[np.int16], tmp_path: Path) -> None:
    mini = load_recipe("mini")
    recipe = replace(
        tiny,
        steps=40,
        batch=8,
        window_s=0.2,
        learning_rate=5e-3,
        perturb_from=10**6,
        strength=replace(mini.strength, start_snr_db=0, snr_db=0),
        weights=Weights(detection=2.0, message=4.0, shape=1.0, visible=0.0, level=0.5),
        shift=replace(mini.shift, share=0.0),
        listening=replace(mini.listening, steps=0),
        spread=replace(mini.spread, start=10**6, full_at=10**6 + 1),
        clean=replace(mini.clean, per_batch=8, start=10**6, full_at=10**6 + 1),
        time_scale=replace(mini.time_scale, share=0.0),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "LOG_EVERY", 10)
        first, *_, last = [step.values for step in Trainer(recipe, pcm, tmp_path).run()]
    assert last["loss"] < 0.9 * first["loss"]
    assert last["detection_loss"] < 0.7 * first["detection_loss"]
    assert last["frames_false"] < first["frames_false"]


def frames_and_samples(detector: Any, audio: "torch.Tensor") -> tuple["torch.Tensor", ...]:
    """P(marked) and P(bit is 1), by `frame_logits` and by the detector itself."""
    import torch

    samples = audio.shape[-1]
    with torch.no_grad(), uncompiled():
        logits = frame_logits(detector, audio).repeat_interleave(320, -1)[..., :samples]
        presence, bits = detector(audio)
    return torch.softmax(logits[:, :2], 1), presence, torch.sigmoid(logits[:, 2:].mean(-1)), bits


def test_frame_logits_stay_the_whole_detector_in_training(trained: Trainer, tensor: ToTensor) -> None:
    import torch

    frames, presence, frame_bits, bits = frames_and_samples(trained.detector, tensor(music_like(2, 3200, RATE)))
    torch.testing.assert_close(frames, presence, rtol=0, atol=1e-5)
    torch.testing.assert_close(frame_bits, bits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_that_ships_trains(name: str, pcm: NDArray[np.int16], tiny_net: NetShape, tmp_path: Path) -> None:
    """In all but size: its windows must fit the clips that are read."""
    assert pcm.shape[1] == CLIP_S * RATE
    recipe = load_recipe(name)
    recipe = replace(
        recipe,
        start="matched",
        net=tiny_net,
        batch=4,
        messages=2,
        clean=replace(recipe.clean, per_batch=4),
        steps=1,
        tune_in_steps=1,
        listening=replace(recipe.listening, steps=1),
    )
    (step,) = Trainer(recipe, pcm, tmp_path).run()
    assert math.isfinite(step.values["loss"])


def test_a_pair_may_start_where_another_one_ended(
    tiny: Recipe, pcm: NDArray[np.int16], tmp_path: Path, same_weights: SameWeights
) -> None:
    first = Trainer(tiny, pcm, tmp_path / "first")
    list(first.run())
    for net in first.nets():
        write_net(tmp_path / f"{net.kind}.safetensors", net)
    recipe = replace(tiny, start=str(tmp_path))
    second = Trainer(recipe, pcm, tmp_path / "second")
    assert all(same_weights(getattr(second, net.kind), load_net(net)) for net in first.nets())
    list(second.run())
    assert Trainer(recipe, pcm, tmp_path / "second").step == second.step == recipe.all_steps, "it is taken up again"


def test_a_start_that_holds_no_pair_is_refused(tiny: Recipe, pcm: NDArray[np.int16], tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="start of a recipe must be 'matched', 'lines' or the folder of a scheme"):
        Trainer(replace(tiny, start=str(tmp_path / "nowhere")), pcm, tmp_path / "out")
