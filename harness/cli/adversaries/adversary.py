"""`sealproof adversary`: how far a detector holds against somebody who tries."""

import argparse
from dataclasses import replace
from pathlib import Path

from sealproof.harness.cli.options import FAILED, OK, Commands, add_command, add_seed, fail
from sealproof.harness.studies.adversaries.request import PRESETS, AdversaryRequest, preset


def add(commands: Commands) -> None:
    """Add the command to `sealproof`."""
    parser = add_command(
        commands, "adversary", _adversary, "attack a dataset's detector by what it answers, its weights, or a mimic's"
    )
    parser.add_argument("dataset", type=Path, metavar="DIR")
    parser.add_argument("--preset", default="quick", metavar="NAME", help=f"{' or '.join(PRESETS)} (default quick)")
    parser.add_argument("--adversaries", metavar="IDS", help="joined by commas: see docs/adversaries.md")
    parser.add_argument("--budget", metavar="LIST", help="some of snr20,snr30,snr40,mask,linf or the like")
    parser.add_argument("--rules", metavar="LIST", help="thresholds that are attacked: fixed,fpr_1pct")
    parser.add_argument("--queries", type=int, metavar="N", help="questions allowed for each clip")
    parser.add_argument("--clips", type=int, metavar="N", help="at most N test pairs")
    parser.add_argument("--query-clips", type=int, metavar="N", help="at most N for adversaries that ask a lot")
    parser.add_argument("--no-controls", action="store_true", help="no surrogates that know nothing")
    parser.add_argument("--out", type=Path, default=AdversaryRequest.out, metavar="DIR", help="default results")
    add_seed(parser)


def request_of(options: argparse.Namespace) -> AdversaryRequest:
    """Return what the options ask for: a preset's request, and what is given beside it.

    Raises:
        sealproof.harness.foundation.errors.HarnessError: An option is wrong.
    """
    base = preset(options.preset)
    lists = {"adversaries": options.adversaries, "budgets": options.budget, "rules": options.rules}
    numbers = {"queries": options.queries, "n_clips": options.clips, "n_query_clips": options.query_clips}
    given: dict[str, object] = {
        name: tuple(filter(None, text.split(","))) for name, text in lists.items() if text is not None
    }
    given |= {name: value for name, value in numbers.items() if value is not None}
    if options.clips is not None and options.query_clips is None:
        given["n_query_clips"] = min(options.clips, base.n_query_clips)
    return replace(base, **given, seed=options.seed, out=options.out, controls=not options.no_controls)  # type: ignore[arg-type]


def _adversary(options: argparse.Namespace) -> int:
    from sealproof.harness.datasets.dataset import Dataset
    from sealproof.harness.studies.adversaries.output.write import terminal_lines, write_study
    from sealproof.harness.studies.adversaries.study import fight_all

    request = request_of(options)
    study = fight_all(Dataset.open(options.dataset), request)
    written = write_study(study, request.out)
    print("\n".join(terminal_lines(written.rows)))
    print("Share of clips turned within the budget, as 16-bit files; in brackets the best control of the same SNR.")
    missing = [rule for rule in request.rules if rule not in study.thresholds]
    if missing:
        print(f"No threshold for {', '.join(missing)}: too few clean calibration clips.")
    stored = sum(result.was_stored for result in study.results)
    print(f"{len(study.results)} cells, {stored} from the store; {len(written.checks)} checks.")
    print("Wrote " + ", ".join(map(str, written.files)))
    if written.failed:
        first = written.failed[0]
        about = f"check {first.number} ({first.name}, {first.about}: {first.value:.4g}, required: {first.required})"
        return fail(f"{len(written.failed)} checks failed, their cells have no numbers; the first: {about}.", FAILED)
    return OK
