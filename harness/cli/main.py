"""The `sealproof` command."""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence

from sealproof.harness.cli import attacks, dataset, machine, mimic, result, run, scheme
from sealproof.harness.cli.adversaries import adversary, search
from sealproof.harness.cli.options import BAD_INPUT, FAILED, INTERRUPTED, fail


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; bad input gets one line on standard error."""
    try:
        return _run_command(_parser().parse_args(arguments))
    except KeyboardInterrupt:
        return fail("Stopped. What was finished stays; give the same command again to go on.", INTERRUPTED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("sealproof", description="Proof-test audio watermark detectors.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    # In the order in which --help shows them: that of the work.
    for kind in (dataset, mimic, run, adversary, search, result, scheme, attacks, machine):
        kind.add(commands)
    return parser


def _run_command(options: argparse.Namespace) -> int:
    command: Callable[[argparse.Namespace], int] = options.command
    # Named by module, so that --help imports no numpy; every refusal of ours is one of these.
    from sealproof.attacks.contract.base import AttackError
    from sealproof.detectors.base import DetectorError
    from sealproof.harness.foundation.errors import HarnessError

    try:
        return command(options)
    except (HarnessError, AttackError, DetectorError) as error:
        return fail(str(error), BAD_INPUT)
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "sealproof":
            raise
        return fail(f"Something that this command needs does not load ({error}). Run: sealproof doctor", BAD_INPUT)
    except BrokenPipeError:
        # Whoever read our output (`| head`) has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return fail(
                f"The disk is full ({error}). What was finished stays; free space and give the command again.",
                BAD_INPUT,
            )
        return fail(f"{error}. What was finished stays.", BAD_INPUT)
