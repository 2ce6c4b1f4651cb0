"""Mimics that ship with sealproof, each beside the weights of the detector that it imitates."""

from pathlib import Path

from sealproof.detectors import weights
from sealproof.harness.dataset import Dataset
from sealproof.harness.train_mimic import TrainedMimic, read_card


def shipped_mimics(dataset: Dataset) -> list[TrainedMimic]:
    """Return the mimics that ship for the very networks that a dataset was made with, by name.

    They were trained on other audio than the dataset's, unless it is the one their cards name.
    """
    root = Path(weights.__path__[0]) / dataset.scheme / "mimics"
    folders = sorted(path.parent for path in root.glob("*/card.json"))
    mimics = [TrainedMimic(folder, read_card(folder)) for folder in folders]
    made_with = dataset.facts.get("scheme_weights_sha256")
    return [mimic for mimic in mimics if made_with and mimic.card["scheme_weights_sha256"] == made_with]
