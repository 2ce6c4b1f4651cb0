"""Losses that keep a mark from being one tone or one waveform."""

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from sealproof.harness.training.schemes.losses.spread import common_loss, spread_losses

pytestmark = pytest.mark.usefixtures("one_torch_thread")

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")


def noise(n: int) -> "torch.Tensor":
    return torch.from_numpy(np.random.default_rng(0).standard_normal((n, 1, 8000)).astype(np.float32))


def tones(hz: list[float]) -> "torch.Tensor":
    time = torch.arange(8000) / 16_000
    return torch.sin(2 * math.pi * torch.tensor(hz)[:, None] * time)[:, None]


def test_a_tone_costs_the_logarithm_of_the_bins_it_leaves_empty() -> None:
    losses = spread_losses(tones([1000.0, 1000.0]), 120, 500)
    assert losses.clip.item() == pytest.approx(math.log(120), abs=0.01)
    assert losses.batch.item() == pytest.approx(math.log(500), abs=0.01)


def test_tones_that_differ_from_clip_to_clip_cost_less_over_the_batch() -> None:
    losses = spread_losses(tones([1000.0, 1500.0, 2000.0, 2500.0]), 120, 500)
    assert losses.clip.item() == pytest.approx(math.log(120), abs=0.01)
    assert losses.batch.item() == pytest.approx(math.log(500 / 4), abs=0.01)


def test_noise_is_spread_enough() -> None:
    losses = spread_losses(noise(4), 120, 500)
    assert losses.clip == losses.batch == 0
    assert losses.low < 0.06, "30 of 8,000 Hz"
    assert losses.common < 0.01


def test_what_lies_below_hearing_costs() -> None:
    assert spread_losses(tones([10.0, 10.0]), 1, 1).low.item() == pytest.approx(0.99, abs=0.01)
    assert spread_losses(noise(2) + 1, 1, 1).low > 0.5
    assert spread_losses(tones([100.0, 100.0]), 1, 1).low == 0


def test_the_same_waveform_is_common_whatever_its_envelope_and_sign() -> None:
    same = noise(1).expand(2, 1, 8000)
    envelope = torch.linspace(0.1, 1, 25).repeat_interleave(320) * torch.tensor([1.0, -3.0])[:, None, None]
    assert common_loss(same).item() == pytest.approx(0.905, abs=0.01)
    assert common_loss(same * envelope).item() == pytest.approx(0.905, abs=0.01)
    assert common_loss(noise(2)) < 0.01


def test_silence_costs_nothing_that_is_not_a_number() -> None:
    silent = torch.zeros(2, 1, 8000, requires_grad=True)
    losses = spread_losses(silent, 120, 500)
    (losses.low + losses.common).backward()
    assert torch.isfinite(silent.grad).all()
