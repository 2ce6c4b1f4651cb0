"""Audio codecs: the clip is encoded to a real file in memory and decoded again.

Every codec takes 16-bit PCM, so audio beyond [-1, 1] is clipped. The tail is padded by at least one frame before
encoding and the padding is cut after decoding, so that the last samples are coded like all others; the result has the
length of the clip and, unless the attack says otherwise, is aligned to it within one sample. Nothing random is
involved. Each clip is encoded once, and `bitrate_kbps` is measured of the very bytes that were decoded. A codec that
fails raises; it never returns its input.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import soxr
from numpy.typing import NDArray

from sealproof.attacks.codec import libav
from sealproof.attacks.codec.libav import Decoded
from sealproof.attacks.contract.base import Attack, AttackError, Audio, Claim, Facts

Pcm = NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class Codec(Attack):
    """Encodes and decodes a clip, keeping its length.

    Attributes:
        sample_rates: Sample rates in Hz at which the listed strengths are valid; empty for all.
        padding: Zeros appended before encoding, in samples: at least one frame of the codec and its `delay`.
        lead: Zeros put in front, in samples: what the decoder leaves out of its output.
        delay: Samples by which the decoded audio is late; they are removed.
        decoded_hz: Sample rate of the decoder where it has only one; None where it is that of the clip.
    """

    family: ClassVar[str] = "codec"
    sample_rates: ClassVar[tuple[int, ...]] = ()
    padding: ClassVar[int]
    lead: ClassVar[int] = 0
    delay: ClassVar[int] = 0
    decoded_hz: ClassVar[int | None] = None

    @abstractmethod
    def encode(self, pcm: Pcm, sample_rate: int) -> bytes:
        """Return (samples,) 16-bit PCM as an encoded file."""

    @abstractmethod
    def decode(self, data: bytes, sample_rate: int) -> Decoded:
        """Return what an encoded file holds; `sample_rate` is for formats that do not state it."""

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> tuple[Audio, Facts]:
        """Encode, decode and cut delay and padding off."""
        del rng
        decoded = self.decode(self.encode(self._pcm(clip, sample_rate), sample_rate), sample_rate)
        expected = self.decoded_hz or sample_rate
        if decoded.sample_rate != expected:
            raise AttackError(
                f"{self.id} must come back at {expected} Hz: its file is labelled with another sample rate than the "
                f"clip. Got {decoded.sample_rate} Hz."
            )
        audio = resampled(decoded.audio, expected, sample_rate)[self.delay :]
        if audio.size < clip.size:
            raise AttackError(f"{self.id} lost audio: {audio.size} of {clip.size} samples came back.")
        return audio[: clip.size], {"bitrate_kbps": decoded.bitrate_kbps}

    def _pcm(self, clip: Audio, sample_rate: int) -> Pcm:
        """The padded clip as 16-bit PCM; refuses a sample rate at which the listed strengths do not hold."""
        if self.sample_rates and sample_rate not in self.sample_rates:
            rates = ", ".join(str(rate) for rate in self.sample_rates)
            raise AttackError(
                f"The sample rate for {self.name} must be one of {rates} Hz; resample the corpus. Got {sample_rate}."
            )
        return np.pad(pcm_for_codec(clip), (self.lead, self.padding))


class FFmpegCodec(Codec):
    """A codec of FFmpeg.

    Attributes:
        encoder: FFmpeg's name of the encoder.
        decoder: FFmpeg's name of the decoder.
        container: FFmpeg's name of the file format.
    """

    encoder: ClassVar[str]
    decoder: ClassVar[str]
    container: ClassVar[str]

    @property
    def bit_rate(self) -> int | None:
        """In bit/s; None where the encoder is not told."""
        return None

    @property
    def options(self) -> Mapping[str, str]:
        """Options of the encoder."""
        return {}

    @classmethod
    def unavailable(cls) -> str | None:
        """Name the encoder or decoder that this FFmpeg lacks."""
        return libav.missing_codec(cls.encoder, cls.decoder)

    def encode(self, pcm: Pcm, sample_rate: int) -> bytes:
        """Return (samples,) 16-bit PCM as an encoded file."""
        return libav.encode(
            pcm,
            sample_rate,
            encoder=self.encoder,
            container=self.container,
            bit_rate=self.bit_rate,
            options=self.options,
        )

    def decode(self, data: bytes, sample_rate: int) -> Decoded:
        """Return what an encoded file holds."""
        del sample_rate
        return libav.decode(data, decoder=self.decoder, container=self.container)


class BitrateCodec(FFmpegCodec):
    """A codec of FFmpeg whose strength is a bitrate.

    Attributes:
        spends: Smallest and largest share of the bitrate that it really spends; the default is for a constant bitrate,
            whose frames may differ by a byte of padding.
        bitrate_kbps: Declared by each codec as its only parameter.
    """

    spends: ClassVar[tuple[float, float]] = (0.995, 1.005)
    bitrate_kbps: float

    @property
    def bit_rate(self) -> int:
        """In bit/s."""
        return round(1000 * self.bitrate_kbps)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The bitrate: of every clip where it is constant, else of most."""
        del sample_rate
        low, high = self.spends
        constant = self.spends == BitrateCodec.spends
        return (Claim("bitrate_kbps", low * self.bitrate_kbps, high * self.bitrate_kbps, every=constant),)


def pcm_for_codec(audio: Audio) -> Pcm:
    """Round to 16-bit PCM, in which full scale is 32768; audio beyond is clipped."""
    # The clip to [-1, 1] comes first so that the multiplication cannot overflow.
    codes: Audio = np.rint(np.clip(audio, -1, 1) * np.float32(32768))
    return np.minimum(codes, 32767).astype(np.int16)


def resampled(audio: Audio, from_hz: int, to_hz: int) -> Audio:
    """Resample with soxr's linear-phase HQ recipe, which does not delay."""
    return audio if from_hz == to_hz else np.asarray(soxr.resample(audio, from_hz, to_hz, "HQ"), dtype=np.float32)
