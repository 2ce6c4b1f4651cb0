"""The files of a comparison: compare.csv, compare.md and compare.html."""

from pathlib import Path

from sealproof.harness.comparison.page import comparison_page
from sealproof.harness.comparison.runs import Comparison
from sealproof.harness.comparison.text import CSV, compare_csv, markdown_text
from sealproof.harness.foundation.files import write_text

MARKDOWN, PAGE = "compare.md", "compare.html"


def write_comparison(comparison: Comparison, out: Path) -> list[Path]:
    """Write all files of a comparison and return their paths.

    Raises:
        OSError: A file cannot be written.
    """
    texts = {CSV: compare_csv(comparison), MARKDOWN: markdown_text(comparison), PAGE: comparison_page(comparison)}
    for name, text in texts.items():
        write_text(out / name, text)
    return [out / name for name in texts]
