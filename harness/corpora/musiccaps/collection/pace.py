"""How fast a polite guest asks: a limit of requests an hour, longer and longer pauses, and jitter in both."""

import time
from dataclasses import dataclass, field

import numpy as np

FIRST_PAUSE_S = 300.0
"""Pause after a first block. YouTube's rate limits last for up to an hour (yt-dlp's wiki, Extractors)."""

LONGEST_PAUSE_S = 3600.0

PAUSES = 7
"""Pauses in a row (5, 10, 20, 40, 60, 60, 60 minutes: over four hours) after which a run gives up."""

FAILURES_IN_A_ROW = 5
"""So many songs in a row that fail for now mean that it is not the songs: the network is away."""

_FIRST_DELAY_S, _LONGEST_DELAY_S = 30.0, 1800.0


class Clock:
    """The system's clocks; a test brings its own."""

    def now(self) -> float:
        """Return seconds that only grow."""
        return time.monotonic()

    def date(self) -> float:
        """Return seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass
class Pace:
    """When the next request may start.

    Attributes:
        per_hour: Requests an hour, evenly spread: a bucket of one token, as a burst is what guards look for.
        clock: What is asked for the time.
        rng: Jitter; its results touch nothing but waiting times.
    """

    per_hour: int
    clock: Clock = field(default_factory=Clock)
    rng: np.random.Generator = field(default_factory=np.random.default_rng)

    def __post_init__(self) -> None:
        self.next_at = self.clock.now()
        self.pauses = 0
        self._failures = 0
        self._paused_until = self.next_at

    @property
    def has_given_up(self) -> bool:
        """Whether so many pauses did not help that the run shall end."""
        return self.pauses > PAUSES

    def wait_s(self) -> float:
        """Return the seconds until the next request may start; 0 for now."""
        return max(0.0, self.next_at - self.clock.now())

    def start(self) -> None:
        """Note that a request starts."""
        interval = 3600.0 / self.per_hour * self.rng.uniform(0.7, 1.3)
        self.next_at = max(self.next_at, self.clock.now()) + interval

    def answered(self) -> None:
        """Note an answer of any kind to a song: we are not blocked."""
        self.pauses = self._failures = 0

    def failed(self) -> float | None:
        """Note a failure for now; after several in a row, pause and return the pause in seconds."""
        self._failures += 1
        return self.pause() if self._failures >= FAILURES_IN_A_ROW else None

    def pause(self, at_least_s: float | None = None) -> float | None:
        """Stop all requests for a while, longer each time in a row, and return for how many seconds.

        Args:
            at_least_s: What the server asked for.

        Returns:
            None where a pause was on: two workers may be told of the same block, one after the other.
        """
        now = self.clock.now()
        if now < self._paused_until:
            return None
        self.pauses += 1
        self._failures = 0
        pause_s = max(self._pause_s(self.pauses), at_least_s or 0.0)
        self.next_at = self._paused_until = now + pause_s
        return pause_s

    def take_up_pause(self, n_blocks: int, ago_s: float) -> float:
        """Go on with the pause of an earlier run, and return the rest of it in seconds.

        Args:
            n_blocks: Blocks in a row with which that run ended.
            ago_s: How long ago the last was.
        """
        rest_s = max(0.0, self._pause_s(n_blocks) - max(0.0, ago_s))
        self.next_at = self._paused_until = self.clock.now() + rest_s
        return rest_s

    def _pause_s(self, in_a_row: int) -> float:
        return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(in_a_row - 1, 10)) * self.rng.uniform(1.0, 1.2)

    def retry_delay_s(self, attempt: int) -> float:
        """Return how long a song waits after its failed attempt number `attempt`, from 1 on."""
        return min(_LONGEST_DELAY_S, _FIRST_DELAY_S * 2.0 ** (attempt - 1)) * self.rng.uniform(0.5, 1.5)
