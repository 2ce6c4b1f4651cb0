"""The gate of adversaries: what got worse fails, what is accepted passes, and a broken adversary never does."""

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.pytest_plugin import adversaries
from sealproof.harness.pytest_plugin.adversaries import AdversaryGate, gated, merge_floors, read_floors, worse
from sealproof.harness.pytest_plugin.request import GateRequest
from sealproof.harness.studies.adversaries.output.rows import AdversaryRow
from sealproof.harness.studies.adversaries.request import AdversaryRequest

TINY = AdversaryRequest(
    adversaries=("white_box.15steps", "mean_mark"), budgets=("snr30",), rules=("fixed",), queries=20, n_clips=3,
    n_query_clips=3, controls=False,
)  # fmt: skip


@dataclass
class Session:
    """What the gate takes of a session."""

    bench: Any
    out: Path
    seed: int = 0
    n_clips: int | None = 3
    asked: GateRequest = field(default_factory=GateRequest)


@pytest.fixture
def gate(bench_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AdversaryGate:
    monkeypatch.setattr(adversaries, "preset", lambda name: TINY)
    session: Any = Session(SimpleNamespace(dataset=bench_dataset), tmp_path / "out")
    return AdversaryGate(session, tmp_path / "floors.csv", False, [])


def updated(gate: AdversaryGate) -> AdversaryGate:
    AdversaryGate(gate.session, gate.floors, True, []).check()
    return gate


def test_what_was_accepted_passes_and_stands_in_the_junit_properties(gate: AdversaryGate) -> None:
    updated(gate).check()
    found = {name: value for name, value in gate.properties if name.startswith("white_box.15steps.removal")}
    assert found["white_box.15steps.removal.snr30.20.fixed.success"] == 1.0
    assert "white_box.15steps.removal.snr30.20.fixed.least_distortion_db" in found


def test_an_adversary_that_got_further_fails_with_its_name_and_the_command(gate: AdversaryGate) -> None:
    updated(gate)
    text = gate.floors.read_text().splitlines()
    lowered = [text[0], *(",".join([*line.split(",")[:-1], "0.1"]) for line in text[1:])]
    gate.floors.write_text("\n".join(lowered))
    with pytest.raises(pytest.fail.Exception) as error:
        gate.check()
    said = str(error.value)
    assert "white_box.15steps removal snr30 fixed: success from 0.1 to 1" in said
    assert "--adversary-update-floors" in said


def test_without_a_file_it_passes_unless_it_is_strict(gate: AdversaryGate) -> None:
    gate.check()
    strict = GateRequest(is_strict=True)
    session: Any = Session(gate.session.bench, gate.session.out, asked=strict)
    with pytest.raises(pytest.fail.Exception, match="has nothing about these adversaries"):
        AdversaryGate(session, gate.floors, False, []).check()


def test_a_broken_white_box_fails_and_is_never_accepted(gate: AdversaryGate, monkeypatch: pytest.MonkeyPatch) -> None:
    from sealproof.detectors.slopes import Slope
    from sealproof.detectors.spread_spectrum.scheme import SpreadSpectrumDetector

    honest = SpreadSpectrumDetector.slope

    def turned_round(*arguments: Any) -> Slope:
        found = honest(*arguments)
        return Slope(found.score, found.value, np.ascontiguousarray(found.gradient[:, ::-1]))

    monkeypatch.setattr(SpreadSpectrumDetector, "slope", turned_round)
    session: Any = Session(gate.session.bench, gate.session.out, seed=5)
    with pytest.raises(pytest.fail.Exception, match="check 1 of spread_spectrum failed"):
        AdversaryGate(session, gate.floors, True, []).check()
    assert not gate.floors.exists()


def row(metric: str, value: float, low: float) -> AdversaryRow:
    return AdversaryRow(
        dataset="set", scheme="toy", adversary="hsja.low", knowledge="nothing", access="none", surrogate="",
        direction="removal", basis="low", budget="snr30", queries=10, rule="fixed", metric=metric, value=value,
        ci_low=low,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "value", "low", "before", "is_worse"),
    [
        ("success", 0.8, 0.7, 0.5, True),
        ("success", 0.8, 0.4, 0.5, False),  # it may be chance
        ("success", 0.52, 0.51, 0.5, False),  # as much is allowed
        ("success", 0.2, 0.1, 0.5, False),
        ("least_distortion_db", 42.0, 41.0, 40.0, True),
        ("least_distortion_db", 40.9, 40.5, 40.0, False),
    ],
)
def test_only_more_than_is_allowed_and_than_chance_is_worse(
    metric: str, value: float, low: float, before: float, is_worse: bool, tmp_path: Path
) -> None:
    now = gated([row(metric, value, low)])
    accepted = dict.fromkeys(now, before)
    assert bool(worse(now, accepted, 0.05)) == is_worse
    merge_floors(tmp_path / "floors.csv", now, {("other",) * 9: 1.0})
    assert read_floors(tmp_path / "floors.csv") == {**dict.fromkeys(now, value), ("other",) * 9: 1.0}


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "floors.csv").write_text("dataset,value\nset,many\n")
    with pytest.raises(HarnessError, match="is damaged"):
        read_floors(tmp_path / "floors.csv")
