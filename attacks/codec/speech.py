"""Speech codecs: what telephony, conferencing and headsets do to a clip, with the resampling that leads to them.

The clip is resampled to the codec's own rate and back with soxr, as a telephone channel does; a codec at 8 kHz
therefore leaves nothing above 4 kHz. All else is as `base` says: 16-bit PCM, a padded tail, no delay, length kept,
`bitrate_kbps` measured of the bytes that were decoded.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import soundfile
from numpy.typing import NDArray

from sealproof.attacks.codec.base import BitrateCodec, Codec, FFmpegCodec, Pcm, resampled
from sealproof.attacks.codec.libav import Decoded
from sealproof.attacks.codec.music import read_by_libsndfile
from sealproof.attacks.contract.base import AttackError, Audio, Claim, Facts, parameter

_TAIL = 64
"""Zeros appended before resampling, in samples: rounding of the length then never shortens the output."""


class SpeechCodec(Codec):
    """A codec with a sample rate of its own.

    Attributes:
        codec_hz: That sample rate; `padding` and `delay` count its samples.
        coded_kbps: The bitrate of its frames, for one that has no other.
    """

    codec_hz: ClassVar[int]
    coded_kbps: ClassVar[float]

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> tuple[Audio, Facts]:
        """Resample, encode, decode and resample back."""
        if sample_rate < self.codec_hz:
            raise AttackError(
                f"The sample rate for {self.name} must be at least {self.codec_hz} Hz, that of the codec. "
                f"Got {sample_rate}."
            )
        if sample_rate == self.codec_hz:
            return super().apply(clip, sample_rate, rng)
        spoken = resampled(np.pad(clip, (0, _TAIL)), sample_rate, self.codec_hz)
        heard, facts = super().apply(spoken, self.codec_hz, rng)
        return resampled(heard, self.codec_hz, sample_rate)[: clip.size], facts

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The bitrate, which is constant."""
        del sample_rate
        return Claim.about("bitrate_kbps", self.coded_kbps, 0.001 * self.coded_kbps, every=True), self._read_again()

    def coded_hz(self, sample_rate: int) -> int:
        """That of the codec."""
        del sample_rate
        return self.codec_hz

    def _again(self, decoded: Audio, samples: int, coded_hz: int, sample_rate: int) -> Audio:
        if coded_hz != sample_rate:
            coded = resampled(np.zeros(samples + _TAIL, np.float32), sample_rate, coded_hz).size
            decoded = resampled(self._cut(decoded, coded_hz)[:coded], coded_hz, sample_rate)
            return np.pad(decoded[:samples], (0, max(0, samples - decoded.size)))
        return super()._again(decoded, samples, coded_hz, sample_rate)


@dataclass(frozen=True, kw_only=True)
class GSM(SpeechCodec):
    """Codes with GSM full rate (ETSI EN 300 961, "GSM 06.10"), the first mobile telephone codec, at 8 kHz.

    Regular pulse excitation with long-term prediction: 20 ms in 33 bytes, 13.2 kbit/s, by the libgsm in libsndfile.
    """

    name: ClassVar[str] = "gsm"
    codec_hz: ClassVar[int] = 8000
    coded_kbps: ClassVar[float] = 13.2
    padding: ClassVar[int] = 320

    @classmethod
    def unavailable(cls) -> str | None:
        """Say so where libsndfile was built without libgsm."""
        if "GSM610" in soundfile.available_subtypes("RAW"):
            return None
        return f"libsndfile {soundfile.__libsndfile_version__} has no GSM: pip install --force-reinstall soundfile."

    def encode(self, pcm: Pcm, sample_rate: int) -> bytes:
        """Return (samples,) 16-bit PCM as frames without a header."""
        file = io.BytesIO()
        try:
            soundfile.write(file, pcm, sample_rate, format="RAW", subtype="GSM610")
        except soundfile.LibsndfileError as error:
            raise AttackError(f"libgsm failed to encode {pcm.size} samples: {error}") from error
        return file.getvalue()

    def decode(self, data: bytes, sample_rate: int) -> Decoded:
        """Return what frames without a header hold."""
        try:
            audio, rate = soundfile.read(
                io.BytesIO(data), dtype="float32", samplerate=sample_rate, channels=1, format="RAW", subtype="GSM610"
            )
        except soundfile.LibsndfileError as error:
            raise AttackError(f"libgsm failed to decode {len(data)} bytes: {error}") from error
        if not audio.size:
            raise AttackError(f"libgsm decoded no audio from {len(data)} bytes.")
        return Decoded(audio, rate, 8 * len(data) / 1000 / (audio.size / rate))


@dataclass(frozen=True, kw_only=True)
class G722(SpeechCodec, FFmpegCodec):
    """Codes with ITU-T G.722, the wide-band codec of conferencing and ISDN, at 16 kHz and 64 kbit/s.

    ADPCM in two sub-bands. The quadrature mirror filters delay the audio by 22 samples, which are removed.
    """

    name: ClassVar[str] = "g722"
    codec_hz: ClassVar[int] = 16_000
    coded_kbps: ClassVar[float] = 64
    padding: ClassVar[int] = 320
    delay: ClassVar[int] = 22
    encoder: ClassVar[str] = "g722"
    decoder: ClassVar[str] = "g722"
    container: ClassVar[str] = "wav"


@dataclass(frozen=True, kw_only=True)
class G726(SpeechCodec, BitrateCodec):
    """Codes with ITU-T G.726, the ADPCM of cordless telephones, at 8 kHz with 2 to 5 bits a sample."""

    name: ClassVar[str] = "g726"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"bitrate_kbps": (40, 32, 24, 16)}
    codec_hz: ClassVar[int] = 8000
    padding: ClassVar[int] = 320
    encoder: ClassVar[str] = "g726"
    decoder: ClassVar[str] = "g726"
    container: ClassVar[str] = "wav"

    bitrate_kbps: int = parameter(unit="kbps", kind=int, choices=(16, 24, 32, 40))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The bitrate, which is constant."""
        return BitrateCodec.claims(self, sample_rate)


@dataclass(frozen=True, kw_only=True)
class G7231(SpeechCodec, FFmpegCodec):
    """Codes with ITU-T G.723.1 at its higher rate, a codec of early Internet telephony, at 8 kHz.

    30 ms in 24 bytes: 6.3 kbit/s of parameters, 6.4 kbit/s as stored. The look-ahead of 60 samples is removed.
    """

    name: ClassVar[str] = "g723_1"
    codec_hz: ClassVar[int] = 8000
    coded_kbps: ClassVar[float] = 6.4
    padding: ClassVar[int] = 480
    delay: ClassVar[int] = 60
    encoder: ClassVar[str] = "g723_1"
    decoder: ClassVar[str] = "g723_1"
    container: ClassVar[str] = "wav"

    @property
    def bit_rate(self) -> int:
        """The only one that FFmpeg encodes."""
        return 6300


@dataclass(frozen=True, kw_only=True)
class ADPCM(FFmpegCodec):
    """Codes with IMA ADPCM in a WAV file, 4 bits a sample, at the clip's own sample rate.

    The ADPCM of voice recorders, games and call recordings (IMA Digital Audio Technical Working Group, 1992). A block
    of 1,024 bytes holds 2,041 samples: one in its header and 2,040 of 4 bits.
    """

    name: ClassVar[str] = "adpcm"
    padding: ClassVar[int] = 2041
    encoder: ClassVar[str] = "adpcm_ima_wav"
    decoder: ClassVar[str] = "adpcm_ima_wav"
    container: ClassVar[str] = "wav"

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The bitrate, which is constant."""
        kbps = 8 * 1024 / 2041 * sample_rate / 1000
        return Claim.about("bitrate_kbps", kbps, 0.001 * kbps, every=True), self._read_again()

    def read_again(self, data: bytes, sample_rate: int) -> Decoded:
        """By the decoder in libsndfile."""
        return read_by_libsndfile(data, sample_rate)


@dataclass(frozen=True, kw_only=True)
class AMRNB(SpeechCodec, BitrateCodec):
    """Codes with AMR narrow-band (3GPP TS 26.071), the codec of GSM and UMTS telephony, at 8 kHz.

    Algebraic code-excited linear prediction in frames of 20 ms, by OpenCORE. The id states the rate of the speech
    parameters; a stored frame (RFC 4867) has a header byte more and is filled up to whole bytes, which makes 12.2 into
    12.8 kbit/s. The look-ahead of 40 samples is removed. What stays is the phase of the codec's own high-pass filters
    (80 Hz before, 60 Hz after it): they delay bass by 1 to 2 ms, and the whole waveform of bass-heavy music with it.
    In the telephone band, 300 to 3,400 Hz, the delay is within one sample of the codec.
    """

    name: ClassVar[str] = "amr_nb"
    keeps_polarity: ClassVar[bool] = False  # of bass, whose phase its filters turn
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {
        "bitrate_kbps": (12.2, 10.2, 7.95, 7.4, 6.7, 5.9, 5.15, 4.75),
    }
    codec_hz: ClassVar[int] = 8000
    padding: ClassVar[int] = 320
    delay: ClassVar[int] = 40
    encoder: ClassVar[str] = "libopencore_amrnb"
    decoder: ClassVar[str] = "libopencore_amrnb"
    container: ClassVar[str] = "amr"

    bitrate_kbps: float = parameter(unit="kbps", choices=(4.75, 5.15, 5.9, 6.7, 7.4, 7.95, 10.2, 12.2))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The bitrate of the frames as they are stored, 50 a second, and the delay with and without bass."""
        frame_bytes = 1 + math.ceil(self.bit_rate / 50 / 8)
        stored_kbps = 8 * frame_bytes * 50 / 1000
        return (
            Claim.about("bitrate_kbps", stored_kbps, 0.001 * stored_kbps, every=True),
            Claim.about("speech_band_delay_ms", 0, 1000 / self.codec_hz),
            Claim("delay_samples", -0.001 * sample_rate, 0.003 * sample_rate),
            self._read_again(),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Measure the delay between 300 and 3,400 Hz, within 10 ms: the peak of the circular cross-correlation."""
        samples = before.shape[1]
        hz = np.fft.rfftfreq(samples, 1 / sample_rate)
        speech = (hz >= 300) & (hz <= 3400)
        correlation = np.fft.irfft(np.fft.rfft(after) * np.conj(np.fft.rfft(before)) * speech, samples)
        furthest = min(sample_rate // 100, samples - 1)
        lags = np.arange(-furthest, furthest + 1)
        nearby = correlation[:, lags]
        delay_ms = lags[nearby.argmax(axis=1)] * 1000 / sample_rate
        # A tone fits itself again a period later, and a short clip what you like.
        power = (np.abs(np.fft.rfft(before)) * speech) ** 2
        strongest = np.sort(power, axis=1)[:, -20:].sum(axis=1)
        told = (nearby.max(axis=1) > 0) & (strongest < 0.95 * power.sum(axis=1)) & (samples >= sample_rate // 4)
        return {"speech_band_delay_ms": np.where(told, delay_ms, np.nan)}


@dataclass(frozen=True, kw_only=True)
class MSBC(SpeechCodec, FFmpegCodec):
    """Codes with mSBC, the wide-band speech of Bluetooth headsets (Hands-Free Profile 1.6), at 16 kHz.

    SBC with fixed settings: 7.5 ms in 57 bytes, 60.8 kbit/s. Its filters' delay of 73 samples is removed.
    """

    name: ClassVar[str] = "msbc"
    codec_hz: ClassVar[int] = 16_000
    coded_kbps: ClassVar[float] = 60.8
    padding: ClassVar[int] = 240 + 73
    delay: ClassVar[int] = 73
    encoder: ClassVar[str] = "sbc"
    decoder: ClassVar[str] = "sbc"
    container: ClassVar[str] = "sbc"

    @property
    def options(self) -> Mapping[str, str]:
        """The fixed settings."""
        return {"msbc": "1"}
