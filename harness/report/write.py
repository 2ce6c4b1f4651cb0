"""Writing a report: what `sealproof report` does."""

from dataclasses import dataclass
from pathlib import Path

from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import write_text
from sealproof.harness.report.contents import Contents
from sealproof.harness.report.disagreements import histograms, surest_disagreements
from sealproof.harness.report.examples import Example, make_examples, open_dataset
from sealproof.harness.report.figures import figure_tables
from sealproof.harness.report.latex import latex_table
from sealproof.harness.report.markdown import markdown_report
from sealproof.harness.report.page.html import html_page
from sealproof.harness.report.verdict import judge
from sealproof.harness.tables.reading.run_folder import RunFolder

DEFAULT_EXAMPLES = 8

HTML, MARKDOWN, LATEX, FIGURES = "report.html", "report.md", "report.tex", "figures"


@dataclass(frozen=True)
class Written:
    """What a report came to.

    Attributes:
        headline: Its first sentence.
        examples: How many disagreements can be listened to.
        note: Why there are none, or what to pass; empty where there are.
        files: The files, the most read first.
    """

    headline: str
    examples: int
    note: str
    files: list[Path]


def write_report(
    run: Path, out: Path | None = None, dataset: Path | None = None, n_examples: int = DEFAULT_EXAMPLES
) -> Written:
    """Write report.html, report.md, report.tex and figures/*.csv of a run.

    Args:
        run: The folder that `sealproof run` wrote.
        out: Where to write; by default the run's own folder.
        dataset: The run's dataset, to make the clips to listen to; by default where run.json says it is.
        n_examples: Disagreements that can be listened to, at most; 0 for none.

    Raises:
        HarnessError: The folder is no run folder or was changed, or the dataset is not the run's.
        OSError: The folder cannot be written or the disk is full.
    """
    if n_examples < 0:
        raise HarnessError(f"--examples must be at least 0. Got {n_examples}.")
    folder = RunFolder.open(run)
    contents, note = _read(folder, dataset, n_examples)
    target = run if out is None else out
    texts = {
        HTML: html_page(contents, note),
        MARKDOWN: markdown_report(contents),
        LATEX: latex_table(contents),
        **{f"{FIGURES}/{name}.csv": text for name, text in figure_tables(contents).items()},
    }
    for name, text in texts.items():
        write_text(target / name, text)
    n_heard = sum(bool(example.sounds) for example in contents.examples)
    return Written(contents.verdict.headline, n_heard, note, [target / name for name in texts])


def _read(folder: RunFolder, dataset: Path | None, n_examples: int) -> tuple[Contents, str]:
    scores, detectors = folder.scores.scores, folder.detectors
    examples: list[Example] = []
    note = ""
    # Asked for even when no example is wanted: a folder that was given and is the wrong one is refused.
    dataset_or_reason = open_dataset(folder, dataset) if n_examples or dataset is not None else ""
    if n_examples and isinstance(dataset_or_reason, Dataset):
        fixed = [detector.thresholds["fixed"] for detector in detectors]
        surest = surest_disagreements(scores, fixed, [cell.attack for cell in folder.cells], n_examples)
        examples = make_examples(folder, dataset_or_reason, surest)
        note = "" if examples else "There is nothing to listen to: no mimic disagrees with the reference on any clip."
    elif n_examples:
        note = str(dataset_or_reason)
    else:
        note = "This report was written without examples (--examples 0)."
    counted = histograms(scores, [list(detector.thresholds.values()) for detector in detectors])
    return Contents(folder, counted, judge(folder), examples), note
