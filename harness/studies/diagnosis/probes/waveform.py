"""Is the mark one fixed waveform, on the sample grid or wherever, perhaps times its host's level?

Every pattern is learned of one half of the recordings and judged on the other, and the other way round.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.foundation.progress import progress
from sealproof.harness.statistics.estimation.estimate import estimate_mean
from sealproof.harness.statistics.estimation.vectors import Floats
from sealproof.harness.studies.diagnosis import carriers
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material, unit_energy

_Indices = NDArray[np.intp]


def waveform(material: Material) -> Iterator[Finding | Curve]:
    """Share of the mark's energy that fixed patterns explain, on recordings they were not learned of."""
    for name, marks in progress(list(material.marks.items()), "fixed patterns"):
        words = name.replace("_", " ")
        unit, kept = unit_energy(marks)
        if min(np.bincount(material.side[kept].astype(int), minlength=2)) < 2:
            return
        yield _share(
            material,
            f"waveform.fixed_{name}",
            f"mark explained by one fixed waveform, {words}",
            kept,
            _by_patterns(unit, 1),
        )
        host = material.host[kept]
        levels = carriers.envelope(host)
        meaning = f"mark explained by a fixed carrier times the host's envelope, {words}"
        yield _share(material, f"waveform.carrier_{name}", meaning, kept, _by_carrier(unit, levels))
        spectra, cells = carriers.spectrogram(unit), carriers.local_level(carriers.spectrogram(host))
        meaning = f"mark explained by a fixed carrier times the host's level in time and frequency, {words}"
        yield _share(material, f"waveform.local_carrier_{name}", meaning, kept, _by_carrier(spectra, cells))
    unit, kept = unit_energy(material.mark)
    bits = material.messages.shape[1]
    if bits:
        meaning = f"mark explained by {1 + bits} fixed waveforms, as of one and one a bit"
        yield _share(material, "waveform.fixed_by_bits", meaning, kept, _by_patterns(unit, 1 + bits))
    # Laid wherever it fits: the trick that training with shifts would leave.
    _, of_shifts = material.marks.popitem()
    unit, kept = unit_energy(of_shifts)
    chance = float(_by_best_lag(material, unit, is_null=True)(material.side[kept]).mean())
    meaning = "mark explained by one waveform wherever it lies"
    yield _share(
        material,
        "waveform.any_lag",
        meaning,
        kept,
        _by_best_lag(material, unit, is_null=False),
        f"by chance {chance:.3f}",
    )
    period, share = carriers.best_period(unit[: material.n].astype(np.float32))
    yield Finding.bare(
        "waveform.periodic",
        "mark that repeats on the sample grid, beyond chance",
        "share",
        share,
        f"every {period} samples",
    )


def _share(
    material: Material,
    name: str,
    meaning: str,
    kept: _Indices,
    explain: Callable[[NDArray[np.bool_]], Floats],
    detail: str = "",
) -> Finding:
    shares = explain(material.side[kept])
    return Finding.of(name, meaning, "share", estimate_mean(shares, material.resamples.of_clips(kept)), detail)


def _by_patterns(unit: Floats, count: int) -> Callable[[NDArray[np.bool_]], Floats]:
    def explain(side: NDArray[np.bool_]) -> Floats:
        shares = np.empty(len(unit))
        for half in (side, ~side):
            shares[half] = carriers.share_in(unit[half], carriers.principal_patterns(unit[~half], count))
        return shares

    return explain


def _by_carrier(marks: carriers.Marks, levels: carriers.Levels) -> Callable[[NDArray[np.bool_]], Floats]:
    def explain(side: NDArray[np.bool_]) -> Floats:
        shares = np.empty(len(marks))
        for half in (side, ~side):
            carrier = carriers.carrier_times(levels[~half], marks[~half])
            shares[half] = carriers.share_along(marks[half], carrier * levels[half])
        return shares

    return explain


def _by_best_lag(material: Material, unit: Floats, *, is_null: bool) -> Callable[[NDArray[np.bool_]], Floats]:
    def explain(side: NDArray[np.bool_]) -> Floats:
        shares = np.empty(len(unit))
        for half in (side, ~side):
            judged = unit[half]
            if is_null:
                judged = carriers.with_random_phases(judged, material.rng("chance"))
            shares[half] = carriers.best_lag(judged, carriers.aligned_pattern(unit[~half]))[0]
        return shares

    return explain
