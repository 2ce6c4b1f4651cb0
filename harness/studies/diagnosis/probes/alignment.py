"""Moved in time, bent in pitch and speed, turned over, louder and softer: what detection and message stand."""

from collections.abc import Iterator

import numpy as np

from sealproof.attacks import get_attack
from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.foundation.progress import progress
from sealproof.harness.statistics.message import estimate_bit_accuracy
from sealproof.harness.studies.diagnosis.finding import Curve, Finding
from sealproof.harness.studies.diagnosis.material import Material

ATTACKS = (
    "offset.1samples",
    "offset.10samples",
    "offset.100samples",
    "offset.160samples",
    "offset.1600samples",
    "speed.1.01x",
    "speed.0.99x",
    "pitch_shift.5cents",
    "pitch_shift.17cents",
    "pitch_shift.-17cents",
    "polarity",
    "gain.-20db",
    "gain.-12db",
    "gain.12db",
)


def alignment(material: Material) -> Iterator[Finding | Curve]:
    """Marked clips still flagged, at the detector's own threshold, and bits still read."""
    marked = material.judged_host + material.judged_mark
    seeds = list(range(material.n))
    for attack in progress(ATTACKS, "moving marked clips"):
        heard = material.ear.detect(get_attack(attack)(marked, SAMPLE_RATE, seeds))
        rate = material.rate(heard.score > material.ear.threshold)
        yield Finding.of(f"alignment.tpr.{attack}", f"marked clips flagged after {attack}", "share", rate)
        if heard.bits is not None and attack.startswith("offset"):
            bits = estimate_bit_accuracy(heard.bits, material.messages[: material.n], material.judged)
            yield Finding.of(f"alignment.bits.{attack}", f"bits read after {attack}", "share", bits)
    turned = material.ear.flags((material.judged_host - material.judged_mark).astype(np.float32))
    meaning = "clips flagged with the mark alone turned over"
    yield Finding.of("alignment.tpr.mark_turned_over", meaning, "share", material.rate(turned))
