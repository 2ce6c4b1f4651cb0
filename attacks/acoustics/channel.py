"""Physical channels: air, telephone, loudspeaker, and a recording of what a loudspeaker plays."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import soxr
from numpy.typing import NDArray

from sealproof.attacks.acoustics.modulation import read_at
from sealproof.attacks.acoustics.reverb import SPEED_OF_SOUND, convolve, critical_distance_m, polack_response
from sealproof.attacks.contract.base import Attack, AttackError, Audio, Claim, Facts, parameter

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class AirAbsorption(Attack):
    """Takes away what air absorbs over a distance, at 20 C, 50 % relative humidity and one atmosphere.

    Pure-tone attenuation after ISO 9613-1:1993, equations 3 to 5: 4.7 dB at 1 kHz, 29 dB at 4 kHz and 105 dB at 8 kHz
    for each kilometre. Applied to the spectrum with zero phase, so that nothing is delayed; the spreading of the sound,
    which is a mere gain, is left out.
    """

    name: ClassVar[str] = "air_absorption"
    family: ClassVar[str] = "channel"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"distance_m": (2, 5, 10, 20, 50, 100)}

    distance_m: float = parameter(unit="m", low=1, high=1000)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Weigh the spectrum."""
        from scipy import fft

        del rng
        # The response has died away to 1e-9 within 20 ms, even after a kilometre.
        size = fft.next_fast_len(clip.size + round(0.02 * sample_rate), real=True)
        spectrum = fft.rfft(clip.astype(np.float64), size) * _air_gain(self.distance_m, size, sample_rate)
        return np.asarray(fft.irfft(spectrum, size)[: clip.size], dtype=np.float32)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The loss in a narrow band at 3/8 of the sample rate."""
        loss = self.distance_m * float(air_attenuation_db_per_m(np.array(3 / 8 * sample_rate)))
        return (Claim.about("absorbed_db", loss, 0.02 + 0.05 * loss),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """The loss within 2 % of 3/8 of the sample rate."""
        centre = 3 / 8 * sample_rate
        return {"absorbed_db": -windowed_band_change_db(before, after, sample_rate, 0.98 * centre, 1.02 * centre)}


@dataclass(frozen=True, kw_only=True)
class Telephone(Attack):
    """Passes the clip through a digital telephone line: 300 to 3400 Hz, 8 kHz, 8 bits by mu-law or A-law.

    Resampled to 8 kHz by soxr, band-passed by the squared magnitude of a Butterworth filter of order 4 (-6 dB at the
    edges, no delay), coded and decoded by ITU-T G.711, and resampled back. Full scale is the overload point of the law,
    where audio is clipped.
    """

    name: ClassVar[str] = "telephone"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "channel"
    sweep: ClassVar[Mapping[str, tuple[str, ...]]] = {"law": ("mulaw", "alaw")}
    is_ordered: ClassVar[bool] = False

    law: str = parameter(unit="", kind=str, choices=("mulaw", "alaw"), default="mulaw")

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Go down to 8 kHz, through the codec and back."""
        from scipy import fft

        del rng
        if sample_rate < LINE_HZ:
            raise AttackError(f"The sample rate for telephone must be at least {LINE_HZ} Hz. Got {sample_rate}.")
        # 50 ms of zeros for what soxr rounds off the length, and for the filter to ring in.
        line = soxr.resample(np.pad(clip, (0, sample_rate // 20)), sample_rate, LINE_HZ, "HQ").astype(np.float64)
        size = fft.next_fast_len(line.size, real=True)
        line = fft.irfft(fft.rfft(line, size) * _line_gain(size), size)
        coded = np.asarray(g711(line, self.law), dtype=np.float32)
        return np.asarray(soxr.resample(coded, LINE_HZ, sample_rate, "HQ")[: clip.size])

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The band is passed, and nothing above it, where the sample rate leaves room for that."""
        passed = Claim.about("passband_change_db", 0, 0.5)
        above = Claim("above_band_db", high=-25)
        return (passed, above) if sample_rate >= 12_000 else (passed,)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """The change of level from 500 to 2500 Hz, and from 4.2 kHz upwards."""
        return {
            "passband_change_db": windowed_band_change_db(before, after, sample_rate, 500, 2500),
            "above_band_db": windowed_band_change_db(before, after, sample_rate, 4200, sample_rate / 2),
        }


@dataclass(frozen=True, kw_only=True)
class SmallSpeaker(Attack):
    """Plays the clip through a small closed loudspeaker, such as a telephone's, which has no bass.

    The response of a closed-box loudspeaker is a high-pass of second order, s^2 / (s^2 + s w0 / Q + w0^2): R. H. Small,
    "Closed-box loudspeaker systems", J. Audio Eng. Soc. 20(10), 1972. Below its resonance it falls by 12 dB an octave;
    at the resonance its gain is Q, here 1.4 (+3 dB), as of a lightly damped driver. Made digital by the bilinear
    transform at the resonance; causal, so the phase turns as that of a loudspeaker does, and nothing is delayed.
    """

    name: ClassVar[str] = "small_speaker"
    family: ClassVar[str] = "channel"
    keeps_polarity: ClassVar[bool] = False  # it turns phases
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"resonance_hz": (200, 300, 500, 800, 1200)}
    is_ordered: ClassVar[bool] = False  # what is passed turns its phase, and the SNR with it

    resonance_hz: float = parameter(unit="hz", low=50, high=4000)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Filter the clip."""
        from scipy import signal

        del rng
        if self.resonance_hz >= sample_rate / 2:
            raise AttackError(
                f"The 'resonance_hz' of small_speaker must be below {sample_rate / 2:g} Hz, half the sample rate. "
                f"Got {self.resonance_hz:g}."
            )
        return np.asarray(
            signal.lfilter(*closed_box(self.resonance_hz, sample_rate), clip.astype(np.float64)), np.float32
        )

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The gain at the resonance and an octave below it; the phase turns, so the correlation peak may move."""
        return (
            Claim.about("resonance_gain_db", 20 * math.log10(SPEAKER_Q), 1),
            Claim("octave_below_db", high=-6),
            Claim("delay_samples", -sample_rate / 500, sample_rate / 500),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """The change of level within 10 % of the resonance and of half of it."""
        at = self.resonance_hz
        return {
            "resonance_gain_db": windowed_band_change_db(before, after, sample_rate, 0.9 * at, 1.1 * at),
            "octave_below_db": windowed_band_change_db(before, after, sample_rate, 0.45 * at, 0.55 * at),
        }


@dataclass(frozen=True, kw_only=True)
class Rerecord(Attack):
    """Records the clip off a small loudspeaker in a room, at a distance in metres.

    The loudspeaker is `SmallSpeaker` with a resonance of 500 Hz. The room has 40 m3 and reverberates for 400 ms: a
    response after Polack, drawn for each clip, whose direct-to-reverberant ratio follows from the distance (0 dB at the
    critical distance of 0.57 m, 6 dB less for each doubling). The microphone adds white noise, 20 dB below what arrives
    directly at 1 m and thus 20 dB - 20 log10(distance / 1 m) below what arrives directly at the distance; its
    automatic gain keeps the direct sound's level. The travel time is taken away.
    """

    name: ClassVar[str] = "rerecord"
    family: ClassVar[str] = "channel"
    keeps_polarity: ClassVar[bool] = False  # it turns phases
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"distance_m": (0.1, 0.25, 0.5, 1, 2, 4)}
    is_random: ClassVar[bool] = True

    distance_m: float = parameter(unit="m", low=0.05, high=10)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> tuple[Audio, Facts]:
        """Loudspeaker, room, microphone."""
        from scipy import signal

        played = signal.lfilter(*closed_box(min(500, sample_rate / 4), sample_rate), clip.astype(np.float64))
        room = polack_response(400, self._drr_db, sample_rate, rng)
        noise = rng.standard_normal(clip.size)
        noise *= np.sqrt(np.mean(played**2)) * 10 ** (-self._noise_db / 20)
        recorded = convolve(played, room) + noise
        energies = [float(part @ part) for part in (played, noise)]
        measured = 10 * math.log10(energies[0] / energies[1]) if min(energies) > 0 else math.nan
        return np.asarray(recorded, dtype=np.float32), {"noise_snr_db": measured}

    @property
    def _drr_db(self) -> float:
        return 20 * math.log10(critical_distance_m(40, 0.4) / self.distance_m)

    @property
    def _noise_db(self) -> float:
        return 20 - 20 * math.log10(self.distance_m)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The noise is as loud as stated, and so is all that is not the loudspeaker's own sound."""
        del sample_rate
        disturbance = 10 ** (-self._drr_db / 10) + 10 ** (-self._noise_db / 10)
        return (
            Claim.about("noise_snr_db", self._noise_db, 0.5),
            Claim.about("speaker_snr_db", -10 * math.log10(disturbance), 4),
            # The loudspeaker turns phases, and a distant one is heard by way of the room.
            Claim("delay_samples"),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Energy of what the loudspeaker plays, over that of all that was recorded besides."""
        from scipy import signal

        filters = closed_box(min(500, sample_rate / 4), sample_rate)
        ratios = np.full(len(before), np.nan)
        for index, (old, new) in enumerate(zip(before.astype(np.float64), after, strict=True)):
            played = signal.lfilter(*filters, old)
            rest = new - played
            if played.any() and rest.any():
                ratios[index] = 10 * math.log10((played @ played) / (rest @ rest))
        return {"speaker_snr_db": ratios}


@dataclass(frozen=True, kw_only=True)
class Doppler(Attack):
    """Lets the source drive past the listener at a speed in km/h: the pitch falls and the level rises and falls.

    The source passes at 2 m in the middle of the clip on a straight line. What is heard at time t was emitted at the
    time e with t = e + (r(e) - 2 m) / c, at the gain 2 m / r(e): retarded time, P. M. Morse and K. U. Ingard,
    "Theoretical Acoustics", on moving sources. The middle of the clip keeps its place and level; the ends come late,
    and what would have been emitted before the clip begins is silence.
    """

    name: ClassVar[str] = "doppler"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "channel"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"speed_kmh": (5, 10, 30, 60, 120)}
    keeps_alignment: ClassVar[bool] = False

    speed_kmh: float = parameter(unit="kmh", low=1, high=600)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Read the clip at the times of emission."""
        del rng
        heard = (np.arange(clip.size) - clip.size / 2) / sample_rate
        emitted, distance = self._emission(heard)
        return np.asarray(
            read_at(clip, emitted * sample_rate + clip.size / 2) * (PASSING_M / distance), dtype=np.float32
        )

    def _emission(self, heard: Floats) -> tuple[Floats, Floats]:
        """For times of hearing in s, 0 when the source is nearest: when that was emitted, and how far away."""
        c, v = SPEED_OF_SOUND, self.speed_kmh / 3.6
        later = heard + PASSING_M / c
        # The earlier root of c^2 (later - e)^2 = PASSING_M^2 + v^2 e^2, written so that nothing cancels at e = 0.
        root = np.sqrt((v * c * later) ** 2 + (c**2 - v**2) * PASSING_M**2)
        emitted = (c**2 * later - root) / (c**2 - v**2)
        return emitted, np.hypot(PASSING_M, v * emitted)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """What was heard can be traced back to what was emitted."""
        del sample_rate
        return (Claim("traced_snr_db", low=20),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Read the result where t = e + (r(e) - 2 m) / c puts each moment of emission, and compare with the clip.

        Both are summed over four samples first, since the highest frequencies suffer from being interpolated twice.
        """
        samples = before.shape[1]
        emitted = (np.arange(samples) - samples / 2) / sample_rate
        distance = np.hypot(PASSING_M, self.speed_kmh / 3.6 * emitted)
        heard = (emitted + (distance - PASSING_M) / SPEED_OF_SOUND) * sample_rate + samples / 2
        inside = (heard >= 0) & (heard <= samples - 1)
        ratios = np.full(len(before), np.nan)
        if not inside.any():
            return {"traced_snr_db": ratios}
        for index, (old, new) in enumerate(zip(before, after, strict=True)):
            original = old[inside].astype(np.float64)
            error = read_at(new, heard[inside]) * (distance[inside] / PASSING_M) - original
            original, error = (np.convolve(each, np.ones(4)) for each in (original, error))
            if original.any() and error.any():
                ratios[index] = 10 * math.log10((original @ original) / (error @ error))
        return {"traced_snr_db": ratios}


LINE_HZ = 8000
"""Sample rate of a telephone line."""

SPEAKER_Q = 1.4
"""Quality factor of the loudspeaker at its resonance."""

PASSING_M = 2.0
"""Distance at which the moving source passes."""


def air_attenuation_db_per_m(
    frequency_hz: Floats, celsius: float = 20, humidity_percent: float = 50, pressure_kpa: float = 101.325
) -> Floats:
    """Pure-tone attenuation of sound in air after ISO 9613-1:1993, in dB/m.

    Args:
        frequency_hz: Any shape.
        celsius: Temperature of the air.
        humidity_percent: Relative humidity.
        pressure_kpa: Atmospheric pressure.
    """
    kelvin = celsius + 273.15
    pressure = pressure_kpa / 101.325
    warmth = kelvin / 293.15
    saturation = 10 ** (-6.8346 * (273.16 / kelvin) ** 1.261 + 4.6151)
    vapour_percent = humidity_percent * saturation / pressure
    oxygen_hz = pressure * (24 + 4.04e4 * vapour_percent * (0.02 + vapour_percent) / (0.391 + vapour_percent))
    nitrogen_hz = pressure * warmth**-0.5 * (9 + 280 * vapour_percent * math.exp(-4.170 * (warmth ** (-1 / 3) - 1)))
    square = np.asarray(frequency_hz, dtype=np.float64) ** 2
    classical = 1.84e-11 / pressure * warmth**0.5
    oxygen = 0.01275 * math.exp(-2239.1 / kelvin) / (oxygen_hz + square / oxygen_hz)
    nitrogen = 0.1068 * math.exp(-3352.0 / kelvin) / (nitrogen_hz + square / nitrogen_hz)
    return np.asarray(8.686 * square * (classical + warmth**-2.5 * (oxygen + nitrogen)))


@lru_cache(maxsize=16)
def _air_gain(distance_m: float, size: int, sample_rate: int) -> Floats:
    from scipy import fft

    gain = 10 ** (-distance_m * air_attenuation_db_per_m(fft.rfftfreq(size, 1 / sample_rate)) / 20)
    gain.flags.writeable = False
    return np.asarray(gain)


@lru_cache(maxsize=16)
def _line_gain(size: int) -> Floats:
    from scipy import fft, signal

    sections = signal.butter(4, (300, 3400), "bandpass", fs=LINE_HZ, output="sos")
    gain = np.abs(signal.freqz_sos(sections, fft.rfftfreq(size, 1 / LINE_HZ), fs=LINE_HZ)[1]) ** 2
    gain.flags.writeable = False
    return np.asarray(gain)


def g711(line: Floats, law: str) -> Floats:
    """Code and decode by ITU-T G.711: eight bits, a sign, eight segments, sixteen steps in each.

    Args:
        line: (samples,), full scale at 1.
        law: `mulaw` (14-bit input) or `alaw` (13-bit input).

    Returns:
        (samples,), full scale at 1.
    """
    sign = np.where(line < 0, -1.0, 1.0)
    if law == "mulaw":
        # Biased by 33, the segment is the power of two; 8158 is the highest magnitude that does not overload.
        biased = np.minimum(np.floor(np.abs(line) * 8192), 8158) + 33
        step = np.exp2(np.frexp(biased)[1] - 5)
        return np.asarray(sign * (np.floor(biased / step) * step + step / 2 - 33) / 8192)
    # The two lowest segments have the same step; above them the segment is the power of two.
    magnitude = np.minimum(np.floor(np.abs(line) * 4096), 4095)
    step = np.exp2(np.maximum(np.frexp(magnitude)[1] - 5, 1))
    return np.asarray(sign * (np.floor(magnitude / step) * step + step / 2) / 4096)


@lru_cache(maxsize=16)
def closed_box(resonance_hz: float, sample_rate: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Numerator and denominator of a closed-box loudspeaker with a Q of `SPEAKER_Q`, by the bilinear transform."""
    tangent = math.tan(math.pi * resonance_hz / sample_rate)
    lead = 1 + tangent / SPEAKER_Q + tangent**2
    return (
        (1 / lead, -2 / lead, 1 / lead),
        (1.0, 2 * (tangent**2 - 1) / lead, (1 - tangent / SPEAKER_Q + tangent**2) / lead),
    )


def windowed_band_change_db(before: Audio, after: Audio, sample_rate: int, low_hz: float, high_hz: float) -> Floats:
    """Change of the level between two frequencies, in dB; NaN where the clip has nothing to measure there.

    Both clips are windowed (Hann), so that the ends of a clip do not spill over into the band. Less than -80 dB of the
    clip's energy is nothing.
    """
    from scipy import fft

    samples = before.shape[1]
    first, last = math.ceil(low_hz * samples / sample_rate), math.floor(high_hz * samples / sample_rate)
    changes = np.full(len(before), np.nan)
    if last < first or samples < 64:
        return changes
    window = np.hanning(samples)
    for index, (old, new) in enumerate(zip(before, after, strict=True)):
        power = [np.abs(fft.rfft(clip * window)) ** 2 for clip in (old, new)]
        heard, left = (each[first : last + 1].sum() for each in power)
        if heard > 1e-8 * power[0].sum() and left > 0:
            changes[index] = 10 * math.log10(left / heard)
    return changes
