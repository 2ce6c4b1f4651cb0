"""What others recorded of the official AudioSeal under attacks that sealproof has.

Facts only, from pages that anybody can read; clips, lengths and implementations of the attacks differ from ours.
Numbers that are known from papers' tables by hearsay only are not among them.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

SOURCES: Mapping[str, str] = {
    "omniseal_voxpopuli": "Meta's leaderboard of omnisealbench, VoxPopuli 1k, marks at half strength, its own "
    "threshold; the first rows of voxpopuli_1k_audio_attacks_variations.csv "
    "(https://huggingface.co/spaces/facebook/omnisealbench, revision b087e88)",
    "zachjon1_librispeech": "audioseal 0.2.0, 24 clips of LibriSpeech, score above 0.5; where its crops lie is not "
    "said (github.com/ZachJon1/audioseal-robustness)",
    "audio_bench_audiomark": "106 clips of AudioMark of 5 s, score above 0.15; its echoes are not centred "
    "(github.com/AI45Lab/AIGC-Identification-Toolkit, benchmarks/Audio-Bench, metrics.json of 2025-11-18)",
}
"""By name, what each is and where it stands."""

METRICS = ("tpr", "bit_accuracy", "mean_score")


@dataclass(frozen=True)
class Recorded:
    """One number of the official AudioSeal.

    Attributes:
        source: One of `SOURCES`.
        condition: In the source's words.
        attack: Id of the attack that is nearest to it here.
        metric: One of `METRICS`; `mean_score` is of marked clips.
        cut: Score above which a clip counted as marked; `own` for the detector's own; empty where nothing was cut.
        value: The number.
    """

    source: str
    condition: str
    attack: str
    metric: str
    cut: str
    value: float


def recorded() -> list[Recorded]:
    """Return all recorded numbers."""
    text = (files("sealproof.harness.studies.likeness") / "recorded.csv").read_text(encoding="utf-8")
    return [
        Recorded(row["source"], row["condition"], row["attack"], row["metric"], row["cut"], float(row["value"]))
        for row in csv.DictReader(text.splitlines())
    ]


def recorded_attacks() -> list[str]:
    """Return the ids of the attacks that something is recorded of: what to run for a table without gaps."""
    return sorted({each.attack for each in recorded()} - {"identity"})
