"""One pytest session's matrix: dataset, cells, baseline and tables."""

import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from sealproof.attacks.contract.base import AttackError
from sealproof.detectors.base import DetectorError
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.pytest_plugin.request import SUITE_CLIPS, GateRequest
from sealproof.harness.studies.counterexamples.request import FILE

if TYPE_CHECKING:
    from sealproof.attacks.contract.base import Attack
    from sealproof.harness.datasets.dataset import Dataset
    from sealproof.harness.matrix.bench import Bench
    from sealproof.harness.matrix.cell import Cell
    from sealproof.harness.matrix.outcome import Outcome
    from sealproof.harness.pytest_plugin.baseline import Baseline, Sample
    from sealproof.harness.pytest_plugin.gate import Gate
    from sealproof.harness.pytest_plugin.gate_text import Finished
    from sealproof.harness.pytest_plugin.project import Project
    from sealproof.harness.tables.rates import RateKey, Tally
    from sealproof.harness.tables.rules import Thresholds
    from sealproof.harness.tables.summary import Summariser


@dataclass(frozen=True)
class RobustnessSession:
    """One pytest session's matrix: its dataset, attacks, baseline and tables.

    Attributes:
        dataset_root: The dataset's folder.
        is_demo: The dataset is the plugin's own: it is built and its mimics are trained when missing.
        scheme: Name of the watermark scheme.
        attacks: A preset's name or a TOML file.
        n_clips: Test pairs at most, or clips of the demo dataset; None for all, or the default.
        seed: Decides what random attacks draw.
        out: Folder of the tables.
        asked: What the rates are held against, and how.
        counterexamples: File of chains that once broke a detector.
        root: The project's root folder.
        notes: What else is to be told at the end.
    """

    dataset_root: Path
    is_demo: bool
    scheme: str
    attacks: str
    n_clips: int | None
    seed: int
    out: Path
    asked: GateRequest
    counterexamples: Path = FILE
    root: Path = Path()
    notes: list[str] = field(default_factory=list)

    @classmethod
    def from_text(
        cls,
        options: Mapping[str, str],
        project: "Project",
        *,
        is_update: bool,
        is_strict: bool,
        accepted: tuple[str, ...] = (),
        gates_mimics: bool = False,
    ) -> "RobustnessSession":
        """Read the options; paths are relative to the project's root folder.

        Raises:
            pytest.UsageError: An option is not of its kind, or the named dataset or scheme is none.
        """
        import pytest

        n_clips, seed, allowed_drop = _numbers(options)
        gate = GateRequest(
            baseline=project.baseline(options["baseline"]),
            allowed_drop=allowed_drop,
            is_update=is_update,
            is_strict=is_strict,
            accepted=accepted,
            gates_mimics=gates_mimics,
        )
        root = project.root
        out = root / options["out"]
        kept = project.baseline(FILE.as_posix())
        if not options["dataset"]:
            from sealproof.detectors import get_scheme
            from sealproof.harness.training.demo_dataset import PREFIX

            scheme = options["scheme"]
            try:
                get_scheme(scheme)
            except DetectorError as error:
                raise pytest.UsageError(str(error)) from error
            folder = root / "data" / f"{PREFIX}{scheme}-{n_clips or SUITE_CLIPS}"
            return cls(folder, True, scheme, options["attacks"], n_clips, seed, out, gate, kept, root)
        from sealproof.harness.datasets.dataset import Dataset

        try:
            scheme = Dataset.open(root / options["dataset"]).scheme
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from error
        return cls(root / options["dataset"], False, scheme, options["attacks"], n_clips, seed, out, gate, kept, root)

    def floors(self, path: str) -> Path:
        """Return where the accepted successes of adversaries are; paths start from the project's root folder."""
        return self.root / path

    @cached_property
    def _attacks(self) -> "list[Attack]":
        import pytest

        from sealproof.attacks import get_attack
        from sealproof.attacks.selection import load_attacks
        from sealproof.harness.studies.counterexamples.kept import chains_of

        try:
            attacks = load_attacks(self.attacks)
            # What once broke this scheme's detector is tried again, whatever the preset.
            broke = [get_attack(chain) for chain in chains_of(self.counterexamples, self.scheme)]
            return list({attack.id: attack for attack in [*attacks, *broke]}.values())
        except (HarnessError, AttackError) as error:
            raise pytest.UsageError(str(error)) from error

    def attack_ids(self) -> list[str]:
        """Return the attacks' ids, `identity` first."""
        return [attack.id for attack in self._attacks]

    def cell_id(self, attack_id: str) -> str:
        """Return a cell's id: `spread_spectrum-mp3.64kbps`."""
        return f"{self.scheme}-{attack_id}"

    @cached_property
    def accepted(self) -> "Baseline":
        """What the baseline holds when the session begins."""
        import pytest

        from sealproof.harness.pytest_plugin.baseline import read_baseline

        try:
            return read_baseline(self.asked.baseline)
        except HarnessError as error:
            raise pytest.UsageError(str(error)) from error

    @property
    def baseline_name(self) -> str:
        """The baseline's path as messages call it."""
        from sealproof.harness.pytest_plugin.gate_text import shown

        return shown(self.asked.baseline)

    def check(self) -> None:
        """Refuse what makes every cell fail, before any is run.

        Raises:
            pytest.UsageError: The attacks or the baseline cannot be used, or no cell has a name that is accepted.
        """
        import pytest

        cells = [self.cell_id(attack_id) for attack_id in self.attack_ids()]
        option = "--robustness-accept-regressions"
        if self.asked.accepted and not self.asked.is_update:
            raise pytest.UsageError(f"{option} takes effect with --robustness-update-baseline only. Give both.")
        from sealproof.harness.pytest_plugin.means import OVERALL_NAME

        for pattern in self.asked.accepted:
            if not any(fnmatchcase(cell, pattern) for cell in (*cells, OVERALL_NAME)):
                raise pytest.UsageError(
                    f"{option} must be the name of a cell, as {cells[0]}, or {OVERALL_NAME} or *. Got {pattern}."
                )
        self.accepted  # noqa: B018 - reading it is the check

    @cached_property
    def bench(self) -> "Bench":
        """Everything cells are run with; the first process to ask builds, trains and calibrates, the others wait."""
        from filelock import FileLock

        from sealproof.harness.matrix.assembly import open_bench
        from sealproof.harness.matrix.request import RunRequest

        self.dataset_root.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self.dataset_root.with_name(f".{self.dataset_root.name}.lock")):
            request = RunRequest(attacks=self.attacks, seed=self.seed, n_clips=None if self.is_demo else self.n_clips)
            bench = open_bench(self._dataset(), request)
            bench.run(bench.calibration_cell(self.seed))
        return bench

    def _dataset(self) -> "Dataset":
        from sealproof.harness.datasets.build import BuildRequest
        from sealproof.harness.datasets.dataset import Dataset
        from sealproof.harness.training.demo_dataset import demo_dataset, remove_outdated
        from sealproof.harness.training.demo_request import DemoRequest

        if not self.is_demo:
            return Dataset.open(self.dataset_root)
        request = DemoRequest(scheme=self.scheme, n_clips=self.n_clips or SUITE_CLIPS, seed=self.seed)
        note = remove_outdated(self.dataset_root, BuildRequest(**asdict(request)))
        if note:
            self.notes.append(note)
        return demo_dataset(request, self.dataset_root, with_baseline=False)

    @cached_property
    def cells(self) -> "dict[str, Cell]":
        """The matrix by attack id."""
        from sealproof.harness.matrix.cell import matrix

        cells = matrix(self.bench.dataset, self._attacks, self.bench.pairs, seed=self.seed)
        return {cell.attack.id: cell for cell in cells}

    @cached_property
    def summariser(self) -> "Summariser":
        """What turns outcomes into rows."""
        from sealproof.harness.tables.write import summariser_of

        return summariser_of(self.bench, self.seed)

    @cached_property
    def _thresholds(self) -> "Mapping[str, Thresholds]":
        from sealproof.harness.tables.write import thresholds_of

        return thresholds_of(self.bench, self.seed)

    @cached_property
    def gate(self) -> "Gate":
        """What holds rates against the baseline."""
        from sealproof.harness.pytest_plugin.baseline import sample_of
        from sealproof.harness.pytest_plugin.gate import Gate

        sample = sample_of(self.bench.dataset, self.bench.pairs, self.seed)
        gated = {key: row for key, row in self.accepted.items() if self.asked.gates(row.role)}
        return Gate(gated, self.baseline_name, sample, self.asked.allowed_drop, len(self._known_cells(sample)))

    def _known_cells(self, sample: "Sample | None") -> "dict[tuple[str, str], tuple[int, ...]]":
        """Return the cells of the matrix that the baseline knows, with the marked clips of their recordings.

        Args:
            sample: Of which clips; None, before these are known, for any of the dataset.
        """
        matrix = {(attack.name, attack.params_text) for attack in self._attacks}
        dataset, clips = sample[:2] if sample is not None else (self.dataset_root.name, None)
        return {
            (key.rate.attack, key.rate.params): row.trials
            for key, row in self.accepted.items()
            if row.role == "reference"
            and (key.dataset, key.rate.scheme, key.rate.metric) == (dataset, self.scheme, "tpr")
            and clips in (None, key.clips)
            and (key.rate.attack, key.rate.params) in matrix
        }

    def power(self) -> str:
        """Say what the gate can find, from the baseline alone; empty where that knows nothing of these clips."""
        from sealproof.harness.pytest_plugin.power import power_text

        cells = self._known_cells(None)
        if not cells:
            return ""
        return power_text(next(iter(cells.values())), len(cells), self.asked.allowed_drop)

    def tallies(self, outcome: "Outcome") -> "Iterable[Tally]":
        """Return the gated rates of a cell that did not fail."""
        from sealproof.harness.tables.rates import tallies

        all_tallies = tallies(outcome, self.bench.pairs, self.bench.subjects, self._thresholds)
        return (tally for tally in all_tallies if self.asked.gates(tally.role))

    def _known(self, cell: "Cell") -> "Outcome | None":
        from sealproof.harness.matrix.outcome import Outcome

        finished = self.bench.finished(cell)
        if finished is not None:
            return finished
        error = self.bench.store.failure(cell)
        return None if error is None else Outcome(cell, error, None, {})

    def finish(self, ran: Iterable[str], command: "Callable[[Sequence[str]], str]") -> "Finished":
        """Write the tables of every finished cell, hold those that ran against the baseline, and update it if asked to.

        Cells that were not selected this time but are finished are in the tables too: their numbers hold, as a cell's
        key covers everything that can change them. The gate and the baseline know only those that ran.

        A cell by itself was judged by its test; here all that ran are judged beside each other, and by their means.

        Args:
            ran: Ids of the cells that ran this time.
            command: Returns the command that makes the session's numbers the baseline, given the cells that got worse.

        Raises:
            HarnessError: There are no thresholds, or the baseline cannot be used.
            DetectorError: A detector could not be loaded.
            OSError: A file cannot be written.
        """
        from sealproof.harness.pytest_plugin.baseline import merge_baseline, row_of
        from sealproof.harness.pytest_plugin.gate_table import write_gate
        from sealproof.harness.pytest_plugin.gate_text import Finished, GateReport
        from sealproof.harness.pytest_plugin.means import OVERALL_NAME, means
        from sealproof.harness.tables.dictionary.columns import GATE
        from sealproof.harness.tables.text import thin_calibration_note
        from sealproof.harness.tables.write import write_tables

        known = {name: outcome for name, cell in self.cells.items() if (outcome := self._known(cell)) is not None}
        tables = write_tables(self.bench, list(known.values()), self.seed, self.out, processes=os.cpu_count() or 1)
        names = set(ran)
        ran_now = {name: outcome for name, outcome in known.items() if self.cell_id(name) in names}
        rates = {name: list(self.tallies(outcome)) for name, outcome in ran_now.items() if outcome.error is None}
        judged = self.gate.together({name: self.gate.judge(tallies) for name, tallies in rates.items()})
        overall = means(judged.values(), self.asked.allowed_drop)
        stale, missing = self.gate.stale(self._matrix_keys(), self.scheme), self.gate.missing(self.scheme)
        worse = [name for name, ones in judged.items() if any(one.is_red for one in ones)]
        # Where the mean over all cells fell, it is in all of them.
        is_worse = any(one.is_red for one in overall)
        is_refused = is_worse and not self.asked.accepts(OVERALL_NAME)
        at_stake = list(judged) if is_refused else worse
        kept = [name for name in at_stake if self.asked.is_update and not self.asked.accepts(self.cell_id(name))]
        n_updated = None
        if self.asked.is_update:
            new = [tally for name, tallies in rates.items() if name not in kept for tally in tallies]
            rows = [row_of(tally, self.gate.sample) for tally in new]
            merge_baseline(self.asked.baseline, rows)
            n_updated = len(rows)
        report = GateReport(
            path=self.baseline_name,
            judged=judged,
            means=overall,
            power=self.power(),
            failed={name: outcome.error for name, outcome in ran_now.items() if outcome.error is not None},
            stale=stale,
            cells=frozenset(f"{attack.name} {attack.params_text}".strip() for attack in self._attacks),
            missing=missing,
            command=command([*map(self.cell_id, worse), *[OVERALL_NAME] * is_worse]),
            kept=kept,
            is_strict=self.asked.is_strict,
            n_updated=n_updated,
        )
        n_missing = len(self.cells) - len(known)
        never = f"{n_missing} of {len(self.cells)} cells were never run and are in no table." if n_missing else ""
        # What is not gated for want of a threshold is said, too.
        lacking = "\n".join(filter(None, [never, thin_calibration_note(self._thresholds).strip()]))
        files = tables.files
        if not missing:
            files = [*files, write_gate(self.out / GATE, judged, overall, self.gate.level)]
        return Finished(report, tables.rows, files, lacking)

    def _matrix_keys(self) -> "Iterable[RateKey]":
        from sealproof.harness.tables.rates import RateKey, gated_rates

        for attack in self._attacks:
            for subject in self.bench.subjects:
                if not self.asked.gates(subject.role):
                    continue
                for rule, metric in gated_rates(subject.role):
                    yield RateKey(self.scheme, attack.name, attack.params_text, subject.name, rule, metric)


def _numbers(options: Mapping[str, str]) -> tuple[int | None, int, float]:
    import pytest

    try:
        n_clips = int(options["clips"]) if options["clips"] else None
        seed = int(options["seed"])
    except ValueError as error:
        raise pytest.UsageError(f"--robustness-clips and --robustness-seed must be whole numbers ({error}).") from error
    if n_clips is not None and n_clips < 1:
        raise pytest.UsageError(f"--robustness-clips must be at least 1. Got {n_clips}.")
    try:
        allowed_drop = float(options["allowed_drop"])
    except ValueError:
        allowed_drop = math.nan
    if not 0 <= allowed_drop <= 1:
        raise pytest.UsageError(
            f"--robustness-allowed-drop must lie in 0 .. 1, as 0.05. Got {options['allowed_drop']}."
        )
    return n_clips, seed, allowed_drop
