"""The gate of adversaries: success rates and least distortions against those that were accepted."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sealproof.attacks.contract.base import AttackError
from sealproof.detectors.base import DetectorError
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import write_text
from sealproof.harness.foundation.text import csv_text
from sealproof.harness.studies.adversaries.request import preset

if TYPE_CHECKING:
    from sealproof.harness.pytest_plugin.session import RobustnessSession
    from sealproof.harness.studies.adversaries.output.rows import AdversaryRow

FLOORS = Path("results/adversary_floors.csv")
"""File of what was accepted."""

ALLOWED_DB = 1.0
"""By how much the median of the least distortion may get smaller."""

_KEY = ("dataset", "scheme", "adversary", "surrogate", "direction", "budget", "queries", "rule", "metric")
_GATED = ("success", "least_distortion_db")

Key = tuple[str, ...]


@dataclass(frozen=True)
class AdversaryGate:
    """The adversaries of the preset `quick` against the session's detector, as one test.

    Attributes:
        session: The matrix's session: its dataset, seed, folder and allowed drop.
        floors: File of what was accepted.
        is_update: What is found now is accepted.
        properties: The test's `user_properties`.
    """

    session: "RobustnessSession"
    floors: Path
    is_update: bool
    properties: list[tuple[str, object]]

    def check(self) -> None:
        """Run the adversaries, unless they are finished, and fail the test when they got further than was accepted.

        It fails as well where a check of an adversary fails: its numbers are worth nothing then, and a detector that
        was not attacked looks robust.
        """
        import pytest

        from sealproof.harness.studies.adversaries.output.write import write_study
        from sealproof.harness.studies.adversaries.study import fight_all

        try:
            asked = preset("quick")
            n_clips = min(asked.n_clips, self.session.n_clips or asked.n_clips)
            request = replace(
                asked, seed=self.session.seed, out=self.session.out, n_clips=n_clips,
                n_query_clips=min(asked.n_query_clips, n_clips), controls=False,
            )  # fmt: skip
            written = write_study(fight_all(self.session.bench.dataset, request), self.session.out)
            accepted = read_floors(self.floors)
        except (HarnessError, DetectorError, AttackError) as error:
            pytest.fail(str(error), pytrace=False)
        now = gated(written.rows)
        self.properties.extend((".".join(filter(None, key[2:])), row.value) for key, row in now.items())
        complaints = [
            f"check {check.number} of {check.about} failed: {check.name}: {check.value:.4g}, required {check.required}"
            for check in written.failed
        ]
        complaints += worse(now, accepted, self.session.asked.allowed_drop)
        if self.is_update and not written.failed:
            merge_floors(self.floors, now, accepted)
            return
        if self.session.asked.is_strict and not any(key in accepted for key in now):
            complaints.append(f"{self.floors} has nothing about these adversaries, which --robustness-strict refuses")
        if complaints:
            text = "\n".join(complaints)
            pytest.fail(f"{text}\nTo accept: pytest -m adversary --adversary-update-floors", pytrace=False)


def gated(rows: "Sequence[AdversaryRow]") -> "dict[Key, AdversaryRow]":
    """Return the rows that are held against what was accepted, by key."""
    return {
        tuple(str(getattr(row, name)) for name in _KEY): row
        for row in rows
        if row.metric in _GATED and row.value is not None
    }


def read_floors(path: Path) -> dict[Key, float]:
    """Return what was accepted; nothing where there is no file.

    Raises:
        HarnessError: The file is damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return {tuple(row[name] for name in _KEY): float(row["value"]) for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}
    except (KeyError, TypeError, ValueError, UnicodeDecodeError, csv.Error) as error:
        raise HarnessError(
            f"{path} is damaged ({error!r}): take it from version control again, or delete it."
        ) from error


def merge_floors(path: Path, now: "Mapping[Key, AdversaryRow]", accepted: Mapping[Key, float]) -> None:
    """Write what was found now over what was accepted; the rest stays."""
    merged = {**accepted, **{key: row.value for key, row in now.items()}}
    write_text(path, csv_text((*_KEY, "value"), ([*key, f"{merged[key]:.6g}"] for key in sorted(merged))))


def worse(now: "Mapping[Key, AdversaryRow]", accepted: Mapping[Key, float], allowed_drop: float) -> list[str]:
    """Say where adversaries got further than was accepted, by more than is allowed and more than chance.

    A success rate got worse where it rose by more than `allowed_drop` and its interval lies above what was accepted; a
    least distortion where its SNR rose by more than 1 dB and its interval lies above.
    """
    complaints = []
    for key, row in now.items():
        before = accepted.get(key)
        if before is None or row.value is None:
            continue
        allowed = allowed_drop if row.metric == "success" else ALLOWED_DB
        low = row.value if row.ci_low is None else row.ci_low
        if row.value > before + allowed and low > before:
            who = " ".join(filter(None, [row.adversary, row.surrogate, row.direction, row.budget, row.rule]))
            complaints.append(f"{who}: {row.metric} from {before:.3g} to {row.value:.3g}; {allowed:g} is allowed")
    return complaints
