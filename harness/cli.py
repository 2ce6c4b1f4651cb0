"""The `sealproof` command."""

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealproof.harness.dataset import Dataset

DEFAULT_SCHEME = "audioseal_mini"

OK, FAILED, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130
"""Exit codes: done; done, but cells or checks failed; refused; Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; bad input gets one line on standard error."""
    try:
        return _run_command(_parser().parse_args(arguments))
    except KeyboardInterrupt:
        return _fail("Stopped. What was finished stays; give the same command again to go on.", INTERRUPTED)


def _run_command(options: argparse.Namespace) -> int:
    command: Callable[[argparse.Namespace], int] = options.command
    # Named by module, so that --help imports no numpy; every refusal of ours is one of these.
    from sealproof.attacks.base import AttackError
    from sealproof.detectors.base import DetectorError
    from sealproof.harness.errors import HarnessError

    try:
        return command(options)
    except (HarnessError, AttackError, DetectorError) as error:
        return _fail(str(error), BAD_INPUT)
    except BrokenPipeError:
        # Whoever read our output (`| head`) has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return _fail(
                f"The disk is full ({error}). What was finished stays; free space and give the command again.",
                BAD_INPUT,
            )
        return _fail(f"{error}. What was finished stays.", BAD_INPUT)


def _fail(message: str, code: int) -> int:
    # One line, whatever a library's message or a file's name holds.
    print("sealproof:", " ".join(message.splitlines()), file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("sealproof", description="Proof-test audio watermark detectors.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    build = _add(commands, "build", _build, "watermark a corpus: clean and watermarked clips, split by recording")
    build.add_argument("--corpus", required=True, metavar="PATH|demo", help="a folder of audio, or built-in music")
    build.add_argument("--scheme", required=True, metavar="NAME", help="see `sealproof list schemes`")
    build.add_argument("--clips", type=int, metavar="N", help="at most N clips (default: all; demo: 1000)")
    build.add_argument("--out", required=True, type=Path, metavar="DIR", help="the dataset's folder")
    build.add_argument("--clip-s", type=float, default=1.0, metavar="S", help="length of a clip (default 1)")
    build.add_argument("--group-by", default="folder", help="a recording is a `folder` (default) or a `file`")
    build.add_argument("--groups", type=Path, metavar="CSV", help="recordings by CSV: columns path and --group-column")
    build.add_argument("--group-column", default="group", metavar="NAME", help="its column (default group)")
    build.add_argument("--skip-bad", action="store_true", help="leave unreadable files out and count them")
    _seed(build)

    check = _add(commands, "check", _check, "verify a dataset's hashes, formats and splits")
    check.add_argument("dataset", type=Path, metavar="DIR")

    train = _add(commands, "train", _train, "train a mimic of a dataset's detector")
    train.add_argument("dataset", type=Path, metavar="DIR")
    train.add_argument("--mimic", metavar="NAME", help="default: the best and the study's: `sealproof list mimics`")
    train.add_argument("--split", default="group", help="`group` (default), or `leaky`: the study's split by file")
    train.add_argument("--epochs", type=int, metavar="N", help="at most N (default: the network's own number)")
    train.add_argument("--force", action="store_true", help="train again even when it is there")
    _seed(train)

    run = _add(commands, "run", _run, "attack the test clips, score them with every detector, write the tables")
    run.add_argument("dataset", type=Path, metavar="DIR")
    _run_options(run)
    _quality(run)
    run.add_argument("--clips", type=int, metavar="N", help="at most N test pairs (default: all)")

    demo = _add(commands, "demo", _demo, "all of it on built-in music: build, train, run")
    demo.add_argument("--scheme", default=DEFAULT_SCHEME, metavar="NAME", help=f"default {DEFAULT_SCHEME}")
    demo.add_argument("--clips", type=int, default=1000, metavar="N", help="default 1000")
    demo.add_argument("--dataset", type=Path, metavar="DIR", help="default data/demo-SCHEME")
    _run_options(demo)
    _quality(demo)

    study = _add(commands, "extract", _extract, "how faithful an imitation is, by what it may ask and how often")
    study.add_argument("dataset", type=Path, metavar="DIR")
    study.add_argument("--access", metavar="LIST", help="some of labels,decisions,scores (default: all)")
    study.add_argument("--budget", metavar="LIST", help="numbers of clips it may know of (default 100,300,...,10000)")
    study.add_argument("--clips", type=int, default=100, metavar="N", help="test pairs it is judged on (default 100)")
    study.add_argument("--steps", type=int, default=1500, metavar="N", help="training steps of each (default 1500)")
    _run_options(study)

    report = _add(commands, "report", _report, "write a run's report: HTML, Markdown, LaTeX, a CSV of each figure")
    report.add_argument("run", type=Path, metavar="RUN", help="a folder that `sealproof run` wrote")
    report.add_argument("--out", type=Path, metavar="DIR", help="default: the run's folder")
    report.add_argument("--dataset", type=Path, metavar="DIR", help="for clips to listen to (default: the run's own)")
    report.add_argument("--examples", type=int, default=8, metavar="N", help="clips to listen to (default 8)")

    compare = _add(commands, "compare", _compare, "compare two runs on the same clips, rate by rate")
    compare.add_argument("before", type=Path, metavar="RUN_A", help="folder of the run before the change")
    compare.add_argument("after", type=Path, metavar="RUN_B", help="folder of the run after it")
    compare.add_argument("--out", type=Path, metavar="DIR", help="write compare.csv, compare.md and compare.html there")
    compare.add_argument("--allowed-drop", type=float, default=0.05, metavar="X", help="default 0.05")

    weights = _add(commands, "weights", _weights, "get, check and import AudioSeal's weights, or your own")
    actions = weights.add_subparsers(required=True, metavar="ACTION", dest="action")
    actions.add_parser("status", help="say which weights are here and where")
    actions.add_parser("fetch", help="download the published AudioSeal weights, check and convert them")
    bring = actions.add_parser("import", help="take weights from files that were brought here by hand")
    bring.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="checkpoints, or folders of them")
    bring.add_argument("--trust", action="store_true", help="take a pair of your own, as scheme `audioseal_custom`")
    actions.add_parser("verify", help="check all weights that are here against their hashes")

    train_scheme = _add(commands, "train-scheme", _train_scheme, "train a watermark of AudioSeal's kind of your own")
    train_scheme.add_argument(
        "--corpus", action="append", default=[], metavar="PATH", help="a folder of audio; built-in music is added to it"
    )
    train_scheme.add_argument(
        "--recipe", default="mini", metavar="NAME|TOML", help="`mini` (default), `full` or a file"
    )
    train_scheme.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="the pair's folder; resumes what is there"
    )
    train_scheme.add_argument("--steps", type=int, metavar="N", help="number of updates (default: the recipe's)")
    train_scheme.add_argument("--seed", type=int, metavar="S", help="of the training (default: the recipe's)")
    train_scheme.add_argument(
        "--split-seed", type=int, default=0, metavar="S", help="of the split, as in `build` (default 0)"
    )
    train_scheme.add_argument("--data-licence", default="", metavar="TEXT", help="of the recordings, for the card")
    train_scheme.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: torch's choice)")

    attacks = _add(commands, "attacks", _attacks, "show the catalogue of attacks, or verify what they claim")
    about = attacks.add_subparsers(required=True, metavar="ACTION", dest="action")
    catalogue = about.add_parser("list", help="name all attacks and their strengths")
    catalogue.add_argument("--markdown", action="store_true", help="as the page docs/attacks.md")
    verify = about.add_parser("verify", help="measure on real clips whether each attack does what it claims")
    verify.add_argument("--attacks", default="full", metavar="PRESET|TOML|ID", help="default full: all there are")
    verify.add_argument("--corpus", default="demo", metavar="PATH|demo", help="a folder of audio (default: demo music)")
    verify.add_argument("--scheme", default=DEFAULT_SCHEME, metavar="NAME", help=f"default {DEFAULT_SCHEME}")
    verify.add_argument("--clips", type=int, default=16, metavar="N", help="default 16")
    verify.add_argument("--out", type=Path, metavar="DIR", help="write attacks.csv there")
    verify.add_argument("--plot", action="store_true", help="draw each attack, too: DIR/index.html")
    _seed(verify)

    listing = _add(commands, "list", _list, "name the schemes or mimics")
    listing.add_argument("what", choices=["schemes", "mimics"])
    _add(commands, "doctor", _doctor, "say what can run here, what cannot and why")
    return parser


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    command: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    parser.set_defaults(command=command)
    return parser


def _seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="default 0")


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--attacks", default="fast", metavar="PRESET|TOML", help="a preset (default `fast`), a file, or an id"
    )
    parser.add_argument("--out", type=Path, default=Path("results"), metavar="DIR", help="default results")
    _seed(parser)


def _quality(parser: argparse.ArgumentParser) -> None:
    text = "also measure some of pesq,stoi,zimtohrli on up to 32 pairs a cell (slow)"
    parser.add_argument("--quality", default="", metavar="NAMES", help=text)


def _build(options: argparse.Namespace) -> int:
    from sealproof.harness.build import ALL_CLIPS, BuildRequest, build_dataset
    from sealproof.harness.corpus import Corpus
    from sealproof.harness.demo_corpus import DemoCorpus
    from sealproof.harness.folder_corpus import FolderCorpus
    from sealproof.harness.session import DEMO_CLIPS

    corpus: Corpus
    _refuse_out_within(options.corpus, options.out)
    if options.corpus == "demo":
        corpus, default_clips = DemoCorpus(), DEMO_CLIPS
    else:
        corpus = FolderCorpus(
            root=Path(options.corpus),
            group_by=options.group_by,
            groups_csv=options.groups,
            group_column=options.group_column,
            skip_bad=options.skip_bad,
        )
        default_clips = ALL_CLIPS
    n_clips = default_clips if options.clips is None else options.clips
    request = BuildRequest(scheme=options.scheme, n_clips=n_clips, seed=options.seed, clip_s=options.clip_s)
    dataset, report = build_dataset(corpus, request, options.out)
    if report is None:
        print(f"{options.out} is already built.")
    else:
        for path, reason in report.bad_files.items():
            print(f"skipped {path}: {reason}")
        print(f"{report.sentence()}.")
        if options.clips is not None and report.taken < options.clips:
            print(f"{options.clips} clips were asked for; the corpus holds {report.taken}.")
    _describe(dataset.facts)
    print(f"Wrote {options.out}. Next: sealproof train {options.out}")
    return OK


def _refuse_out_within(corpus: str, out: Path) -> None:
    """Keep a dataset out of its own corpus: a resumed build would take its watermarked clips for clean ones."""
    from sealproof.harness.errors import HarnessError

    if corpus != "demo" and out.resolve().is_relative_to(Path(corpus).resolve()):
        msg = f"--out must not lie in the corpus {corpus}. Got {out}: choose a folder beside it."
        raise HarnessError(msg)


def _describe(facts: dict[str, object]) -> None:
    per_split = facts["pairs_per_split"]
    assert isinstance(per_split, dict)  # noqa: S101 - as written by the build
    splits = ", ".join(f"{name} {n}" for name, n in per_split.items())
    print(f"{facts['n_pairs']} pairs in {facts['n_groups']} groups ({splits}); scheme {facts['scheme']}.")
    if facts["unmarked_pairs"]:
        print(f"Mind: in {facts['unmarked_pairs']} pairs the watermark is too weak to change one 16-bit sample.")


def _check(options: argparse.Namespace) -> int:
    from sealproof.harness.dataset import check_dataset

    problems = check_dataset(options.dataset)
    for problem in problems[:20]:
        print(problem)
    if problems:
        return _fail(f"{options.dataset} has {len(problems)} problems (up to 20 are listed).", FAILED)
    print(f"{options.dataset} is as its manifest says.")
    return OK


def _train(options: argparse.Namespace) -> int:
    from sealproof.detectors.mimics import get_mimic_recipe
    from sealproof.harness.dataset import Dataset
    from sealproof.harness.session import BEST_AND_BASELINE
    from sealproof.harness.train_mimic import TrainRequest, train_mimic

    names = [options.mimic] if options.mimic else list(BEST_AND_BASELINE)
    requests = [TrainRequest(mimic=n, split=options.split, seed=options.seed, epochs=options.epochs) for n in names]
    for name in names:
        get_mimic_recipe(name)
    dataset = Dataset.open(options.dataset)
    for request in requests:
        trained, is_new = train_mimic(dataset, request, force=options.force)
        _describe_mimic(trained.card, trained.name, is_new=is_new)
        print(f"  {'wrote' if is_new else 'already trained:'} {trained.folder}")
    return OK


def _extract(options: argparse.Namespace) -> int:
    from sealproof.harness.dataset import Dataset
    from sealproof.harness.errors import HarnessError
    from sealproof.harness.extract import BUDGETS, ExtractRequest, extract
    from sealproof.harness.queries import ACCESS

    try:
        budgets = BUDGETS if options.budget is None else tuple(int(each) for each in options.budget.split(","))
    except ValueError as error:
        msg = f"--budget must be whole numbers joined by commas. Got {options.budget!r}."
        raise HarnessError(msg) from error
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
    for point in extract(Dataset.open(options.dataset), request, options.out):
        print(
            f"{point.access:10} {point.budget:7} {point.accuracy:9.3f} {point.agreement:10.3f} {point.kappa:6.3f} "
            f"{point.agreement_attacked:13.3f}"
        )
    print(f"Wrote {options.out / 'extract.csv'}, {options.out / 'extract.png'}")
    return OK


def _describe_mimic(card: dict[str, object], name: str, *, is_new: bool) -> None:
    metrics, leak = card["metrics"], card["leak"]
    assert isinstance(metrics, dict)  # noqa: S101 - as written by the training
    assert isinstance(leak, dict)  # noqa: S101
    test = metrics["test"]
    took = f", {card['training_s']} s" if is_new else ""
    print(f"{name}: test accuracy {test['accuracy']:.4f}, AUC {test['auc']:.4f} ({card['epochs_run']} epochs{took})")
    if any(leak.values()):
        print(
            f"  LEAKY: {leak['parted_twins']} clips have their twin in another split and "
            f"{leak['groups_in_two_splits']} groups are in several. These numbers say nothing about new music, "
            "and `sealproof run` leaves this mimic out."
        )


def _run(options: argparse.Namespace) -> int:
    from sealproof.harness.dataset import Dataset

    return _run_dataset(Dataset.open(options.dataset), options, options.clips)


def _run_dataset(dataset: "Dataset", options: argparse.Namespace, n_clips: int | None) -> int:
    from sealproof.harness.progress import progress
    from sealproof.harness.session import RunRequest, cells_of, open_bench
    from sealproof.harness.summary import FIXED
    from sealproof.harness.tables import thresholds_of, write_tables
    from sealproof.harness.text_table import LEGEND, terminal_table, thin_calibration_note

    quality = tuple(filter(None, options.quality.split(",")))
    request = RunRequest(attacks=options.attacks, seed=options.seed, n_clips=n_clips, quality=quality)
    bench = open_bench(dataset, request)
    cells = cells_of(bench, request)
    if len(bench.subjects) == 1:
        print(f"No mimic was trained on {dataset.root}: only the reference is scored. See `sealproof train`.")
    _say_left_out(options.attacks)
    # First, for without thresholds there are no tables.
    thresholds = thresholds_of(bench, request.seed)
    outcomes = [bench.run(cell) for cell in progress(cells, "attacking and scoring")]
    tables = write_tables(bench, outcomes, request.seed, options.out, processes=os.cpu_count() or 1)
    print(f"\n{terminal_table(tables.rows)}\nAccuracy and agreement {LEGEND[FIXED]}; agreement is with the reference.")
    print(f"Intervals and the other rules are in the files.\n{thin_calibration_note(thresholds)}")
    print("Wrote " + ", ".join(str(path) for path in tables.files))
    failed = sum(outcome.error is not None for outcome in outcomes)
    return _fail(f"{failed} of {len(outcomes)} cells failed; see the end of the table.", FAILED) if failed else OK


def _say_left_out(attacks: str) -> None:
    from sealproof.harness.config import left_out

    for name, reason in left_out(attacks).items():
        print(f"Left out of the preset {attacks}: {name}. {reason}")


def _demo(options: argparse.Namespace) -> int:
    from sealproof.harness.session import demo_dataset

    root = options.dataset or Path("data") / f"demo-{options.scheme}"
    print(f"Dataset and mimics: {root}", flush=True)
    dataset = demo_dataset(options.scheme, options.clips, options.seed, root)
    _describe(dataset.facts)
    return _run_dataset(dataset, options, None)


def _report(options: argparse.Namespace) -> int:
    from sealproof.harness.report import write_report

    written = write_report(options.run, options.out, options.dataset, options.examples)
    print("\n".join(filter(None, [written.headline, written.note])))
    print("Wrote " + ", ".join(str(path) for path in written.files))
    return OK


def _compare(options: argparse.Namespace) -> int:
    from sealproof.harness.compare import compare_runs

    found = compare_runs(options.before, options.after, options.out, options.allowed_drop)
    print("\n".join(found.lines()))
    if found.files:
        print("Wrote " + ", ".join(map(str, found.files)))
    return FAILED if found.is_failure else OK


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


def _attacks(options: argparse.Namespace) -> int:
    if options.action == "list":
        from sealproof.harness import catalogue

        print(catalogue.markdown() if options.markdown else "\n".join(catalogue.lines()).lstrip())
        return OK
    return _verify_attacks(options)


def _verify_attacks(options: argparse.Namespace) -> int:
    from sealproof.harness import attack_check
    from sealproof.harness.config import load_attacks
    from sealproof.harness.demo_corpus import DemoCorpus
    from sealproof.harness.errors import HarnessError
    from sealproof.harness.folder_corpus import FolderCorpus

    if options.clips < 1:
        msg = f"--clips must be at least 1. Got {options.clips}."
        raise HarnessError(msg)
    if options.plot and options.out is None:
        msg = "--plot needs a folder to draw into: give --out DIR."
        raise HarnessError(msg)
    attacks = load_attacks(options.attacks)
    _say_left_out(options.attacks)
    corpus = DemoCorpus() if options.corpus == "demo" else FolderCorpus(root=Path(options.corpus))
    clips = attack_check.read_clips(corpus, options.clips, options.scheme, options.seed)
    checked = attack_check.check_all(attacks, clips, options.seed)
    print("\n".join(attack_check.table(checked)))
    if options.out is not None:
        attack_check.write_csv(checked, options.out / attack_check.CSV)
        print(f"Wrote {options.out / attack_check.CSV}")
    if options.plot:
        print(f"Wrote {attack_check.write_gallery(checked, clips, options.seed, options.out)}")
    found = attack_check.problems(checked)
    for problem in found:
        print(problem)
    n_types = len({one.attack.name for one in checked})
    print(f"{len(checked)} configurations of {n_types} attacks on {options.clips} clips: {len(found)} problems.")
    return FAILED if found else OK


def _weights(options: argparse.Namespace) -> int:
    from sealproof.harness import weights

    if options.action == "import":
        lines = weights.import_own(options.paths) if options.trust else weights.import_published(options.paths)
    else:
        lines = {"status": weights.status, "fetch": weights.fetch, "verify": weights.verify}[options.action]()
    for line in lines:
        print(line, flush=True)
    return OK


def _train_scheme(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from sealproof.harness.errors import HarnessError
    from sealproof.harness.folder_corpus import FolderCorpus
    from sealproof.harness.pair_training.recipe import load_recipe
    from sealproof.harness.pair_training.train import TrainingRequest, train_pair

    changes = {"steps": options.steps, "seed": options.seed}
    recipe = replace(load_recipe(options.recipe), **{key: value for key, value in changes.items() if value is not None})
    if options.threads is not None:
        import torch

        if options.threads < 1:
            msg = f"--threads must be at least 1. Got {options.threads}."
            raise HarnessError(msg)
        torch.set_num_threads(options.threads)
    # Built-in music is always added, as much of it as the recipe says.
    folders = [Path(path) for path in options.corpus if path != "demo"]
    corpora = {folder.name: FolderCorpus(root=folder) for folder in folders}
    if len(corpora) < len(folders):
        msg = f"Each --corpus must have a folder name of its own. Got {', '.join(map(str, folders))}."
        raise HarnessError(msg)
    card = train_pair(TrainingRequest(recipe, dict(corpora), options.split_seed, options.data_licence), options.out)
    print(f"Wrote {card}")
    print(
        f"To use it: sealproof weights import {options.out} --trust, "
        "then sealproof build --scheme audioseal_custom --corpus ..."
    )
    return OK


def _doctor(_options: argparse.Namespace) -> int:
    from sealproof.harness.doctor import diagnose

    for line in diagnose():
        print(line)
    return OK


if __name__ == "__main__":
    raise SystemExit(main())
