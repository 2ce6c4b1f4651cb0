"""Rooms, modulation, channels and resynthesis, as other libraries offer them."""

import math

import numpy as np

from benchmarks.attacks.rivals import Perturb, Rival

RATE = 16_000


def _random_room() -> np.ndarray:
    length = RATE // 2
    response = np.random.default_rng(0).standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    response *= math.sqrt(10**-0.6 / np.sum(response**2))
    response[0] = 1
    return response


def _scipy_room() -> Perturb:
    from scipy.signal import fftconvolve

    return lambda clip: fftconvolve(clip, _random_room())[: clip.size].astype(np.float32)


def _torch_room() -> Perturb:
    import torch
    from torchaudio.functional import fftconvolve

    def apply(clip: np.ndarray) -> np.ndarray:
        response = torch.from_numpy(_random_room().astype(np.float32))
        return fftconvolve(torch.from_numpy(clip), response).numpy()[: clip.size]

    return apply


def _echo() -> Perturb:
    import torch
    from torchaudio.functional import convolve

    kernel = torch.zeros(1601)
    kernel[0], kernel[1600] = 1, 0.3
    return lambda clip: convolve(torch.from_numpy(clip), kernel).numpy()[: clip.size]


def _phaser() -> Perturb:
    import torch
    from torchaudio.functional import phaser

    return lambda clip: phaser(torch.from_numpy(clip)[None], RATE, mod_speed=1.0)[0].numpy()


def _flanger() -> Perturb:
    import torch
    from torchaudio.functional import flanger

    return lambda clip: flanger(torch.from_numpy(clip)[None, None], RATE, depth=5, speed=1)[0, 0].numpy()


def _vibrato() -> Perturb:
    """The plain scipy way: a cubic spline read at moved positions."""
    from scipy.ndimage import map_coordinates

    swing = RATE * (2 ** (25 / 1200) - 1) / (2 * np.pi * 5)

    def apply(clip: np.ndarray) -> np.ndarray:
        places = np.arange(clip.size)
        moved = places + swing * np.sin(2 * np.pi * 5 * places / RATE)
        return np.asarray(map_coordinates(clip, moved[None], order=3), dtype=np.float32)

    return apply


def _air_absorption() -> Perturb:
    from audiomentations import AirAbsorption

    effect = AirAbsorption(
        min_temperature=20,
        max_temperature=20,
        min_humidity=50,
        max_humidity=50,
        min_distance=50,
        max_distance=50,
        p=1.0,
    )
    return lambda clip: effect(clip, RATE)


def _mu_law_line() -> Perturb:
    """The continuous mu-law of torchaudio, which is not the one of G.711, between two resamplers."""
    import torch
    from torchaudio.functional import bandpass_biquad, mu_law_decoding, mu_law_encoding
    from torchaudio.transforms import Resample

    down, up = Resample(RATE, 8000), Resample(8000, RATE)

    def apply(clip: np.ndarray) -> np.ndarray:
        line = bandpass_biquad(down(torch.from_numpy(clip)), 8000, 1010, 0.33)
        return up(mu_law_decoding(mu_law_encoding(line, 256), 256)).numpy()[: clip.size]

    return apply


def _speaker() -> Perturb:
    import torch
    from torchaudio.functional import highpass_biquad

    return lambda clip: highpass_biquad(torch.from_numpy(clip), RATE, 500, 1.4).numpy()


def _griffin_lim(library: str, iterations: int) -> Perturb:
    if library == "librosa":
        import librosa

        def apply(clip: np.ndarray) -> np.ndarray:
            magnitude = np.abs(librosa.stft(clip, n_fft=512, hop_length=128))
            return librosa.griffinlim(magnitude, n_iter=iterations, n_fft=512, hop_length=128, length=clip.size)

        return apply
    import torch
    from torchaudio.transforms import GriffinLim, Spectrogram

    forth = Spectrogram(512, hop_length=128)
    back = GriffinLim(512, n_iter=iterations, hop_length=128, length=RATE)
    return lambda clip: back(forth(torch.from_numpy(clip))).numpy()


def _mel_vocoder() -> Perturb:
    import librosa

    def apply(clip: np.ndarray) -> np.ndarray:
        mel = librosa.feature.melspectrogram(y=clip, sr=RATE, n_fft=1024, hop_length=256, n_mels=80)
        return librosa.feature.inverse.mel_to_audio(
            mel, sr=RATE, n_fft=1024, hop_length=256, n_iter=16, length=clip.size
        )

    return apply


def _harmonic() -> Perturb:
    import librosa

    return lambda clip: librosa.effects.harmonic(clip, kernel_size=17, n_fft=1024, hop_length=256)


RIVALS: list[Rival] = [
    Rival("echo.100ms.0.3x", "torchaudio", _echo),
    Rival("reverb.500ms.6db", "scipy", _scipy_room),
    Rival("reverb.500ms.6db", "torchaudio", _torch_room),
    Rival("vibrato.5hz.25cents", "scipy", _vibrato),
    Rival("flanger.5ms.1hz.0.7x", "torchaudio", _flanger),
    Rival("phaser.4filters.1hz.0.7x", "torchaudio", _phaser),
    Rival("air_absorption.50m", "audiomentations", _air_absorption),
    Rival("telephone.mulaw", "torchaudio", _mu_law_line),
    Rival("small_speaker.500hz", "torchaudio", _speaker),
    Rival("griffin_lim.32iterations", "librosa", lambda: _griffin_lim("librosa", 32)),
    Rival("griffin_lim.32iterations", "torchaudio", lambda: _griffin_lim("torchaudio", 32)),
    Rival("mel_vocoder.80bands", "librosa", _mel_vocoder),
    Rival("harmonic_percussive.harmonic", "librosa", _harmonic),
]
