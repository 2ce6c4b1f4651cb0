"""What fetching MusicCaps needs on a machine, said before the first download fails."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from sealproof.harness.corpora.musiccaps.youtube.options import JS_RUNTIMES, js_runtimes
from sealproof.harness.foundation.errors import HarnessError

INSTALL = 'pip install "sealproof[musiccaps]"'

_STALE_DAYS = 90
"""YouTube changes every few weeks; yt-dlp itself warns of a version older than this."""


@dataclass(frozen=True)
class FetchRequirement:
    """One of the things that fetching needs.

    Attributes:
        name: What it is.
        state: What is here, in words, or why it is not, with what to do about it.
        is_here: It can be used.
        is_broken: It is installed and cannot be used.
    """

    name: str
    state: str
    is_here: bool = True
    is_broken: bool = False


def fetch_requirements() -> Iterator[FetchRequirement]:
    """Yield what fetching needs, and what of it is here."""
    for package, what in (("yt-dlp", "finds the audio"), ("yt-dlp-ejs", "scripts for YouTube's player")):
        its_version = _version(package)
        if its_version:
            yield FetchRequirement(package, f"{its_version}{_age(package, its_version)}")
        else:
            yield FetchRequirement(package, f"not installed ({what}): {INSTALL}", is_here=False)
    if _version("yt-dlp"):
        yield _runtime()
    lacking = _lacking_decoders()
    yield FetchRequirement("decoding", lacking or "opus, aac", is_here=not lacking, is_broken=bool(lacking))


def _runtime() -> FetchRequirement:
    name = "JavaScript runtime"
    try:
        runtimes = _runtimes()
    except HarnessError as error:
        return FetchRequirement(name, str(error), is_here=False, is_broken=True)
    if "deno" in runtimes:
        return FetchRequirement(name, f"deno {runtimes['deno']}")
    return FetchRequirement(name, _runtime_advice(runtimes), is_here=False)


def missing_tool(js_runtime: str | None = None) -> str | None:
    """Return what must be installed before anything can be fetched, as an error's sentence; None for nothing.

    Args:
        js_runtime: What `--js-runtime` says; deno where None.

    Raises:
        HarnessError: yt-dlp is broken, or there is no such runtime.
    """
    for package in ("yt-dlp", "yt-dlp-ejs"):
        if _version(package) is None:
            return f"Fetching MusicCaps needs {package}, which is not installed: {INSTALL}."
    lacking = _lacking_decoders()
    if lacking:
        return f"Fetching MusicCaps needs PyAV with decoders: {lacking}."
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


def _age(package: str, its_version: str) -> str:
    """Say so when yt-dlp, whose version is its date, is old."""
    try:
        released = datetime.date(*map(int, its_version.split(".")[:3]))
    except (TypeError, ValueError):
        return ""
    days = (datetime.datetime.now(datetime.UTC).date() - released).days
    if package != "yt-dlp" or days <= _STALE_DAYS:
        return ""
    return f", {days} days old: pip install --upgrade yt-dlp"


def _runtimes(wanted: dict[str, dict[str, str]] | None = None) -> dict[str, str]:
    """Return the versions of the runtimes that yt-dlp finds and supports, by name.

    Raises:
        HarnessError: yt-dlp is broken.
    """
    try:
        from yt_dlp import YoutubeDL
        from yt_dlp.globals import supported_js_runtimes
    except Exception as error:  # a broken package raises what it likes while it is imported
        raise HarnessError(
            f"yt-dlp cannot be imported ({type(error).__name__}: {error}): pip install --force-reinstall yt-dlp"
        ) from error

    # Importing YoutubeDL is what fills the table of runtimes.
    assert YoutubeDL  # noqa: S101
    versions = {}
    for name, settings in (wanted or {name: {} for name in JS_RUNTIMES}).items():
        info = supported_js_runtimes.value[name](path=settings.get("path")).info
        if info is not None and info.supported:
            versions[name] = info.version
    return versions


def _runtime_advice(others: dict[str, str]) -> str:
    instead = "".join(f", or give --js-runtime {name} ({its_version} is here)" for name, its_version in others.items())
    return f"{INSTALL} brings deno{instead}"


def _lacking_decoders() -> str:
    """Say why PyAV cannot decode what YouTube has; nothing where it can."""
    try:
        import av
    except Exception as error:  # a broken package raises what it likes while it is imported
        return f"PyAV cannot be imported ({type(error).__name__}: {error}): pip install --force-reinstall av"
    lacking = []
    for name in ("opus", "aac"):
        try:
            av.Codec(name, "r")
        except ValueError:
            lacking.append(name)
    return f"this FFmpeg lacks {', '.join(lacking)}: pip install --force-reinstall av" if lacking else ""
