"""Audio codecs made for music; see `base` for what every codec does."""

import io
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import soundfile
from numpy.typing import NDArray

from sealproof.attacks.codec import libav
from sealproof.attacks.codec.base import BitrateCodec, Codec, FFmpegCodec, Pcm, pcm_for_codec
from sealproof.attacks.codec.libav import Decoded
from sealproof.attacks.contract.base import AttackError, Audio, Claim, parameter

_VORBIS_BLOCK = 65_536


class LAME(Codec):
    """MP3, encoded by LAME (the package `lameenc`) and decoded by FFmpeg.

    FFmpeg's own build of LAME writes the same bits at a third of the speed. The file has no LAME tag that would tell
    the decoder about the delay: 576 samples of the encoder and 529 of the decoder, which are removed here.

    At 16, 22.05 and 24 kHz an MP3 is MPEG-2 layer III (ISO/IEC 13818-3, "low sampling frequencies").
    """

    sample_rates: ClassVar[tuple[int, ...]] = (16_000, 22_050, 24_000)
    container: ClassVar[str] = "mp3"
    delay: ClassVar[int] = 576 + 529
    padding: ClassVar[int] = 1152 + delay

    @abstractmethod
    def settings(self) -> Mapping[str, int]:
        """What to set in the encoder, by the names of its setters."""

    def encode(self, pcm: Pcm, sample_rate: int) -> bytes:
        """Return (samples,) 16-bit PCM as an MP3 file."""
        import lameenc

        encoder = lameenc.Encoder()
        encoder.silence()
        try:
            encoder.set_channels(1)
            encoder.set_in_sample_rate(sample_rate)
            encoder.set_out_sample_rate(sample_rate)  # else LAME lowers it at low bitrates
            encoder.set_quality(3)  # what `lame` and FFmpeg use
            for name, value in self.settings().items():
                getattr(encoder, f"set_{name}")(value)
            return bytes(encoder.encode(pcm.tobytes())) + bytes(encoder.flush())
        except RuntimeError as error:
            raise AttackError(f"LAME failed to encode {pcm.size} samples for {self.id}: {error}") from error

    def decode(self, data: bytes, sample_rate: int) -> Decoded:
        """Return what an MP3 file holds."""
        del sample_rate
        return libav.decode(data, decoder="mp3float", container="mp3")

    def read_again(self, data: bytes, sample_rate: int) -> Decoded:
        """By mpg123, the decoder in libsndfile."""
        return read_by_libsndfile(data, sample_rate)


@dataclass(frozen=True, kw_only=True)
class MP3(LAME):
    """Encodes to MP3 at a constant bitrate with LAME and decodes again.

    MPEG-2 layer III knows the bitrates 8 to 160 kbit/s. One of them, 144, is left out: at 16 kHz LAME fills up 144 and
    160 with padding, and both decode to the same samples. Other sample rates have other bitrates and are refused. At a
    constant bitrate LAME multiplies its input by 0.95, which alone limits the SNR to 26 dB.
    """

    name: ClassVar[str] = "mp3"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bitrate_kbps": (160, 128, 96, 80, 64, 48, 32, 24, 16, 8)}

    bitrate_kbps: int = parameter(unit="kbps", kind=int, choices=(8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160))

    def settings(self) -> Mapping[str, int]:
        """The bitrate."""
        return {"bit_rate": self.bitrate_kbps}

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The bitrate of every clip; frames may differ by a byte of padding."""
        del sample_rate
        return Claim("bitrate_kbps", 0.995 * self.bitrate_kbps, 1.005 * self.bitrate_kbps), self._read_again()


@dataclass(frozen=True, kw_only=True)
class MP3VBR(LAME):
    """Encodes to MP3 at a variable bitrate with LAME, from V0 (best) to V9, and decodes again.

    The bitrate follows from the music; `KBPS` states the range in which it lies for most clips.
    """

    KBPS: ClassVar[Mapping[int, tuple[float, float]]] = {0: (30, 80), 2: (25, 65), 5: (15, 50), 9: (8, 40)}

    name: ClassVar[str] = "mp3_vbr"
    agrees_db: ClassVar[float] = -45.0  # in whole numbers a loud frame may overflow
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"quality": (0, 2, 5, 9)}

    quality: int = parameter(unit="v", kind=int, choices=(0, 2, 5, 9))

    def settings(self) -> Mapping[str, int]:
        """LAME's present method for variable bitrates (`vbr_mtrh`), and the quality."""
        return {"vbr": 4, "vbr_quality": self.quality}

    @property
    def is_constant(self) -> bool:
        """No: it spends what the clip needs."""
        return False

    def read_again(self, data: bytes, sample_rate: int) -> Decoded:
        """By FFmpeg's decoder in whole numbers: mpg123 does not find all frames of a stream without a header."""
        del sample_rate
        return libav.decode(data, decoder="mp3", container="mp3")

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The range of the bitrate at 16 kHz."""
        low, high = self.KBPS[self.quality]
        return Claim("bitrate_kbps", low, high * sample_rate / 16_000), self._read_again()


@dataclass(frozen=True, kw_only=True)
class MP2(BitrateCodec):
    """Encodes to MPEG audio layer II at a constant bitrate with FFmpeg and decodes again.

    The low sampling frequencies of ISO/IEC 13818-3, as digital radio uses them. FFmpeg's encoder has nothing left to
    gain above 96 kbit/s at 16 kHz: 112 to 160 decode to the same samples and are left out. Encoder and decoder delay
    the audio by 481 samples, which are removed. The frames are stored in a WAV file, as broadcasters do (EBU Tech 3285,
    supplement 1): in a bare stream FFmpeg does not always find the frames of a short clip again.
    """

    name: ClassVar[str] = "mp2"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bitrate_kbps": (96, 80, 64, 48, 32, 24, 16)}
    sample_rates: ClassVar[tuple[int, ...]] = (16_000, 22_050, 24_000)
    padding: ClassVar[int] = 1152 + 481
    delay: ClassVar[int] = 481
    encoder: ClassVar[str] = "mp2"
    decoder: ClassVar[str] = "mp2float"
    second_decoder: ClassVar[str] = "mp2"
    container: ClassVar[str] = "wav"

    bitrate_kbps: int = parameter(unit="kbps", kind=int, choices=(16, 24, 32, 40, 48, 56, 64, 80, 96))


@dataclass(frozen=True, kw_only=True)
class AAC(BitrateCodec):
    """Encodes to AAC-LC in an mp4 file with FFmpeg's encoder and decodes again.

    The bitrate is a mean that the encoder approaches, not a constant. A mono stream at 16 kHz takes no more than about
    70 kbit/s whatever is asked for, so the list ends at 64. The mp4 container states the encoder's delay, which is
    therefore removed; in a raw stream it stays: see `AACADTS`.
    """

    name: ClassVar[str] = "aac"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bitrate_kbps": (64, 48, 40, 32, 24, 16)}
    # Below 56 kbit/s the encoder replaces bands by noise, more of them at 24 than at 16: the SNR has no order.
    is_ordered: ClassVar[bool] = False
    sample_rates: ClassVar[tuple[int, ...]] = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
    padding: ClassVar[int] = 1024
    encoder: ClassVar[str] = "aac"
    decoder: ClassVar[str] = "aac"
    second_decoder: ClassVar[str] = "aac_fixed"
    container: ClassVar[str] = "mp4"
    trimmed: ClassVar[int] = 1024
    spends: ClassVar[tuple[float, float]] = (0.8, 1.12)

    bitrate_kbps: int = parameter(unit="kbps", kind=int, choices=(16, 24, 32, 40, 48, 56, 64))


@dataclass(frozen=True, kw_only=True)
class AACADTS(AAC):
    """Encodes to AAC-LC in a raw ADTS stream (`.aac`) and decodes again, 1,024 samples late.

    The coded audio is that of `AAC`, but an ADTS stream (ISO/IEC 14496-3, annex 1.A) has no place to state the delay
    of the encoder, so a player starts with one frame of silence and the end of the clip is cut. Many pipelines do this
    unawares; here it is an attack of its own.
    """

    name: ClassVar[str] = "aac_adts"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bitrate_kbps": (64, 32, 16)}
    keeps_alignment: ClassVar[bool] = False
    container: ClassVar[str] = "adts"
    trimmed: ClassVar[int] = 0

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The bitrate, and the delay of one frame."""
        return (*super().claims(sample_rate), Claim("delay_samples", 1024, 1024))


@dataclass(frozen=True, kw_only=True)
class Opus(BitrateCodec):
    """Encodes to Opus (RFC 6716) with libopus at a constrained variable bitrate and decodes again.

    Frames of 20 ms. Constrained means that the mean stays near the bitrate also in a clip of one second, where the free
    variable bitrate spends up to a third more. Low bitrates use the SILK mode, whose resamplers shift the audio by a
    fraction of a sample at 16 kHz; above 16 kHz that would be more than one sample, so higher sample rates are refused.
    """

    name: ClassVar[str] = "opus"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bitrate_kbps": (64, 48, 32, 24, 16, 12, 8)}
    sample_rates: ClassVar[tuple[int, ...]] = (8000, 12_000, 16_000)
    padding: ClassVar[int] = 1024
    decoded_hz: ClassVar[int] = 48_000
    trimmed: ClassVar[int] = 312
    encoder: ClassVar[str] = "libopus"
    decoder: ClassVar[str] = "libopus"
    container: ClassVar[str] = "ogg"
    spends: ClassVar[tuple[float, float]] = (0.85, 1.15)

    bitrate_kbps: int = parameter(unit="kbps", kind=int, choices=(8, 12, 16, 24, 32, 48, 64, 96, 128))

    @property
    def options(self) -> Mapping[str, str]:
        """The constrained variable bitrate."""
        return {"vbr": "constrained"}


@dataclass(frozen=True, kw_only=True)
class Vorbis(FFmpegCodec):
    """Encodes to Ogg Vorbis with libvorbis at a quality from 0 (lowest) to 10 and decodes again.

    The bitrate follows from the music: about 22 kbit/s at quality 0 and 60 kbit/s at quality 10 for mono at 16 kHz.
    libvorbis is reached through libsndfile, because PyAV has only FFmpeg's own, experimental encoder.
    """

    name: ClassVar[str] = "vorbis"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"quality": (8, 6, 4, 2, 0)}
    sample_rates: ClassVar[tuple[int, ...]] = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
    padding: ClassVar[int] = 2048
    encoder: ClassVar[str] = "vorbis"
    decoder: ClassVar[str] = "vorbis"
    container: ClassVar[str] = "ogg"

    quality: int = parameter(unit="q", kind=int, low=0, high=10)

    @classmethod
    def unavailable(cls) -> str | None:
        """Say so where libsndfile was built without libvorbis."""
        if "VORBIS" in soundfile.available_subtypes("OGG"):
            return None
        return f"libsndfile {soundfile.__libsndfile_version__} has no Vorbis: pip install --force-reinstall soundfile."

    @property
    def is_constant(self) -> bool:
        """No: it spends what the clip needs."""
        return False

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The range of the bitrate at 16 kHz."""
        middle = (21 + 4 * self.quality) * sample_rate / 16_000
        return Claim("bitrate_kbps", 0.6 * middle, 1.4 * middle), self._read_again()

    def read_again(self, data: bytes, sample_rate: int) -> Decoded:
        """By libvorbis, which FFmpeg's decoder is not."""
        return read_by_libsndfile(data, sample_rate)

    def encode(self, pcm: Pcm, sample_rate: int) -> bytes:
        """Return (samples,) 16-bit PCM as an encoded file."""
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


@dataclass(frozen=True, kw_only=True)
class WMA(BitrateCodec):
    """Encodes to Windows Media Audio 2 in an ASF file at a constant bitrate with FFmpeg and decodes again.

    FFmpeg's decoder leaves out the first frame, 512 samples at 16 kHz, so the clip is encoded behind as many zeros.
    Below 24 kbit/s the encoder refuses.
    """

    name: ClassVar[str] = "wma"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bitrate_kbps": (96, 64, 48, 32, 24)}
    sample_rates: ClassVar[tuple[int, ...]] = (16_000,)
    padding: ClassVar[int] = 1024
    lead: ClassVar[int] = 512
    encoder: ClassVar[str] = "wmav2"
    decoder: ClassVar[str] = "wmav2"
    container: ClassVar[str] = "asf"

    bitrate_kbps: int = parameter(unit="kbps", kind=int, choices=(24, 32, 48, 64, 96, 128))


@dataclass(frozen=True, kw_only=True)
class SBC(BitrateCodec):
    """Encodes with SBC, the codec of Bluetooth audio (A2DP 1.3, appendix B), at a constant bitrate and decodes again.

    Eight sub-bands, frames of 128 samples. The polyphase filters delay the audio by 73 samples, which are removed.
    """

    name: ClassVar[str] = "sbc"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bitrate_kbps": (96, 64, 48, 32, 24, 16)}
    sample_rates: ClassVar[tuple[int, ...]] = (16_000,)
    padding: ClassVar[int] = 256 + 73
    delay: ClassVar[int] = 73
    encoder: ClassVar[str] = "sbc"
    decoder: ClassVar[str] = "sbc"
    container: ClassVar[str] = "sbc"

    bitrate_kbps: int = parameter(unit="kbps", kind=int, choices=(16, 24, 32, 48, 64, 96, 128))


@dataclass(frozen=True, kw_only=True)
class FLAC(FFmpegCodec):
    """Encodes to 16-bit FLAC (RFC 9639) and decodes again: a lossless control of the codec path.

    What comes back are the 16-bit codes that went in. A clip read from a 16-bit file comes back bit for bit.
    """

    name: ClassVar[str] = "flac"
    is_control: ClassVar[bool] = True
    padding: ClassVar[int] = 0
    encoder: ClassVar[str] = "flac"
    decoder: ClassVar[str] = "flac"
    container: ClassVar[str] = "flac"

    @property
    def is_constant(self) -> bool:
        """No: it spends what the clip needs."""
        return False

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Not one code is wrong, and the file is no larger than the PCM, but for its frame headers."""
        right = Claim("wrong_codes", 0, 0, every=True)
        return right, Claim("bitrate_kbps", 0, 16.5 * sample_rate / 1000), self._read_again()

    def read_again(self, data: bytes, sample_rate: int) -> Decoded:
        """By libFLAC."""
        return read_by_libsndfile(data, sample_rate)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Count the samples that are not the 16-bit codes of the clip."""
        del sample_rate
        return {
            "wrong_codes": np.count_nonzero(pcm_for_codec(before) != pcm_for_codec(after), axis=1).astype(np.float64)
        }


def read_by_libsndfile(data: bytes, sample_rate: int) -> Decoded:
    """Return what an encoded file holds, by the decoders in libsndfile, which are not those of FFmpeg.

    Args:
        data: The file.
        sample_rate: That it must have, in Hz.

    Raises:
        AttackError: libsndfile cannot read it, or it is labelled with another rate.
    """
    try:
        audio, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    except soundfile.LibsndfileError as error:
        raise AttackError(f"libsndfile failed to decode {len(data)} bytes: {error}") from error
    if rate != sample_rate or audio.ndim != 1:
        raise AttackError(f"The file must be mono at {sample_rate} Hz. Got {audio.shape} at {rate} Hz.")
    return Decoded(audio, rate, float("nan"))
