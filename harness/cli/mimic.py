"""`sealproof train`, `extract` and `export`: imitations of a detector."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from sealproof.harness.cli.options import OK, Commands, add_command, add_run_options, add_seed

if TYPE_CHECKING:
    from sealproof.harness.training.mimics.trained import TrainedMimic


def add(commands: Commands) -> None:
    """Add the commands to `sealproof`."""
    train = add_command(commands, "train", _train, "train a mimic of a dataset's detector")
    train.add_argument("dataset", type=Path, metavar="DIR")
    train.add_argument(
        "--mimic", metavar="NAME", help="default: a cheap one, the study's, then the best: `sealproof list mimics`"
    )
    train.add_argument("--split", default="group", help="`group` (default), or `leaky`: the study's split by file")
    train.add_argument("--epochs", type=int, metavar="N", help="at most N (default: the network's own number)")
    train.add_argument("--force", action="store_true", help="train again even when it is there")
    add_seed(train)

    study = add_command(commands, "extract", _extract, "how faithful an imitation is, by what it may ask and how often")
    study.add_argument("dataset", type=Path, metavar="DIR")
    study.add_argument("--access", metavar="LIST", help="some of labels,decisions,scores (default: all)")
    study.add_argument("--budget", metavar="LIST", help="numbers of clips it may know of (default 100,300,...,10000)")
    study.add_argument("--clips", type=int, default=100, metavar="N", help="test pairs it is judged on (default 100)")
    study.add_argument("--steps", type=int, default=1500, metavar="N", help="training steps of each (default 1500)")
    add_run_options(study)

    export = add_command(commands, "export", _export, "write a mimic as one ONNX file, from waveform to score")
    export.add_argument("mimic", metavar="MIMIC", help="a mimic's folder, or the name of one that ships")
    export.add_argument("--onnx", required=True, type=Path, metavar="FILE", help="the file to write")


def _train(options: argparse.Namespace) -> int:
    from sealproof.detectors.mimics import get_mimic_recipe
    from sealproof.harness.datasets.dataset import Dataset
    from sealproof.harness.training.mimics.forecast import forecast
    from sealproof.harness.training.mimics.train import CHEAP_FIRST, TrainRequest, find_trained, train_mimic

    names = [options.mimic] if options.mimic else list(CHEAP_FIRST)
    requests = [TrainRequest(mimic=n, split=options.split, seed=options.seed, epochs=options.epochs) for n in names]
    for name in names:
        get_mimic_recipe(name)
    dataset = Dataset.open(options.dataset)
    for request in requests:
        if options.force or find_trained(dataset, request) is None:
            print(f"{request.name} {forecast(dataset, request).text()}.", flush=True)
        trained, is_new = train_mimic(dataset, request, force=options.force)
        _describe_mimic(trained, is_new=is_new)
        print(f"  {'wrote' if is_new else 'already trained:'} {trained.folder}")
    return OK


def _describe_mimic(mimic: "TrainedMimic", *, is_new: bool) -> None:
    card = mimic.card
    test, leak = card["metrics"]["test"], card["leak"]
    took = f", {card['training_s']} s" if is_new else ""
    print(
        f"{mimic.name}: test accuracy {test['accuracy']:.4f}, AUC {test['auc']:.4f} ({card['epochs_run']} epochs{took})"
    )
    if mimic.is_at_chance:
        n_pairs = card["files_per_split"]["train"] // 2
        print(
            f"  AT CHANCE: from {n_pairs:,} training pairs it learned nothing that shows on new music: accuracy "
            f"{_interval(test['accuracy_interval'])} and AUC {_interval(test['auc_interval'])} may both be 0.5. "
            "More recordings may help, or another network."
        )
    if any(leak.values()):
        print(
            f"  LEAKY: {leak['parted_twins']} clips have their twin in another split and "
            f"{leak['groups_in_two_splits']} groups are in several. These numbers say nothing about new music, "
            "and `sealproof run` leaves this mimic out."
        )


def _interval(ends: list[float]) -> str:
    return f"[{ends[0]:.3f}, {ends[1]:.3f}]"


def _extract(options: argparse.Namespace) -> int:
    from sealproof.harness.datasets.dataset import Dataset
    from sealproof.harness.foundation.errors import HarnessError
    from sealproof.harness.studies.extraction.study import BUDGETS, ExtractRequest, extract
    from sealproof.harness.studies.extraction.write import write_points
    from sealproof.harness.training.mimics.queries import ACCESS

    try:
        budgets = BUDGETS if options.budget is None else tuple(int(each) for each in options.budget.split(","))
    except ValueError as error:
        raise HarnessError(f"--budget must be whole numbers joined by commas. Got {options.budget!r}.") from error
    access = ACCESS if options.access is None else tuple(options.access.split(","))
    request = ExtractRequest(
        access=access,
        budgets=budgets,
        attacks=options.attacks,
        n_clips=options.clips,
        steps=options.steps,
        seed=options.seed,
    )
    print(f"{'access':10} {'budget':>7} {'accuracy':>9} {'agreement':>10} {'kappa':>6} {'under attack':>13}")
    dataset = Dataset.open(options.dataset)
    points = extract(dataset, request, options.out)
    for point in points:
        print(
            f"{point.access:10} {point.budget:7} {point.accuracy:9.3f} {point.agreement:10.3f} {point.kappa:6.3f} "
            f"{point.agreement_attacked:13.3f}"
        )
    files = write_points(points, f"Imitating {dataset.scheme}: {dataset.name}", options.out)
    print("Wrote " + ", ".join(map(str, files)))
    return OK


def _export(options: argparse.Namespace) -> int:
    from sealproof.harness.training.mimics.export_onnx import export_onnx

    print("\n".join(export_onnx(options.mimic, options.onnx).lines()))
    return OK
