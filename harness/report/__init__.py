"""The report of a run: HTML for people, Markdown for a pull request, LaTeX for a paper, CSV for each figure."""

from sealproof.harness.report.page.html import stylesheet
from sealproof.harness.report.write import DEFAULT_EXAMPLES, write_report

__all__ = ["DEFAULT_EXAMPLES", "stylesheet", "write_report"]
