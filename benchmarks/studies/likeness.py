"""How AudioSeal-like is a scheme? A run beside the numbers that others recorded of the official one.

    sealproof run data/NAME --attacks "$(python -m benchmarks.studies.likeness --ids)" --out results/likeness
    python -m benchmarks.studies.likeness results/likeness

Writes likeness.csv and likeness.md into the run's folder. A run of another preset (`omniseal`, `audiomarkbench`,
`audioseal_paper`) is compared where it has the attacks.
"""

import argparse
from pathlib import Path

from sealproof.harness.studies.likeness.compare import compare_run
from sealproof.harness.studies.likeness.recorded import recorded_attacks
from sealproof.harness.studies.likeness.write import likeness_page, write_likeness
from sealproof.harness.tables.reading.run_folder import RunFolder


def main() -> None:
    """Compare a run, or say what to run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="*", type=Path, metavar="RUN")
    parser.add_argument("--ids", action="store_true", help="print the ids of the attacks that something is recorded of")
    options = parser.parse_args()
    if options.ids:
        print(",".join(recorded_attacks()))
    for root in options.run:
        folder = RunFolder.open(root)
        found = compare_run(folder)
        who = f"{folder.scheme} ({folder.detectors[0].version})"
        print(likeness_page(found, who))
        print("Wrote " + ", ".join(map(str, write_likeness(found, who, root))))


if __name__ == "__main__":
    main()
