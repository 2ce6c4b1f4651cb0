"""The start whose bits are lines: read at any cut, in either polarity, from the first step."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.detectors.audioseal.nets import build_net, uncompiled
from sealproof.harness.training.schemes.hearing import frame_logits
from sealproof.harness.training.schemes.recipe import load_recipe
from sealproof.harness.training.schemes.starts.lines import edges_hz, initialise_lines
from sealproof.harness.training.schemes.starts.matched import band_levels, n_bands

pytestmark = pytest.mark.usefixtures("one_torch_thread")

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def nets() -> tuple[Any, Any]:
    recipe = load_recipe("lines")
    torch.manual_seed(0)
    generator, detector = (build_net(kind, recipe.net_config(kind)) for kind in ("generator", "detector"))
    initialise_lines(generator, detector)
    return generator, detector


@pytest.fixture(scope="module")
def messages() -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, 2, (16, 16))


@pytest.fixture(scope="module")
def mark(nets: tuple[Any, Any], messages: NDArray[np.int64]) -> "torch.Tensor":
    """Marks of full level in white noise, with the levels the encoder is to hear put in its place."""
    generator, _ = nets
    host = torch.from_numpy(np.random.default_rng(1).standard_normal((16, 1, 8320)).astype(np.float32))
    bands = n_bands(generator)
    levels = band_levels(host, bands, 320, edges_hz(bands))
    heard = torch.zeros(16, 64, levels.shape[-1])
    heard[:, :bands] = levels
    with torch.no_grad(), uncompiled():
        audio = generator.decoder(generator.msg_processor(heard, torch.from_numpy(messages)))
    return audio / audio.square().mean((1, 2), keepdim=True).sqrt()


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("late", [0, 7, 100, 237])
def test_bits_are_read_at_any_cut_and_in_either_polarity(
    late: int, sign: int, nets: tuple[Any, Any], mark: "torch.Tensor", messages: NDArray[np.int64]
) -> None:
    with torch.no_grad(), uncompiled():
        logits = frame_logits(nets[1], sign * mark[..., late : late + 8000])
    right = (logits[:, 2:].mean(-1) > 0).numpy() == messages
    assert right.mean() > 0.85, "not a step of training yet"


def test_lines_lie_where_they_say_and_differ_with_the_message(mark: "torch.Tensor") -> None:
    power = torch.fft.rfft(mark[:, 0, :8000]).abs().square()
    hz = torch.fft.rfftfreq(8000, 1 / 16_000)
    low, high = edges_hz(8)
    inside = (hz > low - 50) & (hz < high + 50)
    assert (power[:, inside].sum() / power.sum()) > 0.97
    strongest = {tuple(sorted(row.topk(8).indices.tolist())) for row in power}
    assert len(strongest) > 8
