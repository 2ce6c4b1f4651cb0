"""Measuring a trained scheme on recordings it has not heard: the numbers of its card."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks import get_attack
from sealproof.attacks.verification.measure import snr_db
from sealproof.detectors.base import Detection, Detector, Watermarker, listen
from sealproof.harness.foundation.audio.files import SAMPLE_RATE, from_pcm, to_pcm
from sealproof.harness.foundation.progress import progress
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.statistics import detection, message, roc
from sealproof.harness.statistics.calibrated import CalibratedThreshold, calibrate_threshold, estimate_rates
from sealproof.harness.statistics.estimation.estimate import Estimate, estimate_median_of_defined
from sealproof.harness.statistics.estimation.resamples import Resamples
from sealproof.harness.statistics.thresholds import TARGET_FPR
from sealproof.harness.training.schemes.clips import CorpusClips
from sealproof.harness.training.schemes.foreign_sounds import FOREIGN_SOUNDS

CARD_ATTACKS = (
    "identity",
    "mp3.64kbps",
    "mp3.32kbps",
    "aac.32kbps",
    "opus.16kbps",
    "white_noise.30db",
    "white_noise.20db",
    "white_noise.10db",
    "resample.8khz",
    "gain.6db",
    "gain.-6db",
    "lowpass.4khz",
    "lowpass.2khz",
    "highpass.500hz",
    "highpass.1khz",
    "quantise.8bits",
    "echo.100ms.0.3x",
    "clipping.5percent",
    "offset.100samples",
    "speed.1.01x",
)
"""What the card of a scheme reports, by attack id."""

N_FOREIGN = 500
"""Clips of each foreign sound."""

_BLOCK = 64


@dataclass(frozen=True)
class AttackRow:
    """How a scheme stands an attack: AUC, rates at 0.5 and at the calibrated threshold, bit accuracy."""

    attack: str
    auc: Estimate
    tpr_fixed: Estimate
    fpr_fixed: Estimate
    tpr_calibrated: Estimate
    fpr_calibrated: Estimate
    bit_accuracy: Estimate


@dataclass(frozen=True)
class Evaluation:
    """What was measured of a scheme on one corpus.

    Attributes:
        snr_db: Median signal-to-watermark ratio of the test clips.
        threshold: Score that new clean clips exceed at 1 % at most, from those of the calibration split; None where
            they are fewer than 99, and rates at it are NaN.
        rows: One for each attack.
        false_alarms: Share of clips above 0.5, by foreign sound.
    """

    snr_db: Estimate
    threshold: float | None
    rows: Sequence[AttackRow]
    false_alarms: Mapping[str, Estimate]


def evaluate(watermarker: Watermarker, detector: Detector, clips: CorpusClips, seed: int) -> Evaluation:
    """Mark the test clips, attack them marked and clean, and score both.

    The threshold comes from the calibration split, the numbers from the test split, and training saw neither.

    Args:
        watermarker: The scheme's generator.
        detector: Its detector.
        clips: A corpus, split.
        seed: Draws messages and what random attacks do.
    """
    host = from_pcm(clips.pcm["test"])
    resamples = Resamples.of(clips.groups["test"], derive_seed(seed, "evaluation"))
    rng = np.random.default_rng(derive_seed(seed, "messages"))
    messages = rng.integers(0, 2, (len(host), watermarker.message_bits), dtype=np.uint8)
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(host), _BLOCK)]
    marked = np.concatenate(
        [from_pcm(to_pcm(watermarker.embed(host[part], messages[part]))) for part in progress(blocks, "marking")]
    )
    clean_scores = _scores(detector, from_pcm(clips.pcm["calibration"]))
    calibration = Resamples.of(clips.groups["calibration"], derive_seed(seed, "evaluation", "calibration"))
    threshold = calibrate_threshold(clean_scores, TARGET_FPR, calibration)
    rows = [
        _under(attack, detector, host, marked, messages, threshold, resamples)
        for attack in progress(CARD_ATTACKS, "attacking and scoring")
    ]
    snr = estimate_median_of_defined(snr_db(host, marked), resamples)
    return Evaluation(
        snr, None if threshold is None else threshold.value, rows, dict(_false_alarms(detector, host.shape[1], rng))
    )


def _under(
    name: str,
    detector: Detector,
    host: NDArray[np.float32],
    marked: NDArray[np.float32],
    messages: NDArray[np.uint8],
    threshold: CalibratedThreshold | None,
    resamples: Resamples,
) -> AttackRow:
    attack = get_attack(name)
    seeds = list(range(len(host)))
    of_marked, of_clean = (_detect(detector, attack(audio, SAMPLE_RATE, seeds)) for audio in (marked, host))
    scores = np.concatenate([of_marked.score, of_clean.score])
    truth = np.repeat([True, False], len(host))
    both = resamples.twice()
    nothing = Estimate(math.nan, math.nan, math.nan, len(host), resamples.n_groups)
    calibrated = {} if threshold is None else estimate_rates(scores, truth, threshold, both)
    assert of_marked.bits is not None  # noqa: S101 - a detector of AudioSeal's kind reads bits
    return AttackRow(
        name,
        roc.estimate_auc(scores, truth, both),
        detection.estimate_tpr(scores, truth, detector.threshold, both),
        detection.estimate_fpr(scores, truth, detector.threshold, both),
        calibrated.get("tpr", nothing),
        calibrated.get("fpr", nothing),
        message.estimate_bit_accuracy(of_marked.bits, messages, resamples),
    )


def _false_alarms(detector: Detector, n_samples: int, rng: np.random.Generator) -> Iterator[tuple[str, Estimate]]:
    for name, make in FOREIGN_SOUNDS.items():
        scores = _scores(detector, make(N_FOREIGN, n_samples, rng))
        # Every clip is drawn on its own: each is a group.
        clips = Resamples.of(np.arange(len(scores)), n_resamples=200)
        yield name, detection.estimate_fpr(scores, np.zeros(len(scores), bool), detector.threshold, clips)


def _scores(detector: Detector, batch: NDArray[np.float32]) -> NDArray[np.float32]:
    return _detect(detector, batch).score


def _detect(detector: Detector, batch: NDArray[np.float32]) -> Detection:
    parts = [listen(detector, batch[start : start + _BLOCK]) for start in range(0, len(batch), _BLOCK)]
    bits = [part.bits for part in parts if part.bits is not None]
    return Detection(np.concatenate([part.score for part in parts]), None, np.concatenate(bits) if bits else None)
