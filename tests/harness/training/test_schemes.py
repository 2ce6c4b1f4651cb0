"""Training a pair: where it starts, what it hears, that it resumes, and what is kept of it."""

import csv
import hashlib
import json
import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import get_attack
from sealproof.attacks.testing import music_like
from sealproof.detectors import get_scheme
from sealproof.detectors.audioseal.net_file import read_net
from sealproof.detectors.audioseal.nets import build_net, load_net, uncompiled
from sealproof.detectors.audioseal.store import KINDS, CustomWeights
from sealproof.detectors.base import Detection
from sealproof.harness.cli import weights
from sealproof.harness.cli.main import main
from sealproof.harness.corpora.base import ALL_CLIPS, Clip, Corpus, CorpusReport
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.datasets.split import SPLIT_FRACTIONS
from sealproof.harness.foundation.audio.files import from_pcm, to_pcm
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.training.schemes import augment, evaluate, masking, trainer
from sealproof.harness.training.schemes.augment import PERTURBATIONS, draw, highpass, lowpass, noise
from sealproof.harness.training.schemes.card import NOT_METAS, recipe_toml
from sealproof.harness.training.schemes.clips import (
    CLIP_S,
    CorpusClips,
    draw_batch,
    draw_varied,
    draw_without_music,
    read_clips,
)
from sealproof.harness.training.schemes.foreign_sounds import FOREIGN_SOUNDS
from sealproof.harness.training.schemes.initialise import (
    LOUDEST,
    QUIETEST,
    band_levels,
    initialise_matched,
    n_bands,
    tune_in,
)
from sealproof.harness.training.schemes.masking import excess_db, shape_loss
from sealproof.harness.training.schemes.recipe import RECIPES, NetShape, Recipe, load_recipe, recipe_from
from sealproof.harness.training.schemes.train import TrainingRequest, train_pair
from sealproof.harness.training.schemes.trainer import Trainer, frame_logits

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.usefixtures("one_torch_thread")

RATE = 16_000
TINY_NET = NetShape(n_filters=2, dimension=20, ratios=(8, 5, 4, 2), generator_lstm=0, detector_lstm=1, message_bits=16)


def tensor(audio: NDArray[np.float32]) -> "torch.Tensor":
    """Clips (n, samples) as a batch (n, 1, samples)."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(audio, np.float32)[:, None])


@pytest.fixture(scope="module")
def music() -> "torch.Tensor":
    return tensor(music_like(3, 4800, RATE))


@pytest.fixture(scope="module")
def pcm() -> NDArray[np.int16]:
    """Six clips of one second."""
    return to_pcm(music_like(6, RATE, RATE))


@pytest.fixture(scope="module")
def tiny() -> Recipe:
    """Six steps of a network that takes milliseconds, perturbed and shifted from the second on; all read bits."""
    mini = load_recipe("mini")
    return replace(
        mini,
        net=TINY_NET,
        steps=6,
        batch=4,
        window_s=0.1,
        demo_clips=0,
        tune_in_steps=3,
        listening=replace(mini.listening, steps=2),
        perturb_from=1,
        shift=replace(mini.shift, start=0, full_at=1, message_weight=0.5),
        perturbations={**mini.perturbations, "polarity": 0.0, "speed": 0.0},
    )


def same_weights(one: Any, other: Any) -> bool:
    import torch

    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# --- Where training starts ---


def pair_of(recipe: Recipe, *, matched: bool) -> tuple[Any, Any]:
    import torch

    torch.manual_seed(0)
    generator = build_net("generator", recipe.net_config("generator"))
    detector = build_net("detector", recipe.net_config("detector"))
    if matched:
        initialise_matched(generator, detector)
    return generator, detector


def bits_right(generator: Any, detector: Any, snr_db: float) -> float:
    import torch

    host = tensor(music_like(24, RATE, RATE))
    message = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (24, 16)))
    with torch.no_grad(), uncompiled():
        watermark = generator.get_watermark(host, message=message)
        power = host.square().mean((1, 2)) / watermark.square().mean((1, 2))
        marked = host + watermark * (power * 10 ** (-snr_db / 10)).sqrt()[:, None, None]
        bits = detector(marked)[1]
    return float(((bits > 0.5) == message.bool()).float().mean())


def test_an_untrained_pair_carries_bits_only_when_matched():
    mini = load_recipe("mini")
    assert bits_right(*pair_of(mini, matched=True), snr_db=0) > 0.62
    assert 0.42 < bits_right(*pair_of(mini, matched=False), snr_db=0) < 0.58


def test_band_levels_are_those_of_tones():
    import torch

    time = torch.arange(3200) / RATE
    tones = 0.1 * torch.sin(2 * math.pi * 1500 * time) + 0.01 * torch.sin(2 * math.pi * 6500 * time)
    levels = band_levels(tones[None, None], 8, 320)
    assert levels.shape == (1, 8, 10)
    inside = levels[0, :, 2:-4].mean(1)
    assert inside[1].item() == pytest.approx(math.log(0.1 / math.sqrt(2) / LOUDEST), abs=0.05)
    assert inside[6].item() == pytest.approx(math.log(0.01 / math.sqrt(2) / LOUDEST), abs=0.05)
    assert inside[4].item() < -5
    assert (band_levels(torch.zeros(1, 1, 3200), 8, 320) - QUIETEST).abs().max() < 1e-3


def watermark_of(generator: Any, host: "torch.Tensor") -> "torch.Tensor":
    import torch

    message = torch.from_numpy(np.random.default_rng(1).integers(0, 2, (len(host), 16)))
    with torch.no_grad(), uncompiled():
        watermark: torch.Tensor = generator.get_watermark(host, message=message)
    return watermark


def test_a_generator_that_is_tuned_in_follows_its_host():
    import torch

    mini = load_recipe("mini")
    generator, _ = pair_of(mini, matched=True)
    host = tensor(music_like(8, 8000, RATE, seed=1))
    falling = host * torch.exp(-torch.arange(8000) / 1500)
    hiss = 0.1 * torch.randn(8, 1, 8000)
    quiet_top = augment.lowpass(hiss, 2500)
    clips = torch.cat([host, falling, hiss, quiet_top])
    rng = np.random.default_rng(0)

    def hosts() -> "torch.Tensor":
        return clips[rng.permutation(len(clips))[:8]]

    def slope(watermark: "torch.Tensor") -> float:
        return float(10 * torch.log10(watermark[..., :2000].square().mean() / watermark[..., -2000:].square().mean()))

    def top_db(watermark: "torch.Tensor") -> float:
        spectrum = torch.fft.rfft(watermark).abs().square().mean((0, 1))
        return float(10 * torch.log10(spectrum[2000:].sum() / spectrum[:2000].sum()))

    untuned = [watermark_of(generator, kind) for kind in (falling, quiet_top, hiss)]
    with uncompiled():
        tune_in(generator, hosts, 120)
    tuned = [watermark_of(generator, kind) for kind in (falling, quiet_top, hiss)]
    assert abs(slope(untuned[0])) < 6
    assert slope(tuned[0]) > 12
    assert abs(top_db(untuned[1]) - top_db(untuned[2])) < 3
    assert top_db(tuned[1]) < top_db(tuned[2]) - 10


def test_there_are_as_many_bands_as_the_last_layer_tells_apart():
    assert n_bands(pair_of(load_recipe("mini"), matched=False)[0]) == load_recipe("mini").net.n_bands == 8
    assert load_recipe("full").net.n_bands == 2


def test_matched_weights_depend_on_torchs_seed_alone():
    mini = replace(load_recipe("mini"), net=TINY_NET)
    for one, other in zip(pair_of(mini, matched=True), pair_of(mini, matched=True), strict=True):
        assert same_weights(one, other)


def frames_and_samples(detector: Any, audio: "torch.Tensor") -> tuple["torch.Tensor", ...]:
    """P(marked) and P(bit is 1), by `frame_logits` and by the detector itself."""
    import torch

    samples = audio.shape[-1]
    with torch.no_grad(), uncompiled():
        logits = frame_logits(detector, audio).repeat_interleave(320, -1)[..., :samples]
        presence, bits = detector(audio)
    return torch.softmax(logits[:, :2], 1), presence, torch.sigmoid(logits[:, 2:].mean(-1)), bits


@pytest.mark.parametrize("samples", [8000, 7900])
def test_frame_logits_are_the_whole_detector_at_the_start(samples: int):
    import torch

    _, detector = pair_of(load_recipe("mini"), matched=True)
    frames, presence, frame_bits, bits = frames_and_samples(detector, tensor(music_like(2, samples, RATE)))
    torch.testing.assert_close(frames, presence, rtol=0, atol=1e-5)
    torch.testing.assert_close(frame_bits, bits, rtol=0, atol=1e-5)
    _, unmatched = pair_of(load_recipe("mini"), matched=False)
    frames, presence, _, _ = frames_and_samples(unmatched, tensor(music_like(2, samples, RATE)))
    assert (frames - presence).abs().max() > 1e-4, "any detector would have passed"


# --- Perturbations ---


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_every_perturbation_keeps_the_shape_and_lets_a_gradient_through(name: str, music: "torch.Tensor"):
    import torch

    torch.manual_seed(0)
    heard = music.clone().requires_grad_()
    perturbed = PERTURBATIONS[name](heard, np.random.default_rng(1))
    assert perturbed.shape == music.shape
    assert perturbed.dtype == torch.float32
    assert torch.isfinite(perturbed).all()
    (perturbed * torch.randn(music.shape)).sum().backward()
    assert heard.grad is not None
    assert torch.isfinite(heard.grad).all()
    assert (heard.grad != 0).float().mean() > 0.5
    assert torch.equal(PERTURBATIONS[name](music, np.random.default_rng(1)), perturbed)
    others = PERTURBATIONS[name](music, np.random.default_rng(2))
    assert torch.equal(others, perturbed) == (name in ("none", "polarity"))
    assert torch.equal(perturbed, music) == (name == "none")


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_every_perturbation_takes_silence(name: str):
    import torch

    silence = torch.zeros(2, 1, 3200, requires_grad=True)
    perturbed = PERTURBATIONS[name](silence, np.random.default_rng(1))
    assert not perturbed.any()
    perturbed.sum().backward()
    assert silence.grad is not None
    assert torch.isfinite(silence.grad).all()


def band_db(audio: "torch.Tensor", low: float, high: float) -> float:
    """Power in a band, mean over its frequencies, away from the ends of the clips."""
    samples = audio[:, 0].detach().numpy()
    power = np.abs(np.fft.rfft(samples * np.hanning(samples.shape[1]))) ** 2
    hz = np.fft.rfftfreq(samples.shape[1], 1 / RATE)
    return float(10 * np.log10(power[:, (hz >= low) & (hz < high)].mean() + 1e-20))


@pytest.fixture(scope="module")
def white() -> "torch.Tensor":
    return tensor(0.1 * np.random.default_rng(0).standard_normal((2, RATE)))


def test_lowpass_and_highpass_remove_what_they_say(white: "torch.Tensor"):
    low, high = lowpass(white, 2000), highpass(white, 1000)
    assert band_db(low, 2250, 8000) < band_db(white, 2250, 8000) - 50
    assert band_db(high, 0, 800) < band_db(white, 0, 800) - 50
    assert band_db(low, 0, 2000) == pytest.approx(band_db(white, 0, 2000), abs=0.1)
    assert band_db(high, 1000, 8000) == pytest.approx(band_db(white, 1000, 8000), abs=0.1)


@pytest.mark.parametrize(
    ("name", "gone", "kept"),
    [
        ("lowpass", (7000, 8000), (0, 1900)),
        ("resample", (6000, 8000), (0, 2900)),
        ("highpass", (0, 45), (1500, 8000)),
        ("bandpass", (7800, 8000), (800, 2800)),
        ("bandpass", (0, 60), (800, 2800)),
    ],
)
def test_filters_of_the_recipe_are_filters(
    name: str, gone: tuple[float, float], kept: tuple[float, float], white: "torch.Tensor"
):
    for seed in range(3):
        filtered = PERTURBATIONS[name](white, np.random.default_rng(seed))
        assert band_db(filtered, *gone) < band_db(white, *gone) - 25
        assert band_db(filtered, *kept) == pytest.approx(band_db(white, *kept), abs=0.3)


@pytest.mark.parametrize("slope", [0, 1])
def test_noise_has_its_snr_and_slope(slope: float, music: "torch.Tensor"):
    marked = noise(music, 20, slope, np.random.default_rng(0))
    added = marked - music
    ratio = 10 * (music.square().mean(-1) / added.square().mean(-1)).log10()
    np.testing.assert_allclose(ratio.numpy(), 20, atol=0.01)
    assert band_db(added, 250, 500) - band_db(added, 2000, 4000) == pytest.approx(9 * slope, abs=1.5)


def test_equaliser_moves_each_band_by_at_most_8_db(white: "torch.Tensor"):
    equalised = PERTURBATIONS["equaliser"](white, np.random.default_rng(0))
    moved = [band_db(equalised, hz, 1.4 * hz) - band_db(white, hz, 1.4 * hz) for hz in (63, 125, 500, 2000, 5000)]
    assert max(map(abs, moved)) < 8.1
    assert max(moved) - min(moved) > 2


def response(name: str, seed: int) -> NDArray[np.float32]:
    """What comes of a single sample of 1 in the middle."""
    impulse = np.zeros((1, 6000), np.float32)
    impulse[0, 3000] = 1
    perturbed: NDArray[np.float32] = PERTURBATIONS[name](tensor(impulse), np.random.default_rng(seed))[0, 0].numpy()
    return perturbed


def test_echo_repeats_and_smooth_averages():
    for seed in range(5):
        echo = response("echo", seed)
        (first, second) = np.flatnonzero(echo)
        assert first == 3000
        assert 160 <= second - first < 1600
        assert echo[first] == 1
        assert 0.1 <= echo[second] <= 0.5
        smooth = response("smooth", seed)
        taps = np.flatnonzero(smooth)
        assert 2 <= len(taps) <= 8
        assert 3000 in taps
        np.testing.assert_allclose(smooth[taps], 1 / len(taps), rtol=1e-6)


def test_gain_and_polarity_scale(music: "torch.Tensor"):
    for seed in range(5):
        louder = PERTURBATIONS["gain"](music, np.random.default_rng(seed))
        factor = float(louder.abs().max() / music.abs().max())
        assert 10 ** (-12 / 20) <= factor <= 10 ** (8 / 20)
        np.testing.assert_allclose(louder, factor * music, rtol=1e-5)
    np.testing.assert_array_equal(PERTURBATIONS["polarity"](music, np.random.default_rng(0)), -music)


def test_clip_flattens_the_loudest_samples_of_each_clip(music: "torch.Tensor"):
    import torch

    uneven = music * torch.tensor([1.0, 0.1, 0.5])[:, None, None]
    clipped = PERTURBATIONS["clip"](uneven, np.random.default_rng(0))
    for before, after in zip(uneven[:, 0], clipped[:, 0], strict=True):
        touched = before != after
        assert 0.004 < touched.float().mean() < 0.101
        assert (after[touched].abs() == after.abs().max()).all()


def test_drop_silences_stretches_and_leaves_the_rest(music: "torch.Tensor"):
    for seed in range(5):
        dropped = PERTURBATIONS["drop"](music, np.random.default_rng(seed))
        silent = (dropped == 0) & (music != 0)
        assert 20 <= silent[0].sum() <= 5 * 400
        np.testing.assert_array_equal(dropped[~silent], music[~silent])


def test_speed_moves_a_tone_by_at_most_4_percent():
    tone = tensor(np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)[None])
    found = []
    for seed in range(6):
        heard = PERTURBATIONS["speed"](tone, np.random.default_rng(seed))[0, 0, :15_000].numpy()
        found.append(np.argmax(np.abs(np.fft.rfft(heard * np.hanning(15_000)))) * RATE / 15_000)
    assert 959 <= min(found) < 1000 < max(found) <= 1041


def test_spectral_mask_drops_what_a_loud_neighbour_hides():
    time = np.arange(RATE) / RATE
    loud, faint = 0.5 * np.sin(2 * np.pi * 1000 * time), 5e-4 * np.sin(2 * np.pi * 1200 * time)
    both = tensor((loud + faint)[None])
    masked = PERTURBATIONS["spectral_mask"](both, np.random.default_rng(0))
    assert band_db(masked, 1195, 1205) < band_db(both, 1195, 1205) - 20
    assert band_db(masked, 995, 1005) == pytest.approx(band_db(both, 995, 1005), abs=0.1)


@pytest.mark.parametrize("name", ["quantise", "codec"])
def test_what_has_no_gradient_is_applied_and_passes_it_straight_through(name: str, music: "torch.Tensor"):
    import torch

    heard = music.clone().requires_grad_()
    PERTURBATIONS[name](heard, np.random.default_rng(0)).sum().backward()
    np.testing.assert_array_equal(heard.grad, torch.ones_like(music))


def test_quantise_leaves_few_levels(music: "torch.Tensor"):
    for seed in range(5):
        quantised = PERTURBATIONS["quantise"](music, np.random.default_rng(seed)).double().numpy()
        levels = np.unique(quantised.round(6))
        step = np.diff(levels).min()
        assert 1 / 2048 - 3e-6 < step < 1 / 64 + 3e-6
        assert np.abs(quantised - music.numpy()).max() <= step / 2 + 3e-6


def test_codec_is_one_of_the_attacks():
    audio = music_like(2, 3200, RATE)
    used = set()
    for seed in range(4):
        coded = PERTURBATIONS["codec"](tensor(audio), np.random.default_rng(seed))[:, 0].numpy()
        matches = {
            name
            for name in augment._CODECS
            if np.allclose(get_attack(name)(audio, RATE, [0, 0]), coded, rtol=0, atol=1e-6)
        }
        assert len(matches) == 1
        used |= matches
    assert len(used) > 1


def test_draw_follows_the_weights():
    rng = np.random.default_rng(0)
    drawn = [draw({"none": 3.0, "codec": 1.0, "speed": 0.0}, rng) for _ in range(2000)]
    assert drawn.count("none") / 2000 == pytest.approx(0.75, abs=0.04)
    assert drawn.count("codec") / 2000 == pytest.approx(0.25, abs=0.04)


# --- Masking ---


def test_the_shape_of_its_host_costs_nothing(music: "torch.Tensor"):
    assert shape_loss(music, music * 10 ** (-25 / 20), 25).item() == pytest.approx(0, abs=1e-3)
    losses = [float(shape_loss(music, music * 10 ** (-below / 20), 25)) for below in (25, 20, 15, 5, -15)]
    assert all(one < other for one, other in pairwise(losses))


def test_too_loud_costs_more_than_too_quiet(music: "torch.Tensor"):
    loud, quiet = (shape_loss(music, music * 10 ** (-below / 20), 25).item() for below in (15, 35))
    assert quiet == pytest.approx(masking.TOO_QUIET * loud, rel=0.2)
    assert loud == pytest.approx(0.5, rel=0.1)


def test_far_away_costs_in_proportion(music: "torch.Tensor"):
    losses = [float(shape_loss(music, music * 10 ** (-below / 20), 25)) for below in (-5, -15, -25)]
    assert losses[2] - losses[1] == pytest.approx(losses[1] - losses[0], rel=0.05)


def test_lines_cost_more_than_the_shape_of_the_host_at_the_same_level(music: "torch.Tensor"):
    import torch

    shaped = music * 10 ** (-25 / 20)
    line = torch.sin(2 * math.pi * 2000 * torch.arange(music.shape[-1]) / RATE).expand_as(music)
    line = line * (shaped.square().mean() / line.square().mean()).sqrt()
    assert shape_loss(music, line, 25) > 0.5 > 0.1 > shape_loss(music, shaped, 25)


def test_the_shape_has_a_gradient_in_silence():
    import torch

    watermark = torch.zeros(2, 1, 3200, requires_grad=True)
    shape_loss(torch.zeros(2, 1, 3200), watermark, 100).backward()
    assert watermark.grad is not None
    assert torch.isfinite(watermark.grad).all()


@pytest.mark.parametrize("window", [256, 1024])
def test_excess_has_a_cell_for_each_band_and_frame_and_the_sign_of_the_louder(window: int, music: "torch.Tensor"):
    below, above = excess_db(music, 0.01 * music, window), excess_db(music, 100 * music, window)
    assert below.shape == (3, window // 2 + 1, 4800 // (window // 4) + 1)
    assert (below < 0).float().mean() > 0.99
    assert (above > 0).float().mean() > 0.99
    assert float((above - below).median()) == pytest.approx(80, abs=1)


# --- Recipes ---


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_that_ship_load_and_survive_being_written(name: str):
    recipe = load_recipe(name)
    assert recipe.name.startswith("audioseal_")
    assert set(recipe.perturbations) <= set(PERTURBATIONS)
    assert recipe_from(tomllib.loads(recipe_toml(recipe))) == recipe


def test_a_recipe_of_ones_own_is_read_from_its_file(tmp_path: Path, tiny: Recipe):
    path = tmp_path / "own.toml"
    path.write_text(recipe_toml(replace(tiny, learning_rate=1e-05)))
    assert load_recipe(str(path)) == replace(tiny, learning_rate=1e-05)


def without(tables: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in tables.items() if key != name}


MINI = load_recipe("mini").as_dict()


@pytest.mark.parametrize(
    ("tables", "rule"),
    [
        ({**MINI, "colour": "blue"}, r"table 'recipe' .*must hold name, .*Unknown: \['colour'\]"),
        ({**MINI, "net": {**MINI["net"], "layers": 3}}, r"table 'net' .*Unknown: \['layers'\]"),
        (without(MINI, "learning_rate"), r"table 'recipe' .*missing: \['learning_rate'\]"),
        (without(MINI, "shift"), r"table 'shift' .*missing: \['full_at'"),
        ({**MINI, "weights": without(MINI["weights"], "level")}, r"table 'weights' .*missing: \['level'\]"),
        ({**MINI, "batch": 6}, "batch must be a multiple of 4"),
        ({**MINI, "batch": 0}, "batch must be a multiple of 4"),
        ({**MINI, "steps": 0}, "steps must be at least 1"),
        ({**MINI, "seed": -1}, "seed must be 0 or more"),
        ({**MINI, "shift": {**MINI["shift"], "full_at": MINI["shift"]["start"]}}, "shift.full_at must be above start"),
        ({**MINI, "perturbations": {"none": 1.0, "fly": 1.0}}, "perturbations must be among none, white_noise"),
        ({**MINI, "perturbations": {"none": 2.0, "codec": -1.0}}, "must be 0 or more, one above"),
        ({**MINI, "perturbations": {"none": 0.0, "codec": 0.0}}, "must be 0 or more, one above"),
        ({**MINI, "perturbations": {}}, "must be 0 or more, one above"),
        ({**MINI, "steps": "many"}, "'recipe.steps' of a recipe must be of the kind .*'many'"),
        ({**MINI, "steps": 2.5}, "'recipe.steps' of a recipe must be of the kind"),
        ({**MINI, "net": 3}, "'net' of a recipe must be a table"),
        ({**MINI, "perturbations": 3}, "'recipe.perturbations' of a recipe must be of the kind"),
        ({**MINI, "name": 3}, "'recipe.name' of a recipe must be of the kind"),
    ],
)
def test_a_recipe_that_is_not_one_is_refused(tables: dict[str, Any], rule: str):
    with pytest.raises(HarnessError, match=rule):
        recipe_from(tables)


def test_a_recipe_that_cannot_be_read_is_refused(tmp_path: Path):
    with pytest.raises(HarnessError, match=r"one of mini, full or a TOML file\. Got nowhere\.toml: .*No such file"):
        load_recipe("nowhere.toml")
    (tmp_path / "bad.toml").write_text("steps = = 3")
    with pytest.raises(HarnessError, match=r"bad\.toml must be TOML: "):
        load_recipe(str(tmp_path / "bad.toml"))
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(HarnessError, match=r"or a TOML file\. Got .*bad\.toml"):
        load_recipe(str(tmp_path / "bad.toml"))


@pytest.mark.parametrize("kind", KINDS)
def test_networks_have_the_shape_of_the_recipe(kind: str, tiny: Recipe):
    net = build_net(kind, tiny.net_config(kind))
    n_lstm = {"generator": tiny.net.generator_lstm, "detector": tiny.net.detector_lstm}[kind]
    assert sum("weight_ih_l" in name for name in net.state_dict()) == n_lstm
    assert (net.msg_processor.nbits if kind == "generator" else net.nbits) == 16


# --- Clips ---


def test_windows_are_stretches_of_clips_in_range():
    ramps = (np.arange(100) + 1000 * np.arange(1, 4)[:, None]).astype(np.int16)
    batch = draw_batch(ramps, 2000, 8, np.random.default_rng(0))
    assert batch.shape == (2000, 1, 8)
    assert batch.dtype == np.float32
    windows = batch[:, 0].astype(float)
    first = windows[:, 0] / ((windows[:, -1] - windows[:, 0]) / 7)
    clip, start = np.divmod(np.rint(first).astype(int), 1000)
    np.testing.assert_allclose(first, 1000 * clip + start, atol=0.3)
    assert set(clip) == {1, 2, 3}
    assert (start.min(), start.max()) == (0, 92)


def test_levels_of_windows():
    square = np.tile(np.int16([16_384, -16_384]), (2, 50))
    levels = 20 * np.log10(np.abs(draw_batch(square, 4000, 20, np.random.default_rng(0))).max((1, 2)) / 0.5)
    assert -35 <= levels.min() < -30
    assert 5.5 < levels.max() <= 6
    assert (levels < -12).mean() == pytest.approx(0.1 * 23 / 41, abs=0.015)
    loud = np.full((1, 20), 32_767, np.int16)
    assert draw_batch(loud, 50, 20, np.random.default_rng(0)).max() == 1


def test_a_window_may_be_a_whole_clip(pcm: NDArray[np.int16]):
    assert draw_batch(pcm, 2, RATE, np.random.default_rng(0)).shape == (2, 1, RATE)


def test_draws_repeat_with_their_seed(pcm: NDArray[np.int16]):
    one, other = (draw_batch(pcm, 4, 800, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_without_music_there_is_silence_noise_or_a_tone():
    rng = np.random.default_rng(0)
    kinds = {"silence": 0, "noise": 0, "tone": 0}
    for _ in range(60):
        audio = draw_without_music(1600, rng)
        assert audio.shape == (1, 1600)
        assert audio.dtype == np.float32
        assert np.abs(audio).max() <= 1
        power = np.abs(np.fft.rfft(audio[0] * np.hanning(1600))) ** 2
        is_tone = power.any() and power.max() > 0.2 * power.sum()
        kinds["tone" if is_tone else "noise" if audio.any() else "silence"] += 1
    assert min(kinds.values()) > 10


def test_clips_are_split_as_a_build_splits_them(bench_corpus: Corpus, tmp_path: Path):
    request = BuildRequest(scheme="spread_spectrum", n_clips=24, seed=3)
    dataset, _ = build_dataset(bench_corpus, request, tmp_path / "data")
    clips = read_clips(bench_corpus, 24, 3)
    assert set(clips.pcm) == set(SPLIT_FRACTIONS)
    for split, audio in clips.pcm.items():
        pairs = dataset.split(split)
        assert clips.groups[split] == [pair.group for pair in pairs]
        np.testing.assert_array_equal(from_pcm(audio), dataset.audio([pair.clean for pair in pairs]))
    assert clips.description == {"kind": "bench", "seed": 3, "clips": 24}


class Uneven:
    """Recordings of one to twelve clips, the first clip of each before the second of any."""

    name = "uneven"

    def __init__(self, n_groups: int) -> None:
        self.n_groups = n_groups

    def description(self) -> dict[str, object]:
        return {"kind": "uneven"}

    def clips(self, n_clips: int, *, clip_s: float, seed: int, report: CorpusReport) -> Iterator[Clip]:
        del clip_s, seed, report
        order = [(rank, group) for rank in range(12) for group in range(self.n_groups) if rank <= group * 5 % 12]
        for rank, group in order[:n_clips]:
            yield Clip(f"{group:02d}-{rank:02d}", f"{group:02d}", f"{group:02d}", rank, np.zeros(4, np.int16))


def test_a_corpus_too_small_to_split_is_refused():
    with pytest.raises(HarnessError, match=r"at least one usable clip\. Got 0 clips taken"):
        read_clips(Uneven(0), 10, 0)
    with pytest.raises(HarnessError, match="at least 4 groups"):
        read_clips(Uneven(3), 10, 0)


def test_no_group_is_in_two_splits():
    groups = read_clips(Uneven(40), ALL_CLIPS, 0).groups
    assert sum(len(set(members)) for members in groups.values()) == 40


# --- Foreign sounds ---


@pytest.mark.parametrize("name", FOREIGN_SOUNDS)
def test_foreign_sounds_are_audio_and_repeat(name: str):
    clips = FOREIGN_SOUNDS[name](6, RATE, np.random.default_rng(0))
    assert clips.shape == (6, RATE)
    assert clips.dtype == np.float32
    assert np.isfinite(clips).all()
    np.testing.assert_array_equal(clips, FOREIGN_SOUNDS[name](6, RATE, np.random.default_rng(0)))
    assert not np.array_equal(clips, FOREIGN_SOUNDS[name](6, RATE, np.random.default_rng(1)))


@pytest.mark.parametrize("name", FOREIGN_SOUNDS)
def test_foreign_sounds_stay_within_full_scale(name: str):
    assert np.abs(FOREIGN_SOUNDS[name](40, RATE, np.random.default_rng(0))).max() <= 1


def test_foreign_sounds_have_their_levels_and_colours():
    rng = np.random.default_rng(0)
    for name in ("white noise", "pink noise"):
        level = 20 * np.log10(FOREIGN_SOUNDS[name](40, 4000, rng).std(axis=1))
        assert -60.5 < level.min() < -40
        assert -20 < level.max() < -9.5
    pink, white = (tensor(FOREIGN_SOUNDS[name](20, 4000, rng)) for name in ("pink noise", "white noise"))
    assert band_db(pink, 250, 500) - band_db(pink, 2000, 4000) == pytest.approx(9, abs=1.5)
    assert band_db(white, 250, 500) == pytest.approx(band_db(white, 2000, 4000), abs=1.5)
    silence = FOREIGN_SOUNDS["silence"](4, 4000, rng)
    assert not silence[::2].any()
    assert 0 < np.abs(silence[1::2]).max() <= 1 / 32_768
    assert (np.abs(FOREIGN_SOUNDS["speech-like"](6, RATE, rng)).max(axis=1) >= 0.049).all()


# --- The training loop ---


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
    stop: int, tiny: Recipe, pcm: NDArray[np.int16], tmp_path: Path
):
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
    pair = Trainer(replace(tiny, steps=2), pcm, tmp_path / "trained")
    list(pair.run())
    return pair


def test_a_finished_training_is_not_trained_on(trained: Trainer, pcm: NDArray[np.int16], tmp_path: Path):
    again = Trainer(trained.recipe, pcm, tmp_path / "trained")
    assert list(again.run()) == []
    np.testing.assert_equal(again.log, trained.log)
    assert same_weights(again.generator, trained.generator)


def test_another_training_in_the_folder_is_refused(trained: Trainer, pcm: NDArray[np.int16], tmp_path: Path):
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
):
    (path,) = (tmp_path / "trained").glob("checkpoint.*")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(HarnessError, match=r"checkpoint\.\w+ must be a checkpoint .*delete it to start anew"):
        Trainer(trained.recipe, pcm, tmp_path / "trained")


def test_the_checkpoint_is_plain_data(trained: Trainer, tmp_path: Path):
    import torch

    (path,) = (tmp_path / "trained").glob("checkpoint.*")
    state = torch.load(path, weights_only=True)
    assert state["step"] == 4
    assert len(state["nets"]) == 4


def test_the_curve_is_a_csv(trained: Trainer, tmp_path: Path):
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
):
    logs = []
    for every in (1, 3):
        monkeypatch.setattr(trainer, "LOG_EVERY", every)
        pair = Trainer(replace(tiny, steps=5, listening=replace(tiny.listening, steps=0)), pcm, tmp_path / str(every))
        list(pair.run())
        logs.append(pair.log)
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
):
    assert logged_accuracy([0.5, math.nan, 1.0, math.nan], tiny, tmp_path, monkeypatch) == 0.75


def test_steps_that_ask_for_no_message_have_no_accuracy(tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    assert math.isnan(logged_accuracy([math.nan, math.nan], tiny, tmp_path, monkeypatch))


def heard_by_the_detector(
    recipe: Recipe, host: "torch.Tensor", watermark: "torch.Tensor", folder: Path
) -> "trainer._Seen":
    pair = Trainer(recipe, np.zeros((1, RATE), np.int16), folder)
    pair.step = recipe.shift.full_at + recipe.perturb_from
    return pair._perturbed(host, watermark, 1600, n_clean=2)


def test_marked_and_clean_clips_keep_their_places(tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import torch

    monkeypatch.setattr(trainer, "_WITHOUT_MUSIC", 0)
    recipe = replace(tiny, batch=8, perturbations={"none": 1.0}, shift=replace(tiny.shift, share=0.0))
    host = torch.arange(8.0)[:, None, None].expand(8, 1, 1920)
    seen = heard_by_the_detector(recipe, host, torch.full_like(host, 100), tmp_path)
    assert seen.audio.shape == (12, 1, 1600)
    torch.testing.assert_close(seen.audio[:8], host[..., :1600] + 100 * seen.where)
    torch.testing.assert_close(seen.audio[8:], host[[0, 1, 4, 5], :, :1600])
    gaps = (seen.where == 0).sum((1, 2))
    assert [clip for clip in range(8) if gaps[clip]] == [0, 4]
    assert all(400 <= gaps[clip] < 800 for clip in (0, 4))
    assert seen.message_weight.tolist() == [1] * 8


def test_a_shift_cuts_mark_and_clip_alike(tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import torch

    monkeypatch.setattr(trainer, "_WITHOUT_MUSIC", 0)
    shift = replace(tiny.shift, share=1.0, message_weight=0.25)
    recipe = replace(tiny, batch=8, perturbations={"none": 1.0}, shift=shift)
    host = torch.arange(1920.0).expand(8, 1, 1920)
    seen = heard_by_the_detector(recipe, host, torch.full_like(host, 5000), tmp_path)
    torch.testing.assert_close(seen.audio[:8] - 5000 * seen.where, seen.audio[[8, 8, 8, 8, 10, 10, 10, 10]])
    late = seen.audio[8:, 0, 0]
    assert ((late >= 1) & (late < 320)).all()
    assert late[0] == late[1] != late[2] == late[3]
    assert seen.message_weight.tolist() == [0.25] * 8


@pytest.mark.parametrize("name", ["polarity", "speed"])
def test_no_message_is_asked_for_where_it_cannot_be_read(name: str, tiny: Recipe, tmp_path: Path):
    import torch

    recipe = replace(tiny, perturbations={name: 1.0}, shift=replace(tiny.shift, share=0.0))
    host = torch.ones(4, 1, 1920)
    assert heard_by_the_detector(recipe, host, host, tmp_path).message_weight.tolist() == [0] * 4


def test_some_clean_clips_are_no_music(tiny: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import torch

    monkeypatch.setattr(trainer, "_WITHOUT_MUSIC", 1)
    recipe = replace(tiny, perturbations={"none": 1.0}, shift=replace(tiny.shift, share=0.0))
    host = torch.full((4, 1, 1920), 2.0)
    seen = heard_by_the_detector(recipe, host, 0 * host, tmp_path)
    assert sorted((seen.audio == 2).all(-1)[:, 0].tolist()) == [False, *[True] * 5]
    assert (host == 2).all()


def test_at_last_only_the_detector_learns(tiny: Recipe, pcm: NDArray[np.int16], tmp_path: Path):
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


def test_listening_hears_as_many_clean_clips_as_marked_ones(tiny: Recipe, tmp_path: Path):
    import torch

    pair = Trainer(tiny, np.zeros((1, RATE), np.int16), tmp_path)
    host = torch.zeros(4, 1, 1920)
    assert len(pair._perturbed(host, host + 1, 1600, n_clean=2).audio) == 6
    assert len(pair._perturbed(host, host + 1, 1600, n_clean=4).audio) == 8


def test_varied_clips_are_faster_slower_and_mixed():
    time = np.arange(RATE) / RATE
    tones = to_pcm(np.stack([0.1 * np.sin(2 * np.pi * hz * time) for hz in (1000, 3000)]))
    rng = np.random.default_rng(0)
    drawn = draw_varied(tones, 64, 4000, 1.25, rng)[:, 0]
    assert drawn.shape == (64, 4000)
    spectra = np.abs(np.fft.rfft(drawn * np.hanning(4000)))
    hz = spectra.argmax(axis=1) * 4.0
    ratio = np.where(hz < 2000, hz / 1000, hz / 3000)
    assert ratio.min() > 0.79
    assert ratio.max() < 1.26
    assert ratio.std() > 0.08
    loud = [
        np.count_nonzero((row[1:-1] > 0.1 * row.max()) & (row[1:-1] > row[:-2]) & (row[1:-1] >= row[2:]))
        for row in spectra
    ]
    assert 0.25 < np.mean(np.array(loud) > 1) < 0.75
    whole = draw_varied(tones, 4, RATE - 1, 1.25, rng)
    assert whole.shape == (4, 1, RATE - 1)


def test_training_lowers_the_loss(tiny: Recipe, pcm: NDArray[np.int16], tmp_path: Path):
    mini = load_recipe("mini")
    recipe = replace(
        tiny,
        steps=40,
        batch=8,
        window_s=0.2,
        learning_rate=5e-3,
        perturb_from=10**6,
        strength=replace(mini.strength, start_snr_db=0, snr_db=0),
        shift=replace(mini.shift, share=0.0),
        listening=replace(mini.listening, steps=0),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "LOG_EVERY", 10)
        first, *_, last = [step.values for step in Trainer(recipe, pcm, tmp_path).run()]
    assert last["loss"] < 0.9 * first["loss"]
    assert last["detection_loss"] < 0.7 * first["detection_loss"]
    assert last["frames_false"] < first["frames_false"]


def test_frame_logits_stay_the_whole_detector_in_training(trained: Trainer):
    import torch

    frames, presence, frame_bits, bits = frames_and_samples(trained.detector, tensor(music_like(2, 3200, RATE)))
    torch.testing.assert_close(frames, presence, rtol=0, atol=1e-5)
    torch.testing.assert_close(frame_bits, bits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_that_ships_trains(name: str, pcm: NDArray[np.int16], tmp_path: Path):
    """In all but size: its windows must fit the clips that are read."""
    assert pcm.shape[1] == CLIP_S * RATE
    recipe = load_recipe(name)
    recipe = replace(
        recipe, net=TINY_NET, batch=4, steps=1, tune_in_steps=1, listening=replace(recipe.listening, steps=1)
    )
    (step,) = Trainer(recipe, pcm, tmp_path).run()
    assert math.isfinite(step.values["loss"])


# --- What is measured ---


class LoudBits:
    """Writes the message into the first 16 samples; finds it surely while they are loud, doubtfully at half of it."""

    name, sample_rate, message_bits, threshold = "loud_bits", RATE, 16, 0.5

    def embed(self, batch: NDArray[np.float32], messages: NDArray[np.uint8]) -> NDArray[np.float32]:
        marked = batch.copy()
        marked[:, :16] = messages - np.float32(0.5)
        return marked

    def detect(self, batch: NDArray[np.float32]) -> Detection:
        faintest = np.abs(batch[:, :16]).min(axis=1)
        score = np.select([faintest > 0.4, faintest > 0.2], [1.0, 0.3]).astype(np.float32)
        return Detection(score, None, (batch[:, :16] > 0).astype(np.uint8))


def test_evaluation_tells_an_attack_that_hurts_from_one_that_does_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evaluate, "CARD_ATTACKS", ("identity", "gain.-6db", "gain.-12db"))
    monkeypatch.setattr(evaluate, "N_FOREIGN", 4)
    monkeypatch.setattr(evaluate, "_BLOCK", 5)
    rng = np.random.default_rng(0)
    splits = {"train": 2, "calibration": 100, "test": 12}
    clips = CorpusClips(
        {},
        {split: to_pcm((0.05 * rng.standard_normal((n, 3200))).astype(np.float32)) for split, n in splits.items()},
        {split: [f"{split}{index // 2}" for index in range(n)] for split, n in splits.items()},
    )
    found = evaluate.evaluate(LoudBits(), LoudBits(), clips, seed=0)
    assert [row.attack for row in found.rows] == ["identity", "gain.-6db", "gain.-12db"]
    assert found.threshold == 0
    for row, expected in zip(found.rows, [(1, 1, 1), (0, 1, 1), (0, 0, 0.5)], strict=True):
        assert (row.tpr_fixed.value, row.tpr_calibrated.value, row.auc.value) == expected
        assert (row.fpr_fixed.value, row.fpr_calibrated.value, row.bit_accuracy.value) == (0, 0, 1)
        assert (row.bit_accuracy.n_clips, row.bit_accuracy.n_groups) == (12, 6)
    host = from_pcm(clips.pcm["test"])
    mark = LoudBits().embed(host, np.ones((12, 16), np.uint8)) - host
    snr_db = 10 * np.log10(np.sum(host**2, axis=1) / np.sum(mark**2, axis=1))
    assert found.snr_db.value == pytest.approx(np.median(snr_db), abs=0.5)
    assert {sound: alarms.value for sound, alarms in found.false_alarms.items()} == dict.fromkeys(FOREIGN_SOUNDS, 0)


# --- What is kept ---


class FewClips:
    """The first clips of a corpus, whatever is asked for."""

    def __init__(self, corpus: Corpus, n_clips: int) -> None:
        self.name, self._corpus, self._n_clips = "few", corpus, n_clips

    def description(self) -> dict[str, object]:
        return {"kind": "few", "name": self.name}

    def clips(self, n_clips: int, *, clip_s: float, seed: int, report: CorpusReport) -> Iterator[Clip]:
        return self._corpus.clips(min(n_clips, self._n_clips), clip_s=clip_s, seed=seed, report=report)


ATTACKS = ("identity", "gain.6db")


@pytest.fixture(scope="module")
def small_card() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "CARD_ATTACKS", ATTACKS)
        patch.setattr(evaluate, "N_FOREIGN", 4)
        yield


@pytest.fixture(scope="module")
def request_of_two_steps(tiny: Recipe, bench_corpus: Corpus) -> TrainingRequest:
    return TrainingRequest(replace(tiny, steps=2), {"few": FewClips(bench_corpus, 24)})


@pytest.fixture(scope="module")
def pair(small_card: None, request_of_two_steps: TrainingRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained pair."""
    folder = tmp_path_factory.mktemp("trained") / "pair"
    assert train_pair(request_of_two_steps, folder) == folder / "README.md"
    return folder


def hashes_in(folder: Path) -> dict[str, str]:
    return {kind: hashlib.sha256((folder / f"{kind}.safetensors").read_bytes()).hexdigest() for kind in KINDS}


def test_a_training_leaves_weights_recipe_curve_metrics_and_card(pair: Path, request_of_two_steps: TrainingRequest):
    wanted = {
        "README.md",
        "card.json",
        "recipe.toml",
        "metrics.csv",
        "training.csv",
        "training.png",
        "generator.safetensors",
        "detector.safetensors",
    }
    assert wanted <= {path.name for path in pair.iterdir()}
    assert (pair / "training.png").read_bytes().startswith(b"\x89PNG")
    assert load_recipe(str(pair / "recipe.toml")) == request_of_two_steps.recipe


def test_the_card_says_what_the_pair_is_and_is_not(pair: Path):
    text = (pair / "README.md").read_text()
    assert "It is *not* Meta's model" in NOT_METAS
    assert NOT_METAS in text
    card = json.loads((pair / "card.json").read_text())
    assert card["sha256"] == hashes_in(pair)
    assert card["name"] == "audioseal_mini"
    assert (card["steps"], card["seed"]) == (4, 0)
    (corpus,) = card["corpora"]
    assert (corpus["name"], corpus["clips"]) == ("few", 24)
    assert f"{corpus['train_clips']} training clips of `few`" in text
    for kind in KINDS:
        net = load_net(read_net(pair / f"{kind}.safetensors", card["sha256"][kind], kind))
        assert card["parameters"][kind] == sum(parameter.numel() for parameter in net.parameters())
        assert f"{card['parameters'][kind]:,}" in text
    for attack in ATTACKS:
        assert f"\n| {attack} | " in text
    for sound in FOREIGN_SOUNDS:
        assert f"{sound} " in text


def test_the_metrics_are_a_table(pair: Path):
    with (pair / "metrics.csv").open() as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert reader.fieldnames == ["corpus", "attack", "metric", "value", "ci_low", "ci_high", "n_clips", "n_groups"]
    found = {(row["corpus"], row["attack"], row["metric"]): row for row in rows}
    assert len(found) == len(rows)
    per_attack = {"auc", "tpr_fixed", "fpr_fixed", "tpr_calibrated", "fpr_calibrated", "bit_accuracy"}
    for attack in ATTACKS:
        metrics = {metric for corpus, name, metric in found if (corpus, name) == ("few", attack)}
        assert metrics - {"watermark_snr_db"} == per_attack
    for sound in FOREIGN_SOUNDS:
        assert found[sound, "identity", "fpr_fixed"]["n_clips"] == "4"
    assert float(found["few", "identity", "watermark_snr_db"]["value"]) > 0


def test_a_pair_is_taken_and_used_as_a_scheme(pair: Path, tmp_path: Path):
    CustomWeights(tmp_path).take([pair / f"{kind}.safetensors" for kind in KINDS])
    scheme = get_scheme("audioseal_custom", weights_dir=tmp_path)
    assert scheme.unavailable() is None
    assert scheme.weights_sha256 == "+".join(hashes_in(pair)[kind] for kind in KINDS)
    host = music_like(2, RATE, RATE)
    messages = np.random.default_rng(0).integers(0, 2, (2, 16), dtype=np.uint8)
    marked = scheme.watermarker.embed(host, messages)
    assert marked.shape == host.shape
    assert not np.array_equal(marked, host)
    found = scheme.detector.detect(marked)
    assert found.bits is not None
    assert found.bits.shape == (2, 16)
    assert (found.bits == messages).mean() > 0.6


def test_the_folder_of_a_training_is_imported_as_the_command_advises(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SEALPROOF_AUDIOSEAL_WEIGHTS", str(tmp_path))
    assert len(list(weights.import_own([pair]))) == 3


@pytest.mark.usefixtures("small_card")
def test_a_finished_pair_is_measured_again_but_not_trained_on(
    pair: Path, request_of_two_steps: TrainingRequest, monkeypatch: pytest.MonkeyPatch
):
    def refuse(_: Trainer) -> dict[str, float]:
        raise AssertionError("it trained on")

    before = hashes_in(pair)
    monkeypatch.setattr(Trainer, "_update", refuse)
    train_pair(request_of_two_steps, pair)
    assert hashes_in(pair) == before


def test_a_folder_in_which_another_process_trains_is_refused(request_of_two_steps: TrainingRequest, tmp_path: Path):
    from filelock import FileLock

    with FileLock(tmp_path / ".lock"), pytest.raises(HarnessError, match="is being trained in by another process"):
        train_pair(request_of_two_steps, tmp_path)


def test_a_training_without_any_clips_is_refused(tiny: Recipe, tmp_path: Path):
    with pytest.raises(HarnessError):
        train_pair(TrainingRequest(tiny, {}), tmp_path)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--steps", "0"], "steps must be at least 1. Got 0."),
        (["--seed", "-1"], "seed must be 0 or more. Got -1."),
        (["--threads", "0"], "--threads must be at least 1. Got 0."),
        (["--recipe", "maxi"], "--recipe must be one of mini, full or a TOML file. Got maxi: "),
        (["--corpus", "nowhere"], "nowhere"),
    ],
)
def test_the_command_refuses_in_one_line(
    options: list[str], rule: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    assert main(["train-scheme", "--out", str(tmp_path / "pair"), *options]) == 2
    captured = capfd.readouterr().err
    assert captured.startswith("sealproof: ")
    assert captured.count("\n") == 1
    assert rule in captured
    assert not (tmp_path / "pair").exists()
