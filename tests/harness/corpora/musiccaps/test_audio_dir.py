"""Audio that is there already: the right second of whatever file it is in, and a reason for each that gives none."""

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sealproof.harness.corpora.base import ALL_CLIPS, CorpusReport
from sealproof.harness.corpora.musiccaps.audio_dir import NO_FILE, AudioDir
from sealproof.harness.corpora.musiccaps.corpus import MusicCapsCorpus
from sealproof.harness.corpora.musiccaps.table import Song, Table
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.datasets.check import check_dataset
from sealproof.harness.foundation.audio.files import from_pcm
from sealproof.harness.foundation.errors import HarnessError

Floats = NDArray[np.float64]


def song(ytid: str) -> Song:
    return Song(
        ytid=ytid,
        start_s=120,
        end_s=130,
        audioset_labels=("/m/04rlf",),
        aspects=("noisy",),
        caption="Noise.",
        author_id=0,
        is_balanced_subset=False,
        is_audioset_eval=False,
    )


@cache
def sound(rate: int, seconds: float, seed: int = 0) -> Floats:
    """Noise below 2.4 kHz, the same at every rate, that repeats nowhere: its place can be told to the sample."""
    rng = np.random.default_rng(seed)
    frequencies = rng.uniform(80, 2_400, 24)
    phases = rng.uniform(0, 2 * np.pi, 24)
    time = np.arange(round(rate * seconds)) / rate
    waves = sum(np.sin(2 * np.pi * f * time + p) for f, p in zip(frequencies, phases, strict=True))
    return 0.05 * np.asarray(waves)


def encode(path: Path, audio: Floats, rate: int, codec: str) -> Path:
    """Write stereo audio with one of FFmpeg's encoders."""
    import av

    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo", bit_rate=128_000)
        assert isinstance(stream, av.AudioStream)
        planes = np.stack([audio, audio]).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(stream.format.name, "stereo", rate, stream.codec_context.frame_size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return path


def read(folder: Path, *songs: Song, offset_s: float = 0.0, n_samples: int = 16_000) -> Any:
    report = CorpusReport()
    source = AudioDir(folder=folder, offset_s=offset_s)
    return [(one.ytid, pcm) for one, pcm in source.clips(songs, n_samples, report)], report


def lag_and_likeness(pcm: NDArray[np.int16], wanted: Floats) -> tuple[int, float]:
    """By how many samples a clip is late, and its correlation with what it should be at that lag."""
    got = from_pcm(pcm).astype(np.float64)
    spectrum = np.fft.rfft(got, 2 * got.size) * np.conj(np.fft.rfft(wanted, 2 * got.size))
    correlation = np.fft.irfft(spectrum)
    lag = int(correlation.argmax())
    return (lag if lag < got.size else lag - 2 * got.size), correlation.max() / np.linalg.norm(got) / np.linalg.norm(
        wanted
    )


# --- The right second ---


@pytest.mark.parametrize("offset_s", [0.0, 2.5, 9.0])
@pytest.mark.parametrize(
    ("suffix", "codec", "rate"),
    [
        (".webm", "libopus", 48_000),
        (".m4a", "aac", 44_100),
        (".ogg", "libopus", 48_000),
        (".mp3", "libmp3lame", 44_100),
        (".FLAC", "flac", 44_100),
        (".wav", "pcm_s16le", 48_000),
    ],
)
def test_a_clip_is_the_second_asked_for_whatever_the_format(
    tmp_path: Path, suffix: str, codec: str, rate: int, offset_s: float
) -> None:
    path = encode(tmp_path / f"x{suffix.lower()}", sound(rate, 10), rate, codec)
    path.rename(tmp_path / f"-0Abc_dEf-1{suffix}")
    ((ytid, pcm),), report = read(tmp_path, song("-0Abc_dEf-1"), offset_s=offset_s)
    assert (ytid, pcm.shape, pcm.dtype, report.bad_files) == ("-0Abc_dEf-1", (16_000,), np.int16, {})
    first = round(offset_s * 16_000)
    lag, likeness = lag_and_likeness(pcm, sound(16_000, 10)[first : first + 16_000])
    assert abs(lag) <= 1
    assert likeness > 0.98


@pytest.mark.parametrize(("seconds", "offset_s"), [(1.0, 0.0), (10.0, 0.0), (10.0, 3.25), (10.0, 9.0)])
def test_16_bit_wavs_at_16_khz_come_back_bit_by_bit(tmp_path: Path, seconds: float, offset_s: float) -> None:
    pcm = (32_767 * sound(16_000, seconds)).astype(np.int16)
    soundfile.write(tmp_path / "-0Abc_dEf-1.wav", pcm, 16_000)
    ((_, got),), _ = read(tmp_path, song("-0Abc_dEf-1"), offset_s=offset_s)
    first = round(offset_s * 16_000)
    np.testing.assert_array_equal(got, pcm[first : first + 16_000])


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_file_of_exactly_the_clip_is_long_enough_at_any_rate(tmp_path: Path, rate: int) -> None:
    soundfile.write(tmp_path / "-0Abc_dEf-1.wav", sound(rate, 1.0), rate)
    ((_, pcm),), _ = read(tmp_path, song("-0Abc_dEf-1"))
    lag, likeness = lag_and_likeness(pcm, sound(16_000, 1.0))
    assert (lag, likeness > 0.98) == (0, True)


def test_longer_clips_can_be_had_up_to_the_segment(tmp_path: Path) -> None:
    encode(tmp_path / "-0Abc_dEf-1.webm", sound(48_000, 10), 48_000, "libopus")
    ((_, pcm),), _ = read(tmp_path, song("-0Abc_dEf-1"), n_samples=160_000)
    lag, likeness = lag_and_likeness(pcm, sound(16_000, 10))
    assert abs(lag) <= 1
    assert likeness > 0.98


# --- Files that give none ---


def test_every_song_without_a_clip_has_its_reason_and_the_others_come_in_order(tmp_path: Path) -> None:
    good = [f"good_______{n}"[-11:] for n in range(6)]
    for seed, ytid in enumerate(good):
        soundfile.write(tmp_path / f"{ytid}.wav", sound(16_000, 1.5, seed), 16_000)
    soundfile.write(tmp_path / "short______.wav", sound(16_000, 0.99), 16_000)
    soundfile.write(tmp_path / "whole_video.flac", sound(8_000, 31.0), 8_000)
    (tmp_path / "damaged____.webm").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(999))
    (tmp_path / "empty______.m4a").touch()
    (tmp_path / "folder_____.wav").mkdir()
    (tmp_path / "good______0.info.json").write_text("{}")
    (tmp_path / "good______1.part").write_bytes(b"half")
    (tmp_path / "not_a_song.wav").write_bytes(b"nothing")
    bad = ["short______", "whole_video", "damaged____", "empty______", "folder_____", "nowhere____"]
    songs = [song(ytid) for ytid in [bad[0], *good[:3], *bad[1:4], *good[3:], *bad[4:]]]
    clips, report = read(tmp_path, *songs)
    assert [ytid for ytid, _ in clips] == good
    assert len({pcm.tobytes() for _, pcm in clips}) == 6
    assert report.too_short == 1
    assert report.unavailable == {NO_FILE: 1}
    assert sorted(report.bad_files) == ["damaged____.webm", "empty______.m4a", "folder_____.wav", "whole_video.flac"]
    assert "must be a segment of 10 s or less. It has 31.0 s" in report.bad_files["whole_video.flac"]
    assert "cannot be read (Is a directory)" in report.bad_files["folder_____.wav"]


def test_two_files_of_one_song_are_refused(tmp_path: Path) -> None:
    for suffix in ("wav", "webm"):
        (tmp_path / f"-0Abc_dEf-1.{suffix}").touch()
    with pytest.raises(HarnessError, match=r"one file for each ytid\. Got -0Abc_dEf-1\.wav and -0Abc_dEf-1\.webm"):
        read(tmp_path, song("-0Abc_dEf-1"))


def test_a_folder_without_any_song_and_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"must hold audio files named after ytids, as -0Abc_dEf-1\.wav"):
        read(tmp_path, song("-0Abc_dEf-1"))
    with pytest.raises(HarnessError, match="--audio-dir must be a folder"):
        AudioDir(folder=tmp_path / "nowhere")


# --- The whole way ---


@pytest.fixture
def folder(tmp_path: Path) -> tuple[Path, Table]:
    """Forty songs of ten seconds at 16 kHz, and their table."""
    songs = tuple(song(f"-{number:010d}") for number in range(40))
    (tmp_path / "audio").mkdir()
    for seed, one in enumerate(songs):
        soundfile.write(tmp_path / "audio" / f"{one.ytid}.wav", sound(16_000, 2.0, seed), 16_000)
    return tmp_path / "audio", Table(songs, "0" * 64)


def test_a_dataset_is_the_same_however_many_threads_read_ahead(
    folder: tuple[Path, Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio, table = folder
    corpus = MusicCapsCorpus(table=table, source=AudioDir(folder=audio, offset_s=0.5))
    request = BuildRequest(scheme="spread_spectrum", n_clips=ALL_CLIPS)
    dataset, report = build_dataset(corpus, request, tmp_path / "data")
    assert report is not None
    assert (report.taken, len(dataset.pairs)) == (40, 40)
    assert check_dataset(dataset.root) == []
    assert {row.start_s for row in dataset.rows} == {120.5}
    one_by_one: Callable[..., object] = map
    monkeypatch.setattr("sealproof.harness.corpora.musiccaps.audio_dir.map_ahead", one_by_one)
    again, _ = build_dataset(corpus, request, tmp_path / "again")
    assert again.sha256 == dataset.sha256
    two_threads, _ = build_dataset(corpus, request, tmp_path / "data")
    assert two_threads.sha256 == dataset.sha256


def test_clips_that_sixteen_bits_cut_off_are_counted_and_too_many_refused(tmp_path: Path) -> None:
    folder = tmp_path / "loud"
    folder.mkdir()
    songs = tuple(song(f"loud{n:07d}") for n in range(8))
    for n, one in enumerate(songs):
        # Floats in units of 16-bit samples, as some tools write them.
        scale = 32_768 if n < 4 else 1
        soundfile.write(folder / f"{one.ytid}.wav", scale * sound(16_000, 2.0, n), 16_000, subtype="FLOAT")
    corpus = MusicCapsCorpus(table=Table(songs, "0" * 64), source=AudioDir(folder=folder))
    taken = CorpusReport()
    assert len(list(corpus.clips(ALL_CLIPS, clip_s=1.0, seed=0, report=taken))) == 8
    assert (taken.clipped, taken.badly_clipped) == (4, 4)
    with pytest.raises(HarnessError, match=r"The corpus' clips must lie in \[-1, 1\]\. In 4 of 8"):
        build_dataset(corpus, BuildRequest(scheme="spread_spectrum", n_clips=ALL_CLIPS), tmp_path / "set")
