"""What tests of several packages share: pytest's own test bed, and a small finished dataset."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from sealproof.attacks.testing import music_like
from sealproof.harness.corpora.base import Clip, CorpusReport
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.audio.files import to_pcm

pytest_plugins = ["pytester"]

# A busy machine is slow, not wrong: no example fails for the time it took.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")

N_GROUPS, CLIPS_PER_GROUP = 12, 4


class BenchCorpus:
    """Twelve made-up recordings of four clips each."""

    name = "bench"

    def description(self) -> dict[str, object]:
        return {"kind": "bench"}

    def sources(self) -> dict[str, Path]:
        return {}

    def clips(self, n_clips: int, *, clip_s: float, seed: int, report: CorpusReport) -> Iterator[Clip]:
        n_samples = round(16_000 * clip_s)
        for index, audio in enumerate(music_like(n_clips, n_samples, 16_000, seed=seed)):
            group, window = divmod(index, CLIPS_PER_GROUP)
            piece = f"piece{group:02d}"
            report.taken += 1
            yield Clip(f"{piece}-{window}", piece, piece, float(window), to_pcm(audio))


@pytest.fixture(scope="session")
def tracked() -> Callable[..., list[str]]:
    """tracked(*patterns): the files that git tracks and that are there. Skips where there is no git."""
    root = Path(__file__).parents[1]
    if not (root / ".git").exists():
        pytest.skip("Only in a checkout does git say which files there are.")

    def listed(*patterns: str) -> list[str]:
        command = ["git", "ls-files", "-z", *patterns]
        names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
        return [name for name in names if name and (root / name).exists()]

    return listed


@pytest.fixture(scope="session")
def bench_corpus() -> BenchCorpus:
    """Clean clips, four a group; as many groups as it takes."""
    return BenchCorpus()


@pytest.fixture(scope="session")
def bench_dataset(tmp_path_factory: pytest.TempPathFactory, bench_corpus: BenchCorpus) -> Dataset:
    """48 pairs of one second, marked by spread_spectrum, in 12 groups. Do not write into it: see `bench_copy`."""
    request = BuildRequest(scheme="spread_spectrum", n_clips=N_GROUPS * CLIPS_PER_GROUP)
    return build_dataset(bench_corpus, request, tmp_path_factory.mktemp("bench") / "bench")[0]


@pytest.fixture(scope="session")
def mini_dataset(tmp_path_factory: pytest.TempPathFactory, bench_corpus: BenchCorpus) -> Dataset:
    """The same clips, marked by audioseal_mini: what the matrix as tests runs on by default."""
    request = BuildRequest(scheme="audioseal_mini", n_clips=N_GROUPS * CLIPS_PER_GROUP)
    return build_dataset(bench_corpus, request, tmp_path_factory.mktemp("mini") / "bench")[0]


@pytest.fixture
def bench_copy(bench_dataset: Dataset, tmp_path: Path) -> Callable[[str], Dataset]:
    """bench_copy(name): a dataset of one's own to train on and run with."""

    def copy(name: str = "bench") -> Dataset:
        return Dataset.open(shutil.copytree(bench_dataset.root, tmp_path / name))

    return copy


@pytest.fixture
def broken_package(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """broken_package(*names): an environment for a child process in which these packages raise OSError when imported.

    It is what a package does whose library does not fit its neighbours': the metadata says that it is there.
    """

    def environment(*names: str) -> dict[str, str]:
        first = tmp_path / f"broken-{'-'.join(names)}"
        for name in names:
            folder = first / name
            folder.mkdir(parents=True)
            (folder / "__init__.py").write_text(f"raise OSError('lib{name}.so: undefined symbol: nothing')\n")
        found = [str(first), *filter(None, [os.environ.get("PYTHONPATH")])]
        return {**os.environ, "PYTHONPATH": os.pathsep.join(found)}

    return environment
