"""Mimics: networks that can be trained to imitate a detector, one a file, and `mimic`, a trained one as a detector.

They must not know schemes, nor how they are trained.
"""

import difflib
from importlib import import_module

from sealproof.detectors.base import DetectorError
from sealproof.detectors.mimics.base import MimicRecipe

_RECIPES = {
    "distilled_cnn": "sealproof.detectors.mimics.fine_spectrogram_cnn:DistilledCnn",
    "fine_spectrogram_cnn": "sealproof.detectors.mimics.fine_spectrogram_cnn:FineSpectrogramCnn",
    "seed_cnn": "sealproof.detectors.mimics.seed_cnn:SeedCnn",
    "spectrogram_cnn": "sealproof.detectors.mimics.spectrogram_cnn:SpectrogramCnn",
    "waveform_cnn": "sealproof.detectors.mimics.waveform_cnn:WaveformCnn",
}


def list_mimics() -> list[str]:
    """Return the names of all mimic networks."""
    return sorted(_RECIPES)


def get_mimic_recipe(name: str) -> MimicRecipe:
    """Return a mimic's network and training by name.

    Raises:
        DetectorError: There is no such mimic.
    """
    if name not in _RECIPES:
        close = difflib.get_close_matches(name, _RECIPES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise DetectorError(f"The mimic must be one of {', '.join(list_mimics())}. Got {name!r}.{hint}")
    module, _, attribute = _RECIPES[name].partition(":")
    recipe: MimicRecipe = getattr(import_module(module), attribute)()
    return recipe


__all__ = ["MimicRecipe", "get_mimic_recipe", "list_mimics"]
