"""Clean clips that a lazy detector would flag: simple sounds at a mark's level, and what is left of other clips' marks.

Each is added to a clean host and labelled clean, so that neither a tone nor a waveform common to all marks will do.
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.foundation.audio.files import SAMPLE_RATE

if TYPE_CHECKING:
    import torch

LOUDEST_DB, QUIETEST_DB = -10.0, -40.0
"""Level of an added sound, against its host."""

_HIGHEST_HZ = 7900.0
_NETWORK_HZ = 50.0
"""Steps of the networks in a second: what they make by themselves repeats at this rate."""

_OFTEN_BELOW_HZ = 4000.0
"""Where marks are, so that each multiple of that rate is heard often enough."""

_REMEMBERED = 0.5
"""Share of the sounds that are heard again, once enough are remembered."""

_EVEN_SHARE = 0.3
"""Of remembered sounds that is drawn whatever their hardness, so that what was hard once is tried again."""

_NEWEST = 0.4
"""Weight of the newest answer: hosts and perturbations differ from one hearing to the next."""

Floats = NDArray[np.floating[Any]]

Drawn = Callable[[int, Floats, np.random.Generator], Floats]


def _frequency(peaks: Floats, rng: np.random.Generator, highest: float = _HIGHEST_HZ) -> float:
    """A frequency at which marks are strong now, a multiple of the networks' rate or of its half, or any other."""
    kind = rng.random()
    if kind < 0.3 and (usable := peaks[(peaks > 0) & (peaks <= highest)]).size:
        return float(rng.choice(usable) + rng.uniform(-1, 1))
    if kind < 0.8:
        # Between two lines, both hear a tone.
        step = _NETWORK_HZ / (2 if rng.random() < 0.3 else 1)
        return float(step * rng.integers(1, int(min(highest, _OFTEN_BELOW_HZ) / step) + 1))
    return float(np.exp(rng.uniform(math.log(20), math.log(highest))))


def _sines(hz: Floats, amplitudes: Floats, n: int, rng: np.random.Generator) -> Floats:
    time = np.arange(n) / SAMPLE_RATE
    phases = rng.uniform(0, 2 * math.pi, len(hz))
    kept = hz < SAMPLE_RATE / 2
    waves = np.sin(2 * math.pi * hz[kept, None] * time + phases[kept, None])
    return np.asarray(amplitudes[kept] @ waves)


def _sine(n: int, peaks: Floats, rng: np.random.Generator) -> Floats:
    return _sines(np.array([_frequency(peaks, rng)]), np.ones(1), n, rng)


def _several(n: int, peaks: Floats, rng: np.random.Generator) -> Floats:
    hz = np.array([_frequency(peaks, rng) for _ in range(int(rng.integers(2, 5)))])
    return _sines(hz, rng.uniform(0.3, 1, len(hz)), n, rng)


def _stack(n: int, peaks: Floats, rng: np.random.Generator) -> Floats:
    harmonics = np.arange(1, int(rng.integers(2, 11)) + 1)
    # Half of the time a harmonic, not the first, stands where marks are.
    first = (
        _frequency(peaks, rng) / int(rng.choice(harmonics)) if rng.random() < 0.5 else _frequency(peaks, rng, 2000.0)
    )
    return _sines(first * harmonics, harmonics ** -rng.uniform(-0.3, 1.5), n, rng)


def _hum(n: int, _: Floats, rng: np.random.Generator) -> Floats:
    """Mains and its harmonics; half of the time exactly at the networks' rate or twice that, all of them alike."""
    harmonics = np.arange(1, int(rng.integers(2, 60)) + 1)
    if rng.random() < 0.5:
        return _sines(_NETWORK_HZ * float(rng.integers(1, 3)) * harmonics, rng.uniform(0.3, 1, len(harmonics)), n, rng)
    off_hz = float(rng.choice([-1, 1])) * 10 ** rng.uniform(-2.5, -0.7)
    first = float(rng.choice([50.0, 50.0, 60.0, 100.0, 120.0])) + off_hz
    return _sines(first * harmonics, rng.uniform(0.1, 1, len(harmonics)) * harmonics ** -rng.uniform(0, 1), n, rng)


def _chirp(n: int, peaks: Floats, rng: np.random.Generator) -> Floats:
    """One glide, or one after another at a rate of which the networks' is a multiple: its lines lie where marks are."""
    first, last = _frequency(peaks, rng), _frequency(peaks, rng)
    per_second = SAMPLE_RATE / n if rng.random() < 0.4 else _NETWORK_HZ / float(rng.integers(1, 11))
    place = (np.arange(n) * per_second / SAMPLE_RATE) % 1
    return np.sin(2 * math.pi * np.cumsum(first + (last - first) * place) / SAMPLE_RATE)


def _noise(n: int, peaks: Floats, rng: np.random.Generator) -> Floats:
    """Noise with a slope, half the time in a band only, half the time in bursts."""
    hz = np.fft.rfftfreq(n, 1 / SAMPLE_RATE)
    gain = np.maximum(hz, 30.0) ** -rng.uniform(0, 1)
    if rng.random() < 0.5:
        centre = _frequency(peaks, rng)
        gain *= np.abs(np.log2(np.maximum(hz, 1.0) / centre)) < rng.uniform(0.05, 1)
    noise = np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * gain, n)
    if rng.random() < 0.5:
        rate, open_share = rng.uniform(2, 60), rng.uniform(0.1, 0.6)
        noise *= (np.arange(n) * rate / SAMPLE_RATE + rng.random()) % 1 < open_share
    return noise


_SOUNDS: Mapping[str, Drawn] = {
    "sine": _sine,
    "several": _several,
    "stack": _stack,
    "hum": _hum,
    "chirp": _chirp,
    "noise": _noise,
}
_SOUND_SHARES = np.array([0.22, 0.12, 0.27, 0.22, 0.1, 0.07])


def draw_sound(n: int, peaks: Floats, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw a simple sound, shape (n,), of RMS 1: a tone, several, a stack of harmonics, hum, a chirp or noise.

    Args:
        n: Samples.
        peaks: Frequencies at which marks are strong now, in Hz.
        rng: Draws all.
    """
    make = list(_SOUNDS.values())[int(rng.choice(len(_SOUNDS), p=_SOUND_SHARES))]
    sound = make(n, peaks, rng)
    return (sound / max(float(np.sqrt(np.mean(sound**2))), 1e-6)).astype(np.float32)


class DrawnSounds(NamedTuple):
    """Sounds of `HardSounds.draw`.

    Attributes:
        audio: At their levels against a host of RMS 1, shape (n, samples).
        places: Of each among the remembered, -1 for a new one; shape (n,).
    """

    audio: NDArray[np.float32]
    places: NDArray[np.int64]


class HardSounds:
    """Remembers the sounds that fooled the detector most: the worst of thousands is heard again until it fools no more.

    Sounds drawn anew are forgotten at once when they fool nobody; a plain draw meets the few that do too seldom.

    Args:
        capacity: How many are remembered; 0: none.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.sounds: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self.hardness: NDArray[np.float64] = np.zeros(0)

    def draw(self, n: int, samples: int, peaks: Floats, rng: np.random.Generator) -> DrawnSounds:
        """Draw sounds, half of them remembered ones, the more often the harder."""
        level = 10 ** (rng.uniform(QUIETEST_DB, LOUDEST_DB, n) / 20)
        drawn = np.stack([draw_sound(samples, peaks, rng) * np.float32(loudness) for loudness in level])
        places = np.full(n, -1, np.int64)
        if 0 < self.capacity == len(self.sounds):
            again = np.flatnonzero(rng.random(n) < _REMEMBERED)
            shares = self.hardness + _EVEN_SHARE * self.hardness.mean() + 1e-9
            places[again] = rng.choice(len(shares), size=len(again), p=shares / shares.sum(), replace=False)
            drawn[again] = self.sounds[places[again]]
        return DrawnSounds(drawn, places)

    def learn(self, drawn: DrawnSounds, hardness: NDArray[np.float64]) -> None:
        """Keep what fooled the detector more than what is remembered; believe of remembered sounds the newest answers.

        Args:
            drawn: What `draw` returned.
            hardness: How sure the detector was of each, from 0 to 1, shape (n,).
        """
        for sound, place, value in zip(*drawn, hardness, strict=True):
            if place >= 0:
                self.hardness[place] += _NEWEST * (value - self.hardness[place])
            elif len(self.sounds) < self.capacity:
                self.sounds = np.concatenate([self.sounds.reshape(-1, len(sound)), sound[None]])
                self.hardness = np.append(self.hardness, value)
            elif self.capacity and value > self.hardness.min():
                easiest = int(self.hardness.argmin())
                self.sounds[easiest], self.hardness[easiest] = sound, value


def peaks_of(watermark: "torch.Tensor") -> Floats:
    """Return the strongest frequencies of each mark and of their mean spectrum, in Hz."""
    import torch

    with torch.no_grad():
        power = torch.fft.rfft(watermark.squeeze(1)).abs().square()
        power = power / (power.sum(1, keepdim=True) + 1e-12)
        top = torch.cat([power.topk(2, dim=1).indices.flatten(), power.mean(0).topk(16).indices])
    hz: Floats = top.numpy().astype(float) * (SAMPLE_RATE / watermark.shape[-1])
    return hz


def with_sounds(host: "torch.Tensor", sounds: NDArray[np.float32]) -> "torch.Tensor":
    """Add a sound of its own to each clip, shape (n, 1, samples), as loud as it is against a host of RMS 1."""
    import torch

    rms = host.square().mean(-1, keepdim=True).sqrt()
    return host + rms * torch.from_numpy(sounds)[:, None]


def mean_marks(watermark: "torch.Tensor", n: int, rng: np.random.Generator) -> "torch.Tensor":
    """Return `n` means over all or half of the marks, each as loud as one of them: what their waveforms share.

    Args:
        watermark: Shape (clips, 1, samples).
        n: How many.
        rng: Draws which marks are averaged, and the level.
    """
    import torch

    power = watermark.detach().square().mean(-1, keepdim=True)
    means = []
    for _ in range(n):
        size = len(watermark) if rng.random() < 0.5 else len(watermark) // 2
        chosen = torch.from_numpy(rng.permutation(len(watermark))[:size])
        # Each as loud as the others, or the loudest one would be a copy of one clip's mark.
        mean = (watermark[chosen] / (power[chosen] + 1e-12).sqrt()).mean(0)
        means.append(mean / (mean.detach().square().mean().sqrt() + 1e-6))
    return torch.stack(means)


def moved_in_frequency(watermark: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Move each mark up or down by 30 to 600 Hz, all its frequencies alike; shape (n, 1, samples) as given."""
    import torch

    n = watermark.shape[-1]
    spectrum = torch.fft.rfft(watermark)
    moved = []
    for row in spectrum:
        bins = round(rng.uniform(30, 600) * n / SAMPLE_RATE)
        up = rng.random() < 0.5
        shifted = torch.roll(row, bins if up else -bins, -1)
        keep = torch.ones(row.shape[-1])
        keep[slice(None, bins) if up else slice(-bins, None)] = 0
        moved.append(shifted * keep)
    return torch.fft.irfft(torch.stack(moved), n=n)
