"""How faithful are the mimics of a finished run? In strata, beside an oracle that answers with the truth.

    python -m benchmarks.studies.fidelity results/standard

Writes fidelity.csv into the run's folder. `sealproof extract --yardsticks` has more to compare with, and more to learn.
"""

import argparse
import math
from pathlib import Path

from sealproof.harness.foundation.files import write_text
from sealproof.harness.foundation.text import aligned, csv_text
from sealproof.harness.studies.extraction.exam.from_run import exam_of_run
from sealproof.harness.studies.extraction.exam.strata import measure_strata
from sealproof.harness.studies.extraction.exam.yardsticks import TRUTH, truth
from sealproof.harness.tables.reading.run_folder import RunFolder

COLUMNS = ("detector", "stratum", "label", "metric", "value", "ci_low", "ci_high", "n_clips", "n_groups", "n_cells")


def main() -> None:
    """Measure the mimics of runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="+", type=Path, metavar="RUN")
    for root in parser.parse_args().run:
        exam, mimics = exam_of_run(RunFolder.open(root))
        rows = [
            (
                name, each.stratum, each.label, each.metric,
                *("" if math.isnan(number) else f"{number:.6f}" for number in (
                    each.estimate.value, each.estimate.ci_low, each.estimate.ci_high,
                )),
                str(each.estimate.n_clips), str(each.estimate.n_groups), str(each.n_cells),
            )
            for name, decisions in {TRUTH: truth(exam), **mimics}.items()
            for each in measure_strata(exam, decisions)
        ]  # fmt: skip
        write_text(root / "fidelity.csv", csv_text(COLUMNS, rows))
        print("\n".join(aligned([COLUMNS, *rows])))
        print(f"Wrote {root / 'fidelity.csv'}")


if __name__ == "__main__":
    main()
