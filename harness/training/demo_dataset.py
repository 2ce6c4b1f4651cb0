"""The demo dataset: built-in music with mimics, made where it is missing, and made anew where the scheme is another."""

import shutil
from pathlib import Path

from sealproof.detectors import get_scheme
from sealproof.detectors.files import TEMPORARY
from sealproof.harness.corpora.demo.corpus import DemoCorpus
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.datasets.content_keys import marking_version
from sealproof.harness.datasets.dataset import FACTS, MANIFEST, REQUEST, Dataset
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED
from sealproof.harness.foundation.files import read_json
from sealproof.harness.training.demo_request import DemoRequest
from sealproof.harness.training.mimics.train import BEST_AND_BASELINE, TrainRequest, train_mimic
from sealproof.harness.training.mimics.trained import shipped_mimics

PREFIX = "robustness-"
"""How the names of the plugin's own datasets begin."""

_OWN = {CLEAN, WATERMARKED, "cells", "mimics", "journal.jsonl", FACTS, MANIFEST, REQUEST}
"""What a dataset holds that was built, trained on and run."""


def remove_outdated(root: Path, request: BuildRequest) -> str:
    """Delete the plugin's demo dataset where another version of the scheme marked it.

    Nothing is deleted unless the folder is the plugin's beyond doubt: its name begins with `robustness-`, it is no
    link, its build.json says that it holds demo music for the very request except for the scheme's version, and there
    is nothing in it that sealproof does not write.

    Args:
        root: The dataset's folder.
        request: What would be built there.

    Returns:
        What was done, as a sentence; empty when nothing was.

    Raises:
        OSError: It cannot be deleted.
    """
    if not root.name.startswith(PREFIX) or root.is_symlink() or not (root / REQUEST).is_file():
        return ""
    names = {path.name for path in root.iterdir()}
    if any(name not in _OWN and not name.endswith(TEMPORARY) for name in names):
        return ""
    try:
        asked = read_json(root / REQUEST)
    except (ValueError, TypeError):
        return ""
    wanted = {**request.__dict__, "corpus": DemoCorpus().description()}
    version = marking_version(get_scheme(request.scheme))
    there = asked.get("scheme_version")
    if any(asked.get(name) != value for name, value in wanted.items()) or there in (None, version):
        return ""
    # What tells whose folder it is goes last, so that a killed session is no obstacle to the next one.
    for name in sorted(names - {REQUEST}, key=lambda name: name != FACTS):
        path = root / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    (root / REQUEST).unlink()
    return f"Built {root} anew: it was demo music marked by {there}, and the scheme is now {version}."


def demo_dataset(request: DemoRequest, root: Path, *, with_baseline: bool = True) -> Dataset:
    """Build the demo dataset and train its mimics, or return what is already there.

    Args:
        request: Scheme, number of clips and seed.
        root: The dataset's folder.
        with_baseline: Train the study's network, too, where another mimic ships; what ships is never trained again.
    """
    asked = BuildRequest(scheme=request.scheme, n_clips=request.n_clips, seed=request.seed)
    dataset, _ = build_dataset(DemoCorpus(), asked, root)
    shipped = {mimic.name for mimic in shipped_mimics(dataset)}
    if with_baseline or not shipped:
        for mimic in BEST_AND_BASELINE:
            if mimic not in shipped:
                train_mimic(dataset, TrainRequest(mimic=mimic, seed=request.seed))
    return dataset
