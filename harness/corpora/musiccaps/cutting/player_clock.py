"""When a decoded sample is played: timestamps of a container as positions in samples."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

_FIXED_FRAMES = ("aac", "opus")
"""Codecs whose frames have one length: in them even a timestamp in milliseconds names one sample."""


@dataclass(frozen=True, kw_only=True)
class PlayerClock:
    """Turns timestamps into positions; position 0 is the first sample that a player plays.

    A position is counted from the file's first packet, less the samples that the container says are a coder's delay
    and not played (Opus' pre-skip, AAC's priming in an edit list, LAME's tag), and not from timestamp 0: in WebM the
    first timestamp is -6.5 ms rounded to -7.

    So it is exact to the sample in containers that count samples, and for Opus and AAC in WebM and Matroska, which
    keep milliseconds; for other codecs in these to 1 ms. AAC in a container that says nothing of its priming (ADTS,
    MPEG-TS, some fragmented MP4) is late by that priming: 1024 samples of the source with FFmpeg's encoder, 2112 with
    Apple's. No container can be asked for what it does not hold.

    Attributes:
        tick_s: Length of one tick of the timestamps, in seconds.
        first_pts: Timestamp of the first packet.
        skip_s: What of it is not played, in seconds.
        lead_s: How long other streams play before this one begins, in seconds.
        is_framed: Whether the codec's frames have one length.
        rate: Nominal sample rate of the stream, in Hz.
    """

    tick_s: float
    first_pts: int
    skip_s: float
    lead_s: float
    is_framed: bool
    rate: int

    @classmethod
    def of(cls, container: "InputContainer", stream: "AudioStream", first: "Packet[AudioStream]") -> "PlayerClock":
        """Read the clock of a stream off its first packet."""
        import av

        assert stream.time_base is not None  # noqa: S101 - a demuxer sets it
        tick_s = float(stream.time_base)
        first_pts = first.pts or 0
        skip = 0
        if first.has_sidedata("skip_samples"):
            # libavcodec's AV_PKT_DATA_SKIP_SAMPLES begins with the number to skip at the start, little endian.
            skip = int.from_bytes(bytes(first.get_sidedata("skip_samples"))[:4], "little")
        begin_s = (container.start_time or 0) / av.time_base
        return cls(
            tick_s=tick_s,
            first_pts=first_pts,
            skip_s=skip / stream.rate if stream.rate else 0.0,
            lead_s=max(0.0, first_pts * tick_s - begin_s),
            is_framed=stream.codec_context.name in _FIXED_FRAMES,
            rate=stream.rate or 0,
        )

    @property
    def start(self) -> int:
        """Position of the first sample that is decoded from the file's beginning."""
        return round(self.lead_s * self.rate)

    def timestamp(self, played_s: float) -> int:
        """Return the timestamp of a time that a player shows, in ticks."""
        return self.first_pts + round((played_s - self.lead_s + self.skip_s) / self.tick_s)

    def position(self, frame: "AudioFrame") -> int | None:
        """Return the position of a frame's first sample; None where it has no timestamp."""
        if frame.pts is None:
            return None
        decoded = (frame.pts - self.first_pts) * self.tick_s * frame.sample_rate
        tick = self.tick_s * frame.sample_rate
        if self.is_framed and tick > 1:
            whole = round(decoded / frame.samples) * frame.samples
            if abs(whole - decoded) <= 1.5 * tick:
                decoded = whole
        position: int = round(decoded - (self.skip_s - self.lead_s) * frame.sample_rate)
        return position
