"""What a search for counterexamples is asked for; nothing heavy is imported here."""

from dataclasses import dataclass
from pathlib import Path

from sealproof.harness.foundation.errors import HarnessError

FILE = Path("results/counterexamples.toml")
"""Where counterexamples are kept, and replayed from by `pytest -m robustness`."""

DETECTION, AGREEMENT = "detection", "agreement"


@dataclass(frozen=True, kw_only=True)
class SearchRequest:
    """What a search is asked for.

    Attributes:
        attacks: What chains are made of: a preset, a TOML file or ids.
        of: `detection` (how many marked clips are still flagged) or `agreement` (of a mimic with the reference).
        alone: A link must leave at least this rate by itself.
        together: A chain is a counterexample where at most this rate is left.
        most_lsd_db: The log-spectral distances of the links may add up to this: the budget of hearing.
        n_wanted: Stop after so many different ones.
        n_runs: Chains that are tried, at most.
        n_clips: Validation pairs they are tried on; the test pairs of the verification are all there are, up to 64.
        seed: Of everything that is drawn.
        out: The file.
    """

    attacks: str = "fast"
    of: str = DETECTION
    alone: float = 0.95
    together: float = 0.10
    most_lsd_db: float = 20.0
    n_wanted: int = 1
    n_runs: int = 300
    n_clips: int = 16
    seed: int = 0
    out: Path = FILE

    def __post_init__(self) -> None:
        """Refuse impossible numbers."""
        if self.of not in (DETECTION, AGREEMENT):
            raise HarnessError(f"--of must be {DETECTION} or {AGREEMENT}. Got {self.of!r}.")
        if not 0 <= self.together < self.alone <= 1:
            raise HarnessError(
                f"--together must lie below --alone, both in 0 .. 1. Got {self.together:g} and {self.alone:g}."
            )
        for name, value in (("runs", self.n_runs), ("clips", self.n_clips), ("wanted", self.n_wanted)):
            if value < 1:
                raise HarnessError(f"--{name} must be at least 1. Got {value}.")
