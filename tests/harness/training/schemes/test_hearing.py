"""What the detector hears in a step: marked and clean clips in their places, cut, played and perturbed alike."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from sealproof.harness.training.schemes import hearing
from sealproof.harness.training.schemes.hearing import KINDS, Heard, hear, learn_sounds
from sealproof.harness.training.schemes.negatives import HardSounds
from sealproof.harness.training.schemes.recipe import Clean, Recipe

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.usefixtures("one_torch_thread")

PLAIN = Clean(per_batch=8, start=0, full_at=1, sounds=0.0, means=0.0, moved=0.0)


@pytest.fixture
def recipe(tiny: Recipe, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Eight marked clips and eight plain clean ones; nothing happens to them."""
    monkeypatch.setattr(hearing, "_WITHOUT_MUSIC", 0)
    return replace(
        tiny,
        batch=8,
        clean=PLAIN,
        aimed_notches=0.0,
        perturbations={"none": 1.0},
        shift=replace(tiny.shift, share=0.0),
        time_scale=replace(tiny.time_scale, share=0.0),
    )


def heard(recipe: Recipe, host: "torch.Tensor", watermark: "torch.Tensor") -> Heard:
    return hear(recipe, 10, host, watermark, 1600, HardSounds(0), np.random.default_rng(0))


def test_marked_clips_keep_their_places_and_each_host_is_heard_clean_too(recipe: Recipe) -> None:
    import torch

    host = torch.arange(8.0)[:, None, None].expand(8, 1, 1920)
    seen = heard(recipe, host, torch.full_like(host, 100))
    assert seen.audio.shape == (16, 1, 1600)
    torch.testing.assert_close(seen.audio[:8], host[..., :1600] + 100 * seen.where)
    assert sorted(seen.audio[8:, 0, 0].tolist()) == list(range(8))
    gaps = (seen.where == 0).sum((1, 2))
    assert [clip for clip in range(8) if gaps[clip]] == [0, 4]
    assert all(400 <= gaps[clip] < 800 for clip in (0, 4))
    assert seen.message_weight.tolist() == [1] * 8


def test_a_shift_cuts_mark_and_clip_alike(recipe: Recipe) -> None:
    import torch

    recipe = replace(recipe, shift=replace(recipe.shift, share=1.0, message_weight=0.25))
    host = torch.arange(1920.0).expand(8, 1, 1920)
    seen = heard(recipe, host, torch.full_like(host, 5000))
    torch.testing.assert_close(seen.audio[:8] - 5000 * seen.where, seen.audio[8:])
    late = seen.audio[8:, 0, 0]
    assert ((late >= 1) & (late < 320)).all()
    assert late[0] == late[3] != late[4] == late[7]
    assert seen.message_weight.tolist() == [0.25] * 8


def test_another_speed_moves_a_tone_in_marked_and_clean_clips_alike(recipe: Recipe) -> None:
    import torch

    scale = replace(recipe.time_scale, share=1.0, largest=0.1, message_weight=0.5)
    recipe = replace(recipe, time_scale=scale)
    host = torch.sin(2 * np.pi * 1000 / 16_000 * torch.arange(1920.0)).expand(8, 1, 1920)
    seen = heard(recipe, host, torch.zeros_like(host))
    hz = torch.fft.rfft(seen.audio[:, 0] * torch.hann_window(1600), n=16_000).abs().argmax(1)
    assert ((hz - 1000).abs() <= 102).all()
    assert (hz - 1000).abs().max() > 5
    assert hz[:4].unique() == hz[8:12].unique()
    assert seen.message_weight.tolist() == [0.5] * 8


@pytest.mark.parametrize("name", ["polarity", "speed"])
def test_no_message_is_asked_for_where_it_cannot_be_read(name: str, recipe: Recipe) -> None:
    import torch

    host = torch.ones(8, 1, 1920)
    assert heard(replace(recipe, perturbations={name: 1.0}), host, host).message_weight.tolist() == [0] * 8


def test_some_clean_clips_are_no_music(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(hearing, "_WITHOUT_MUSIC", 1)
    host = torch.full((8, 1, 1920), 2.0)
    seen = heard(recipe, host, 0 * host)
    assert sorted((seen.audio == 2).all(-1)[:, 0].tolist()) == [False, *[True] * 15]
    assert (host == 2).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_clean_clip_adds_something_at_about_the_level_it_says(kind: str, recipe: Recipe) -> None:
    import torch

    shares: dict[str, Any] = {name: float(name == kind) for name in KINDS[1:]}
    rng = np.random.default_rng(1)
    host = torch.from_numpy(rng.standard_normal((8, 1, 1920)).astype(np.float32))
    watermark = 0.05 * torch.from_numpy(rng.standard_normal((8, 1, 1920)).astype(np.float32))
    plain = heard(recipe, host, watermark)
    seen = heard(replace(recipe, clean=replace(PLAIN, **shares)), host, watermark)
    assert (seen.kinds == KINDS.index(kind)).all()
    added_db = 20 * (seen.audio[8:] - plain.audio[8:]).square().mean((1, 2)).sqrt().clamp_min(1e-9).log10()
    low, high = {"plain": (-181, -179), "sounds": (-44, -9), "means": (-31, -21), "moved": (-33, -21)}[kind]
    assert ((added_db > low) & (added_db < high)).all(), added_db
    torch.testing.assert_close(seen.audio[:8], plain.audio[:8])


def test_an_aimed_notch_takes_the_band_where_marks_are_strong_out_of_marked_and_clean_clips(recipe: Recipe) -> None:
    import torch

    time = torch.arange(1920) / 16_000
    # Tones far apart: only one of them is the marks'.
    host = torch.sin(2 * torch.pi * 5000 * time).expand(8, 1, 1920)
    mark = torch.sin(2 * torch.pi * 2000 * time).expand(8, 1, 1920)
    seen = hear(
        replace(recipe, aimed_notches=1.0), 10, host, mark, 1600, HardSounds(0), np.random.default_rng(0)
    ).audio[:8, 0]
    # The middle, for the notch rings at the ends; a whole number of periods of both.
    power = torch.fft.rfft(seen[1:4, 400:1200]).abs().square()
    assert (power[:, 100] < 0.3 * power[:, 250]).all()
    assert (power[:, 250] > 0.9 * 400**2).all()


def test_what_fooled_the_detector_is_remembered(recipe: Recipe) -> None:
    import torch

    recipe = replace(recipe, clean=replace(PLAIN, sounds=1.0))
    hard = HardSounds(8)
    host = torch.randn(8, 1, 1920, generator=torch.Generator().manual_seed(0))
    seen = hear(recipe, 10, host, torch.randn_like(host), 1600, hard, np.random.default_rng(0))
    logits = torch.zeros(16, 3, 5)
    logits[8:, 1] = torch.linspace(-4, 4, 8)[:, None]
    learn_sounds(hard, seen, logits)
    np.testing.assert_allclose(hard.hardness, 1 / (1 + np.exp(-np.linspace(-4, 4, 8))), rtol=1e-5)
    np.testing.assert_array_equal(hard.sounds, seen.sounds.audio)
