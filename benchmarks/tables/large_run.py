"""Measure the statistics, the tables and the report of a large run: seconds of each part and peak memory.

    python benchmarks/tables/large_run.py --cells 250 --detectors 4 --pairs 1000 --groups 100
    python benchmarks/tables/large_run.py --profile

Run by hand; it is no test. Seconds of CPU are this process's, without the workers that compute rows. Outcomes are made
up (scores of all detectors with much in common, messages that lose bits); everything behind them is what a run uses:
thresholds, summary, break points, clips, picture, report.
"""

import argparse
import cProfile
import os
import pstats
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sealproof.attacks import get_attack
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED, Row
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.cell import Cell
from sealproof.harness.matrix.outcome import Measured, Outcome, Scores
from sealproof.harness.matrix.quality.waveform import WAVEFORM_METRICS
from sealproof.harness.matrix.store import CellStore
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.tables import break_points
from sealproof.harness.tables import write as tables

LABELS = (CLEAN, WATERMARKED)
N_BITS = 16
VERIFICATION = '{"sha256": "0", "verdicts": []}'


def main() -> None:
    """Write the tables of a made-up run and print what they took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, default=250)
    parser.add_argument("--detectors", type=int, default=4, help="the reference and its mimics")
    parser.add_argument("--pairs", type=int, default=1000, help="of one clean and one watermarked clip")
    parser.add_argument("--groups", type=int, default=100)
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="default: one a core")
    parser.add_argument("--profile", action="store_true", help="say which functions take the time")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    dataset = made_up_dataset(options.pairs, options.groups, rng)
    subjects = [_subject(f"detector{index}", "mimic" if index else "reference") for index in range(options.detectors)]
    with tempfile.TemporaryDirectory() as folder:
        bench = MadeUpBench(dataset, dataset.split("test"), subjects, CellStore(Path(folder) / "cells"))
        outcomes = [bench.outcome(_cell(index), rng) for index in range(options.cells)]
        print(f"made up after {time.process_time():.1f} s CPU, {_peak_mb():.0f} MB")
        out = Path(folder) / "out"
        profile = cProfile.Profile() if options.profile else None
        timed = ("rows_of_cells", "write_picture", "write_clips", "markdown_table", "_content_sha256", "_run_facts")
        for name in timed:
            _timed(tables, name)
        _timed(break_points, "break_point_rows")
        started, started_cpu = time.perf_counter(), time.process_time()
        if profile:
            profile.enable()
        written = tables.write_tables(bench, outcomes, 0, out, processes=options.processes)
        if profile:
            profile.disable()
            pstats.Stats(profile).sort_stats("tottime").print_stats(25)
        seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
        print(f"{len(written.rows)} rows of {len(outcomes)} cells in {seconds:.1f} s, {cpu:.1f} s CPU")
        _report(out)
        print(f"peak {_peak_mb():.0f} MB; clips.csv {(out / 'clips.csv').stat().st_size / 1e6:.0f} MB")


def _report(run: Path) -> None:
    from sealproof.harness.report.write import write_report

    started, started_cpu = time.perf_counter(), time.process_time()
    # Without clips to listen to: a made-up run has no audio.
    write_report(run, None, None, 0)
    print(f"report in {time.perf_counter() - started:.1f} s, {time.process_time() - started_cpu:.1f} s CPU")


class MadeUpBench(Bench):
    """A bench whose cells need no audio."""

    def run(self, cell: Cell) -> Outcome:
        """Return the calibration cell: clean clips, not attacked."""
        return self.outcome(cell, np.random.default_rng(1))

    def outcome(self, cell: Cell, rng: np.random.Generator) -> Outcome:
        """Make up what a cell came to."""
        shape = (len(cell.labels), len(self.pairs))
        strength = rng.uniform(0, 3)
        shared = rng.normal(size=shape) + (3 - strength) * np.arange(shape[0])[:, None]
        scores = {}
        for place, subject in enumerate(self.subjects):
            score = 1 / (1 + np.exp(-(shared + place * 0.5 * rng.normal(size=shape) - 1)))
            has_bits = subject.role == "reference"
            bits = self._bits(shape, strength, rng) if has_bits else np.zeros((*shape, 0), dtype=np.uint8)
            mean = score.astype(np.float32) if has_bits else np.zeros((shape[0], 0), dtype=np.float32)
            overlap = rng.uniform(size=shape) if has_bits else np.full(shape, np.nan)
            scores[subject.name] = Scores(score.astype(np.float32), bits, 0.5, 1.0, mean, overlap)
        quality = {metric: rng.normal(20 - strength, 3, shape) for metric in WAVEFORM_METRICS}
        return Outcome(cell, None, Measured(quality, np.zeros(shape, dtype=np.bool_), VERIFICATION, 1.0), scores)

    def _bits(self, shape: tuple[int, int], strength: float, rng: np.random.Generator) -> np.ndarray:
        sent = np.array([[int(bit) for bit in pair.watermarked.message] for pair in self.pairs], dtype=np.uint8)
        flips = rng.uniform(size=(*shape, N_BITS)) < 0.05 + 0.1 * strength
        return (sent ^ flips).astype(np.uint8)


def made_up_dataset(n_pairs: int, n_groups: int, rng: np.random.Generator) -> Dataset:
    """Return a manifest without audio."""

    def row(index: int, label: str) -> Row:
        message = "".join(str(bit) for bit in rng.integers(0, 2, N_BITS)) if label == WATERMARKED else ""
        group = f"collection/recording-{index % n_groups:04d}"
        clip_id = f"{index % n_groups}.collection-recording-{index % n_groups:04d}.{index:04d}-016ef3ff-0ms"
        return Row(clip_id, group, "source", 0.0, "test", label, f"{label}/{index}.wav", message, None, "0" * 64)

    rows = tuple(row(index, label) for index in range(n_pairs) for label in LABELS)
    facts = {"scheme": "detector0", "seed": 0, "sample_rate": 16_000, "manifest_sha256": "0" * 64, "corpus": {}}
    return Dataset(Path("made-up"), facts, rows)


def _subject(name: str, role: str) -> Subject:
    def load() -> None:
        raise AssertionError("the tables must not load a detector")

    return Subject(name, role, "1", load)  # type: ignore[arg-type]  # never called


def _cell(index: int) -> Cell:
    """Return a cell of one of the sweeps, of ten strengths each."""
    family, strength = divmod(index, 10)
    attack = get_attack("echo", delay_ms=100 + family, gain=round(0.05 + 0.09 * strength, 3))
    return Cell("detector0", attack, 0, "test", LABELS, "0" * 64)


def _timed(module: object, name: str) -> None:
    function: Callable[..., object] = getattr(module, name)

    def timed(*arguments: object, **named: object) -> object:
        started, started_cpu = time.perf_counter(), time.process_time()
        result = function(*arguments, **named)
        result = list(result) if name == "break_point_rows" else result  # type: ignore[call-overload]
        seconds, cpu = time.perf_counter() - started, time.process_time() - started_cpu
        print(f"  {name:20} {seconds:6.2f} s, {cpu:6.2f} s CPU")
        return result

    setattr(module, name, timed)


def _peak_mb() -> float:
    """Return this process's peak and, as often as there may be workers, that of the largest of them."""
    own, child = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + child * (os.cpu_count() or 1)) / (1024 if sys.platform == "linux" else 1024**2)


if __name__ == "__main__":
    main()
