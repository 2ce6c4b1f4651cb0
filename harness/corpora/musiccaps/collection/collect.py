"""Bringing the clips of songs: politely, so that nothing finished is lost, and with a reason for what is not had."""

import errno
import heapq
import math
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from sealproof.detectors.files import TEMPORARY
from sealproof.harness.corpora.musiccaps.collection.finished import clip_path, last_attempts, whole
from sealproof.harness.corpora.musiccaps.collection.journal import (
    BLOCKED,
    DONE,
    JOURNAL,
    Attempt,
    Journal,
    read_journal,
)
from sealproof.harness.corpora.musiccaps.collection.options import CollectOptions
from sealproof.harness.corpora.musiccaps.collection.pace import Pace
from sealproof.harness.corpora.musiccaps.collection.report import CollectReport
from sealproof.harness.corpora.musiccaps.collection.workers import Ended, Workers
from sealproof.harness.corpora.musiccaps.cutting.cut import Cut, cut
from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.corpora.musiccaps.cutting.http_ranges import FetchError
from sealproof.harness.corpora.musiccaps.table import Song
from sealproof.harness.corpora.musiccaps.youtube import readiness
from sealproof.harness.corpora.musiccaps.youtube.failures import Failure, classify
from sealproof.harness.corpora.musiccaps.youtube.fragments import Fragments, remove_fetched
from sealproof.harness.corpora.musiccaps.youtube.resolve import Resolver, YtDlpResolver
from sealproof.harness.foundation.audio.files import from_pcm, write_wav
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.progress import progress

__all__ = ["collect"]

_LOCK = ".lock"
_CACHE = "yt-dlp-cache"

_DISK_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))

_HUNG = Failure("transient", "hung", "Nothing came, and no error either.")


def collect(
    songs: Sequence[Song],
    folder: Path,
    options: CollectOptions,
    resolver: Resolver | None = None,
    *,
    pace: Pace | None = None,
) -> CollectReport:
    """Bring the clips of songs to `folder/clips/...` and journal every attempt in `folder/journal.jsonl`.

    What is finished is not done again, whatever ended an earlier run. Songs that were given up for good, or for now
    after `options.attempts` attempts, are left alone unless `options.retry` names their state.

    Args:
        songs: Whose clips are wanted, in the order in which they are fetched.
        folder: The user's.
        options: What is cut, and how it is asked for.
        resolver: Finds the audio; yt-dlp where None.
        pace: When requests may start; made of the options where None.

    Raises:
        HarnessError: Something needed is missing here, or another process works in the folder.
        OSError: The disk is full or the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / _LOCK, timeout=0):
            return _Collection(songs, folder, options, resolver, pace or Pace(options.per_hour)).run()
    except Timeout:
        raise HarnessError(
            f"{folder} must be used by one sealproof at a time. Another one fetches into it: wait for it or stop it."
        ) from None


@dataclass(order=True)
class _Try:
    """A song to be tried: the one that may start earliest first, then in the order of the songs."""

    not_before: float
    order: int
    song: Song = field(compare=False)
    attempt: int = field(compare=False)


@dataclass(frozen=True)
class _Got:
    cut: Cut
    format_id: str


class _Collection:
    """One run. Its own thread alone writes, so that what was finished is known wherever it ends."""

    def __init__(
        self, songs: Sequence[Song], folder: Path, options: CollectOptions, resolver: Resolver | None, pace: Pace
    ) -> None:
        self._songs, self._folder, self._options, self._pace = songs, folder, options, pace
        self._last = last_attempts(folder, options)
        self._done = set(whole(folder, songs, options, self._last))
        self._n_before = len(self._done)
        self._waiting = list(self._to_try())
        self._given_resolver = resolver

    def run(self) -> CollectReport:
        remove_fetched(self._folder)
        if self._waiting:
            with ExitStack() as at_end:
                self._resolver = self._given_resolver or at_end.enter_context(closing(self._yt_dlp()))
                self._fetch()
        return self._report()

    def _fetch(self) -> None:
        for leftover in (self._folder / self._options.clips).glob(f".*{TEMPORARY}"):
            leftover.unlink(missing_ok=True)
        self._take_up_pause()
        with Journal(self._folder / JOURNAL) as self._journal:
            for _ in progress(self._settled(), "fetching clips", total=len(self._waiting)):
                pass

    def _to_try(self) -> Iterator[_Try]:
        for order, song in enumerate(self._songs):
            last = self._last.get(song.ytid)
            if song.ytid in self._done:
                continue
            # Journalled as done and not whole: its file was lost or damaged.
            if last is None or last.state == DONE or (last.is_over and last.state in self._options.retry):
                yield _Try(-math.inf, order, song, 1)
            elif not last.is_over:
                yield _Try(-math.inf, order, song, last.attempt + 1)

    def _yt_dlp(self) -> YtDlpResolver:
        lacking = readiness.missing_tool(self._options.access.js_runtime)
        if lacking is not None:
            raise HarnessError(lacking)
        return YtDlpResolver(self._options.access, self._folder / _CACHE)

    def _take_up_pause(self) -> None:
        """Go on with the pause in which an earlier run was stopped, unless told to try at once."""
        n_blocks, last = 0, None
        for attempt in read_journal(self._folder / JOURNAL):
            n_blocks, last = (n_blocks + 1, attempt) if attempt.state == BLOCKED else (0, None)
        if last is not None and BLOCKED not in self._options.retry:
            rest_s = self._pace.take_up_pause(n_blocks, self._pace.clock.date() - last.time)
            if rest_s > 0:
                _say(f"Going on with a pause of {rest_s / 60:.0f} min, as we were blocked: {last.words}")

    def _settled(self) -> Iterator[str]:
        """Try the songs, and yield each about which no more is done in this run."""
        workers: Workers[_Try, _Got | Failure] = Workers(self._options.workers, self._attempt, self._options.attempt_s)
        try:
            while workers.n_busy or (self._waiting and not self._pace.has_given_up):
                wait_s = self._until_next() if workers.n_idle else math.inf
                if wait_s <= 0:
                    self._pace.start()
                    workers.give(heapq.heappop(self._waiting))
                elif workers.n_busy:
                    ended = workers.wait(wait_s)
                    if ended is not None and self._settle(ended):
                        yield ended.job.song.ytid
                else:
                    self._pace.clock.sleep(wait_s)
        finally:
            workers.stop()
            # Of threads that go on, as they hung or the run was stopped: they find their folder gone and end.
            remove_fetched(self._folder)

    def _until_next(self) -> float:
        """Return the seconds until the next song may start."""
        if not self._waiting or self._pace.has_given_up:
            return math.inf
        return max(self._pace.wait_s(), self._waiting[0].not_before - self._pace.clock.now())

    def _attempt(self, job: _Try) -> _Got | Failure:
        """Try a song; runs in a thread, so it writes nothing that stays."""
        is_found = False
        until = time.monotonic() + self._options.attempt_s
        try:
            audio = self._resolver.resolve(job.song.ytid)
            is_found = True
            start_s, n_samples = self._start_s(job.song), self._options.n_samples
            if isinstance(audio.source, Fragments):
                piece = audio.source.cut(start_s, n_samples, self._folder, until)
            else:
                piece = cut(audio.source, start_s, n_samples, http=audio.http)
        except Exception as error:
            is_ours = isinstance(error, HarnessError) and not isinstance(error, CutError | FetchError)
            if is_ours or getattr(error, "errno", None) in _DISK_FULL:
                raise
            return classify(error, fetching=is_found)
        return _Got(piece, audio.format_id)

    def _start_s(self, song: Song) -> float:
        return song.start_s + self._options.offset_ms / 1000

    def _settle(self, ended: Ended[_Try, _Got | Failure]) -> bool:
        """Write what came of an attempt, and say whether the song is over for this run."""
        if ended.error is not None:
            raise ended.error
        if isinstance(ended.result, _Got):
            self._keep(ended, ended.result)
            return True
        failure = ended.result or _HUNG
        is_new = ended.job.song.ytid not in self._last
        last = self._write(ended, state=failure.kind, reason=failure.reason, words=failure.words)
        if failure.kind == "permanent":
            self._pace.answered()
            return True
        is_last = last.is_over
        if failure.kind == "blocked":
            # Not this song's fault, so the others are next.
            self._pause(self._pace.pause(failure.retry_after_s), failure)
            again = _Try(-math.inf, ended.job.order + len(self._songs), ended.job.song, last.attempt + 1)
        else:
            # Songs that failed before may fail in a row; songs that nobody tried before do not.
            if is_new or failure.is_about_the_way:
                self._pause(self._pace.failed(), failure)
            not_before = self._pace.clock.now() + self._pace.retry_delay_s(last.attempt)
            again = _Try(not_before, ended.job.order, ended.job.song, last.attempt + 1)
        if not is_last:
            heapq.heappush(self._waiting, again)
        return is_last

    def _keep(self, ended: Ended[_Try, _Got | Failure], got: _Got) -> None:
        ytid = ended.job.song.ytid
        # First the file, then the line: a kill in between costs this clip, and nothing else.
        sha256 = write_wav(clip_path(self._folder, ytid, self._options), got.cut.pcm)
        rms = float(np.sqrt(np.mean(np.square(from_pcm(got.cut.pcm), dtype=np.float64))))
        self._write(
            ended,
            state=DONE,
            format_id=got.format_id,
            codec=got.cut.codec,
            source_rate=got.cut.source_rate,
            sha256=sha256,
            n_samples=len(got.cut.pcm),
            rms_dbfs=round(20 * math.log10(rms), 2) if rms > 0 else None,
        )
        self._done.add(ytid)
        self._pace.answered()

    def _write(self, ended: Ended[_Try, _Got | Failure], **facts: object) -> Attempt:
        attempt = Attempt(
            ytid=ended.job.song.ytid,
            clips=self._options.clips,
            attempt=ended.job.attempt,
            of=self._options.attempts,
            time=round(self._pace.clock.date(), 3),
            took_s=round(ended.took_s, 3),
            start_s=self._start_s(ended.job.song),
            resolver=self._resolver.name,
            **facts,  # type: ignore[arg-type]
        )
        self._journal.add(attempt)
        self._last[attempt.ytid] = attempt
        return attempt

    def _pause(self, pause_s: float | None, failure: Failure) -> None:
        if pause_s is not None and not self._pace.has_given_up:
            until = time.strftime("%H:%M", time.localtime(self._pace.clock.date() + pause_s))
            _say(f"Pausing for {pause_s / 60:.0f} min, until {until}: {failure.reason}. {failure.words}")

    def _report(self) -> CollectReport:
        failed: Counter[tuple[str, str]] = Counter()
        not_tried = 0
        for song in self._songs:
            last = self._last.get(song.ytid)
            if song.ytid in self._done:
                continue
            if last is None or last.state == DONE:
                not_tried += 1
            else:
                failed[last.state, last.reason] += 1
        return CollectReport(
            n_songs=len(self._songs),
            n_done=len(self._done),
            n_new=len(self._done) - self._n_before,
            failed=failed,
            n_not_tried=not_tried,
            stopped="For hours nothing was answered, so the run ended." if self._pace.has_given_up else None,
        )


def _say(text: str) -> None:
    from tqdm import tqdm

    # Beside the progress bar, not into it.
    tqdm.write(text, file=sys.stderr)
