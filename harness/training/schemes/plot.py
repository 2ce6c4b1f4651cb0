"""Pictures of a scheme: its training curve, and what its mark looks like."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.foundation.audio.spectrogram import level_db
from sealproof.harness.foundation.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PANELS = (
    ("loss", {"loss": "weighted sum", "detection_loss": "detection", "message_loss": "message"}, None),
    ("signal-to-watermark ratio (dB)", {"snr_db": "median of the batch, before scaling"}, None),
    (
        "share, on perturbed clips",
        {"bit_accuracy": "bits right", "frames_found": "marked frames found", "frames_false": "clean frames flagged"},
        (0, 1.02),
    ),
)


def plot_training(log: Sequence[Mapping[str, float]], path: Path) -> None:
    """Draw loss, watermark level and what the detector got right over the steps, one panel below the other."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 8), layout="constrained")
    for axes, (label, curves, limits) in zip(figure.subplots(len(_PANELS), 1, sharex=True), _PANELS, strict=True):
        for column, name in curves.items():
            axes.plot([row["step"] for row in log], [row[column] for row in log], label=name)
        axes.set_ylabel(label)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
        if limits:
            axes.set_ylim(*limits)
        elif label == "loss":
            axes.set_yscale("log")
    axes.set_xlabel("step")
    _write(figure, path)


def plot_watermark(host: NDArray[np.float32], marked: NDArray[np.float32], path: Path) -> None:
    """Draw spectrograms of clips, clean, marked and what was added, on one scale in dB.

    Args:
        host: Clean clips, shape (n, samples), at 16 kHz.
        marked: The same with their mark.
        path: Where the PNG goes.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 2.6 * len(host)), layout="constrained")
    grid = figure.subplots(len(host), 3, sharex=True, sharey=True, squeeze=False)
    for row, clean, loud in zip(grid, host, marked, strict=True):
        for axes, title, audio in zip(
            row, ("clean", "marked", "the mark alone"), (clean, loud, loud - clean), strict=True
        ):
            image = axes.imshow(
                level_db(audio),
                origin="lower",
                aspect="auto",
                extent=(0, len(audio) / 16_000, 0, 8),
                vmin=-100,
                vmax=-20,
            )
            axes.set_title(title)
            axes.set_ylabel("kHz")
    figure.supxlabel("seconds")
    figure.colorbar(image, ax=grid, label="dB")
    _write(figure, path)


def _write(figure: "Figure", path: Path) -> None:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_atomically(path, lambda file: file.write(picture.getvalue()))
