"""Everything that a report shows, read once and shared by its pages."""

from collections.abc import Sequence
from dataclasses import dataclass

from sealproof.harness.report.disagreements import Histograms
from sealproof.harness.report.examples import Example
from sealproof.harness.report.verdict import Verdict
from sealproof.harness.tables.reading.run_folder import RunFolder


@dataclass(frozen=True)
class Contents:
    """What a report is made of.

    Attributes:
        folder: The run folder: cells, numbers, scores.
        histograms: The scores, counted.
        verdict: What stands on top.
        examples: What can be listened to.
    """

    folder: RunFolder
    histograms: Histograms
    verdict: Verdict
    examples: Sequence[Example]
