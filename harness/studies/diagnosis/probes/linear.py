"""Linear detectors: how well would a few lines of algebra find the mark?

They know marked clips and their clean twins of some recordings and are judged on others, in five folds by recording.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.foundation.progress import progress
from sealproof.harness.statistics.estimation.vectors import Floats
from sealproof.harness.statistics.roc import estimate_auc
from sealproof.harness.studies.diagnosis import carriers
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material, unit_energy
from sealproof.harness.studies.linear import views
from sealproof.harness.studies.linear.logistic import fit_logistic

N_FOLDS = 5
_STEP = 320
"""Samples of a step of AudioSeal's networks, which the folded average is also tried with."""

_MEANING = {
    "tone": "one bin against its neighbours",
    "folded": "logistic regression on the folded average",
    "coherence": "coherence with the mean mark",
    "local_coherence": "coherence with a fixed carrier in time and frequency",
    "spectrum_50hz": "logistic regression on the log spectrum, bands of 50 Hz",
    "spectrum_fine": f"logistic regression on the log spectrum, {views.N_FINE} single bins",
}


def linear(material: Material) -> Iterator[Finding | Curve]:
    """AUC of linear detectors, each learned of other recordings than it is judged on."""
    audio = np.concatenate([material.host + material.mark, material.host]).astype(np.float64)
    codes = np.concatenate([material.codes, material.codes])
    truth = np.repeat([True, False], len(material.host))
    features = _Features(audio, material)
    names = np.unique(material.codes)
    order = material.rng("folds").permutation(names)
    fold_of = {int(code): position % min(N_FOLDS, len(names)) for position, code in enumerate(order)}
    folds = np.array([fold_of[int(code)] for code in codes])
    scores: dict[str, Floats] = {name: np.empty(len(audio)) for name in _MEANING}
    periods = []
    for fold in progress(sorted(set(folds.tolist())), "linear detectors"):
        test = folds == fold
        outputs, period = features.scores(~test, test, truth)
        periods.append(period)
        for name, values in outputs.items():
            # On one scale, for the folds' scores are judged together: by the clean clips that were learned of.
            clean = values[~test & ~truth]
            scores[name][test] = ((values - clean.mean()) / max(float(clean.std()), 1e-12))[test]
    for name, meaning in _MEANING.items():
        estimate = estimate_auc(scores[name], truth, material.resamples.twice())
        detail = f"periods {', '.join(map(str, sorted(set(periods))))} and {_STEP}" if name == "folded" else ""
        yield Finding.of(f"linear.{name}", f"linear detector: {meaning}", "auc", estimate, detail)


class _Features:
    """What the linear detectors see of the clips, computed once."""

    def __init__(self, audio: Floats, material: Material) -> None:
        self._unit = views.of_energy_one(audio)
        self._n = len(material.host)
        self._log_power = views.log_power(self._unit)
        self._bands = views.band_levels(self._unit)
        self._white = views.white_spectrum(self._unit)
        cells = carriers.spectrogram(self._unit)
        self._cells = cells / carriers.local_level(cells)
        # A mark relative to its host: what whitened clips would show of it.
        self._unit_marks = np.zeros_like(self._unit[: self._n])
        kept_unit, kept = unit_energy(material.mark)
        self._unit_marks[kept] = kept_unit
        self._marks, self._hosts = material.mark, material.host

    def scores(
        self, train: NDArray[np.bool_], test: NDArray[np.bool_], truth: NDArray[np.bool_]
    ) -> tuple[Mapping[str, Floats], int]:
        """Learn every detector of the training clips; scores of all clips, and the period that was found."""
        twins = np.flatnonzero(train[: self._n])
        period = carriers.best_period(self._unit_marks[twins[:100]].astype(np.float32))[0]
        fine = np.argsort(views.standing_out(self._marks[twins], self._hosts[twins]))[-views.N_FINE :]
        white = self._white[twins] - self._white[self._n + twins]
        cells = self._cells[twins] - self._cells[self._n + twins]

        def regression(features: Floats) -> Floats:
            return fit_logistic(features[train], truth[train], ridge=10.0)(features)

        folded = np.concatenate([views.folded(self._unit, period), views.folded(self._unit, _STEP)], axis=1)
        return {
            "tone": views.tone_level(self._log_power, int(fine[-1])),
            "folded": regression(folded),
            "coherence": views.coherence(self._white, white.mean(axis=0)),
            "local_coherence": np.real(np.tensordot(self._cells, np.conj(cells.mean(axis=0)), axes=2)),
            "spectrum_50hz": regression(self._bands),
            "spectrum_fine": regression(self._log_power[:, fine]),
        }, period
