"""The adversaries as a gate: one test. Run it with `pytest -m adversary`."""

import pytest

from sealproof.harness.pytest_plugin.adversaries import AdversaryGate


@pytest.mark.adversary
def test_adversaries(adversary_gate: AdversaryGate) -> None:
    adversary_gate.check()
