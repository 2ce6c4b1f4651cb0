"""Break every attack in thirteen ways and count how often its verification notices: mutation testing of `verify`.

    python -m benchmarks.attacks.mutations
    python -m benchmarks.attacks.mutations --attacks mp3.64kbps,lowpass.4khz --mutations half,late_1ms --survivors
    python -m benchmarks.attacks.mutations --corpus FOLDER --out survivors.csv

Run by hand from the repository's root; it is no test. Each attack of the registry is run once at three strengths (the
weakest, the middle one and the strongest) on sixteen marked clips of a second; what came out is then changed as a
broken attack would have it, and verified. A mutant that keeps all claims has survived. What the attack states of itself
(its facts) stays as it was: a broken attack believes itself.

A mutant that is the very output again (a tenth of no effect, the other polarity of silence) says nothing and is left
out.
"""

import argparse
import csv
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks import Attack, attack_class, get_attack, list_attacks
from sealproof.attacks.contract.base import Attacked, AttackError, Audio
from sealproof.attacks.verification.verify import verify
from sealproof.harness.corpora.demo.corpus import DemoCorpus
from sealproof.harness.corpora.folder import FolderCorpus
from sealproof.harness.studies.attack_audit.check import Clips, clip_seed
from sealproof.harness.studies.attack_audit.gallery import read_marked_clips

FLOORS = {
    "untouched_2": 0, "plus_1_lsb": 0, "other_clip": 0, "late_1ms": 0, "half": 5, "tenth": 0, "neighbour": 5,
    "second_half": 5, "last_50ms": 5, "noise_30db": 25, "minus_6db": 5, "polarity": None, "late_1_sample": None,
}  # fmt: skip
"""Mutations, with the share in percent that may survive; None where an attack need not claim it."""

SEED = 0

KEPT = "survived"
"""The verdict on a mutant, or on an attack as it is, of which every claim holds."""


def main() -> None:
    """Print the table, and write who survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attacks", default="", metavar="NAME|ID,...", help="default: three strengths of each")
    parser.add_argument("--mutations", default=",".join(FLOORS), metavar="NAME,...")
    parser.add_argument("--strengths", choices=("three", "middle"), default="three")
    parser.add_argument("--corpus", default="demo", metavar="PATH|demo")
    parser.add_argument("--clips", type=int, default=16)
    parser.add_argument("--out", type=Path, metavar="CSV", help="one row for each attack and mutation")
    parser.add_argument("--survivors", action="store_true", help="name them")
    parser.add_argument("--rows", type=Path, nargs="+", metavar="CSV", help="only print the table of what --out wrote")
    options = parser.parse_args()
    if options.rows:
        written = [row for path in options.rows for row in csv.reader(path.read_text(encoding="utf-8").splitlines())]
        print("\n".join(_table([tuple(row) for row in written if row[0] != "attack"], survivors=options.survivors)))
        return
    corpus = DemoCorpus() if options.corpus == "demo" else FolderCorpus(root=Path(options.corpus))
    clips = read_marked_clips(corpus, options.clips, "spread_spectrum", SEED)
    rows = []
    for attack in _chosen(options.attacks, options.strengths):
        rows += list(_verified(attack, clips, options.mutations.split(",")))
        alive = [name for spec, name, verdict in rows if spec == attack.id and (name == "none") != (verdict == KEPT)]
        print(f"{attack.id:40} {' '.join(alive)}", file=sys.stderr, flush=True)
    if options.out is not None:
        with options.out.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows([("attack", "mutation", "verdict"), *rows])
    print("\n".join(_table(rows, survivors=options.survivors)))


def _chosen(text: str, strengths: str) -> Iterator[Attack]:
    """Yield the attacks that are named, all of their strengths at three of them where only a name is given."""
    for name in text.split(",") if text else list_attacks():
        if name not in list_attacks():
            yield get_attack(name)
            continue
        cls = attack_class(name)
        if cls.unavailable() is None:
            yield from at_strengths(cls, strengths)


def at_strengths(cls: type[Attack], strengths: str) -> Sequence[Attack]:
    """Return an attack at `all` strengths of its grid, at `three` of them, or at the one in the `middle`."""
    standard = cls.standard()
    three = standard if len(standard) < 3 else [standard[0], standard[len(standard) // 2], standard[-1]]
    return {"all": standard, "three": three, "middle": three[len(three) // 2 :][:1]}[strengths]


def _verified(attack: Attack, clips: Clips, mutations: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield a row for the attack itself, which must keep its claims, and for each mutation."""
    attacked = _attacked(attack, clips)
    if attack.is_control:
        return
    yield attack.id, "none", _verdict(attack, clips, attacked)
    for name in mutations:
        if name == "neighbour":
            other = _neighbour(attack)
            mutant = None if other is None else _attacked(other, clips).audio
        else:
            mutant = MUTATIONS[name](clips.audio, attacked.audio)
        if mutant is not None and mutant.tobytes() != attacked.audio.tobytes():
            yield attack.id, name, _verdict(attack, clips, replace(attacked, audio=mutant.astype(np.float32)))


def _verdict(attack: Attack, clips: Clips, attacked: Attacked) -> str:
    """Return `survived`, or what was noticed."""
    shape = (len(clips.audio), attack.output_length(clips.audio.shape[1], clips.sample_rate))
    if attacked.audio.shape != shape:
        return "length"
    try:
        broken = verify(attack, clips.audio, attacked, clips.sample_rate, knowledge=clips.knowledge).broken
    except Exception as error:
        return type(error).__name__  # noticed, if not in the way it should be
    return " ".join(verdict.quantity for verdict in broken) or KEPT


def _attacked(attack: Attack, clips: Clips) -> Attacked:
    seeds = [clip_seed(attack, SEED, index) for index in range(len(clips.audio))]
    try:
        return attack.perform(clips.audio, clips.sample_rate, seeds, clips.knowledge)
    except AttackError as error:
        sys.exit(f"{attack.id} cannot be done: {error}")


def _neighbour(attack: Attack) -> Attack | None:
    """Return the attack at the next strength of its grid, one parameter away; the one before for the last."""
    for parameter, values in type(attack).sweep.items():
        value = getattr(attack, parameter)
        if value not in values:
            continue
        at = values.index(value)
        for step in (1, -1):
            if 0 <= at + step < len(values):
                return replace(attack, **{parameter: values[at + step]})
    return next((each for each in type(attack).standard() if each.id != attack.id), None)


def _fitted(before: Audio, after: Audio) -> Audio:
    """Return the clips cut, or filled up with zeros, to the length of the output: what doing nothing would give."""
    wanted, got = after.shape[1], before.shape[1]
    return before[:, :wanted] if got >= wanted else np.pad(before, ((0, 0), (0, wanted - got)))


def _untouched(before: Audio, after: Audio) -> Audio:
    mutant = after.copy()
    mutant[[1, 9]] = _fitted(before, after)[[1, 9]]
    return mutant


def _late(samples: int) -> Callable[[Audio, Audio], Audio]:
    return lambda before, after: np.pad(after, ((0, 0), (samples, 0)))[:, : after.shape[1]]


def _part_of_the_effect(share: float) -> Callable[[Audio, Audio], Audio]:
    def mutate(before: Audio, after: Audio) -> Audio:
        was = _fitted(before, after)
        return was + np.float32(share) * (after - was)

    return mutate


def _second_half(before: Audio, after: Audio) -> Audio:
    mutant, half = after.copy(), after.shape[1] // 2
    mutant[:, half:] = _fitted(before, after)[:, half:]
    return mutant


def _last_50ms(before: Audio, after: Audio) -> Audio:
    mutant = after.copy()
    mutant[:, -800:] = 0
    return mutant


def _noise(before: Audio, after: Audio) -> NDArray[np.float64]:
    noise = np.random.default_rng(1).standard_normal(after.shape)
    level = np.sqrt(np.mean(after.astype(np.float64) ** 2, axis=1, keepdims=True) * 1e-3)
    return after + level * noise


MUTATIONS: dict[str, Callable[[Audio, Audio], NDArray[np.floating]]] = {
    "untouched_2": _untouched,
    "plus_1_lsb": lambda before, after: _fitted(before, after) + np.float32(2**-15),
    "other_clip": lambda before, after: np.roll(after, 1, axis=0),
    "late_1ms": _late(16),
    "half": _part_of_the_effect(0.5),
    "tenth": _part_of_the_effect(0.1),
    "second_half": _second_half,
    "last_50ms": _last_50ms,
    "noise_30db": _noise,
    "minus_6db": lambda before, after: after * np.float32(0.5),
    "polarity": lambda before, after: -after,
    "late_1_sample": _late(1),
}


def _table(rows: Sequence[tuple[str, ...]], *, survivors: bool) -> Iterator[str]:
    """Yield, for each mutation, how many of how many survived, and the floor."""
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for attack, mutation, verdict in rows:
        found[mutation].append((attack, verdict))
    accused = [f"{attack} ({verdict})" for attack, verdict in found.pop("none") if verdict != KEPT]
    yield f"Accused though nothing was changed: {', '.join(accused) or 'none'}."
    yield "| mutation | survive | of | share | floor |\n|---|---|---|---|---|"
    for mutation, verdicts in found.items():
        alive = [attack for attack, verdict in verdicts if verdict == KEPT]
        floor = FLOORS[mutation]
        share = 100 * len(alive) / len(verdicts)
        asked = "where claimed" if floor is None else f"{floor} %"
        yield f"| {mutation} | {len(alive)} | {len(verdicts)} | {share:.1f} % | {asked} |"
        if survivors:
            yield f"    {' '.join(alive)}"


if __name__ == "__main__":
    main()
