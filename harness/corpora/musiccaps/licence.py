"""What MusicCaps' licence allows, told once: at the first start."""

from collections.abc import Callable
from pathlib import Path

from sealproof.harness.foundation.files import write_text

FILE = "LICENCE-NOTE.txt"
"""Stands in the user's folder once the note was shown."""

NOTE = """\
About MusicCaps: the table (ids, times, captions) is by Google, CC-BY-SA 4.0: name them (Agostinelli et al., MusicLM,
arXiv 2301.11325) and pass it on under the same licence. The audio is not licensed to you by that: it belongs to those
who put it on YouTube, or to others, and whether you may fetch, keep and use it depends on YouTube's terms and the law
where you are. sealproof ships no audio and keeps what it fetches in this folder only. Do not pass it on.
"""


def show_once(folder: Path, show: Callable[[str], object] = print) -> None:
    """Show the note unless it was shown before for this folder.

    Args:
        folder: The user's folder for MusicCaps; made when missing.
        show: What shows it.

    Raises:
        OSError: The folder cannot be written.
    """
    if not (folder / FILE).is_file():
        show(NOTE)
        write_text(folder / FILE, NOTE)
