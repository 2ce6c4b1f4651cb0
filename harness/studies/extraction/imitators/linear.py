"""Imitators of a few lines of algebra: a threshold on one tone, and logistic regressions."""

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio
from sealproof.harness.statistics.estimation.vectors import Floats
from sealproof.harness.studies.diagnosis.carriers import best_period
from sealproof.harness.studies.extraction.imitators.base import FRAME, Imitator, Judgement, Lesson, of_length
from sealproof.harness.studies.linear import views
from sealproof.harness.studies.linear.logistic import fit_logistic

Features = Callable[[Audio], Floats]

TEMPLATE_TWINS = 500
"""Pairs that carriers and periods are learnt of, at most: means of so many are steady."""

_PERIOD_TWINS = 100
_RIDGE = 10.0


class LinearImitator(Imitator):
    """Logistic regression of the answers on features of a clip; the twins tell what to look at."""

    def fit(self, lesson: Lesson, *, steps: int, seed: int) -> Judgement:
        """Learn."""
        del steps, seed
        n_samples = lesson.twins.audio.shape[1]
        twins = lesson.twins.audio[: 2 * TEMPLATE_TWINS].astype(np.float64)
        features = self.features(twins[0::2], twins[1::2])
        learnt = fit_logistic(lesson.features(features), lesson.targets, _RIDGE)

        def judge(audio: Audio) -> NDArray[np.floating]:
            return learnt.probabilities(features(of_length(audio, n_samples)))

        return judge

    @abstractmethod
    def features(self, clean: Floats, marked: Floats) -> Features:
        """Choose the features by twins, each of shape (n, samples)."""


class Tone(LinearImitator):
    """A threshold on the one bin where marks stand out most, against its neighbours."""

    name: ClassVar[str] = "tone"
    summary: ClassVar[str] = "a threshold on one bin against its neighbours"

    def features(self, clean: Floats, marked: Floats) -> Features:
        """The level of one bin."""
        tone = int(np.argmax(views.standing_out(marked - clean, clean)))
        return lambda audio: views.tone_level(views.log_power(views.of_energy_one(audio)), tone)[:, None]


class Folded(LinearImitator):
    """Logistic regression on the folded average: at the period of the marks, and at a step of 20 ms."""

    name: ClassVar[str] = "folded"
    summary: ClassVar[str] = "logistic regression on the folded average"

    def features(self, clean: Floats, marked: Floats) -> Features:
        """The mean of a clip's pieces."""
        period = best_period(views.of_energy_one((marked - clean)[:_PERIOD_TWINS]))[0]

        def of(audio: Audio) -> Floats:
            unit = views.of_energy_one(audio)
            return np.concatenate([views.folded(unit, period), views.folded(unit, FRAME)], axis=1)

        return of


class Coherence(LinearImitator):
    """Coherence with the mean mark."""

    name: ClassVar[str] = "coherence"
    summary: ClassVar[str] = "coherence with the mean mark"

    def features(self, clean: Floats, marked: Floats) -> Features:
        """Correlation with the mean difference of whitened twins."""
        carrier = np.mean(
            [
                views.white_spectrum(views.of_energy_one(marked[at : at + 1]))[0]
                - views.white_spectrum(views.of_energy_one(clean[at : at + 1]))[0]
                for at in range(len(clean))
            ],
            axis=0,
        )
        return lambda audio: views.coherence(views.white_spectrum(views.of_energy_one(audio)), carrier)[:, None]


class LogSpectrum(LinearImitator):
    """Logistic regression on the log spectrum: bands of 50 Hz, and the single bins where marks stand out most."""

    name: ClassVar[str] = "log_spectrum"
    summary: ClassVar[str] = f"logistic regression on the log spectrum, bands of 50 Hz and {views.N_FINE} single bins"

    def features(self, clean: Floats, marked: Floats) -> Features:
        """Levels of bands and bins."""
        return spectrum_features(clean, marked)


def spectrum_features(clean: Floats, marked: Floats) -> Features:
    """Return what gives the log levels of bands of 50 Hz and of the bins where marks stand out most."""
    fine = np.sort(np.argsort(views.standing_out(marked - clean, clean))[-views.N_FINE :])

    def of(audio: Audio) -> Floats:
        unit = views.of_energy_one(audio)
        return np.concatenate([views.band_levels(unit), views.log_power(unit)[:, fine]], axis=1)

    return of
