"""A project with a gate: a dataset of spread_spectrum, a mimic that follows the detector, and faults to seed."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest
from threadpoolctl import threadpool_limits

from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.harness.corpora.base import Corpus
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.datasets.dataset import Dataset

COMPILED = (
    "av",
    "filelock",
    "lameenc",
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "numpy.fft",
    "pandas",
    "scipy.special",
    "soxr",
    "tensorflow",
    "sealproof.attacks.codec.music",
    "sealproof.attacks.noise.additive",
    "sealproof.attacks.timing.resampling",
    "sealproof.detectors.mimics.keras_runtime",
    "sealproof.harness.pytest_plugin.gate_text",
    "sealproof.harness.pytest_plugin.cell",
    "sealproof.harness.training.demo_dataset",
    "sealproof.harness.matrix.assembly",
    "sealproof.harness.tables.write",
)
"""What the inner runs need of compiled modules, and what `FAULTS` replaces parts of."""


@pytest.fixture(scope="module", autouse=True)
def _compiled_modules() -> None:
    """Import them first: pytester forgets what an inner run imported, and numpy cannot be imported twice."""
    import_keras()  # quietly, before anything imports tensorflow itself
    for name in COMPILED:
        import_module(name)


@pytest.fixture(scope="session", autouse=True)
def _small_matrices_in_one_thread() -> Iterator[None]:
    """On a busy machine BLAS threads wait for each other far longer than they compute; inner processes too."""
    with threadpool_limits(1, user_api="blas"), pytest.MonkeyPatch.context() as patches:
        patches.setenv("OPENBLAS_NUM_THREADS", "1")
        yield


SUITE = """
import pytest

@pytest.mark.robustness
def test_cell(robustness_cell):
    robustness_cell.check()
"""

FAULTS = '''
"""Puts a mimic beside the detector, and the faults of fault.json into both."""
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sealproof.detectors import Detection
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.matrix import assembly
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.training import demo_dataset

FAULT = json.loads((Path(__file__).parent / "fault.json").read_text())


class Faulty:
    """A detector whose decision is turned round for a share of the clips, or of the clean ones only."""

    def __init__(self, inner, name, wrong, alarms):
        self._inner, self.name, self._wrong, self._alarms = inner, name, wrong, alarms

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def detect(self, batch):
        found = self._inner.detect(batch)
        if len(batch) != 160:
            return found  # the calibration cell: the threshold for 1 % false positives stays as it is
        # The first half are clean clips, the second their twins. Golden multiples are spread evenly.
        spread = np.argsort(np.arange(160) * 0.6180339887 % 1)
        wrong = np.zeros(160, bool)
        wrong[spread[: round(160 * self._wrong)]] = True
        wrong[spread[spread < 80][: round(80 * self._alarms)]] = True
        turned = np.where(wrong, 2 * self.threshold - found.score, found.score)
        return Detection(turned.astype(np.float32), found.frames, found.bits)


def subjects_of(scheme, mimics, _real=assembly.subjects_of):
    reference = _real(scheme, mimics)[0]

    def load(name, wrong, alarms=0.0):
        return lambda: Faulty(reference.load(), name, wrong, alarms)

    wrong, alarms, flipped = FAULT.get("wrong", 0), FAULT.get("alarms", 0), FAULT.get("flipped", 0)
    found = [Subject(scheme.name, "reference", f"{wrong}-{alarms}", load(scheme.name, wrong, alarms))]
    if not FAULT.get("without_mimic"):
        found.append(Subject("follower", "mimic", f"{flipped}", load("follower", flipped)))
    return found


def take_the_set(root):
    if not root.exists() or not any(root.iterdir()):
        shutil.copytree(Path(__file__).parent / "set", root, dirs_exist_ok=True)
    return Dataset.open(root)


def pytest_configure(config):
    config._patches = patches = pytest.MonkeyPatch()
    patches.setattr(assembly, "subjects_of", subjects_of)
    # Composing and training would take minutes.
    patches.setattr(demo_dataset, "demo_dataset", lambda request, root, with_baseline: take_the_set(root))
    if FAULT.get("codec"):
        from sealproof.attacks.codec.music import MP3
        # The worst kind: it says what bitrate it had, and hands the clip back.
        patches.setattr(MP3, "apply", lambda self, clip, rate, rng: (clip, {"bitrate_kbps": self.bitrate_kbps}))


def pytest_unconfigure(config):
    config._patches.undo()
'''

CELLS = ["identity", "white_noise.20db", "mp3.64kbps"]
ATTACKS = "[attacks]\nwhite_noise = { snr_db = [20] }\nmp3 = { bitrate_kbps = [64] }\n"
INI = """[pytest]
addopts = --strict-markers -p no:randomly
filterwarnings = error
robustness_dataset = set
robustness_attacks = three.toml
robustness_gate_mimics = true
"""


def _copy(source: str, target: str) -> str:
    """Audio and scores are never written in place, so that a link will do."""
    return os.link(source, target) or target if source.endswith((".wav", ".npz")) else shutil.copy(source, target)


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory, bench_corpus: Corpus) -> Path:
    """A project with one robustness test of three cells, run once without faults. Do not change it: see `project`.

    Its dataset has 80 test pairs in 20 groups, as the demo has, marked by spread_spectrum.
    """
    root = tmp_path_factory.mktemp("gate")
    build_dataset(bench_corpus, BuildRequest(scheme="spread_spectrum", n_clips=400), root / "set")
    files = {"test_robust.py": SUITE, "conftest.py": FAULTS, "tox.ini": INI, "three.toml": ATTACKS, "fault.json": "{}"}
    for name, text in files.items():
        (root / name).write_text(text)
    for split in ("train", "validation"):
        for pair in Dataset.open(root / "set").split(split):
            # Never read; each test copies the rest.
            (root / "set" / pair.clean.path).unlink()
            (root / "set" / pair.watermarked.path).unlink()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--robustness-update-baseline"]
    subprocess.run(command, cwd=root, check=True)
    return root


@pytest.fixture
def project(pytester: pytest.Pytester, finished_project: Path) -> pytest.Pytester:
    """A copy of the finished project, with all its cells, but without tables and baseline."""
    ignore = shutil.ignore_patterns("results", "__pycache__")
    shutil.copytree(finished_project, pytester.path, dirs_exist_ok=True, copy_function=_copy, ignore=ignore)
    return pytester


@pytest.fixture
def seed_fault(project: pytest.Pytester) -> Callable[..., None]:
    """seed_fault(wrong=0.05): from now on the detector errs on 5 % of the clips."""

    def seed(**fault: float) -> None:
        (project.path / "fault.json").write_text(json.dumps(fault))

    return seed


@pytest.fixture
def baseline(project: pytest.Pytester, finished_project: Path) -> Path:
    """The project's baseline, made by a run without faults."""
    path = project.path / "results/baseline.csv"
    path.parent.mkdir()
    shutil.copy(finished_project / "results/baseline.csv", path)
    return path
