"""`sealproof report`, `compare` and `breakdown`: what a run came to."""

import argparse
from pathlib import Path

from sealproof.harness.cli.options import FAILED, OK, Commands, add_command
from sealproof.harness.statistics.change.budget import ALLOWED_DROP


def add(commands: Commands) -> None:
    """Add the commands to `sealproof`."""
    report = add_command(
        commands, "report", _report, "write a run's report: HTML, Markdown, LaTeX, a CSV of each figure"
    )
    report.add_argument("run", type=Path, metavar="RUN", help="a folder that `sealproof run` wrote")
    report.add_argument("--out", type=Path, metavar="DIR", help="default: the run's folder")
    report.add_argument("--dataset", type=Path, metavar="DIR", help="for clips to listen to (default: the run's own)")
    report.add_argument("--examples", type=int, default=8, metavar="N", help="clips to listen to (default 8)")

    compare = add_command(commands, "compare", _compare, "compare two runs on the same clips, rate by rate")
    compare.add_argument("before", type=Path, metavar="RUN_A", help="folder of the run before the change")
    compare.add_argument("after", type=Path, metavar="RUN_B", help="folder of the run after it")
    compare.add_argument("--out", type=Path, metavar="DIR", help="write compare.csv, compare.md and compare.html there")
    compare.add_argument(
        "--allowed-drop", type=float, default=ALLOWED_DROP, metavar="X", help=f"default {ALLOWED_DROP}"
    )

    breakdown = add_command(commands, "breakdown", _breakdown, "a run's results by tag of the music, as MusicCaps has")
    breakdown.add_argument("run", type=Path, metavar="RUN", help="a folder that `sealproof run` wrote")
    breakdown.add_argument("--by", default="aspects", metavar="COLUMN", help="`aspects` (default) or `audioset_labels`")
    breakdown.add_argument("--min-clips", type=int, default=20, metavar="N", help="clips a tag must have (default 20)")
    breakdown.add_argument("--attack", metavar="ID", help="one attack in place of all together")
    breakdown.add_argument("--dataset", type=Path, metavar="DIR", help="default: the one that the run names")
    breakdown.add_argument("--out", type=Path, metavar="DIR", help="default: the run's folder")


def _report(options: argparse.Namespace) -> int:
    from sealproof.harness.report.write import write_report

    written = write_report(options.run, options.out, options.dataset, options.examples)
    print("\n".join(filter(None, [written.headline, written.note])))
    print("Wrote " + ", ".join(str(path) for path in written.files))
    return OK


def _compare(options: argparse.Namespace) -> int:
    from sealproof.harness.comparison.runs import compare_runs
    from sealproof.harness.comparison.text import comparison_lines
    from sealproof.harness.comparison.write import write_comparison

    comparison = compare_runs(options.before, options.after, options.allowed_drop)
    print("\n".join(comparison_lines(comparison)))
    if options.out is not None:
        print("Wrote " + ", ".join(map(str, write_comparison(comparison, options.out))))
    return FAILED if comparison.is_failure else OK


def _breakdown(options: argparse.Namespace) -> int:
    from sealproof.harness.report.breakdown.by_tag import break_down
    from sealproof.harness.report.breakdown.text import breakdown_lines
    from sealproof.harness.report.breakdown.write import write_breakdown

    breakdown = break_down(options.run, options.by, options.min_clips, options.attack, options.dataset)
    print("\n".join(breakdown_lines(breakdown)))
    print("Wrote " + ", ".join(map(str, write_breakdown(breakdown, options.out or options.run))))
    return OK
