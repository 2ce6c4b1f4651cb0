"""Encoded audio files in memory, through PyAV (FFmpeg's libraries): write one, read one, weigh one."""

import io
from collections.abc import Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.base import AttackError, Audio


def encode(
    pcm: NDArray[np.int16],
    sample_rate: int,
    *,
    encoder: str,
    container: str,
    bit_rate: int,
    options: Mapping[str, str],
) -> bytes:
    """Encodes mono 16-bit PCM into a file.

    Args:
        pcm: (samples,) int16.
        sample_rate: Samples per second, in Hz.
        encoder: FFmpeg's name of the encoder, e.g. `libmp3lame`.
        container: FFmpeg's name of the file format, e.g. `mp4`.
        bit_rate: In bit/s (not kbit/s: FFmpeg takes a small number without complaint and encodes at its lowest rate).
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
            stream.bit_rate = bit_rate
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    except (av.FFmpegError, ValueError) as error:
        raise AttackError(f"{encoder} failed to encode {pcm.size} samples at {bit_rate} bit/s: {error}") from error
    return file.getvalue()


def decode(data: bytes, *, decoder: str) -> tuple[Audio, int]:
    """Decodes a mono file.

    Delay and padding are removed as far as the file states them (edit list, pre-skip, LAME tag).

    Args:
        data: The file.
        decoder: FFmpeg's name of the decoder. It is named, not guessed: FFmpeg prefers its own Opus decoder, which
            goes astray on some SILK frames where libopus, the reference, does not.

    Returns:
        The audio (samples,) and its sample rate in Hz, which may differ from the one encoded.

    Raises:
        AttackError: If FFmpeg lacks the decoder, cannot read the file, or finds no audio in it.
    """
    import av

    blocks: list[NDArray[np.generic]] = []
    sample_rate = 0
    try:
        with av.open(io.BytesIO(data)) as source:
            stream = source.streams.audio[0]
            context = av.CodecContext.create(decoder, "r")
            context.extradata = stream.codec_context.extradata
            context.sample_rate = stream.codec_context.sample_rate
            context.layout = "mono"
            for packet in source.demux(stream):  # ends with an empty packet, which flushes the decoder
                for frame in context.decode(packet):
                    blocks.append(frame.to_ndarray().reshape(-1))
                    sample_rate = frame.sample_rate
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise AttackError(f"{decoder} failed to decode {len(data)} bytes: {error}") from error
    if not blocks:
        raise AttackError(f"{decoder} decoded no audio from {len(data)} bytes.")
    audio = np.concatenate(blocks)
    if audio.dtype == np.int16:
        return audio.astype(np.float32) / np.float32(32768), sample_rate
    return audio.astype(np.float32, copy=False), sample_rate


def payload_kbps(data: bytes) -> float:
    """Mean bitrate of the coded audio of a file in kbit/s, the container not counted.

    Raises:
        AttackError: If FFmpeg cannot read the file.
    """
    import av

    try:
        with av.open(io.BytesIO(data)) as source:
            packets = [packet for packet in source.demux(audio=0) if packet.size]
            bits = 8 * sum(int(packet.size) for packet in packets)
            return bits / 1000 / sum(float(packet.duration * packet.time_base) for packet in packets)
    except av.FFmpegError as error:
        raise AttackError(f"The bitrate of {len(data)} bytes cannot be measured: {error}") from error
