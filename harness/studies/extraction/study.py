"""The extraction study: how faithful an imitation is, by what it may ask of the detector and how often."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.selection import load_attacks
from sealproof.detectors import get_scheme
from sealproof.detectors.mimics.mimic import Mimic, forward
from sealproof.detectors.mimics.waveform_cnn import DistilledCnn
from sealproof.harness.corpora.base import interleave_groups
from sealproof.harness.datasets.content_keys import attacks_sha256, scheme_sha256
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.foundation.code.files import package_files
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import read_json, sha256_json, write_json
from sealproof.harness.foundation.progress import progress
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.matrix.assembly import cells_of, open_bench
from sealproof.harness.matrix.request import RunRequest
from sealproof.harness.statistics.agreement import cohens_kappa, estimate_agreement
from sealproof.harness.statistics.estimation.estimate import estimate_mean, estimate_rate
from sealproof.harness.tables.resamples import resamples_of
from sealproof.harness.training.mimics.fit_frames import fit_frames
from sealproof.harness.training.mimics.queries import ACCESS, gather_answers
from sealproof.harness.training.mimics.train import recipe_key

BUDGETS = (100, 300, 1000, 3000, 10_000)
"""Answers that are paid for, by default."""

_BLOCK = 64


@dataclass(frozen=True, kw_only=True)
class ExtractRequest:
    """What the study is asked for.

    Attributes:
        access: Some of `labels`, `decisions`, `scores`.
        budgets: Numbers of clips whose label, decision or scores the imitator gets. With `labels` all are training
            clips as they are; else at least half are altered ones.
        attacks: On which the imitation is judged: a preset's name, a TOML file or ids.
        n_clips: Test pairs on which it is judged.
        steps: Training steps, alike for all.
        seed: Of everything that is drawn.
    """

    access: tuple[str, ...] = ACCESS
    budgets: tuple[int, ...] = BUDGETS
    attacks: str = RunRequest.attacks
    n_clips: int = 100
    steps: int = 1500
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse unknown access levels and impossible numbers."""
        unknown = sorted(set(self.access) - set(ACCESS))
        if unknown or not self.access:
            raise HarnessError(f"--access must be some of {', '.join(ACCESS)}. Got {', '.join(unknown) or 'none'}.")
        if not self.budgets or min(self.budgets) < 4:
            raise HarnessError(
                f"--budget must be numbers of clips of at least 4, joined by commas. Got {self.budgets}."
            )
        for name, value in (("clips", self.n_clips), ("steps", self.steps)):
            if value < 1:
                raise HarnessError(f"--{name} must be at least 1. Got {value}.")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One imitation, and how good it is on held-out recordings; 95 % intervals by recording.

    Attributes:
        access: What it was told.
        budget: Clips whose label, decision or scores it got.
        n_pairs: Training pairs among them, 2 clips each.
        n_altered: Altered clips among them, two of three attacked and one mixed with other music.
        accuracy: Share of test clips, not attacked, that it judges right: the task.
        agreement: Share of the same on which it decides as the detector does: fidelity.
        kappa: Cohen's kappa of the same.
        agreement_attacked: Fidelity under attack: mean over the attacks but `identity`.
        train_s: Seconds of training.
    """

    access: str
    budget: int
    n_pairs: int
    n_altered: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    agreement: float
    agreement_low: float
    agreement_high: float
    kappa: float
    agreement_attacked: float
    agreement_attacked_low: float
    agreement_attacked_high: float
    train_s: float


def extract(dataset: Dataset, request: ExtractRequest, out: Path) -> list[Point]:
    """Run the study, or what of it is not done yet.

    A finished point is kept in `out/points` and not computed again while dataset, request, attacks, detector and the
    code of the imitation are the same.

    Raises:
        HarnessError: The dataset has too few training pairs, or the preset is unknown.
        OSError: The folder cannot be written.
    """
    todo = [(access, budget) for access in request.access for budget in sorted(set(request.budgets))]
    paths = {case: out / "points" / f"{_key(dataset, request, *case)[:24]}.json" for case in todo}
    open_cases = [case for case in todo if not paths[case].is_file()]
    judge = _Judge(dataset, request) if open_cases else None
    for access in request.access:
        wanted = [budget for each, budget in open_cases if each == access]
        if wanted and judge is not None:
            for point in _points(dataset, request, access, wanted, judge):
                write_json(paths[access, point.budget], asdict(point))
    return [Point(**read_json(paths[case])) for case in todo]


def _key(dataset: Dataset, request: ExtractRequest, access: str, budget: int) -> str:
    # Which attacks these are, and not where they are listed: another list may have taken its place.
    attacks = load_attacks(request.attacks)
    alone = replace(request, access=(access,), budgets=(budget,), attacks=attacks_sha256(attacks))
    scheme = get_scheme(dataset.scheme)
    code = [recipe_key(DistilledCnn()), package_files(__name__)]
    return sha256_json([dataset.sha256, scheme.version, scheme_sha256(scheme), asdict(alone), code])


def _points(
    dataset: Dataset, request: ExtractRequest, access: str, budgets: Sequence[int], judge: "_Judge"
) -> Iterator[Point]:
    """Yield the points of one access level; the detector is asked once, and smaller budgets get the first part."""
    pairs = _ordered(dataset.split("train"), request.seed)
    recipe = DistilledCnn()
    shares = {budget: _shares(access, budget, len(pairs)) for budget in budgets}
    most_pairs = max(n_pairs for n_pairs, _ in shares.values())
    most_altered = max(n_altered for _, n_altered in shares.values())
    twins, altered = gather_answers(dataset, pairs[:most_pairs], recipe, access, most_altered, request.seed)
    for budget, (n_pairs, n_altered) in shares.items():
        started = time.monotonic()
        model, _ = fit_frames(
            _WithoutQueries() if access == "labels" else recipe,
            twins.first(2 * n_pairs),
            altered.first(n_altered),
            steps=request.steps,
            seed=request.seed,
        )
        trained = time.monotonic() - started
        numbers = judge.judge(model)
        yield Point(
            access=access, budget=budget, n_pairs=n_pairs, n_altered=n_altered, train_s=round(trained, 1), **numbers
        )


class _WithoutQueries(DistilledCnn):
    """The same network and training, with all clips of a step from the pairs."""

    pairs_per_step = DistilledCnn.pairs_per_step + DistilledCnn.queries_per_step // 2
    queries = 0
    queries_per_step = 0


def _shares(access: str, budget: int, n_train: int) -> tuple[int, int]:
    """Return how many pairs and how many altered clips a budget buys."""
    n_pairs = min(n_train, budget // (2 if access == "labels" else 4))
    return n_pairs, 0 if access == "labels" else budget - 2 * n_pairs


def _ordered(pairs: Sequence[Pair], seed: int) -> list[Pair]:
    """Return the pairs in random order, recordings taking turns: a first part has as many recordings as can be."""
    if not pairs:
        raise HarnessError("The dataset must have training pairs to learn from. It has none.")
    return [pairs[index] for index in interleave_groups([pair.group for pair in pairs], derive_seed(seed, "extract"))]


class _Judge:
    """Held-out clips, attacked once, with the detector's decisions."""

    def __init__(self, dataset: Dataset, request: ExtractRequest) -> None:
        asked = RunRequest(attacks=request.attacks, seed=request.seed, n_clips=request.n_clips)
        bench = open_bench(dataset, asked)
        self._resamples = resamples_of([pair.group for pair in bench.pairs], dataset.facts["seed"]).twice()
        self._truth = np.repeat([False, True], len(bench.pairs))
        detector = bench.subjects[0].load()
        self._cells: list[tuple[str, NDArray[np.floating], NDArray[np.bool_]]] = []
        for cell in progress(cells_of(bench, asked), "attacking test clips"):
            audio = bench.attacked(cell, bench.pairs)
            says = np.concatenate(
                [detector.detect(audio[at : at + _BLOCK]).score for at in range(0, len(audio), _BLOCK)]
            )
            # Half the memory; 11 bits of mantissa are finer than 16-bit PCM wherever the audio is soft.
            kept = audio if cell.attack.id == "identity" else audio.astype(np.float16)
            self._cells.append((cell.attack.id, kept, says > detector.threshold))

    def judge(self, model: Any) -> dict[str, float]:
        """Return the numbers of a point."""
        score = forward(model)
        alike: list[NDArray[np.bool_]] = []
        measures: dict[str, float] = {}
        for attack_id, audio, reference in self._cells:
            says = score(audio.astype(np.float32)) > Mimic.threshold
            if attack_id != "identity":
                alike.append(says == reference)
                continue
            right = estimate_rate(says == self._truth, self._resamples)
            agrees = estimate_agreement(says, reference, self._resamples)
            measures |= {"accuracy": right.value, "accuracy_low": right.ci_low, "accuracy_high": right.ci_high}
            measures |= {"agreement": agrees.value, "agreement_low": agrees.ci_low, "agreement_high": agrees.ci_high}
            measures |= {"kappa": cohens_kappa(says, reference)}
        attacked = estimate_mean(np.mean(alike, axis=0), self._resamples, (0.0, 1.0)) if alike else None
        return measures | {
            "agreement_attacked": attacked.value if attacked else np.nan,
            "agreement_attacked_low": attacked.ci_low if attacked else np.nan,
            "agreement_attacked_high": attacked.ci_high if attacked else np.nan,
        }
