"""What the commands of `sealproof` have in common: exit codes and shared options."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from sealproof.harness.matrix.request import RunRequest
from sealproof.harness.training.demo_request import DemoRequest

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; done, but cells or checks failed; refused; Ctrl-C."""

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
"""Where commands are added: argparse has no public name for it."""


def fail(message: str, code: int) -> int:
    """Say on standard error, in one line, what went wrong, and return the exit code."""
    # One line, whatever a library's message or a file's name holds.
    print("sealproof:", " ".join(message.splitlines()), file=sys.stderr)
    return code


def add_command(
    commands: Commands,
    name: str,
    command: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    """Add a command that calls a function."""
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=command)
    return parser


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add the option `--seed`."""
    parser.add_argument("--seed", type=int, default=RunRequest.seed, metavar="S", help=f"default {RunRequest.seed}")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of whatever attacks test clips."""
    add_attacks_and_out(parser)
    add_seed(parser)


def add_attacks_and_out(parser: argparse.ArgumentParser) -> None:
    """Add the options `--attacks` and `--out`."""
    parser.add_argument(
        "--attacks",
        default=RunRequest.attacks,
        metavar="PRESET|TOML",
        help=f"a preset (default `{RunRequest.attacks}`), a file, or an id",
    )
    parser.add_argument("--out", type=Path, default=RunRequest.out, metavar="DIR", help=f"default {RunRequest.out}")


def add_quality(parser: argparse.ArgumentParser) -> None:
    """Add the option `--quality`."""
    text = "also measure some of pesq,stoi,zimtohrli on up to 32 pairs a cell (slow)"
    parser.add_argument("--quality", default="", metavar="NAMES", help=text)


def add_scheme(parser: argparse.ArgumentParser) -> None:
    """Add the option `--scheme` of what makes its own dataset."""
    parser.add_argument("--scheme", default=DemoRequest.scheme, metavar="NAME", help=f"default {DemoRequest.scheme}")
