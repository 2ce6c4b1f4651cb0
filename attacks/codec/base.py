"""Audio codecs: the clip is encoded to a real file in memory and decoded again.

Every codec takes 16-bit PCM, so audio beyond [-1, 1] is clipped. The tail is padded by at least one frame before
encoding and the padding is cut after decoding, so that the last samples are coded like all others; the result has the
length of the clip and, unless the attack says otherwise, is aligned to it within one sample. Nothing random is
involved. Each clip is encoded once, and `bitrate_kbps` is measured of the very bytes that were decoded. A codec that
fails raises; it never returns its input.

What is claimed is not what the codec says of itself: it hands over the file that it made of each clip. The bytes in it
are counted by a reader of our own (`payload`), and another decoder than the attack's, where there is one, reads it
again and must hear what came out.
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
from sealproof.attacks.codec.payload import payload_bytes
from sealproof.attacks.contract.base import ENCODED, Attack, Attacked, AttackError, Audio, Claim, Facts
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.verification.profile import in_domain

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
        container: FFmpeg's name of the file format.
        trimmed: Coded samples that a reader leaves out because the file says so.
        agrees_db: Largest difference between two readers of a file, in dB.
    """

    family: ClassVar[str] = "codec"
    silences: ClassVar[bool] = True
    sample_rates: ClassVar[tuple[int, ...]] = ()
    padding: ClassVar[int]
    lead: ClassVar[int] = 0
    delay: ClassVar[int] = 0
    decoded_hz: ClassVar[int | None] = None
    container: ClassVar[str] = ""
    trimmed: ClassVar[int] = 0
    agrees_db: ClassVar[float] = -70.0

    @abstractmethod
    def encode(self, pcm: Pcm, sample_rate: int) -> bytes:
        """Return (samples,) 16-bit PCM as an encoded file."""

    @abstractmethod
    def decode(self, data: bytes, sample_rate: int) -> Decoded:
        """Return what an encoded file holds; `sample_rate` is for formats that do not state it."""

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> tuple[Audio, Facts]:
        """Encode, decode and cut delay and padding off."""
        del rng
        data = self.encode(self._pcm(clip, sample_rate), sample_rate)
        decoded = self.decode(data, sample_rate)
        expected = self.decoded_hz or sample_rate
        if decoded.sample_rate != expected:
            raise AttackError(
                f"{self.id} must come back at {expected} Hz: its file is labelled with another sample rate than the "
                f"clip. Got {decoded.sample_rate} Hz."
            )
        audio = self._cut(decoded.audio, sample_rate)
        if audio.size < clip.size:
            raise AttackError(f"{self.id} lost audio: {audio.size} of {clip.size} samples came back.")
        return audio[: clip.size], {"bitrate_kbps": decoded.bitrate_kbps, ENCODED: data}

    def read_again(self, data: bytes, sample_rate: int) -> Decoded:
        """Return what an encoded file holds by another reader than the attack's, where there is one."""
        return self.decode(data, sample_rate)

    def _read_again(self) -> Claim:
        """The output of every clip is what its file holds."""
        return Claim("read_again_db", high=self.agrees_db, every=True)

    def coded_hz(self, sample_rate: int) -> int:
        """Sample rate at which a clip is encoded."""
        return sample_rate

    def evidence_from(
        self, before: Audio, attacked: Attacked, sample_rate: int, knowledge: Knowledge | None
    ) -> Mapping[str, NDArray[np.float64]]:
        """Read the encoded files again: `bitrate_kbps` by their bytes, and `read_again_db`, how far the output is off.

        The latter is the energy of the difference over that of what another reader hears in the file. What lies below
        -20 dBFS counts as if it had that level: readers that compute in whole numbers round to 16 bits. Where a codec
        spends what it needs, faint clips, short ones, tones and other rates than 16 kHz do not tell its bitrate.
        """
        evidence = dict(super().evidence_from(before, attacked, sample_rate, knowledge))
        n = len(before)
        kbps, error = np.full(n, np.nan), np.full(n, np.nan)
        coded_hz = self.coded_hz(sample_rate)
        for index, (data, heard) in enumerate(zip(attacked.encoded, attacked.audio, strict=bool(attacked.encoded))):
            try:
                decoded = self.read_again(data, coded_hz)
                seconds = (decoded.audio.size / decoded.sample_rate) + self.trimmed / coded_hz
                size = payload_bytes(data, self.container)
                # Of a container that fills its packets up, FFmpeg's own count of another pass counts.
                kbps[index] = decoded.bitrate_kbps if size is None else 8e-3 * size / seconds
            except (AttackError, ValueError):
                error[index] = np.inf  # nobody else can read the file
                continue
            again = self._again(decoded.audio, heard.size, coded_hz, sample_rate)
            wrong = np.sqrt(np.mean((heard - again.astype(np.float64)) ** 2))
            error[index] = 20 * np.log10(max(wrong, 1e-12) / max(np.sqrt(np.mean(again.astype(np.float64) ** 2)), 0.1))
        # A claim that nobody can check is broken: a codec hands its files over.
        missing = not attacked.encoded and n > 0
        told = np.ones(n, dtype=np.bool_) if self.is_constant else in_domain(before, sample_rate)
        evidence["bitrate_kbps"] = np.full(n, np.inf) if missing else np.where(told, kbps, np.nan)
        evidence["read_again_db"] = np.full(n, np.inf) if missing else error
        return evidence

    @property
    def is_constant(self) -> bool:
        """Whether it spends the same on every clip."""
        return True

    def _again(self, decoded: Audio, samples: int, coded_hz: int, sample_rate: int) -> Audio:
        """What another reader heard, on the time scale of the output."""
        del sample_rate
        audio = self._cut(decoded, coded_hz)
        return np.pad(audio[:samples], (0, max(0, samples - audio.size)))

    def _cut(self, decoded: Audio, sample_rate: int) -> Audio:
        """Decoded audio at the sample rate of the clip that was encoded, without the delay."""
        return resampled(decoded, self.decoded_hz or sample_rate, sample_rate)[self.delay :]

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
        second_decoder: FFmpeg's name of another decoder, by which the files are read again.
    """

    encoder: ClassVar[str]
    decoder: ClassVar[str]
    second_decoder: ClassVar[str | None] = None

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

    def read_again(self, data: bytes, sample_rate: int) -> Decoded:
        """By the second decoder."""
        del sample_rate
        return libav.decode(data, decoder=self.second_decoder or self.decoder, container=self.container)


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
        kbps = Claim("bitrate_kbps", low * self.bitrate_kbps, high * self.bitrate_kbps, every=self.is_constant)
        return kbps, self._read_again()

    @property
    def is_constant(self) -> bool:
        """Whether it spends the same on every clip."""
        return self.spends == BitrateCodec.spends


def pcm_for_codec(audio: Audio) -> Pcm:
    """Round to 16-bit PCM, in which full scale is 32768; audio beyond is clipped."""
    # The clip to [-1, 1] comes first so that the multiplication cannot overflow.
    codes: Audio = np.rint(np.clip(audio, -1, 1) * np.float32(32768))
    return np.minimum(codes, 32767).astype(np.int16)


def resampled(audio: Audio, from_hz: int, to_hz: int) -> Audio:
    """Resample with soxr's linear-phase HQ recipe, which does not delay."""
    return audio if from_hz == to_hz else np.asarray(soxr.resample(audio, from_hz, to_hz, "HQ"), dtype=np.float32)
