"""From a written piece to finished audio: render the parts, balance them, add the room, set the loudness."""

from typing import Final

import numpy as np

from sealproof.harness.corpora.demo.score import Part, Score, Span
from sealproof.harness.corpora.demo.sound import INSTRUMENTS, Kit, Signal, Tone, biquad

PEAK_LIMIT: Final = 0.98
_KNEE: Final = 0.7
_FADE_S: Final = 0.01


def mix_score(score: Score, samples: int, sample_rate: int, rng: np.random.Generator) -> Signal:
    """Render and master a piece.

    Args:
        score: What to play.
        samples: Length of the result.
        sample_rate: In Hz.
        rng: Draws the timbres, the room and the loudness.

    Returns:
        Shape (samples,), mono, |x| <= `PEAK_LIMIT`, zero at both ends.
    """
    style = score.style
    total = np.zeros(samples)
    for part in score.parts:
        total += _levelled(_part_bus(part, samples, sample_rate, rng), part.level_db)
    if score.hits:
        total += _levelled(_drum_bus(score, samples, sample_rate, rng), score.drums_level_db)
    total = _saturated(total, rng.uniform(*style.drive))
    total = _in_room(total, rng.uniform(*style.reverb_s), rng.uniform(0.05, 0.3), sample_rate, rng)
    total = _equalised(total, style.cutoff_hz, sample_rate, rng)
    return _mastered(total, rng.uniform(*style.loudness_db), sample_rate, rng)


def _rms(audio: Signal) -> float:
    return float(np.sqrt(np.mean(audio**2)))


def _gain(level_db: float) -> float:
    return float(10.0 ** (level_db / 20.0))


def _levelled(bus: Signal, level_db: float) -> Signal:
    """Bring a bus to `level_db` below full-scale RMS, whatever its instrument puts out; silence stays silence."""
    return bus * (_gain(level_db) / max(_rms(bus), 1e-9))


def _place(bus: Signal, sound: Signal, start_s: float, gain: float, sample_rate: int) -> None:
    """Add a sound to a bus, cut at the end of the bus."""
    start = int(start_s * sample_rate)
    room = len(bus) - start
    if room > 0:
        bus[start : start + len(sound)] += gain * sound[:room]


def _part_bus(part: Part, samples: int, sample_rate: int, rng: np.random.Generator) -> Signal:
    bus = np.zeros(samples)
    play, colour = INSTRUMENTS[part.instrument], float(rng.random())
    for note in part.notes:
        frequency_hz = 440.0 * 2.0 ** ((note.pitch - 69.0) / 12.0)
        sound = play(Tone(frequency_hz, note.held_s, note.velocity, colour, sample_rate, rng))
        _place(bus, sound, note.start_s, note.velocity, sample_rate)
    return _overdriven(bus, sample_rate, rng) if part.instrument == "distorted_guitar" else bus


def _overdriven(bus: Signal, sample_rate: int, rng: np.random.Generator) -> Signal:
    """A guitar amplifier: clip the bus, then the loudspeaker's band."""
    driven = np.tanh(bus * rng.uniform(4.0, 15.0) / max(_rms(bus), 1e-9) * 0.3)
    return biquad(biquad(driven, "high", 90.0, sample_rate), "low", rng.uniform(2_500.0, 5_000.0), sample_rate)


def _drum_bus(score: Score, samples: int, sample_rate: int, rng: np.random.Generator) -> Signal:
    bus = np.zeros(samples)
    kit = Kit(tuning=rng.uniform(0.8, 1.25), ring=rng.uniform(0.7, 1.5), sample_rate=sample_rate)
    cymbals = rng.uniform(0.2, 0.6)
    for hit in score.hits:
        balance = 1.0 if hit.drum in ("kick", "snare", "clap", "tom_low", "tom_high") else cymbals
        _place(bus, kit.strike(hit.drum, rng), hit.start_s, hit.velocity * balance, sample_rate)
    return bus


def _saturated(audio: Signal, drive: float) -> Signal:
    """Tape-like soft clipping; 0 leaves the audio alone."""
    if drive <= 0.0:
        return audio
    scale = drive / (3.0 * max(_rms(audio), 1e-9))
    return np.asarray(np.tanh(audio * scale) / scale)


def _in_room(audio: Signal, decay_s: float, wet: float, sample_rate: int, rng: np.random.Generator) -> Signal:
    """Add a room: noise that dies by 60 dB in `decay_s`, its treble in half that time, `wet` of the power."""
    from scipy.signal import oaconvolve

    times = np.arange(int(decay_s * sample_rate)) / sample_rate
    noise = rng.standard_normal(len(times))
    dark = biquad(noise, "low", 1_500.0, sample_rate)
    response = dark * 0.001 ** (times / decay_s) + (noise - dark) * 0.3 * 0.001 ** (2.0 * times / decay_s)
    response *= np.minimum(times / 0.012, 1.0)
    reverb = biquad(np.asarray(oaconvolve(audio, response)[: len(audio)]), "high", 150.0, sample_rate)
    matched = reverb * (_rms(audio) / max(_rms(reverb), 1e-9))
    return np.asarray(np.sqrt(1.0 - wet) * audio + np.sqrt(wet) * matched)


def _equalised(audio: Signal, cutoff_hz: Span, sample_rate: int, rng: np.random.Generator) -> Signal:
    """Tone of the recording: more or less bass and treble, and a top that rolls off somewhere in the style's range."""
    low = biquad(audio, "low", 200.0, sample_rate)
    high = biquad(audio, "high", 2_000.0, sample_rate)
    shelved = audio + rng.uniform(0.0, 2.5) * low + rng.uniform(-0.6, 1.2) * high
    cutoff = float(np.exp(rng.uniform(*np.log(cutoff_hz))))
    rolled = shelved if cutoff > 0.4 * sample_rate else biquad(shelved, "low", cutoff, sample_rate, q=0.6)
    return biquad(rolled, "high", 30.0, sample_rate)


def _mastered(audio: Signal, loudness_db: float, sample_rate: int, rng: np.random.Generator) -> Signal:
    """Level changes over the piece, loudness, noise floor, limiter and fades."""
    times = np.arange(len(audio)) / sample_rate
    swell_db = rng.uniform(0.0, 4.0) * np.sin(2.0 * np.pi * (times * rng.uniform(0.03, 0.12) + rng.random()))
    level = _levelled(audio * 10.0 ** (swell_db / 20.0), loudness_db)
    floor = _levelled(_pink_noise(len(audio), rng), loudness_db - rng.uniform(35.0, 65.0))
    limited = _limited(level + floor)
    limited -= np.mean(limited)
    fade = np.minimum(np.minimum(times, times[::-1]) / _FADE_S, 1.0)
    return np.clip(limited, -PEAK_LIMIT, PEAK_LIMIT) * fade


def _pink_noise(samples: int, rng: np.random.Generator) -> Signal:
    """Room and tape noise, 3 dB down per octave (J. O. Smith's three-pole filter)."""
    from scipy.signal import lfilter

    b = [0.049922035, -0.095993537, 0.050612699, -0.004408786]
    a = [1.0, -2.494956002, 2.017265875, -0.522189400]
    return np.asarray(lfilter(b, a, rng.standard_normal(samples)), dtype=np.float64)


def _limited(audio: Signal) -> Signal:
    """Leave samples below the knee alone and bend those above it towards the limit, smoothly."""
    room = PEAK_LIMIT - _KNEE
    over = np.maximum(np.abs(audio) - _KNEE, 0.0)
    bent = _KNEE + room * np.tanh(over / room)
    return np.where(over > 0.0, np.sign(audio) * bent, audio)
