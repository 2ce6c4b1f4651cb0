"""Where adversaries meet a detector: the clips they may attack, what they know, and the fight itself."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sealproof.attacks.adversarial.contract.budget import SnrBudget, norms, written
from sealproof.attacks.adversarial.contract.knowledge import AdversaryKnowledge, Surrogate
from sealproof.attacks.adversarial.contract.oracle import Direction, Floats
from sealproof.attacks.adversarial.contract.search import WITHIN, Attempt, Task
from sealproof.detectors.base import Audio, Detector
from sealproof.harness.corpora.base import interleave_groups
from sealproof.harness.datasets.attacker_knowledge import other_recordings
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.datasets.manifest import Row
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.matrix.quality.audibility import audibility
from sealproof.harness.matrix.quality.waveform import si_sdr_db
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.studies.adversaries.cell import AdversaryCell, Fought
from sealproof.harness.studies.adversaries.target.controls import CONTROLS, control_changes
from sealproof.harness.studies.adversaries.target.oracle import DetectorOracle, detect
from sealproof.harness.studies.adversaries.target.passages import passages
from sealproof.harness.studies.adversaries.target.surrogates import SurrogateSource, loaded


@dataclass(frozen=True)
class Side:
    """The clips that an adversary may attack, one way.

    Attributes:
        pairs: Those judged rightly beforehand.
        n_left_out: Clips that were judged wrongly beforehand: no achievement of anybody.
    """

    pairs: tuple[Pair, ...]
    n_left_out: int


class Arena:
    """A detector under attack, clips, and what adversaries know.

    Attributes:
        dataset: Where the clips are.
        pairs: Test pairs, recordings taking turns: any first part of them has as many recordings as can be.
        subject: The detector under attack.
    """

    def __init__(self, dataset: Dataset, pairs: Sequence[Pair], subject: Subject, seed: int) -> None:
        """Put it together; nothing is loaded yet."""
        order = interleave_groups([pair.group for pair in pairs], derive_seed(seed, "adversaries"))
        self.dataset = dataset
        self.pairs = tuple(pairs[index] for index in order)
        self.subject = subject
        self.sample_rate = int(dataset.facts["sample_rate"])
        self._surrogates: dict[tuple[str, float], Surrogate] = {}
        self._scores: dict[str, Floats] = {}

    @cached_property
    def detector(self) -> Detector:
        """The detector under attack."""
        return self.subject.load()

    @cached_property
    def others(self) -> tuple[Audio, Audio]:
        """Other recordings that adversaries know, clean and marked: training clips, none under test."""
        chosen = other_recordings(self.dataset)
        if not chosen:
            raise HarnessError(f"Adversaries need training clips to know of. {self.dataset.root} has none.")
        return tuple(
            self.dataset.audio([getattr(pair, label) for pair in chosen]) for label in ("clean", "watermarked")
        )  # type: ignore[return-value]  # two of them

    def side(self, direction: Direction, threshold: float, n_clips: int) -> Side:
        """Return which of the first `n_clips` pairs may be attacked."""
        pairs = self.pairs[:n_clips]
        flagged = self._scores_of(direction)[: len(pairs)] > threshold
        is_right = flagged if direction == "removal" else ~flagged
        chosen = tuple(pair for pair, right in zip(pairs, is_right, strict=True) if right)
        return Side(chosen, len(pairs) - len(chosen))

    def _scores_of(self, direction: Direction) -> Floats:
        if direction not in self._scores:
            audio = self.dataset.audio([row_of(pair, direction) for pair in self.pairs])
            self._scores[direction] = detect(self.detector, audio).score.astype(np.float64)
        return self._scores[direction]

    def knowledge(self, cell: AdversaryCell) -> AdversaryKnowledge:
        """Return what a cell's adversary knows."""
        clean, marked = self.others
        surrogate = None if cell.surrogate is None else self._surrogate(cell.surrogate, cell.threshold)
        return AdversaryKnowledge(surrogate, clean, marked, passages(self.sample_rate))

    def _surrogate(self, source: SurrogateSource, threshold: float) -> Surrogate:
        key = (source.version, threshold)
        if key not in self._surrogates:
            self._surrogates[key] = loaded(source, *self.others, threshold)
        return self._surrogates[key]

    def fight(self, cell: AdversaryCell, pairs: Sequence[Pair]) -> Fought:
        """Let an adversary attack a block of pairs, and judge what it hands over as files.

        Raises:
            sealproof.attacks.contract.errors.AttackError: It cannot do it, or broke its budget.
            sealproof.detectors.base.DetectorError: The detector refuses its work.
        """
        clips = self.dataset.audio([row_of(pair, cell.direction) for pair in pairs])
        # Not the budget: a tighter one starts from the same luck.
        name = (cell.adversary.id, cell.direction, cell.rule, cell.surrogate_name)
        seeds = [derive_seed(cell.seed, pair.clip_id, *name) for pair in pairs]
        oracle = DetectorOracle(self.detector, cell.threshold, len(clips), cell.limit)
        knowledge = self.knowledge(cell)
        started = time.process_time(), time.perf_counter()
        task = Task(clips, self.sample_rate, cell.direction, oracle, cell.budgets[0], seeds, knowledge)
        attempt = cell.adversary.perform(task)
        seconds = np.array([time.process_time() - started[0], time.perf_counter() - started[1]])
        return self._judged(cell, clips, attempt, oracle, seeds, seconds)

    def _judged(
        self,
        cell: AdversaryCell,
        clips: Audio,
        attempt: Attempt,
        oracle: DetectorOracle,
        seeds: Sequence[int],
        seconds: Floats,
    ) -> Fought:
        seen = np.isfinite(attempt.least_size)
        least_snr = np.where(seen, _snr_db(clips, attempt.least), -np.inf)
        rows = [self._under(cell, place, clips, attempt, seeds) for place in range(len(cell.budgets))]
        sizes = np.stack([row["size"] for row in rows])
        first = np.stack([_first_questions(cell, place, attempt, rows[place]["success"]) for place in range(len(rows))])
        return Fought(
            success=np.stack([row["success"] for row in rows]),
            controls=np.stack([row["controls"] for row in rows]),
            survives=np.stack([row["survives"] for row in rows]),
            passed_control=np.stack([row["passed_control"] for row in rows]),
            size=sizes,
            snr_db=np.stack([row["snr_db"] for row in rows]),
            nmr_db=np.stack([row["nmr_db"] for row in rows]),
            si_sdr_db=np.stack([row["si_sdr_db"] for row in rows]),
            first_question=first,
            least_snr_db=least_snr,
            n_questions=attempt.n_questions.astype(np.float64),
            n_gradients=attempt.n_gradients.astype(np.float64),
            spied=oracle.answered.astype(np.float64),
            seconds=seconds,
        )

    def _under(
        self, cell: AdversaryCell, place: int, clips: Audio, attempt: Attempt, seeds: Sequence[int]
    ) -> dict[str, Floats]:
        """Judge what was handed over under one budget."""
        who, budget = np.arange(len(clips)), cell.budgets[place]
        ball = budget.ball(clips, self.sample_rate)
        # One that seeks the least change was run once: where the least is within this budget, too, it is handed over.
        handed = attempt.least if cell.adversary.seeks_least else attempt.audio
        if place == 0:
            handed = attempt.audio
        size = ball.size(who, handed.astype(np.float64) - clips)
        handed = np.where((size <= WITHIN)[:, None], handed, clips)
        change = handed.astype(np.float64) - clips
        success = self._turned(cell, handed)
        is_changed = change.any(axis=1)
        level = norms(change)
        if not is_changed.all():
            # Nothing was handed over: noise stands at the budget's own level.
            full = norms(ball.steepest(who, _noise_like(clips)))
            level = np.where(is_changed, level, full)
        rngs = [np.random.default_rng(derive_seed(seed, "control")) for seed in seeds]
        controls = np.full((len(CONTROLS), len(clips)), np.nan)
        for index, made in enumerate(control_changes(change, level, rngs).values()):
            usable = made.any(axis=1)
            controls[index] = np.where(usable, self._turned(cell, written(clips + made)), np.nan)
        survives = np.full((len(passages(self.sample_rate)), len(clips)), np.nan)
        passed = np.zeros_like(survives)
        for index, passage in enumerate(passages(self.sample_rate)):
            survives[index] = np.where(success, self._turned(cell, passage.through(handed, list(seeds))), np.nan)
            passed[index] = self._turned(cell, passage.through(clips, list(seeds)))
        nmr = np.full(len(clips), np.nan)
        if is_changed.any():
            nmr[is_changed] = audibility(clips[is_changed], handed[is_changed], self.sample_rate).nmr_db
        return {
            "success": (success & is_changed).astype(np.float64),
            "controls": controls,
            "survives": survives,
            "passed_control": passed,
            "size": ball.size(who, change),
            "snr_db": _snr_db(clips, handed),
            "nmr_db": nmr,
            "si_sdr_db": si_sdr_db(clips, handed),
        }

    def _turned(self, cell: AdversaryCell, audio: Audio) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
        flagged = detect(self.detector, np.ascontiguousarray(audio, np.float32)).score > cell.threshold
        return np.asarray(flagged == (cell.direction == "forgery"))


def row_of(pair: Pair, direction: Direction) -> Row:
    """Return the clip of a pair that is attacked: the marked one to remove its mark, the clean one to forge one."""
    return pair.watermarked if direction == "removal" else pair.clean


def _snr_db(before: Audio, after: Audio) -> Floats:
    clip, change = norms(before.astype(np.float64)), norms(after.astype(np.float64) - before)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(change > 0, 20 * np.log10(clip / change), np.inf))


def _noise_like(clips: Audio) -> Floats:
    """Return the same white noise for every clip."""
    return np.tile(np.random.default_rng(0).standard_normal(clips.shape[1]), (len(clips), 1))


def _first_questions(cell: AdversaryCell, place: int, attempt: Attempt, success: Floats) -> Floats:
    """Return (n,) after how many questions the first success within a budget came; infinite without one.

    The sizes on the way are known in the budget that the adversary was run in; of another kind of budget, NaN.
    """
    run, asked = cell.budgets[0], cell.budgets[place]
    if isinstance(run, SnrBudget) and isinstance(asked, SnrBudget):
        scale = 10 ** ((asked.snr_db - run.snr_db) / 20)
    elif run == asked:
        scale = 1.0
    else:
        return np.full(len(success), np.nan)
    first = np.full(len(success), np.inf)
    for step in attempt.steps:
        if step.size * scale <= WITHIN and success[step.clip]:
            first[step.clip] = min(first[step.clip], step.n_questions)
    return first
