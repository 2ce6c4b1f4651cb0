"""`sealproof train`, `extract` and `export`: imitations of a detector."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealproof.harness.cli.options import OK, Commands, add_attacks_and_out, add_command, add_seed

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
    for name, text in (
        ("imitators", "what is taught: `all`, or some of distilled_cnn (default), wide_cnn, tone, folded, knn, ..."),
        ("access", "some of labels,decisions,clip_scores,scores (default: all but clip_scores)"),
        ("augment", "some of plain,altered (default altered); `altered:noise+codec` alters by these families only"),
        ("select", "how altered clips are chosen: some of random,knockoff,active (default random)"),
        ("data", "whose clips: some of train (default), unheard, without:SOURCE, or folders of datasets"),
        ("budget", "numbers of clips it may know of (default 100,300,...,10000)"),
        ("seeds", "numbers, each another imitation (default 0)"),
    ):
        study.add_argument(f"--{name}", metavar="LIST", help=text)
    study.add_argument("--clips", type=int, default=100, metavar="N", help="pairs they are judged on (default 100)")
    study.add_argument("--steps", type=int, default=1500, metavar="N", help="training steps of each (default 1500)")
    study.add_argument("--judge", type=Path, metavar="DIR", help="judge on another dataset of the scheme")
    study.add_argument(
        "--yardsticks", action="store_true", help="also judge oracles, the detector moved by a sample, and the mimics"
    )
    add_attacks_and_out(study)

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
    from sealproof.harness.studies.extraction.request import ExtractRequest
    from sealproof.harness.studies.extraction.study import extract
    from sealproof.harness.studies.extraction.summary import summary_lines
    from sealproof.harness.studies.extraction.write import measured, write_results

    lists: dict[str, Any] = {
        name: tuple(getattr(options, name).split(","))
        for name in ("access", "augment", "select", "data")
        if getattr(options, name) is not None
    }
    if options.imitators is not None:
        from sealproof.harness.studies.extraction.imitators.catalogue import IMITATORS

        lists["imitators"] = tuple(IMITATORS) if options.imitators == "all" else tuple(options.imitators.split(","))
    for option, name in (("budget", "budgets"), ("seeds", "seeds")):
        if getattr(options, option) is not None:
            lists[name] = _numbers(option, getattr(options, option))
    request = ExtractRequest(
        **lists,
        attacks=options.attacks,
        n_clips=options.clips,
        steps=options.steps,
        judge=options.judge,
        yardsticks=options.yardsticks,
    )
    dataset = Dataset.open(options.dataset)
    numbers = measured(extract(dataset, request, options.out))
    print("\n".join(summary_lines(numbers)))
    files = write_results(numbers, f"Imitating {dataset.scheme}: {dataset.name}", options.out)
    print("Wrote " + ", ".join(map(str, files)))
    return OK


def _numbers(option: str, text: str) -> tuple[int, ...]:
    from sealproof.harness.foundation.errors import HarnessError

    try:
        return tuple(int(each) for each in text.split(","))
    except ValueError as error:
        raise HarnessError(f"--{option} must be whole numbers joined by commas. Got {text!r}.") from error


def _export(options: argparse.Namespace) -> int:
    from sealproof.harness.training.mimics.export_onnx import export_onnx

    print("\n".join(export_onnx(options.mimic, options.onnx).lines()))
    return OK
