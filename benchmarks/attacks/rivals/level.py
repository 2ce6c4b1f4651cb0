"""Level and dynamics in audiomentations, torchaudio and scipy."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.attacks.rivals import Perturb, Rival

RATE = 16_000


def _audiomentations(name: str, **settings: Any) -> Callable[[], Perturb]:
    """A transform of audiomentations whose random settings are fixed."""

    def make() -> Perturb:
        import audiomentations

        transform = getattr(audiomentations, name)(p=1.0, **settings)
        return lambda clip: transform(clip, RATE)

    return make


def _torch(build: Callable[[Any, Any], Callable[[Any], Any]]) -> Callable[[], Perturb]:
    """A function of tensors, built from torch and torchaudio."""

    def make() -> Perturb:
        import torch
        import torchaudio

        perturb = build(torch, torchaudio)
        return lambda clip: perturb(torch.from_numpy(clip)).numpy()

    return make


def _torchaudio_loudness(torch: Any, torchaudio: Any) -> Callable[[Any], Any]:
    measure = torchaudio.transforms.Loudness(RATE)
    return lambda clip: clip * 10 ** ((-23 - measure(clip[None])) / 20)


def _torchaudio_fade(torch: Any, torchaudio: Any) -> Callable[[Any], Any]:
    return lambda clip: torchaudio.transforms.Fade(clip.numel() // 10, clip.numel() // 10, "half_sine")(clip)


def _torch_ring(torch: Any, torchaudio: Any) -> Callable[[Any], Any]:
    return lambda clip: clip * torch.cos(torch.arange(clip.numel()) * (2 * torch.pi * 440 / RATE))


def _torch_tremolo(torch: Any, torchaudio: Any) -> Callable[[Any], Any]:
    def perturb(clip: Any) -> Any:
        swing = 0.5 - 0.5 * torch.cos(torch.arange(clip.numel()) * (2 * torch.pi * 4 / RATE))
        return clip * (1 - 0.6 * swing)

    return perturb


def _scipy_gate() -> Perturb:
    """The envelope of the analytic signal, smoothed over 10 ms, against its percentile."""
    from scipy import ndimage, signal

    def perturb(clip: np.ndarray) -> np.ndarray:
        envelope = ndimage.uniform_filter1d(np.abs(signal.hilbert(clip)), RATE // 100)
        return np.where(envelope < np.percentile(envelope, 25), 0, clip).astype(np.float32)

    return perturb


RIVALS: list[Rival] = [
    Rival("gain.-6db", "audiomentations", _audiomentations("Gain", min_gain_db=-6, max_gain_db=-6)),
    Rival("gain.-6db", "torchaudio", _torch(lambda torch, torchaudio: lambda x: torchaudio.functional.gain(x, -6.0))),
    Rival("peak_normalise.-1dbfs", "audiomentations", _audiomentations("Normalize")),
    Rival("loudness.-23lufs", "torchaudio", _torch(_torchaudio_loudness)),
    Rival(
        "clipping.5percent",
        "audiomentations",
        _audiomentations("ClippingDistortion", min_percentile_threshold=5, max_percentile_threshold=5),
    ),
    Rival(
        "soft_clipping.5x",
        "audiomentations",
        _audiomentations("TanhDistortion", min_distortion=0.5, max_distortion=0.5),
    ),
    Rival("polarity", "audiomentations", _audiomentations("PolarityInversion")),
    Rival(
        "dc_offset.5percent",
        "torchaudio",
        _torch(lambda torch, torchaudio: lambda x: torchaudio.functional.dcshift(x, 0.05)),
    ),
    Rival("noise_gate.25percent.1ms.50ms", "scipy", _scipy_gate),
    Rival("tremolo.4hz.60percent", "torch", _torch(_torch_tremolo)),
    Rival("ring_modulation.440hz", "torch", _torch(_torch_ring)),
    Rival(
        "level_ramp.-12db",
        "audiomentations",
        _audiomentations(
            "GainTransition",
            min_gain_db=-12,
            max_gain_db=0,
            min_duration=1.0,
            max_duration=1.0,
            duration_unit="fraction",
        ),
    ),
    Rival("fade.10percent", "torchaudio", _torch(_torchaudio_fade)),
    Rival(
        "suppress.10percent",
        "audiomentations",
        _audiomentations("TimeMask", min_band_part=0.1, max_band_part=0.1, fade_duration=0.0),
    ),
]
