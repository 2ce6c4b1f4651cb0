"""`sealproof list` and `doctor`: what there is, and what can run here."""

import argparse

from sealproof.harness.cli.options import FAILED, OK, Commands, add_command


def add(commands: Commands) -> None:
    """Add the commands to `sealproof`."""
    listing = add_command(commands, "list", _list, "name the schemes, mimics or adversaries")
    listing.add_argument("what", choices=["schemes", "mimics", "adversaries"])
    doctor = add_command(commands, "doctor", _doctor, "try all there is and say what works here, what does not and why")
    doctor.add_argument("--verbose", action="store_true", help="a line for each thing that was tried")


def _list(options: argparse.Namespace) -> int:
    if options.what == "schemes":
        from sealproof.detectors import list_schemes

        for name in list_schemes():
            print(f"{name:18} {_summary(name)}")
    elif options.what == "adversaries":
        from sealproof.attacks.adversarial import adversary_class, list_adversaries

        for name in list_adversaries():
            print(f"{name:18} {adversary_class(name).summary}")
    else:
        from sealproof.detectors.mimics import get_mimic_recipe, list_mimics

        for name in list_mimics():
            print(f"{name:18} {get_mimic_recipe(name).summary}")
    return OK


def _summary(scheme: str) -> str:
    from sealproof.detectors import DetectorError, get_scheme

    try:
        return get_scheme(scheme).summary
    except DetectorError as error:
        # One that cannot be loaded does not hide the others.
        return str(error)


def _doctor(options: argparse.Namespace) -> int:
    from sealproof.harness.cli import doctor
    from sealproof.harness.foundation.progress import trying
    from sealproof.harness.studies.readiness.checks import all_checks

    print("\n".join(doctor.machine()), flush=True)
    checks = all_checks()
    results = [check.run() for check in trying(checks, len(checks), lambda check: f"{check.kind} {check.name}")]
    print("\n".join(doctor.everything(results) if options.verbose else doctor.summary(results)))
    print(doctor.verdict(results))
    return FAILED if doctor.broken_checks(results) else OK
