"""Codecs: audiomentations, LAME and libsndfile called directly, and FFmpeg through PyAV without files."""

import io

import numpy as np
from numpy.typing import NDArray

from benchmarks.attacks.rivals import Perturb, Rival

SAMPLE_RATE = 16_000

Clip = NDArray[np.float32]


def _audiomentations_mp3(kbps: int) -> Perturb:
    import warnings

    from audiomentations import Mp3Compression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lameenc is deprecated there, but installs everywhere
        transform = Mp3Compression(min_bitrate=kbps, max_bitrate=kbps, backend="lameenc", preserve_delay=True, p=1.0)
    return lambda clip: transform(clip, SAMPLE_RATE)


def _lameenc_mp3(kbps: int) -> Perturb:
    import lameenc
    import soundfile

    def perturb(clip: Clip) -> Clip:
        encoder = lameenc.Encoder()
        encoder.set_bit_rate(kbps)
        encoder.set_in_sample_rate(SAMPLE_RATE)
        encoder.set_channels(1)
        encoder.set_quality(3)  # what FFmpeg and `lame` use
        encoder.silence()
        data = bytes(encoder.encode(_pcm(clip).tobytes()) + encoder.flush())
        return soundfile.read(io.BytesIO(data), dtype="float32")[0]

    return perturb


def _soundfile(container: str, subtype: str, sample_rate: int = SAMPLE_RATE, quality: int | None = None) -> Perturb:
    import soundfile
    import soxr

    settings = {} if quality is None else {"compression_level": 1 - quality / 10}
    raw = {"samplerate": sample_rate, "channels": 1, "format": "RAW", "subtype": subtype} if container == "RAW" else {}

    def perturb(clip: Clip) -> Clip:
        file = io.BytesIO()
        sent = soxr.resample(clip, SAMPLE_RATE, sample_rate)
        soundfile.write(file, _pcm(sent), sample_rate, format=container, subtype=subtype, **settings)
        file.seek(0)
        return soxr.resample(soundfile.read(file, dtype="float32", **raw)[0], sample_rate, SAMPLE_RATE)

    return perturb


def _packets(encoder: str, decoder: str, bit_rate: int, sample_rate: int = SAMPLE_RATE, **options: str) -> Perturb:
    """Encoder and decoder back to back, with no file and no care for delay, as a quick script has it."""
    from fractions import Fraction

    import av
    import soxr

    def perturb(clip: Clip) -> Clip:
        sent = soxr.resample(clip, SAMPLE_RATE, sample_rate)
        coder = av.CodecContext.create(encoder, "w")
        coder.sample_rate, coder.layout, coder.format = sample_rate, "mono", coder.codec.audio_formats[0]
        coder.time_base = Fraction(1, sample_rate)
        coder.bit_rate = bit_rate
        coder.options = options
        coder.open()
        frames = av.AudioResampler(coder.format.name, "mono", sample_rate, coder.frame_size or None)
        frame = av.AudioFrame.from_ndarray(_pcm(sent)[None], format="s16", layout="mono")
        frame.sample_rate = sample_rate
        decoding = av.CodecContext.create(decoder, "r")
        decoding.extradata, decoding.sample_rate, decoding.layout = coder.extradata, sample_rate, "mono"
        blocks = []
        for piece in (*frames.resample(frame), *frames.resample(None), None):
            for packet in coder.encode(piece):
                blocks += [block.to_ndarray().reshape(-1) for block in decoding.decode(packet)]
        blocks += [block.to_ndarray().reshape(-1) for block in decoding.decode(None)]
        audio = np.concatenate(blocks)
        scaled = audio / np.float32(32768) if audio.dtype == np.int16 else audio
        received_hz = decoding.sample_rate
        return soxr.resample(scaled.astype(np.float32), received_hz, SAMPLE_RATE)

    return perturb


def _pcm(clip: Clip) -> NDArray[np.int16]:
    return (np.clip(clip, -1, 1) * 32767).astype(np.int16)


RIVALS: list[Rival] = [
    Rival("mp3.64kbps", "audiomentations", lambda: _audiomentations_mp3(64)),
    Rival("mp3.64kbps", "lameenc", lambda: _lameenc_mp3(64)),
    Rival("mp3.64kbps", "PyAV", lambda: _packets("libmp3lame", "mp3float", 64_000)),
    Rival("mp2.48kbps", "PyAV", lambda: _packets("mp2", "mp2float", 48_000)),
    Rival("aac.32kbps", "PyAV", lambda: _packets("aac", "aac", 32_000)),
    Rival("opus.32kbps", "PyAV", lambda: _packets("libopus", "libopus", 32_000, vbr="constrained")),
    Rival("vorbis.4q", "soundfile", lambda: _soundfile("OGG", "VORBIS", quality=4)),
    Rival("flac", "soundfile", lambda: _soundfile("FLAC", "PCM_16")),
    Rival("sbc.48kbps", "PyAV", lambda: _packets("sbc", "sbc", 48_000)),
    Rival("gsm", "soundfile", lambda: _soundfile("RAW", "GSM610", 8000)),
    Rival("g722", "PyAV", lambda: _packets("g722", "g722", 64_000)),
    Rival("g726.32kbps", "soundfile", lambda: _soundfile("AU", "G721_32", 8000)),
    Rival("adpcm", "soundfile", lambda: _soundfile("WAV", "IMA_ADPCM")),
    Rival("amr_nb.12.2kbps", "PyAV", lambda: _packets("libopencore_amrnb", "libopencore_amrnb", 12_200, 8000)),
    Rival("g723_1", "PyAV", lambda: _packets("g723_1", "g723_1", 6300, 8000)),
]
