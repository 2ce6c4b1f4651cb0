"""The mean of other clips' marks, added to a clip that was never marked: does the detector take it?"""

from collections.abc import Iterator

import numpy as np

from sealproof.detectors.base import Audio
from sealproof.harness.statistics.estimation.vectors import Floats
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material, rms, unit_energy

COUNTS = (1, 8, 100)


def mean_mark(material: Material) -> Iterator[Finding | Curve]:
    """Clean clips flagged with the mean mark of 1, 8 and 100 clips of other recordings, at the usual level.

    Each mark is scaled to energy 1 before the mean is taken, and the mean to the median level of the scheme's marks.
    """
    level_db = float(-np.nanmedian(material.snr_db()))
    for name, marks in material.marks.items():
        flagged = []
        words = name.replace("_", " ")
        for count in COUNTS:
            added, used = _means(material, marks, count)
            audio = (material.judged_host + rms(material.judged_host) * 10 ** (level_db / 20) * added).astype(
                np.float32
            )
            rate = material.rate(material.ear.flags(audio))
            flagged.append(rate.value)
            meaning = f"clean clips flagged with the mean mark of {count} others, {words}"
            detail = "" if used == count else f"only {used} to be had"
            yield Finding.of(f"mean_mark.{count}_{name}", meaning, "share", rate, detail)
        yield Curve(f"mean mark, {words}", "clips", COUNTS, flagged, material.n)


def _means(material: Material, marks: Audio, count: int) -> tuple[Floats, int]:
    """Mean marks of RMS 1, one for each judged clip, from the other half of the recordings, and of how many each is."""
    rng = material.rng("mean mark", count)
    unit, kept = unit_energy(marks)
    made = np.zeros((material.n, material.n_samples))
    used = count
    for side in (False, True):
        donors = np.flatnonzero(material.side[kept] != side)
        used = min(used, len(donors))
        for clip in np.flatnonzero(material.side[: material.n] == side):
            chosen = rng.choice(donors, min(count, len(donors)), replace=False)
            mean = unit[chosen].mean(axis=0)
            made[clip] = mean / max(float(np.sqrt(np.mean(mean**2))), 1e-12)
    return made, used
