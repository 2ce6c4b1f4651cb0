"""Lossy codecs: the clip is encoded to a real file in memory and decoded again.

Every codec takes 16-bit PCM, so audio beyond [-1, 1] is clipped. The tail is padded by at least one frame before
encoding and the padding is cut after decoding, so that the last samples are coded like all others; the result has the
length of the clip and is aligned to it within one sample. Nothing random is involved. A codec that fails raises; it
never returns its input.
"""

import io
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from sealproof.attacks import libav
from sealproof.attacks.base import Attack, AttackError, Audio, parameter

_VORBIS_BLOCK = 65_536


@dataclass(frozen=True, kw_only=True)
class Codec(Attack):
    """Encodes and decodes a clip, keeping length and alignment.

    Attributes:
        sample_rates: Sample rates in Hz at which the listed strengths are valid.
        padding: Zeros appended before encoding, in samples: at least one frame of the codec.
    """

    family: ClassVar[str] = "codec"
    sample_rates: ClassVar[tuple[int, ...]]
    padding: ClassVar[int]

    @abstractmethod
    def encode(self, clip: Audio, sample_rate: int) -> bytes:
        """Returns the clip (samples,), padded, as an encoded file."""

    @abstractmethod
    def decode(self, data: bytes, sample_rate: int) -> Audio:
        """Returns the audio of an encoded file at `sample_rate`, starting where the clip started."""

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Encodes, decodes and cuts the padding off."""
        del rng
        decoded = self.decode(self.encode(clip, sample_rate), sample_rate)
        if decoded.size < clip.size:
            raise AttackError(f"{self.id} lost audio: {decoded.size} of {clip.size} samples came back.")
        return decoded[: clip.size]

    def _pcm(self, clip: Audio, sample_rate: int) -> NDArray[np.int16]:
        """The padded clip as 16-bit PCM; refuses a sample rate at which the listed strengths do not hold."""
        if sample_rate not in self.sample_rates:
            rates = ", ".join(str(rate) for rate in self.sample_rates)
            raise AttackError(
                f"The sample rate for {self.name} must be one of {rates} Hz; resample the corpus. Got {sample_rate}."
            )
        codes = np.clip(np.rint(np.clip(clip, -1, 1) * np.float32(32768)), -32768, 32767)
        return np.pad(codes.astype(np.int16), (0, self.padding))


class BitrateCodec(Codec):
    """A codec of FFmpeg whose strength is a bitrate.

    Attributes:
        encoder: FFmpeg's name of the encoder.
        decoder: FFmpeg's name of the decoder.
        container: FFmpeg's name of the file format.
        options: Options of the encoder.
        bitrate_kbps: Declared by each codec as its only parameter.
    """

    encoder: ClassVar[str]
    decoder: ClassVar[str]
    container: ClassVar[str]
    options: ClassVar[Mapping[str, str]] = {}
    bitrate_kbps: int

    def encode(self, clip: Audio, sample_rate: int) -> bytes:
        """Returns the clip (samples,), padded, as an encoded file."""
        return libav.encode(
            self._pcm(clip, sample_rate),
            sample_rate,
            encoder=self.encoder,
            container=self.container,
            bit_rate=self.bitrate_kbps * 1000,
            options=self.options,
        )

    def decode(self, data: bytes, sample_rate: int) -> Audio:
        """Returns the audio of an encoded file at `sample_rate`, starting where the clip started."""
        decoded, decoded_rate = libav.decode(data, decoder=self.decoder)
        return decoded if decoded_rate == sample_rate else _resample(decoded, decoded_rate, sample_rate)

    def encoded_kbps(self, clip: Audio, sample_rate: int) -> float:
        """The bitrate really spent on a clip (samples,), in kbit/s, the container not counted."""
        return libav.payload_kbps(self.encode(clip, sample_rate))


@dataclass(frozen=True, kw_only=True)
class MP3(BitrateCodec):
    """Encodes to MP3 at a constant bitrate with LAME and decodes again.

    At 16, 22.05 and 24 kHz an MP3 is MPEG-2 layer III (ISO/IEC 13818-3, "low sampling frequencies"), which knows the
    bitrates 8 to 160 kbit/s. One of them, 144, is left out: at 16 kHz LAME fills up 144 and 160 with padding, and both
    decode to the same samples. Other sample rates have other bitrates and are refused.
    """

    name: ClassVar[str] = "mp3"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bitrate_kbps": (160, 128, 96, 64, 32, 16)}
    sample_rates: ClassVar[tuple[int, ...]] = (16_000, 22_050, 24_000)
    padding: ClassVar[int] = 1152
    encoder: ClassVar[str] = "libmp3lame"
    decoder: ClassVar[str] = "mp3float"
    container: ClassVar[str] = "mp3"

    bitrate_kbps: int = parameter(unit="kbps", kind=int, choices=(8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160))


@dataclass(frozen=True, kw_only=True)
class AAC(BitrateCodec):
    """Encodes to AAC-LC in an mp4 file with FFmpeg's encoder and decodes again.

    The bitrate is a mean that the encoder approaches, not a constant. A mono stream at 16 kHz takes no more than about
    70 kbit/s whatever is asked for, so the list ends at 64. The mp4 container states the encoder's delay, which is
    therefore removed; a raw ADTS stream would come back 1,024 samples late.
    """

    name: ClassVar[str] = "aac"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bitrate_kbps": (64, 48, 32, 24, 16)}
    sample_rates: ClassVar[tuple[int, ...]] = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
    padding: ClassVar[int] = 1024
    encoder: ClassVar[str] = "aac"
    decoder: ClassVar[str] = "aac"
    container: ClassVar[str] = "mp4"

    bitrate_kbps: int = parameter(unit="kbps", kind=int, choices=(16, 24, 32, 40, 48, 56, 64))


@dataclass(frozen=True, kw_only=True)
class Opus(BitrateCodec):
    """Encodes to Opus (RFC 6716) with libopus at a constrained variable bitrate and decodes again.

    Frames of 20 ms. Constrained means that the mean stays near the bitrate also in a clip of one second, where the free
    variable bitrate spends up to a third more. Low bitrates use the SILK mode, whose resamplers shift the audio by a
    fraction of a sample at 16 kHz; above 16 kHz that would be more than one sample, so higher sample rates are refused.
    """

    name: ClassVar[str] = "opus"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bitrate_kbps": (64, 32, 16, 8)}
    sample_rates: ClassVar[tuple[int, ...]] = (8000, 12_000, 16_000)
    padding: ClassVar[int] = 1024
    encoder: ClassVar[str] = "libopus"
    decoder: ClassVar[str] = "libopus"
    container: ClassVar[str] = "ogg"
    options: ClassVar[Mapping[str, str]] = {"vbr": "constrained"}

    bitrate_kbps: int = parameter(unit="kbps", kind=int, choices=(8, 12, 16, 24, 32, 48, 64, 96, 128))


@dataclass(frozen=True, kw_only=True)
class Vorbis(Codec):
    """Encodes to Ogg Vorbis with libvorbis at a quality from 0 (lowest) to 10 and decodes again.

    The bitrate follows from the music: about 25 kbit/s at quality 0 and 65 kbit/s at quality 10 for mono at 16 kHz.
    """

    name: ClassVar[str] = "vorbis"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"quality": (8, 4, 0)}
    sample_rates: ClassVar[tuple[int, ...]] = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
    padding: ClassVar[int] = 2048

    quality: int = parameter(unit="q", kind=int, low=0, high=10)

    def encode(self, clip: Audio, sample_rate: int) -> bytes:
        """Returns the clip (samples,), padded, as an encoded file."""
        pcm = self._pcm(clip, sample_rate)
        file = io.BytesIO()
        try:
            with soundfile.SoundFile(
                file,
                "w",
                samplerate=sample_rate,
                channels=1,
                format="OGG",
                subtype="VORBIS",
                compression_level=1 - self.quality / 10,  # libsndfile counts down from the best quality
            ) as output:
                # Block by block: libsndfile 1.2.2 overflows the stack when a long clip is written in one call.
                for start in range(0, pcm.size, _VORBIS_BLOCK):
                    output.write(pcm[start : start + _VORBIS_BLOCK])
        except soundfile.LibsndfileError as error:
            raise AttackError(
                f"libvorbis failed to encode {pcm.size} samples at quality {self.quality}: {error}"
            ) from error
        return file.getvalue()

    def decode(self, data: bytes, sample_rate: int) -> Audio:
        """Returns the audio of an encoded file at `sample_rate`, starting where the clip started."""
        try:
            decoded, decoded_rate = soundfile.read(io.BytesIO(data), dtype="float32")
        except soundfile.LibsndfileError as error:
            raise AttackError(f"libvorbis failed to decode {len(data)} bytes: {error}") from error
        if decoded_rate != sample_rate:
            raise AttackError(f"libvorbis decoded at {decoded_rate} Hz what was encoded at {sample_rate} Hz.")
        audio: Audio = decoded
        return audio


def _resample(audio: Audio, from_hz: int, to_hz: int) -> Audio:
    return np.asarray(soxr.resample(audio, from_hz, to_hz), dtype=np.float32)
