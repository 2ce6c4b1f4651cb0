"""What an attack does to music, in a few numbers that can be measured of any attack, and the bands they lie in.

A claim of its own says what an attack must do; a band says what it did when it was measured beforehand: `bands.csv`
holds, for attacks that no formula tells, the range of each number over eighteen groups of clips of very different
music, with a margin (`python -m benchmarks.attacks.bands`). A corpus of music like any one of these lies within.

The bands hold for music at 16 kHz, and of clips like that alone is anything judged: see `in_domain`.
"""

import csv
import hashlib
from functools import lru_cache
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Audio
from sealproof.attacks.contract.claims import Claim

Floats = NDArray[np.float64]

SAMPLE_RATE = 16_000
"""Of the clips of which the bands were measured, in Hz."""

TAIL_S = 0.05
"""End of a clip whose level is compared with that of the rest, in seconds."""

EDGES_HZ = (0.0, 500.0, 1500.0, 4000.0, 8000.0)

_WIDTH = 512
_LOWEST_DB = -120.0


def profile(
    before: Audio, after: Audio, sample_rate: int, *, is_aligned: bool, is_timed: bool = True
) -> dict[str, Floats]:
    """Measure what an attack did to clips.

    Args:
        before: (n, samples) float32.
        after: (n, samples') float32.
        sample_rate: Samples per second, in Hz.
        is_aligned: Sample i after belongs to sample i before.
        is_timed: Also measure `timing_ms`, which takes longer than all others together.

    Returns:
        By quantity, (n,) float64; NaN where a clip is outside the domain of the bands:

        - `level_db`: level after over level before.
        - `tail_db`: the same of the last 50 ms, over that of the whole clip.
        - `band_0_db` to `band_3_db`: level after over level before between `EDGES_HZ`.
        - `loss_db`: energy of the clip over energy of the change, +inf where nothing changed. Where the length is kept
          and the waveform does not stay in place, that of the short-time magnitudes; where the length changes, that of
          the second half of what both have in common.
        - `balance_db`: the loss of the first half less that of the second one, NaN where neither changed.
        - `timing_ms`: how late the short-time magnitudes come, at the most `_REACH_MS`; of up to `_TIMED` clips.
    """
    judged = in_domain(before, sample_rate)
    if not judged.any():
        return {name: np.full(len(before), np.nan) for name in QUANTITIES}
    old, new = before.astype(np.float64), after.astype(np.float64)
    level = _ratio_db(np.mean(new**2, axis=1), np.mean(old**2, axis=1))
    tail = max(1, round(TAIL_S * sample_rate))
    by_quantity = {
        "level_db": level,
        "tail_db": _ratio_db(np.mean(new[:, -tail:] ** 2, axis=1), np.mean(old[:, -tail:] ** 2, axis=1)) - level,
    }
    powers = [np.abs(np.fft.rfft(batch, axis=1)) ** 2 / batch.shape[1] ** 2 for batch in (old, new)]
    for index, (low, high) in enumerate(pairwise(EDGES_HZ)):
        was, became = (
            power[:, round(low * n / sample_rate) : round(high * n / sample_rate)].sum(axis=1)
            for power, n in zip(powers, (old.shape[1], new.shape[1]), strict=True)
        )
        by_quantity[f"band_{index}_db"] = _ratio_db(became, was)
    by_quantity |= _losses(old, new, is_aligned=is_aligned)
    if is_timed:
        by_quantity["timing_ms"] = _timing_ms(old, new, sample_rate, judged)
    return {name: np.where(judged, values, np.nan) for name, values in by_quantity.items()}


QUANTITIES = (
    "level_db", "tail_db", "band_0_db", "band_1_db", "band_2_db", "band_3_db", "loss_db", "balance_db", "timing_ms",
)  # fmt: skip


def in_domain(before: Audio, sample_rate: int) -> NDArray[np.bool_]:
    """Tell which clips are like those of which the bands were measured: music at 16 kHz."""
    if sample_rate != SAMPLE_RATE:
        return np.zeros(len(before), dtype=np.bool_)
    return is_music(before, sample_rate)


def is_music(before: Audio, sample_rate: int) -> NDArray[np.bool_]:
    """Tell which clips sound, and are neither short nor faint nor a tone; (n,).

    Half a second to ten, above -50 dBFS, less than a tenth digital silence, sounding in the last 50 ms, and with no
    more than 95 % of the energy in the twenty strongest frequencies and at least -45 dB of it above 1.5 kHz.
    """
    samples = before.shape[1]
    if not 0.5 <= samples / sample_rate <= 10:
        return np.zeros(len(before), dtype=np.bool_)
    old = before.astype(np.float64)
    power = np.abs(np.fft.rfft(old, axis=1)) ** 2
    total = power.sum(axis=1)
    strongest = np.partition(power, -20, axis=1)[:, -20:].sum(axis=1)
    level = np.mean(old**2, axis=1)
    tail = np.mean(old[:, -round(TAIL_S * sample_rate) :] ** 2, axis=1)
    sounds = (level > 1e-5) & (np.mean(old == 0, axis=1) < 0.1) & (tail > 1e-3 * level)
    treble = power[:, round(1500 * samples / sample_rate) :].sum(axis=1)
    return np.asarray(sounds & (strongest < 0.95 * total) & (treble > 10**-4.5 * total), dtype=np.bool_)


def band_claims(attack: Attack) -> tuple[Claim, ...]:
    """Return the bands of an attack at its strength as claims about the median clip; none where none were measured.

    They were measured for the strengths of the standard grid; for others there is none.
    """
    bands = _bands().get(attack.id)
    if bands is None:
        return ()
    return tuple(Claim(quantity, low, high) for quantity, (low, high) in bands.items())


@lru_cache(maxsize=1)
def bands_sha256() -> str:
    """Hash of the bands: other ones may judge otherwise."""
    return hashlib.sha256(_bands_file().read_bytes()).hexdigest()


def _bands_file() -> Traversable:
    return resources.files(__package__).joinpath("bands.csv")


@lru_cache(maxsize=1)
def _bands() -> dict[str, dict[str, tuple[float, float]]]:
    by_attack: dict[str, dict[str, tuple[float, float]]] = {}
    text = _bands_file().read_text(encoding="utf-8")
    for attack, quantity, low, high in list(csv.reader(text.splitlines()))[1:]:
        by_attack.setdefault(attack, {})[quantity] = float(low), float(high)
    return by_attack


def _losses(old: Floats, new: Floats, *, is_aligned: bool) -> dict[str, Floats]:
    """The loss of the waveform, or of the short-time magnitudes where it does not stay in place; and of the halves."""
    if new.shape != old.shape:
        common = min(old.shape[1], new.shape[1])
        later = slice(common // 2, common)
        return {"loss_db": _loss_db(old[:, later], new[:, later]), "balance_db": np.full(len(old), np.nan)}
    if not is_aligned:
        old, new = (_magnitudes(batch) for batch in (old, new))
    half = old.shape[1] // 2
    first, second = (_loss_db(old[:, part], new[:, part]) for part in (slice(half), slice(half, None)))
    with np.errstate(invalid="ignore"):
        return {"loss_db": _loss_db(old, new), "balance_db": first - second}


def _loss_db(old: Floats, new: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(10 * np.log10(np.sum(old**2, axis=1) / np.sum((new - old) ** 2, axis=1)))


_REACH_MS, _STEP_MS = 3.0, 0.25
_TIMED = 12


def _timing_ms(old: Floats, new: Floats, sample_rate: int, judged: NDArray[np.bool_]) -> Floats:
    """How late the short-time magnitudes of the clips after come: the shift at which they fit those before best.

    A frame after is held against the frame before at the proportional time, so that a clip may be stretched as well.
    """
    timing = np.full(len(old), np.nan)
    chosen = np.flatnonzero(judged)
    chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, _TIMED).astype(int))]
    step, reach = _STEP_MS * sample_rate / 1000, round(_REACH_MS / _STEP_MS)
    margin = round(reach * step) + 1
    ratio = old.shape[1] / new.shape[1]
    centres = np.arange(_WIDTH // 2 + margin / ratio, new.shape[1] - _WIDTH, _WIDTH // 2)
    at = centres * ratio
    centres = centres[(at - margin >= _WIDTH // 2) & (at + margin + _WIDTH // 2 < old.shape[1])]
    if len(centres) < 4:
        return timing
    window, inside = np.hanning(_WIDTH), np.arange(_WIDTH) - _WIDTH // 2
    places = np.rint(centres).astype(int)[:, None] + inside
    for index in chosen:
        after = np.abs(np.fft.rfft(new[index][places] * window, axis=1))
        errors = np.empty(2 * reach + 1)
        for turn, shift in enumerate(np.arange(-reach, reach + 1)):
            # What comes late by the shift stood so much earlier before.
            at_before = np.rint(centres * ratio - shift * step).astype(int)[:, None] + inside
            errors[turn] = np.sum((after - np.abs(np.fft.rfft(old[index][at_before] * window, axis=1))) ** 2)
        best = int(np.clip(errors.argmin(), 1, 2 * reach - 1))
        left, low, right = errors[best - 1 : best + 2]
        curvature = max(left - 2 * low + right, 1e-30)
        timing[index] = (best - reach + np.clip(0.5 * (left - right) / curvature, -1, 1)) * _STEP_MS
    return timing


def _magnitudes(batch: Floats) -> Floats:
    """Short-time magnitudes in order of time, (n, frames x bins)."""
    frames = np.lib.stride_tricks.sliding_window_view(batch, _WIDTH, axis=1)[:, :: _WIDTH // 2]
    return np.abs(np.fft.rfft(frames * np.hanning(_WIDTH), axis=2)).reshape(len(batch), -1)


def _ratio_db(after: Floats, before: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.maximum(10 * np.log10(after / before), _LOWEST_DB)
    return np.where(before > 0, ratio, np.nan)
