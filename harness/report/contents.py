"""Everything that a report shows, read once and shared by its pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealproof.harness.report.disagreements import Histograms
from sealproof.harness.report.examples import Example
from sealproof.harness.report.verdict import Verdict
from sealproof.harness.tables.reading.clips import ClipScores
from sealproof.harness.tables.reading.run_folder import RunFolder
from sealproof.harness.tables.reading.series import Key, Series
from sealproof.harness.tables.sweeps import Sweep


@dataclass(frozen=True)
class Contents:
    """What a report is made of.

    Attributes:
        folder: The run folder.
        series: The numbers of summary.csv.
        sweeps: Which cells make a sweep.
        scores: The scores of every clip.
        histograms: The same, counted.
        verdict: What stands on top.
        examples: What can be listened to.
    """

    folder: RunFolder
    series: Mapping[Key, Series]
    sweeps: Sequence[Sweep]
    scores: ClipScores
    histograms: Histograms
    verdict: Verdict
    examples: Sequence[Example]
