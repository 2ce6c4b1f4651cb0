"""The pytest plugin: a cell of the matrix is a test.

A project that wants the matrix in its own suite writes one test:

    @pytest.mark.robustness
    def test_robustness(robustness_cell):
        robustness_cell.check()

and runs `pytest -m robustness`. Adversaries are one test, marked `adversary`:

    @pytest.mark.adversary
    def test_adversaries(adversary_gate):
        adversary_gate.check()

Everything heavy is imported when a cell runs, not when tests are collected.
"""

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sealproof.harness.matrix.request import RunRequest
from sealproof.harness.pytest_plugin.request import GateRequest
from sealproof.harness.training.demo_request import DemoRequest

if TYPE_CHECKING:
    from sealproof.harness.pytest_plugin.adversaries import AdversaryGate
    from sealproof.harness.pytest_plugin.cell import RobustnessCell
    from sealproof.harness.pytest_plugin.gate_text import Finished
    from sealproof.harness.pytest_plugin.project import Project
    from sealproof.harness.pytest_plugin.session import RobustnessSession

_OPTIONS = {
    "dataset": ("", "a dataset that `sealproof build` wrote (default: demo music, built and trained when missing)"),
    "scheme": (DemoRequest.scheme, "the scheme of the demo dataset, when no dataset is named"),
    "attacks": (RunRequest.attacks, "a preset's name or a TOML file"),
    "clips": ("", "at most this many test pairs of a named dataset; of the demo dataset, its number of clips"),
    "seed": (str(RunRequest.seed), "decides what random attacks draw"),
    "out": (str(RunRequest.out), "folder of the tables"),
    "baseline": (GateRequest.baseline.as_posix(), "file of the rates that cells are held against"),
    "allowed-drop": (str(GateRequest.allowed_drop), "by how much a rate of one cell may fall, when the fall is proven"),
}
"""Name -> default and help of each option; the first six are the same things that `sealproof run` takes."""

_FLOORS, _UPDATE_FLOORS = "--adversary-floors", "--adversary-update-floors"
_UPDATE = "--robustness-update-baseline"
_ACCEPT = "--robustness-accept-regressions"
_MIMICS = "--robustness-gate-mimics"
_STRICT = "--robustness-strict"


def _dest(name: str) -> str:
    return f"robustness_{name.replace('-', '_')}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options `--robustness-...`, each with an ini setting `robustness_...` behind it."""
    group = parser.getgroup("robustness", "sealproof: audio watermark detectors under attack")
    for name, (default, text) in _OPTIONS.items():
        metavar = name.upper().replace("-", "_")
        group.addoption(f"--robustness-{name}", metavar=metavar, help=f"{text} (ini: {_dest(name)})")
        parser.addini(_dest(name), text, default=default)
    group.addoption(
        _UPDATE,
        action="store_true",
        help="put the rates of the cells that run into the baseline; others stay, and so do cells that got worse",
    )
    group.addoption(
        _ACCEPT,
        action="append",
        default=[],
        metavar="CELL",
        help="with the update: a cell that got worse, or the mean (`overall`), may become the baseline; `*` stands for "
        "any letters; repeatable",
    )
    text = "cells that the baseline lacks, and those that only the baseline has, are failures"
    mimics = "hold mimics against the baseline, too; by default the reference alone is"
    group.addoption(_MIMICS, action="store_true", help=f"{mimics} (ini: robustness_gate_mimics)")
    parser.addini("robustness_gate_mimics", mimics, type="bool", default=False)
    group.addoption(_STRICT, action="store_true", help=f"{text} (ini: robustness_strict)")
    parser.addini("robustness_strict", text, type="bool", default=False)
    accepted = "file of what adversaries were accepted to reach"
    group.addoption(_FLOORS, metavar="FILE", help=f"{accepted} (ini: adversary_floors)")
    parser.addini("adversary_floors", accepted, default="results/adversary_floors.csv")
    group.addoption(_UPDATE_FLOORS, action="store_true", help="accept what adversaries reach now")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and listen for cells."""
    config.addinivalue_line("markers", "robustness: a cell of sealproof's perturbation matrix (slow)")
    config.addinivalue_line("markers", "adversary: sealproof's adversaries against the detector (slow)")
    config.pluginmanager.register(_Robustness(config), "sealproof-session")


@pytest.fixture
def robustness_cell(request: pytest.FixtureRequest) -> "RobustnessCell":
    """One cell of the matrix: `check()` runs it, and fails the test when the cell failed or got worse."""
    plugin: _Robustness = request.config.pluginmanager.getplugin("sealproof-session")
    return plugin.cell(request.param, request.node)


@pytest.fixture
def adversary_gate(request: pytest.FixtureRequest) -> "AdversaryGate":
    """The adversaries: `check()` runs them, and fails the test when they got further than was accepted."""
    from sealproof.harness.pytest_plugin.adversaries import AdversaryGate

    config = request.config
    plugin: _Robustness = config.pluginmanager.getplugin("sealproof-session")
    file = str(config.getoption("adversary_floors") or config.getini("adversary_floors"))
    floors = plugin.session.floors(file)
    return AdversaryGate(
        plugin.session, floors, bool(config.getoption("adversary_update_floors")), request.node.user_properties
    )


class _Robustness:
    """What one pytest session knows of the matrix; one in each xdist worker, and one in the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._session: RobustnessSession | None = None
        self._project: Project | None = None
        self._ran: set[str] = set()
        self._sources: list[str] = []
        self._notes: list[str] = []
        self._finished: Finished | None = None
        self._has_said_power = False

    @property
    def session(self) -> "RobustnessSession":
        if self._session is None:
            from sealproof.harness.pytest_plugin.session import RobustnessSession

            given = {
                name.replace("-", "_"): self._config.getoption(_dest(name)) or self._setting(_dest(name), default)
                for name, (default, _) in _OPTIONS.items()
            }
            self._session = RobustnessSession.from_text(
                given,
                self.project,
                is_update=self._config.getoption("robustness_update_baseline"),
                is_strict=self._is_set("robustness_strict"),
                gates_mimics=self._is_set("robustness_gate_mimics"),
                accepted=tuple(self._config.getoption("robustness_accept_regressions")),
            )
        return self._session

    @property
    def project(self) -> "Project":
        if self._project is None:
            from sealproof.harness.pytest_plugin.project import project_of

            self._project = project_of(self._config)
        return self._project

    def _setting(self, name: str, default: str) -> str:
        """Return a setting of the project's ini file, whether pytest read it or not."""
        if self.project.unread is None:
            return str(self._config.getini(name))
        return self.project.settings.get(name, default)

    def _is_set(self, name: str) -> bool:
        """Return whether an option without a value is given, or its setting is true."""
        from sealproof.harness.pytest_plugin.project import is_true

        return bool(self._config.getoption(name)) or is_true(self._setting(name, "false"))

    def pytest_report_header(self) -> list[str]:
        """Say so where pytest did not read the project's ini file."""
        return [f"robustness: {self.project.note}"] if self.project.unread is not None else []

    def cell(self, attack_id: str, item: pytest.Item) -> "RobustnessCell":
        from sealproof.harness.pytest_plugin.cell import RobustnessCell

        return RobustnessCell(
            self.session,
            attack_id,
            item.user_properties,
            lambda: self._command(worse=[self.session.cell_id(attack_id)], selection=[self._selection(item)]),
        )

    def _selection(self, item: pytest.Item) -> str:
        """Return what selects a test from where pytest was started; its id starts from pytest's root folder."""
        path = Path(os.path.relpath(item.path, self._config.invocation_params.dir)).as_posix()
        return "::".join([path, *item.nodeid.split("::")[1:]])

    def _command(self, worse: Sequence[str], selection: Sequence[str] = ()) -> str:
        """Write the command that makes numbers of this session the baseline, with the options that it was given.

        Args:
            worse: Cells whose regressions it accepts by name.
            selection: The tests that it runs; all where none is named.
        """
        parts = ["pytest", *selection]
        for option, flag in (("markexpr", "-m"), ("keyword", "-k")):
            given = self._config.getoption(option)
            if given and not (selection and option == "keyword"):
                parts += [flag, given]
        for name in _OPTIONS:
            given = self._config.getoption(_dest(name))
            if given:
                parts.append(f"--robustness-{name}={given}")
        if self._config.getoption("robustness_gate_mimics"):
            parts.append(_MIMICS)
        return shlex.join([*parts, _UPDATE, *(f"{_ACCEPT}={cell}" for cell in worse)])

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Refuse wrong options of the command line; once modules are collected it is too late for a usage error."""
        if any(self._config.getoption(_dest(name)) for name in (*_OPTIONS, "accept-regressions")):
            self.session.check()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test per cell out of each test that asks for `robustness_cell`."""
        if "robustness_cell" in metafunc.fixturenames:
            try:
                self.session.check()
                ids = self.session.attack_ids()
            except pytest.UsageError as error:
                # Of the ini file: suites without cells need not care, so it is an error of this module only.
                raise pytest.Collector.CollectError(str(error)) from error
            metafunc.parametrize("robustness_cell", ids, ids=map(self.session.cell_id, ids), indirect=True)

    def pytest_report_collectionfinish(self, items: Sequence[pytest.Item]) -> list[str]:
        """Say what the gate can find before it looks."""
        if not any("robustness_cell" in getattr(item, "fixturenames", ()) for item in items):
            return []
        return self._power_lines()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """Say it under xdist, too: workers collect, and the controller has the terminal."""
        terminal = self._config.pluginmanager.getplugin("terminalreporter")
        if self._has_said_power or terminal is None or self._config.get_verbosity() < 0:
            return
        self._has_said_power = True
        try:
            names = [f"[{self.session.cell_id(attack_id)}]" for attack_id in self.session.attack_ids()]
        except pytest.UsageError:
            # The workers have it, too, and say so.
            return
        if any(test.endswith(name) for test in ids for name in names):
            for line in self._power_lines():
                terminal.write_line(line)

    def _power_lines(self) -> list[str]:
        power = self.session.power()
        return [f"robustness: {power}"] if power else []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note which cells ran: with xdist, the controller sees the reports of all workers."""
        if report.when == "call":
            for name, value in report.user_properties:
                if name == "sealproof_cell":
                    self._ran.add(str(value))
                elif name == "sealproof_source":
                    self._sources.append(str(value))
                elif name == "sealproof_note":
                    self._notes.append(str(value))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the tables, and the baseline if asked to; only one process does, and it has seen all cells.

        The terminal summary is shown after all hooks of this name, so it is not too late to fail the session here.
        """
        if not self._ran or hasattr(self._config, "workerinput"):
            return
        from sealproof.attacks.contract.base import AttackError
        from sealproof.detectors.base import DetectorError
        from sealproof.harness.foundation.errors import HarnessError

        try:
            self._finished = self.session.finish(self._ran, self._command)
        except (HarnessError, DetectorError, AttackError, OSError) as error:
            self._notes.append(f"tables or baseline could not be written: {error}")
        is_failure = self._finished is None or self._finished.is_failure
        if is_failure and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what changed since the baseline and the worst cells; with `-q` only what changed."""
        if not self._ran or hasattr(self._config, "workerinput"):
            return
        from sealproof.attacks.selection import left_out
        from sealproof.harness.matrix.outcome import sources_text

        only_changes = self._config.get_verbosity() < 0
        lines = [self.project.note] * bool(self.project.note) + self._notes
        if self._sources and not only_changes:
            lines.append(sources_text(self._sources))
        if self._finished is not None:
            lines += self._finished.lines(only_changes=only_changes)
        if not only_changes:
            reasons = left_out(self.session.attacks).items()
            lines += [f"Left out of the preset {self.session.attacks}: {name}. {reason}" for name, reason in reasons]
        if lines:
            terminalreporter.section("robustness")
            for line in lines:
                terminalreporter.write_line(line)
