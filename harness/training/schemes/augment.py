"""Perturbations that a gradient can pass, so that generator and detector learn to survive them.

Everything acts on a batch of shape (n, 1, samples) at 16 kHz. What has no useful gradient (rounding, a codec) passes it
straight through: forward the real thing, backward the identity (Bengio et al., arXiv 1308.3432).
"""

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from sealproof.attacks import get_attack
from sealproof.attacks.contract.base import Attack
from sealproof.harness.foundation.audio.files import SAMPLE_RATE

if TYPE_CHECKING:
    import torch

Perturbation = Callable[["torch.Tensor", np.random.Generator], "torch.Tensor"]

_FILTER_TAIL = 1024
"""Zeros behind a clip while it is filtered in the frequency domain, so that its end does not leak into its start."""

_CODECS = ("mp3.64kbps", "mp3.48kbps", "mp3.32kbps", "aac.32kbps", "opus.24kbps")


def draw(weights: Mapping[str, float], rng: np.random.Generator) -> str:
    """Draw the name of a perturbation, each with a probability in proportion to its weight."""
    shares = np.array(list(weights.values()), float)
    return list(weights)[int(rng.choice(len(shares), p=shares / shares.sum()))]


def _straight_through(forward: "torch.Tensor", backward: "torch.Tensor") -> "torch.Tensor":
    return backward + (forward - backward).detach()


def _filtered(batch: "torch.Tensor", gain: Callable[["torch.Tensor"], "torch.Tensor"]) -> "torch.Tensor":
    """Apply a zero-phase filter given by its gain at frequencies in Hz."""
    import torch

    samples = batch.shape[-1]
    n = samples + _FILTER_TAIL
    spectrum = torch.fft.rfft(batch, n=n) * gain(torch.fft.rfftfreq(n, 1 / SAMPLE_RATE))
    return torch.fft.irfft(spectrum, n=n)[..., :samples]


def lowpass(batch: "torch.Tensor", cutoff_hz: float) -> "torch.Tensor":
    """Remove what lies above the cut-off; the edge is 8 % wide."""
    import torch

    def gain(hz: "torch.Tensor") -> "torch.Tensor":
        return 0.5 * (1 + torch.cos(math.pi * ((hz / cutoff_hz).clamp_min(1e-6).log2() / 0.12).clamp(0, 1)))

    return _filtered(batch, gain)


def highpass(batch: "torch.Tensor", cutoff_hz: float) -> "torch.Tensor":
    """Remove what lies below the cut-off; the edge is a quarter of an octave wide."""
    import torch

    def gain(hz: "torch.Tensor") -> "torch.Tensor":
        return 0.5 * (1 - torch.cos(math.pi * ((hz / cutoff_hz).clamp_min(1e-6).log2() / 0.25 + 1).clamp(0, 1)))

    return _filtered(batch, gain)


def bandstop(batch: "torch.Tensor", centre_hz: float, octaves: float) -> "torch.Tensor":
    """Remove a band of the given width around its centre."""

    def gain(hz: "torch.Tensor") -> "torch.Tensor":
        distance = (hz.clamp_min(1) / centre_hz).log2().abs() - octaves / 2
        return (distance / 0.1).clamp(0, 1)

    return _filtered(batch, gain)


def noise(batch: "torch.Tensor", snr_db: float, slope: float, rng: np.random.Generator) -> "torch.Tensor":
    """Add Gaussian noise whose power falls as 1/f^slope, at an SNR in dB."""
    import torch

    added = torch.from_numpy(rng.standard_normal(batch.shape).astype(np.float32))
    if slope:
        added = _filtered(added, lambda hz: (hz.clamp_min(50) / 1000) ** (-slope / 2))
    signal, hiss = (audio.detach().square().mean(-1, keepdim=True) for audio in (batch, added))
    return batch + added * (signal / hiss * 10 ** (-snr_db / 10)).sqrt()


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _equaliser(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    import torch

    gains_db = torch.tensor(rng.uniform(-8, 8, 9), dtype=torch.float32)

    def gain(hz: "torch.Tensor") -> "torch.Tensor":
        octave = (hz.clamp_min(62.5) / 62.5).log2()
        lower = octave.floor().clamp(0, 7).long()
        part = octave - lower
        return 10 ** ((gains_db[lower] * (1 - part) + gains_db[lower + 1] * part) / 20)

    return _filtered(batch, gain)


def _echo(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    import torch

    delay = int(rng.integers(160, 1600))
    return batch + rng.uniform(0.1, 0.5) * torch.nn.functional.pad(batch, (delay, 0))[..., : batch.shape[-1]]


def _smooth(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    import torch

    taps = int(rng.integers(2, 9))
    padded = torch.nn.functional.pad(batch, ((taps - 1) // 2, taps // 2))
    return torch.nn.functional.avg_pool1d(padded, taps, 1)


def _spectral_mask(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Drop what lies 20 to 45 dB below its surroundings in the spectrogram, as lossy codecs do."""
    import torch

    window = torch.hann_window(512)
    spectrum = torch.stft(batch.squeeze(1), 512, 128, window=window, return_complex=True)
    level = spectrum.abs()
    around = torch.nn.functional.max_pool2d(level.unsqueeze(1), (21, 5), 1, (10, 2)).squeeze(1)
    kept = (level > around * 10 ** (-rng.uniform(20, 45) / 20)).float()
    return torch.istft(spectrum * kept, 512, 128, window=window, length=batch.shape[-1]).unsqueeze(1)


def _clip(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    import torch

    limit = batch.detach().abs().flatten(1).quantile(float(rng.uniform(0.9, 0.995)), dim=1)[:, None, None]
    return torch.maximum(torch.minimum(batch, limit), -limit)


def _quantise(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    levels = _log_uniform(rng, 64, 2048)
    return _straight_through((batch * levels).round() / levels, batch)


def _drop(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    import torch

    kept = torch.ones_like(batch)
    for _ in range(int(rng.integers(1, 6))):
        start = int(rng.integers(0, batch.shape[-1] - 400))
        kept[..., start : start + int(rng.integers(20, 400))] = 0
    return batch * kept


def at_speed(batch: "torch.Tensor", factor: float) -> "torch.Tensor":
    """Plays a batch faster (above 1) or slower, by four-point interpolation; a missing end repeats the last samples.

    Args:
        batch: Shape (n, 1, samples).
        factor: Relative speed.

    Returns:
        Same shape.

    Source: the Catmull-Rom spline, one point before and two behind each place.
    """
    import torch

    samples = batch.shape[-1]
    at = (torch.arange(samples) * factor).clamp(1, samples - 3)
    before = at.floor().long()
    t = at - before
    a, b, c, d = (batch[..., before + offset] for offset in (-1, 0, 1, 2))
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _notches(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Remove bands of one random width, each with the same probability: from 50 Hz up to every other 500 Hz."""
    import torch

    width = _log_uniform(rng, 40, 700)
    first = rng.uniform(0, width)
    removed = rng.random(int(SAMPLE_RATE / 2 / width) + 2) < rng.uniform(0.1, 0.6)
    if rng.random() < 0.25:
        removed = np.arange(len(removed)) % 2 == int(rng.integers(2))
    kept = torch.from_numpy((~removed).astype(np.float32))
    return _filtered(batch, lambda hz: kept[((hz + first) / width).long()])


def _drop_band(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Remove one band of up to 300 Hz, anywhere below 4 kHz."""
    low = _log_uniform(rng, 20, 4000)
    high = low + _log_uniform(rng, 20, 300)
    return _filtered(batch, lambda hz: ((hz < low) | (hz > high)).float())


def without_band(batch: "torch.Tensor", centre_hz: float, rng: np.random.Generator) -> "torch.Tensor":
    """Remove 30 to 250 Hz around a frequency, it may lie anywhere within; shape (n, 1, samples)."""
    width = _log_uniform(rng, 30, 250)
    low = centre_hz - rng.uniform(0.1, 0.9) * width
    return _filtered(batch, lambda hz: ((hz < low) | (hz > low + width)).float())


def _speed(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Plays up to 4 % faster or slower, by linear interpolation; a missing end repeats the last sample but one."""
    import torch

    samples = batch.shape[-1]
    at = (torch.arange(samples) * float(rng.uniform(0.96, 1.04))).clamp_max(samples - 2)
    before = at.floor().long()
    part = at - before
    return batch[..., before] * (1 - part) + batch[..., before + 1] * part


def _pitch(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    """Move the pitch by up to 3 %: play at another speed and put grains back in their time, 60 ms every 30 ms."""
    import torch

    grain, samples = 960, batch.shape[-1]
    factor = float(rng.uniform(0.97, 1.03))
    window = torch.hann_window(grain)
    out = torch.zeros_like(batch)
    for start in range(0, samples - 2 * grain, grain // 2):
        part = at_speed(batch[..., start : start + grain + 64], factor)[..., 1 : grain + 1]
        out[..., start : start + grain] = out[..., start : start + grain] + part * window
    return out


@cache
def _codecs() -> tuple[Attack, ...]:
    return tuple(get_attack(name) for name in _CODECS)


def _codec(batch: "torch.Tensor", rng: np.random.Generator) -> "torch.Tensor":
    import torch

    codec = _codecs()[int(rng.integers(len(_CODECS)))]
    audio = np.ascontiguousarray(batch.detach().squeeze(1).clamp(-1, 1).numpy())
    coded = codec(audio, SAMPLE_RATE, [0] * len(audio))
    return _straight_through(torch.from_numpy(coded).unsqueeze(1), batch)


PERTURBATIONS: Mapping[str, Perturbation] = {
    "none": lambda batch, _: batch,
    "white_noise": lambda batch, rng: noise(batch, rng.uniform(15, 40), 0, rng),
    "pink_noise": lambda batch, rng: noise(batch, rng.uniform(10, 35), 1, rng),
    "lowpass": lambda batch, rng: lowpass(batch, _log_uniform(rng, 2000, 6200)),
    "resample": lambda batch, rng: lowpass(batch, float(rng.choice([3000, 3900, 3900, 5400]))),
    "highpass": lambda batch, rng: highpass(batch, _log_uniform(rng, 64, 1300)),
    "bandstop": lambda batch, rng: bandstop(batch, _log_uniform(rng, 500, 4000), float(rng.uniform(0.5, 1.5))),
    "bandpass": lambda batch, rng: highpass(lowpass(batch, _log_uniform(rng, 2900, 7100)), _log_uniform(rng, 90, 720)),
    "equaliser": _equaliser,
    "gain": lambda batch, rng: batch * 10 ** (float(rng.uniform(-12, 8)) / 20),
    "quantise": _quantise,
    "echo": _echo,
    "smooth": _smooth,
    "spectral_mask": _spectral_mask,
    "clip": _clip,
    "drop": _drop,
    "codec": _codec,
    "notches": _notches,
    "drop_band": _drop_band,
    "pitch": _pitch,
    "polarity": lambda batch, _: -batch,
    "speed": _speed,
}
"""What a recipe can weigh, by name."""
