import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.detectors import DetectorError
from sealproof.detectors.mimics import get_mimic_recipe, list_mimics
from sealproof.detectors.mimics.base import ClipRecipe, FrameRecipe
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.mimic import Mimic, forward
from sealproof.detectors.mimics.model_file import model_sha256

# tensorflow 2.21 beside numpy 2, when a model is saved.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

Music = Callable[..., NDArray[np.float32]]


def stft_magnitudes(audio: NDArray[np.float32], frame: int, step: int, fft: int) -> NDArray[np.float32]:
    import tensorflow as tf

    magnitudes: NDArray[np.float32] = tf.abs(tf.signal.stft(audio, frame, step, fft)).numpy()
    return magnitudes


def activations(model: Any, layer: Any, audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a layer takes in."""
    keras = import_keras()
    found: NDArray[np.float32] = keras.Model(model.input, layer.input)(audio).numpy()
    return found


@pytest.fixture(scope="module")
def clips(music: Music) -> NDArray[np.float32]:
    return music(3, seed=5)


@pytest.fixture(scope="module")
def seed_cnn() -> Any:
    import_keras().utils.set_random_seed(0)
    return get_mimic_recipe("seed_cnn").build(16_000)


@pytest.fixture(scope="module")
def saved(seed_cnn: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mimic") / "model.keras"
    seed_cnn.save(path)
    return path


def mimic(path: Path, sha256: str | None = None) -> Mimic:
    return Mimic(path, name="small", sha256=sha256 or model_sha256(path))


def test_seed_cnn_is_the_studys_network(seed_cnn: Any) -> None:
    keras = import_keras()
    layers = keras.layers
    assert seed_cnn.count_params() == 196_229
    kinds = (layers.Conv2D, layers.MaxPooling2D, layers.Flatten, layers.Dense)
    network = [layer for layer in seed_cnn.layers if isinstance(layer, kinds)]
    assert [type(layer) for layer in network] == [
        *[layers.Conv2D, layers.MaxPooling2D] * 3,
        layers.Flatten,
        layers.Dense,
        layers.Dense,
    ]
    convolutions = [layer for layer in network if isinstance(layer, layers.Conv2D)]
    assert [layer.filters for layer in convolutions] == [4, 8, 16]
    assert {(layer.kernel_size, layer.padding, layer.activation.__name__) for layer in convolutions} == {
        ((5, 5), "same", "relu")
    }
    assert {layer.pool_size for layer in network if isinstance(layer, layers.MaxPooling2D)} == {(2, 2)}
    hidden, output = network[-2:]
    assert (hidden.units, hidden.activation.__name__, output.units, output.activation.__name__) == (
        50,
        "relu",
        1,
        "sigmoid",
    )
    assert isinstance(hidden.kernel_regularizer, keras.regularizers.L2)
    assert float(hidden.kernel_regularizer.l2) == pytest.approx(0.01)
    assert output.kernel_regularizer is None
    assert seed_cnn.input_shape == (None, 16_000)


def test_seed_cnn_is_trained_as_in_the_study() -> None:
    recipe = get_mimic_recipe("seed_cnn")
    assert isinstance(recipe, ClipRecipe)
    assert (recipe.epochs, recipe.batch_size, recipe.patience, recipe.pair_batches) == (10, 32, None, False)
    optimizer = recipe.optimizer()
    assert isinstance(optimizer, import_keras().optimizers.SGD)
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    assert optimizer.momentum == 0


def test_seed_cnn_sees_the_studys_spectrogram(seed_cnn: Any, clips: NDArray[np.float32]) -> None:
    first = next(layer for layer in seed_cnn.layers if isinstance(layer, import_keras().layers.Conv2D))
    found = activations(seed_cnn, first, clips)
    assert found.shape == (3, 124, 129, 1)
    expected = stft_magnitudes(clips, 255, 128, 256)
    assert expected.max() > 1
    assert np.abs(found[..., 0] - expected).max() < 1e-5 * expected.max()


def test_spectrogram_cnn_sees_normalised_log_magnitudes(clips: NDArray[np.float32]) -> None:
    model = get_mimic_recipe("spectrogram_cnn").build(16_000)
    first = next(layer for layer in model.layers if isinstance(layer, import_keras().layers.Conv1D))
    found = activations(model, first, clips)
    log = np.log(stft_magnitudes(clips, 1024, 256, 1024) + 1e-3)
    centred = log - log.mean(axis=(1, 2), keepdims=True)
    expected = centred / np.sqrt(np.square(centred).mean(axis=(1, 2), keepdims=True) + 1e-6)
    assert found.shape == expected.shape == (3, 59, 513)
    assert np.allclose(found, expected, atol=2e-3)


def test_spectrogram_cnn_does_not_go_by_loudness(clips: NDArray[np.float32]) -> None:
    model = get_mimic_recipe("spectrogram_cnn").build(16_000)
    loud, quiet = (model(gain * clips).numpy() for gain in (np.float32(1), np.float32(0.7)))
    assert np.allclose(loud, quiet, atol=5e-3)
    assert np.ptp(loud) > 0 or len(clips) == 1


@pytest.mark.parametrize("name", list_mimics())
def test_silence_has_a_score(name: str) -> None:
    scores = get_mimic_recipe(name).build(16_000)(np.zeros((2, 16_000), dtype=np.float32)).numpy()
    assert ((scores > 0) & (scores < 1)).all()


def test_silence_has_a_gradient(seed_cnn: Any) -> None:
    import tensorflow as tf

    silence = tf.zeros((2, 16_000))
    with tf.GradientTape() as tape:
        tape.watch(silence)
        scores = seed_cnn(silence)
    assert np.isfinite(tape.gradient(scores, silence).numpy()).all()


def test_a_saved_model_needs_keras_alone(saved: Path, clips: NDArray[np.float32]) -> None:
    plain = import_keras().models.load_model(saved, safe_mode=True)
    found = mimic(saved).detect(clips)
    assert found.score.dtype == np.float32
    assert found.bits is None
    assert np.array_equal(found.score, plain.predict(clips, verbose=0)[:, 0])
    assert ((found.score > 0) & (found.score < 1)).all()


def test_a_clips_score_does_not_depend_on_the_batch(saved: Path, music: Music) -> None:
    batch = music(70, seed=9)
    detector = mimic(saved)
    whole = detector.detect(batch).score
    assert np.allclose(whole[60:70], detector.detect(batch[60:70]).score, atol=1e-6)
    assert len(np.unique(whole)) > 1


def test_shorter_clips_are_padded_and_longer_ones_cut_at_the_end(saved: Path, clips: NDArray[np.float32]) -> None:
    detector = mimic(saved)
    padded = np.concatenate([clips[:, :12_000], np.zeros((3, 4000), dtype=np.float32)], axis=1)
    assert np.array_equal(detector.detect(clips[:, :12_000]).score, detector.detect(padded).score)
    longer = np.concatenate([clips, clips], axis=1)
    assert np.array_equal(detector.detect(longer).score, detector.detect(clips).score)
    assert not np.array_equal(detector.detect(padded).score, detector.detect(clips).score)


def rewritten(source: Path, target: Path, **parts: bytes) -> Path:
    """Copy a `.keras` file with some of its parts replaced or added; `__` stands for a dot."""
    wanted = {name.replace("__", "."): content for name, content in parts.items()}
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(target, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, wanted.pop(name) if name in wanted else archive.read(name))
        for name, content in wanted.items():
            copy.writestr(name, content)
    return target


def part(path: Path, name: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def test_another_network_than_the_trained_one_is_refused(
    saved: Path, tmp_path: Path, clips: NDArray[np.float32]
) -> None:
    sha256 = model_sha256(saved)
    import h5py

    file = io.BytesIO(part(saved, "model.weights.h5"))
    with h5py.File(file, "r+") as weights:
        weights["layers/dense/vars/1"][0] += 1e-6
    changed = rewritten(saved, tmp_path / "model.keras", model__weights__h5=file.getvalue())
    with pytest.raises(DetectorError, match=rf"sha256 of its card, {sha256[:12]}\.\.\. .*train --force"):
        mimic(changed, sha256).detect(clips)


def test_the_hash_of_a_model_is_of_the_network_and_not_of_the_day(saved: Path, tmp_path: Path) -> None:
    dated = json.dumps({**json.loads(part(saved, "metadata.json")), "date_saved": "2001-01-01@00:00:00"}).encode()
    assert model_sha256(rewritten(saved, tmp_path / "other_day.keras", metadata__json=dated)) == model_sha256(saved)
    config = part(saved, "config.json").replace(b"relu", b"tanh")
    assert model_sha256(rewritten(saved, tmp_path / "other.keras", config__json=config)) != model_sha256(saved)
    assert model_sha256(rewritten(saved, tmp_path / "more.keras", extra=b"")) != model_sha256(saved)


def test_the_same_training_again_gives_the_same_hash(tmp_path: Path) -> None:
    """Built second in a process and saved at another moment."""
    hashes = []
    for index in range(2):
        import_keras().utils.clear_session()
        import_keras().utils.set_random_seed(0)
        get_mimic_recipe("seed_cnn").build(16_000).save(tmp_path / f"{index}.keras")
        hashes.append(model_sha256(tmp_path / f"{index}.keras"))
    assert hashes[0] == hashes[1]


def test_what_is_no_model_is_told(tmp_path: Path, clips: NDArray[np.float32]) -> None:
    path = tmp_path / "model.keras"
    path.write_bytes(b"PK no archive")
    with pytest.raises(DetectorError, match=r"model\.keras must be a \.keras file"):
        mimic(path, "0").detect(clips)


def test_a_missing_model_is_told(tmp_path: Path, clips: NDArray[np.float32]) -> None:
    with pytest.raises(DetectorError, match="model of small cannot be read"):
        mimic(tmp_path / "gone.keras", "0").detect(clips)


@pytest.mark.parametrize(
    "batch",
    [np.zeros((2, 16_000)), np.zeros(16_000, dtype=np.float32), np.full((1, 16_000), np.nan, dtype=np.float32)],
    ids=["float64", "one clip", "NaN"],
)
def test_what_is_no_audio_is_refused(saved: Path, batch: NDArray[Any]) -> None:
    with pytest.raises(DetectorError, match="batch of small"):
        mimic(saved).detect(batch)


def test_a_mimics_version_names_its_model_and_loads_nothing(tmp_path: Path) -> None:
    versions = {mimic(tmp_path / "none", sha256).version for sha256 in ("a" * 64, "b" * 64)}
    assert len(versions) == 2
    assert all("tensorflow-2" in version for version in versions)


def test_an_unknown_mimic_is_refused_with_a_hint() -> None:
    with pytest.raises(DetectorError, match=r"Got 'seed_cn'\. Did you mean 'seed_cnn'\?"):
        get_mimic_recipe("seed_cn")


@pytest.mark.parametrize("name", list_mimics())
def test_every_mimic_says_what_it_is(name: str) -> None:
    recipe = get_mimic_recipe(name)
    assert recipe.name == name
    assert recipe.summary


@pytest.mark.parametrize(
    ("name", "parameters"), [("waveform_cnn", 262_577), ("fine_spectrogram_cnn", 192_897), ("distilled_cnn", 192_897)]
)
def test_networks_of_frames_take_any_length(name: str, parameters: int, clips: NDArray[np.float32]) -> None:
    import_keras().utils.set_random_seed(0)
    recipe = get_mimic_recipe(name)
    assert isinstance(recipe, FrameRecipe)
    frames = recipe.frames()
    assert frames.count_params() == parameters
    for samples, expected in ((320, 1), (321, 2), (8000, 25), (16_000, 50)):
        assert frames(clips[:, :samples]).shape == (3, expected)
    whole = recipe.whole(frames)
    logits = frames(clips).numpy()
    np.testing.assert_allclose(whole(clips).numpy()[:, 0], (1 / (1 + np.exp(-logits))).mean(axis=1), atol=1e-6)


def test_a_fine_spectrogram_hears_neither_level_nor_polarity(clips: NDArray[np.float32]) -> None:
    import_keras().utils.set_random_seed(0)
    frames = get_mimic_recipe("fine_spectrogram_cnn").build(16_000)
    loud = 0.5 * clips / np.abs(clips).max()
    np.testing.assert_allclose(forward(frames)(loud), forward(frames)(-loud), atol=1e-6)
    np.testing.assert_allclose(forward(frames)(loud), forward(frames)(loud / 2), atol=0.02)


def test_forward_pads_and_cuts_for_a_network_of_one_length_only(clips: NDArray[np.float32]) -> None:
    import_keras().utils.set_random_seed(0)
    of_one, of_any = get_mimic_recipe("seed_cnn").build(16_000), get_mimic_recipe("waveform_cnn").build(16_000)
    short = clips[:, :9600]
    padded = np.pad(short, ((0, 0), (0, 6400)))
    np.testing.assert_array_equal(forward(of_one)(short), forward(of_one)(padded))
    assert not np.allclose(forward(of_any)(short), forward(of_any)(padded), atol=1e-6)
