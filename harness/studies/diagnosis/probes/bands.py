"""Bands of the mark put back to clean, and bands of it alone: does detection rest on one of them?"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio
from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.statistics.estimation.vectors import Flags, Floats
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material

_N_FINALISTS = 4


def bands(material: Material) -> Iterator[Finding | Curve]:
    """The worst band to lose and the best to have, of 50 and 200 Hz; every second band of 500 Hz lost."""
    spectra = np.fft.rfft(material.judged_mark)
    hz: Floats = np.asarray(np.fft.rfftfreq(material.n_samples, 1 / SAMPLE_RATE), np.float64)
    for width, n_first in ((50, max(material.n // 8, 8)), (200, max(material.n // 4, 8))):
        (flags, low), curve = _extreme(material, spectra, hz, width, n_first, is_lost=True)
        at = f"{low} to {low + width} Hz"
        meaning = f"marked clips flagged without the worst {width} Hz of the mark"
        yield Finding.of(f"bands.without_{width}hz", meaning, "share", material.rate(flags), at)
        yield curve
        (flags, low), curve = _extreme(material, spectra, hz, width, n_first, is_lost=False)
        at = f"{low} to {low + width} Hz"
        meaning = f"clean clips flagged with the best {width} Hz of the mark alone"
        yield Finding.of(f"bands.only_{width}hz", meaning, "share", material.rate(flags), at)
        yield curve
    halves = []
    for parity in (0, 1):
        kept = (hz // 500).astype(int) % 2 == parity
        flags = material.ear.flags(_with(material, spectra, kept, np.arange(material.n)))
        halves.append((material.rate(flags), "even" if parity == 0 else "odd"))
    rate, which = min(halves, key=lambda half: half[0].value)
    meaning = "marked clips flagged with every second band of 500 Hz put back to clean"
    yield Finding.of("bands.without_every_second_500hz", meaning, "share", rate, f"{which} bands kept")


def flags_without(material: Material, low_hz: float, high_hz: float) -> Flags:
    """Say which judged clips are still flagged once a band of their marks is put back to clean."""
    spectra = np.fft.rfft(material.judged_mark)
    hz = np.fft.rfftfreq(material.n_samples, 1 / SAMPLE_RATE)
    return material.ear.flags(_with(material, spectra, (hz < low_hz) | (hz >= high_hz), np.arange(material.n)))


def _extreme(
    material: Material,
    spectra: NDArray[np.complex128],
    hz: Floats,
    width: int,
    n_first: int,
    *,
    is_lost: bool,
) -> tuple[tuple[Flags, int], Curve]:
    """Find the band whose loss leaves the fewest clips flagged, or that alone flags the most.

    A few clips for every band, then all clips for the most suspicious bands.
    """
    n_first = min(n_first, material.n)
    # Half overlapping: what lies on the edge of one band lies within another.
    edges = list(range(0, SAMPLE_RATE // 2 - width // 2, width // 2))
    # Spread over the judged clips, which are in an order that alternates recordings.
    clips = np.linspace(0, material.n - 1, n_first).astype(np.intp)
    inside = [((hz >= edge) & (hz < edge + width)) != is_lost for edge in edges]
    verb = "without" if is_lost else "only"
    flags, evidence = material.ear.ask(
        len(edges) * n_first,
        lambda part: _with(material, spectra, np.stack([inside[at // n_first] for at in part]), clips[part % n_first]),
        f"{verb} {width} Hz of the mark",
    )
    flagged, sure = (values.reshape(-1, n_first).mean(axis=1) for values in (flags, evidence))
    sign = 1 if is_lost else -1
    ranking = np.lexsort((sign * sure, sign * flagged))[:_N_FINALISTS]
    everyone = np.arange(material.n)
    finals = {
        edges[at]: flags.reshape(-1, n_first)[at]
        if n_first == material.n
        else material.ear.flags(_with(material, spectra, inside[at], everyone))
        for at in ranking.tolist()
    }
    edge = min(finals, key=lambda edge: sign * int(finals[edge].sum()))
    curve = Curve(f"{verb} {width} Hz of the mark", "hz", [edge + width / 2 for edge in edges], flagged, n_first)
    return (finals[edge], edge), curve


def _with(
    material: Material, spectra: NDArray[np.complex128], kept: NDArray[np.bool_], clips: NDArray[np.intp]
) -> Audio:
    part = np.fft.irfft(spectra[clips] * kept, material.n_samples)
    return (material.host[clips] + part).astype(np.float32)
