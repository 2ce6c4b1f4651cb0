"""`sealproof build` and `check`: datasets."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealproof.harness.cli import musiccaps
from sealproof.harness.cli.options import FAILED, OK, Commands, add_command, add_seed, fail
from sealproof.harness.training.demo_request import DemoRequest

if TYPE_CHECKING:
    from sealproof.harness.corpora.base import Corpus, CorpusReport


def add(commands: Commands) -> None:
    """Add the commands to `sealproof`."""
    build = add_command(
        commands, "build", _build, "watermark a corpus: clean and watermarked clips, split by recording"
    )
    build.add_argument(
        "--corpus", required=True, metavar="PATH|demo|musiccaps", help="a folder of audio, built-in music, or MusicCaps"
    )
    build.add_argument("--scheme", required=True, metavar="NAME", help="see `sealproof list schemes`")
    build.add_argument(
        "--clips", type=int, metavar="N", help=f"at most N clips (default: all; demo: {DemoRequest.n_clips})"
    )
    build.add_argument("--out", required=True, type=Path, metavar="DIR", help="the dataset's folder")
    build.add_argument("--clip-s", type=float, default=1.0, metavar="S", help="length of a clip (default 1)")
    build.add_argument("--group-by", default="folder", help="a recording is a `folder` (default) or a `file`")
    build.add_argument("--groups", type=Path, metavar="CSV", help="recordings by CSV: columns path and --group-column")
    build.add_argument("--group-column", default="group", metavar="NAME", help="its column (default group)")
    build.add_argument("--skip-bad", action="store_true", help="leave unreadable files out and count them")
    add_seed(build)
    musiccaps.add_options(build)

    check = add_command(commands, "check", _check, "verify a dataset's hashes, formats and splits")
    check.add_argument("dataset", type=Path, metavar="DIR")


def _build(options: argparse.Namespace) -> int:
    from sealproof.harness.corpora.base import ALL_CLIPS
    from sealproof.harness.datasets.build import BuildRequest, build_dataset

    corpus = _corpus(options)
    default_clips = DemoRequest.n_clips if options.corpus == "demo" else ALL_CLIPS
    n_clips = default_clips if options.clips is None else options.clips
    request = BuildRequest(scheme=options.scheme, n_clips=n_clips, seed=options.seed, clip_s=options.clip_s)
    dataset, report = build_dataset(corpus, request, options.out)
    lines = [f"{options.out} is already built."] if report is None else _told(corpus, report, options.clips)
    note = musiccaps.note_when_built(options) if report is None else None
    print("\n".join([*lines, *filter(None, [note])]))
    describe(dataset.facts)
    print(f"Wrote {options.out}. Next: sealproof train {options.out}")
    return OK


def _corpus(options: argparse.Namespace) -> "Corpus":
    from sealproof.harness.corpora.demo.corpus import DemoCorpus
    from sealproof.harness.corpora.folder import FolderCorpus

    if options.corpus == musiccaps.NAME:
        return musiccaps.corpus_from(options)
    musiccaps.refuse_foreign(options)
    _refuse_out_within(options.corpus, options.out)
    if options.corpus == "demo":
        return DemoCorpus()
    return FolderCorpus(
        root=Path(options.corpus),
        group_by=options.group_by,
        groups_csv=options.groups,
        group_column=options.group_column,
        skip_bad=options.skip_bad,
    )


def _told(corpus: "Corpus", report: "CorpusReport", n_asked: int | None) -> list[str]:
    """Return the lines on what a corpus gave."""
    from sealproof.harness.corpora.musiccaps.corpus import MusicCapsCorpus

    if isinstance(corpus, MusicCapsCorpus):
        return list(musiccaps.report_lines(corpus, report))
    lines = [f"skipped {path}: {reason}" for path, reason in report.bad_files.items()]
    lines.append(f"{report.sentence()}.")
    if n_asked is not None and report.taken < n_asked:
        lines.append(f"{n_asked} clips were asked for; the corpus holds {report.taken}.")
    return lines


def _refuse_out_within(corpus: str, out: Path) -> None:
    """Keep a dataset out of its own corpus: a resumed build would take its watermarked clips for clean ones."""
    from sealproof.harness.foundation.errors import HarnessError

    if corpus != "demo" and out.resolve().is_relative_to(Path(corpus).resolve()):
        raise HarnessError(f"--out must not lie in the corpus {corpus}. Got {out}: choose a folder beside it.")


def describe(facts: dict[str, object]) -> None:
    """Print what a dataset holds, from its dataset.json."""
    per_split = facts["pairs_per_split"]
    assert isinstance(per_split, dict)  # noqa: S101 - as written by the build
    splits = ", ".join(f"{name} {n}" for name, n in per_split.items())
    print(f"{facts['n_pairs']} pairs in {facts['n_groups']} groups ({splits}); scheme {facts['scheme']}.")
    drops = facts.get("detectable_drop")
    if isinstance(drops, dict):
        # A dataset of before has none.
        print(_gate_text(drops))
    if facts["unmarked_pairs"]:
        print(f"Mind: in {facts['unmarked_pairs']} pairs the watermark is too weak to change one 16-bit sample.")
    for sentence in _oddities(facts):
        print(f"Mind: {sentence}")


def _oddities(facts: dict[str, Any]) -> Iterator[str]:
    """Yield what should be known of a dataset; one of an earlier version does not say all of it."""
    from sealproof.harness.datasets.near_copies import from_records, near_copies_text
    from sealproof.harness.datasets.same_audio import joined_text

    if facts.get("near_copies"):
        yield near_copies_text(from_records(facts["near_copies"]))
    if facts.get("joined_groups"):
        yield joined_text(facts["joined_groups"])
    for label in ("clean", "watermarked"):
        if facts.get(f"clipped_{label}"):
            yield f"{facts[f'clipped_{label}']} {label} clips go beyond full scale, where 16 bits cut them off."


def _gate_text(least: Mapping[str, float | None]) -> str:
    """Say what `pytest -m robustness` can find with a dataset, from its dataset.json."""
    spread, whole = (
        "no drop" if least[name] is None else f"a drop of the TPR by {least[name]:.2f}"
        for name in ("spread_over_clips", "whole_recordings")
    )
    return (
        f"With {least['test_clips']} marked test clips of {least['test_recordings']} recordings `pytest -m robustness` "
        f"finds in one cell, in 80 % of cases where no other changes, {spread} where errors are spread over the clips, "
        f"and {whole} where whole recordings are lost. More recordings find less."
    )


def _check(options: argparse.Namespace) -> int:
    from sealproof.harness.datasets.check import check_dataset
    from sealproof.harness.datasets.dataset import Dataset
    from sealproof.harness.datasets.near_copies import near_copies, near_copies_text
    from sealproof.harness.matrix.store import check_cells

    problems = [*check_dataset(options.dataset), *check_cells(options.dataset / "cells")]
    for problem in problems:
        print(problem)
    if problems:
        return fail(f"{options.dataset} has {len(problems)} problem{'s' * (len(problems) != 1)}.", FAILED)
    print(f"{options.dataset} is as its manifest says.")
    # Worth a look, and no fault of the files: two pieces may share what they were made of.
    dataset = Dataset.open(options.dataset)
    copies = near_copies(dataset.root, dataset.rows, dataset.n_samples)
    if copies:
        print(f"Mind: {near_copies_text(copies)}")
    return OK
