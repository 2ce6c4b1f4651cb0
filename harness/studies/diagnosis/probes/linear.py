"""Linear detectors: how well would a few lines of algebra find the mark?

They know marked clips and their clean twins of some recordings and are judged on others, in five folds by recording.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.foundation.progress import progress
from sealproof.harness.statistics.estimation.vectors import Floats
from sealproof.harness.statistics.roc import estimate_auc
from sealproof.harness.studies.diagnosis import carriers
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.logistic import logistic_scores
from sealproof.harness.studies.diagnosis.material import Material, unit_energy

N_FOLDS = 5
_N_FINE = 160
"""Bins that the fine logistic regression looks at: those where marks stand out most from their hosts."""
_STEP = 320
"""Samples of a step of AudioSeal's networks, which the folded average is also tried with."""

_Complexes = NDArray[np.complexfloating[Any, Any]]

_MEANING = {
    "tone": "one bin against its neighbours",
    "folded": "logistic regression on the folded average",
    "coherence": "coherence with the mean mark",
    "local_coherence": "coherence with a fixed carrier in time and frequency",
    "spectrum_50hz": "logistic regression on the log spectrum, bands of 50 Hz",
    "spectrum_fine": f"logistic regression on the log spectrum, {_N_FINE} single bins",
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
        self._unit = audio / np.maximum(np.linalg.norm(audio, axis=1, keepdims=True), 1e-12)
        self._n = len(material.host)
        spectra = np.fft.rfft(self._unit)
        self._log_power = np.log(np.abs(spectra) ** 2 + 1e-14)
        bin_hz = SAMPLE_RATE / audio.shape[1]
        starts = (np.arange(0, SAMPLE_RATE / 2, 50) / bin_hz).astype(int)
        self._bands = np.log(np.add.reduceat(np.abs(spectra) ** 2, starts, axis=1) + 1e-12)
        self._white: _Complexes = spectra / _smooth(np.abs(spectra), 2 * round(25 / bin_hz) + 1)
        cells = carriers.spectrogram(self._unit)
        self._cells: _Complexes = cells / carriers.local_level(cells)
        # A mark relative to its host: what whitened clips would show of it.
        self._mark = np.zeros_like(self._unit)
        kept_unit, kept = unit_energy(material.mark)
        self._mark[kept] = kept_unit
        self._mark[self._n :] = 0
        self._marked_power = np.abs(np.fft.rfft(material.mark)) ** 2
        self._clean_power = np.abs(np.fft.rfft(material.host)) ** 2

    def scores(
        self, train: NDArray[np.bool_], test: NDArray[np.bool_], truth: NDArray[np.bool_]
    ) -> tuple[Mapping[str, Floats], int]:
        """Learn every detector of the training clips; scores of all clips, and the period that was found."""
        twins = np.flatnonzero(train[: self._n])
        period = carriers.best_period(self._mark[twins[:100]].astype(np.float32))[0]
        ratio = np.log(self._marked_power[twins] + 1e-12) - np.log(_smooth(self._clean_power[twins], 41) + 1e-9)
        standing_out = ratio.mean(axis=0)
        standing_out[0] = min(standing_out[0], standing_out[1:].max())
        fine = np.argsort(standing_out)[-_N_FINE:]
        tone = int(fine[-1])
        near = np.r_[max(tone - 20, 0) : max(tone - 3, 0), tone + 4 : tone + 21]
        near = near[near < self._log_power.shape[1]]
        white = self._white[twins] - self._white[self._n + twins]
        cells = self._cells[twins] - self._cells[self._n + twins]

        def regression(features: Floats) -> Floats:
            return logistic_scores(features[train], truth[train], features, ridge=10.0)

        folded = np.concatenate([_folded(self._unit, period), _folded(self._unit, _STEP)], axis=1)
        return {
            "tone": self._log_power[:, tone] - self._log_power[:, near].mean(axis=1),
            "folded": regression(folded),
            "coherence": np.real(self._white @ np.conj(white.mean(axis=0))),
            "local_coherence": np.real(np.tensordot(self._cells, np.conj(cells.mean(axis=0)), axes=2)),
            "spectrum_50hz": regression(self._bands),
            "spectrum_fine": regression(self._log_power[:, fine]),
        }, period


def _folded(unit: Floats, period: int) -> Floats:
    turns = unit.shape[1] // period
    return np.asarray(unit[:, : turns * period].reshape(len(unit), turns, period).mean(axis=1))


def _smooth(power: Floats, width: int) -> Floats:
    from scipy.ndimage import uniform_filter1d

    return np.asarray(uniform_filter1d(power, width, axis=1, mode="nearest")) + 1e-12
