"""Trained mimics on disk, each a model and its card: those of a dataset, and those that ship beside a detector."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sealproof.detectors import weights
from sealproof.detectors.mimics.mimic import Mimic
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import read_json


@dataclass(frozen=True)
class TrainedMimic:
    """A mimic on disk: its model and its card."""

    folder: Path
    card: dict[str, Any]

    @property
    def name(self) -> str:
        """As in tables."""
        return self.folder.name

    @property
    def is_leaky(self) -> bool:
        """Say whether it saw twins or recordings of its own test clips."""
        return bool(self.card["split"] != "group")

    @property
    def is_at_chance(self) -> bool:
        """Say whether nothing was learned: on the test split neither its accuracy nor its AUC can be told from 0.5."""
        test = self.card["metrics"]["test"]
        ends = [test.get(f"{metric}_interval") for metric in ("accuracy", "auc")]
        return all(each is not None and each[0] <= 0.5 <= each[1] for each in ends)

    def detector(self) -> Mimic:
        """Return it as a detector; the model is loaded at the first use."""
        return Mimic(self.folder / "model.keras", name=self.name, sha256=str(self.card["model_sha256"]))


def trained_mimics(dataset: Dataset) -> list[TrainedMimic]:
    """Return the mimics that were trained on a dataset, by name.

    Raises:
        HarnessError: A card is damaged, or the mimic was trained on another dataset.
    """
    folders = sorted(path.parent for path in (dataset.root / "mimics").glob("*/card.json"))
    mimics = [TrainedMimic(folder, read_card(folder)) for folder in folders]
    for mimic in mimics:
        if mimic.card.get("dataset_sha256") != dataset.sha256:
            raise HarnessError(
                f"The mimic {mimic.folder} must have been trained on this dataset. It was not: delete its folder."
            )
    return mimics


def read_card(folder: Path) -> dict[str, Any]:
    """Return what a mimic's card says.

    Raises:
        HarnessError: It is damaged.
        FileNotFoundError: There is none.
    """
    try:
        return read_json(folder / "card.json")
    except (ValueError, TypeError) as error:
        raise HarnessError(f"{folder / 'card.json'} is damaged ({error}): run `sealproof train` again.") from error


def all_shipped() -> dict[str, TrainedMimic]:
    """Return every mimic that ships, by the name of its scheme and its own: `audioseal_mini/distilled_cnn`."""
    folders = sorted(path.parent for path in Path(weights.__path__[0]).glob("*/mimics/*/card.json"))
    return {f"{folder.parent.parent.name}/{folder.name}": TrainedMimic(folder, read_card(folder)) for folder in folders}


def shipped_mimics(dataset: Dataset) -> list[TrainedMimic]:
    """Return the mimics that ship for the very networks that a dataset was made with, by name.

    They were trained on other audio than the dataset's, unless it is the one their cards name.
    """
    mimics = [mimic for name, mimic in all_shipped().items() if name.partition("/")[0] == dataset.scheme]
    made_with = dataset.facts.get("scheme_weights_sha256")
    return [mimic for mimic in mimics if made_with and mimic.card["scheme_weights_sha256"] == made_with]
