"""A recipe of milliseconds, and music to try it on."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks.testing import music_like
from sealproof.harness.foundation.audio.files import to_pcm
from sealproof.harness.training.schemes.recipe import NetShape, Recipe, load_recipe

if TYPE_CHECKING:
    import torch

RATE = 16_000
TINY_NET = NetShape(n_filters=2, dimension=20, ratios=(8, 5, 4, 2), generator_lstm=0, detector_lstm=1, message_bits=16)


@pytest.fixture(scope="session")
def tiny_net() -> NetShape:
    """A network that takes milliseconds."""
    return TINY_NET


@pytest.fixture(scope="session")
def tensor() -> "Callable[[NDArray[Any]], torch.Tensor]":
    """tensor(audio): clips (n, samples) as a batch (n, 1, samples)."""
    import torch

    return lambda audio: torch.from_numpy(np.ascontiguousarray(audio, np.float32)[:, None])


@pytest.fixture(scope="session")
def same_weights() -> Callable[[Any, Any], bool]:
    """same_weights(one, other): whether two networks have the same weights, bit for bit."""
    import torch

    def same(one: Any, other: Any) -> bool:
        first, second = one.state_dict(), other.state_dict()
        return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)

    return same


@pytest.fixture(scope="module")
def music() -> "torch.Tensor":
    import torch

    return torch.from_numpy(music_like(3, 4800, RATE)[:, None].copy())


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
        start="matched",
        net=TINY_NET,
        steps=6,
        batch=4,
        messages=2,
        clean=replace(mini.clean, per_batch=4, start=0, full_at=1, remembered=3),
        aimed_notches=0.5,
        time_scale=replace(mini.time_scale, start=0, full_at=1, message_weight=0.5),
        window_s=0.1,
        demo_clips=0,
        tune_in_steps=3,
        listening=replace(mini.listening, steps=2),
        perturb_from=1,
        shift=replace(mini.shift, start=0, full_at=1, message_weight=0.5),
        perturbations={**mini.perturbations, "polarity": 0.0, "speed": 0.0},
    )
