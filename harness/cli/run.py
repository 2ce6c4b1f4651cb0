"""`sealproof run` and `demo`: attack, score, write the tables and the report."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sealproof.harness.cli.attacks import say_left_out
from sealproof.harness.cli.dataset import describe
from sealproof.harness.cli.options import (
    FAILED,
    OK,
    Commands,
    add_command,
    add_quality,
    add_run_options,
    add_scheme,
    fail,
)
from sealproof.harness.matrix.request import RunRequest
from sealproof.harness.training.demo_request import DemoRequest

if TYPE_CHECKING:
    from sealproof.harness.datasets.dataset import Dataset


def add(commands: Commands) -> None:
    """Add the commands to `sealproof`."""
    run = add_command(
        commands, "run", _run, "attack the test clips, score them with every detector, write tables and report"
    )
    run.add_argument("dataset", type=Path, metavar="DIR")
    add_run_options(run)
    add_quality(run)
    _add_report(run)
    run.add_argument("--clips", type=int, metavar="N", help="at most N test pairs (default: all)")

    demo = add_command(commands, "demo", _demo, "all of it on built-in music: build, train, run")
    add_scheme(demo)
    n_clips = DemoRequest.n_clips
    demo.add_argument("--clips", type=int, default=n_clips, metavar="N", help=f"default {n_clips}")
    demo.add_argument("--dataset", type=Path, metavar="DIR", help="default data/demo-SCHEME")
    add_run_options(demo)
    add_quality(demo)
    _add_report(demo)


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-report", action="store_true", help="write the tables only: see `sealproof report`")


def _run(options: argparse.Namespace) -> int:
    from sealproof.harness.datasets.dataset import Dataset

    return _run_dataset(Dataset.open(options.dataset), options, options.clips)


def _demo(options: argparse.Namespace) -> int:
    from sealproof.harness.training.demo_dataset import demo_dataset

    root = options.dataset or Path("data") / f"demo-{options.scheme}"
    print(f"Dataset and mimics: {root}", flush=True)
    dataset = demo_dataset(DemoRequest(scheme=options.scheme, n_clips=options.clips, seed=options.seed), root)
    describe(dataset.facts)
    return _run_dataset(dataset, options, None)


def _run_dataset(dataset: "Dataset", options: argparse.Namespace, n_clips: int | None) -> int:
    from sealproof.harness.foundation.progress import progress
    from sealproof.harness.matrix.assembly import cells_of, open_bench
    from sealproof.harness.matrix.outcome import sources_text
    from sealproof.harness.tables.rules import FIXED
    from sealproof.harness.tables.text import LEGEND, terminal_table, thin_calibration_note
    from sealproof.harness.tables.write import thresholds_of, write_tables

    quality = tuple(filter(None, options.quality.split(",")))
    request = RunRequest(attacks=options.attacks, seed=options.seed, n_clips=n_clips, quality=quality, out=options.out)
    bench = open_bench(dataset, request)
    cells = cells_of(bench, request)
    if len(bench.subjects) == 1:
        print(f"No mimic was trained on {dataset.root}: only the reference is scored. See `sealproof train`.")
    say_left_out(options.attacks)
    # First, for without thresholds there are no tables.
    thresholds = thresholds_of(bench, request.seed)
    outcomes = [bench.run(cell) for cell in progress(cells, "attacking and scoring")]
    tables = write_tables(bench, outcomes, request.seed, request.out, processes=os.cpu_count() or 1)
    print(f"\n{terminal_table(tables.rows)}\nAccuracy and agreement {LEGEND[FIXED]}; agreement is with the reference.")
    print(f"Intervals and the other rules are in the files.\n{thin_calibration_note(thresholds)}")
    print(f"{sources_text(outcome.source for outcome in outcomes)}.")
    print("Wrote " + ", ".join(str(path) for path in tables.files))
    failed = sum(outcome.error is not None for outcome in outcomes)
    code = fail(f"{failed} of {len(outcomes)} cells failed; see the end of the table.", FAILED) if failed else OK
    if not options.no_report:
        _write_report(options.out)
    return code


def _write_report(run: Path) -> None:
    from sealproof.harness.report.write import HTML, write_report

    written = write_report(run)
    # The last line of a run: what it came to, and where to read on.
    print(f"Wrote {run / HTML}: {written.headline}", flush=True)
