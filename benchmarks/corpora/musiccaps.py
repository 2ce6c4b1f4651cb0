"""Measure how fast clips are cut, decoded and embedded, against the same steps file by file; and that memory is flat.

    python benchmarks/corpora/musiccaps.py                          # 192 songs, two cores
    python benchmarks/corpora/musiccaps.py --ffmpeg /usr/bin/ffmpeg
    python benchmarks/corpora/musiccaps.py --memory                 # 5,521 songs, of spread_spectrum

Run by hand; it is no test. The songs are real files of ten seconds made here, WebM/Opus and M4A/AAC by turns, and both
ways begin with them, so nothing is fetched. *Ours* is `sealproof build --audio-dir`. *File by file* is what the study
did, in steps over all files: (1) ffmpeg cuts a file to a WAV, (2) the generator marks one clip at a time, which is
saved as a WAV of floats, (3) ffmpeg decodes clean and marked WAVs once more, to 16 bits. In its favour the generator
keeps no gradients, nothing is hashed and no model is loaded. With FFmpeg's libraries in place of
the program, steps 1 and 3 start no process for each file, as they did in the study: a line of its own.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.corpora.musiccaps.table import Song, Table

N_CORES = 2


def main() -> None:
    """Measure, and print one line for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=192)
    parser.add_argument("--scheme", default="audioseal_mini")
    parser.add_argument("--ffmpeg", default=shutil.which("ffmpeg"), help="default: the one on the path, if any")
    parser.add_argument("--memory", action="store_true", help="measure memory over 5,521 songs instead")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:N_CORES])
    with tempfile.TemporaryDirectory() as temporary:
        if options.memory:
            _memory(Path(temporary))
        else:
            _throughput(Path(temporary), options.songs, options.scheme, options.ffmpeg)


def _throughput(work: Path, n_songs: int, scheme: str, ffmpeg: str | None) -> None:
    from sealproof.detectors import get_scheme

    ids = _make_songs(work / "audio", n_songs)
    watermarker = get_scheme(scheme).watermarker
    watermarker.embed(np.zeros((2, 16_000), np.float32), np.zeros((2, watermarker.message_bits), np.uint8))
    print(f"{n_songs} songs, {scheme}, {len(os.sched_getaffinity(0))} cores: seconds of audio built per second")
    ours = _measure("ours", n_songs, lambda: _ours(work / "audio", ids, scheme, work / "dataset"))
    inside = _measure("file by file, libraries", n_songs, lambda: _by_file(work, "libraries", scheme, _decode_inside))
    print(f"{'ours / file by file, libraries':36} {ours / inside:8.1f} x")
    if ffmpeg is None:
        print("No ffmpeg found: give --ffmpeg PATH for the study's way, one process a file.")
        return

    def decode(source: Path, target: Path, seconds: float | None) -> None:
        cut = [] if seconds is None else ["-t", str(seconds)]
        form = ["-c:a", "pcm_s16le", "-ac", "1", "-ar", "16000"]
        command = [ffmpeg, "-nostdin", "-v", "error", "-y", *cut, "-i", str(source), *form, str(target)]
        subprocess.run(command, check=True)

    study = _measure("file by file, ffmpeg", n_songs, lambda: _by_file(work, "ffmpeg", scheme, decode))
    print(f"{'ours / file by file, ffmpeg':36} {ours / study:8.1f} x")


def _measure(name: str, n_songs: int, work: Callable[[], object]) -> float:
    before, started = time.process_time(), time.perf_counter()
    work()
    seconds = time.perf_counter() - started
    busy = (time.process_time() - before) / seconds
    print(f"{name:36} {n_songs / seconds:8.1f} s/s, {busy:.2f} cores busy in this process", flush=True)
    return n_songs / seconds


def _ours(audio: Path, ids: list[str], scheme: str, out: Path) -> None:
    from sealproof.harness.corpora.base import ALL_CLIPS
    from sealproof.harness.corpora.musiccaps.audio_dir import AudioDir
    from sealproof.harness.corpora.musiccaps.corpus import MusicCapsCorpus
    from sealproof.harness.datasets.build import BuildRequest, build_dataset

    corpus = MusicCapsCorpus(table=_table(ids), source=AudioDir(folder=audio))
    dataset, _ = build_dataset(corpus, BuildRequest(scheme=scheme, n_clips=ALL_CLIPS), out)
    assert len(dataset.pairs) == len(ids)


def _by_file(work: Path, name: str, scheme: str, decode: Callable[[Path, Path, float | None], None]) -> None:
    import soundfile

    from sealproof.detectors import get_scheme

    watermarker = get_scheme(scheme).watermarker
    cut, marked, out = (work / name / step for step in ("cut", "marked", "out"))
    for folder in (cut, marked, out / "clean", out / "watermarked"):
        folder.mkdir(parents=True)
    for song in sorted((work / "audio").iterdir()):
        decode(song, cut / f"{song.stem}.wav", 1.0)
    for wav in sorted(cut.iterdir()):
        clip, rate = soundfile.read(wav, dtype="float32")
        message = np.random.default_rng(0).integers(0, 2, (1, watermarker.message_bits), np.uint8)
        soundfile.write(marked / wav.name, watermarker.embed(clip[None], message)[0], rate, subtype="FLOAT")
    for label, folder in (("clean", cut), ("watermarked", marked)):
        for wav in sorted(folder.iterdir()):
            decode(wav, out / label / wav.name, None)


def _decode_inside(source: Path, target: Path, seconds: float | None) -> None:
    import av

    rate = 16_000
    n_wanted = None if seconds is None else round(seconds * rate)
    with av.open(source) as container, av.open(target, "w") as output:
        stream = output.add_stream("pcm_s16le", rate=rate, layout="mono")
        assert isinstance(stream, av.AudioStream)
        resampler, n_out = av.AudioResampler("s16", "mono", rate), 0
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                n_out += piece.samples
                output.mux(stream.encode(piece))
            if n_wanted is not None and n_out >= n_wanted:
                break
        output.mux(stream.encode(None))


def _memory(work: Path) -> None:
    from sealproof.harness.corpora.musiccaps.table import N_SONGS

    made = _make_songs(work / "made", 40)
    files = sorted((work / "made").iterdir())
    (work / "audio").mkdir()
    ids = [f"-{index:010d}" for index in range(N_SONGS)]
    for index, ytid in enumerate(ids):
        file = files[index % len(made)]
        os.link(file, work / "audio" / f"{ytid}{file.suffix}")
    _watch_build(work, ids)


def _watch_build(work: Path, ids: list[str]) -> None:
    """Build, and print the resident memory each time that another eighth is written."""
    from sealproof.harness.datasets import build

    write, seen = vars(build)["write_wav"], [0]
    step = 2 * len(ids) // 8

    def watched(path: Path, pcm: NDArray[np.int16]) -> str:
        seen[0] += 1
        if seen[0] % step == 1:
            print(f"{seen[0] // 2:6} pairs {_resident_mb():8.0f} MB", flush=True)
        return write(path, pcm)

    vars(build)["write_wav"] = watched
    started = time.perf_counter()
    _ours(work / "audio", ids, "spread_spectrum", work / "dataset")
    print(f"{len(ids):6} pairs {_resident_mb():8.0f} MB, {len(ids) / (time.perf_counter() - started):.1f} s/s")
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _resident_mb() -> float:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _make_songs(folder: Path, n_songs: int) -> list[str]:
    """Write real files of ten seconds, and return their ids."""
    folder.mkdir()
    ids = [f"-{index:010d}" for index in range(n_songs)]
    for index, ytid in enumerate(ids):
        codec, suffix, rate = (("libopus", ".webm", 48_000), ("aac", ".m4a", 44_100))[index % 2]
        _encode(folder / f"{ytid}{suffix}", _music(index, rate), rate, codec)
    return ids


def _music(seed: int, rate: int) -> np.ndarray:
    """Return ten seconds of chords with noise, stereo float32 of shape (2, samples)."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(10 * rate) / rate
    notes = rng.uniform(80, 2_000, 6)
    tones = sum(np.sin(2 * np.pi * note * time_s + rng.uniform(0, 6)) for note in notes) / 20
    beat = np.exp(-8 * (time_s % 0.5))
    left = tones * (0.3 + beat) + 0.02 * beat * rng.standard_normal(time_s.size)
    return np.stack([left, 0.9 * np.roll(left, 11)]).astype(np.float32)


def _encode(path: Path, audio: np.ndarray, rate: int, codec: str) -> None:
    import av

    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo", bit_rate=128_000)
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(audio, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        resampler = av.AudioResampler(stream.format.name, "stereo", rate, stream.codec_context.frame_size)
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))


def _table(ids: list[str]) -> Table:
    return Table(
        tuple(
            Song(
                ytid=ytid,
                start_s=0,
                end_s=10,
                audioset_labels=("/m/04rlf", "/m/0fx80y"),
                aspects=tuple(f"aspect {index % 97 * n}" for n in range(11)),
                caption=f"Song {index}: " + "a tune that somebody described in three sentences or four. " * 6,
                author_id=index % 10,
                is_balanced_subset=False,
                is_audioset_eval=False,
            )
            for index, ytid in enumerate(ids)
        ),
        "0" * 64,
    )


if __name__ == "__main__":
    sys.exit(main())
