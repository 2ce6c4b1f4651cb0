"""Signals and one short call that the tests of the attacks share."""

from collections.abc import Callable

import numpy as np
import pytest

from sealproof.attacks import Attack, Audio
from sealproof.attacks.testing import music_like

RATE = 16_000


@pytest.fixture(scope="session")
def music() -> Audio:
    """Two clips of one second."""
    return music_like(2, RATE, RATE, seed=7)


@pytest.fixture(scope="session")
def chirp() -> Audio:
    """One second from 200 to 3000 Hz at constant amplitude: its correlation has a single sharp peak."""
    time = np.arange(RATE) / RATE
    return (0.3 * np.sin(2 * np.pi * (200 * time + 1400 * time**2))).astype(np.float32)[None]


@pytest.fixture(scope="session")
def run() -> Callable[..., Audio]:
    """Attacks a batch with seeds 0, 1, ..."""

    def call(attack: Attack, batch: Audio, sample_rate: int = RATE) -> Audio:
        return attack(batch, sample_rate, range(len(batch)))

    return call


@pytest.fixture(scope="session")
def tone() -> Callable[..., Audio]:
    """One clip with a sine of the given frequency and amplitude."""

    def make(frequency: float, amplitude: float = 0.5, samples: int = RATE) -> Audio:
        return (amplitude * np.sin(2 * np.pi * frequency * np.arange(samples) / RATE)).astype(np.float32)[None]

    return make


@pytest.fixture(scope="session")
def peak_hz() -> Callable[[Audio], float]:
    """Frequency of the strongest partial of a clip, in Hz, to a fraction of a bin."""

    def find(clip: Audio) -> float:
        magnitude = np.log(np.abs(np.fft.rfft(clip * np.hanning(clip.size))) + 1e-12)
        top = int(magnitude.argmax())
        left, centre, right = magnitude[top - 1 : top + 2]
        return (top + 0.5 * (left - right) / (left - 2 * centre + right)) * RATE / clip.size

    return find
