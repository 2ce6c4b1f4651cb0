"""What the gate is asked for, with its defaults; each start of pytest reads them, so nothing heavy is imported here."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from sealproof.harness.statistics.change.budget import ALLOWED_DROP

SUITE_CLIPS = 700
"""Clips of the demo dataset that is built where none is named: 105 calibrate, and 1 % false positives takes 99."""


@dataclass(frozen=True, kw_only=True)
class GateRequest:
    """What the rates of a session are held against, and how.

    Attributes:
        baseline: File of the accepted rates.
        allowed_drop: By how much a rate may fall, in [0, 1].
        is_update: The session's rates become the baseline, but for cells with a regression that is not accepted.
        accepted: Names of cells, with `*` for any letters, whose regressions an update accepts.
        gates_mimics: Mimics are held against the baseline, too, not the reference alone.
        is_strict: Rates that the baseline lacks, and rates that only the baseline has, are failures.
    """

    baseline: Path = Path("results/baseline.csv")
    allowed_drop: float = ALLOWED_DROP
    is_update: bool = False
    accepted: tuple[str, ...] = ()
    gates_mimics: bool = False
    is_strict: bool = False

    def gates(self, role: str) -> bool:
        """Return whether detectors of this role are held against the baseline."""
        return role == "reference" or self.gates_mimics

    def accepts(self, cell_id: str) -> bool:
        """Return whether a regression of this cell may become the baseline."""
        return any(fnmatchcase(cell_id, pattern) for pattern in self.accepted)
