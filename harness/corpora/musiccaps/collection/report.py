"""How the songs of a collection stand, told by count and reason."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from sealproof.harness.corpora.musiccaps.collection.journal import BLOCKED, TRANSIENT


@dataclass(frozen=True, kw_only=True)
class CollectReport:
    """How the songs stand after a run.

    Attributes:
        n_songs: Asked for.
        n_done: Whose clip is there.
        n_new: Whose clip this run brought.
        failed: Counts of the others by (state, reason).
        n_not_tried: The rest.
        stopped: Why the run ended before all were tried; None where it did not.
    """

    n_songs: int
    n_done: int
    n_new: int
    failed: Counter[tuple[str, str]] = field(default_factory=Counter)
    n_not_tried: int = 0
    stopped: str | None = None

    def of_state(self, state: str) -> int:
        """Return how many songs failed so."""
        return sum(count for (its, _), count in self.failed.items() if its == state)

    def lines(self) -> Iterator[str]:
        """Yield the counts by reason, and what can be done."""
        yield f"{self.n_done:,} of {self.n_songs:,} clips are there, {self.n_new:,} of them new."
        for (state, reason), count in sorted(self.failed.items(), key=lambda item: (item[0][0], -item[1], item[0][1])):
            yield f"  {count:6,} {state}: {reason}"
        if self.n_not_tried:
            yield f"  {self.n_not_tried:6,} not tried"
        yield from self.advice()

    def advice(self) -> Iterator[str]:
        """Yield what can be done about songs whose clip is not there."""
        if self.stopped:
            yield f"{self.stopped} Give the same command again in some hours: nothing finished is fetched again."
        if self.of_state(BLOCKED):
            yield "Blocked songs: wait an hour, or take another --proxy or --cookies; then add --retry blocked."
        if self.of_state(TRANSIENT):
            yield "Transient failures: add --retry transient; a newer yt-dlp may help."
