"""Videos that come in fragments alone (HLS, DASH): yt-dlp fetches them into a folder that is gone after the cut."""

import re
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from sealproof.harness.corpora.musiccaps.cutting.cut import Cut, cut
from sealproof.harness.corpora.musiccaps.cutting.errors import CutError
from sealproof.harness.corpora.musiccaps.cutting.http_ranges import FetchError
from sealproof.harness.foundation.audio.files import SAMPLE_RATE

if TYPE_CHECKING:
    from yt_dlp import YoutubeDL

PROTOCOLS = ("m3u8_native", "m3u8", "http_dash_segments")
"""yt-dlp's names of what its own downloaders fetch, without an ffmpeg binary."""

_PREFIX = ".fragments-"

_MARGIN_S = 30.0
"""Fetched behind a clip: playlists may round each fragment's duration to a second."""

_MOST_BYTES = 200 * 2**20
_MOST_PLAYLIST_BYTES = 4 * 2**20

_PARAMS = {
    # Its own downloaders, never a program that happens to be installed.
    "external_downloader": "native",
    "hls_prefer_native": True,
    # A fragment left out would move everything behind it.
    "skip_unavailable_fragments": False,
    # Of what may pass (silence, 5xx); a refusal is not asked for again at once.
    "retries": 2,
    "fragment_retries": 0,
    "continuedl": False,
    "nopart": True,
    "noprogress": True,
    "updatetime": False,
}


@dataclass(frozen=True, kw_only=True)
class Fragments:
    """A video's audio, or the whole video, in fragments.

    Attributes:
        session: What found it; to be used by the thread that asked it.
        info: What it found: yt-dlp's dictionary of the chosen format.
    """

    session: "YoutubeDL" = field(repr=False)
    info: Mapping[str, Any] = field(repr=False)

    def cut(self, start_s: float, n_samples: int, folder: Path, until: float) -> Cut:
        """Fetch the fragments from the first to the clip's end, and half a minute more, and cut the clip.

        The first is needed, as time is counted from it. So more is fetched than of a file at one address; where the
        playlist does not say how long its fragments are, all of them.

        Args:
            start_s: Where the clip starts, in seconds.
            n_samples: Length in samples at 16 kHz.
            folder: The user's; what is fetched lies in a folder of its own in it until the clip is cut.
            until: When to give up, on the clock of `time.monotonic`.

        Raises:
            CutError: See `cut`; or the format is none that yt-dlp fetches by itself, or larger than 200 MB.
            FetchError: It is `until`.
            OSError: The folder cannot be written.
            yt_dlp.utils.YoutubeDLError: The server refuses, is not there, or is silent.
        """
        with TemporaryDirectory(prefix=_PREFIX, dir=folder, ignore_cleanup_errors=True) as name:
            path = Path(name) / "audio"
            info, is_part = self._as_far_as(start_s + n_samples / SAMPLE_RATE + _MARGIN_S)
            self._fetch(info, path, until)
            try:
                return cut(path, start_s, n_samples)
            except CutError as error:
                # A playlist whose durations are wrong says nothing of the video's length.
                is_misled = is_part and error.reason == "too_short"
                raise CutError(
                    "truncated" if is_misled else error.reason, str(error).replace(str(path), "The video")
                ) from error

    def _fetch(self, info: dict[str, Any], path: Path, until: float) -> None:
        from yt_dlp.downloader import get_suitable_downloader
        from yt_dlp.downloader.dash import DashSegmentsFD
        from yt_dlp.downloader.hls import HlsFD
        from yt_dlp.utils import DownloadError

        params = {**self.session.params, **_PARAMS}
        kind = get_suitable_downloader(info, params)
        playlist = info.get("hls_media_playlist_data", "")
        if kind not in (HlsFD, DashSegmentsFD) or not HlsFD.can_download(playlist, info):
            raise CutError(
                "undecodable", "The video must be one that yt-dlp fetches by itself. It is live, or encrypted with DRM."
            )

        def keep_within_bounds(status: Mapping[str, Any]) -> None:
            if time.monotonic() > until:
                raise FetchError("The server must send a video's fragments in the time of an attempt. It timed out.")
            if (status.get("downloaded_bytes") or 0) > _MOST_BYTES:
                raise CutError("undecodable", f"The video must be of {_MOST_BYTES >> 20} MB at most. It is larger.")

        downloader = kind(self.session, params)
        downloader.add_progress_hook(keep_within_bounds)
        try:
            is_fetched, _ = downloader.download(str(path), info)
        except DownloadError as error:
            cause = error.exc_info[1] if error.exc_info else None
            if isinstance(cause, OSError):
                # A full disk is not the song's failure, whoever met it.
                raise cause from error
            raise
        if not is_fetched:
            raise FetchError("yt-dlp must fetch the fragments or say why not. It did neither.")

    def _as_far_as(self, end_s: float) -> tuple[dict[str, Any], bool]:
        """Return what to fetch in order to have the video as far as `end_s`, and whether that is a part of it."""
        info = dict(self.info)
        if info["protocol"] == "http_dash_segments":
            if callable(info["fragments"]):
                raise CutError("undecodable", "The video must be over. It is live.")
            fragments = list(info["fragments"])
            n_needed = _n_needed([fragment.get("duration") or 0.0 for fragment in fragments], end_s)
            info["fragments"] = fragments[:n_needed]
            return info, n_needed < len(fragments)
        playlist, info["url"] = self._playlist()
        lines = [line.strip() for line in playlist.splitlines()]
        durations = [float(seconds) for seconds in re.findall(r"(?m)^\s*#EXTINF:\s*(\d+(?:\.\d+)?)", playlist)]
        at = [index for index, line in enumerate(lines) if line and not line.startswith("#")]
        n_needed = _n_needed(durations, end_s) if len(durations) == len(at) else len(at)
        is_part = n_needed < len(at)
        info["hls_media_playlist_data"] = "\n".join(lines[: at[n_needed - 1] + 1]) if is_part else playlist
        return info, is_part

    def _playlist(self) -> tuple[str, str]:
        """Return an HLS playlist and its address."""
        from yt_dlp.networking import Request
        from yt_dlp.networking.exceptions import HTTPError

        url = self.info["url"]
        if self.info.get("hls_media_playlist_data"):
            return self.info["hls_media_playlist_data"], url
        try:
            response = self.session.urlopen(Request(url, headers=self.info.get("http_headers") or {}))
        except HTTPError as error:
            # It holds the connection.
            error.close()
            raise
        try:
            return response.read(_MOST_PLAYLIST_BYTES).decode("utf-8", "replace"), response.url
        finally:
            response.close()


def _n_needed(durations: list[float], end_s: float) -> int:
    """Return how many of fragments of these durations hold the time as far as `end_s`; all where they are too short."""
    total_s = 0.0
    for index, duration_s in enumerate(durations):
        total_s += duration_s
        if total_s >= end_s:
            return index + 1
    return len(durations)


def remove_fetched(folder: Path) -> None:
    """Remove from the user's folder what a thread or a process left that was stopped before its clip was cut."""
    for leftover in folder.glob(f"{_PREFIX}*"):
        shutil.rmtree(leftover, ignore_errors=True)
