"""`sealproof search`: the shortest harmless chains that break a detector."""

import argparse
from pathlib import Path

from sealproof.harness.cli.options import OK, Commands, add_command, add_seed
from sealproof.harness.studies.counterexamples.request import FILE, SearchRequest


def add(commands: Commands) -> None:
    """Add the command to `sealproof`."""
    base = SearchRequest()
    parser = add_command(
        commands, "search", _search, "find the shortest chains of harmless attacks that break a detector"
    )
    parser.add_argument("dataset", type=Path, metavar="DIR")
    parser.add_argument(
        "--attacks", default=base.attacks, metavar="PRESET|TOML", help=f"links (default {base.attacks})"
    )
    parser.add_argument("--of", default=base.of, help="`detection` (default), or `agreement` of mimic and reference")
    parser.add_argument("--alone", type=float, default=base.alone, metavar="X", help=f"default {base.alone}")
    parser.add_argument("--together", type=float, default=base.together, metavar="X", help=f"default {base.together}")
    parser.add_argument(
        "--lsd", type=float, default=base.most_lsd_db, metavar="DB", help=f"default {base.most_lsd_db:g}"
    )
    parser.add_argument("--wanted", type=int, default=base.n_wanted, metavar="N", help=f"default {base.n_wanted}")
    parser.add_argument("--runs", type=int, default=base.n_runs, metavar="N", help=f"at most N (default {base.n_runs})")
    parser.add_argument("--clips", type=int, default=base.n_clips, metavar="N", help=f"default {base.n_clips}")
    parser.add_argument("--out", type=Path, default=FILE, metavar="FILE", help=f"default {FILE}")
    add_seed(parser)


def _search(options: argparse.Namespace) -> int:
    from sealproof.harness.datasets.dataset import Dataset
    from sealproof.harness.studies.counterexamples.keep import keep
    from sealproof.harness.studies.counterexamples.search import search

    request = SearchRequest(
        attacks=options.attacks,
        of=options.of,
        alone=options.alone,
        together=options.together,
        most_lsd_db=options.lsd,
        n_wanted=options.wanted,
        n_runs=options.runs,
        n_clips=options.clips,
        seed=options.seed,
        out=options.out,
    )
    result = search(Dataset.open(options.dataset), request)
    print(f"{result.n_harmless} attacks of {request.attacks} leave {request.alone:g} alone; {result.n_runs} runs.")
    for example in result.counterexamples:
        alone = ", ".join(f"{name} {rate:.2f}" for name, rate in example.links.items())
        verified = example.verified
        verdict = "confirmed" if example.is_confirmed else "NOT confirmed"
        print(
            f"{example.chain}: {example.validation_rate:.2f} on validation, {verified.value:.2f} "
            f"[{verified.ci_low:.2f}, {verified.ci_high:.2f}] on {verified.n_clips} test clips of "
            f"{verified.n_groups} recordings; alone {alone}; {verdict}; {example.n_runs} runs"
        )
    if not result.counterexamples:
        print(f"No chain of them leaves {request.together:g} or less within {request.most_lsd_db:g} dB.")
    kept = keep(request.out, result, request.of)
    print(f"{kept} kept in {request.out}." if kept else "Nothing was kept.")
    return OK
