"""Signals, a small corpus and its dataset that the tests of the harness share."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from sealproof.harness.corpora.folder import FolderCorpus
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.datasets.dataset import Dataset

Floats = NDArray[np.float32]


@pytest.fixture(scope="session", autouse=True)
def small_matrices_in_one_thread() -> Iterator[None]:
    """On a busy machine BLAS threads wait for each other far longer than they compute (measured: 10 times)."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(scope="session")
def audio_noise() -> Callable[..., Floats]:
    """audio_noise(samples, seed): noise whose every stretch is unlike every other."""

    def make(samples: int, seed: int = 0) -> Floats:
        return (0.1 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def audio_tone() -> Callable[..., Floats]:
    """audio_tone(frequency, rate, duration_s): a sine of amplitude 0.5 that starts at phase 0."""

    def make(frequency: float, rate: int, duration_s: float) -> Floats:
        return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(duration_s * rate)) / rate)).astype(np.float32)

    return make


@pytest.fixture(scope="session")
def small_corpus(tmp_path_factory: pytest.TempPathFactory, audio_noise: Callable[..., Floats]) -> Path:
    """Eight groups of one WAV each, 16 kHz mono, 3.4 s; never changed by a test."""
    root = tmp_path_factory.mktemp("small") / "corpus"
    for group in range(8):
        folder = root / f"artist{group}"
        folder.mkdir(parents=True)
        soundfile.write(folder / "song.wav", audio_noise(54_400, group), 16_000)
    return root


@pytest.fixture
def small_build(small_corpus: Path, tmp_path: Path) -> Callable[..., Dataset]:
    """small_build(name, n_clips, seed, corpus): a spread_spectrum dataset below the test's own folder."""

    def build(name: str = "data", n_clips: int = 24, seed: int = 0, corpus: Path = small_corpus) -> Dataset:
        request = BuildRequest(scheme="spread_spectrum", n_clips=n_clips, seed=seed)
        dataset, _ = build_dataset(FolderCorpus(root=corpus), request, tmp_path / name)
        return dataset

    return build


@pytest.fixture(scope="session")
def small_original(small_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A dataset of 24 pairs in 8 groups; never changed by a test."""
    request = BuildRequest(scheme="spread_spectrum", n_clips=24)
    return build_dataset(FolderCorpus(root=small_corpus), request, tmp_path_factory.mktemp("built") / "data")[0]


@pytest.fixture
def small_dataset(small_original: Dataset, tmp_path: Path) -> Dataset:
    """A copy of the small dataset, at tmp_path/data, that a test may damage."""
    shutil.copytree(small_original.root, tmp_path / "data")
    return Dataset.open(tmp_path / "data")


@pytest.fixture(scope="module")
def one_torch_thread() -> Iterator[None]:
    """On a busy machine torch's threads wait for each other far longer than they compute."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
