import json
import os
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from sealproof.detectors import Audio, Detector, DetectorError, Scheme, Watermarker, get_scheme
from sealproof.detectors.base import Bits
from sealproof.detectors.mimics import get_mimic_recipe
from sealproof.detectors.mimics.fine_spectrogram_cnn import DistilledCnn
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.model_file import model_sha256
from sealproof.detectors.mimics.spectrogram_cnn import SpectrogramCnn
from sealproof.harness.cli import main as cli
from sealproof.harness.corpora.base import Corpus
from sealproof.harness.corpora.demo.corpus import DemoCorpus
from sealproof.harness.datasets import build
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.datasets.split import shared_groups
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.matrix.assembly import open_bench
from sealproof.harness.matrix.request import RunRequest
from sealproof.harness.statistics.detection import accuracy, estimate_accuracy
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.thresholds import threshold_at_fpr
from sealproof.harness.training.mimics import fit_frames
from sealproof.harness.training.mimics import train as training
from sealproof.harness.training.mimics.fit_clips import fit_clips
from sealproof.harness.training.mimics.forecast import Forecast, forecast
from sealproof.harness.training.mimics.train import TrainRequest, train_mimic
from sealproof.harness.training.mimics.trained import TrainedMimic, trained_mimics

Copy = Callable[[str], Dataset]
ONE_EPOCH = TrainRequest(mimic="seed_cnn", epochs=1)


def scores(mimic: TrainedMimic, dataset: Dataset, split: str, label: str) -> Audio:
    audio = dataset.audio([getattr(pair, label) for pair in dataset.split(split)])
    score: Audio = mimic.detector().detect(audio).score
    return score


@pytest.fixture(scope="module")
def trained(
    bench_dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Dataset, TrainedMimic, TrainedMimic]:
    """A dataset with an honest and a leaky mimic of one epoch."""
    root = tmp_path_factory.mktemp("train") / "set"
    root.mkdir()
    for name in ("clean", "watermarked"):
        shutil.copytree(bench_dataset.root / name, root / name)
    for name in ("manifest.csv", "dataset.json", "build.json"):
        shutil.copy(bench_dataset.root / name, root / name)
    dataset = Dataset.open(root)
    honest, is_new = train_mimic(dataset, ONE_EPOCH)
    assert is_new
    leaky, is_new = train_mimic(dataset, replace(ONE_EPOCH, split="leaky"))
    assert is_new
    return dataset, honest, leaky


def test_model_history_and_card_are_under_the_dataset(trained: tuple[Dataset, TrainedMimic, TrainedMimic]) -> None:
    import pandas as pd

    dataset, honest, _ = trained
    folder = dataset.root / "mimics" / "seed_cnn"
    assert honest.folder == folder
    assert sorted(path.name for path in folder.iterdir()) == ["card.json", "history.csv", "model.keras"]
    assert json.loads((folder / "card.json").read_text()) == honest.card
    history = pd.read_csv(folder / "history.csv")
    assert sorted(history.columns) == ["accuracy", "epoch", "loss", "val_accuracy", "val_loss"]
    assert history["epoch"].tolist() == [1]
    assert np.isfinite(history.to_numpy()).all()


def test_the_card_says_what_the_mimic_is(trained: tuple[Dataset, TrainedMimic, TrainedMimic]) -> None:
    dataset, honest, _ = trained
    card = honest.card
    assert (card["mimic"], card["access"], card["split"], card["seed"]) == ("seed_cnn", "labels", "group", 0)
    assert (card["dataset_sha256"], card["scheme"], card["epochs_run"]) == (dataset.sha256, "spread_spectrum", 1)
    assert card["model_sha256"] == model_sha256(honest.folder / "model.keras")
    splits = ("train", "validation", "calibration", "test")
    assert card["files_per_split"] == {name: 2 * len(dataset.split(name)) for name in splits}
    assert sum(card["files_per_split"].values()) == 96
    assert card["packages"]["tensorflow"].startswith("2.")
    assert card["leak"] == {"groups_in_two_splits": 0, "parted_twins": 0}
    assert card["training_s"] > 0


def test_the_threshold_is_of_the_calibration_splits_clean_clips(
    trained: tuple[Dataset, TrainedMimic, TrainedMimic],
) -> None:
    dataset, honest, _ = trained
    clean = scores(honest, dataset, "calibration", "clean")
    assert honest.card["calibrated_threshold"] == pytest.approx(threshold_at_fpr(clean, 0.01))
    assert honest.card["calibration"] == {"target_fpr": 0.01, "n_clean_clips": len(clean)}
    assert honest.card["threshold"] == 0.5
    both = [scores(honest, dataset, "test", label) for label in ("clean", "watermarked")]
    truth = np.repeat([False, True], len(both[0]))
    assert honest.card["metrics"]["test"]["accuracy"] == pytest.approx(accuracy(np.concatenate(both), truth, 0.5))


def test_a_leaky_mimic_says_so_wherever_it_goes(
    trained: tuple[Dataset, TrainedMimic, TrainedMimic], capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, _, leaky = trained
    assert (leaky.name, leaky.is_leaky, leaky.card["split"]) == ("seed_cnn-leaky", True, "leaky")
    assert leaky.card["leak"]["parted_twins"] > 10
    assert leaky.card["leak"]["groups_in_two_splits"] > 5
    # 70 / 20 / 10 % of the 48 files of each label; validation stands in for the calibration split that is missing.
    assert leaky.card["files_per_split"] == {"train": 68, "validation": 20, "test": 8, "calibration": 20}
    assert cli.main(["train", str(dataset.root), "--mimic", "seed_cnn", "--epochs", "1", "--split", "leaky"]) == 0
    told = capsys.readouterr().out
    assert f"LEAKY: {leaky.card['leak']['parted_twins']} clips have their twin in another split" in told
    assert "already trained" in told
    assert [mimic.name for mimic in trained_mimics(dataset)] == ["seed_cnn", "seed_cnn-leaky"]
    assert [subject.name for subject in open_bench(dataset, RunRequest()).subjects] == ["spread_spectrum", "seed_cnn"]


def test_the_group_split_parts_neither_twins_nor_recordings(bench_dataset: Dataset) -> None:
    files = training.group_files(bench_dataset)
    rows = [row for part in files.values() for row in part]
    assert sorted(row.path for row in rows) == sorted(row.path for row in bench_dataset.rows)
    where = [split for split, part in files.items() for _ in part]
    assert shared_groups([row.group for row in rows], where) == {}
    assert shared_groups([row.clip_id for row in rows], where) == {}


def test_the_leaky_split_deals_out_single_files(bench_dataset: Dataset) -> None:
    files = training.leaky_files(bench_dataset, 0)
    parts = [{row.path for row in files[name]} for name in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set().union(*parts)) == 96
    assert files["calibration"] == files["validation"]
    assert {row.path for row in training.leaky_files(bench_dataset, 1)["test"]} != parts[2]


def test_what_is_trained_already_is_not_trained_again(
    trained: tuple[Dataset, TrainedMimic, TrainedMimic], monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset, honest, _ = trained

    def fit(*args: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "_fit", fit)
    before = (honest.folder / "model.keras").stat().st_mtime_ns
    again, is_new = train_mimic(dataset, ONE_EPOCH)
    assert (again, is_new) == (honest, False)
    assert (honest.folder / "model.keras").stat().st_mtime_ns == before


def test_the_same_seed_gives_the_same_scores(trained: tuple[Dataset, TrainedMimic, TrainedMimic]) -> None:
    dataset, honest, _ = trained
    first = scores(honest, dataset, "test", "watermarked")
    again, is_new = train_mimic(dataset, ONE_EPOCH, force=True)
    assert is_new
    second = scores(again, dataset, "test", "watermarked")
    assert np.allclose(first, second, atol=1e-5)
    other, _ = train_mimic(dataset, replace(ONE_EPOCH, seed=1))
    assert not np.allclose(first, scores(other, dataset, "test", "watermarked"), atol=1e-5)
    train_mimic(dataset, ONE_EPOCH)


@pytest.mark.parametrize("cause", ["model gone", "other epochs", "card damaged", "dataset changed"])
def test_another_request_trains_again(cause: str, bench_copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = bench_copy("again")
    fitted: list[TrainRequest] = []

    class Model:
        def save(self, path: Path) -> None:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("config.json", "{}")

    def fit(_data: object, _files: object, _recipe: object, request: TrainRequest) -> object:
        fitted.append(request)
        return Model(), {"loss": [0.5]}, 0

    monkeypatch.setattr(training, "_fit", fit)
    monkeypatch.setattr(training, "_evaluate", lambda *_: {})
    train_mimic(dataset, ONE_EPOCH)
    train_mimic(dataset, ONE_EPOCH)
    assert len(fitted) == 1
    request = ONE_EPOCH
    folder = dataset.root / "mimics" / "seed_cnn"
    if cause == "model gone":
        (folder / "model.keras").unlink()
    elif cause == "other epochs":
        request = replace(ONE_EPOCH, epochs=2)
    elif cause == "card damaged":
        (folder / "card.json").write_text('{"key": "')
    else:
        dataset.facts["manifest_sha256"] = "other"
    _, is_new = train_mimic(dataset, request)
    assert is_new
    assert fitted == [ONE_EPOCH, request]


def test_a_damaged_card_is_told_in_a_run(bench_copy: Copy) -> None:
    dataset = bench_copy("damaged")
    card = dataset.root / "mimics" / "seed_cnn" / "card.json"
    card.parent.mkdir(parents=True)
    card.write_text('{"split": ')
    with pytest.raises(HarnessError, match=r"card\.json is damaged.*sealproof train"):
        trained_mimics(dataset)


def test_a_training_that_was_killed_leaves_no_mimic(bench_copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = bench_copy("killed")

    class Model:
        def save(self, path: Path) -> None:
            path.write_bytes(b"half a model")
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "_fit", lambda *_: (Model(), {"loss": [0.5]}, 0))
    with pytest.raises(KeyboardInterrupt):
        train_mimic(dataset, ONE_EPOCH)
    assert trained_mimics(dataset) == []


@pytest.mark.parametrize("changes", [{"split": "random"}, {"epochs": 0}])
def test_impossible_requests_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(HarnessError, match="must be"):
        replace(ONE_EPOCH, **changes)  # type: ignore[arg-type]


def test_an_unknown_mimic_is_refused_before_anything_is_touched(bench_dataset: Dataset) -> None:
    with pytest.raises(DetectorError, match="The mimic must be one of"):
        train_mimic(bench_dataset, TrainRequest(mimic="transformer"))
    assert not (bench_dataset.root / "mimics").exists()


def test_a_run_scores_reference_and_mimics(
    trained: tuple[Dataset, TrainedMimic, TrainedMimic], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import pandas as pd

    dataset, honest, _ = trained
    attacks = tmp_path / "attacks.toml"
    attacks.write_text("[attacks]\ngain = { gain_db = [6] }\n")
    assert cli.main(["run", str(dataset.root), "--attacks", str(attacks), "--out", str(tmp_path / "out")]) == 0
    capsys.readouterr()
    table = pd.read_csv(tmp_path / "out/summary.csv")
    assert set(table["detector"].dropna()) == {"spread_spectrum", "seed_cnn"}
    mimic = table[(table["detector"] == "seed_cnn") & (table["attack"] == "identity")]
    assert {"accuracy", "tpr", "fpr", "auc", "agreement", "cohens_kappa"} <= set(mimic["metric"])
    accuracy_row = mimic[(mimic["metric"] == "accuracy") & (mimic["threshold_rule"] == "fixed")]
    assert accuracy_row["value"].item() == pytest.approx(honest.card["metrics"]["test"]["accuracy"], abs=1e-6)
    facts = json.loads((tmp_path / "out/run.json").read_text())["detectors"]["seed_cnn"]
    assert facts["threshold_fpr_1pct"] == pytest.approx(honest.card["calibrated_threshold"], abs=1e-6)


# --- an easy watermark ------------------------------------------------------------------------------------------------


@dataclass
class ToneWatermarker:
    """Adds a tone of 3 kHz."""

    sample_rate = 16_000
    message_bits = 0

    def embed(self, batch: Audio, messages: Bits) -> Audio:
        tone = 0.05 * np.sin(2 * np.pi * 3000 * np.arange(batch.shape[1]) / 16_000)
        return (batch + tone).astype(np.float32)


class ToneScheme(Scheme):
    name = "tone"
    summary = "a tone of 3 kHz"
    version = "tone-1"

    def load_watermarker(self) -> Watermarker:
        return ToneWatermarker()

    def load_detector(self) -> Detector:
        raise AssertionError("not needed to train")


@pytest.fixture(scope="module")
def tone_dataset(bench_corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "get_scheme", lambda name: ToneScheme())
        request = BuildRequest(scheme="tone", n_clips=120, clip_s=0.5)
        return build_dataset(bench_corpus, request, tmp_path_factory.mktemp("tone") / "tone")[0]


EIGHT_EPOCHS = TrainRequest(mimic="spectrogram_cnn", epochs=8)


def test_spectrogram_cnn_learns_an_easy_watermark(tone_dataset: Dataset) -> None:
    mimic, _ = train_mimic(tone_dataset, EIGHT_EPOCHS)
    assert mimic.card["metrics"]["test"]["accuracy"] > 0.9
    assert mimic.card["metrics"]["test"]["auc"] > 0.95
    assert not mimic.is_at_chance
    found = [scores(mimic, tone_dataset, "test", label).mean() for label in ("clean", "watermarked")]
    assert found[0] < 0.5 < found[1]


@pytest.mark.parametrize(
    "request_", [EIGHT_EPOCHS, TrainRequest(mimic="waveform_cnn", epochs=12)], ids=lambda request: request.mimic
)
def test_where_labels_mean_nothing_nothing_is_learned(
    request_: TrainRequest, tone_dataset: Dataset, tmp_path: Path
) -> None:
    swapped = {"clean": "watermarked", "watermarked": "clean"}
    # Every second pair of each split has its labels swapped, so that the tone says nothing.
    second = {pair.clip_id for name in ("train", "validation", "calibration", "test")
              for pair in tone_dataset.split(name)[::2]}  # fmt: skip
    rows = tuple(replace(row, label=swapped[row.label]) if row.clip_id in second else row for row in tone_dataset.rows)
    root = tmp_path / "permuted"
    root.mkdir()
    for label in ("clean", "watermarked"):
        os.symlink(tone_dataset.root / label, root / label)
    permuted = Dataset(root, tone_dataset.facts, rows)
    mimic, _ = train_mimic(permuted, request_)
    found = np.concatenate([scores(mimic, permuted, "test", label) for label in ("clean", "watermarked")])
    truth = np.repeat([False, True], len(found) // 2)
    resamples = Resamples.of([pair.group for pair in permuted.split("test")]).twice()
    estimate = estimate_accuracy(found, truth, 0.5, resamples)
    assert estimate.value == pytest.approx(mimic.card["metrics"]["test"]["accuracy"])
    assert estimate.ci_low <= 0.5 <= estimate.ci_high
    assert 0.35 < estimate.value < 0.65
    assert mimic.is_at_chance
    assert mimic.card["metrics"]["test"]["accuracy_interval"][0] <= 0.5


def test_training_stops_early_with_the_best_weights(tone_dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = SpectrogramCnn
    monkeypatch.setattr(recipe, "patience", 1)
    # Nothing is ever learned, so the first epoch stays the best.
    monkeypatch.setattr(recipe, "optimizer", lambda self: import_keras().optimizers.SGD(0.0))
    files = {name: rows[:8] for name, rows in training.group_files(tone_dataset).items()}
    _, history = fit_clips(tone_dataset, files, recipe(), epochs=6, seed=0)
    assert len(history["loss"]) < 6


def test_train_says_beforehand_what_it_takes_and_afterwards_that_nothing_was_learned(
    bench_copy: Copy, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = bench_copy("told")
    command = ["train", str(dataset.root), "--mimic", "seed_cnn", "--epochs", "1"]
    assert cli.main(command) == 0
    before, after, *rest = capsys.readouterr().out.splitlines()
    n_pairs = len(dataset.split("train"))
    assert re.fullmatch(rf"seed_cnn learns from {2 * n_pairs} labels and asks nothing; about \d+ s\.", before)
    assert after.startswith("seed_cnn: test accuracy 0.5")
    assert rest[0].startswith(f"  AT CHANCE: from {n_pairs} training pairs it learned nothing that shows on new music")
    assert cli.main(command) == 0
    assert "learns from" not in capsys.readouterr().out


def test_times_are_said_as_roughly_as_they_are_known() -> None:
    told = Forecast(0, 30_440, 250.0, 100.0, 190.0, may_stop=False).text()
    assert told == (
        "asks the detector about 30,440 clips; about 9 min (altering clips 4 min, asking 2 min, learning 3 min)"
    )
    assert Forecast(440, 0, 0.0, 0.0, 14.6, may_stop=True).text() == (
        "learns from 440 labels and asks nothing; at most about 15 s"
    )


def test_by_default_the_cheap_mimics_come_first() -> None:
    queries = [getattr(get_mimic_recipe(name), "queries", 0) for name in training.CHEAP_FIRST]
    assert queries == sorted(queries)
    assert set(training.BEST_AND_BASELINE) < set(training.CHEAP_FIRST)


# --- networks of frames -----------------------------------------------------------------------------------------------


def test_waveform_cnn_learns_an_easy_watermark(tone_dataset: Dataset) -> None:
    import pandas as pd

    mimic, is_new = train_mimic(tone_dataset, TrainRequest(mimic="waveform_cnn", epochs=12))
    assert is_new
    assert mimic.card["metrics"]["test"]["accuracy"] > 0.9
    assert mimic.card["metrics"]["test"]["auc"] > 0.95
    assert (mimic.card["access"], mimic.card["queries"]) == ("labels", 0)
    history = pd.read_csv(mimic.folder / "history.csv")
    n_train = len(tone_dataset.split("train"))
    assert history["step"].iloc[-1] == -(-12 * n_train // 16)
    assert {"step", "loss", "val_accuracy"} == set(history.columns)


def test_a_network_of_frames_needs_twins(tone_dataset: Dataset) -> None:
    with pytest.raises(HarnessError, match=r"--split leaky .* waveform_cnn needs twins"):
        train_mimic(tone_dataset, TrainRequest(mimic="waveform_cnn", split="leaky"))


def test_every_clip_is_drawn_before_any_is_drawn_again() -> None:
    deck = fit_frames._Deck(10, np.random.default_rng(0))
    dealt = np.concatenate([deck.draw(3) for _ in range(10)])
    assert sorted(dealt[:10]) == list(range(10))
    assert sorted(dealt[10:20]) == list(range(10))
    assert dealt[:10].tolist() != dealt[10:20].tolist()


# --- a small one, from scratch ----------------------------------------------------------------------------------------

FLOOR = 0.95
"""Accuracy on held-out recordings that at most 500 training pairs must be enough for."""


@pytest.fixture(scope="module")
def marked_music(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """160 pairs of half a second of demo music, marked by audioseal_mini."""
    request = BuildRequest(scheme="audioseal_mini", n_clips=160, clip_s=0.5)
    return build_dataset(DemoCorpus(), request, tmp_path_factory.mktemp("marked") / "music")[0]


def test_a_small_one_trained_from_scratch_reaches_its_floor(
    marked_music: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best mimic as it ships, on a hundredth of the data: under a minute on two cores."""
    monkeypatch.setattr(DistilledCnn, "queries", 200)
    monkeypatch.setattr(DistilledCnn, "queries_per_step", 8)
    n_train = len(marked_music.split("train"))
    assert n_train <= 100
    told = forecast(marked_music, TrainRequest(mimic="distilled_cnn", epochs=20))
    assert told.queries == 2 * n_train + 200
    assert min(told.altering_s, told.asking_s, told.learning_s) > 0
    assert told.text().startswith(f"asks the detector about {told.queries:,} clips; about ")
    mimic, is_new = train_mimic(marked_music, TrainRequest(mimic="distilled_cnn", epochs=20))
    assert is_new
    assert mimic.card["queries"] == told.queries
    assert mimic.card["leak"] == {"groups_in_two_splits": 0, "parted_twins": 0}
    assert mimic.card["metrics"]["test"]["accuracy"] >= FLOOR
    audio = marked_music.audio([row for pair in marked_music.split("test") for row in (pair.clean, pair.watermarked)])
    detector, imitation = get_scheme("audioseal_mini").detector, mimic.detector()
    reference = detector.detect(audio).score > detector.threshold
    agreement = np.mean((imitation.detect(audio).score > imitation.threshold) == reference)
    assert agreement >= FLOOR
