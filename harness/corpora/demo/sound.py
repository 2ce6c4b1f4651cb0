"""How demo music sounds: instruments and drums, each one function from a note to its samples.

All of them are short vectorised formulas in float64; none keeps state, and noise comes from the generator passed in.
Partials and filters stop below the Nyquist frequency, so every instrument works at every sample rate.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]


@dataclass(frozen=True)
class Tone:
    """One note as an instrument sees it; `colour` in [0, 1] is the piece's brightness of that instrument."""

    frequency_hz: float
    held_s: float
    velocity: float
    colour: float
    sample_rate: int
    rng: np.random.Generator

    def times(self, release_s: float) -> Signal:
        """Sample times in seconds, from the onset to the end of the release."""
        return np.arange(int((self.held_s + release_s) * self.sample_rate) + 1) / self.sample_rate

    def partials(self, limit: int) -> Signal:
        """Numbers of the harmonics, 1, 2, ..., that fit below 0.47 of the sample rate, at most `limit` of them."""
        return np.arange(1.0, max(2, min(limit + 1, int(0.47 * self.sample_rate / self.frequency_hz))))


def adsr(times: Signal, held_s: float, *, attack_s: float, decay_s: float, sustain: float) -> Signal:
    """Attack-decay-sustain-release envelope; the release lasts from `held_s` to the last time, ends at 0, no jumps."""
    attack_s = min(attack_s, 0.5 * held_s)
    rising = np.minimum(times / attack_s, 1.0)
    if sustain < 1.0:
        rising *= sustain + (1.0 - sustain) * np.exp(-np.maximum(times - attack_s, 0.0) / decay_s)
    remaining = np.clip((times[-1] - times) / max(times[-1] - held_s, 1e-3), 0.0, 1.0)
    return np.asarray(rising * remaining**2)


def damped_partials(
    frequencies_hz: Signal, decays_per_s: Signal, gains: Signal, samples: int, sample_rate: int
) -> Signal:
    """Sum of exponentially decaying sines, all starting at zero phase; shape (samples,).

    `exp((i w - d) t)` over blocks is an outer product (block start times offset in block), so the whole bank is one
    small tensor contraction in place of partials x samples sines. `einsum` keeps to one thread: the bits do not depend
    on the number of cores, as those of a BLAS product may.
    """
    block = 128
    audible = frequencies_hz < 0.48 * sample_rate
    rates = (2j * np.pi * frequencies_hz[audible] - decays_per_s[audible])[:, None] / sample_rate
    starts = gains[audible, None] * np.exp(rates * np.arange(0, samples, block))
    offsets = np.exp(rates * np.arange(block))
    grid = np.einsum("ki,kj->ij", starts.real, offsets.imag) + np.einsum("ki,kj->ij", starts.imag, offsets.real)
    return np.asarray(grid.ravel()[:samples])


def biquad(
    audio: Signal, kind: Literal["low", "high", "band"], cutoff_hz: float, sample_rate: int, q: float = 0.707
) -> Signal:
    """Second-order filter (R. Bristow-Johnson's cookbook); cut-offs past the Nyquist frequency are pulled below it."""
    from scipy.signal import lfilter

    w = 2.0 * np.pi * min(cutoff_hz, 0.45 * sample_rate) / sample_rate
    alpha, cosine = np.sin(w) / (2.0 * q), np.cos(w)
    b = {
        "low": np.array([1.0, 2.0, 1.0]) * (1.0 - cosine) / 2.0,
        "high": np.array([1.0, -2.0, 1.0]) * (1.0 + cosine) / 2.0,
        "band": np.array([alpha, 0.0, -alpha]),
    }[kind]
    return np.asarray(lfilter(b, [1.0 + alpha, -2.0 * cosine, 1.0 - alpha], audio), dtype=np.float64)


def _phase(tone: Tone, times: Signal, *, vibrato_cents: float, vibrato_hz: float = 5.3) -> Signal:
    """Phase in cycles of a tone whose vibrato sets in after the onset, as players do it."""
    depth = (2.0 ** (vibrato_cents / 1200.0) - 1.0) * np.minimum(times / 0.4, 1.0)
    rate = vibrato_hz * tone.rng.uniform(0.9, 1.1)
    wobble = depth * np.sin(2.0 * np.pi * (rate * times + tone.rng.random()))
    return tone.rng.random() + np.cumsum(tone.frequency_hz * (1.0 + wobble)) / tone.sample_rate


def _harmonics(phase: Signal, gains: Signal, bloom: Signal | None = None) -> Signal:
    """Sum of `gains[k] * bloom**k * sin((k+1) phase)` by the Chebyshev recurrence, which needs one sine only.

    A `bloom` in [0, 1] over time opens and closes the upper partials, as blowing harder does on a brass instrument.
    """
    angle = 2.0 * np.pi * phase
    turn = 2.0 * np.cos(angle)
    before, current, following = np.zeros_like(angle), np.sin(angle), np.empty_like(angle)
    if bloom is not None:
        turn *= bloom
    total = gains[0] * current
    for gain in gains[1:]:
        if bloom is not None:
            before *= bloom**2
        np.multiply(turn, current, out=following)
        following -= before
        before, current, following = current, following, before
        total += gain * current
    return np.asarray(total)


def _sawtooth(phase: Signal, step: float) -> Signal:
    """Sawtooth in [-1, 1] with its jumps smoothed over one sample each way (polyBLEP) to keep aliases down."""
    position = phase % 1.0
    wave = 2.0 * position - 1.0
    after = np.maximum(1.0 - position / step, 0.0)
    before = np.maximum(1.0 - (1.0 - position) / step, 0.0)
    return np.asarray(wave + after**2 - before**2)


def _swept(wave: Signal, times: Signal, tone: Tone, *, dull_hz: float, bright_hz: float, fall_s: float) -> Signal:
    """A low-pass that closes after the onset, made by fading from a bright copy to a dull one."""
    openness = np.exp(-times / fall_s) * tone.velocity
    dull = biquad(wave, "low", dull_hz, tone.sample_rate, q=1.2)
    bright = biquad(wave, "low", bright_hz, tone.sample_rate)
    return dull + openness * (bright - dull)


def _decaying(tone: Tone, ratios: Signal, gains: Signal, decays_per_s: Signal, release_s: float) -> Signal:
    """Struck instruments: partials that die at their own rates, damped further when the note is let go."""
    times = tone.times(release_s)
    wave = damped_partials(ratios * tone.frequency_hz, decays_per_s, gains, len(times), tone.sample_rate)
    return wave * adsr(times, tone.held_s, attack_s=0.002, decay_s=1.0, sustain=1.0)


def piano(tone: Tone) -> Signal:
    """Piano: slightly stretched partials, upper ones shorter, brighter when hit harder; a felt thump at the onset."""
    k = tone.partials(28)
    slope = 2.0 - 0.7 * tone.colour - 0.6 * (tone.velocity - 0.5)
    decay = 0.8 * (tone.frequency_hz / 220.0) ** 0.6
    wave = _decaying(tone, k * np.sqrt(1.0 + 3e-4 * k**2), k**-slope, decay * (1.0 + 0.35 * k), 0.3)
    felt = tone.rng.standard_normal(len(wave)) * np.exp(-np.arange(len(wave)) / (0.004 * tone.sample_rate))
    return wave + 0.08 * tone.velocity * biquad(felt, "low", 2_500.0, tone.sample_rate)


def electric_piano(tone: Tone) -> Signal:
    """Electric piano by FM: a soft body at 1:1 and a short bright tine at 1:14."""
    times = tone.times(0.25)
    angle = 2.0 * np.pi * tone.frequency_hz * times
    body = np.sin(angle + (0.5 + 1.5 * tone.colour * tone.velocity) * np.exp(-times / 0.4) * np.sin(angle))
    tine_fits = 16.0 * tone.frequency_hz < 0.48 * tone.sample_rate
    tine = 0.25 * tone.velocity * np.exp(-times / 0.12) * np.sin((14.0 if tine_fits else 4.0) * angle)
    return (body + tine) * np.exp(-times / 1.2) * adsr(times, tone.held_s, attack_s=0.002, decay_s=1.0, sustain=1.0)


def pluck(tone: Tone, *, damping: float, pick_hz: float) -> Signal:
    """Plucked string (Karplus and Strong, 1983): a noise burst circling in a slightly lossy delay line.

    It is summed from the modes of that loop, one decaying sine each: the same sound, exactly in tune, without a filter
    as long as the string. Each turn multiplies a mode by the loss and by the gain of the loop's two-point average.
    """
    times = tone.times(0.15)
    k = tone.partials(140)
    average = np.abs(1.0 - damping + damping * np.exp(2j * np.pi * k * tone.frequency_hz / tone.sample_rate))
    decays = 1.7 - tone.frequency_hz * np.log(average)
    burst = tone.rng.uniform(0.3, 1.0, len(k)) * tone.rng.choice([-1.0, 1.0], len(k))
    gains = burst / (1.0 + (k * tone.frequency_hz / (pick_hz * (0.4 + tone.velocity))) ** 2)
    string = damped_partials(k * tone.frequency_hz, decays, gains, len(times), tone.sample_rate)
    return string * adsr(times, tone.held_s, attack_s=0.001, decay_s=1.0, sustain=1.0)


def guitar(tone: Tone) -> Signal:
    """Acoustic guitar: a pluck with the piece's pick position."""
    return pluck(tone, damping=0.45 - 0.3 * tone.colour, pick_hz=1_000.0 + 4_000.0 * tone.colour)


def harp(tone: Tone) -> Signal:
    """Harp: a soft pluck."""
    return pluck(tone, damping=0.4, pick_hz=900.0 + 1_500.0 * tone.colour)


def plucked_bass(tone: Tone) -> Signal:
    """Bass guitar: a dull pluck over its own fundamental, which the noise burst may hold little of."""
    times = tone.times(0.15)
    string = pluck(tone, damping=0.5, pick_hz=250.0 + 800.0 * tone.colour)
    body = np.sin(2.0 * np.pi * tone.frequency_hz * times) * np.exp(-times / 0.8)
    return string + 0.5 * body * adsr(times, tone.held_s, attack_s=0.006, decay_s=1.0, sustain=1.0)


def marimba(tone: Tone) -> Signal:
    """Marimba bar: partials 1 : 3.93 : 9.24, dying fast."""
    gains = np.array([1.0, 0.25 + 0.2 * tone.colour, 0.12]) * np.array([1.0, tone.velocity, tone.velocity])
    return _decaying(tone, np.array([1.0, 3.93, 9.24]), gains, np.array([4.0, 14.0, 35.0]), 0.4)


def vibraphone(tone: Tone) -> Signal:
    """Vibraphone: long bar partials 1 : 4 : 10 behind a slow fan."""
    wave = _decaying(tone, np.array([1.0, 4.0, 10.0]), np.array([1.0, 0.3, 0.1]), np.array([1.0, 3.0, 9.0]), 0.6)
    return wave * (1.0 + 0.3 * np.sin(2.0 * np.pi * 5.5 * np.arange(len(wave)) / tone.sample_rate))


def bell(tone: Tone) -> Signal:
    """Bell: inharmonic partials an octave up, left to ring."""
    ratios = 2.0 * np.array([0.5, 1.0, 1.19, 1.5, 2.0, 2.74, 3.76, 5.4])
    gains = np.array([0.4, 1.0, 0.6, 0.5, 0.7, 0.4, 0.3, 0.2]) * (0.6 + 0.4 * tone.colour) ** np.arange(8)
    return _decaying(tone, ratios, gains, 0.7 + 0.6 * ratios, 1.5)


def organ(tone: Tone) -> Signal:
    """Drawbar organ: nine steady partials and a key click."""
    ratios = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0])
    gains = np.array([0.5, 1.0, 0.4, 0.7, 0.45, 0.4, 0.2, 0.2, 0.25]) * (0.4 + 0.6 * tone.colour) ** np.arange(9)
    times = tone.times(0.06)
    wave = damped_partials(ratios * tone.frequency_hz, np.zeros(9), gains, len(times), tone.sample_rate)
    rotor = 1.0 + 0.12 * np.sin(2.0 * np.pi * (6.4 * times + tone.rng.random()))
    return wave * rotor * adsr(times, tone.held_s, attack_s=0.008, decay_s=1.0, sustain=1.0)


def strings(tone: Tone) -> Signal:
    """String section: two desks a few cents apart, each with vibrato, rosin-bright or soft by colour."""
    times = tone.times(0.35)
    gains = tone.partials(16) ** -(1.8 - 0.8 * tone.colour)
    total = np.zeros(len(times))
    for cents in (-6.0, 5.0):
        player = replace(tone, frequency_hz=tone.frequency_hz * 2.0 ** (cents / 1200.0))
        total += _harmonics(_phase(player, times, vibrato_cents=14.0), gains)
    bow = biquad(tone.rng.standard_normal(len(times)), "band", 3_500.0, tone.sample_rate)
    return (total + 0.05 * bow) * adsr(times, tone.held_s, attack_s=0.12, decay_s=1.0, sustain=0.9)


def brass(tone: Tone) -> Signal:
    """Brass: the upper partials bloom with the breath."""
    times = tone.times(0.12)
    breath = adsr(times, tone.held_s, attack_s=0.06, decay_s=0.25, sustain=0.7)
    bloom = breath ** (0.6 - 0.35 * tone.colour) * (0.72 + 0.2 * tone.velocity)
    return breath * _harmonics(_phase(tone, times, vibrato_cents=8.0), tone.partials(22) ** -0.6, bloom)


def flute(tone: Tone) -> Signal:
    """Flute: few partials, vibrato, and breath noise around the note."""
    times = tone.times(0.1)
    gains = (0.25 + 0.25 * tone.colour) ** (tone.partials(8) - 1.0)
    breath = biquad(tone.rng.standard_normal(len(times)), "band", 3.0 * tone.frequency_hz, tone.sample_rate, q=1.5)
    wave = _harmonics(_phase(tone, times, vibrato_cents=20.0), gains) + (0.05 + 0.15 * tone.colour) * breath
    return wave * adsr(times, tone.held_s, attack_s=0.05, decay_s=0.5, sustain=0.85)


def choir(tone: Tone) -> Signal:
    """Choir: harmonics shaped by the formants of a vowel between 'oo' and 'ah'."""
    times = tone.times(0.4)
    formants = ((350.0 + 350.0 * tone.colour, 1.0), (850.0 + 300.0 * tone.colour, 0.5), (2_600.0, 0.15))
    hertz = tone.partials(24) * tone.frequency_hz
    gains = sum((gain / (1.0 + ((hertz - peak) / 150.0) ** 2) for peak, gain in formants), start=0.02 / hertz * 200.0)
    first = _harmonics(_phase(tone, times, vibrato_cents=25.0), gains)
    second = _harmonics(_phase(tone, times, vibrato_cents=18.0, vibrato_hz=4.6), gains)
    return (first + second) * adsr(times, tone.held_s, attack_s=0.2, decay_s=1.0, sustain=0.9)


def saw_pad(tone: Tone) -> Signal:
    """Synthesiser pad: four detuned sawtooths under a slowly opening filter."""
    times = tone.times(0.5)
    detunes = 2.0 ** (np.array([-11.0, -4.0, 5.0, 12.0]) / 1200.0)
    steps = tone.frequency_hz * detunes / tone.sample_rate
    wave = np.zeros(len(times))
    for step in steps:
        wave += _sawtooth(tone.rng.random() + step * np.arange(len(times)), step)
    dull, bright = 500.0 + 900.0 * tone.colour, 2_000.0 + 5_000.0 * tone.colour
    opening = 0.5 - 0.5 * np.cos(2.0 * np.pi * (0.2 * times + tone.rng.random()))
    low, high = (biquad(wave, "low", cutoff, tone.sample_rate) for cutoff in (dull, bright))
    return (low + opening * (high - low)) * adsr(times, tone.held_s, attack_s=0.25, decay_s=1.0, sustain=0.9)


def saw_lead(tone: Tone) -> Signal:
    """Synthesiser lead: two sawtooths, the filter closing after the onset."""
    times = tone.times(0.12)
    step = tone.frequency_hz / tone.sample_rate
    phase = _phase(tone, times, vibrato_cents=8.0)
    wave = _sawtooth(phase, step) + _sawtooth(1.006 * phase, 1.006 * step)
    bright_hz = 3_000.0 + 5_000.0 * tone.colour
    wave = _swept(wave, times, tone, dull_hz=700.0 + 1_500.0 * tone.colour, bright_hz=bright_hz, fall_s=0.25)
    return wave * adsr(times, tone.held_s, attack_s=0.006, decay_s=0.3, sustain=0.6)


def square_lead(tone: Tone) -> Signal:
    """Chip-like pulse wave; the piece's colour sets how narrow the pulse is."""
    times = tone.times(0.05)
    step = tone.frequency_hz / tone.sample_rate
    phase = _phase(tone, times, vibrato_cents=10.0)
    wave = _sawtooth(phase, step) - _sawtooth(phase + 0.5 - 0.35 * tone.colour, step)
    return wave * adsr(times, tone.held_s, attack_s=0.003, decay_s=0.2, sustain=0.6)


def saw_bass(tone: Tone) -> Signal:
    """Synthesiser bass: a sawtooth over a sine, the filter snapping shut."""
    times = tone.times(0.05)
    step = tone.frequency_hz / tone.sample_rate
    phase = tone.rng.random() + tone.frequency_hz * times
    dull_hz = 150.0 + 250.0 * tone.colour
    wave = _swept(_sawtooth(phase, step), times, tone, dull_hz=dull_hz, bright_hz=6.0 * dull_hz, fall_s=0.12)
    return (wave + np.sin(2.0 * np.pi * phase)) * adsr(times, tone.held_s, attack_s=0.004, decay_s=0.5, sustain=0.7)


def square_bass(tone: Tone) -> Signal:
    """Chip bass: a softened square wave."""
    times = tone.times(0.03)
    step = tone.frequency_hz / tone.sample_rate
    phase = tone.frequency_hz * times
    wave = biquad(_sawtooth(phase, step) - _sawtooth(phase + 0.5, step), "low", 900.0, tone.sample_rate)
    return wave * adsr(times, tone.held_s, attack_s=0.003, decay_s=0.3, sustain=0.7)


def fm_bass(tone: Tone) -> Signal:
    """FM bass: an index that falls quickly, for a rounded thump."""
    times = tone.times(0.08)
    angle = 2.0 * np.pi * tone.frequency_hz * times
    index = (1.0 + 3.0 * tone.colour) * tone.velocity * np.exp(-times / 0.15) + 0.3
    return np.sin(angle + index * np.sin(angle)) * adsr(times, tone.held_s, attack_s=0.005, decay_s=0.6, sustain=0.5)


INSTRUMENTS: Final[dict[str, Callable[[Tone], Signal]]] = {
    "bell": bell,
    "brass": brass,
    "choir": choir,
    "distorted_guitar": guitar,  # the mix overdrives its bus: distortion acts on whole chords, not on single notes
    "electric_piano": electric_piano,
    "flute": flute,
    "fm_bass": fm_bass,
    "guitar": guitar,
    "harp": harp,
    "marimba": marimba,
    "organ": organ,
    "piano": piano,
    "plucked_bass": plucked_bass,
    "saw_bass": saw_bass,
    "saw_lead": saw_lead,
    "saw_pad": saw_pad,
    "square_bass": square_bass,
    "square_lead": square_lead,
    "strings": strings,
    "vibraphone": vibraphone,
}


@dataclass(frozen=True)
class Kit:
    """A drum kit: its tuning (1 = normal) and how long its drums ring (1 = normal)."""

    tuning: float
    ring: float
    sample_rate: int

    def strike(self, drum: str, rng: np.random.Generator) -> Signal:
        """One stroke at full velocity; no two strokes are equal.

        Raises:
            ValueError: No such drum.
        """
        if drum in _SKINS:
            return self._skin(*_SKINS[drum], rng=rng)
        if drum in _METALS:
            return self._metal(*_METALS[drum], rng=rng)
        if drum == "clap":
            return self._clap(rng)
        raise ValueError(f"The 'drum' of Kit.strike must be one of {', '.join(DRUM_NAMES)}. Got {drum!r}.")

    def _times(self, seconds: float) -> Signal:
        return np.arange(int(seconds * self.ring * self.sample_rate) + 1) / self.sample_rate

    def _skin(
        self, high_hz: float, low_hz: float, fall_s: float, ring_s: float, noise: float, noise_hz: float,
        rng: np.random.Generator,
    ) -> Signal:  # fmt: skip
        """A struck skin: a tone that drops in pitch, and noise (wires, stick) that is over sooner."""
        times = self._times(4.0 * ring_s)
        low, high = low_hz * self.tuning, high_hz * self.tuning
        cycles = low * times + (high - low) * fall_s * (1.0 - np.exp(-times / fall_s))
        body = np.sin(2.0 * np.pi * cycles) * np.exp(-times / (ring_s * self.ring))
        hiss = biquad(rng.standard_normal(len(times)), "high", noise_hz, self.sample_rate)
        stroke = body + noise * hiss * np.exp(-times / (0.7 * ring_s * self.ring))
        return np.asarray(stroke * np.minimum(times / 0.001, 1.0) * _fade_out(times))

    def _metal(
        self, cutoff_hz: float, ring_s: float, attack_s: float, tonal: float, rng: np.random.Generator
    ) -> Signal:
        """Cymbals and shakers: high-passed noise and a cluster of inharmonic partials."""
        times = self._times(4.0 * ring_s)
        hiss = biquad(rng.standard_normal(len(times)), "high", cutoff_hz, self.sample_rate)
        cluster = self.tuning * np.array([2_050.0, 2_730.0, 3_370.0, 4_110.0, 5_230.0, 6_470.0])
        decays = np.full(6, 0.3 / ring_s)
        ringing = damped_partials(cluster, decays, np.full(6, 0.4), len(times), self.sample_rate)
        envelope = np.minimum(times / attack_s, 1.0) * np.exp(-times / (ring_s * self.ring))
        return np.asarray(0.5 * (hiss + tonal * ringing) * envelope * _fade_out(times))

    def _clap(self, rng: np.random.Generator) -> Signal:
        """Several hands a few milliseconds apart."""
        times = self._times(0.35)
        envelope = np.exp(-np.maximum(times - 0.024, 0.0) / 0.07) * (times >= 0.024)
        for hand_s in (0.0, 0.008, 0.017):
            envelope = np.maximum(envelope, np.exp(-np.abs(times - hand_s) / 0.003))
        hiss = biquad(rng.standard_normal(len(times)), "band", 1_500.0 * self.tuning, self.sample_rate, q=0.9)
        return np.asarray(1.5 * hiss * envelope * np.minimum(times / 0.001, 1.0) * _fade_out(times))


# high_hz, low_hz, fall_s, ring_s, noise, noise_hz
_SKINS: Final[dict[str, tuple[float, float, float, float, float, float]]] = {
    "kick": (170.0, 48.0, 0.025, 0.11, 0.03, 1_500.0),
    "snare": (260.0, 185.0, 0.02, 0.075, 0.55, 1_200.0),
    "tom_low": (130.0, 85.0, 0.05, 0.2, 0.03, 800.0),
    "tom_high": (220.0, 150.0, 0.05, 0.15, 0.04, 1_000.0),
    "rim": (1_900.0, 1_700.0, 0.01, 0.02, 0.1, 2_500.0),
}
# cutoff_hz, ring_s, attack_s, tonal
_METALS: Final[dict[str, tuple[float, float, float, float]]] = {
    "hat": (5_500.0, 0.03, 0.001, 0.5),
    "open_hat": (5_000.0, 0.13, 0.001, 0.5),
    "ride": (4_500.0, 0.14, 0.001, 0.4),
    "crash": (3_000.0, 0.5, 0.002, 0.6),
    "shaker": (4_000.0, 0.025, 0.012, 0.0),
}
DRUM_NAMES: Final = (*_SKINS, *_METALS, "clap")


def _fade_out(times: Signal) -> Signal:
    """Bring the last tenth down to zero, so that a cut-off ring does not click."""
    return np.asarray(np.clip(10.0 * (1.0 - times / times[-1]), 0.0, 1.0))
