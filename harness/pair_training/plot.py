"""The training curve as a picture."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from sealproof.harness.files import write_atomically

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
    """Draws loss, watermark level and what the detector got right over the steps, one panel below the other."""
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
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_atomically(path, lambda file: file.write(picture.getvalue()))
