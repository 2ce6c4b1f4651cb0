"""The corpus of built-in demo music."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from sealproof.harness.corpora.base import Clip, CorpusReport, clip_samples, interleave_groups, usable_pcm
from sealproof.harness.corpora.demo.music import DemoPiece, compose, piece_count, piece_duration_s
from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.foundation.progress import progress
from sealproof.harness.foundation.seeds import derive_seed


@dataclass(frozen=True)
class DemoCorpus:
    """Music synthesised by sealproof: needs no network and no files; one piece is one group."""

    n_workers: int = 2

    name = "demo"

    def description(self) -> dict[str, object]:
        """Say what was made."""
        return {"kind": "demo", "name": self.name}

    def sources(self) -> dict[str, Path]:
        """Return none: the music is made."""
        return {}

    def clips(self, n_clips: int, *, clip_s: float, seed: int, report: CorpusReport) -> Iterator[Clip]:
        """Yield clips spread evenly over the pieces; see `Corpus.clips`."""
        n_samples = clip_samples(clip_s)
        duration_s = max(piece_duration_s(n_clips) * clip_s, clip_s)
        n_pieces = piece_count(n_clips)
        windows = [(piece, window) for piece in range(n_pieces) for window in range(int(duration_s / clip_s + 1e-9))]
        order = interleave_groups([str(piece) for piece, _ in windows], derive_seed(seed, "selection"))
        make = partial(compose, seed=seed, duration_s=duration_s, sample_rate=SAMPLE_RATE)
        # Fresh interpreters: forking a process that has threads (tensorflow, torch) can deadlock.
        with ProcessPoolExecutor(self.n_workers, mp_context=get_context("spawn")) as pool:
            made = pool.map(make, range(n_pieces), chunksize=4)
            pieces: list[DemoPiece] = list(progress(made, "composing music", total=n_pieces))
        taken = 0
        for index in order:
            if taken == n_clips:
                return
            piece, window = pieces[windows[index][0]], windows[index][1]
            first = window * n_samples
            pcm = usable_pcm(piece.audio[first : first + n_samples], report)
            if pcm is not None:
                taken += 1
                start_s = window * clip_s
                yield Clip(f"{piece.name}-{round(start_s * 1000)}ms", piece.name, piece.name, start_s, pcm)
