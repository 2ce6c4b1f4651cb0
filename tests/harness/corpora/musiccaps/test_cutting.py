"""A clip is cut where it says, to the sample, out of every container; what cannot be cut is refused with a reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from sealproof.harness.corpora.musiccaps.cutting.cut import cut
from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.foundation.audio.files import Pcm, from_pcm

EXACT = (
    "cues.webm", "round.webm", "no-cues.webm", "opus.ogg", "index-last.m4a", "index-first.m4a", "dash.m4a",
    "index-at-both-ends.m4a", "aac.mkv", "lame.mp3", "lossless.flac",
)  # fmt: skip
WITHOUT_PRIMING = ("bare.aac", "stream.ts", "no-edit-list.m4a")

STARTS_S = (0.0, 1.25, 10.0, 20.0, 22.9)


def lag_and_snr_db(pcm: Pcm, recording: Any, start_s: float) -> tuple[float, float]:
    """By how many samples at 16 kHz a clip is late, to a fraction, and how like the original it is when moved back."""
    reach, first = 1_000, round(start_s * 16_000)
    around = np.pad(recording.at_16_khz.astype(np.float64), reach)[first : first + len(pcm) + 2 * reach]
    clip = from_pcm(pcm).astype(np.float64)
    n = 1 << (len(around) + len(clip)).bit_length()
    product = np.fft.rfft(around, n) * np.conj(np.fft.rfft(clip, n))
    # Interpolated four times by padding the spectrum.
    correlation = np.fft.irfft(product, 4 * n)[: 4 * 2 * reach]
    lag = reach - int(np.argmax(correlation)) / 4
    whole = around[reach - round(lag) :][: len(clip)]
    return lag, float(10 * np.log10(np.sum(whole**2) / np.sum((clip - whole) ** 2)))


# --- Exact ---


@pytest.mark.parametrize("name", EXACT)
def test_a_clip_starts_at_the_sample_asked_for(name: str, recording: Callable[..., Any]) -> None:
    made = recording(name)
    for start_s in STARTS_S:
        piece = cut(made.path, start_s, 16_000)
        lag, snr_db = lag_and_snr_db(piece.pcm, made, start_s)
        assert abs(lag) <= 0.5, f"{start_s} s: {lag} samples"
        assert snr_db > 11, f"{start_s} s"
        assert piece.pcm.shape == (16_000,)
        assert piece.pcm.dtype == np.int16


@pytest.mark.parametrize("name", WITHOUT_PRIMING)
def test_aac_that_does_not_tell_its_priming_is_late_by_it(name: str, recording: Callable[..., Any]) -> None:
    made = recording(name)
    for start_s in STARTS_S:
        lag, _ = lag_and_snr_db(cut(made.path, start_s, 16_000).pcm, made, start_s)
        assert lag == pytest.approx(1024 * 16_000 / 44_100, abs=0.5)


@pytest.mark.parametrize("name", ["cues.webm", "dash.m4a", "lame.mp3"])
def test_after_a_seek_the_samples_are_those_of_decoding_everything(name: str, recording: Callable[..., Any]) -> None:
    path = recording(name).path
    everything = from_pcm(cut(path, 0, 23 * 16_000).pcm)
    for start_s in (10.0, 20.0):
        first = round(start_s * 16_000)
        true, sought = everything[first : first + 16_000], from_pcm(cut(path, start_s, 16_000).pcm)
        assert 10 * np.log10(np.sum(true**2) / np.sum((true - sought) ** 2)) > 60


@pytest.mark.parametrize("n_samples", [1_600, 16_000, 15_999, 160_000])
def test_a_clip_has_exactly_the_samples_asked_for(n_samples: int, recording: Callable[..., Any]) -> None:
    assert cut(recording("cues.webm").path, 12.3456, n_samples).pcm.shape == (n_samples,)


def test_a_file_of_the_right_rate_is_taken_as_it_is(tmp_path: Path) -> None:
    pcm = np.random.default_rng(0).integers(-32_768, 32_767, 160_000, dtype=np.int16)
    soundfile.write(tmp_path / "a.wav", pcm, 16_000)
    for start_s in (0.0, 3.0, 7.0, 9.0):
        first = round(start_s * 16_000)
        np.testing.assert_array_equal(cut(tmp_path / "a.wav", start_s, 16_000).pcm, pcm[first : first + 16_000])


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000])
def test_other_rates_are_converted_on_the_right_grid(rate: int, tmp_path: Path) -> None:
    seconds = np.arange(12 * rate) / rate
    soundfile.write(tmp_path / "a.wav", 0.5 * np.sin(2 * np.pi * 440 * seconds), rate, subtype="FLOAT")
    piece = cut(tmp_path / "a.wav", 7, 16_000)
    expected = 0.5 * np.sin(2 * np.pi * 440 * (7 + np.arange(16_000) / 16_000))
    np.testing.assert_allclose(from_pcm(piece.pcm), expected, atol=2e-4)
    assert piece.source_rate == rate


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_sample_format_has_the_same_level(subtype: str, tmp_path: Path) -> None:
    ramp = np.linspace(-0.9, 0.9, 16_000)
    soundfile.write(tmp_path / "a.wav", ramp, 16_000, subtype=subtype)
    np.testing.assert_allclose(from_pcm(cut(tmp_path / "a.wav", 0, 16_000).pcm), ramp, atol=1 / 120)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = np.full(16_000, 0.5), np.full(16_000, -0.25)
    soundfile.write(tmp_path / "a.wav", np.stack([left, right], axis=1), 16_000, subtype="PCM_16")
    piece = cut(tmp_path / "a.wav", 0, 16_000)
    np.testing.assert_array_equal(piece.pcm, np.full(16_000, 4_096))
    assert piece.channels == 2


def test_what_was_cut_from_is_told(recording: Callable[..., Any]) -> None:
    piece = cut(recording("cues.webm").path, 0, 16_000)
    assert (piece.codec, piece.container, piece.source_rate) == ("opus", "matroska,webm", 48_000)
    assert piece.duration_s == pytest.approx(24, abs=0.1)


def test_audio_that_starts_later_than_the_pictures_keeps_its_place(tmp_path: Path) -> None:
    import av

    path, rate = tmp_path / "a.mkv", 16_000
    audio = np.random.default_rng(0).integers(-9_000, 9_000, 4 * rate, dtype=np.int16)
    with av.open(str(path), "w", format="matroska") as out:
        pictures, sound = out.add_stream("mpeg4", rate=10), out.add_stream("pcm_s16le", rate=rate, layout="mono")
        pictures.width = pictures.height = 16
        for _ in range(60):
            for packet in pictures.encode(av.VideoFrame(16, 16, "yuv420p")):
                out.mux(packet)
        frame = av.AudioFrame.from_ndarray(audio[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = rate, 2 * rate
        for packet in [*sound.encode(frame), *sound.encode(None)]:
            out.mux(packet)
    np.testing.assert_array_equal(cut(path, 3, rate).pcm, audio[rate : 2 * rate])
    with pytest.raises(CutError, match="hole in its audio before 2"):
        cut(path, 1.5, rate)


# --- Refused ---


def reason_of(path: Path, start_s: float = 0.0, n_samples: int = 16_000) -> str:
    with pytest.raises(CutError) as refused:
        cut(path, start_s, n_samples)
    assert str(path) in str(refused.value)
    return refused.value.reason


@pytest.mark.parametrize("name", ["cues.webm", "index-last.m4a", "lossless.flac"])
def test_the_last_whole_clip_is_cut_and_the_next_is_too_short(name: str, recording: Callable[..., Any]) -> None:
    path = recording(name).path
    assert cut(path, 23.0, 16_000).pcm.shape == (16_000,)
    assert reason_of(path, 23.1) == "too_short"
    assert reason_of(path, 50.0) == "too_short"


@pytest.mark.parametrize(
    ("name", "reason"), [("cues.webm", "truncated"), ("index-first.m4a", "truncated"), ("lossless.flac", "truncated")]
)
def test_a_truncated_file_is_not_taken_for_a_short_one(
    name: str, reason: str, recording: Callable[..., Any], tmp_path: Path
) -> None:
    content = recording(name).path.read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: len(content) // 2])
    assert reason_of(path, 20.0) == reason
    assert cut(path, 5.0, 16_000).pcm.shape == (16_000,)


@pytest.mark.parametrize("n_bytes", [0, 1, 11, 40, 100])
@pytest.mark.parametrize("name", ["cues.webm", "index-first.m4a", "opus.ogg", "lame.mp3"])
def test_the_beginning_of_a_file_is_refused(
    name: str, n_bytes: int, recording: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(recording(name).path.read_bytes()[:n_bytes])
    assert reason_of(path) in ("undecodable", "no_audio", "too_short", "truncated")


@pytest.mark.parametrize("content", [b"", b"<html>Sign in</html>" * 99, bytes(5_000), b"RIFF\xff\xff\xff\xffWAVE"])
def test_what_is_no_audio_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.webm").write_bytes(content)
    assert reason_of(tmp_path / "a.webm") in ("undecodable", "no_audio", "too_short")


def test_pictures_without_sound_are_refused(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 16
        for frame in [av.VideoFrame(16, 16, "yuv420p") for _ in range(5)] + [None]:
            for packet in stream.encode(frame):
                out.mux(packet)
    assert reason_of(tmp_path / "a.mp4") == "no_audio"


def test_samples_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    samples = np.zeros(16_000, dtype=np.float32)
    samples[8_000] = np.nan
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype="FLOAT")
    assert reason_of(tmp_path / "a.wav") == "undecodable"


def test_a_playlist_does_not_make_it_open_other_files(tmp_path: Path, song_wav: Path, loopback: Any) -> None:
    loopback.files["a.wav"] = song_wav.read_bytes()
    for target in (song_wav, song_wav.as_uri(), loopback.url("a.wav")):
        text = f"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n"
        for name, content in (("a.m3u8", text), ("a.ffconcat", f"ffconcat version 1.0\nfile '{target}'\n")):
            (tmp_path / name).write_text(content)
            assert reason_of(tmp_path / name) in ("undecodable", "no_audio")
    assert not loopback.asked


def test_a_name_is_no_option_and_no_protocol(tmp_path: Path, song_wav: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-i", "concat:a|b.wav", "-AAAAAAAAAA.wav", "pipe:0", "data:a"):
        Path(name).write_bytes(song_wav.read_bytes())
        assert cut(Path(name), 1, 16_000).pcm.shape == (16_000,)
        assert cut(name, 1, 16_000).pcm.shape == (16_000,)


def test_a_hostile_title_is_nobodys_business(tmp_path: Path, recording: Callable[..., Any]) -> None:
    content = (recording("lame.mp3")).path.read_bytes()
    title = b"\x1b]0;owned\x07\xff\xfe../../etc/passwd\n"
    body = b"\x03" + title
    frame = b"TIT2" + len(body).to_bytes(4, "big") + b"\0\0" + body
    # ID3v2.3: the length has seven bits a byte.
    tag = b"ID3\x03\0\0" + bytes([0, 0, len(frame) >> 7, len(frame) & 127]) + frame
    (tmp_path / "a.mp3").write_bytes(tag + content[content.index(b"\xff\xfb") :])
    assert cut(tmp_path / "a.mp3", 3, 16_000).pcm.any()


@pytest.mark.parametrize(("start_s", "n_samples"), [(-0.1, 16_000), (float("nan"), 16_000), (0.0, 0)])
def test_a_cut_that_cannot_be_is_a_mistake(start_s: float, n_samples: int, song_wav: Path) -> None:
    with pytest.raises(ValueError, match="must start at 0 s or later"):
        cut(song_wav, start_s, n_samples)
    with pytest.raises(ValueError, match="`http`"):
        cut("http://127.0.0.1/a.webm", 0, 16_000)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        cut(tmp_path / "a.wav", 0, 16_000)
