"""What the gate is asked for, with its defaults; each start of pytest reads them, so nothing heavy is imported here."""

from dataclasses import dataclass
from pathlib import Path

from sealproof.harness.comparison import ALLOWED_DROP

SUITE_CLIPS = 400
"""Clips of the demo dataset that is built where no dataset is named: enough for a suite, done in a minute or two."""


@dataclass(frozen=True, kw_only=True)
class GateRequest:
    """What the rates of a session are held against, and how.

    Attributes:
        baseline: File of the accepted rates.
        allowed_drop: By how much a rate may fall, in [0, 1].
        is_update: The session's rates become the baseline; none of them is a failure.
        is_strict: Rates that the baseline lacks, and rates that only the baseline has, are failures.
    """

    baseline: Path = Path("results/baseline.csv")
    allowed_drop: float = ALLOWED_DROP
    is_update: bool = False
    is_strict: bool = False
