"""Noise, quantising and disturbances by audiomentations, torchaudio, librosa and FFmpeg.

They do not all do quite the same: audiomentations' coloured noise is flat below 125 Hz (a filter of 128 points), the
mu-law of torchaudio and librosa is the continuous curve and not G.711, and TimeMask makes a single gap.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.rivals import Perturb, Rival

RATE = 16_000


def _audiomentations(name: str, **options: float) -> Callable[[], Perturb]:
    def make() -> Perturb:
        import audiomentations

        transform = getattr(audiomentations, name)(p=1.0, **options)
        return lambda clip: np.asarray(transform(clip, RATE))

    return make


def _torch_noise(snr_db: float) -> Callable[[], Perturb]:
    def make() -> Perturb:
        import torch
        from torchaudio.functional import add_noise

        snr = torch.tensor(float(snr_db))

        def perturb(clip: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(add_noise(torch.from_numpy(clip), torch.randn(clip.size), snr).numpy())

        return perturb

    return make


def _torch_background(snr_db: float) -> Callable[[], Perturb]:
    def make() -> Perturb:
        import torch
        from torchaudio.functional import add_noise

        snr = torch.tensor(float(snr_db))

        def perturb(clip: NDArray[np.float32]) -> NDArray[np.float32]:
            audio = torch.from_numpy(clip)
            return np.asarray(add_noise(audio, audio.flip(0), snr).numpy())

        return perturb

    return make


def _torch_level(std: float) -> Callable[[], Perturb]:
    def make() -> Perturb:
        import torch

        def perturb(clip: NDArray[np.float32]) -> NDArray[np.float32]:
            audio = torch.from_numpy(clip)
            return np.asarray((audio + std * torch.randn_like(audio)).numpy())

        return perturb

    return make


def _torch_dither() -> Perturb:
    import torch
    from torchaudio.functional import dither

    return lambda clip: np.asarray(dither(torch.from_numpy(clip)[None], "TPDF")[0].numpy())


def _torch_mu_law() -> Perturb:
    import torch
    from torchaudio.functional import mu_law_decoding, mu_law_encoding

    return lambda clip: np.asarray(mu_law_decoding(mu_law_encoding(torch.from_numpy(clip), 256), 256).numpy())


def _librosa_mu_law() -> Perturb:
    import librosa

    return lambda clip: np.asarray(librosa.mu_expand(librosa.mu_compress(clip, mu=255), mu=255), dtype=np.float32)


def _ffmpeg(codec: str) -> Callable[[], Perturb]:
    def make() -> Perturb:
        import av

        def perturb(clip: NDArray[np.float32]) -> NDArray[np.float32]:
            pcm = np.clip(np.rint(clip * 32768), -32768, 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
            frame.sample_rate = RATE
            encoder = av.AudioCodecContext.create(codec, "w")
            encoder.sample_rate, encoder.layout, encoder.format = RATE, "mono", "s16"
            decoder = av.AudioCodecContext.create(codec, "r")
            decoder.sample_rate, decoder.layout = RATE, "mono"
            packets = [*encoder.encode(frame), *encoder.encode(None)]
            blocks = [block.to_ndarray().reshape(-1) for packet in packets for block in decoder.decode(packet)]
            return np.concatenate(blocks).astype(np.float32) / np.float32(32768)

        return perturb

    return make


RIVALS: list[Rival] = [
    Rival("white_noise.20db", "audiomentations", _audiomentations("AddGaussianSNR", min_snr_db=20, max_snr_db=20)),
    Rival("white_noise.20db", "torchaudio", _torch_noise(20)),
    *(
        Rival(
            f"{colour}_noise.20db",
            "audiomentations",
            _audiomentations("AddColorNoise", min_snr_db=20, max_snr_db=20, min_f_decay=decay, max_f_decay=decay),
        )
        for colour, decay in (("pink", -3.01), ("brown", -6.02), ("blue", 3.01), ("violet", 6.02))
    ),
    Rival(
        "white_noise_level.0.01fs",
        "audiomentations",
        _audiomentations("AddGaussianNoise", min_amplitude=0.01, max_amplitude=0.01),
    ),
    Rival("white_noise_level.0.01fs", "torch", _torch_level(0.01)),
    Rival("background.20db", "torchaudio", _torch_background(20)),
    Rival("quantise.8bits", "audiomentations", _audiomentations("BitCrush", min_bit_depth=8, max_bit_depth=8)),
    Rival("dithered_quantise.16bits", "torchaudio", _torch_dither),
    Rival("mu_law", "ffmpeg", _ffmpeg("pcm_mulaw")),
    Rival("mu_law", "torchaudio", _torch_mu_law),
    Rival("mu_law", "librosa", _librosa_mu_law),
    Rival("a_law", "ffmpeg", _ffmpeg("pcm_alaw")),
    Rival(
        "dropouts.1hz.10ms",
        "audiomentations",
        _audiomentations("TimeMask", min_band_part=0.01, max_band_part=0.01),
    ),
]
