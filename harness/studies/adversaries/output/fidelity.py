"""Does fidelity predict transfer? How alike each surrogate is to the detector, beside what its gradients reach."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from sealproof.attacks.adversarial.contract.oracle import DIRECTIONS, Direction
from sealproof.harness.foundation.picture import write_png
from sealproof.harness.statistics.agreement import estimate_agreement
from sealproof.harness.studies.adversaries.arena import row_of
from sealproof.harness.studies.adversaries.output.rows import AdversaryRow
from sealproof.harness.studies.adversaries.study import Study
from sealproof.harness.studies.adversaries.target.oracle import detect
from sealproof.harness.studies.adversaries.target.surrogates import OWN, SurrogateSource
from sealproof.harness.tables.resamples import resamples_of


@dataclass(frozen=True, kw_only=True)
class FidelityRow:
    """One row of adversary_fidelity.csv: a surrogate, and what `transfer` from it reached.

    Attributes:
        dataset: Name of the dataset's folder.
        scheme: Whose detector is attacked.
        surrogate: The surrogate.
        access: What it was told of the detector.
        agreement: Share of the attacked clips and their twins, as they are, that it decides as the detector does.
        ci_low: Lower end of its 95 % interval, by recording.
        ci_high: Upper end.
        n_clips: Clips that agreement is taken over.
        adversary: Which form of `transfer`.
        direction: `removal` or `forgery`.
        rule: The threshold that was attacked.
        budget: What it was allowed.
        success: Share of clips turned; None where it has no number.
    """

    dataset: str
    scheme: str
    surrogate: str
    access: str
    agreement: float
    ci_low: float
    ci_high: float
    n_clips: int
    adversary: str
    direction: str
    rule: str
    budget: str
    success: float | None


FIDELITY_COLUMNS = tuple(item.name for item in fields(FidelityRow))


def fidelity_rows(study: Study, rows: Sequence[AdversaryRow]) -> list[FidelityRow]:
    """Return a row for each surrogate, direction, rule and budget of `transfer`; none where no surrogate was tried."""
    sources: dict[str, SurrogateSource] = {}
    for result in study.results:
        if result.cell.surrogate is not None and result.cell.surrogate.name != OWN:
            sources[result.cell.surrogate.name] = result.cell.surrogate
    agreements = {name: _agreement(study, source) for name, source in sources.items()}
    return [
        FidelityRow(
            dataset=row.dataset,
            scheme=row.scheme,
            surrogate=row.surrogate,
            access=row.access,
            agreement=agreements[row.surrogate][0],
            ci_low=agreements[row.surrogate][1],
            ci_high=agreements[row.surrogate][2],
            n_clips=int(agreements[row.surrogate][3]),
            adversary=row.adversary,
            direction=row.direction,
            rule=row.rule,
            budget=row.budget,
            success=row.value,
        )
        for row in rows
        if row.metric == "success" and row.surrogate in agreements and row.adversary.startswith("transfer.")
    ]


def _agreement(study: Study, source: SurrogateSource) -> tuple[float, float, float, float]:
    """Return agreement at either one's own threshold with its interval, and the number of clips."""
    arena = study.arena
    pairs = arena.pairs[: max(result.cell.n_clips for result in study.results)]
    audio = arena.dataset.audio([row_of(pair, direction) for direction in DIRECTIONS for pair in pairs])
    reference = detect(arena.detector, audio).score > arena.detector.threshold
    says = source.load()(audio, source.threshold, True).score > source.threshold
    groups = [pair.group for pair in pairs] * len(DIRECTIONS)
    agreement = estimate_agreement(says, reference, resamples_of(groups, int(arena.dataset.facts["seed"])))
    return agreement.value, agreement.ci_low, agreement.ci_high, float(len(audio))


def write_fidelity_picture(rows: Sequence[FidelityRow], path: Path) -> None:
    """Draw success against agreement, a panel for each direction, a colour for each budget, and write a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(DIRECTIONS), sharey=True)
    for axes, direction in zip(panels, DIRECTIONS, strict=True):
        for budget in dict.fromkeys(row.budget for row in rows):
            points = [(row.agreement, row.success, row.surrogate) for row in _of(rows, direction, budget)]
            axes.plot([x for x, _, _ in points], [y for _, y, _ in points], "o", label=budget)
        for x, y, name in {(row.agreement, row.success, row.surrogate) for row in rows if row.direction == direction}:
            if y is not None and np.isfinite(x):
                axes.annotate(name, (x, y), fontsize=7, xytext=(3, 3), textcoords="offset points")
        axes.set_title(f"{direction}: share turned by transfer", fontsize=10)
        axes.set_xlabel("agreement of the surrogate, clips not attacked")
        axes.set_ylim(-0.02, 1.05)
        axes.grid(color="0.9")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(frameon=False, fontsize=8)
    write_png(figure, path)


def _of(rows: Sequence[FidelityRow], direction: Direction, budget: str) -> list[FidelityRow]:
    return [row for row in rows if (row.direction, row.budget) == (direction, budget) and row.success is not None]
