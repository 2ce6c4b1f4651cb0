"""The study: every cell fought block by block, or taken from the store; a cell that fails says why."""

from collections.abc import Sequence
from dataclasses import dataclass

from sealproof.attacks.contract.errors import AttackError
from sealproof.detectors import get_scheme
from sealproof.detectors.base import DetectorError
from sealproof.harness.datasets.dataset import Dataset, Pair
from sealproof.harness.foundation.progress import progress
from sealproof.harness.matrix.assembly import open_bench
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.request import RunRequest
from sealproof.harness.studies.adversaries.arena import Arena
from sealproof.harness.studies.adversaries.cell import AdversaryCell, Fought
from sealproof.harness.studies.adversaries.plan import plan
from sealproof.harness.studies.adversaries.request import AdversaryRequest
from sealproof.harness.studies.adversaries.store import FoughtStore
from sealproof.harness.studies.adversaries.target.surrogates import (
    SurrogateSource,
    control_sources,
    mimic_source,
    own_source,
    scheme_source,
)
from sealproof.harness.tables.write import thresholds_of
from sealproof.harness.training.mimics.trained import shipped_mimics, trained_mimics

_OTHER = "spread_spectrum"
"""The scheme whose detector is a surrogate of all others."""

_BLOCK = 16
"""Clips that are attacked side by side: bounds memory, and what is lost when it is stopped."""


@dataclass(frozen=True)
class CellResult:
    """What came of a cell.

    Attributes:
        cell: The cell.
        pairs: The clips' pairs, in the order of `fought`.
        n_left_out: Clips that were judged wrongly beforehand.
        fought: What came of it; None where it could not be done or there was no clip to attack.
        error: Why it could not; empty where it could.
        was_stored: All of it was in the store.
    """

    cell: AdversaryCell
    pairs: tuple[Pair, ...]
    n_left_out: int
    fought: Fought | None
    error: str = ""
    was_stored: bool = False


@dataclass(frozen=True)
class Study:
    """A study that is over.

    Attributes:
        bench: The dataset with its detectors and thresholds, as a run has them.
        arena: The detector under attack.
        thresholds: Of its score, by rule.
        results: In the order of the plan.
        seed: Of the study, and of the run whose cells stand beside it.
    """

    bench: Bench
    arena: Arena
    thresholds: dict[str, float]
    results: tuple[CellResult, ...]
    seed: int


def fight_all(dataset: Dataset, request: AdversaryRequest) -> Study:
    """Run a study, or what of it is not done yet.

    Finished blocks are kept in the dataset's folder `adversaries` and never run again while clips, detector, surrogate,
    limits, and the code behind them are the same.

    Raises:
        HarnessError: The dataset has no training clips or an option is wrong.
        AttackError: An adversary is unknown.
        DetectorError: The scheme cannot run here.
    """
    bench = open_bench(dataset, RunRequest(seed=request.seed))
    arena = Arena(dataset, bench.pairs, bench.subjects[0], request.seed)
    known = thresholds_of(bench, request.seed)[arena.subject.name].by_rule()
    thresholds = {rule: known[rule] for rule in request.rules if rule in known}
    sources = surrogates_of(dataset, arena, request)
    cells = plan(dataset.scheme, request, thresholds, sources)
    store = FoughtStore(dataset, arena.subject)
    results = tuple(_fought(arena, store, cell) for cell in progress(cells, "adversaries"))
    return Study(bench, arena, thresholds, results, request.seed)


def surrogates_of(dataset: Dataset, arena: Arena, request: AdversaryRequest) -> list[SurrogateSource]:
    """Return the surrogates there are: the detector itself, mimics, and imitations that know nothing."""
    trained = [mimic for mimic in trained_mimics(dataset) if not mimic.is_leaky]
    names = {mimic.name for mimic in trained}
    mimics = [*trained, *(mimic for mimic in shipped_mimics(dataset) if mimic.name not in names)]
    own = own_source(arena.subject)
    # Quick, and of another kind than the networks.
    other = scheme_source(get_scheme(_OTHER)) if request.controls and dataset.scheme != _OTHER else None
    return [
        *([own] if own is not None else []),
        *(mimic_source(mimic) for mimic in sorted(mimics, key=lambda mimic: mimic.name)),
        *([other] if other is not None else []),
        *(control_sources(dataset, request.seed) if request.controls else ()),
    ]


def _fought(arena: Arena, store: FoughtStore, cell: AdversaryCell) -> CellResult:
    side = arena.side(cell.direction, cell.threshold, cell.n_clips)
    if not side.pairs:
        return CellResult(cell, (), side.n_left_out, None, "no clip was judged rightly beforehand")
    parts: list[Fought] = []
    was_stored = True
    for block in _blocks(side.pairs):
        fought = store.get(cell, block)
        if fought is None:
            was_stored = False
            try:
                fought = arena.fight(cell, block)
            except (AttackError, DetectorError) as error:
                return CellResult(cell, side.pairs, side.n_left_out, None, str(error))
            store.put(cell, block, fought)
        parts.append(fought)
    return CellResult(cell, side.pairs, side.n_left_out, Fought.joined(parts), was_stored=was_stored)


def _blocks(pairs: Sequence[Pair]) -> list[Sequence[Pair]]:
    return [pairs[at : at + _BLOCK] for at in range(0, len(pairs), _BLOCK)]
