"""Time every attack, and beside it what other libraries offer for the same: milliseconds per 1-s clip, in one run.

    python -m benchmarks.attacks
    python -m benchmarks.attacks --attacks mp3.64kbps --clips 32 --rounds 9

Run by hand from the repository's root; it is no test. Ours attacks a batch, as a run does; a rival gets one clip after
the other, as its interface has it. They take turns, and the best round of each counts. The ratio is the best rival over
ours: below 1 a rival is faster.
"""

import argparse
import importlib
import pkgutil
import time
from collections import defaultdict
from collections.abc import Callable

import benchmarks.attacks.rivals
from benchmarks.attacks.rivals import Rival

RATE = 16_000


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attacks", default="full", metavar="PRESET|TOML|IDS", help="default full")
    parser.add_argument("--clips", type=int, default=16, help="in a batch (default 16)")
    parser.add_argument("--rounds", type=int, default=5, help="best of (default 5)")
    parser.add_argument("--all", action="store_true", help="also the attacks without a rival")
    options = parser.parse_args()
    from sealproof.attacks.selection import load_attacks
    from sealproof.attacks.testing import music_like, toy_knowledge

    clips = music_like(options.clips, RATE, RATE)
    knowledge = toy_knowledge(clips)
    rivals = _rivals()
    slower = []
    print(f"{options.clips} clips of 1 s, best of {options.rounds} rounds; ms per clip\n")
    print(f"{'attack':36} {'ours':>8} {'rival':>8} {'ratio':>6}  library")
    for attack in load_attacks(options.attacks):
        others = rivals.get(attack.id, [])
        if not (others or options.all):
            continue

        def ours(attack=attack) -> None:  # type: ignore[no-untyped-def]
            attack(clips, RATE, range(len(clips)), knowledge)

        ways: dict[str, Callable[[], object]] = {"ours": ours}
        for rival in others:
            perturb = rival.make()
            ways[rival.library] = lambda perturb=perturb: [perturb(clip) for clip in clips]  # type: ignore[misc]
        best = {name: 1000 * seconds / len(clips) for name, seconds in _best(ways, options.rounds).items()}
        mine = best.pop("ours")
        if not best:
            print(f"{attack.id:36} {mine:8.3f}")
            continue
        library = min(best, key=lambda name: best[name])
        ratio = best[library] / mine
        slower += [attack.id] if ratio < 0.9 else []
        print(f"{attack.id:36} {mine:8.3f} {best[library]:8.3f} {ratio:6.2f}  {library}", flush=True)
    print(f"\nMore than 10 % slower than the best rival: {', '.join(slower) or 'none'}.")


def _rivals() -> dict[str, list[Rival]]:
    rivals: dict[str, list[Rival]] = defaultdict(list)
    for module in pkgutil.iter_modules(benchmarks.attacks.rivals.__path__):
        for rival in importlib.import_module(f"benchmarks.attacks.rivals.{module.name}").RIVALS:
            rivals[rival.attack_id].append(rival)
    return rivals


def _best(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for number in range(rounds + 1):  # the first round warms up
        for name, job in ways.items():
            started = time.perf_counter()
            job()
            took = time.perf_counter() - started
            if number:
                seconds[name] = min(seconds.get(name, took), took)
    return seconds


if __name__ == "__main__":
    main()
