"""Sounds that carry no mark, added to clean clips: is there one that the detector takes for the mark?

Coarse to fine. A sine is tried at every multiple of 1/T Hz, T being the length of a clip: a detector that integrates a
whole clip answers to a sine half a step off by 3.9 dB less, so that the first pass, 4 dB louder than the floor's level,
misses no resonance, however narrow. The most suspicious are tried again on more clips and at half steps, and the worst
of these on all clips at the floor's level.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio
from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.statistics.estimation.vectors import Flags, Floats
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material, rms

FLOOR_DB = -20.0
"""RMS of a sound relative to the clip it is added to, in dB, at which the floors are set."""

LEVELS_DB = (-10.0, -20.0, -25.0, -30.0, -35.0, -40.0)
SWEEP_HZ = (20, 7900)
_SCALLOPING_DB = 4.0
_TRIES = 2
"""Clips that each candidate of the first pass is added to."""
_N_RANDOM = 250
"""Candidates of each other kind of sound."""

Candidate = tuple[float, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of sound.

    Attributes:
        name: As in the finding.
        meaning: For the table.
        candidates: The sounds of the kind, each by its parameters.
        make: Makes one: shape (samples,), any level; the generator draws phases and noise.
        describe: Says what a candidate is.
        coarse_db: Level of the first pass.
        apart: How far candidates that go on to the last pass must lie from each other in their first parameter.
        neighbours: What is tried beside a suspicious candidate in the second pass.
    """

    name: str
    meaning: str
    candidates: Sequence[Candidate]
    make: Callable[[Candidate, int, np.random.Generator], Floats]
    describe: Callable[[Candidate], str]
    coarse_db: float = FLOOR_DB
    apart: float = 0.0
    neighbours: Callable[[Candidate], Sequence[Candidate]] = lambda candidate: (candidate,)
    n_second: int = 12
    n_last: int = 3


def sounds(material: Material) -> Iterator[Finding | Curve]:
    """The worst sine and how it acts by level and next to its frequency; the worst of other sounds."""
    yield from _sines(material)
    for kind in _other_kinds(material):
        flags, worst = _search(material, kind)[:2]
        yield Finding.of(f"sounds.{kind.name}", kind.meaning, "share", material.rate(flags), kind.describe(worst))


def mix(host: Audio, sounds: Floats, level_db: float) -> Audio:
    """Adds sounds to clips, each at a level relative to its clip's RMS; shapes (n, samples)."""
    level = rms(host) * 10 ** (level_db / 20)
    scale = level / np.maximum(np.sqrt(np.mean(sounds**2, axis=1, keepdims=True)), 1e-12)
    return np.asarray(host + scale * sounds, np.float32)


def _sines(material: Material) -> Iterator[Finding | Curve]:
    step = SAMPLE_RATE / material.n_samples
    grid = np.asarray(step * np.arange(math.ceil(SWEEP_HZ[0] / step), math.floor(SWEEP_HZ[1] / step) + 1), np.float64)
    kind = Kind(
        "sine",
        f"clean clips flagged with the worst sine, {FLOOR_DB:g} dB",
        [(float(hz),) for hz in grid],
        _sine,
        lambda candidate: f"{candidate[0]:,.4g} Hz" if candidate[0] < 1000 else f"{candidate[0]:,.1f} Hz",
        coarse_db=FLOOR_DB + _SCALLOPING_DB,
        apart=10 * step,
        neighbours=lambda candidate: [(candidate[0] + shift * step,) for shift in (-0.5, 0.0, 0.5)],
        n_second=32,
        n_last=6,
    )
    flags, worst, first_flags, first_rise = _search(material, kind)
    rate = material.rate(flags)
    yield Finding.of("sounds.sine", kind.meaning, "share", rate, kind.describe(worst))
    loud = f"{kind.coarse_db:g} dB"
    yield Curve(f"sine sweep, flagged, {loud}", "hz", grid, first_flags, _TRIES)
    yield Curve(f"sine sweep, evidence, {loud}", "hz", grid, first_rise, _TRIES)
    yield Finding.bare("sounds.sine_hz", "frequency of the worst sine", "hz", worst[0])
    by_level = []
    for level in LEVELS_DB:
        rate = material.rate(_on_all(material, kind, worst, level))
        by_level.append(rate.value)
        if level != FLOOR_DB:
            yield Finding.of(f"sounds.sine.{-level:.0f}db_below", f"the same sine, {level:g} dB", "share", rate)
    yield Curve("worst sine by level", "db", LEVELS_DB, by_level, material.n)
    shifts = (-20.0, -10.0, -5.0, -2.0, -1.0, 0.0, 1.0, 2.0, 5.0, 10.0, 20.0)
    near = [material.rate(_on_all(material, kind, (worst[0] + shift,), FLOOR_DB)) for shift in shifts]
    yield Curve("worst sine, next to its frequency", "hz", shifts, [rate.value for rate in near], material.n)
    worst_near = max((near[0], near[1], near[-2], near[-1]), key=lambda found: found.value)
    yield Finding.of("sounds.sine.10hz_off", f"sine 10 or 20 Hz off, {FLOOR_DB:g} dB", "share", worst_near)


def _search(material: Material, kind: Kind) -> tuple[Flags, Candidate, Floats, Floats]:
    """Finds the candidate that the detector takes for the mark most often.

    Returns:
        Which judged clips are flagged with it at the floor's level; the candidate; and of the first pass, for each
        candidate, the share of clips flagged and by how much the detector became surer.
    """
    rng = material.rng("sounds", kind.name)
    calm = material.ear.ask(material.n, lambda part: material.judged_host[part], "clean clips")[1]

    def tried(candidates: Sequence[Candidate], n_clips: int, level_db: float, what: str) -> tuple[Floats, Floats]:
        # Clips in turn, so that neighbouring candidates meet different ones.
        clips = (np.arange(len(candidates))[:, None] * n_clips + np.arange(n_clips)).ravel() % material.n
        flags, evidence = material.ear.ask(
            len(clips),
            lambda part: mix(
                material.host[clips[part]],
                np.stack([kind.make(candidates[at // n_clips], material.n_samples, rng) for at in part]),
                level_db,
            ),
            what,
        )
        rise = evidence - calm[clips]
        return flags.reshape(-1, n_clips).mean(axis=1), rise.reshape(-1, n_clips).mean(axis=1)

    first = tried(kind.candidates, min(_TRIES, material.n), kind.coarse_db, f"{kind.name}: first pass")
    suspicious = [kind.candidates[at] for at in _ranking(*first)[: kind.n_second]]
    second = list(dict.fromkeys(near for candidate in suspicious for near in kind.neighbours(candidate)))
    again = tried(second, min(8, material.n), FLOOR_DB, f"{kind.name}: second pass")
    last: list[Candidate] = []
    for at in _ranking(*again):
        if all(abs(second[at][0] - other[0]) >= kind.apart for other in last):
            last.append(second[at])
    finals = {candidate: _on_all(material, kind, candidate, FLOOR_DB) for candidate in last[: kind.n_last]}
    worst = max(finals, key=lambda candidate: finals[candidate].sum())
    return finals[worst], worst, *first


def _ranking(flagged: Floats, rise: Floats) -> NDArray[np.intp]:
    return np.lexsort((-rise, -flagged))


def _on_all(material: Material, kind: Kind, candidate: Candidate, level_db: float) -> Flags:
    rng = material.rng("sounds", kind.name, candidate, level_db)
    made = np.stack([kind.make(candidate, material.n_samples, rng) for _ in range(material.n)])
    return material.ear.flags(mix(material.judged_host, made, level_db))


def _time(n_samples: int) -> Floats:
    return np.arange(n_samples) / SAMPLE_RATE


def _sine(candidate: Candidate, n_samples: int, rng: np.random.Generator) -> Floats:
    wave: Floats = np.sin(2 * math.pi * candidate[0] * _time(n_samples) + rng.uniform(0, 2 * math.pi))
    return wave


def _harmonics(candidate: Candidate, n_samples: int, rng: np.random.Generator) -> Floats:
    """A stack of `count` harmonics of a fundamental, the k-th at 1 / k**tilt, phases drawn."""
    fundamental, count, tilt = candidate
    time, wave = _time(n_samples), np.zeros(n_samples)
    for number in range(1, int(count) + 1):
        if number * fundamental < SAMPLE_RATE / 2:
            phase = rng.uniform(0, 2 * math.pi)
            wave += np.sin(2 * math.pi * number * fundamental * time + phase) / number**tilt
    return wave


def _chirp(candidate: Candidate, n_samples: int, rng: np.random.Generator) -> Floats:
    """A sine that glides from one frequency to another, once or several times."""
    first, last, times = candidate
    turn = (_time(n_samples) * times * SAMPLE_RATE / n_samples) % 1.0
    frequency = first * (last / first) ** turn
    wave: Floats = np.sin(2 * math.pi * np.cumsum(frequency) / SAMPLE_RATE + rng.uniform(0, 2 * math.pi))
    return wave


def _noise(candidate: Candidate, n_samples: int, rng: np.random.Generator) -> Floats:
    """Noise that falls by a slope in dB an octave, within a band."""
    low, high, slope_db = candidate
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    hz = np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE)
    spectrum *= np.where((hz >= low) & (hz <= high), np.maximum(hz, 1.0) ** (-slope_db / 6.02), 0.0)
    return np.fft.irfft(spectrum, n_samples)


def _other_kinds(material: Material) -> Iterator[Kind]:
    rng = material.rng("other sounds")
    floor = f"{FLOOR_DB:g} dB"
    yield Kind(
        "harmonics",
        f"... with the worst stack of 2 to 10 harmonics, {floor}",
        [
            (
                float(np.exp(rng.uniform(np.log(30), np.log(2500)))),
                float(rng.integers(2, 11)),
                float(rng.choice([0, 1])),
            )
            for _ in range(2 * _N_RANDOM)
        ],
        _harmonics,
        lambda candidate: f"{candidate[1]:.0f} of {candidate[0]:.1f} Hz",
    )
    yield Kind(
        "chirp",
        f"... with the worst glide, {floor}",
        [
            (*(float(hz) for hz in np.exp(rng.uniform(np.log(50), np.log(7500), 2))), float(rng.choice([1, 2, 5, 20])))
            for _ in range(_N_RANDOM)
        ],
        _chirp,
        lambda candidate: f"{candidate[0]:.0f} to {candidate[1]:.0f} Hz, {candidate[2]:.0f} a clip",
    )
    yield Kind(
        "hum",
        f"... with the worst mains hum, {floor}",
        [
            (mains * wander, count, tilt)
            for mains in (50.0, 60.0)
            for wander in (0.999, 1.0, 1.001)
            for count in (1.0, 4.0, 10.0, 40.0)
            for tilt in (0.0, 0.5, 1.0)
        ],
        _harmonics,
        lambda candidate: f"{candidate[0]:.2f} Hz and {candidate[1]:.0f} harmonics",
    )
    bands = [(0.0, SAMPLE_RATE / 2)] * 10 + [
        (float(centre / width), float(centre * width))
        for centre, width in zip(
            np.exp(rng.uniform(np.log(60), np.log(7000), 120)), rng.choice([1.03, 1.12, 1.41], 120), strict=True
        )
    ]
    yield Kind(
        "noise",
        f"... with the worst coloured or band noise, {floor}",
        [(*band, float(rng.choice([-6, -3, 0, 3, 6]))) for band in bands],
        _noise,
        lambda candidate: f"{candidate[0]:.0f} to {candidate[1]:.0f} Hz, {-candidate[2]:+.0f} dB an octave",
    )
