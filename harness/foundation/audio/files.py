"""Reading any audio as mono clips at 16 kHz, and writing clips as 16-bit PCM WAV."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.foundation.audio.truncated_files import promise_broken, promise_cut
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import write_atomically

if TYPE_CHECKING:
    from soundfile import SoundFile

SAMPLE_RATE = 16_000
"""Sample rate of every clip, in Hz."""

FULL_SCALE = 32_768
"""A 16-bit sample of this value is 1.0; 32,767 is the largest there is."""

_RESAMPLING_MARGIN_S = 0.05
"""Read on both sides of a clip, so that the resampler's edges fall outside it."""

Audio = NDArray[np.float32]
Pcm = NDArray[np.int16]


@dataclass(frozen=True)
class AudioInfo:
    """What a file's header says: sample rate in Hz, number of frames, and of channels."""

    sample_rate: int
    n_frames: int
    n_channels: int = 1

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return self.n_frames / self.sample_rate


def is_audio_name(path: Path) -> bool:
    """Say whether libsndfile reads files of this extension."""
    import soundfile

    extension = path.suffix[1:].upper()
    return extension in _EXTENSIONS_BESIDE_FORMATS or extension in soundfile.available_formats()


_EXTENSIONS_BESIDE_FORMATS = {"AIF", "OGA", "OPUS", "SND"}
"""Extensions in use that differ from libsndfile's name of the format."""


def read_info(path: Path) -> AudioInfo:
    """Read a file's header, and see that the file keeps what it promises.

    Raises:
        HarnessError: The file is no audio that libsndfile reads, holds none, or ends early.
    """
    import soundfile

    try:
        # Before libsndfile sees it: its MP3 decoder prints to standard error.
        broken = promise_broken(path)
        if broken is None:
            with soundfile.SoundFile(path) as file:
                broken = promise_cut(file.extra_info) or _lost_end(file)
                info = AudioInfo(file.samplerate, file.frames, file.channels)
    except OSError as error:
        raise HarnessError(f"{path} cannot be read ({error.strerror}). Make it readable or remove it.") from error
    except (soundfile.SoundFileError, TypeError) as error:
        raise HarnessError(
            f"{path} is no audio that libsndfile reads ({_reason(error)}). Remove it or convert it to WAV or FLAC."
        ) from error
    if broken is not None:
        raise HarnessError(f"{path} must be whole. It is truncated: {broken}. Remove it or fetch it again.")
    if info.n_frames <= 0:
        raise HarnessError(f"{path} must hold audio. Its header says 0 frames: remove the file or fetch it again.")
    return info


def _lost_end(file: "SoundFile") -> str | None:
    """Say so when the last sample of a FLAC cannot be decoded; other formats show it in header or last page."""
    import soundfile

    if file.format != "FLAC" or file.frames <= 0:
        return None
    try:
        file.seek(file.frames - 1)
        return None if len(file.read(1)) == 1 else "its last sample is missing"
    except soundfile.SoundFileError as error:
        return f"its last sample cannot be decoded ({_reason(error)})"


def read_clip(path: Path, start_s: float, n_samples: int) -> Audio:
    """Read one mono clip at 16 kHz out of a file of any rate and number of channels.

    Channels are averaged; other rates are converted with soxr (HQ).

    Args:
        path: An audio file.
        start_s: Where the clip starts in the file, in seconds.
        n_samples: Length of the clip in samples at 16 kHz.

    Returns:
        Float32 samples of shape (n_samples,), nominally in [-1, 1].

    Raises:
        HarnessError: The file cannot be decoded, ends before the clip does, or holds NaN or infinite samples.
    """
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            # Down, and the length up: so a clip that fits in seconds fits in frames too. The sum absorbs float error.
            first = int(start_s * rate + 1e-3)
            margin = 0 if rate == SAMPLE_RATE else min(first, round(_RESAMPLING_MARGIN_S * rate))
            wanted = int(np.ceil(n_samples * rate / SAMPLE_RATE))
            file.seek(first - margin)
            frames = file.read(margin + wanted + round(_RESAMPLING_MARGIN_S * rate), dtype="float32", always_2d=True)
    except soundfile.SoundFileError as error:
        raise HarnessError(
            f"{path} cannot be decoded at {start_s:g} s ({_reason(error)}). Remove it or fetch it again."
        ) from error
    if len(frames) < margin + wanted:
        raise HarnessError(
            f"{path} ends before the {n_samples / SAMPLE_RATE:g} s from {start_s:g} s on that its header promises: "
            "it is truncated. Remove it or fetch it again."
        )
    if not np.isfinite(frames).all():
        raise HarnessError(
            f"{path} must hold finite samples. Got NaN or infinity near {start_s:g} s: remove or repair the file."
        )
    return _to_sample_rate(frames.mean(axis=1, dtype=np.float32), rate, margin)[:n_samples]


def _to_sample_rate(mono: Audio, rate: int, margin: int) -> Audio:
    if rate == SAMPLE_RATE:
        return mono[margin:]
    import soxr

    resampled: Audio = soxr.resample(mono, rate, SAMPLE_RATE)
    return resampled[round(margin * SAMPLE_RATE / rate) :]


def _reason(error: Exception) -> str:
    return str(error).rsplit(": ", maxsplit=1)[-1].rstrip(".")


def to_pcm(audio: Audio) -> Pcm:
    """Round float samples to 16-bit PCM, clipping what exceeds full scale."""
    pcm: Pcm = np.clip(np.rint(audio * np.float32(FULL_SCALE)), -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return pcm


def clipped_share(audio: Audio) -> float:
    """Return which share of float samples `to_pcm` clips by more than rounding."""
    return float(np.mean(np.abs(audio) > 1))


def full_scale_share(pcm: Pcm) -> float:
    """Return which share of samples stands at either end of 16 bits: those that were cut off there, and hardly others.

    For audio that was decoded and resampled before it came to be 16 bits, where its floats are no longer at hand.
    """
    return float(np.mean((pcm == FULL_SCALE - 1) | (pcm == -FULL_SCALE)))


def from_pcm(pcm: Pcm) -> Audio:
    """Turn 16-bit PCM into float32 in [-1, 1)."""
    return pcm.astype(np.float32) / np.float32(FULL_SCALE)


def write_wav(path: Path, pcm: Pcm) -> str:
    """Write one mono 16-bit PCM WAV at 16 kHz atomically.

    Returns:
        The file's sha256 in hexadecimal.

    Raises:
        OSError: The disk is full or the folder cannot be written.
    """
    import soundfile

    # Made in memory first: libsndfile reports a full disk as an error of its own, without the system's number.
    wav = io.BytesIO()
    soundfile.write(wav, pcm, SAMPLE_RATE, subtype="PCM_16", format="WAV")
    content = wav.getvalue()
    write_atomically(path, lambda file: file.write(content), durable=False)
    return hashlib.sha256(content).hexdigest()


def read_wav(path: Path, n_samples: int, sha256: str | None = None) -> Pcm:
    """Read a WAV that `write_wav` wrote.

    Args:
        path: The file.
        n_samples: The length that it must have.
        sha256: The hash that it must have; None where nobody wrote one down. The bytes that are hashed are the bytes
            that are decoded, so that no file is swapped in between.

    Raises:
        HarnessError: The file is missing, damaged, not mono 16-bit PCM at 16 kHz of the stated length, or another one
            than was written.
    """
    import soundfile

    try:
        content = path.read_bytes()
    except OSError as error:
        raise HarnessError(
            f"{path} cannot be read ({error.strerror}). Run `sealproof check` on the dataset, then build it again."
        ) from error
    if sha256 is not None and (found_sha256 := hashlib.sha256(content).hexdigest()) != sha256:
        raise HarnessError(
            f"{path} must have the sha256 that was written down for it, {sha256[:12]}... Got {found_sha256[:12]}...: "
            "it was damaged or replaced. Put the right file back; `sealproof check` on the dataset lists all of them."
        )
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            form = (file.format, file.subtype, file.samplerate, file.channels, file.frames)
            pcm: Pcm = file.read(dtype="int16")
    except soundfile.SoundFileError as error:
        raise HarnessError(
            f"{path} cannot be read ({_reason(error)}). Run `sealproof check` on the dataset, then build it again."
        ) from error
    if form != ("WAV", "PCM_16", SAMPLE_RATE, 1, n_samples) or len(pcm) != n_samples:
        raise HarnessError(
            f"{path} must be WAV PCM_16, 16000 Hz, 1 channel, {n_samples} samples. Got {form}, {len(pcm)} read. "
            "Run `sealproof check` on the dataset, then build it again."
        )
    return pcm
