"""One cell of the matrix as a test sees it."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealproof.attacks.contract.base import AttackError
from sealproof.detectors.base import DetectorError
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.pytest_plugin.session import RobustnessSession

if TYPE_CHECKING:
    from sealproof.harness.pytest_plugin.gate import Judged


@dataclass(frozen=True)
class RobustnessCell:
    """One cell of the matrix, as a test sees it.

    Attributes:
        session: The matrix.
        attack_id: Which cell of it.
        properties: The test's `user_properties`.
        command: Returns the command that makes the cell's numbers the baseline, regressions included.
    """

    session: RobustnessSession
    attack_id: str
    properties: list[tuple[str, object]]
    command: Callable[[], str]

    def check(self) -> None:
        """Run the cell, unless it is finished, and fail the test when the cell failed or is worse than the baseline.

        A cell fails when its attack or a detector refuses its work, or when the attack breaks what it claims. It is
        worse when one of its gated rates fell by more than is allowed, and by more than chance does among as many
        cells as the matrix has; or when recordings collapsed. What only all cells together prove fails the session.
        The numbers go to the test's `user_properties`, and so to JUnit files.
        """
        import pytest

        self.properties.append(("sealproof_cell", self.session.cell_id(self.attack_id)))
        try:
            outcome = self.session.bench.run(self.session.cells[self.attack_id])
            self.properties.append(("sealproof_source", outcome.source))
            failed = outcome.error is not None
            rows = [] if failed else list(self.session.summariser.rows(outcome))
            judged = [] if failed else self.session.gate.judge(self.session.tallies(outcome))
        except (HarnessError, DetectorError, AttackError) as error:
            pytest.fail(str(error), pytrace=False)
        finally:
            self.properties.extend(("sealproof_note", note) for note in self.session.notes)
            self.session.notes.clear()
        if outcome.error is not None:
            pytest.fail(outcome.error, pytrace=False)
        for row in rows:
            if row.value is not None:
                # xdist carries plain numbers only.
                self.properties.append((_property(row.detector, row.metric, row.threshold_rule), float(row.value)))
        for one in judged:
            self._note_difference(one)
        self._refuse_worse(judged)

    def _note_difference(self, one: "Judged") -> None:
        if one.difference is not None:
            name = _property(one.tally.detector, one.tally.metric, one.tally.threshold_rule)
            difference = one.difference
            self.properties.extend([(f"{name}.baseline", difference.before), (f"{name}.difference", difference.value)])
            self.properties.extend([(f"{name}.allowed_drop", one.allowed), (f"{name}.p", one.p)])
            if not math.isnan(difference.ci_low):
                ends = (("difference_low", difference.ci_low), ("difference_high", difference.ci_high))
                self.properties.extend((f"{name}.{end}", value) for end, value in ends)

    def _refuse_worse(self, judged: "list[Judged]") -> None:
        import pytest

        from sealproof.harness.pytest_plugin.gate import NEW, complaint

        cell_id = self.session.cell_id(self.attack_id)
        asked = self.session.asked
        worse = [one for one in judged if one.is_red]
        if worse and not (asked.is_update and asked.accepts(cell_id)):
            pytest.fail(complaint(cell_id, worse, self.command()), pytrace=False)
        new = [one for one in judged if one.verdict == NEW]
        if new and asked.is_strict and not asked.is_update:
            names = ", ".join(dict.fromkeys(one.tally.detector for one in new))
            msg = (
                f"{cell_id}: {len(new)} of {len(judged)} rates ({names}) are not in the baseline "
                f"{self.session.baseline_name}, which --robustness-strict refuses.\nTo accept: {self.command()}"
            )
            pytest.fail(msg, pytrace=False)


def _property(detector: str, metric: str, rule: str) -> str:
    return ".".join(part for part in (detector, metric, rule) if part)
