"""How a mark sits below its host: what costs, and what costs more."""

import math
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from sealproof.harness.training.schemes.losses import masking
from sealproof.harness.training.schemes.losses.masking import excess_db, masking_losses

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.usefixtures("one_torch_thread")

RATE = 16_000


def shape_loss(host: "torch.Tensor", watermark: "torch.Tensor", below_db: float) -> "torch.Tensor":
    return masking_losses(host, watermark, below_db, 10)[0]


def test_the_shape_of_its_host_costs_nothing(music: "torch.Tensor") -> None:
    assert shape_loss(music, music * 10 ** (-25 / 20), 25).item() == pytest.approx(0, abs=1e-3)
    losses = [float(shape_loss(music, music * 10 ** (-below / 20), 25)) for below in (25, 20, 15, 5, -15)]
    assert all(one < other for one, other in pairwise(losses))


def test_too_loud_costs_more_than_too_quiet(music: "torch.Tensor") -> None:
    loud, quiet = (shape_loss(music, music * 10 ** (-below / 20), 25).item() for below in (15, 35))
    assert quiet == pytest.approx(masking.TOO_QUIET * loud, rel=0.2)
    assert loud == pytest.approx(0.5, rel=0.1)


def test_far_away_costs_in_proportion(music: "torch.Tensor") -> None:
    losses = [float(shape_loss(music, music * 10 ** (-below / 20), 25)) for below in (-5, -15, -25)]
    assert losses[2] - losses[1] == pytest.approx(losses[1] - losses[0], rel=0.05)


def test_lines_cost_more_than_the_shape_of_the_host_at_the_same_level(music: "torch.Tensor") -> None:
    import torch

    shaped = music * 10 ** (-25 / 20)
    line = torch.sin(2 * math.pi * 2000 * torch.arange(music.shape[-1]) / RATE).expand_as(music)
    line = line * (shaped.square().mean() / line.square().mean()).sqrt()
    assert shape_loss(music, line, 25) > 0.5 > 0.1 > shape_loss(music, shaped, 25)


def test_the_shape_has_a_gradient_in_silence() -> None:
    import torch

    watermark = torch.zeros(2, 1, 3200, requires_grad=True)
    shape_loss(torch.zeros(2, 1, 3200), watermark, 100).backward()
    assert watermark.grad is not None
    assert torch.isfinite(watermark.grad).all()


@pytest.mark.parametrize("window", [256, 1024])
def test_excess_has_a_cell_for_each_band_and_frame_and_the_sign_of_the_louder(
    window: int, music: "torch.Tensor"
) -> None:
    below, above = excess_db(music, 0.01 * music, window), excess_db(music, 100 * music, window)
    assert below.shape == (3, window // 2 + 1, 4800 // (window // 4) + 1)
    assert (below < 0).float().mean() > 0.99
    assert (above > 0).float().mean() > 0.99
    assert float((above - below).median()) == pytest.approx(80, abs=1)


def test_only_what_is_less_than_the_margin_below_its_host_stands_out(music: "torch.Tensor") -> None:
    hidden, near, above = (
        float(masking_losses(music, music * 10 ** (-below / 20), 25, 10)[1]) for below in (12, 8, -5)
    )
    assert hidden < 1e-3 < near < above
    assert above == pytest.approx(1.5**2, rel=0.05)
