"""The extraction study: how faithful an imitation is, by what it may ask of the detector, how often, and who learns."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path

from sealproof.attacks.contract.base import Attack
from sealproof.attacks.selection import load_attacks
from sealproof.detectors import get_scheme
from sealproof.harness.datasets.content_keys import attacks_sha256, scheme_sha256
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.code.files import package_files
from sealproof.harness.foundation.code.identity import code_sha256
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import sha256_json
from sealproof.harness.studies.extraction.exam.clips import Exam, hold_exam
from sealproof.harness.studies.extraction.exam.yardsticks import (
    ATTACK_AND_LABEL,
    SHIFTED,
    TRUTH,
    Yardstick,
    attack_and_label,
    of_detector,
    shifted,
    truth,
)
from sealproof.harness.studies.extraction.imitators.catalogue import IMITATORS, get_imitator
from sealproof.harness.studies.extraction.lessons import data as attackers_data
from sealproof.harness.studies.extraction.lessons.pool import Pool, gather_pool
from sealproof.harness.studies.extraction.points import Point, read_point, write_point
from sealproof.harness.studies.extraction.request import TRAIN, WITHOUT, Case, ExtractRequest
from sealproof.harness.training.mimics.altered import query_attacks
from sealproof.harness.training.mimics.trained import shipped_mimics, trained_mimics

_EXAM_SEED = 0
"""Of random attacks on held-out clips: one exam for all, whatever the seeds of what is taught."""


@dataclass(frozen=True)
class Result:
    """Somebody's answers on an exam.

    Attributes:
        who: An imitator, or a yardstick.
        case: What it was taught with; None for a yardstick.
        point: What it said.
        exam: On what.
    """

    who: str
    case: Case | None
    point: Point
    exam: Exam = field(repr=False)


def extract(dataset: Dataset, request: ExtractRequest, out: Path) -> list[Result]:
    """Run the study, or what of it is not done yet.

    A finished case is kept in `out/points` and not computed again while dataset, clips, attacks, detector, and the
    code of imitation and study are the same.

    Raises:
        HarnessError: The dataset has too few clips, or a name is unknown.
        OSError: The folder cannot be written.
    """
    attacks = load_attacks(request.attacks)
    exams = _Exams(dataset, request, attacks, out)
    cases = list(request.cases())
    results: dict[Case, Result] = {}
    for (data, _, seed), together in groupby(cases, lambda case: (case.data, case.augment, case.seed)):
        exam = exams.of(data)
        group = list(together)
        paths = {case: _path(out, dataset, exam, case) for case in group}
        todo = [case for case in group if not paths[case].is_file()]
        if todo:
            source, pairs = attackers_data.attackers_pairs(dataset, data, seed)
            pool = gather_pool(source, pairs, todo)
            for case in todo:
                write_point(paths[case], _taught(dataset, exam, pool, case))
        for case in group:
            results[case] = Result(case.imitator, case, _kept(paths[case]), exam)
    yardsticks = list(_yardsticks(dataset, exams, out)) if request.yardsticks else []
    return [*yardsticks, *(results[case] for case in cases)]


class _Exams:
    """Exams by the attacker's data: a source that is left out is what is judged on."""

    def __init__(self, dataset: Dataset, request: ExtractRequest, attacks: Sequence[Attack], out: Path) -> None:
        self._dataset, self._request, self._attacks, self._out = dataset, request, attacks, out / "exam"
        self._known: dict[str, Exam] = {}

    def of(self, data: str) -> Exam:
        name = data if data.startswith(WITHOUT) else TRAIN
        if name not in self._known:
            request = self._request
            source, pairs = attackers_data.judged_pairs(self._dataset, name, request.n_clips, request.judge)
            self._known[name] = hold_exam(source, pairs, self._attacks, _EXAM_SEED, self._out)
        return self._known[name]

    def on_validation(self) -> Exam:
        """Return other clips under the same attacks, as many."""
        pairs = self._dataset.split("validation")[: self._request.n_clips]
        if not pairs:
            raise HarnessError("The dataset must have a validation split for an oracle to be fitted on. It has none.")
        return hold_exam(self._dataset, pairs, self._attacks, _EXAM_SEED, self._out)


def _path(out: Path, dataset: Dataset, exam: Exam, case: Case) -> Path:
    imitator = IMITATORS[case.imitator]
    scheme = get_scheme(dataset.scheme)
    code = [code_sha256(imitator), code_sha256(gather_pool), package_files(__name__.rpartition(".")[0] + ".lessons")]
    altered = attacks_sha256(query_attacks()) if case.is_altered else ""
    data = attackers_data.data_sha256(dataset, case.data)
    key = [dataset.sha256, data, scheme.version, scheme_sha256(scheme), exam.key, asdict(case), code, altered]
    return out / "points" / f"{sha256_json(key)[:24]}.npz"


def _taught(dataset: Dataset, exam: Exam, pool: Pool, case: Case) -> Point:
    imitator = get_imitator(case.imitator, get_scheme(dataset.scheme))
    started = time.monotonic()
    lesson, n_pairs, n_altered = pool.lesson(case, imitator)
    judge = imitator.fit(lesson, steps=case.steps, seed=case.seed)
    trained = time.monotonic() - started
    facts = {"n_pairs": n_pairs, "n_altered": n_altered, "train_s": round(trained, 1), "case": asdict(case)}
    return Point(exam.decisions(judge), facts)


def _yardsticks(dataset: Dataset, exams: _Exams, out: Path) -> Iterator[Result]:
    exam = exams.of(TRAIN)
    detector = get_scheme(dataset.scheme).detector
    trained = {mimic.name: mimic for mimic in shipped_mimics(dataset)}
    trained |= {mimic.name: mimic for mimic in trained_mimics(dataset) if not mimic.is_leaky}
    yardsticks: dict[str, tuple[str, Yardstick]] = {TRUTH: ("", truth), SHIFTED: ("", shifted(detector))}
    for name, mimic in trained.items():
        yardsticks[f"mimic_{name}"] = (mimic.detector().version, of_detector(mimic.detector()))
    known = exams.on_validation()
    yardsticks[ATTACK_AND_LABEL] = (known.key, attack_and_label(known))
    for name, (version, ask) in yardsticks.items():
        key = sha256_json([exam.key, name, version, code_sha256(shifted)])
        path = out / "points" / f"{key[:24]}.npz"
        if not path.is_file():
            write_point(path, Point(ask(exam), {"yardstick": name}))
        yield Result(name, None, _kept(path), exam)


def _kept(path: Path) -> Point:
    point = read_point(path)
    assert point is not None  # noqa: S101 - it is there, or has just been written
    return point
