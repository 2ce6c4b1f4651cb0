"""Why a song could not be had: for good, because we are blocked, or for now; with the words that were said."""

import re
from dataclasses import dataclass
from typing import Literal, get_args

from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.corpora.musiccaps.cutting.http_ranges import FetchError

Kind = Literal["permanent", "blocked", "transient"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_LONGEST = 300


@dataclass(frozen=True)
class Failure:
    """A failed attempt.

    Attributes:
        kind: `permanent` (asking again is useless), `blocked` (nobody gets an answer: everything must pause) or
            `transient` (asking later may help).
        reason: In one or two words, the same for the same cause: what counts are made of.
        words: What yt-dlp, the server or FFmpeg said, without addresses' queries, credentials and control characters.
        retry_after_s: How long the server asked us to wait; None where it did not say.
    """

    kind: Kind
    reason: str
    words: str
    retry_after_s: float | None = None

    @property
    def is_about_the_way(self) -> bool:
        """Whether it tells of the way to the server and not of the song."""
        return self.reason in _WAY


_WAY = frozenset(("network", "timed out", "hung", "server error", "certificate"))

_SAID: tuple[tuple[Kind, str, str], ...] = (
    ("permanent", "private", r"private video|video is private"),
    ("permanent", "account terminated", r"account .{0,60}terminated"),
    ("permanent", "not in this country", r"your country|your location|geo.?restrict"),
    ("permanent", "copyright", r"copyright"),
    ("permanent", "age check", r"confirm your age|age.restricted|inappropriate for some users"),
    ("permanent", "members only", r"members.only|join this channel|channel's members"),
    ("permanent", "paid", r"requires payment|premium members|purchase|rent this"),
    ("permanent", "DRM", r"drm.protected"),
    # Blocks before the general "unavailable": YouTube says "Video unavailable. This content isn't available, try again
    # later" to whoever asked too often.
    ("blocked", "bot check", r"not a bot|captcha|unusual traffic|likely being blocked|please sign in"),
    ("blocked", "too many requests", r"http error 429|too many requests|rate.?limit|try again later"),
    ("permanent", "removed", r"has been removed|been deleted|no longer available|does not exist"),
    ("transient", "no audio format", r"requested format is not available|only images are available|no video formats"),
    ("transient", "still processing", r"processing this video|premieres in|live event will begin"),
    ("permanent", "unavailable", r"video (is )?(un|not )available|recording is not available|content isn't available"),
    ("permanent", "not found", r"http error (404|410)"),
    ("transient", "refused (403)", r"http error 403"),
    ("transient", "server error", r"http error 5\d\d"),
    ("transient", "certificate", r"certificate"),
    ("transient", "timed out", r"timed? ?out"),
    (
        "transient",
        "network",
        r"connection|network|resolve host|name resolution|name or service|nodename|getaddrinfo|bytes read|unreachable"
        r"|ssl|transport|eof occurred|incomplete|proxy",
    ),
)
"""What is looked for in lower case, in this order. The texts are YouTube's own and yt-dlp's, and change."""

_CUT: dict[str, Kind] = {
    "too_short": "permanent",
    "no_audio": "permanent",
    "truncated": "transient",
    "undecodable": "transient",
}


def classify(error: BaseException, *, fetching: bool = False) -> Failure:
    """Say what kind of failure an exception is.

    Args:
        error: What yt-dlp, the network or the cut raised.
        fetching: Whether a video's audio was being fetched, whose address yt-dlp had found: 404 then says that the
            address went stale, not that the video is gone.
    """
    words = clean(_text(error))
    if isinstance(error, CutError):
        return Failure(_CUT[error.reason], error.reason.replace("_", " "), words)
    lower = words.lower().replace("\u2019", "'")
    for kind, reason, pattern in _SAID:
        if re.search(pattern, lower):
            if fetching and kind == "permanent":
                return Failure("transient", reason, words)
            return Failure(kind, reason, words, _retry_after_s(error) if kind == "blocked" else None)
    if isinstance(error, FetchError | OSError):
        return Failure("transient", "network", words)
    return Failure("transient", "unexpected", clean(f"{type(error).__name__}: {words}"))


def clean(text: str) -> str:
    """Make a message fit for a journal and a terminal: one line, no secrets, no control characters."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    # Isolates and overrides of writing direction are no control characters by category, but turn a line around.
    text = "".join(" " if not char.isprintable() else char for char in text)
    text = re.sub(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@'\"]*@", r"\1", text)
    text = re.sub(r"(?i)(https?://[^\s?#'\"<>]*)[?#][^\s'\"<>]*", r"\1", text)
    text = re.sub(r"(?i)\b((?:set-)?cookie|authorization|po_?token|visitor_?data)\b\s*[:=].*", r"\1 left out", text)
    text = re.sub(r"^ERROR: |\[[\w:+]+\] [\w-]{11}: ", "", re.sub(r"\s+", " ", text)).strip()
    text = re.split(r"; please report this issue on|\. Use --cookies-from-browser|\. See https?://", text)[0]
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _text(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _retry_after_s(error: BaseException) -> float | None:
    """Return what a 429 says in its header `Retry-After`; dates, which YouTube does not send, are not read."""
    seen: BaseException | None = error
    for _ in range(5):
        response = getattr(seen, "response", None)
        if response is not None:
            said = response.headers.get("Retry-After") or ""
            return float(said) if re.fullmatch(r"\d{1,6}", said) else None
        exc_info = getattr(seen, "exc_info", None)
        seen = (exc_info[1] if exc_info else None) or getattr(seen, "cause", None) or getattr(seen, "__cause__", None)
    return None
