"""Verify attacks that work on clips unlike those that their claims were thought of with: how many are accused wrongly?

    python -m benchmarks.attacks.accusations
    python -m benchmarks.attacks.accusations --attacks mp3,white_noise_level --conditions quiet,tonal --strengths all

Run by hand from the repository's root; it is no test. The counterpart of `benchmarks.attacks.mutations`: the attacks
are as they are, and the clips are faint, short, long, steady tones, silent, or of another sample rate. An attack that
refuses the clips (a codec another sample rate) is not counted.
"""

import argparse
import sys
from collections.abc import Callable, Iterator

import numpy as np
import soxr

from benchmarks.attacks.mutations import at_strengths
from sealproof.attacks import Attack, attack_class, list_attacks
from sealproof.attacks.contract.base import AttackError, Audio
from sealproof.attacks.testing import toy_knowledge
from sealproof.attacks.verification.verify import verify
from sealproof.harness.corpora.demo.corpus import DemoCorpus
from sealproof.harness.studies.attack_audit.check import clip_seed
from sealproof.harness.studies.attack_audit.gallery import read_marked_clips

RATE = 16_000


def main() -> None:
    """Print who was accused."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attacks", default="", metavar="NAME,...", help="default: all")
    parser.add_argument("--conditions", default=",".join(CONDITIONS), metavar="NAME,...")
    parser.add_argument("--strengths", choices=("three", "middle", "all"), default="three")
    options = parser.parse_args()
    music = read_marked_clips(DemoCorpus(), 24, "spread_spectrum", 0).audio
    print("| clips | configurations | refused | accused | with nothing judged |\n|---|---|---|---|---|")
    accused: list[str] = []
    for condition in options.conditions.split(","):
        clips, rate = CONDITIONS[condition](music)
        counts = {"verified": 0, "refused": 0, "accused": 0, "unjudged": 0}
        for attack in _chosen(options.attacks, options.strengths):
            verdict = _verdict(attack, clips, rate)
            counts["refused" if verdict is None else "verified"] += 1
            if verdict == "unjudged":
                counts["unjudged"] += 1
            elif verdict:
                counts["accused"] += 1
                accused.append(f"{condition}: {attack.id}: {verdict}")
                print(accused[-1], file=sys.stderr, flush=True)
        print(f"| {condition} | {' | '.join(str(count) for count in counts.values())} |", flush=True)
    print("\n".join(accused))


def _chosen(names: str, strengths: str) -> Iterator[Attack]:
    for name in names.split(",") if names else list_attacks():
        cls = attack_class(name)
        if cls.unavailable() is None:
            yield from at_strengths(cls, strengths)


def _verdict(attack: Attack, clips: Audio, rate: int) -> str | None:
    """Return what an attack is accused of, `unjudged` where no claim could be judged, or None where it refuses."""
    knowledge = toy_knowledge(clips) if attack.needs_knowledge else None
    marked = knowledge.watermarkers["same"](clips, range(len(clips))) if knowledge else clips
    try:
        attacked = attack.perform(marked, rate, [clip_seed(attack, 0, index) for index in range(len(clips))], knowledge)
    except AttackError:
        return None
    verification = verify(attack, marked, attacked, rate, knowledge=knowledge)
    if not any(verdict.claim is not None and verdict.n_clips for verdict in verification.verdicts):
        return "unjudged"
    return " ".join(verdict.complaint for verdict in verification.broken)


def _tones(music: Audio) -> tuple[Audio, int]:
    """Steady tones, one to three partials each."""
    time, rng = np.arange(RATE) / RATE, np.random.default_rng(3)
    tones = [
        sum(np.sin(2 * np.pi * hz * time + phase) for hz, phase in rng.uniform((80, 0), (3000, 6), (1 + n % 3, 2)))
        for n in range(8)
    ]
    return (0.2 * np.stack(tones)).astype(np.float32), RATE


def _at(rate: int) -> Callable[[Audio], tuple[Audio, int]]:
    return lambda music: (np.stack([soxr.resample(clip, RATE, rate, "HQ")[:rate] for clip in music[:8]]), rate)


CONDITIONS: dict[str, Callable[[Audio], tuple[Audio, int]]] = {
    "music": lambda music: (music[:8], RATE),
    "quiet": lambda music: (
        (1e-3 * music[:8] / np.sqrt(np.mean(music[:8] ** 2, axis=1, keepdims=True))).astype(np.float32), RATE
    ),
    "short": lambda music: (music[:8, 6400:8000].copy(), RATE),
    "long": lambda music: (music.reshape(8, -1), RATE),
    "tonal": _tones,
    "silent": lambda music: (np.zeros((8, RATE), np.float32), RATE),
    "half_silent": lambda music: (np.where(np.arange(RATE) < RATE // 2, music[:8], np.float32(0)), RATE),
    "8khz": _at(8000),
    "24khz": _at(24_000),
    "48khz": _at(48_000),
}  # fmt: skip
"""By name, clips made of music (24, 16000) at 16 kHz, and their sample rate; `quiet` is at -60 dBFS."""


if __name__ == "__main__":
    main()
