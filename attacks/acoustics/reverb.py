"""Reverberation: delayed copies of the clip are added to it, and the direct sound stays as it was."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, AttackError, Audio, Claim, Facts, parameter

Response = NDArray[np.float64]
"""Impulse response of a room; sample 0 is the direct sound, with amplitude 1."""

SPEED_OF_SOUND = 343.0
"""In m/s, at 20 C."""


@dataclass(frozen=True, kw_only=True)
class Echo(Attack):
    """Adds one delayed copy of the clip, scaled by a linear gain.

    y[n] = x[n] + gain x[n - d]. The direct sound keeps its level and place, and nothing is normalised. The delay is
    rounded to whole samples; what would ring on beyond the end of the clip is cut, so that the longest delay is the
    weakest, and a clip shorter than the delay comes back as it was.
    """

    name: ClassVar[str] = "echo"
    family: ClassVar[str] = "reverb"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "gain": (0.1, 0.2, 0.3, 0.4, 0.5),
        "delay_ms": (900, 700, 500, 300, 200, 50),
    }

    delay_ms: float = parameter(unit="ms", low=1, high=1000, default=100.0)
    gain: float = parameter(unit="x", low=0, high=1, above_low=True, default=0.3)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Add the copy."""
        del rngs
        delay = self._delay(sample_rate)
        echoed = batch.copy()
        echoed[:, delay:] += np.float32(self.gain) * batch[:, : max(0, batch.shape[1] - delay)]
        return Attacked(echoed)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The copy has its gain at its delay, and the direct sound is left alone."""
        del sample_rate
        return (
            Claim.about("direct_gain", 1, 1e-3, every=True),
            Claim.about("echo_gain", self.gain, 1e-3, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Fit direct_gain x[n] + echo_gain x[n - d] to each clip by least squares."""
        delay = self._delay(sample_rate)
        gains = np.full((len(before), 2), np.nan)
        if delay < before.shape[1]:
            for row, direct, echoed in zip(gains, before.astype(np.float64), after.astype(np.float64), strict=True):
                direct_now, direct_then, heard = direct[delay:], direct[: direct.size - delay], echoed[delay:]
                a, b, c = direct_now @ direct_now, direct_now @ direct_then, direct_then @ direct_then
                determinant = a * c - b * b
                if determinant > 1e-6 * a * c:  # else the clip repeats itself after the delay, or is silent
                    p, q = direct_now @ heard, direct_then @ heard
                    row[:] = (c * p - b * q) / determinant, (a * q - b * p) / determinant
        return {"direct_gain": gains[:, 0], "echo_gain": gains[:, 1]}

    def _delay(self, sample_rate: int) -> int:
        delay = round(self.delay_ms * sample_rate / 1000)
        if delay == 0:
            raise AttackError(
                f"The 'delay_ms' of echo must be at least half a sample at {sample_rate} Hz. Got {self.delay_ms:g}."
            )
        return delay

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips that end, or fall silent, before the copy comes."""
        delay = self._delay(sample_rate)
        return np.asarray(~before[:, : max(0, before.shape[1] - delay)].any(axis=1), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class Reverb(Attack):
    """Adds the late reverberation of a random room of given reverberation time and direct-to-reverberant ratio.

    The impulse response is 1 at sample 0 (the direct sound, neither delayed nor scaled) and behind it Gaussian noise
    with the envelope 10^(-3 t / RT60), which falls by 60 dB in the reverberation time: J.-D. Polack, "La transmission
    de l'energie sonore dans les salles", thesis, Le Mans 1988. It is scaled so that the energy of the direct sound over
    that of the noise is `drr_db` exactly. Every clip gets a room of its own; what rings on beyond its end is cut.
    """

    name: ClassVar[str] = "reverb"
    family: ClassVar[str] = "reverb"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"rt60_ms": (200, 500, 1000, 2000), "drr_db": (18, 12, 0, -6)}
    is_ordered: ClassVar[bool] = False  # a longer decay spreads the same energy
    is_random: ClassVar[bool] = True

    rt60_ms: float = parameter(unit="ms", low=20, high=10_000, default=500.0)
    drr_db: float = parameter(unit="db", low=-20, high=40, default=6.0)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> tuple[Audio, Facts]:
        """Convolve with a response of its own."""
        response = polack_response(self.rt60_ms, self.drr_db, sample_rate, rng)
        return convolve(clip, response), {"rt60_ms": reverberation_time_ms(response, sample_rate)}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The reverberation time of the responses, and the energy that they add to a clip.

        The change of a tonal clip scatters about the ratio, and part of a long decay falls beyond the end.
        """
        del sample_rate
        return (
            Claim.about("rt60_ms", self.rt60_ms, 0.1 * self.rt60_ms),
            Claim("snr_db", self.drr_db - 3, self.drr_db + 5),
            # A reverberation louder than the direct sound may well be what correlates best.
            *((Claim("delay_samples"),) if self.drr_db < 0 else ()),
        )


@dataclass(frozen=True, kw_only=True)
class Shoebox(Attack):
    """Plays the clip in a rectangular room of 7.1 x 5.3 x 2.9 m whose walls absorb a given part of the energy.

    Image-source method of J. B. Allen and D. A. Berkley, "Image method for efficiently simulating small-room
    acoustics", J. Acoust. Soc. Am. 65(4), 1979: an image at distance r that stands for k reflections arrives with the
    amplitude (1 - absorption)^(k/2) / r, here relative to the direct sound, whose travel time is taken away. As there,
    arrivals are rounded to whole samples, and a high-pass (order 2, 50 Hz) keeps the reflections, all of one sign, from
    piling up at 0 Hz. All images count that arrive before Eyring's reverberation time (0.13 s at 60 %, 1.1 s at 10 %).
    Source and microphone stand `distance_m` apart along the room, 1.4 m above the floor.
    """

    name: ClassVar[str] = "shoebox"
    family: ClassVar[str] = "reverb"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "absorption_percent": (80, 60, 40, 20),
        "distance_m": (0.25, 0.5, 2, 4),
    }

    distance_m: float = parameter(unit="m", low=0.1, high=5, default=1.0)
    absorption_percent: float = parameter(unit="percent", low=10, high=100, below_high=True, default=40.0)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> tuple[Audio, Facts]:
        """Convolve with the response of the room, which is computed once."""
        del rng
        response = shoebox_response(self.distance_m, self.absorption_percent / 100, sample_rate)
        return convolve(clip, response), {"rt60_ms": reverberation_time_ms(response, sample_rate)}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Eyring's formula and the diffuse-field theory, neither of which the image sources know about.

        In a room whose height is less than its other sides the decay is slower than Eyring's, the more so the more the
        walls absorb.
        """
        del sample_rate
        eyring = 1000 * eyring_rt60_s(self.absorption_percent / 100)
        drr_db = 20 * math.log10(critical_distance_m(VOLUME, eyring / 1000) / self.distance_m)
        return (
            Claim("rt60_ms", 0.8 * eyring, 2 * eyring),
            Claim.about("snr_db", drr_db, 6),
            *((Claim("delay_samples"),) if drr_db < 0 else ()),
        )


ROOM = (7.1, 5.3, 2.9)
SOURCE = (1.3, 2.3, 1.4)
VOLUME = math.prod(ROOM)


def eyring_rt60_s(absorption: float) -> float:
    """Reverberation time of the shoebox after C. F. Eyring (1930): 0.161 V / (-S ln(1 - absorption))."""
    x, y, z = ROOM
    return 0.161 * VOLUME / (-2 * (x * y + y * z + z * x) * math.log1p(-absorption))


def critical_distance_m(volume_m3: float, rt60_s: float) -> float:
    """Where direct and diffuse sound are equally strong: 0.057 sqrt(V / RT60) (H. Kuttruff, "Room Acoustics")."""
    return 0.057 * math.sqrt(volume_m3 / rt60_s)


def polack_response(rt60_ms: float, drr_db: float, sample_rate: int, rng: np.random.Generator) -> Response:
    """Return a random room after Polack's statistical model, as long as its reverberation time."""
    length = max(2, round(rt60_ms * sample_rate / 1000))
    response = rng.standard_normal(length)
    response *= _envelope(length)
    response[0] = 0
    response *= math.sqrt(10 ** (-drr_db / 10) / (response @ response))
    response[0] = 1
    return response


@lru_cache(maxsize=16)
def _envelope(length: int) -> Response:
    envelope = 10 ** (-3 * np.arange(length) / length)
    envelope.flags.writeable = False
    return np.asarray(envelope)


@lru_cache(maxsize=32)
def shoebox_response(distance_m: float, absorption: float, sample_rate: int) -> Response:
    """Return the response of the room to a source at `SOURCE` and a microphone `distance_m` further along it."""
    from scipy import signal

    reach = distance_m + SPEED_OF_SOUND * eyring_rt60_s(absorption)
    (x, x_bounces), (y, y_bounces), (z, z_bounces) = (
        _images(length, source, source + offset, reach)
        for length, source, offset in zip(ROOM, SOURCE, (distance_m, 0, 0), strict=True)
    )
    across = (y[:, None] ** 2 + z**2).ravel()
    across_bounces = (y_bounces[:, None] + z_bounces).ravel()
    per_metre = sample_rate / SPEED_OF_SOUND
    response = np.zeros(1 + round((reach - distance_m) * per_metre))
    for along, bounces in zip(x, x_bounces, strict=True):  # one slice at a time: all images would not fit the cache
        distance = np.sqrt(along**2 + across)
        near = distance <= reach
        distance, total = distance[near], bounces + across_bounces[near]
        arrival = np.rint((distance - distance_m) * per_metre).astype(np.intp)
        amplitude = (1 - absorption) ** (0.5 * total) * distance_m / distance
        response += np.bincount(arrival, amplitude, minlength=response.size)
    response[0] = 0
    high_pass = signal.butter(2, min(50, sample_rate / 200), "highpass", fs=sample_rate, output="sos")
    response = np.asarray(signal.sosfilt(high_pass, response))
    response[0] = 1
    response.flags.writeable = False
    return response


def _images(length: float, source: float, microphone: float, reach: float) -> tuple[Response, NDArray[np.intp]]:
    """Along one axis: places of the images seen from the microphone, and how often each was reflected."""
    rooms = np.arange(-math.ceil(reach / (2 * length)) - 1, math.ceil(reach / (2 * length)) + 2)
    places = np.concatenate([2 * rooms * length + source, 2 * rooms * length - source]) - microphone
    bounces = np.concatenate([2 * np.abs(rooms), np.abs(rooms) + np.abs(rooms - 1)])
    seen = np.abs(places) <= reach
    return places[seen], bounces[seen]


def convolve(clip: Audio, response: Response) -> Audio:
    """Return the clip (samples,) in a room, cut to its length; the direct sound passes bit for bit."""
    from scipy import fft

    tail = response[: clip.size].copy()
    tail[0] -= 1
    size = fft.next_fast_len(clip.size + tail.size - 1, real=True)
    spectrum = fft.rfft(clip.astype(np.float64), size) * fft.rfft(tail, size)
    return np.asarray(clip + fft.irfft(spectrum, size)[: clip.size], dtype=np.float32)


def reverberation_time_ms(response: Response, sample_rate: int) -> float:
    """Measure RT60 on an impulse response: Schroeder's backward integral from -5 to -25 dB, times three (T20).

    M. R. Schroeder, "New method of measuring reverberation time", J. Acoust. Soc. Am. 37, 1965; the range is that of
    ISO 3382-1. The direct sound is left out.

    Returns:
        In ms; NaN if nothing decays by 25 dB.
    """
    left = np.cumsum(response[:0:-1] ** 2)[::-1]  # energy that is still to come
    if left.size == 0 or left[0] == 0:
        return math.nan
    start, end = left.size - np.searchsorted(left[::-1], left[0] * np.array([10**-0.5, 10**-2.5]))
    if end - start < 2:
        return math.nan
    levels = 10 * np.log10(left[start:end])
    times = np.arange(levels.size) - (levels.size - 1) / 2
    db_per_sample = float((times @ levels) / (times @ times))
    return -60_000 / (db_per_sample * sample_rate) if db_per_sample < 0 else math.nan
