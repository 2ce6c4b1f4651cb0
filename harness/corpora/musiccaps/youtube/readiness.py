"""What fetching MusicCaps needs on a machine, said before the first download fails."""

import datetime
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from sealproof.harness.corpora.musiccaps.youtube.options import JS_RUNTIMES, js_runtimes

INSTALL = 'pip install "sealproof[musiccaps]"'

_STALE_DAYS = 90
"""YouTube changes every few weeks; yt-dlp itself warns of a version older than this."""


def lines() -> Iterator[str]:
    """Yield the lines of `sealproof doctor`."""
    name = "musiccaps "
    for package, what in (("yt-dlp", "finds the audio"), ("yt-dlp-ejs", "scripts for YouTube's player")):
        found = _version(package)
        state = f"ready, {found}{_age(package, found)}" if found else f"NOT AVAILABLE: {INSTALL} ({what})"
        yield f"{name} {package}: {state}"
    if _version("yt-dlp"):
        runtimes = _runtimes()
        if "deno" in runtimes:
            yield f"{name} JavaScript runtime: ready, deno {runtimes['deno']}"
        else:
            yield f"{name} JavaScript runtime: NOT AVAILABLE: {_runtime_advice(runtimes)}"
    yield f"{name} decoding: {_decoders()}"
    yield f"{name} ffmpeg: not needed, PyAV brings its libraries"


def missing(js_runtime: str | None = None) -> str | None:
    """Return what must be installed before anything can be fetched, as an error's sentence; None for nothing.

    Args:
        js_runtime: What `--js-runtime` says; deno where None.
    """
    for package in ("yt-dlp", "yt-dlp-ejs"):
        if _version(package) is None:
            return f"Fetching MusicCaps needs {package}, which is not installed: {INSTALL}."
    if _decoders() != "ready":
        return f"Fetching MusicCaps needs PyAV with decoders: {_decoders()}."
    wanted = js_runtimes(js_runtime)
    if not wanted or _runtimes(wanted):
        return None
    name = next(iter(wanted))
    return (
        f"Fetching MusicCaps needs a JavaScript runtime for YouTube's player, and {name} is not here or too old: "
        f"{_runtime_advice(_runtimes())}. To try without one: --js-runtime none."
    )


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _age(package: str, found: str) -> str:
    """Say so when yt-dlp, whose version is its date, is old."""
    try:
        released = datetime.date(*map(int, found.split(".")[:3]))
    except (TypeError, ValueError):
        return ""
    days = (datetime.datetime.now(datetime.UTC).date() - released).days
    if package != "yt-dlp" or days <= _STALE_DAYS:
        return ""
    return f", {days} days old: pip install --upgrade yt-dlp"


def _runtimes(wanted: dict[str, dict[str, str]] | None = None) -> dict[str, str]:
    """Return the versions of the runtimes that yt-dlp finds and supports, by name."""
    from yt_dlp import YoutubeDL
    from yt_dlp.globals import supported_js_runtimes

    # Importing YoutubeDL is what fills the table of runtimes.
    assert YoutubeDL  # noqa: S101
    found = {}
    for name, settings in (wanted or {name: {} for name in JS_RUNTIMES}).items():
        info = supported_js_runtimes.value[name](path=settings.get("path")).info
        if info is not None and info.supported:
            found[name] = info.version
    return found


def _runtime_advice(others: dict[str, str]) -> str:
    instead = "".join(f", or give --js-runtime {name} ({found} is here)" for name, found in others.items())
    return f"{INSTALL} brings deno{instead}"


def _decoders() -> str:
    import av

    lacking = []
    for name in ("opus", "aac"):
        try:
            av.Codec(name, "r")
        except ValueError:
            lacking.append(name)
    return f"NOT AVAILABLE: this FFmpeg lacks {', '.join(lacking)}" if lacking else "ready"
