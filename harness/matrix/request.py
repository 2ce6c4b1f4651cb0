"""What a run is asked for, with the defaults that the command line and the pytest plugin share.

Both read them when they start, so nothing heavy is imported here.
"""

from dataclasses import dataclass
from pathlib import Path

from sealproof.harness.foundation.errors import HarnessError


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """What a run is asked for.

    Attributes:
        attacks: A preset's name or a TOML file.
        seed: Decides what random attacks draw.
        n_clips: At most this many test pairs, spread over the groups; None for all.
        quality: Slow metrics of the attacked audio that are measured too: some of `PERCEPTUAL_METRICS`.
        out: Folder of the tables.
    """

    attacks: str = "fast"
    seed: int = 0
    n_clips: int | None = None
    quality: tuple[str, ...] = ()
    out: Path = Path("results")

    def __post_init__(self) -> None:
        """Refuse an impossible number of clips."""
        if self.n_clips is not None and self.n_clips < 1:
            raise HarnessError(f"--clips must be at least 1. Got {self.n_clips}.")
