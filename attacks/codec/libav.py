"""Encoded audio files in memory, through PyAV (FFmpeg's libraries): write one, and read and weigh it in one pass."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import AttackError, Audio


@dataclass(frozen=True)
class Decoded:
    """What an encoded file holds.

    Attributes:
        audio: (samples,) float32.
        sample_rate: In Hz, as the decoder states it.
        bitrate_kbps: Mean bitrate of the coded audio in kbit/s, the container not counted.
    """

    audio: Audio
    sample_rate: int
    bitrate_kbps: float


def missing_codec(encoder: str, decoder: str) -> str | None:
    """Say which of the two this FFmpeg lacks, or that PyAV is broken, or return None."""
    try:
        import av
    except Exception as error:  # a broken package raises what it likes while it is imported
        return f"PyAV cannot be imported ({type(error).__name__}: {error}): pip install --force-reinstall av"

    for mode, what, name in (("w", "encoder", encoder), ("r", "decoder", decoder)):
        try:
            av.Codec(name, mode)
        except ValueError:
            return f"PyAV {av.__version__} has no {what} '{name}': install a PyAV whose FFmpeg was built with it."
    return None


def encode(
    pcm: NDArray[np.int16],
    sample_rate: int,
    *,
    encoder: str,
    container: str,
    bit_rate: int | None,
    options: Mapping[str, str],
) -> bytes:
    """Encode mono 16-bit PCM into a file.

    Args:
        pcm: (samples,) int16.
        sample_rate: Samples per second, in Hz.
        encoder: FFmpeg's name of the encoder, e.g. `libmp3lame`.
        container: FFmpeg's name of the file format, e.g. `mp4`.
        bit_rate: In bit/s (not kbit/s: FFmpeg takes a small number without complaint and encodes at its lowest rate);
            None for an encoder that has but one, or whose options state it.
        options: Options of the encoder.

    Raises:
        AttackError: If FFmpeg lacks the encoder or refuses to encode.
    """
    import av

    frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
    frame.sample_rate = sample_rate
    # Without a time stamp the mp4 writer leaves out the edit list, and the decoded audio starts 1,024 samples late.
    frame.pts = 0
    frame.time_base = Fraction(1, sample_rate)
    file = io.BytesIO()
    try:
        with av.open(file, "w", format=container) as output:
            stream = output.add_stream(encoder, rate=sample_rate, layout="mono", options=dict(options))
            if bit_rate is not None:
                stream.bit_rate = bit_rate
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    except (av.FFmpegError, ValueError) as error:
        rate = "" if bit_rate is None else f" at {bit_rate} bit/s"
        raise AttackError(f"{encoder} failed to encode {pcm.size} samples{rate}: {error}") from error
    return file.getvalue()


def decode(data: bytes, *, decoder: str, container: str) -> Decoded:
    """Decode a mono file.

    Delay and padding are removed as far as the file states them (edit list, pre-skip, LAME tag).

    Args:
        data: The file.
        decoder: FFmpeg's name of the decoder. It is named, not guessed: FFmpeg prefers its own Opus decoder, which
            goes astray on some SILK frames where libopus, the reference, does not.
        container: FFmpeg's name of the file format; some (SBC) it does not recognise by itself.

    Raises:
        AttackError: If FFmpeg lacks the decoder, cannot read the file, or finds no audio in it.
    """
    import av

    blocks: list[NDArray[np.generic]] = []
    sample_rate, bits, seconds = 0, 0, Fraction(0)
    try:
        with av.open(io.BytesIO(data), format=container) as source:
            stream = source.streams.audio[0]
            context = stream.codec_context
            if context.codec.name != decoder:
                context = av.CodecContext.create(decoder, "r")
                context.extradata = stream.codec_context.extradata
                context.sample_rate = stream.codec_context.sample_rate
                context.layout = "mono"
            context.thread_count = 1  # the harness runs threads of its own
            for packet in source.demux(stream):  # ends with an empty packet, which flushes the decoder
                if packet.size:
                    bits += 8 * packet.size
                    # A packet that ends before it starts (the end of an Ogg file is trimmed) wraps around in FFmpeg.
                    seconds += ((packet.duration + 2**31) % 2**32 - 2**31) * packet.time_base
                for frame in context.decode(packet):
                    blocks.append(frame.to_ndarray().reshape(-1))
                    sample_rate = frame.sample_rate
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise AttackError(f"{decoder} failed to decode {len(data)} bytes: {error}") from error
    if not blocks or seconds <= 0:
        raise AttackError(f"{decoder} decoded no audio from {len(data)} bytes.")
    audio = np.concatenate(blocks)
    if audio.dtype.kind == "i":
        audio = audio.astype(np.float32) / np.float32(2.0 ** (8 * audio.dtype.itemsize - 1))
    return Decoded(audio.astype(np.float32, copy=False), sample_rate, float(bits / seconds) / 1000)
