"""The worst sine, and how it acts by level and next to its frequency; the worst of other sounds."""

from collections.abc import Iterator

from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material
from sealproof.harness.studies.diagnosis.probes.sounds.kinds import other_kinds, sines
from sealproof.harness.studies.diagnosis.probes.sounds.search import FLOOR_DB, Worst, find_worst, flags_with

LEVELS_DB = (-10.0, -20.0, -25.0, -30.0, -35.0, -40.0)
_SHIFTS_HZ = (-20.0, -10.0, -5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0, 10.0, 20.0)


def sounds(material: Material) -> Iterator[Finding | Curve]:
    """Clean clips flagged with the worst sound of each kind, 20 dB below the clip or more."""
    worst_sine = find_worst(material, sines(material.n_samples))
    yield from _sines(material, worst_sine)
    for kind in other_kinds(material, worst_sine.candidate[0]):
        worst = find_worst(material, kind)
        at = f"{kind.describe(worst.candidate)}, {worst.level_db:g} dB"
        yield Finding.of(f"sounds.{kind.name}", kind.meaning, "share", material.rate(worst.flags), at)


def _sines(material: Material, worst: Worst) -> Iterator[Finding | Curve]:
    kind = sines(material.n_samples)
    hz = worst.candidate[0]
    at = f"{kind.describe(worst.candidate)}, {worst.level_db:g} dB"
    yield Finding.of("sounds.sine", kind.meaning, "share", material.rate(worst.flags), at)
    yield Finding.bare("sounds.sine_hz", "frequency of the worst sine", "hz", hz)
    swept = [candidate[0] for candidate in kind.candidates]
    for level in kind.coarse_db:
        yield Curve(f"sine sweep, flagged, {level:g} dB", "hz", swept, worst.flagged[level], 1)
        yield Curve(f"sine sweep, evidence, {level:g} dB", "hz", swept, worst.rise[level], 1)
    rates = [material.rate(flags_with(material, kind, worst.candidate, level)) for level in LEVELS_DB]
    for level, rate in zip(LEVELS_DB, rates, strict=True):
        yield Finding.of(f"sounds.sine.{-level:.0f}db_below", f"the same sine, {level:g} dB", "share", rate)
    yield Curve("worst sine by level", "db", LEVELS_DB, [rate.value for rate in rates], material.n)
    near = [material.rate(flags_with(material, kind, (hz + shift,), FLOOR_DB)) for shift in _SHIFTS_HZ]
    yield Curve("worst sine, next to its frequency", "hz", _SHIFTS_HZ, [rate.value for rate in near], material.n)
    off = max((near[0], near[1], near[-2], near[-1]), key=lambda rate: rate.value)
    yield Finding.of("sounds.sine.10hz_off", f"a sine 10 or 20 Hz off, {FLOOR_DB:g} dB", "share", off)
