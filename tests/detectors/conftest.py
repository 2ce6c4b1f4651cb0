from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray


def _music(n: int, samples: int = 16_000, seed: int = 0) -> NDArray[np.float32]:
    """Chords of decaying harmonics with vibrato over a noise floor that falls with frequency."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / 16_000
    clips = np.empty((n, samples), np.float32)
    for clip in clips:
        tones = np.zeros(samples)
        for _ in range(4):
            pitch, onset = rng.uniform(80, 800), rng.uniform(0, 0.3)
            phase = 2 * np.pi * pitch * time + 0.2 * np.sin(2 * np.pi * 5 * time)
            envelope = np.exp(-3 * np.clip(time - onset, 0, None)) * (time >= onset)
            tones += envelope * sum(np.sin(k * phase) / k**1.5 for k in range(1, 9))
        noise = np.cumsum(rng.standard_normal(samples))
        noise -= np.convolve(noise, np.ones(64) / 64, mode="same")
        mixed = tones + 0.05 * noise + 0.02 * rng.standard_normal(samples)
        clip[:] = 0.5 * mixed / np.abs(mixed).max()
    return clips


@pytest.fixture(scope="session")
def music() -> Callable[..., NDArray[np.float32]]:
    """music(n, samples, seed): synthetic clips with tones, onsets and a noise floor."""
    return _music


@pytest.fixture(scope="session", autouse=True)
def _one_torch_thread() -> None:
    """On a busy machine torch's threads wait for each other far longer than they compute (measured: 40 times)."""
    import torch

    torch.set_num_threads(1)
