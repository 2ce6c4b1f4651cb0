"""Our query adversaries beside the adversarial-robustness-toolbox's, at equal numbers of questions.

    pip install --no-deps --target ART adversarial-robustness-toolbox==1.20.1
    PYTHONPATH=ART python -m benchmarks.studies.adversaries --questions 2000

Both attack the linear toy detector of `sealproof.attacks.adversarial.testing`, whose distance is known, from another
recording of the other kind. What is asked is written as 16-bit PCM first, for both. Printed is the median
over clips of the length of the least change that turned the decision, over the distance, in dB.
"""

import argparse
import sys
from contextlib import suppress

import numpy as np

from sealproof.attacks.adversarial import get_adversary
from sealproof.attacks.adversarial.contract.budget import norms, written
from sealproof.attacks.adversarial.contract.oracle import DIRECTIONS, Direction
from sealproof.attacks.adversarial.testing import LinearOracle, toy_task


class _Spent(Exception):  # noqa: N818 - it is no error
    """All questions are asked."""


def ours(name: str, direction: Direction, questions: int) -> float:
    """Return the excess of one of our adversaries, in dB."""
    task = toy_task(direction, limit=questions)
    assert isinstance(task.oracle, LinearOracle)
    distance = np.abs(task.clips.astype(np.float64) @ task.oracle.weights)
    least = get_adversary(name).perform(task).least
    return float(np.median(20 * np.log10(norms(least.astype(np.float64) - task.clips) / distance)))


def theirs(kind: str, direction: Direction, questions: int) -> float:
    """Return the excess of the toolbox's HopSkipJump or boundary attack, in dB."""
    from art.attacks.evasion import BoundaryAttack, HopSkipJump
    from art.estimators.classification import BlackBoxClassifierNeuralNetwork

    task = toy_task(direction, limit=10**9)
    assert isinstance(task.oracle, LinearOracle)
    weights = task.oracle.weights
    excess = []
    others = task.knowledge.marked if direction == "forgery" else task.knowledge.clean
    for index, clip in enumerate(task.clips.astype(np.float64)):
        best: list[float] = [np.inf]
        asked: list[int] = [0]

        def predict(
            batch: np.ndarray, clip: np.ndarray = clip, best: list[float] = best, asked: list[int] = asked
        ) -> np.ndarray:
            answers = np.zeros((len(batch), 2), np.float32)
            for row, audio in enumerate(batch):
                if asked[0] >= questions:
                    raise _Spent
                asked[0] += 1
                heard = written(audio.astype(np.float64)).astype(np.float64)
                flagged = heard @ weights > 0
                answers[row, int(flagged)] = 1
                if flagged == (direction == "forgery"):
                    best[0] = min(best[0], float(np.linalg.norm(heard - clip)))
            return answers

        model = BlackBoxClassifierNeuralNetwork(predict, (len(clip),), 2, clip_values=(-1.0, 1.0), channels_first=False)
        np.random.seed(index)  # noqa: NPY002 - the toolbox draws from numpy's global generator
        attack = (
            HopSkipJump(model, batch_size=64, max_iter=1000, max_eval=2000, init_eval=100, verbose=False)
            if kind == "hsja"
            else BoundaryAttack(model, targeted=False, max_iter=100_000, verbose=False)
        )
        start = others[index % len(others)][None].astype(np.float32)
        with suppress(_Spent):
            attack.generate(clip[None].astype(np.float32), x_adv_init=start)
        excess.append(20 * np.log10(best[0] / abs(clip @ weights)))
    return float(np.median(excess))


def main() -> None:
    """Print both side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=2000)
    questions = parser.parse_args().questions
    print(f"{questions} questions a clip; excess over the distance in dB, median of 4 clips of 800 samples")
    for kind in ("hsja", "boundary"):
        for direction in DIRECTIONS:
            found = {basis: ours(f"{kind}.{basis}", direction, questions) for basis in ("all", "low")}
            print(
                f"{kind:9} {direction:8} ours, all samples {found['all']:5.2f}, below 2 kHz {found['low']:5.2f}; "
                f"toolbox {theirs(kind, direction, questions):5.2f}",
                flush=True,
            )


if __name__ == "__main__":
    sys.exit(main())
