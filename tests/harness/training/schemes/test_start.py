"""Where a scheme starts: tuned in, matched, in bands, and the short way to its logits."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks.testing import music_like
from sealproof.detectors.audioseal.nets import build_net, uncompiled
from sealproof.harness.training.schemes import augment
from sealproof.harness.training.schemes.hearing import frame_logits
from sealproof.harness.training.schemes.recipe import NetShape, Recipe, load_recipe
from sealproof.harness.training.schemes.starts.matched import (
    LOUDEST,
    QUIETEST,
    band_levels,
    initialise_matched,
    n_bands,
    tune_in,
)

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.usefixtures("one_torch_thread")

RATE = 16_000

ToTensor = Callable[[NDArray[Any]], "torch.Tensor"]
SameWeights = Callable[[Any, Any], bool]


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

    host = torch.from_numpy(music_like(24, RATE, RATE)[:, None].copy())
    message = torch.from_numpy(np.random.default_rng(0).integers(0, 2, (24, 16)))
    with torch.no_grad(), uncompiled():
        watermark = generator.get_watermark(host, message=message)
        power = host.square().mean((1, 2)) / watermark.square().mean((1, 2))
        marked = host + watermark * (power * 10 ** (-snr_db / 10)).sqrt()[:, None, None]
        bits = detector(marked)[1]
    return float(((bits > 0.5) == message.bool()).float().mean())


def test_an_untrained_pair_carries_bits_only_when_matched() -> None:
    mini = load_recipe("mini")
    assert bits_right(*pair_of(mini, matched=True), snr_db=0) > 0.62
    assert 0.42 < bits_right(*pair_of(mini, matched=False), snr_db=0) < 0.58


def test_band_levels_are_those_of_tones() -> None:
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


def test_a_generator_that_is_tuned_in_follows_its_host(tensor: ToTensor) -> None:
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


def test_there_are_as_many_bands_as_the_last_layer_tells_apart() -> None:
    assert n_bands(pair_of(load_recipe("mini"), matched=False)[0]) == load_recipe("mini").net.n_bands == 8
    assert load_recipe("full").net.n_bands == 2


def test_matched_weights_depend_on_torchs_seed_alone(same_weights: SameWeights, tiny_net: NetShape) -> None:
    mini = replace(load_recipe("mini"), net=tiny_net)
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
def test_frame_logits_are_the_whole_detector_at_the_start(samples: int, tensor: ToTensor) -> None:
    import torch

    _, detector = pair_of(load_recipe("mini"), matched=True)
    frames, presence, frame_bits, bits = frames_and_samples(detector, tensor(music_like(2, samples, RATE)))
    torch.testing.assert_close(frames, presence, rtol=0, atol=1e-5)
    torch.testing.assert_close(frame_bits, bits, rtol=0, atol=1e-5)
    _, unmatched = pair_of(load_recipe("mini"), matched=False)
    frames, presence, _, _ = frames_and_samples(unmatched, tensor(music_like(2, samples, RATE)))
    assert (frames - presence).abs().max() > 1e-4, "any detector would have passed"
