"""The perturbation matrix: one test a cell. Run it with `pytest -m robustness`."""

import pytest

from sealproof.harness.pytest_plugin.cell import RobustnessCell


@pytest.mark.robustness
def test_cell(robustness_cell: RobustnessCell) -> None:
    robustness_cell.check()
