"""`sealproof list` and `doctor`: what there is, and what can run here."""

import argparse

from sealproof.harness.cli.options import OK, Commands, add_command


def add(commands: Commands) -> None:
    """Add the commands to `sealproof`."""
    listing = add_command(commands, "list", _list, "name the schemes or mimics")
    listing.add_argument("what", choices=["schemes", "mimics"])
    add_command(commands, "doctor", _doctor, "say what can run here, what cannot and why")


def _list(options: argparse.Namespace) -> int:
    if options.what == "schemes":
        from sealproof.detectors import get_scheme, list_schemes

        for name in list_schemes():
            print(f"{name:18} {get_scheme(name).summary}")
    else:
        from sealproof.detectors.mimics import get_mimic_recipe, list_mimics

        for name in list_mimics():
            print(f"{name:18} {get_mimic_recipe(name).summary}")
    return OK


def _doctor(_options: argparse.Namespace) -> int:
    from sealproof.harness.cli.doctor import diagnose

    for line in diagnose():
        print(line)
    return OK
