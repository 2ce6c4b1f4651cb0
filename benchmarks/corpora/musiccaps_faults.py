"""Fetch all 5,521 songs of MusicCaps in a simulation full of faults and print how each song ended.

    python -m benchmarks.corpora.musiccaps_faults --out FOLDER

Nothing leaves the machine: rows and audio are made up, a clock runs only while somebody waits. All else is what a
run uses: queue, pace, pauses, journal, cutting out of WebM/Opus, WAVs, locks. Faults: videos gone for good, too short
ones, truncated ones, errors that pass and errors that stay, a network that is away, three blocks, one so long that the
run gives up; and it is stopped by Ctrl-C, by a full disk, and started again.
"""

import argparse
import errno
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from sealproof.harness.corpora.musiccaps.collection import collect as collecting
from sealproof.harness.corpora.musiccaps.collection.collect import collect
from sealproof.harness.corpora.musiccaps.collection.finished import finished
from sealproof.harness.corpora.musiccaps.collection.journal import JOURNAL, read_journal
from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
from sealproof.harness.corpora.musiccaps.collection.pace import Clock, Pace
from sealproof.harness.corpora.musiccaps.collection.report import CollectReport
from sealproof.harness.corpora.musiccaps.table import N_SONGS, Song
from sealproof.harness.corpora.musiccaps.youtube.resolve import Audio

HOUR_S = 3600.0

GONE = {
    "Private video. Sign in if you've been granted access to this video": 0.014,
    "Video unavailable. This video has been removed by the uploader": 0.010,
    "Video unavailable. This video is no longer available because the YouTube account associated with this video has "
    "been terminated.": 0.010,
    "Video unavailable": 0.006,
    "The uploader has not made this video available in your country": 0.003,
    "Sign in to confirm your age. This video may be inappropriate for some users.": 0.002,
}
"""Parts of all songs. Together 4.5 %, as many as the study lacked."""

PASSING = ("HTTP Error 403: Forbidden", "The read operation timed out", "HTTP Error 503: Service Unavailable",
           "('Connection aborted.', RemoteDisconnected())")  # fmt: skip

BOT_CHECK = "Sign in to confirm you\u2019re not a bot. Use --cookies-from-browser or --cookies for the authentication"
RATE_LIMIT = (
    "Video unavailable. This content isn\u2019t available, try again later. The current session has been limited"
)

OUTAGES = ((3.0, 0.5, BOT_CHECK), (8.0, 1.5, RATE_LIMIT), (13.0, 0.4, "[Errno 101] Network is unreachable"),
           (18.0, 9.0, "HTTP Error 429: Too Many Requests"))  # fmt: skip
"""When each begins and how long it lasts, in hours, and what everybody is told."""

STOPS = {700: KeyboardInterrupt(), 2_200: OSError(errno.ENOSPC, "No space left on device"), 3_900: KeyboardInterrupt()}
"""After how many clips the run is stopped, and by what."""


class SimulatedClock(Clock):
    """Goes on while somebody waits, and two seconds for each song."""

    def __init__(self) -> None:
        self.time_s = 0.0
        self.long_waits: list[float] = []

    def now(self) -> float:
        """Return seconds since the simulation began."""
        return self.time_s

    def date(self) -> float:
        """Return a made-up date."""
        return 1_800_000_000 + self.time_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        if seconds > 200:
            self.long_waits.append(seconds)
        self.time_s += seconds


@dataclass
class SimulatedYouTube:
    """Finds every video or says why not.

    Attributes:
        clock: When it is.
        whole: A song's audio.
        short: Audio that ends before the clip.
        truncated: Audio whose end is missing.
        gone: What is said of videos that are gone.
        failures: What the next attempts at others bring.
        spoilt: Other audio for some.
    """

    clock: SimulatedClock
    whole: Path
    gone: dict[str, str] = field(default_factory=dict)
    failures: dict[str, list[str]] = field(default_factory=dict)
    spoilt: dict[str, Path] = field(default_factory=dict)
    n_asked: int = 0

    name = "simulated"

    def resolve(self, ytid: str) -> Audio:
        """Find a video's audio; see `Resolver.resolve`."""
        self.n_asked += 1
        self.clock.time_s += 2.0
        hour = self.clock.time_s / HOUR_S
        for begin, length, words in OUTAGES:
            if begin <= hour < begin + length:
                raise ConnectionError(words)
        if ytid in self.gone:
            raise ConnectionError(self.gone[ytid])
        if self.failures.get(ytid):
            raise ConnectionError(self.failures[ytid].pop())
        return Audio(source=self.spoilt.get(ytid, self.whole), format_id="251")


def main() -> None:
    """Run the simulation and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="the user's folder in the simulation (default: a temporary one)")
    parser.add_argument("--songs", type=int, default=N_SONGS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        simulate(options.songs, options.out or Path(folder) / "musiccaps", Path(folder))


def simulate(n_songs: int, folder: Path, media: Path) -> None:
    """Fetch the songs until nothing is left to be tried, and print what came of them."""
    rng = np.random.default_rng(0)
    songs = [made_up_song(index) for index in range(n_songs)]
    clock = SimulatedClock()
    youtube = spoil(SimulatedYouTube(clock, write_audio(media / "whole.webm", 24)), songs, media, rng)
    began, cpu = time.perf_counter(), time.process_time()
    starts: list[tuple[str, CollectReport | None]] = []
    stops = dict(STOPS)
    while not starts or starts[-1][1] is None or starts[-1][1].stopped:
        if starts and starts[-1][1] is not None:
            # The user comes back in the morning.
            clock.time_s += 8 * HOUR_S
        starts.append(start(songs, folder, CollectOptions(), youtube, stops))
    again = CollectOptions(retry=("blocked", "transient"))
    starts.append(start(songs, folder, again, youtube, stops))
    asked = youtube.n_asked
    starts.append(start(songs, folder, CollectOptions(), youtube, stops))
    took, cpu = time.perf_counter() - began, time.process_time() - cpu
    print("\n".join(table(songs, folder, starts)))
    waits = clock.long_waits
    print(f"\n{len(waits)} waits of {min(waits, default=0) / 60:.0f} to {max(waits, default=0) / 60:.0f} min.", end=" ")
    print(f"Simulated: {clock.time_s / HOUR_S:.1f} h. The last start asked for {youtube.n_asked - asked} videos.")
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"Real: {took:.0f} s, {cpu:.0f} s of CPU, {memory_mb:.0f} MB at most.")


def start(
    songs: list[Song], folder: Path, options: CollectOptions, youtube: SimulatedYouTube, stops: dict[int, BaseException]
) -> tuple[str, CollectReport | None]:
    """Start once, and say how it ended."""
    write_wav = vars(collecting)["write_wav"]
    n_there = len(finished(folder, songs, options))

    def write_or_stop(path: Path, pcm: Any) -> str:
        nonlocal n_there
        if n_there in stops:
            raise stops.pop(n_there)
        n_there += 1
        return write_wav(path, pcm)

    vars(collecting)["write_wav"] = write_or_stop
    pace = Pace(per_hour=options.per_hour, clock=youtube.clock, rng=np.random.default_rng(0))
    try:
        report = collect(songs, folder, options, youtube, pace=pace)
    except (KeyboardInterrupt, OSError) as error:
        return str(error) or "Ctrl-C", None
    finally:
        vars(collecting)["write_wav"] = write_wav
    told = f"given up: {report.stopped}" if report.stopped else "to the end"
    return f"{told}{', --retry blocked transient' if options.retry else ''}", report


def table(songs: list[Song], folder: Path, starts: list[tuple[str, CollectReport | None]]) -> Iterator[str]:
    """Yield the state table in Markdown."""
    attempts = list(read_journal(folder / JOURNAL))
    last = {attempt.ytid: attempt for attempt in attempts}
    songs_of = Counter((attempt.state, attempt.reason) for attempt in last.values())
    attempts_of = Counter((attempt.state, attempt.reason) for attempt in attempts)
    yield "| state | reason | attempts that ended so | songs that stand so |"
    yield "|---|---|---:|---:|"
    order = ("done", "permanent", "blocked", "transient")
    for state, reason in sorted(attempts_of, key=lambda key: (order.index(key[0]), -attempts_of[key])):
        yield f"| {state} | {reason} | {attempts_of[state, reason]:,} | {songs_of[state, reason]:,} |"
    yield f"| not tried | | | {len(songs) - len(last):,} |"
    yield f"| all | | {len(attempts):,} | {len(songs):,} |"
    done = Counter(attempt.ytid for attempt in attempts if attempt.state == "done")
    whole = finished(folder, songs, CollectOptions())
    yield ""
    n_again = sum(times > 1 for times in done.values())
    yield f"Clips whole by journal, hash and format: {len(whole):,}. Fetched more than once: {n_again}."
    yield f"Starts: {len(starts)} ({'; '.join(how for how, _ in starts)})."


def spoil(youtube: SimulatedYouTube, songs: list[Song], media: Path, rng: np.random.Generator) -> SimulatedYouTube:
    """Deal the faults out among the songs."""
    short = write_audio(media / "short.webm", 5)
    truncated = media / "truncated.webm"
    truncated.write_bytes(youtube.whole.read_bytes()[: youtube.whole.stat().st_size // 5])
    ids = iter(rng.permutation([song.ytid for song in songs]).tolist())

    def some(part: float) -> list[str]:
        return [next(ids) for _ in range(round(part * len(songs)))]

    for words, part in GONE.items():
        youtube.gone |= dict.fromkeys(some(part), words)
    youtube.spoilt |= dict.fromkeys(some(0.002), short) | dict.fromkeys(some(0.001), truncated)
    for index, ytid in enumerate(some(0.04)):
        youtube.failures[ytid] = [PASSING[index % len(PASSING)]] * (1 + index % 2)
    for ytid in some(0.004):
        # Given up after three attempts; half of them come when they are retried.
        youtube.failures[ytid] = ["Requested format is not available"] * (3 if int(ytid) % 2 else 9)
    return youtube


def made_up_song(index: int) -> Song:
    """Make a row up."""
    return Song(
        ytid=f"{-index - 1:011d}", start_s=10, end_s=20, audioset_labels=(), aspects=(), caption="", author_id=0,
        is_balanced_subset=False, is_audioset_eval=False,
    )  # fmt: skip


def write_audio(path: Path, duration_s: int) -> Path:
    """Write noise as WebM/Opus, with a cue every ten seconds as YouTube has them."""
    import av

    noise = (0.1 * np.random.default_rng(0).standard_normal((1, 48_000 * duration_s))).astype(np.float32)
    with av.open(str(path), "w", format="webm", options={"cluster_time_limit": "10000"}) as out:
        stream = out.add_stream("libopus", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(noise, format="fltp", layout="mono")
        frame.sample_rate, frame.time_base, frame.pts = 48_000, Fraction(1, 48_000), 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return path


if __name__ == "__main__":
    sys.exit(main())
