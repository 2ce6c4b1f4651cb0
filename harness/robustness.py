"""The matrix as tests: what the pytest plugin runs."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sealproof.attacks.base import AttackError
from sealproof.detectors.base import DetectorError
from sealproof.harness.errors import HarnessError

if TYPE_CHECKING:
    import pytest

    from sealproof.attacks.base import Attack
    from sealproof.harness.dataset import Dataset
    from sealproof.harness.matrix import Cell
    from sealproof.harness.run import Bench, Outcome
    from sealproof.harness.summary import Summariser

DEMO_CLIPS = 400
"""Clips of the demo dataset that is built where no dataset is named: enough for a suite, done in a minute or two."""


@dataclass(frozen=True)
class RobustnessSession:
    """One pytest session's matrix: its dataset, attacks and tables.

    Attributes:
        dataset_root: The dataset's folder.
        is_demo: The dataset is the plugin's own: it is built and its mimics are trained when missing.
        scheme: Name of the watermark scheme.
        attacks: A preset's name or a TOML file.
        n_clips: Test pairs at most, or clips of the demo dataset; None for all, or the default.
        seed: Decides what random attacks draw.
        out: Folder of the tables.
    """

    dataset_root: Path
    is_demo: bool
    scheme: str
    attacks: str
    n_clips: int | None
    seed: int
    out: Path

    @classmethod
    def from_text(cls, options: Mapping[str, str], root: Path) -> "RobustnessSession":
        """Read the options; paths are relative to pytest's root folder.

        Raises:
            pytest.UsageError: An option is not of its kind, or the named dataset or scheme is none.
        """
        import pytest

        try:
            n_clips = int(options["clips"]) if options["clips"] else None
            seed = int(options["seed"])
        except ValueError as error:
            msg = f"--robustness-clips and --robustness-seed must be whole numbers ({error})."
            raise pytest.UsageError(msg) from error
        if n_clips is not None and n_clips < 1:
            msg = f"--robustness-clips must be at least 1. Got {n_clips}."
            raise pytest.UsageError(msg)
        out = root / options["out"]
        if not options["dataset"]:
            from sealproof.detectors import get_scheme

            scheme = options["scheme"]
            try:
                get_scheme(scheme)
            except DetectorError as error:
                raise pytest.UsageError(str(error)) from error
            folder = root / "data" / f"robustness-{scheme}-{n_clips or DEMO_CLIPS}"
            return cls(folder, True, scheme, options["attacks"], n_clips, seed, out)
        from sealproof.harness.dataset import Dataset

        try:
            scheme = Dataset.open(root / options["dataset"]).scheme
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from error
        return cls(root / options["dataset"], False, scheme, options["attacks"], n_clips, seed, out)

    @cached_property
    def _attacks(self) -> "list[Attack]":
        import pytest

        from sealproof.harness.config import load_attacks

        try:
            return load_attacks(self.attacks)
        except (HarnessError, AttackError) as error:
            raise pytest.UsageError(str(error)) from error

    def attack_ids(self) -> list[str]:
        """Return the attacks' ids, `identity` first."""
        return [attack.id for attack in self._attacks]

    def cell_id(self, attack_id: str) -> str:
        """Return a cell's id: `spread_spectrum-mp3.64kbps`."""
        return f"{self.scheme}-{attack_id}"

    def cell(self, attack_id: str, item: "pytest.Item") -> "RobustnessCell":
        """Return one cell as a test sees it."""
        return RobustnessCell(self, attack_id, item)

    @cached_property
    def bench(self) -> "Bench":
        """Everything cells are run with; the first process to ask builds, trains and calibrates, the others wait."""
        from filelock import FileLock

        from sealproof.harness.session import RunRequest, open_bench

        self.dataset_root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.dataset_root.with_name(f".{self.dataset_root.name}.lock")):
            request = RunRequest(attacks=self.attacks, seed=self.seed, n_clips=None if self.is_demo else self.n_clips)
            bench = open_bench(self._dataset(), request)
            bench.run(bench.calibration_cell(self.seed))
        return bench

    def _dataset(self) -> "Dataset":
        from sealproof.harness.dataset import Dataset
        from sealproof.harness.session import demo_dataset

        if self.is_demo:
            return demo_dataset(self.scheme, self.n_clips or DEMO_CLIPS, self.seed, self.dataset_root)
        return Dataset.open(self.dataset_root)

    @cached_property
    def cells(self) -> "dict[str, Cell]":
        """The matrix by attack id."""
        from sealproof.harness.matrix import matrix

        cells = matrix(self.bench.dataset, self._attacks, self.bench.pairs, seed=self.seed)
        return {cell.attack.id: cell for cell in cells}

    @cached_property
    def summariser(self) -> "Summariser":
        """What turns outcomes into rows."""
        from sealproof.harness.tables import summariser_of

        return summariser_of(self.bench, self.seed)

    def write_tables(self) -> str:
        """Write the tables of every cell of the matrix that is finished, and return the short one as text.

        Cells that were not selected this time but are finished are in the tables too: their numbers hold, as a cell's
        key covers everything that can change them. Without thresholds there are no tables, and the text says why.
        """
        from sealproof.harness.tables import write_tables
        from sealproof.harness.text_table import terminal_table

        try:
            outcomes = [outcome for cell in self.cells.values() if (outcome := self._known(cell)) is not None]
            tables = write_tables(self.bench, outcomes, self.seed, self.out)
        except (HarnessError, DetectorError, OSError) as error:
            return f"no tables were written: {error}\n"
        missing = len(self.cells) - len(outcomes)
        note = f"{missing} of {len(self.cells)} cells were never run and are in no table.\n" if missing else ""
        files = ", ".join(str(path) for path in tables.files)
        return f"{terminal_table(tables.rows)}{note}wrote {files}\n"

    def _known(self, cell: "Cell") -> "Outcome | None":
        from sealproof.harness.run import Outcome

        finished = self.bench.finished(cell)
        if finished is not None:
            return finished
        error = self.bench.store.failure(cell)
        return None if error is None else Outcome(cell, error, None, {})


@dataclass(frozen=True)
class RobustnessCell:
    """One cell of the matrix, as a test sees it."""

    session: RobustnessSession
    attack_id: str
    item: "pytest.Item"

    def check(self) -> None:
        """Run the cell, unless it is finished, and fail the test when the cell failed.

        A cell fails when its attack or a detector refuses its work, or when the attack left every clip as it was. The
        numbers go to the test's `user_properties`, and so to JUnit files.
        """
        import pytest

        self.item.user_properties.append(("sealproof_cell", self.session.cell_id(self.attack_id)))
        try:
            outcome = self.session.bench.run(self.session.cells[self.attack_id])
            rows = [] if outcome.error is not None else list(self.session.summariser.rows(outcome))
        except (HarnessError, DetectorError, AttackError) as error:
            pytest.fail(str(error), pytrace=False)
        if outcome.error is not None:
            pytest.fail(outcome.error, pytrace=False)
        for row in rows:
            if row.value is not None:
                name = ".".join(part for part in (row.detector, row.metric, row.threshold_rule) if part)
                self.item.user_properties.append((name, row.value))
