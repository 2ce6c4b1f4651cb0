"""Perturbations of a training: shape, gradient, silence, and that each does what it says."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import get_attack
from sealproof.attacks.testing import music_like
from sealproof.harness.training.schemes import augment
from sealproof.harness.training.schemes.augment import PERTURBATIONS, draw, highpass, lowpass, noise

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.usefixtures("one_torch_thread")

RATE = 16_000

ToTensor = Callable[[NDArray[Any]], "torch.Tensor"]


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_every_perturbation_keeps_the_shape_and_lets_a_gradient_through(name: str, music: "torch.Tensor") -> None:
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
def test_every_perturbation_takes_silence(name: str) -> None:
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
def white(tensor: ToTensor) -> "torch.Tensor":
    return tensor((0.1 * np.random.default_rng(0).standard_normal((2, RATE))).astype(np.float32))


def test_lowpass_and_highpass_remove_what_they_say(white: "torch.Tensor") -> None:
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
) -> None:
    for seed in range(3):
        filtered = PERTURBATIONS[name](white, np.random.default_rng(seed))
        assert band_db(filtered, *gone) < band_db(white, *gone) - 25
        assert band_db(filtered, *kept) == pytest.approx(band_db(white, *kept), abs=0.3)


@pytest.mark.parametrize("slope", [0, 1])
def test_noise_has_its_snr_and_slope(slope: float, music: "torch.Tensor") -> None:
    marked = noise(music, 20, slope, np.random.default_rng(0))
    added = marked - music
    ratio = 10 * (music.square().mean(-1) / added.square().mean(-1)).log10()
    np.testing.assert_allclose(ratio.numpy(), 20, atol=0.01)
    assert band_db(added, 250, 500) - band_db(added, 2000, 4000) == pytest.approx(9 * slope, abs=1.5)


def test_equaliser_moves_each_band_by_at_most_8_db(white: "torch.Tensor") -> None:
    equalised = PERTURBATIONS["equaliser"](white, np.random.default_rng(0))
    moved = [band_db(equalised, hz, 1.4 * hz) - band_db(white, hz, 1.4 * hz) for hz in (63, 125, 500, 2000, 5000)]
    assert max(map(abs, moved)) < 8.1
    assert max(moved) - min(moved) > 2


def response(name: str, seed: int) -> NDArray[np.float32]:
    """What comes of a single sample of 1 in the middle."""
    import torch

    impulse = np.zeros((1, 6000), np.float32)
    impulse[0, 3000] = 1
    perturbed: NDArray[np.float32] = PERTURBATIONS[name](
        torch.from_numpy(impulse[:, None]), np.random.default_rng(seed)
    )[0, 0].numpy()
    return perturbed


def test_echo_repeats_and_smooth_averages() -> None:
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


def test_gain_and_polarity_scale(music: "torch.Tensor") -> None:
    for seed in range(5):
        louder = PERTURBATIONS["gain"](music, np.random.default_rng(seed))
        factor = float(louder.abs().max() / music.abs().max())
        assert 10 ** (-12 / 20) <= factor <= 10 ** (8 / 20)
        np.testing.assert_allclose(louder, factor * music, rtol=1e-5)
    np.testing.assert_array_equal(PERTURBATIONS["polarity"](music, np.random.default_rng(0)), -music)


def test_clip_flattens_the_loudest_samples_of_each_clip(music: "torch.Tensor") -> None:
    import torch

    uneven = music * torch.tensor([1.0, 0.1, 0.5])[:, None, None]
    clipped = PERTURBATIONS["clip"](uneven, np.random.default_rng(0))
    for before, after in zip(uneven[:, 0], clipped[:, 0], strict=True):
        touched = before != after
        assert 0.004 < touched.float().mean() < 0.101
        assert (after[touched].abs() == after.abs().max()).all()


def test_drop_silences_stretches_and_leaves_the_rest(music: "torch.Tensor") -> None:
    for seed in range(5):
        dropped = PERTURBATIONS["drop"](music, np.random.default_rng(seed))
        silent = (dropped == 0) & (music != 0)
        assert 20 <= silent[0].sum() <= 5 * 400
        np.testing.assert_array_equal(dropped[~silent], music[~silent])


def test_speed_moves_a_tone_by_at_most_4_percent(tensor: ToTensor) -> None:
    tone = tensor(np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)[None])
    found = []
    for seed in range(6):
        heard = PERTURBATIONS["speed"](tone, np.random.default_rng(seed))[0, 0, :15_000].numpy()
        found.append(np.argmax(np.abs(np.fft.rfft(heard * np.hanning(15_000)))) * RATE / 15_000)
    assert 959 <= min(found) < 1000 < max(found) <= 1041


def test_spectral_mask_drops_what_a_loud_neighbour_hides(tensor: ToTensor) -> None:
    time = np.arange(RATE) / RATE
    loud, faint = 0.5 * np.sin(2 * np.pi * 1000 * time), 5e-4 * np.sin(2 * np.pi * 1200 * time)
    both = tensor((loud + faint)[None].astype(np.float32))
    masked = PERTURBATIONS["spectral_mask"](both, np.random.default_rng(0))
    assert band_db(masked, 1195, 1205) < band_db(both, 1195, 1205) - 20
    assert band_db(masked, 995, 1005) == pytest.approx(band_db(both, 995, 1005), abs=0.1)


@pytest.mark.parametrize("name", ["quantise", "codec"])
def test_what_has_no_gradient_is_applied_and_passes_it_straight_through(name: str, music: "torch.Tensor") -> None:
    import torch

    heard = music.clone().requires_grad_()
    PERTURBATIONS[name](heard, np.random.default_rng(0)).sum().backward()
    np.testing.assert_array_equal(heard.grad, torch.ones_like(music))


def test_quantise_leaves_few_levels(music: "torch.Tensor") -> None:
    for seed in range(5):
        quantised = PERTURBATIONS["quantise"](music, np.random.default_rng(seed)).double().numpy()
        levels = np.unique(quantised.round(6))
        step = np.diff(levels).min()
        assert 1 / 2048 - 3e-6 < step < 1 / 64 + 3e-6
        assert np.abs(quantised - music.numpy()).max() <= step / 2 + 3e-6


def test_codec_is_one_of_the_attacks(tensor: ToTensor) -> None:
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


def test_draw_follows_the_weights() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw({"none": 3.0, "codec": 1.0, "speed": 0.0}, rng) for _ in range(2000)]
    assert drawn.count("none") / 2000 == pytest.approx(0.75, abs=0.04)
    assert drawn.count("codec") / 2000 == pytest.approx(0.25, abs=0.04)
