"""Reading any audio: a clip is cut where it says, and a file that is not what it promises is refused."""

import errno
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sealproof.harness.foundation.audio import files as audio_files
from sealproof.harness.foundation.audio.files import (
    from_pcm,
    is_audio_name,
    read_clip,
    read_info,
    read_wav,
    to_pcm,
    write_wav,
)
from sealproof.harness.foundation.errors import HarnessError

Floats = NDArray[np.float32]
FORMATS = ["a.wav", "a.flac", "a.ogg", "a.mp3", "a.aiff", "a.au", "a.w64", "a.caf", "a.rf64"]


def peak_hz(clip: Floats) -> float:
    """Frequency of the strongest bin of a clip at 16 kHz."""
    return float(np.abs(np.fft.rfft(clip * np.hanning(clip.size))).argmax() * 16_000 / clip.size)


# --- Right place, right time ---


def test_a_clip_of_a_16_khz_file_is_the_source_sample_by_sample(
    tmp_path: Path, audio_noise: Callable[..., Floats]
) -> None:
    source = audio_noise(40_000)
    soundfile.write(tmp_path / "a.wav", source, 16_000, subtype="FLOAT")
    for start_s in (0.0, 0.123, 1.0, 1.5):
        first = round(start_s * 16_000)
        np.testing.assert_array_equal(read_clip(tmp_path / "a.wav", start_s, 16_000), source[first : first + 16_000])


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000])
def test_a_tone_keeps_frequency_level_and_phase_through_resampling(
    tmp_path: Path, audio_tone: Callable[..., Floats], rate: int
) -> None:
    soundfile.write(tmp_path / "a.wav", audio_tone(440, rate, 3), rate, subtype="FLOAT")
    start_s = 1.237
    clip = read_clip(tmp_path / "a.wav", start_s, 16_000)
    assert clip.shape == (16_000,)
    assert clip.dtype == np.float32
    assert peak_hz(clip) == 440
    # A source frame down to the start, half a sample of 16 kHz for the margin.
    tolerance_s = 1 / rate + 0.5 / 16_000
    expected = 0.5 * np.sin(2 * np.pi * 440 * (start_s + np.arange(16_000) / 16_000))
    assert np.abs(clip - expected).max() < 0.5 * 2 * np.pi * 440 * tolerance_s + 1e-3


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_every_format_is_cut_at_the_same_time(
    tmp_path: Path, audio_noise: Callable[..., Floats], name: str, rate: int
) -> None:
    # White noise below 6 kHz: its autocorrelation is one narrow peak, and no codec drops it.
    spectrum = np.fft.rfft(audio_noise(4 * rate, seed=3))
    spectrum[4 * 6_000 :] = 0
    source = np.fft.irfft(spectrum).astype(np.float32)
    soundfile.write(tmp_path / name, source, rate)
    soundfile.write(tmp_path / "reference.wav", source, rate, subtype="FLOAT")
    clip, expected = (read_clip(tmp_path / file, 1.7, 16_000) for file in (name, "reference.wav"))
    lags = np.fft.irfft(np.fft.rfft(clip) * np.conj(np.fft.rfft(expected)))
    assert int(lags.argmax()) == 0
    assert np.corrcoef(clip, expected)[0, 1] > 0.9


def test_what_lies_above_8_khz_does_not_alias(tmp_path: Path, audio_tone: Callable[..., Floats]) -> None:
    soundfile.write(tmp_path / "a.wav", audio_tone(12_000, 44_100, 2), 44_100)
    assert np.abs(read_clip(tmp_path / "a.wav", 0.5, 8_000)).max() < 1e-3


def test_channels_are_averaged(tmp_path: Path, audio_tone: Callable[..., Floats]) -> None:
    tone = audio_tone(500, 16_000, 1)
    soundfile.write(tmp_path / "a.wav", np.stack([tone, np.zeros_like(tone), -0.5 * tone], 1), 16_000, subtype="FLOAT")
    np.testing.assert_allclose(read_clip(tmp_path / "a.wav", 0, 16_000), tone / 6, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(
    rate=st.sampled_from([8_000, 11_025, 22_050, 37_800, 44_100, 48_000]),
    n_samples=st.integers(1_600, 3_000),
    windows=st.integers(1, 4),
)
def test_every_clip_that_fits_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, rate: int, n_samples: int, windows: int
) -> None:
    path = tmp_path_factory.mktemp("fit") / "a.wav"
    clip_s = n_samples / 16_000
    soundfile.write(path, np.full(int(np.ceil(windows * clip_s * rate)), 0.25, np.float32), rate)
    for window in range(windows):
        assert read_clip(path, round(window * clip_s, 7), n_samples).shape == (n_samples,)


def test_a_clip_on_the_half_frame_at_the_end_of_its_file_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.full(4_410, 0.25, np.float32), 11_025)
    assert read_clip(tmp_path / "a.wav", 0.3, 1_600).shape == (1_600,)


# --- Refusals ---


# An MP3 may lack up to 1 %, which encoders miscount: that is seen when the clip is read, below.
@pytest.mark.parametrize(
    ("name", "kept"), [(name, kept) for name in FORMATS for kept in (0.98 if name == "a.mp3" else 0.999, 0.6, 0.05)]
)
def test_a_truncated_file_is_refused(
    tmp_path: Path, audio_noise: Callable[..., Floats], capfd: pytest.CaptureFixture[str], name: str, kept: float
) -> None:
    path = tmp_path / name
    soundfile.write(path, audio_noise(2 * 44_100), 44_100)
    assert read_info(path).n_frames == 2 * 44_100
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(HarnessError, match=r"truncated|no audio that libsndfile reads") as caught:
        read_info(path)
    assert str(caught.value).startswith(str(path))
    assert "Remove it" in str(caught.value)
    assert capfd.readouterr().err == "", "a decoder spoke past us"


def test_an_mp3_behind_a_tag_that_ends_early_is_refused(tmp_path: Path, audio_noise: Callable[..., Floats]) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, audio_noise(2 * 44_100), 44_100)
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 40, 0]) + bytes(40 * 128)
    tagged = tag + path.read_bytes()
    path.write_bytes(tagged)
    assert read_info(path).n_frames == 2 * 44_100
    path.write_bytes(tagged[: int(len(tagged) * 0.8)])
    with pytest.raises(HarnessError, match="truncated: its header promises"):
        read_info(path)


def test_an_mp3_that_ends_a_little_early_is_refused_at_its_last_clip(
    tmp_path: Path, audio_noise: Callable[..., Floats]
) -> None:
    path = tmp_path / "a.mp3"
    soundfile.write(path, audio_noise(10 * 44_100), 44_100)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.993)])
    assert read_info(path).n_frames == 10 * 44_100
    assert read_clip(path, 0, 16_000).shape == (16_000,)
    with pytest.raises(HarnessError, match="the 1 s from 9 s on that its header promises: it is truncated"):
        read_clip(path, 9, 16_000)


def test_a_wav_whose_header_promises_too_much_is_refused(tmp_path: Path, audio_noise: Callable[..., Floats]) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, audio_noise(16_000), 16_000)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"data") + 4, 99_000)
    path.write_bytes(content)
    with pytest.raises(HarnessError, match="its header promises 99000 bytes, 32000 are there"):
        read_info(path)


def test_a_wav_written_to_a_pipe_is_taken_as_long_as_it_is(tmp_path: Path, audio_noise: Callable[..., Floats]) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, audio_noise(16_000), 16_000)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 4, 0xFFFF_FFFF)
    struct.pack_into("<I", content, content.index(b"data") + 4, 0xFFFF_FFFF)
    path.write_bytes(content)
    assert read_info(path).n_frames == 16_000


def test_a_flac_of_unknown_length_is_refused(tmp_path: Path, audio_noise: Callable[..., Floats]) -> None:
    path = tmp_path / "a.flac"
    soundfile.write(path, audio_noise(16_000), 16_000)
    content = bytearray(path.read_bytes())
    # STREAMINFO: the number of samples is the low 36 bits of the 8 bytes from offset 18.
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    with pytest.raises(HarnessError, match=r"truncated|0 frames"):
        read_info(path)


@pytest.mark.parametrize(
    ("name", "content", "rule"),
    [
        ("a.wav", b"", "It is truncated: it holds 0 bytes"),
        ("a.mp3", b"", "It is truncated: it holds 0 bytes"),
        ("a.wav", b"this is a shopping list\n" * 50, "is no audio that libsndfile reads"),
        ("a.flac", b"\x00" * 500, "is no audio that libsndfile reads"),
        ("a.ogg", b"\x89PNG\r\n\x1a\n" + bytes(500), "is no audio that libsndfile reads"),
        ("a.mp3", b"<html><body>404</body></html>", "is no audio that libsndfile reads"),
        ("a.raw", bytes(1000), "is no audio that libsndfile reads"),
    ],
)
def test_what_is_no_audio_is_refused(tmp_path: Path, name: str, content: bytes, rule: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(HarnessError, match=rule) as caught:
        read_info(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_wav_without_samples_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(0, np.float32), 16_000)
    with pytest.raises(HarnessError, match=r"must hold audio\. Its header says 0 frames"):
        read_info(tmp_path / "a.wav")


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "a.wav")

    monkeypatch.setattr(audio_files, "promise_broken", refuse)
    with pytest.raises(HarnessError, match=r"a\.wav cannot be read \(Permission denied\)"):
        read_info(tmp_path / "a.wav")


@pytest.mark.parametrize("values", [(np.nan, 0.1), (np.inf, 0.1), (-np.inf, np.inf)])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_nan_and_infinite_samples_are_refused_where_they_are(
    tmp_path: Path, audio_noise: Callable[..., Floats], values: tuple[float, float], rate: int
) -> None:
    stereo = np.stack([audio_noise(3 * rate, 1), audio_noise(3 * rate, 2)], 1)
    stereo[round(1.5 * rate)] = values
    soundfile.write(tmp_path / "a.wav", stereo, rate, subtype="FLOAT")
    assert np.isfinite(read_clip(tmp_path / "a.wav", 0, 16_000)).all()
    with pytest.raises(HarnessError, match=r"must hold finite samples. Got NaN or infinity near 1 s"):
        read_clip(tmp_path / "a.wav", 1, 16_000)


def test_a_clip_past_the_end_is_refused(tmp_path: Path, audio_noise: Callable[..., Floats]) -> None:
    soundfile.write(tmp_path / "a.wav", audio_noise(20_000), 16_000)
    with pytest.raises(HarnessError, match=r"ends before the 1 s from 0\.5 s on"):
        read_clip(tmp_path / "a.wav", 0.5, 16_000)


@pytest.mark.parametrize(
    ("name", "audio"),
    [("a.WAV", True), ("a.Mp3", True), ("a.opus", True), ("a.aif", True), ("a.txt", False), ("wav", False)],
)
def test_extensions_are_known_in_any_case(name: str, audio: bool) -> None:
    assert is_audio_name(Path(name)) is audio


# --- The clips' own WAVs ---


def test_pcm_survives_the_way_to_float_and_back() -> None:
    every = np.arange(-32_768, 32_768).astype(np.int16)
    np.testing.assert_array_equal(to_pcm(from_pcm(every)), every)


def test_pcm_rounds_and_clips() -> None:
    audio = np.array([1.0, 2.0, -1.0, -7.0, 0.6 / 32_768, -0.4 / 32_768], np.float32)
    assert to_pcm(audio).tolist() == [32_767, 32_767, -32_768, -32_768, 1, 0]


def test_a_written_wav_is_what_the_issue_asks_and_comes_back(tmp_path: Path) -> None:
    pcm = np.random.default_rng(0).integers(-32_768, 32_768, 16_000).astype(np.int16)
    sha256 = write_wav(tmp_path / "deep" / "a.wav", pcm)
    info = soundfile.info(tmp_path / "deep" / "a.wav")
    assert (info.format, info.subtype, info.samplerate, info.channels, info.frames) == (
        "WAV",
        "PCM_16",
        16_000,
        1,
        16_000,
    )
    np.testing.assert_array_equal(read_wav(tmp_path / "deep" / "a.wav", 16_000), pcm)
    assert sha256 == write_wav(tmp_path / "again.wav", pcm), "the bytes must depend on the samples alone"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.wav"]


@pytest.mark.parametrize(
    ("rate", "subtype", "shape"),
    [
        (8_000, "PCM_16", 16_000),
        (16_000, "PCM_24", 16_000),
        (16_000, "PCM_16", 15_999),
        (16_000, "PCM_16", (16_000, 2)),
    ],
)
def test_a_wav_of_another_kind_is_no_clip(
    tmp_path: Path, rate: int, subtype: str, shape: int | tuple[int, int]
) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros(shape), rate, subtype=subtype)
    with pytest.raises(HarnessError, match=r"must be WAV PCM_16, 16000 Hz, 1 channel, 16000 samples\. Got"):
        read_wav(tmp_path / "a.wav", 16_000)


def test_a_wav_must_have_the_hash_that_was_written_down(tmp_path: Path) -> None:
    sha256 = write_wav(tmp_path / "a.wav", np.zeros(16_000, np.int16))
    assert not read_wav(tmp_path / "a.wav", 16_000, sha256).any()
    write_wav(tmp_path / "a.wav", np.ones(16_000, np.int16))
    with pytest.raises(HarnessError, match=r"a\.wav must have the sha256 that was written down for it"):
        read_wav(tmp_path / "a.wav", 16_000, sha256)
    assert read_wav(tmp_path / "a.wav", 16_000).all()


def test_a_missing_wav_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"gone\.wav cannot be read .* Run `sealproof check`"):
        read_wav(tmp_path / "gone.wav", 16_000)
