"""Filters, equalisers and smoothers of other libraries; for denoising nothing comparable is installed but scipy's.

The designs are made once wherever the library allows it. torchaudio's filters run once, forwards, over float32.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.rivals import Perturb, Rival

RATE = 16_000


def _audiomentations(name: str, **settings: Any) -> Callable[[], Perturb]:
    def make() -> Perturb:
        import audiomentations

        transform = getattr(audiomentations, name)(p=1.0, **settings)
        return lambda clip: np.asarray(transform(clip, RATE), dtype=np.float32)

    return make


def _torchaudio(name: str, **settings: float) -> Callable[[], Perturb]:
    def make() -> Perturb:
        import torch
        from torchaudio import functional

        filtering = getattr(functional, name)

        def perturb(clip: NDArray[np.float32]) -> NDArray[np.float32]:
            filtered: NDArray[np.float32] = filtering(torch.from_numpy(clip), RATE, **settings).numpy()
            return filtered

        return perturb

    return make


def _sosfiltfilt(kind: str, cutoff: float | tuple[float, float]) -> Callable[[], Perturb]:
    def make() -> Perturb:
        from scipy import signal

        sections = signal.butter(4, cutoff, kind, fs=RATE, output="sos")
        return lambda clip: np.asarray(signal.sosfiltfilt(sections, clip.astype(np.float64)), dtype=np.float32)

    return make


def _filtfilt_notch() -> Perturb:
    from scipy import signal

    b, a = signal.iirnotch(1000, 10, RATE)
    return lambda clip: np.asarray(signal.filtfilt(b, a, clip.astype(np.float64)), dtype=np.float32)


def _convolved(window: int) -> Callable[[], Perturb]:
    def make() -> Perturb:
        kernel = np.full(window, 1 / window)
        return lambda clip: np.convolve(clip, kernel, mode="same").astype(np.float32)

    return make


def _signal(name: str, *settings: Any) -> Callable[[], Perturb]:
    def make() -> Perturb:
        from scipy import signal

        function = getattr(signal, name)
        return lambda clip: np.asarray(function(clip, *settings), dtype=np.float32)

    return make


def _zero_phase(kind: str, cutoff: str, hz: float) -> Callable[[], Perturb]:
    return _audiomentations(
        kind,
        **{f"min_{cutoff}": hz, f"max_{cutoff}": hz},
        min_rolloff=48,
        max_rolloff=48,
        zero_phase=True,
    )


def _shelf(kind: str, hz: float, q: float) -> Callable[[], Perturb]:
    return _audiomentations(
        kind, min_center_freq=hz, max_center_freq=hz, min_gain_db=6.0, max_gain_db=6.0, min_q=q, max_q=q
    )


ROOT_HALF = 0.5**0.5

RIVALS: list[Rival] = [
    Rival("lowpass.4khz", "audiomentations", _zero_phase("LowPassFilter", "cutoff_freq", 4000)),
    Rival("lowpass.4khz", "scipy", _sosfiltfilt("lowpass", 4000)),
    Rival("lowpass.4khz", "torchaudio", _torchaudio("lowpass_biquad", cutoff_freq=4000)),
    Rival("highpass.500hz", "audiomentations", _zero_phase("HighPassFilter", "cutoff_freq", 500)),
    Rival("highpass.500hz", "scipy", _sosfiltfilt("highpass", 500)),
    Rival("highpass.500hz", "torchaudio", _torchaudio("highpass_biquad", cutoff_freq=500)),
    Rival("bandpass.500hz.5khz", "scipy", _sosfiltfilt("bandpass", (500, 5000))),
    Rival(
        "bandpass.500hz.5khz",
        "audiomentations",
        _audiomentations(
            "BandPassFilter",
            min_center_freq=1581,
            max_center_freq=1581,
            min_bandwidth_fraction=1.9,
            max_bandwidth_fraction=1.9,
            min_rolloff=24,
            max_rolloff=24,
            zero_phase=True,
        ),
    ),
    Rival("bandpass.500hz.5khz", "torchaudio", _torchaudio("bandpass_biquad", central_freq=1581, Q=0.35)),
    Rival("bandstop.1khz.200hz", "scipy", _sosfiltfilt("bandstop", (900, 1100))),
    Rival("bandstop.1khz.200hz", "torchaudio", _torchaudio("bandreject_biquad", central_freq=1000, Q=5)),
    Rival(
        "random_bandstop.200hz",
        "audiomentations",
        _audiomentations(
            "BandStopFilter",
            min_center_freq=300,
            max_center_freq=4000,
            min_bandwidth_fraction=0.1,
            max_bandwidth_fraction=0.3,
            min_rolloff=24,
            max_rolloff=24,
            zero_phase=True,
        ),
    ),
    Rival("notch.1khz.10q", "scipy", _filtfilt_notch),
    Rival("notch.1khz.10q", "torchaudio", _torchaudio("bandreject_biquad", central_freq=1000, Q=10)),
    Rival("low_shelf.250hz.6db", "audiomentations", _shelf("LowShelfFilter", 250, ROOT_HALF)),
    Rival("low_shelf.250hz.6db", "torchaudio", _torchaudio("bass_biquad", gain=6, central_freq=250, Q=ROOT_HALF)),
    Rival("high_shelf.3khz.6db", "audiomentations", _shelf("HighShelfFilter", 3000, ROOT_HALF)),
    Rival("high_shelf.3khz.6db", "torchaudio", _torchaudio("treble_biquad", gain=6, central_freq=3000, Q=ROOT_HALF)),
    Rival("peaking.1khz.6db.1q", "audiomentations", _shelf("PeakingFilter", 1000, 1.0)),
    Rival("peaking.1khz.6db.1q", "torchaudio", _torchaudio("equalizer_biquad", gain=6, center_freq=1000, Q=1)),
    Rival(
        "equaliser.6db",
        "audiomentations",
        _audiomentations("SevenBandParametricEQ", min_gain_db=-6.0, max_gain_db=6.0),
    ),
    Rival("smooth.10samples", "numpy", _convolved(10)),
    Rival("smooth.40samples", "numpy", _convolved(40)),
    Rival("savitzky_golay.9samples", "scipy", _signal("savgol_filter", 9, 3)),
    Rival("median_filter.3samples", "scipy", _signal("medfilt", 3)),
    Rival("median_filter.9samples", "scipy", _signal("medfilt", 9)),
    Rival("wiener_denoise.12db", "scipy", _signal("wiener", 29)),
]
