"""The pytest plugin: a cell of the matrix is a test.

A project that wants the matrix in its own suite writes one test:

    @pytest.mark.robustness
    def test_robustness(robustness_cell):
        robustness_cell.check()

and runs `pytest -m robustness`. Everything heavy is imported when a cell runs, not when tests are collected.
"""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from sealproof.harness.robustness import RobustnessCell, RobustnessSession

_OPTIONS = {
    "dataset": ("", "a dataset that `sealproof build` wrote (default: demo music, built and trained when missing)"),
    "scheme": ("audioseal_mini", "the scheme of the demo dataset, when no dataset is named"),
    "attacks": ("fast", "a preset's name or a TOML file"),
    "clips": ("", "at most this many test pairs of a named dataset; of the demo dataset, its number of clips"),
    "seed": ("0", "decides what random attacks draw"),
    "out": ("results", "folder of the tables"),
}
"""Name -> default and help of each option; the same things that `sealproof run` takes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options `--robustness-...`, each with an ini setting `robustness_...` behind it."""
    group = parser.getgroup("robustness", "sealproof: audio watermark detectors under attack")
    for name, (default, text) in _OPTIONS.items():
        group.addoption(f"--robustness-{name}", metavar=name.upper(), help=f"{text} (ini: robustness_{name})")
        parser.addini(f"robustness_{name}", text, default=default)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and listen for cells."""
    config.addinivalue_line("markers", "robustness: a cell of sealproof's perturbation matrix (slow)")
    config.pluginmanager.register(_Robustness(config), "sealproof-session")


@pytest.fixture
def robustness_cell(request: pytest.FixtureRequest) -> "RobustnessCell":
    """One cell of the matrix: `check()` runs it, unless it is finished, and fails the test when the cell failed."""
    plugin: _Robustness = request.config.pluginmanager.getplugin("sealproof-session")
    return plugin.session.cell(request.param, request.node)


class _Robustness:
    """What one pytest session knows of the matrix; one in each xdist worker, and one in the controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._session: RobustnessSession | None = None
        self._any_ran = False

    @property
    def session(self) -> "RobustnessSession":
        if self._session is None:
            from sealproof.harness.robustness import RobustnessSession

            options = {name: self._config.getoption(f"robustness_{name}") for name in _OPTIONS}
            given = {name: value or self._config.getini(f"robustness_{name}") for name, value in options.items()}
            self._session = RobustnessSession.from_text(given, self._config.rootpath)
        return self._session

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Refuse wrong options of the command line; once modules are collected it is too late for a usage error."""
        if any(self._config.getoption(f"robustness_{name}") for name in _OPTIONS):
            self.session.attack_ids()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make one test per cell out of each test that asks for `robustness_cell`."""
        if "robustness_cell" in metafunc.fixturenames:
            try:
                ids = self.session.attack_ids()
            except pytest.UsageError as error:
                # Of the ini file: suites without cells need not care, so it is an error of this module only.
                raise pytest.Collector.CollectError(str(error)) from error
            metafunc.parametrize("robustness_cell", ids, ids=map(self.session.cell_id, ids), indirect=True)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note that a cell ran: with xdist, the controller sees the reports of all workers."""
        if any(name == "sealproof_cell" for name, _ in report.user_properties):
            self._any_ran = True

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the tables of all finished cells, and show the short one."""
        if self._any_ran and not hasattr(self._config, "workerinput"):
            from sealproof.harness.config import left_out

            terminalreporter.section("robustness")
            terminalreporter.write(self.session.write_tables())
            for name, reason in left_out(self.session.attacks).items():
                terminalreporter.write_line(f"Left out of the preset {self.session.attacks}: {name}. {reason}")
