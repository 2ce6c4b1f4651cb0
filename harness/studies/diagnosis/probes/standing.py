"""How the scheme stands: the floors that were there before anybody asked what the detector decides on."""

from collections.abc import Iterator

import numpy as np

from sealproof.attacks import get_attack
from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.foundation.progress import progress
from sealproof.harness.statistics.estimation.estimate import estimate_median_of_defined
from sealproof.harness.statistics.message import estimate_bit_accuracy
from sealproof.harness.statistics.roc import estimate_auc
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material

ATTACKS = ("mp3.64kbps", "white_noise.30db", "resample.8khz", "gain.6db", "gain.-6db", "lowpass.4khz")


def standing(material: Material) -> Iterator[Finding | Curve]:
    """Level of the mark, detection unattacked and under mild attacks, at the threshold for 1 % false positives."""
    host, marked = material.judged_host, material.judged_host + material.judged_mark
    snr = estimate_median_of_defined(material.snr_db(), material.judged)
    yield Finding.of("standing.snr_db", "median signal-to-watermark ratio", "db", snr)
    clean, heard = material.ear.detect(host), material.ear.detect(marked)
    both, truth = np.concatenate([heard.score, clean.score]), np.repeat([True, False], material.n)
    auc = estimate_auc(both, truth, material.judged.twice())
    yield Finding.of("standing.auc", "area under the curve, marked against clean", "auc", auc)
    own = material.ear.threshold
    yield Finding.of(
        "standing.fpr_own", "clean clips flagged, own threshold", "share", material.rate(clean.score > own)
    )
    yield Finding.of(
        "standing.tpr_own", "marked clips flagged, own threshold", "share", material.rate(heard.score > own)
    )
    at = f"from {material.n_calibration} clean clips"
    at = f"no threshold {at}: it takes 99" if material.threshold is None else f"threshold {material.threshold:.3g} {at}"
    tpr = material.rate_at_one_per_cent(heard.score)
    yield Finding.of("standing.tpr", "marked clips flagged at 1 % false positives", "share", tpr, at)
    if heard.bits is not None:
        bits = estimate_bit_accuracy(heard.bits, material.messages[: material.n], material.judged)
        yield Finding.of("standing.bits", "bits of the message read rightly", "share", bits)
    seeds = list(range(material.n))
    for attack in progress(ATTACKS, "mild attacks"):
        scores = material.ear.detect(get_attack(attack)(marked, SAMPLE_RATE, seeds)).score
        rate = material.rate_at_one_per_cent(scores)
        yield Finding.of(f"standing.tpr.{attack}", f"marked clips flagged at 1 % after {attack}", "share", rate)
