"""Reading a run folder: what `sealproof run` wrote, checked against the hashes in its run.json."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import read_json, sha256_file
from sealproof.harness.foundation.text import unfilled
from sealproof.harness.statistics.estimation.worst_case import WorstCase
from sealproof.harness.tables.dictionary.columns import ADVERSARY, ATTACKS, BREAK_POINTS, CLIPS, RUN, SUMMARY
from sealproof.harness.tables.reading.clips import ClipScores, RunDecisions, read_decisions, read_scores
from sealproof.harness.tables.reading.diagnosis import shipped_verdict
from sealproof.harness.tables.reading.marking import marks_clean_clips
from sealproof.harness.tables.reading.series import Key, Series, series_of
from sealproof.harness.tables.reading.sweeps import sweeps_of
from sealproof.harness.tables.reading.worst_case import worst_cases
from sealproof.harness.tables.sweeps import Sweep, read_params

if TYPE_CHECKING:
    import pandas as pd


_NUMBERS = {
    SUMMARY: ("value", "ci_low", "ci_high", "n_clips", "n_groups"),
    ATTACKS: (),
    BREAK_POINTS: ("value", "ci_low", "ci_high", "weakest", "strongest", "n_strengths", "n_clips", "n_groups"),
}
"""Columns that hold numbers; an empty field of theirs is NaN."""

_NEEDED = {
    SUMMARY: {"attack", "params", "detector", "role", "threshold_rule", "metric", "value", "status", "error"},
    ATTACKS: {"attack", "params", "family", "quantity", "status", "duplicate_of", "error"},
    BREAK_POINTS: {"attack", "params", "parameter", "detector", "status", "value"},
}


@dataclass(frozen=True)
class ReportedCell:
    """One cell of the run.

    Attributes:
        attack: Name of the attack.
        params: Its parameters as in summary.csv.
        attack_id: The attack's id, from which it can be built again.
        key: The cell's content key.
        family: Heading under which the catalogue lists the attack; empty where attacks.csv does not name it.
        error: Why it failed; empty when it did not.
    """

    attack: str
    params: str
    attack_id: str
    key: str
    family: str
    error: str

    def marks_clean_clips(self, scheme: str) -> bool:
        """Return whether the attack puts the scheme's own mark on clean clips."""
        return marks_clean_clips(self.attack, self.params, scheme)

    @property
    def title(self) -> str:
        """What the attack is called: its name, or the names of a chain's links."""
        # A link may be `offset.1.5ms`: what follows a `+` up to the first dot is its name.
        return self.attack if self.attack != "chain" else re.sub(r"\.[^+]*", "", self.attack_id)

    @property
    def parameters(self) -> dict[str, str]:
        """Its parameters by name."""
        return read_params(self.params)


@dataclass(frozen=True)
class ReportedDetector:
    """One detector of the run; `thresholds` is by rule."""

    name: str
    role: str
    version: str
    thresholds: Mapping[str, float]
    n_calibration: int
    fpr_support: bool


@dataclass(frozen=True)
class RunFolder:
    """A run folder; tables are read when they are asked for.

    Attributes:
        root: The folder.
        facts: What run.json says.
    """

    root: Path
    facts: Mapping[str, Any]

    @classmethod
    def open(cls, root: Path) -> "RunFolder":
        """Open a run folder.

        Raises:
            HarnessError: It is none, or its files are not those that its run.json names.
        """
        needed = (RUN, SUMMARY, ATTACKS, CLIPS)
        missing = [name for name in needed if not (root / name).is_file()]
        if missing:
            raise HarnessError(f"{root} must be a folder that `sealproof run` wrote. It has no {', '.join(missing)}.")
        try:
            facts = read_json(root / RUN)
            hashes = dict(facts["files"])
            required = [facts[name] for name in ("scheme", "dataset", "dataset_sha256", "seed", "cells", "detectors")]
        except (ValueError, TypeError, KeyError) as error:
            raise HarnessError(
                f"{root / RUN} is damaged ({error!r}): write the run's tables again with `sealproof run`."
            ) from error
        del required
        for name, expected in hashes.items():
            if not (root / name).is_file() or sha256_file(root / name) != expected:
                raise HarnessError(
                    f"{root / name} must be as {RUN} says, sha256 {expected[:12]}.... It is gone or was changed: "
                    "write the run's tables again with `sealproof run`."
                )
        return cls(root, facts)

    @property
    def scheme(self) -> str:
        """Name of the watermark scheme."""
        return str(self.facts["scheme"])

    @cached_property
    def detectors(self) -> tuple[ReportedDetector, ...]:
        """The detectors, the reference first."""
        detectors = [
            ReportedDetector(
                name,
                str(about["role"]),
                str(about["version"]),
                {
                    key.removeprefix("threshold_"): float(value)
                    for key, value in about.items()
                    if key.startswith("threshold_") and isinstance(value, (int, float))
                },
                int(about["calibration_clean_clips"]),
                bool(about["fpr_support"]),
            )
            for name, about in self.facts["detectors"].items()
        ]
        return tuple(sorted(detectors, key=lambda detector: detector.role != "reference"))

    @cached_property
    def summary(self) -> "pd.DataFrame":
        """summary.csv."""
        return self._read(SUMMARY)

    @cached_property
    def attacks(self) -> "pd.DataFrame":
        """attacks.csv."""
        return self._read(ATTACKS)

    @cached_property
    def break_points(self) -> "pd.DataFrame | None":
        """break_points.csv; None where the run has no sweep, and so no such file."""
        return self._read(BREAK_POINTS) if (self.root / BREAK_POINTS).is_file() else None

    @cached_property
    def worst_cases(self) -> list[WorstCase]:
        """Robust accuracy of the reference by budget, over all attacks of the run; see `worst_case`.

        Raises:
            HarnessError: clips.csv is damaged.
        """
        seed = self.facts.get("dataset_seed")
        return [] if seed is None else worst_cases(self.root, self.scheme, self.detectors[0].name, int(seed))

    @cached_property
    def adversaries(self) -> "pd.DataFrame | None":
        """adversary.csv, where `sealproof adversary` wrote into this folder; None where it did not.

        Raises:
            HarnessError: It is of another scheme or dataset, or damaged.
        """
        path = self.root / ADVERSARY
        if not path.is_file():
            return None
        import pandas as pd

        try:
            table = pd.read_csv(path, keep_default_na=False, na_values={"value": [""]}, dtype={"value": float})
            own = set(zip(table["scheme"], table["dataset"], strict=True))
            missing = {"adversary", "surrogate", "access", "direction", "budget", "rule", "metric", "status"} - set(
                table
            )
        except (KeyError, ValueError, pd.errors.ParserError) as error:
            raise HarnessError(f"{path} is damaged ({error}): write it again with `sealproof adversary`.") from error
        if missing or own - {(self.scheme, str(self.facts["dataset"]))}:
            raise HarnessError(
                f"{path} must be of {self.scheme} and {self.facts['dataset']}, as the run is. Got {sorted(own)}: "
                "write it again with `sealproof adversary --out`, or remove it."
            )
        return table

    @cached_property
    def cells(self) -> tuple[ReportedCell, ...]:
        """The cells in the run's order, `identity` first.

        Raises:
            HarnessError: run.json and summary.csv do not name the same cells.
        """
        rows = self.summary.drop_duplicates(["attack", "params"])
        ran = self.facts["cells"]
        if len(rows) != len(ran):
            raise HarnessError(
                f"{RUN} and {SUMMARY} of {self.root} must name the same cells. Got {len(ran)} and {len(rows)}."
            )
        named = self.attacks.drop_duplicates(["attack", "params"])
        families = dict(zip(zip(named["attack"], named["params"], strict=True), named["family"], strict=True))
        return tuple(
            ReportedCell(
                attack,
                params,
                str(cell["id"]).removeprefix(f"{self.scheme}-"),
                str(cell["key"]),
                families.get((attack, params), ""),
                error,
            )
            for attack, params, error, cell in zip(rows["attack"], rows["params"], rows["error"], ran, strict=True)
        )

    @cached_property
    def sweeps(self) -> tuple[Sweep, ...]:
        """Which cells make a sweep."""
        return tuple(sweeps_of(self.cells))

    @cached_property
    def series(self) -> Mapping[Key, Series]:
        """The numbers of summary.csv, cell by cell."""
        return series_of(self.summary, {(cell.attack, cell.params): place for place, cell in enumerate(self.cells)})

    @cached_property
    def scores(self) -> ClipScores:
        """The scores of clips.csv.

        Raises:
            HarnessError: The file is damaged, or speaks of cells or detectors that the run does not have.
        """
        cells = [(cell.attack, cell.params) for cell in self.cells]
        return read_scores(self.root / CLIPS, cells, [detector.name for detector in self.detectors])

    @cached_property
    def decisions(self) -> RunDecisions:
        """The decisions of clips.csv.

        Raises:
            HarnessError: The file is damaged.
        """
        return read_decisions(self.root / CLIPS)

    @cached_property
    def diagnosis(self) -> tuple[str, ...]:
        """What the diagnosis that ships with the scheme says of it; nothing where there is none of this version."""
        return shipped_verdict(self.scheme, self.detectors[0].version)

    def _read(self, name: str) -> "pd.DataFrame":
        import pandas as pd

        path = self.root / name
        try:
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            missing = sorted(_NEEDED[name] - set(table.columns))
            if missing:
                raise HarnessError(
                    f"{path} must have the columns {', '.join(missing)}: write it again with `sealproof run`."
                )
            table["params"] = table["params"].map(unfilled)
            for column in _NUMBERS[name]:
                table[column] = pd.to_numeric(table[column])
        except (pd.errors.ParserError, ValueError) as error:
            raise HarnessError(
                f"{path} must be a table that `sealproof run` wrote ({error}): write it again."
            ) from error
        return table
