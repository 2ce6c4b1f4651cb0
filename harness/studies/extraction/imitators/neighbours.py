"""An imitator that remembers: it answers as the detector did on the most similar clips it was told of."""

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio
from sealproof.harness.statistics.estimation.vectors import Floats
from sealproof.harness.studies.extraction.imitators.base import Imitator, Judgement, Lesson, of_length
from sealproof.harness.studies.extraction.imitators.linear import TEMPLATE_TWINS, spectrum_features

_NEIGHBOURS = 15


class Neighbours(Imitator):
    """The mean answer on the nearest clips, by the standardised log spectrum (Cover and Hart 1967)."""

    name: ClassVar[str] = "knn"
    summary: ClassVar[str] = f"mean answer on the {_NEIGHBOURS} nearest clips, by the log spectrum"

    def fit(self, lesson: Lesson, *, steps: int, seed: int) -> Judgement:
        """Remember the clips."""
        del steps, seed
        n_samples = lesson.twins.audio.shape[1]
        twins = lesson.twins.audio[: 2 * TEMPLATE_TWINS].astype(np.float64)
        features = spectrum_features(twins[0::2], twins[1::2])
        rows, answers = lesson.features(features), lesson.targets
        mean, scale = rows.mean(axis=0), np.maximum(rows.std(axis=0), 1e-12)
        known = (rows - mean) / scale
        length = (known**2).sum(axis=1)
        count = min(_NEIGHBOURS, len(known))

        def standard(audio: Audio) -> Floats:
            return np.asarray((features(of_length(audio, n_samples)) - mean) / scale)

        def judge(audio: Audio) -> NDArray[np.floating]:
            asked = standard(audio)
            # Up to a term that is the same for all clips that are known.
            distance = length - 2 * asked @ known.T
            nearest = np.argpartition(distance, count - 1, axis=1)[:, :count]
            return np.asarray(answers[nearest].mean(axis=1))

        return judge
