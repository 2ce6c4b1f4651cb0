"""Pictures as files."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from sealproof.harness.foundation.files import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_png(figure: "Figure", path: Path) -> None:
    """Write a figure as a PNG that does not name the version of what drew it.

    Raises:
        OSError: The folder cannot be written.
    """
    png = io.BytesIO()
    figure.savefig(png, format="png", metadata={"Software": None})
    write_atomically(path, lambda file: file.write(png.getvalue()))
