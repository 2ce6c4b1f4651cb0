"""The kinds of sound that are tried: sines, stacks of harmonics, glides, mains hum, coloured and band noise.

A sine is tried at every multiple of 1/T Hz, T being the length of a clip: a detector that integrates a whole clip
answers to a sine half a step off by 3.9 dB less, so that a first pass 4 dB louder than the floor's level misses no
resonance, however narrow.
"""

import math
from collections.abc import Iterator

import numpy as np

from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.statistics.estimation.vectors import Floats
from sealproof.harness.studies.diagnosis.material import Material
from sealproof.harness.studies.diagnosis.probes.sounds.search import FAINT_DB, FLOOR_DB, Candidate, Kind

SWEEP_HZ = (20, 7900)
_SCALLOPING_DB = 4.0
_N_RANDOM = 250
"""Candidates of the other kinds, which have more parameters than can be gone through."""


def sines(n_samples: int) -> Kind:
    """Sines from 20 to 7,900 Hz that miss no resonance."""
    step = SAMPLE_RATE / n_samples
    numbers = range(math.ceil(SWEEP_HZ[0] / step), math.floor(SWEEP_HZ[1] / step) + 1)
    return Kind(
        "sine",
        f"clean clips flagged with the worst sine, {FLOOR_DB:g} dB or less",
        [(number * step,) for number in numbers],
        _sine,
        lambda candidate: f"{candidate[0]:,.1f} Hz",
        coarse_db=(FLOOR_DB + _SCALLOPING_DB, FAINT_DB),
        apart=10 * step,
        neighbours=lambda candidate: [(candidate[0] + shift * step,) for shift in (-0.5, 0.0, 0.5)],
        n_second=16,
        n_last=6,
    )


def other_kinds(material: Material, sine_hz: float) -> Iterator[Kind]:
    """Sounds other than sines, drawn by the diagnosis' seed.

    Args:
        material: What they will be added to.
        sine_hz: The worst sine: stacks that have it as a harmonic are among those that are tried.
    """
    rng = material.rng("other sounds")
    floor = f"{FLOOR_DB:g} dB or less"
    # In steps of a hertz up to 800 Hz: no harmonic up to the tenth misses a resonance of 5 Hz to each side.
    fundamentals = [*range(30, 800), *np.exp(rng.uniform(np.log(800), np.log(2500), 100))]
    through_the_worst = [
        (sine_hz / number, float(max(number, 2)), tilt) for number in range(1, 11) for tilt in (0.0, 1.0)
    ]
    yield Kind(
        "harmonics",
        f"clean clips flagged with the worst stack of 2 to 10 harmonics, {floor}",
        [
            *((float(hz), float(rng.integers(2, 11)), float(rng.choice([0, 1]))) for hz in fundamentals),
            *through_the_worst,
        ],
        _harmonics,
        lambda candidate: f"{candidate[1]:.0f} of {candidate[0]:.1f} Hz",
    )
    yield Kind(
        "chirp",
        f"clean clips flagged with the worst glide, {floor} or less",
        [
            (*(float(hz) for hz in np.exp(rng.uniform(np.log(50), np.log(7500), 2))), float(rng.choice([1, 2, 5, 20])))
            for _ in range(_N_RANDOM)
        ],
        _chirp,
        lambda candidate: f"{candidate[0]:.0f} to {candidate[1]:.0f} Hz, {candidate[2]:.0f} a clip",
    )
    yield Kind(
        "hum",
        f"clean clips flagged with the worst mains hum, {floor} or less",
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
        f"clean clips flagged with the worst coloured or band noise, {floor} or less",
        [(*band, float(rng.choice([-6, -3, 0, 3, 6]))) for band in bands],
        _noise,
        lambda candidate: f"{candidate[0]:.0f} to {candidate[1]:.0f} Hz, {0 - candidate[2]:+.0f} dB an octave",
    )


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
