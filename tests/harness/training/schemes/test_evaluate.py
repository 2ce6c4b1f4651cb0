"""What is measured of a scheme."""

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.detectors.base import Detection
from sealproof.harness.foundation.audio.files import from_pcm, to_pcm
from sealproof.harness.training.schemes import evaluate
from sealproof.harness.training.schemes.clips import (
    CorpusClips,
)
from sealproof.harness.training.schemes.foreign_sounds import FOREIGN_SOUNDS

pytestmark = pytest.mark.usefixtures("one_torch_thread")

RATE = 16_000


class LoudBits:
    """Writes the message into the first 16 samples; finds it surely while they are loud, doubtfully at half of it."""

    name, sample_rate, message_bits, threshold = "loud_bits", RATE, 16, 0.5

    def embed(self, batch: NDArray[np.float32], messages: NDArray[np.uint8]) -> NDArray[np.float32]:
        marked = batch.copy()
        marked[:, :16] = messages - np.float32(0.5)
        return marked

    def detect(self, batch: NDArray[np.float32]) -> Detection:
        faintest = np.abs(batch[:, :16]).min(axis=1)
        score = np.select([faintest > 0.4, faintest > 0.2], [1.0, 0.3]).astype(np.float32)
        return Detection(score, None, (batch[:, :16] > 0).astype(np.uint8))


def test_evaluation_tells_an_attack_that_hurts_from_one_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "CARD_ATTACKS", ("identity", "gain.-6db", "gain.-12db"))
    monkeypatch.setattr(evaluate, "N_FOREIGN", 4)
    monkeypatch.setattr(evaluate, "_BLOCK", 5)
    rng = np.random.default_rng(0)
    splits = {"train": 2, "calibration": 100, "test": 12}
    clips = CorpusClips(
        {},
        {split: to_pcm((0.05 * rng.standard_normal((n, 3200))).astype(np.float32)) for split, n in splits.items()},
        {split: [f"{split}{index // 2}" for index in range(n)] for split, n in splits.items()},
    )
    found = evaluate.evaluate(LoudBits(), LoudBits(), clips, seed=0)
    assert [row.attack for row in found.rows] == ["identity", "gain.-6db", "gain.-12db"]
    assert found.threshold == 0
    for row, expected in zip(found.rows, [(1, 1, 1), (0, 1, 1), (0, 0, 0.5)], strict=True):
        assert (row.tpr_fixed.value, row.tpr_calibrated.value, row.auc.value) == expected
        assert (row.fpr_fixed.value, row.fpr_calibrated.value, row.bit_accuracy.value) == (0, 0, 1)
        assert (row.bit_accuracy.n_clips, row.bit_accuracy.n_groups) == (12, 6)
    host = from_pcm(clips.pcm["test"])
    mark = LoudBits().embed(host, np.ones((12, 16), np.uint8)) - host
    snr_db = 10 * np.log10(np.sum(host**2, axis=1) / np.sum(mark**2, axis=1))
    assert found.snr_db.value == pytest.approx(np.median(snr_db), abs=0.5)
    assert {sound: alarms.value for sound, alarms in found.false_alarms.items()} == dict.fromkeys(FOREIGN_SOUNDS, 0)
