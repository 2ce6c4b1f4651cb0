"""Time, resampling, cutting and phase: audiomentations, torchaudio, librosa and scipy."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.rivals import Perturb, Rival

SAMPLE_RATE = 16_000

Clip = NDArray[np.float32]


def _audiomentations(name: str, **settings: object) -> Callable[[], Perturb]:
    def make() -> Perturb:
        import audiomentations

        transform = getattr(audiomentations, name)(p=1.0, **settings)
        return lambda clip: transform(clip, SAMPLE_RATE)

    return make


def _torchaudio_detour(via_hz: int) -> Callable[[], Perturb]:
    def make() -> Perturb:
        import torch
        from torchaudio.functional import resample

        # As steep as soxr's HQ: with the default width of 6 the upper tenth of the band is lost.
        def perturb(clip: Clip) -> Clip:
            detour = resample(torch.from_numpy(clip), SAMPLE_RATE, via_hz, lowpass_filter_width=64)
            back = resample(detour, via_hz, SAMPLE_RATE, lowpass_filter_width=64)
            return np.asarray(back.numpy()[: clip.size])

        return perturb

    return make


def _librosa_detour(via_hz: int) -> Callable[[], Perturb]:
    def make() -> Perturb:
        from librosa import resample

        return lambda clip: resample(
            resample(clip, orig_sr=SAMPLE_RATE, target_sr=via_hz), orig_sr=via_hz, target_sr=SAMPLE_RATE
        )[: clip.size]

    return make


def _scipy_detour(up: int, down: int) -> Callable[[], Perturb]:
    def make() -> Perturb:
        from scipy.signal import resample_poly

        return lambda clip: resample_poly(resample_poly(clip, up, down), down, up)[: clip.size]

    return make


def _torchaudio_speed() -> Perturb:
    import torch
    from torchaudio.functional import speed

    return lambda clip: np.asarray(speed(torch.from_numpy(clip), SAMPLE_RATE, 1.1)[0].numpy())


def _librosa_speed() -> Perturb:
    from librosa import resample

    return lambda clip: resample(clip, orig_sr=1.1 * SAMPLE_RATE, target_sr=SAMPLE_RATE)


def _librosa_stretch() -> Perturb:
    from librosa.effects import time_stretch

    return lambda clip: time_stretch(clip, rate=1.1)


def _librosa_pitch() -> Perturb:
    from librosa.effects import pitch_shift

    return lambda clip: pitch_shift(clip, sr=SAMPLE_RATE, n_steps=1.0)


def _spline(errors: Callable[[int], NDArray[np.float64]]) -> Callable[[], Perturb]:
    """Reads the clip at places that are off by errors(samples)."""

    def make() -> Perturb:
        from scipy.interpolate import CubicSpline

        def perturb(clip: Clip) -> Clip:
            places = np.arange(clip.size)
            return np.asarray(CubicSpline(places, clip)(places + errors(clip.size)), dtype=np.float32)

        return perturb

    return make


def _jitter(samples: int) -> NDArray[np.float64]:
    return 0.1 * np.random.default_rng(0).standard_normal(samples)


def _flutter(samples: int) -> NDArray[np.float64]:
    turns = 2 * np.pi * 6 * np.arange(samples) / SAMPLE_RATE
    return 0.001 * SAMPLE_RATE / (2 * np.pi * 6) * (1 - np.cos(turns))


def _half_a_sample(samples: int) -> NDArray[np.float64]:
    return np.full(samples, -0.5)


def _scipy_rotation() -> Perturb:
    from scipy.signal import hilbert

    turn = np.exp(0.5j * np.pi)
    return lambda clip: np.asarray((hilbert(clip) * turn).real, dtype=np.float32)


def _librosa_random_phase() -> Perturb:
    from librosa import istft, stft

    def perturb(clip: Clip) -> Clip:
        spectrum = stft(clip, n_fft=512, hop_length=128)
        angles = np.random.default_rng(0).uniform(-np.pi / 4, np.pi / 4, spectrum.shape)
        turned = spectrum * np.exp(1j * angles)
        return np.asarray(istft(turned, n_fft=512, hop_length=128, length=clip.size), dtype=np.float32)

    return perturb


def _torchaudio_allpass() -> Perturb:
    import torch
    from torchaudio.functional import allpass_biquad

    def perturb(clip: Clip) -> Clip:
        wave = torch.from_numpy(clip)
        for _ in range(4):
            wave = allpass_biquad(wave, SAMPLE_RATE, 1000.0)
        return np.asarray(wave.numpy())

    return perturb


RIVALS = [
    Rival(
        "offset.800samples",
        "audiomentations",
        _audiomentations(
            "Shift", min_shift=800, max_shift=800, shift_unit="samples", rollover=False, fade_duration=0.0
        ),
    ),
    Rival(
        "circular_shift.1600samples",
        "audiomentations",
        _audiomentations("Shift", min_shift=1600, max_shift=1600, shift_unit="samples", fade_duration=0.0),
    ),
    Rival("reverse", "audiomentations", _audiomentations("Reverse")),
    Rival(
        "time_stretch.1.1x",
        "audiomentations",
        _audiomentations("TimeStretch", min_rate=1.1, max_rate=1.1, leave_length_unchanged=False),
    ),
    Rival("time_stretch.1.1x", "librosa", _librosa_stretch),
    Rival(
        "pitch_shift.100cents", "audiomentations", _audiomentations("PitchShift", min_semitones=1.0, max_semitones=1.0)
    ),
    Rival("pitch_shift.100cents", "librosa", _librosa_pitch),
    Rival("fractional_delay.0.5samples", "scipy", _spline(_half_a_sample)),
    Rival("flutter.6hz.0.1percent", "scipy", _spline(_flutter)),
    Rival("jitter.0.1samples", "scipy", _spline(_jitter)),
    Rival("speed.1.1x", "torchaudio", _torchaudio_speed),
    Rival("speed.1.1x", "librosa", _librosa_speed),
    Rival("resample.8khz", "torchaudio", _torchaudio_detour(8000)),
    Rival("resample.8khz", "librosa", _librosa_detour(8000)),
    Rival("resample.8khz", "scipy", _scipy_detour(1, 2)),
    Rival("upsample.44100hz", "torchaudio", _torchaudio_detour(44_100)),
    Rival("upsample.44100hz", "librosa", _librosa_detour(44_100)),
    Rival("upsample.44100hz", "scipy", _scipy_detour(441, 160)),
    Rival(
        "resample_linear.8khz",
        "audiomentations",
        _audiomentations("Aliasing", min_sample_rate=8000, max_sample_rate=8000),
    ),
    Rival("crop.end.25percent", "audiomentations", _audiomentations("AdjustDuration", duration_samples=12_000)),
    Rival(
        "repeat_part.50ms",
        "audiomentations",
        _audiomentations(
            "RepeatPart",
            max_repeats=1,
            min_part_duration=0.05,
            max_part_duration=0.05,
            mode="replace",
            crossfade_duration=0.0,
        ),
    ),
    Rival("phase_rotation.90degrees", "scipy", _scipy_rotation),
    Rival("random_phase.45degrees", "librosa", _librosa_random_phase),
    Rival("allpass.4sections.1khz", "torchaudio", _torchaudio_allpass),
]
"""The settings are those of the attack, as far as the library has them.

torchaudio's pitch_shift is left out: it resamples by a ratio without common factors, which takes minutes a clip.
"""
