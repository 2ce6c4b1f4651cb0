"""How YouTube is asked."""

from dataclasses import dataclass, field
from pathlib import Path

from sealproof.harness.foundation.errors import HarnessError

JS_RUNTIMES = ("deno", "node", "quickjs", "bun")
"""What yt-dlp runs YouTube's player code with. Only deno, which it keeps in a sandbox, is used unasked."""


@dataclass(frozen=True, kw_only=True)
class AccessOptions:
    """How YouTube is asked. Cookies and proxy are shown nowhere.

    Attributes:
        cookies: File in Netscape's format; read, never written.
        cookies_from_browser: Browser whose cookies are read, as yt-dlp writes it.
        proxy: Address of a proxy for everything, HTTP or SOCKS.
        player_clients: YouTube players that yt-dlp shall pretend to be; its own choice where empty.
        js_runtime: What yt-dlp runs YouTube's player code with; deno where None.
    """

    cookies: Path | None = field(default=None, repr=False)
    cookies_from_browser: str | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    player_clients: tuple[str, ...] = ()
    js_runtime: str | None = None


def js_runtimes(name: str | None) -> dict[str, dict[str, str]]:
    """Turn `--js-runtime` into yt-dlp's setting: `deno` (default), `node`, `quickjs`, `bun`, with `:PATH`, or `none`.

    Raises:
        HarnessError: There is no such runtime.
    """
    name, _, path = (name or "deno").partition(":")
    if name == "none":
        return {}
    if name not in JS_RUNTIMES:
        raise HarnessError(
            f"--js-runtime must be one of {', '.join(JS_RUNTIMES)}, with :PATH where needed, or none. Got {name!r}."
        )
    return {name: {"path": path} if path else {}}
