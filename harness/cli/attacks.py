"""`sealproof attacks`: the catalogue, and whether attacks do what they claim."""

import argparse
from pathlib import Path

from sealproof.harness.cli.options import FAILED, OK, Commands, add_command, add_scheme, add_seed


def add(commands: Commands) -> None:
    """Add the commands to `sealproof`."""
    attacks = add_command(commands, "attacks", _attacks, "show the catalogue of attacks, or verify what they claim")
    about = attacks.add_subparsers(required=True, metavar="ACTION", dest="action")
    catalogue = about.add_parser("list", help="name all attacks and their strengths")
    catalogue.add_argument("--markdown", action="store_true", help="as the page docs/attacks.md")
    verify = about.add_parser("verify", help="measure on real clips whether each attack does what it claims")
    verify.add_argument("--attacks", default="full", metavar="PRESET|TOML|ID", help="default full: all there are")
    verify.add_argument("--corpus", default="demo", metavar="PATH|demo", help="a folder of audio (default: demo music)")
    add_scheme(verify)
    verify.add_argument("--clips", type=int, default=16, metavar="N", help="default 16")
    verify.add_argument("--out", type=Path, metavar="DIR", help="write attacks.csv there")
    verify.add_argument("--plot", action="store_true", help="draw each attack, too: DIR/index.html")
    add_seed(verify)


def _attacks(options: argparse.Namespace) -> int:
    if options.action == "list":
        from sealproof.harness.studies.attack_audit import catalogue

        print(catalogue.catalogue_markdown() if options.markdown else "\n".join(catalogue.lines()).lstrip())
        return OK
    return _verify_attacks(options)


def _verify_attacks(options: argparse.Namespace) -> int:
    from sealproof.attacks.selection import load_attacks
    from sealproof.harness.corpora.demo.corpus import DemoCorpus
    from sealproof.harness.corpora.folder import FolderCorpus
    from sealproof.harness.foundation.errors import HarnessError
    from sealproof.harness.studies.attack_audit import gallery as attack_check

    if options.clips < 1:
        raise HarnessError(f"--clips must be at least 1. Got {options.clips}.")
    if options.plot and options.out is None:
        raise HarnessError("--plot needs a folder to draw into: give --out DIR.")
    attacks = load_attacks(options.attacks)
    say_left_out(options.attacks)
    corpus = DemoCorpus() if options.corpus == "demo" else FolderCorpus(root=Path(options.corpus))
    clips = attack_check.read_marked_clips(corpus, options.clips, options.scheme, options.seed)
    checked = attack_check.check_all(attacks, clips, options.seed)
    print("\n".join(attack_check.table(checked)))
    if options.out is not None:
        attack_check.write_csv(checked, options.out / attack_check.CSV)
        print(f"Wrote {options.out / attack_check.CSV}")
    if options.plot:
        print(f"Wrote {attack_check.write_gallery(checked, clips, options.seed, options.out)}")
    problems = attack_check.problems(checked)
    for problem in problems:
        print(problem)
    n_types = len({each.attack.name for each in checked})
    print(f"{len(checked)} configurations of {n_types} attacks on {options.clips} clips: {len(problems)} problems.")
    return FAILED if problems else OK


def say_left_out(attacks: str) -> None:
    """Print which attacks of a preset cannot run here, and why."""
    from sealproof.attacks.selection import left_out

    for name, reason in left_out(attacks).items():
        print(f"Left out of the preset {attacks}: {name}. {reason}")
