"""A diagnosis as a picture: ten panels and the verdict."""

import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sealproof.harness.foundation.picture import write_png
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.study import Diagnosis

_DARK, _RED, _GREEN, _GREY = "#1f3b57", "#c8553d", "#3a7d44", "0.6"
_SWEEP_HZ = 10
"""Hertz of the sweep that a point of the picture is the largest of: a narrow peak must not be thinner than a pixel."""


def write_diagnosis_picture(diagnosis: Diagnosis, path: Path) -> None:
    """Draw what was found and writes a PNG; a panel whose probe was not asked says so.

    Raises:
        OSError: The folder cannot be written.
    """
    # The object interface, not pyplot: no window system, no global state.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(21, 10), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    about = diagnosis.about
    title = f"{about['scheme']}: {about['clips']} clips of {about['recordings']} recordings ({about['split']} split)"
    told = [
        sentence
        for sentence in diagnosis.verdict.sentences
        if not sentence.startswith(("floors missed", "goals missed"))
    ]
    missed = [finding for finding in diagnosis.findings.values() if finding.passes is False]
    told.append(f"{len(diagnosis.missed_floors)} floors and {len(missed) - len(diagnosis.missed_floors)} goals missed")
    sentences = [textwrap.fill(f"- {sentence}", 210, subsequent_indent="  ") for sentence in told]
    figure.suptitle("\n".join([title, *sentences]), fontsize=10, x=0.01, ha="left")
    panels: Sequence[Callable[[Any, Diagnosis], bool]] = (
        _sweep, _levels, _near, _bands, _spectrum, _mean_marks, _lookalikes, _linear, _alignment, _times,
    )  # fmt: skip
    for axes, draw in zip(figure.subplots(2, 5).ravel(), panels, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        if draw(axes, diagnosis):
            axes.grid(color="0.92")
        else:
            axes.text(0.5, 0.5, "not asked", ha="center", color=_GREY, transform=axes.transAxes)
    write_png(figure, path)


def _sweep(axes: Any, diagnosis: Diagnosis) -> bool:
    axes.set_title("clean clips with a sine, first pass", fontsize=10)
    levels = [name.rpartition(", ")[2] for name in diagnosis.curves if name.startswith("sine sweep, flagged")]
    for level, colour in zip(levels, (_RED, _DARK), strict=False):
        hz = np.asarray(diagnosis.curves[f"sine sweep, flagged, {level}"].x)
        flagged = np.asarray(diagnosis.curves[f"sine sweep, flagged, {level}"].y)
        rise = np.asarray(diagnosis.curves[f"sine sweep, evidence, {level}"].y)
        edges = np.flatnonzero(np.diff(hz // _SWEEP_HZ, prepend=-1) > 0)
        highest = np.maximum.reduceat(rise, edges)
        axes.plot(hz[edges], highest, color=colour, linewidth=1, label=f"rise of evidence, {level}")
        heard = np.flatnonzero(flagged)
        axes.plot(hz[heard], rise[heard], "x", color=colour, markersize=5, label=f"flagged ({len(heard)}), {level}")
    axes.set_xscale("log")
    axes.set_xlabel(f"Hz, every {_SWEEP_HZ} Hz the largest")
    if levels:
        axes.legend(fontsize=8, frameon=False)
    return bool(levels)


def _levels(axes: Any, diagnosis: Diagnosis) -> bool:
    axes.set_title("the worst sine by level", fontsize=10)
    curve = diagnosis.curves.get("worst sine by level")
    if curve is None:
        return False
    _line(axes, curve, _RED, f"at {diagnosis.findings['sounds.sine_hz'].value:,.1f} Hz")
    axes.axhline(0.05, color=_GREY, linestyle=":", linewidth=1)
    axes.set_xlabel("sine, dB relative to the clip (dotted: floor)")
    axes.set_ylabel("clean clips flagged")
    axes.set_ylim(-0.02, 1.05)
    axes.legend(fontsize=8, frameon=False)
    return True


def _near(axes: Any, diagnosis: Diagnosis) -> bool:
    axes.set_title("a sine next to it, 20 dB below the clip", fontsize=10)
    curve = diagnosis.curves.get("worst sine, next to its frequency")
    if curve is None:
        return False
    _line(axes, curve, _RED, "")
    axes.axhline(0.05, color=_GREY, linestyle=":", linewidth=1)
    axes.set_xlabel(f"Hz from {diagnosis.findings['sounds.sine_hz'].value:,.1f} Hz (dotted: floor)")
    axes.set_ylabel("clean clips flagged")
    axes.set_ylim(-0.02, 1.05)
    return True


def _bands(axes: Any, diagnosis: Diagnosis) -> bool:
    axes.set_title("bands of the mark", fontsize=10)
    drawn = False
    for name, colour, label in (
        ("without 50 Hz of the mark", _DARK, "marked, without this 50 Hz"),
        ("without 200 Hz of the mark", _GREEN, "marked, without this 200 Hz"),
        ("only 50 Hz of the mark", _RED, "clean, with this 50 Hz alone"),
    ):
        curve = diagnosis.curves.get(name)
        if curve is not None:
            axes.plot(curve.x, curve.y, color=colour, linewidth=1.2, label=label)
            drawn = True
    axes.set_xlabel("Hz")
    axes.set_ylabel("flagged")
    axes.set_ylim(-0.02, 1.05)
    if drawn:
        axes.legend(fontsize=8, frameon=False)
    return drawn


def _spectrum(axes: Any, diagnosis: Diagnosis) -> bool:
    axes.set_title("where the energy lies", fontsize=10)
    pairs = [
        (diagnosis.curves.get("energy of the host"), _GREY, "host"),
        (diagnosis.curves.get("energy of the mark"), _RED, "mark"),
    ]
    for curve, colour, label in pairs:
        if curve is not None:
            share = 10 * np.log10(np.maximum(np.asarray(curve.y), 1e-9))
            axes.plot(curve.x, share, color=colour, linewidth=1.2, label=label)
    if pairs[0][0] is None:
        return False
    axes.set_xlabel("Hz")
    axes.set_ylabel("dB of the whole, per 50 Hz")
    axes.legend(fontsize=8, frameon=False)
    return True


def _mean_marks(axes: Any, diagnosis: Diagnosis) -> bool:
    axes.set_title("the mean mark of other clips, added to clean ones", fontsize=10)
    curves = [(name, curve) for name, curve in diagnosis.curves.items() if name.startswith("mean mark")]
    for (name, curve), colour in zip(curves, (_DARK, _RED), strict=False):
        _line(axes, curve, colour, name.partition(", ")[2])
    if not curves:
        return False
    axes.set_xscale("log")
    axes.set_xticks([1, 8, 100], ["1", "8", "100"])
    axes.axhline(0.2, color=_GREY, linestyle=":", linewidth=1)
    axes.set_xlabel("clips in the mean (dotted: goal)")
    axes.set_ylabel("clean clips flagged")
    axes.set_ylim(-0.02, 1.05)
    axes.legend(fontsize=8, frameon=False)
    return True


def _lookalikes(axes: Any, diagnosis: Diagnosis) -> bool:
    axes.set_title("shaped like its mark, added to a clean clip", fontsize=10)
    return _points(axes, diagnosis, "lookalikes.", "clean clips flagged", (-0.02, 1.05), None)


def _linear(axes: Any, diagnosis: Diagnosis) -> bool:
    axes.set_title("linear detectors, on other recordings", fontsize=10)
    return _points(axes, diagnosis, "linear.", "AUC", (0.4, 1.02), 0.9)


def _alignment(axes: Any, diagnosis: Diagnosis) -> bool:
    axes.set_title("moved, bent, turned over", fontsize=10)
    return _points(axes, diagnosis, "alignment.tpr.", "marked clips flagged", (-0.02, 1.05), 0.9)


def _times(axes: Any, diagnosis: Diagnosis) -> bool:
    axes.set_title("where in the clip", fontsize=10)
    drawn = False
    for name, colour, label in (
        ("without a tenth", _DARK, "marked, without the mark here"),
        ("silenced a tenth", _GREEN, "marked, silent here"),
        ("only a tenth", _RED, "marked here alone"),
        ("P(marked) by place", _GREY, "P(marked) of frames"),
    ):
        curve = diagnosis.curves.get(name)
        if curve is not None:
            axes.plot(curve.x, curve.y, color=colour, linewidth=1.2, label=label)
            drawn = True
    axes.set_xlabel("place in the clip")
    axes.set_ylim(-0.02, 1.05)
    if drawn:
        axes.legend(fontsize=8, frameon=False)
    return drawn


def _line(axes: Any, curve: Curve, colour: str, label: str) -> None:
    axes.plot(curve.x, curve.y, "o-", color=colour, markersize=4, linewidth=1.2, label=label)


def _points(
    axes: Any, diagnosis: Diagnosis, start: str, x_label: str, x_range: tuple[float, float], goal: float | None
) -> bool:
    shown: list[Finding] = [finding for name, finding in diagnosis.findings.items() if name.startswith(start)]
    if not shown:
        return False
    for position, finding in enumerate(shown):
        reach = [[max(finding.value - finding.ci_low, 0)], [max(finding.ci_high - finding.value, 0)]]
        colour = _RED if finding.passes is False else _DARK
        axes.errorbar([finding.value], [position], xerr=np.nan_to_num(reach), fmt="o", markersize=4, color=colour)
    axes.set_yticks(
        range(len(shown)), [finding.name.removeprefix(start).replace("_", " ") for finding in shown], fontsize=8
    )
    axes.set_ylim(len(shown) - 0.5, -0.5)
    if goal is not None:
        axes.axvline(goal, color=_GREY, linestyle=":", linewidth=1)
    axes.set_xlim(*x_range)
    axes.set_xlabel(x_label if goal is None else f"{x_label} (dotted: goal)")
    return True
