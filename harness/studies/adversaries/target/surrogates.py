"""Detectors that an adversary may have of its own: mimics, and imitations that know nothing, as controls."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from sealproof.attacks.adversarial.contract.knowledge import Surrogate
from sealproof.attacks.adversarial.contract.oracle import Audio, Direction, Floats
from sealproof.detectors.base import Scheme
from sealproof.detectors.mimics import get_mimic_recipe
from sealproof.detectors.mimics.fine_spectrogram_cnn import FineSpectrogramCnn
from sealproof.detectors.mimics.keras_runtime import import_keras
from sealproof.detectors.mimics.slopes import slopes
from sealproof.detectors.slopes import SlopeFunction, slope_of
from sealproof.harness.datasets.content_keys import scheme_sha256
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.code.identity import code_sha256
from sealproof.harness.foundation.files import sha256_json
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.training.mimics.fit_frames import fit_frames
from sealproof.harness.training.mimics.queries import Answers
from sealproof.harness.training.mimics.trained import TrainedMimic

UNTRAINED, SHUFFLED, OWN = "untrained", "shuffled_labels", "weights"
"""A network that was never trained; one taught with labels dealt out at random; the detector under attack itself."""

OTHER = "another scheme"
"""The access of another scheme's detector."""

CONTROLS = (UNTRAINED, SHUFFLED)

_SHUFFLED_STEPS = 150
_SHUFFLED_PAIRS = 256


@dataclass(frozen=True)
class SurrogateSource:
    """A surrogate before it is loaded.

    Attributes:
        name: As in tables.
        access: What it was told of the detector under attack: an access level of mimics, or what it is.
        version: Everything that can change its gradients.
        load: Returns its values and gradients; it may import torch or tensorflow, and take a while.
        threshold: Of its score, for its own decisions.
    """

    name: str
    access: str
    version: str
    load: Callable[[], SlopeFunction]
    threshold: float = 0.5

    @property
    def is_control(self) -> bool:
        """Say whether it knows nothing: what it reaches, the form of the network reaches."""
        return self.name in CONTROLS


def mimic_source(mimic: TrainedMimic) -> SurrogateSource:
    """Return a trained mimic."""
    detector = mimic.detector()
    version = f"{detector.version}+{code_sha256(type(detector))[:12]}"
    return SurrogateSource(mimic.name, str(mimic.card.get("access", "labels")), version, lambda: detector.slope)


def own_source(subject: Subject) -> SurrogateSource | None:
    """Return the detector under attack as its own surrogate, for what is learnt beforehand; None without gradients."""
    slope = slope_of(subject.load())
    return None if slope is None else SurrogateSource(OWN, OWN, subject.version, lambda: slope)


def scheme_source(scheme: Scheme) -> SurrogateSource | None:
    """Return another scheme's detector; None where it cannot run here, or gives no gradients."""
    if scheme.unavailable() is not None:
        return None
    slope = slope_of(scheme.detector)
    version = f"{scheme.version}+{scheme_sha256(scheme)[:12]}"
    threshold = scheme.detector.threshold
    return None if slope is None else SurrogateSource(scheme.name, OTHER, version, lambda: slope, threshold)


def control_sources(dataset: Dataset, seed: int) -> Iterator[SurrogateSource]:
    """Yield imitations that know nothing of the mark."""
    recipe = get_mimic_recipe("distilled_cnn")
    base = sha256_json([code_sha256(recipe, fit_frames), dataset.sha256, seed])[:12]

    @cache
    def untrained() -> SlopeFunction:
        keras = import_keras()
        keras.utils.set_random_seed(derive_seed(seed, UNTRAINED) % 2**31)
        return _function(recipe.build(dataset.n_samples))

    @cache
    def shuffled() -> SlopeFunction:
        return _function(_fit_shuffled(dataset, seed))

    yield SurrogateSource(UNTRAINED, "none", f"{UNTRAINED}-{base}", untrained)
    yield SurrogateSource(SHUFFLED, "none", f"{SHUFFLED}-{_SHUFFLED_STEPS}-{base}", shuffled)


def _function(model: Any) -> SlopeFunction:
    slope = slopes(model)
    return lambda batch, threshold, is_to_flag: slope(batch)


class _Short(FineSpectrogramCnn):
    """The mimics' network, without answers of a detector."""

    pairs_per_step = 12
    queries = 0
    queries_per_step = 0


def _fit_shuffled(dataset: Dataset, seed: int) -> Any:
    """Train a mimic on labels that were dealt out at random: twins get one each, so that there is nothing to learn."""
    rng = np.random.default_rng(derive_seed(seed, SHUFFLED))
    known = dataset.split("train")
    pairs = [known[index] for index in rng.permutation(len(known))[:_SHUFFLED_PAIRS]]
    audio = dataset.audio([row for pair in pairs for row in (pair.clean, pair.watermarked)])
    recipe = _Short()
    n_frames = -(-audio.shape[1] // recipe.frame)
    labels = rng.permutation(np.arange(len(audio)) % 2).astype(np.float32)
    targets = np.repeat(labels[:, None], n_frames, axis=1)
    nothing = Answers(np.zeros((0, audio.shape[1]), np.float16), np.zeros((0, n_frames), np.float32))
    import_keras().utils.clear_session()
    model, _ = fit_frames(recipe, Answers(audio, targets), nothing, steps=_SHUFFLED_STEPS, seed=seed)
    return model


def loaded(source: SurrogateSource, clean: Audio, marked: Audio, threshold: float) -> Surrogate:
    """Load a surrogate, and see what it usually says of clean and of marked recordings.

    Args:
        source: Which.
        clean: (k, samples) recordings that are not under test.
        marked: (k, samples) the same, marked.
        threshold: Of the detector under attack; a surrogate that is that detector goes by it.
    """
    slope = source.load()

    def of(batch: Audio, direction: Direction) -> tuple[Floats, Floats]:
        batch_slope = slope(batch, threshold, direction == "forgery")
        return batch_slope.value, batch_slope.gradient.astype(np.float64)

    # A value of a detector that counts parts is of other parts either way; each goal is that of its own way.
    clean_value = float(np.median(of(clean, "removal")[0]))
    return Surrogate(of, clean_value, float(np.median(of(marked, "forgery")[0])))
