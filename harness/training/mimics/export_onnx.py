"""A mimic as an ONNX file: everything from waveform to score, checked against Keras before it is kept."""

import math
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.mimic import Mimic
from sealproof.harness.corpora.demo.music import compose
from sealproof.harness.datasets.dataset import FACTS, Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import write_atomically
from sealproof.harness.foundation.versions import package_versions
from sealproof.harness.statistics.thresholds import TARGET_FPR
from sealproof.harness.training.mimics.trained import TrainedMimic, all_shipped, read_card

PACKAGES = ("onnx", "onnxruntime", "tf2onnx")
"""What the extra `onnx` installs."""

MAX_DIFFERENCE = 1e-4
"""Largest difference of a clip's score between onnxruntime and Keras with which a file is kept."""

_OPSET = 17
"""Of 2022: every runtime of today reads it."""

_PAIRS = 8
"""Clean clips, and as many marked ones, on which a file is checked."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: The file.
        n_bytes: Its size.
        max_difference: Largest difference of a score from Keras' on the clips it was checked on.
        n_clips: How many these were.
        checked_on: What they were, in words.
        properties: The file's metadata.
    """

    path: Path
    n_bytes: int
    max_difference: float
    n_clips: int
    checked_on: str
    properties: dict[str, str]

    def lines(self) -> list[str]:
        """Say it to a user."""
        return [
            f"Scores of onnxruntime and Keras differ by at most {self.max_difference:.1e} on {self.n_clips} clips: "
            f"{self.checked_on}.",
            f"Wrote {self.path} ({self.n_bytes / 1e6:.1f} MB).",
        ]


def export_onnx(mimic: str, out: Path) -> Exported:
    """Write a mimic as ONNX, from waveform to score.

    Input `waveform`: (clips, samples) float32 in [-1, 1] at 16 kHz, any number of clips; a network that takes one
    length has it in the shape (shorter clips are to be padded with zeros at the end, longer ones cut there, as `Mimic`
    does). Output `score`: (clips, 1) float32, the probability that a clip is watermarked. `metadata_props` say what the
    mimic is, with its thresholds. The very bytes that are written were scored before by onnxruntime.

    Args:
        mimic: A mimic's folder, or the name of one that ships (`distilled_cnn`, `audioseal_mini/distilled_cnn`).
        out: The file; an older one is replaced.

    Returns:
        What was written.

    Raises:
        HarnessError: A package of the extra `onnx` is missing or broken, there is no such mimic, its network has
            operations that cannot be exported, or the scores differ by more than `MAX_DIFFERENCE`; then nothing is
            written.
        DetectorError: The model's file is missing or not the one that was trained.
        OSError: The file cannot be written.
    """
    _require_packages()
    trained = find_mimic(mimic)
    detector = trained.detector()
    model = _load(trained, detector)
    clips, checked_on = _clips(trained, model.input_shape[1] or detector.sample_rate)
    properties = _properties(trained, model)
    content = _finish(_convert(model, trained.name), trained.name, properties)
    difference = _largest_difference(content, detector, clips, takes_any_length=model.input_shape[1] is None)
    if not difference <= MAX_DIFFERENCE:
        raise HarnessError(
            f"The scores of {trained.name} by onnxruntime must differ from Keras' by at most {MAX_DIFFERENCE:g}. "
            f"Got {difference:.2g} on {checked_on}, so nothing was written: try other versions of "
            f"{', '.join(PACKAGES)}."
        )
    write_atomically(out, lambda file: file.write(content))
    return Exported(out, len(content), difference, len(clips), checked_on, properties)


def find_mimic(mimic: str) -> TrainedMimic:
    """Return the mimic of a folder, or one that ships by its name.

    Raises:
        HarnessError: There is none, its card is damaged, or several have the name.
    """
    if (Path(mimic) / "card.json").is_file():
        return TrainedMimic(Path(mimic).resolve(), read_card(Path(mimic)))
    shipped = all_shipped()
    named = [each for name, each in shipped.items() if mimic in (name, each.name)]
    if len(named) != 1:
        raise HarnessError(
            "A mimic to export must be a folder that `sealproof train` wrote (DATASET/mimics/NAME) or one of "
            f"{', '.join(shipped)}. Got {mimic!r}{', which is more than one' if named else ''}."
        )
    return named[0]


def missing_packages() -> list[str]:
    """Return which of `PACKAGES` are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def _require_packages() -> None:
    missing = missing_packages()
    if missing:
        raise HarnessError(
            f"sealproof export needs {', '.join(PACKAGES)}. Not installed: {', '.join(missing)}. "
            'Run: pip install "sealproof[onnx]"'
        )
    for name in PACKAGES:
        import_package(name)


def import_package(name: str) -> None:
    """Import one of `PACKAGES`.

    Raises:
        HarnessError: It is broken.
    """
    try:
        with _without_their_warnings():
            import_module(name)
    except Exception as error:  # a broken package raises what it likes while it is imported
        raise HarnessError(
            f"sealproof export needs {name}, which cannot be imported ({type(error).__name__}: {error}). "
            'Run: pip install --force-reinstall "sealproof[onnx]"'
        ) from error


def _load(trained: TrainedMimic, detector: Mimic) -> Any:
    """Load the network once more for the exporter, after the detector has seen that the file is the trained one."""
    detector.detect(np.zeros((1, detector.sample_rate), dtype=np.float32))
    return import_keras().models.load_model(trained.folder / "model.keras", compile=False, safe_mode=True)


def _clips(trained: TrainedMimic, n_samples: int) -> tuple[Audio, str]:
    """Return clips to compare scores on, clean and marked, and what they are.

    They are of the mimic's own dataset where it lies in one, else built-in music.
    """
    root = trained.folder.parent.parent
    if (root / FACTS).is_file():
        dataset = Dataset.open(root)
        pairs = dataset.split("test")[:_PAIRS]
        rows = [row for pair in pairs for row in (pair.clean, pair.watermarked)]
        return dataset.audio(rows), f"clean and watermarked test clips of {dataset.name}"
    rate = Mimic.sample_rate
    seconds = math.ceil(n_samples / rate)
    pieces = [compose(index, seed=0, duration_s=seconds, sample_rate=rate).audio for index in range(_PAIRS)]
    clean = np.stack(pieces)[:, :n_samples].astype(np.float32)
    scheme = get_scheme(str(trained.card["scheme"]))
    reason = scheme.unavailable()
    if reason is not None:
        return clean, f"built-in music, none of it watermarked, as {scheme.name} cannot run here ({reason})"
    bits = np.random.default_rng(0).integers(0, 2, (_PAIRS, scheme.watermarker.message_bits), np.uint8)
    return np.concatenate([clean, scheme.watermarker.embed(clean, bits)]), "built-in music, clean and watermarked"


def _properties(trained: TrainedMimic, model: Any) -> dict[str, str]:
    card = trained.card
    calibrated = card["calibrated_threshold"]
    return {
        "mimic": trained.name,
        "scheme": str(card["scheme"]),
        "scheme_weights_sha256": str(card.get("scheme_weights_sha256") or ""),
        "access": str(card["access"]),
        "split": str(card["split"]),
        "sample_rate": str(Mimic.sample_rate),
        "samples": str(model.input_shape[1] or "any"),
        "threshold": str(card["threshold"]),
        **({} if calibrated is None else {f"threshold_at_fpr_{TARGET_FPR:g}": str(calibrated)}),
        "keras_sha256": str(card["model_sha256"]),
        "sealproof": package_versions()["sealproof"],
    }


def _convert(model: Any, name: str) -> bytes:
    """Convert with Keras' own exporter, which hands the network to tf2onnx."""
    plain = _without_stft(model, name)
    plain(np.zeros((1, model.input_shape[1] or Mimic.sample_rate), dtype=np.float32))
    with tempfile.TemporaryDirectory() as folder, _without_their_warnings():
        path = Path(folder) / "model.onnx"
        plain.export(path, format="onnx", verbose=False, opset_version=_OPSET)
        return path.read_bytes()


def _without_stft(model: Any, name: str) -> Any:
    """Return the same network with every STFT made of products of matrices.

    tf2onnx converts a Fourier transform only where its absolute value is taken, and ours takes real and imaginary
    parts. As one strided convolution, windows of 4,096 samples would take 67 MB and half the speed.
    """
    keras = import_keras()

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if type(operation).__name__ != "STFT":
            return operation(*args, **kwargs)
        if operation.center:
            raise HarnessError(
                f"The STFT of {name} must not pad, to be exported. Got center=True: train one with center=False."
            )
        # One layer with a name of its own: names that Keras makes up may be those of a loaded network.
        return keras.layers.Lambda(_stft_of_products(operation), name=f"{operation.name}_of_products")(*args)

    # Layers are shared, not copied: the network is loaded for this alone.
    return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=call, recursive=True)


def _stft_of_products(operation: Any) -> Callable[[Any], tuple[Any, Any]]:
    """Return an STFT in two steps, of rows and of columns: n = columns n1 + n2 and k = k1 + rows k2.

    Source: Cooley and Tukey, "An Algorithm for the Machine Calculation of Complex Fourier Series" (1965).
    """
    from keras import ops

    size, hop = operation.fft_length, operation.sequence_stride
    rows = 1 << ((size.bit_length() - 1) // 2)
    columns = size // rows
    if rows * columns != size:
        raise HarnessError(f"An STFT must have a length that is a multiple of {rows}, to be exported. Got {size}.")
    # The window, and where a frame lies within the transform, are what the STFT answers to unit impulses at bin 0.
    window = np.asarray(operation(np.eye(size, dtype=np.float32))[0])[:, 0, 0]
    by_row = np.exp(-2j * np.pi * np.outer(np.arange(rows), np.arange(rows)) / rows)
    twiddle = np.exp(-2j * np.pi * np.outer(np.arange(columns), np.arange(rows)) / size)
    by_column = np.exp(-2j * np.pi * np.outer(np.arange(columns), np.arange(columns)) / columns)
    (row_re, row_im), (turn_re, turn_im), (column_re, column_im) = (
        (part.real.astype(np.float32), part.imag.astype(np.float32)) for part in (by_row, twiddle, by_column)
    )
    bins = size // 2 + 1

    def transform(waveform: Any) -> tuple[Any, Any]:
        n_frames = (ops.shape(waveform)[1] - size) // hop + 1
        places = ops.expand_dims(ops.arange(n_frames) * hop, 1) + ops.arange(size)
        frames = ops.take(waveform, places, axis=1) * window
        # (clips, frames, n2, n1) x (n1, k1)
        by_n2 = ops.swapaxes(ops.reshape(frames, (-1, n_frames, rows, columns)), 2, 3)
        re, im = by_n2 @ row_re, by_n2 @ row_im
        re, im = re * turn_re - im * turn_im, re * turn_im + im * turn_re
        # (k2, n2) x (clips, frames, n2, k1), read in the order k1 + rows k2
        re, im = (
            ops.matmul(column_re, re) - ops.matmul(column_im, im),
            ops.matmul(column_im, re) + ops.matmul(column_re, im),
        )
        real, imaginary = (ops.reshape(part, (-1, n_frames, size))[..., :bins] for part in (re, im))
        return real, imaginary

    return transform


def _finish(content: bytes, name: str, properties: dict[str, str]) -> bytes:
    """Name input, output and their dimensions, and add the metadata."""
    import onnx

    model = onnx.load_model_from_string(content)
    # tf2onnx logs what it cannot convert and leaves it in as it is.
    unknown = sorted({node.op_type for node in model.graph.node if not onnx.defs.has(node.op_type, node.domain)})
    if unknown:
        raise HarnessError(
            f"The network of {name} must consist of what ONNX has operations for. Got {', '.join(unknown)}: "
            "train one without them."
        )
    (source,), (target,) = model.graph.input, model.graph.output
    names = {source.name: "waveform", target.name: "score"}
    for node in model.graph.node:
        node.input[:] = [names.get(each, each) for each in node.input]
        node.output[:] = [names.get(each, each) for each in node.output]
    for value in (source, target):
        value.name = names[value.name]
        clips, size = value.type.tensor_type.shape.dim
        clips.dim_param = "clips"
        if not size.HasField("dim_value"):
            size.dim_param = "samples"
    model.graph.name = name
    onnx.helper.set_model_props(model, properties)
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _largest_difference(content: bytes, detector: Mimic, clips: Audio, *, takes_any_length: bool) -> float:
    """Return by how much any score of onnxruntime differs from Keras', in batches and lengths of several sizes.

    Silence is not among them: `spectrogram_cnn` divides it by its own rounding errors, so that its score there (0.427
    and 0.443 in a trial) depends on the order in which a library adds.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    batches = [clips, clips[:1]]
    # No multiple of the networks' strides, and less than a frame of theirs.
    batches += [clips[:, :-123], clips[:, :100]] if takes_any_length else []
    differences = [
        np.abs(session.run(["score"], {"waveform": batch})[0][:, 0] - detector.detect(batch).score).max()
        for batch in batches
    ]
    # A NaN stays one and is refused: `max` of Python would lose it.
    return float(np.max(differences))


@contextmanager
def _without_their_warnings() -> Iterator[None]:
    """Hold back the warnings of Keras' exporter beside numpy 2; they say nothing about the network."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "In the future `np.object` will be defined", FutureWarning)
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
        yield
