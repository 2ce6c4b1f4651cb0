"""What is kept of a training, and how it is used."""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sealproof.attacks.testing import music_like
from sealproof.detectors import get_scheme
from sealproof.detectors.audioseal.net_file import read_net
from sealproof.detectors.audioseal.nets import load_net
from sealproof.detectors.audioseal.store import KINDS, CustomWeights
from sealproof.harness.cli import weights
from sealproof.harness.cli.main import main
from sealproof.harness.corpora.base import Clip, Corpus, CorpusReport
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.training.schemes import evaluate
from sealproof.harness.training.schemes.card import NOT_METAS
from sealproof.harness.training.schemes.foreign_sounds import FOREIGN_SOUNDS
from sealproof.harness.training.schemes.recipe import Recipe, load_recipe
from sealproof.harness.training.schemes.train import TrainingRequest, train_scheme
from sealproof.harness.training.schemes.trainer import Trainer

pytestmark = pytest.mark.usefixtures("one_torch_thread")

RATE = 16_000


class FewClips:
    """The first clips of a corpus, whatever is asked for."""

    def __init__(self, corpus: Corpus, n_clips: int) -> None:
        self.name, self._corpus, self._n_clips = "few", corpus, n_clips

    def description(self) -> dict[str, object]:
        return {"kind": "few", "name": self.name}

    def sources(self) -> dict[str, Path]:
        return {}

    def clips(self, n_clips: int, *, clip_s: float, seed: int, report: CorpusReport) -> Iterator[Clip]:
        return self._corpus.clips(min(n_clips, self._n_clips), clip_s=clip_s, seed=seed, report=report)


ATTACKS = ("identity", "gain.6db")


@pytest.fixture(scope="module")
def small_card() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "CARD_ATTACKS", ATTACKS)
        patch.setattr(evaluate, "N_FOREIGN", 4)
        yield


@pytest.fixture(scope="module")
def request_of_two_steps(tiny: Recipe, bench_corpus: Corpus) -> TrainingRequest:
    return TrainingRequest(replace(tiny, steps=2), {"few": FewClips(bench_corpus, 24)})


@pytest.fixture(scope="module")
def trained(small_card: None, request_of_two_steps: TrainingRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trained scheme."""
    folder = tmp_path_factory.mktemp("trained") / "scheme"
    assert train_scheme(request_of_two_steps, folder) == folder / "README.md"
    return folder


def hashes_in(folder: Path) -> dict[str, str]:
    return {kind: hashlib.sha256((folder / f"{kind}.safetensors").read_bytes()).hexdigest() for kind in KINDS}


def test_a_training_leaves_weights_recipe_curve_metrics_and_card(
    trained: Path, request_of_two_steps: TrainingRequest
) -> None:
    wanted = {
        "README.md",
        "card.json",
        "recipe.toml",
        "metrics.csv",
        "training.csv",
        "training.png",
        "generator.safetensors",
        "detector.safetensors",
    }
    assert wanted <= {path.name for path in trained.iterdir()}
    assert (trained / "training.png").read_bytes().startswith(b"\x89PNG")
    assert load_recipe(str(trained / "recipe.toml")) == request_of_two_steps.recipe


def test_the_card_says_what_the_scheme_is_and_is_not(trained: Path) -> None:
    text = (trained / "README.md").read_text()
    assert "It is *not* Meta's model" in NOT_METAS
    assert NOT_METAS in text
    card = json.loads((trained / "card.json").read_text())
    assert card["sha256"] == hashes_in(trained)
    assert card["name"] == "audioseal_mini"
    assert (card["steps"], card["seed"]) == (4, 0)
    (corpus,) = card["corpora"]
    assert (corpus["name"], corpus["clips"]) == ("few", 24)
    assert f"{corpus['train_clips']} training clips of `few`" in text
    for kind in KINDS:
        net = load_net(read_net(trained / f"{kind}.safetensors", card["sha256"][kind], kind))
        assert card["parameters"][kind] == sum(parameter.numel() for parameter in net.parameters())
        assert f"{card['parameters'][kind]:,}" in text
    for attack in ATTACKS:
        assert f"\n| {attack} | " in text
    for sound in FOREIGN_SOUNDS:
        assert f"{sound} " in text


def test_the_metrics_are_a_table(trained: Path) -> None:
    with (trained / "metrics.csv").open() as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    assert reader.fieldnames == ["corpus", "attack", "metric", "value", "ci_low", "ci_high", "n_clips", "n_groups"]
    found = {(row["corpus"], row["attack"], row["metric"]): row for row in rows}
    assert len(found) == len(rows)
    per_attack = {"auc", "tpr_fixed", "fpr_fixed", "tpr_calibrated", "fpr_calibrated", "bit_accuracy"}
    for attack in ATTACKS:
        metrics = {metric for corpus, name, metric in found if (corpus, name) == ("few", attack)}
        assert metrics - {"watermark_snr_db"} == per_attack
    for sound in FOREIGN_SOUNDS:
        assert found[sound, "identity", "fpr_fixed"]["n_clips"] == "4"
    assert float(found["few", "identity", "watermark_snr_db"]["value"]) > 0


def test_a_trained_scheme_is_taken_and_used(trained: Path, tmp_path: Path) -> None:
    CustomWeights(tmp_path).take([trained / f"{kind}.safetensors" for kind in KINDS])
    scheme = get_scheme("audioseal_custom", weights_dir=tmp_path)
    assert scheme.unavailable() is None
    assert scheme.weights_sha256 == "+".join(hashes_in(trained)[kind] for kind in KINDS)
    host = music_like(2, RATE, RATE)
    messages = np.random.default_rng(0).integers(0, 2, (2, 16), dtype=np.uint8)
    marked = scheme.watermarker.embed(host, messages)
    assert marked.shape == host.shape
    assert not np.array_equal(marked, host)
    found = scheme.detector.detect(marked)
    assert found.bits is not None
    assert found.bits.shape == (2, 16)
    assert (found.bits == messages).mean() > 0.6


def test_the_folder_of_a_training_is_imported_as_the_command_advises(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALPROOF_AUDIOSEAL_WEIGHTS", str(tmp_path))
    assert len(list(weights.import_own([trained]))) == 3


@pytest.mark.usefixtures("small_card")
def test_a_finished_pair_is_measured_again_but_not_trained_on(
    trained: Path, request_of_two_steps: TrainingRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Trainer) -> dict[str, float]:
        raise AssertionError("it trained on")

    before = hashes_in(trained)
    monkeypatch.setattr(Trainer, "_update", refuse)
    train_scheme(request_of_two_steps, trained)
    assert hashes_in(trained) == before


def test_a_folder_in_which_another_process_trains_is_refused(
    request_of_two_steps: TrainingRequest, tmp_path: Path
) -> None:
    from filelock import FileLock

    with FileLock(tmp_path / ".lock"), pytest.raises(HarnessError, match="is being trained in by another process"):
        train_scheme(request_of_two_steps, tmp_path)


def test_a_training_without_any_clips_is_refused(tiny: Recipe, tmp_path: Path) -> None:
    with pytest.raises(HarnessError):
        train_scheme(TrainingRequest(tiny, {}), tmp_path)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        (["--steps", "0"], "steps must be at least 1. Got 0."),
        (["--seed", "-1"], "seed must be 0 or more. Got -1."),
        (["--threads", "0"], "--threads must be at least 1. Got 0."),
        (["--recipe", "maxi"], "--recipe must be one of mini, lines, full or a TOML file. Got maxi: "),
        (["--corpus", "nowhere"], "nowhere"),
    ],
)
def test_the_command_refuses_in_one_line(
    options: list[str], rule: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["train-scheme", "--out", str(tmp_path / "scheme"), *options]) == 2
    captured = capfd.readouterr().err
    assert captured.startswith("sealproof: ")
    assert captured.count("\n") == 1
    assert rule in captured
    assert not (tmp_path / "scheme").exists()
