"""From a video's id to its audio: yt-dlp finds the address, and its connection fetches it."""

import io
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.corpora.musiccaps.cutting.http_ranges import HttpOptions
from sealproof.harness.corpora.musiccaps.youtube.failures import clean
from sealproof.harness.corpora.musiccaps.youtube.fragments import PROTOCOLS, Fragments
from sealproof.harness.corpora.musiccaps.youtube.options import AccessOptions, js_runtimes
from sealproof.harness.foundation.errors import HarnessError

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL

_IN_FRAGMENTS = f"[protocol~='^({'|'.join(PROTOCOLS)})$']"

_FORMATS = "/".join(
    (
        "bestaudio[protocol=https]/bestaudio[protocol=http]/best[protocol=https]/best[protocol=http]",
        f"bestaudio{_IN_FRAGMENTS}/best{_IN_FRAGMENTS}[height<=?480]/best{_IN_FRAGMENTS}",
    )
)
"""What lies behind one address that can be read in parts, audio alone or else with pictures; fragments where nothing
does, and with small pictures, as they are fetched, too."""

_TIMEOUT_S = 20.0

_LONGEST_WAIT_S = 60.0
"""For an address to become available; more is no advertisement."""


@dataclass(frozen=True, kw_only=True)
class Audio:
    """Where a video's audio is.

    Attributes:
        source: An address, a file, or fragments where no one address holds it.
        http: How to fetch an address; None for the others.
        format_id: The site's name of the format.
    """

    source: str | Path | Fragments = field(repr=False)
    http: HttpOptions | None = None
    format_id: str = ""


class Resolver(Protocol):
    """Finds the audio of videos; several threads ask it at once."""

    @property
    def name(self) -> str:
        """Who it is, with version, for the journal."""
        ...

    def resolve(self, ytid: str) -> Audio:
        """Find a video's audio.

        Raises:
            Exception: What `failures.classify` tells apart.
        """
        ...


class YtDlpResolver:
    """yt-dlp: one `YoutubeDL` for each thread, as it is not made to be shared."""

    def __init__(
        self,
        options: AccessOptions,
        cache: Path,
        address_of: Callable[[str], str] = "https://www.youtube.com/watch?v={}".format,
    ) -> None:
        """Read the cookies and start yt-dlp once, so that what is wrong with the options shows at once.

        Args:
            options: How YouTube is asked.
            cache: Folder for what yt-dlp keeps of YouTube's player (no audio).
            address_of: The page of a video.

        Raises:
            HarnessError: yt-dlp refuses the options.
        """
        self._address_of = address_of
        self._threads = threading.local()
        self._sessions: list[YoutubeDL] = []
        self._params = _params(options, cache)
        self._cookies = None if options.cookies is None else _read_cookies(options.cookies)
        try:
            # Reads the cookies of a browser, too.
            _ = self._session().cookiejar
        except Exception as error:
            raise HarnessError(
                f"yt-dlp refuses --cookies, --cookies-from-browser, --proxy or --js-runtime: {clean(str(error))}."
            ) from error

    @property
    def name(self) -> str:
        """Yt-dlp with its version."""
        from yt_dlp.version import __version__

        return f"yt-dlp {__version__}"

    def resolve(self, ytid: str) -> Audio:
        """Find a video's best audio; see `Resolver.resolve`."""
        session = self._session()
        info: dict[str, Any] = session.extract_info(self._address_of(ytid), download=False)
        if "entries" in info or not info.get("url"):
            raise CutError("no_audio", "The page does not hold one video.")
        format_id = str(info.get("format_id") or "")
        if info.get("protocol") in PROTOCOLS:
            return Audio(source=Fragments(session=session, info=info), format_id=format_id)
        _wait_until_available(info)
        http = HttpOptions(session=session, headers=info.get("http_headers") or {}, timeout_s=_TIMEOUT_S)
        return Audio(source=info["url"], http=http, format_id=format_id)

    def close(self) -> None:
        """Close the connections that are kept open between songs."""
        for session in self._sessions:
            session.close()

    def _session(self) -> "YoutubeDL":
        if not hasattr(self._threads, "session"):
            from yt_dlp import YoutubeDL

            params = dict(self._params)
            if self._cookies is not None:
                # Text, not the file: yt-dlp writes back to a file, and two threads would at once.
                params["cookiefile"] = io.StringIO(self._cookies)
            self._threads.session = YoutubeDL(params)
            self._sessions.append(self._threads.session)
        session: YoutubeDL = self._threads.session
        return session


def _wait_until_available(info: dict[str, Any]) -> None:
    """Wait as a player does through an advertisement: YouTube refuses (403) an address that is asked for earlier."""
    wait_s = (info.get("available_at") or 0) - time.time()
    if wait_s > 0:
        time.sleep(min(wait_s, _LONGEST_WAIT_S))


def _params(options: AccessOptions, cache: Path) -> dict[str, Any]:
    params: dict[str, Any] = {
        "logger": _Silent(),
        "quiet": True,
        "color": "never",
        "format": _FORMATS,
        "noplaylist": True,
        "cachedir": str(cache),
        "socket_timeout": _TIMEOUT_S,
        "extractor_retries": 1,
        # Between the two or three requests that one video takes.
        "sleep_interval_requests": 0.75,
        "js_runtimes": js_runtimes(options.js_runtime),
    }
    if options.proxy is not None:
        params["proxy"] = options.proxy
    if options.cookies_from_browser is not None:
        params["cookiesfrombrowser"] = _browser(options.cookies_from_browser)
    if options.player_clients:
        params["extractor_args"] = {"youtube": {"player_client": list(options.player_clients)}}
    return params


def _browser(text: str) -> tuple[str, str | None, str | None, str | None]:
    """Read NAME[+KEYRING][:PROFILE][::CONTAINER] as yt-dlp's command line does."""
    match = re.fullmatch(r"([^+:]+)(?:\+([^:]+))?(?::(?!:)(.+?))?(?:::(.+))?", text)
    if match is None:
        raise HarnessError(f"--cookies-from-browser must be NAME[+KEYRING][:PROFILE][::CONTAINER]. Got {text!r}.")
    browser, keyring, profile, container = match.groups()
    return browser.lower(), profile, keyring and keyring.upper(), container


def _read_cookies(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"--cookies must be a readable file in Netscape's format. {path} cannot be read.") from error


class _Silent:
    """Takes what yt-dlp would print: titles are strangers' words. Errors come as exceptions."""

    def debug(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...
