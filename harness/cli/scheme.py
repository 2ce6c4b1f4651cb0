"""`sealproof scheme`, `weights` and `train-scheme`: watermarks themselves."""

import argparse
from pathlib import Path

from sealproof.harness.cli.options import FAILED, OK, Commands, add_command, add_seed


def add(commands: Commands) -> None:
    """Add the commands to `sealproof`."""
    _add_scheme(commands)
    weights = add_command(commands, "weights", _weights, "get, check and import AudioSeal's weights, or your own")
    actions = weights.add_subparsers(required=True, metavar="ACTION", dest="action")
    actions.add_parser("status", help="say which weights are here and where")
    actions.add_parser("fetch", help="download the published AudioSeal weights, check and convert them")
    bring = actions.add_parser("import", help="take weights from files that were brought here by hand")
    bring.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="checkpoints, or folders of them")
    bring.add_argument("--trust", action="store_true", help="take a scheme of your own, as scheme `audioseal_custom`")
    actions.add_parser("verify", help="check all weights that are here against their hashes")

    train_scheme = add_command(
        commands, "train-scheme", _train_scheme, "train a watermark of AudioSeal's kind of your own"
    )
    train_scheme.add_argument(
        "--corpus", action="append", default=[], metavar="PATH", help="a folder of audio; built-in music is added to it"
    )
    train_scheme.add_argument(
        "--recipe", default="lines", metavar="NAME|TOML", help="`lines` (default), `mini`, `full` or a file"
    )
    train_scheme.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="the scheme's folder; resumes what is there"
    )
    train_scheme.add_argument("--steps", type=int, metavar="N", help="number of updates (default: the recipe's)")
    train_scheme.add_argument("--seed", type=int, metavar="S", help="of the training (default: the recipe's)")
    train_scheme.add_argument(
        "--split-seed", type=int, default=0, metavar="S", help="of the split, as in `build` (default 0)"
    )
    train_scheme.add_argument("--data-licence", default="", metavar="TEXT", help="of the recordings, for the card")
    train_scheme.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: torch's choice)")


def _add_scheme(commands: Commands) -> None:
    scheme = add_command(commands, "scheme", _scheme, "find out what a scheme's detector decides on")
    actions = scheme.add_subparsers(required=True, metavar="ACTION", dest="action")
    diagnose = actions.add_parser(
        "diagnose", help="look for cheap tricks: tones, bands, fixed waveforms, linear detectors"
    )
    diagnose.add_argument("scheme", metavar="NAME|DIR", help="a scheme, or the folder of one that was trained here")
    diagnose.add_argument(
        "--corpus", default="demo", metavar="DIR|demo", help="a folder of audio (default: demo music)"
    )
    diagnose.add_argument("--clips", type=int, default=100, metavar="N", help="clips that are judged (default 100)")
    diagnose.add_argument(
        "--split", default="test", choices=("test", "validation"), help="validation: for choices (default test)"
    )
    diagnose.add_argument("--probes", metavar="NAMES", help="some of the probes, joined by commas (default: all)")
    diagnose.add_argument("--out", type=Path, metavar="DIR", help="write diagnosis.json, two CSVs and a picture there")
    add_seed(diagnose)
    diagnose.add_argument(
        "--split-seed",
        type=int,
        default=0,
        metavar="S",
        help="of the split, as in `build` and `train-scheme` (default 0)",
    )
    compare = actions.add_parser("compare", help="diagnoses of several schemes side by side, as Markdown")
    compare.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="what `scheme diagnose --out` wrote")


def _scheme(options: argparse.Namespace) -> int:
    if options.action == "compare":
        from sealproof.harness.studies.diagnosis.output.side_by_side import side_by_side

        print("\n".join(side_by_side(options.folders)))
        return OK
    return _diagnose(options)


def _diagnose(options: argparse.Namespace) -> int:
    from sealproof.harness.corpora.base import ALL_CLIPS
    from sealproof.harness.corpora.demo.corpus import DemoCorpus
    from sealproof.harness.corpora.folder import FolderCorpus
    from sealproof.harness.studies.diagnosis.material import n_marked
    from sealproof.harness.studies.diagnosis.output.picture import write_diagnosis_picture
    from sealproof.harness.studies.diagnosis.output.tables import PICTURE, diagnosis_lines, write_diagnosis_tables
    from sealproof.harness.studies.diagnosis.scheme_folder import find_scheme
    from sealproof.harness.studies.diagnosis.study import DiagnosisRequest, diagnose
    from sealproof.harness.training.schemes.clips import read_clips

    asked = {} if options.probes is None else {"probes": tuple(options.probes.split(","))}
    request = DiagnosisRequest(n_clips=options.clips, split=options.split, seed=options.seed, **asked)
    scheme = find_scheme(options.scheme)
    scheme.require_ready()
    if options.corpus == "demo":
        # A fifth of the clips are test clips.
        clips = read_clips(DemoCorpus(), 5 * n_marked(options.clips), options.split_seed)
    else:
        clips = read_clips(FolderCorpus(root=Path(options.corpus)), ALL_CLIPS, options.split_seed)
    diagnosis = diagnose(scheme, clips, request)
    print("\n".join(diagnosis_lines(diagnosis)))
    if options.out is not None:
        files = write_diagnosis_tables(diagnosis, options.out)
        write_diagnosis_picture(diagnosis, options.out / PICTURE)
        print("Wrote " + ", ".join(map(str, [*files, options.out / PICTURE])))
    return FAILED if diagnosis.missed_floors else OK


def _weights(options: argparse.Namespace) -> int:
    from sealproof.harness.cli import weights

    if options.action == "import":
        lines = weights.import_own(options.paths) if options.trust else weights.import_published(options.paths)
    else:
        lines = {"status": weights.status, "fetch": weights.fetch, "verify": weights.check_weights}[options.action]()
    for line in lines:
        print(line, flush=True)
    return OK


def _train_scheme(options: argparse.Namespace) -> int:
    from dataclasses import replace

    from sealproof.harness.corpora.folder import FolderCorpus
    from sealproof.harness.foundation.errors import HarnessError
    from sealproof.harness.training.schemes.recipe import load_recipe
    from sealproof.harness.training.schemes.train import TrainingRequest, train_scheme

    changes = {"steps": options.steps, "seed": options.seed}
    recipe = replace(load_recipe(options.recipe), **{key: value for key, value in changes.items() if value is not None})
    if options.threads is not None:
        import torch

        if options.threads < 1:
            raise HarnessError(f"--threads must be at least 1. Got {options.threads}.")
        torch.set_num_threads(options.threads)
    # Built-in music is always added, as much of it as the recipe says.
    folders = [Path(path) for path in options.corpus if path != "demo"]
    corpora = {folder.name: FolderCorpus(root=folder) for folder in folders}
    if len(corpora) < len(folders):
        raise HarnessError(f"Each --corpus must have a folder name of its own. Got {', '.join(map(str, folders))}.")
    card = train_scheme(TrainingRequest(recipe, dict(corpora), options.split_seed, options.data_licence), options.out)
    print(f"Wrote {card}")
    print(
        f"To use it: sealproof weights import {options.out} --trust, "
        "then sealproof build --scheme audioseal_custom --corpus ..."
    )
    return OK
