"""A mimic as an ONNX file: the same scores, whole, with its metadata; or a refusal, and no file."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks.testing import music_like
from sealproof.detectors import DetectorError
from sealproof.detectors.mimics import get_mimic_recipe, list_mimics
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.model_file import model_sha256
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import write_json
from sealproof.harness.training.mimics import export_onnx as exporting
from sealproof.harness.training.mimics import trained
from sealproof.harness.training.mimics.export_onnx import export_onnx, find_mimic, missing_packages
from sealproof.harness.training.mimics.trained import TrainedMimic

needs_the_extra = pytest.mark.skipif(
    bool(missing_packages()), reason=f"{', '.join(missing_packages())} not installed: pip install 'sealproof[onnx]'"
)

# tensorflow 2.21 beside numpy 2, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

Save = Callable[..., TrainedMimic]


def stirred(model: Any, seed: int = 0) -> Any:
    """The network with every weight changed, statistics of batches too: as after a training, nothing is 0 or 1."""
    rng = np.random.default_rng(seed)
    model.set_weights([np.abs(w) + 0.1 if (w == 1).all() else w + 0.05 * rng.normal(size=w.shape)
                       for w in model.get_weights()])  # fmt: skip
    return model


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """save(model, **changes of the card): a mimic's folder as the training writes it, in no dataset."""

    def make(model: Any, **changes: object) -> TrainedMimic:
        folder = tmp_path / "mimics" / model.name
        folder.mkdir(parents=True)
        model.save(folder / "model.keras")
        card = {
            "model_sha256": model_sha256(folder / "model.keras"),
            "scheme": "spread_spectrum",
            "scheme_weights_sha256": None,
            "access": "labels",
            "split": "group",
            "threshold": 0.5,
            "calibrated_threshold": 0.25,
            **changes,
        }
        write_json(folder / "card.json", card)
        return TrainedMimic(folder, card)

    return make


def run(path: Path, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (score,) = session.run(None, {"waveform": batch})
    assert (score.shape, score.dtype) == ((len(batch), 1), np.float32)
    found: NDArray[np.float32] = score[:, 0]
    return found


@needs_the_extra
@pytest.mark.parametrize("name", list_mimics())
def test_every_network_scores_as_in_keras(name: str, save: Save, tmp_path: Path) -> None:
    import_keras().utils.set_random_seed(0)
    mimic = save(stirred(get_mimic_recipe(name).build(16_000)))
    clips = music_like(7, 16_000, 16_000, seed=4)
    expected = mimic.detector().detect(clips).score
    assert np.ptp(expected) > 1e-2
    exported = export_onnx(str(mimic.folder), tmp_path / "out" / "mimic.onnx")
    assert exported.max_difference <= 1e-4
    np.testing.assert_allclose(run(exported.path, clips), expected, atol=1e-4)
    np.testing.assert_allclose(run(exported.path, clips[2:3]), expected[2:3], atol=1e-4)
    assert exported.lines()[-1] == f"Wrote {exported.path} ({exported.path.stat().st_size / 1e6:.1f} MB)."


@needs_the_extra
def test_the_one_that_ships_is_exported_by_name_and_takes_any_length(mini_dataset: Dataset, tmp_path: Path) -> None:
    exported = export_onnx("distilled_cnn", tmp_path / "mimic.onnx")
    assert exported.checked_on == "built-in music, clean and watermarked"
    assert exported.n_clips == 16
    detector = find_mimic("audioseal_mini/distilled_cnn").detector()
    pairs = mini_dataset.pairs[:6]
    audio = mini_dataset.audio([row for pair in pairs for row in (pair.clean, pair.watermarked)])
    for samples in (100, 8000, 12_345, 16_000):
        part = audio[:, :samples]
        np.testing.assert_allclose(run(exported.path, part), detector.detect(part).score, atol=1e-4)
    marked = run(exported.path, audio) > detector.threshold
    assert marked.tolist() == (detector.detect(audio).score > detector.threshold).tolist()
    assert marked.any()
    assert not marked.all()


@needs_the_extra
def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    import onnx

    mimic = find_mimic("distilled_cnn")
    model = onnx.load(export_onnx("distilled_cnn", tmp_path / "mimic.onnx").path)
    onnx.checker.check_model(model, full_check=True)
    told = {each.key: each.value for each in model.metadata_props}
    assert told["mimic"] == "distilled_cnn"
    assert told["scheme"] == "audioseal_mini"
    assert told["scheme_weights_sha256"] == mimic.card["scheme_weights_sha256"]
    assert told["keras_sha256"] == model_sha256(mimic.folder / "model.keras")
    assert float(told["threshold"]) == mimic.card["threshold"]
    assert float(told["threshold_at_fpr_0.01"]) == mimic.card["calibrated_threshold"]
    assert (told["sample_rate"], told["samples"], told["split"]) == ("16000", "any", "group")
    ends = [*model.graph.input, *model.graph.output]
    dimensions = [[each.dim_param or each.dim_value for each in end.type.tensor_type.shape.dim] for end in ends]
    assert [end.name for end in ends] == ["waveform", "score"]
    assert dimensions == [["clips", "samples"], ["clips", 1]]
    # Everything is in it: operations of ONNX alone, no other file.
    assert {node.domain for node in model.graph.node} == {""}
    assert [path.name for path in tmp_path.iterdir()] == ["mimic.onnx"]


@needs_the_extra
def test_a_network_of_one_length_says_so_and_a_leaky_one_too(save: Save, tmp_path: Path) -> None:
    import onnx

    mimic = save(get_mimic_recipe("seed_cnn").build(8000), split="leaky")
    exported = export_onnx(str(mimic.folder), tmp_path / "mimic.onnx")
    assert (exported.properties["samples"], exported.properties["split"]) == ("8000", "leaky")
    (source,) = onnx.load(exported.path).graph.input
    assert [each.dim_param or each.dim_value for each in source.type.tensor_type.shape.dim] == ["clips", 8000]


@needs_the_extra
def test_clips_of_the_mimics_own_dataset_are_preferred(
    save: Save, bench_copy: Callable[[str], Dataset], tmp_path: Path
) -> None:
    dataset = bench_copy("own")
    folder = save(get_mimic_recipe("waveform_cnn").build(16_000)).folder
    elsewhere = export_onnx(str(folder), tmp_path / "mimic.onnx")
    (dataset.root / "mimics").mkdir()
    within = export_onnx(str(folder.rename(dataset.root / "mimics" / folder.name)), tmp_path / "mimic.onnx")
    assert elsewhere.checked_on == "built-in music, clean and watermarked"
    assert within.checked_on == f"clean and watermarked test clips of {dataset.name}"


@needs_the_extra
def test_without_its_scheme_a_mimic_is_checked_on_clean_clips(
    save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Scheme:
        name = "gone"

        def unavailable(self) -> str:
            return "no weights"

    monkeypatch.setattr(exporting, "get_scheme", lambda name: Scheme())
    mimic = save(get_mimic_recipe("waveform_cnn").build(16_000))
    exported = export_onnx(str(mimic.folder), tmp_path / "mimic.onnx")
    assert exported.n_clips == 8
    assert "none of it watermarked, as gone cannot run here (no weights)" in exported.lines()[0]


@needs_the_extra
@pytest.mark.parametrize("by", [1e-2, np.nan])
def test_other_scores_are_refused_and_nothing_is_written(
    by: float, save: Save, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mimic = save(get_mimic_recipe("seed_cnn").build(16_000))
    convert = exporting._convert

    def wrong(model: Any, name: str) -> bytes:
        last = model.layers[-1]
        last.set_weights([weights + by for weights in last.get_weights()])
        return convert(model, name)

    monkeypatch.setattr(exporting, "_convert", wrong)
    out = tmp_path / "mimic.onnx"
    out.write_bytes(b"older")
    with pytest.raises(HarnessError, match=r"scores of seed_cnn by onnxruntime must .* at most 0.0001\. Got .*nothing"):
        export_onnx(str(mimic.folder), out)
    assert out.read_bytes() == b"older"


@needs_the_extra
def test_what_onnx_has_no_operation_for_is_refused(save: Save, tmp_path: Path) -> None:
    keras = import_keras()
    from keras import ops

    def network(name: str, spectrum: Callable[[Any], Any]) -> Any:
        waveform = keras.Input((1024,), name="waveform")
        real, imaginary = spectrum(waveform)
        score = ops.sigmoid(ops.mean(real * imaginary, axis=(1, 2), keepdims=True))[:, 0]
        return keras.Model(waveform, score, name=name)

    padded = save(network("padded", lambda waveform: ops.stft(waveform, 256, 128, 256)))
    with pytest.raises(HarnessError, match=r"STFT of padded must not pad.*Got center=True"):
        export_onnx(str(padded.folder), tmp_path / "mimic.onnx")
    other = save(network("other", lambda waveform: ops.rfft(ops.reshape(waveform, (-1, 4, 256)))))
    with pytest.raises(HarnessError, match=r"network of other must consist of what ONNX has operations for\. Got"):
        export_onnx(str(other.folder), tmp_path / "mimic.onnx")
    assert not (tmp_path / "mimic.onnx").exists()


@needs_the_extra
def test_another_model_than_the_cards_is_refused(save: Save, tmp_path: Path) -> None:
    mimic = save(get_mimic_recipe("waveform_cnn").build(16_000), model_sha256="0" * 64)
    with pytest.raises(DetectorError, match="must have the sha256 of its card"):
        export_onnx(str(mimic.folder), tmp_path / "mimic.onnx")
    assert not (tmp_path / "mimic.onnx").exists()


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime", "tf2onnx"])
def test_a_missing_package_is_named(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == missing else object())
    with pytest.raises(HarnessError, match=rf'Not installed: {missing}\. Run: pip install "sealproof\[onnx\]"'):
        export_onnx("distilled_cnn", tmp_path / "mimic.onnx")


def test_a_broken_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "onnx.py").write_text("raise OSError('undefined symbol')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnx", raising=False)
    monkeypatch.setattr(exporting, "find_spec", lambda name: object())
    with pytest.raises(
        HarnessError, match=r"export needs onnx, which cannot be imported \(OSError: undefined symbol\)"
    ):
        export_onnx("distilled_cnn", tmp_path / "mimic.onnx")


def test_an_unknown_mimic_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"one of audioseal_mini/distilled_cnn.*\. Got 'distiled_cnn'\."):
        find_mimic("distiled_cnn")


def test_a_name_that_two_schemes_ship_must_say_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("first", "second"):
        (tmp_path / scheme / "mimics" / "twin").mkdir(parents=True)
        write_json(tmp_path / scheme / "mimics" / "twin" / "card.json", {"scheme": scheme})
    monkeypatch.setattr(vars(trained)["weights"], "__path__", [str(tmp_path)])
    with pytest.raises(HarnessError, match=r"first/twin, second/twin\. Got 'twin', which is more than one"):
        find_mimic("twin")
    assert find_mimic("second/twin").card == {"scheme": "second"}
