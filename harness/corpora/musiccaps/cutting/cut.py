"""Cutting exactly the samples asked for out of a file or a video: decoded once, never encoded again."""

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.corpora.musiccaps.cutting.feed import Feed
from sealproof.harness.corpora.musiccaps.cutting.http_ranges import HttpOptions, open_url
from sealproof.harness.corpora.musiccaps.cutting.player_clock import PlayerClock
from sealproof.harness.corpora.musiccaps.cutting.window import Window
from sealproof.harness.foundation.audio.files import Pcm, to_pcm

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

__all__ = ["Cut", "cut"]

PREROLL_S = 0.5
"""Decoded ahead of a clip after a seek, so that the decoder has forgotten that it began there. RFC 7845 asks for
80 ms of Opus."""

_SEEK_FROM_S = 5.0
"""What starts earlier is decoded from the file's beginning: no dearer than a seek."""

_PROBE_BYTES = 128 * 1024
"""Looked at before the first packet. FFmpeg's default of 5 MB makes it look for DTS in a WAV, at 40 ms a file."""

_GAP_S = 0.005
"""A timestamp this far from the count of samples is a gap; less is the rounding of containers to milliseconds."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Cut:
    """A clip and what it was cut from.

    Attributes:
        pcm: Mono 16-bit samples at 16 kHz, shape (n_samples,); channels are averaged.
        source_rate: Sample rate of the decoded audio, in Hz.
        channels: Its number of channels.
        codec: FFmpeg's name of the codec, as `opus`.
        container: FFmpeg's name of the container, as `matroska,webm`.
        duration_s: Length of the source as its header states it; None where it does not.
    """

    pcm: Pcm = field(repr=False)
    source_rate: int
    channels: int
    codec: str
    container: str
    duration_s: float | None


def cut(source: str | Path, start_s: float, n_samples: int, *, http: HttpOptions | None = None) -> Cut:
    """Cut `n_samples` samples at 16 kHz that start at `start_s` out of audio in any container that FFmpeg reads.

    Time 0 is the first sample that a player plays; see `PlayerClock` for how exact that is. Other rates are converted
    with soxr (HQ).

    Args:
        source: A file, or an http(s) address, of which only the parts needed are fetched.
        start_s: Where the clip starts, in seconds, at least 0.
        n_samples: Length in samples at 16 kHz, at least 1.
        http: How to fetch; needed for an address.

    Raises:
        CutError: There is no audio, it cannot be decoded, or it ends before the clip does.
        OSError: The file cannot be opened.
        sealproof.harness.corpora.musiccaps.cutting.http_ranges.FetchError: The server does not send what it promises,
            or not in time.
        yt_dlp.utils.YoutubeDLError: The server refuses, is not there, or is silent.
    """
    if not (math.isfinite(start_s) and start_s >= 0 and n_samples >= 1):
        raise ValueError(
            f"A cut must start at 0 s or later and have a sample. Got {start_s:g} s and {n_samples} samples."
        )
    is_address = isinstance(source, str) and source.startswith(("http://", "https://"))
    if is_address and http is None:
        raise ValueError("An address is cut with `http`. Got None.")
    name = "The video" if is_address else str(source)
    try:
        with open_url(str(source), http) if is_address and http else Path(source).open("rb") as file:
            if start_s >= _SEEK_FROM_S:
                # An index may lead too far, or not be fit to seek by; what cannot be cut either way fails twice.
                with suppress(CutError):
                    return _decode(file, start_s, n_samples, seek=True)
            return _decode(file, start_s, n_samples, seek=False)
    except CutError as error:
        raise CutError(error.reason, f"{name} {error}. Remove it or fetch it again.") from error


def _decode(file: BinaryIO, start_s: float, n_samples: int, *, seek: bool) -> Cut:
    file.seek(0)
    feed = Feed(file)
    try:
        return _decode_feed(feed, start_s, n_samples, seek=seek)
    except CutError:
        if feed.error is not None:
            raise feed.error from None
        raise


def _decode_feed(feed: Feed, start_s: float, n_samples: int, *, seek: bool) -> Cut:
    import av

    window = Window(start_s, n_samples)
    try:
        # What bytes claim to be is theirs to choose: a playlist must not make FFmpeg open files or addresses. Titles
        # are not always UTF-8.
        options = {"protocol_whitelist": "none", "probesize": str(_PROBE_BYTES)}
        with av.open(feed, options=options, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise CutError("no_audio", "holds no audio")
            stream = container.streams.audio[0]
            duration_s = None if container.duration is None else container.duration / av.time_base
            for position, frame in _frames(container, stream, start_s - PREROLL_S if seek else None):
                window.add(position, frame)
                if window.is_full:
                    break
            return Cut(
                pcm=to_pcm(window.clip(duration_s)),
                source_rate=window.rate,
                channels=window.channels,
                codec=stream.codec_context.name,
                container=container.format.name,
                duration_s=duration_s,
            )
    except (av.error.FFmpegError, IndexError) as error:
        # IndexError: PyAV on a header that ends too early.
        reason = getattr(error, "strerror", None) or error
        raise CutError("undecodable", f"is no audio that FFmpeg decodes ({reason})") from error


def _frames(
    container: "InputContainer", stream: "AudioStream", seek_s: float | None
) -> Iterator[tuple[int, "AudioFrame"]]:
    """Yield decoded frames, each with the position of its first sample on the player's clock."""
    import av

    packets = container.demux(stream)
    first = next(packets)
    clock = PlayerClock.of(container, stream, first)
    if seek_s is None:
        packets, position, begin = chain([first], packets), clock.start, -math.inf
    else:
        # Decoded and dropped: a decoder takes its delay off the first frame that it is given, wherever that is from.
        first.decode()
        begin = clock.timestamp(seek_s)
        container.seek(begin, stream=stream)
        packets, position = container.demux(stream), None
    is_heard = False
    for packet in packets:
        if packet.pts is not None and packet.pts < begin:
            # Cues are ten seconds apart; what lies between one and the preroll need not be decoded.
            continue
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            if is_heard:
                # Damage, or the half packet with which a truncated file ends: for the clip the audio ends here.
                return
            # An MP3 lacks bits that the frame before keeps: part of what the preroll is for.
            position = None
            continue
        for frame in frames:
            stated = clock.position(frame)
            if position is None or (stated is not None and abs(stated - position) > _GAP_S * frame.sample_rate):
                if stated is None:
                    raise CutError("undecodable", "has frames without timestamps")
                position = stated
            yield position, frame
            is_heard = True
            position += frame.samples
