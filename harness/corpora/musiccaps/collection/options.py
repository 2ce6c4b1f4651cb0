"""What a collection is asked to be."""

from dataclasses import dataclass, field

from sealproof.harness.corpora.base import clip_samples
from sealproof.harness.corpora.musiccaps.youtube.options import AccessOptions
from sealproof.harness.foundation.audio.files import SAMPLE_RATE
from sealproof.harness.foundation.errors import HarnessError

RETRIES = ("blocked", "transient")


@dataclass(frozen=True, kw_only=True)
class CollectOptions:
    """What is cut, and how it is asked for.

    Attributes:
        offset_s: Where in its segment a clip starts, in seconds, to the millisecond.
        clip_s: Length of a clip in seconds.
        workers: Songs under way at once, 1 or 2.
        per_hour: Songs asked for in an hour at most. A guest is stopped at about 300 (yt-dlp's wiki, Extractors).
        retry: Which songs that were given up are tried again: `blocked`, `transient`.
        attempts: How often a song is tried before it is given up.
        access: How YouTube is asked.
        attempt_s: After so many seconds an attempt counts as hung.
    """

    offset_s: float = 0.0
    clip_s: float = 1.0
    workers: int = 1
    per_hour: int = 250
    retry: tuple[str, ...] = ()
    attempts: int = 3
    access: AccessOptions = field(default_factory=AccessOptions)
    attempt_s: float = 240.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        clip_samples(self.clip_s)
        # Written so that NaN is refused, too.
        if not 0 <= self.offset_s <= 10 - self.clip_s + 1e-9 or abs(self.offset_s - self.offset_ms / 1000) > 1e-9:
            raise HarnessError(
                "--offset-s must be a whole number of milliseconds, at least 0, and leave the clip within the 10 s of "
                f"its segment. Got {self.offset_s:g} s and clips of {self.clip_s:g} s."
            )
        if self.workers not in (1, 2):
            raise HarnessError(
                f"--workers must be 1 or 2: more get everybody behind this address blocked. Got {self.workers}."
            )
        if not 1 <= self.per_hour <= 2000:
            raise HarnessError(f"--per-hour must be from 1 to 2000. Got {self.per_hour}.")
        if not set(self.retry) <= set(RETRIES):
            raise HarnessError(f"--retry must be {' or '.join(RETRIES)}. Got {', '.join(self.retry)}.")
        if self.attempts < 1:
            raise HarnessError(f"A song must be tried at least once. Got {self.attempts} attempts.")

    @property
    def offset_ms(self) -> int:
        """Where in its segment a clip starts, in milliseconds."""
        return round(self.offset_s * 1000)

    @property
    def n_samples(self) -> int:
        """Length of a clip in samples at 16 kHz."""
        return round(self.clip_s * SAMPLE_RATE)

    @property
    def clips(self) -> str:
        """Folder of the clips, relative to the user's: each offset and length has its own."""
        return f"clips/from-{self.offset_ms}ms-{self.n_samples}samples"
