"""Verifying attacks: what they claim, held against what they did to real clips."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sealproof.attacks.contract.base import Attack
from sealproof.attacks.verification.verify import Status
from sealproof.harness.foundation.text import csv_text, filled

COLUMNS = (
    "attack", "params", "family", "label", "quantity", "claimed_low", "claimed_high", "median", "low", "high",
    "n_clips", "n_unjudged", "status", "duplicate_of", "error",
)  # fmt: skip
"""Columns of `attacks.csv`."""


@dataclass(frozen=True)
class Checked:
    """What became of an attack that was verified.

    Attributes:
        attack: The attack.
        record: What was measured, as `Verification.record` writes it; None if the attack failed.
        error: Why it failed, or why `check_attack` refuses it; None when neither.
        ms_per_clip: Time it took; NaN if it failed.
    """

    attack: Attack
    record: Mapping[str, Any] | None
    error: str | None
    ms_per_clip: float = math.nan

    @property
    def broken(self) -> list[str]:
        """The claims that were not kept, in words."""
        verdicts = [] if self.record is None else self.record["verdicts"]
        return [verdict["complaint"] for verdict in verdicts if verdict["status"] == Status.BROKEN]

    @property
    def unmeasured(self) -> list[str]:
        """The claimed quantities that no clip allowed to measure, each once."""
        verdicts = [] if self.record is None else self.record["verdicts"]
        unmeasured = [verdict["quantity"] for verdict in verdicts if verdict["status"] == Status.UNMEASURED]
        return list(dict.fromkeys(unmeasured))


def duplicates(checked: Iterable[Checked]) -> dict[str, str]:
    """Return, for each attack that did to the clips what an earlier one did, bit for bit, the id of that one."""
    first: dict[str, str] = {}
    same_as: dict[str, str] = {}
    for each in checked:
        if each.record is None:
            continue
        earlier = first.setdefault(each.record["sha256"], each.attack.id)
        if earlier != each.attack.id:
            same_as[each.attack.id] = earlier
    return same_as


def rows(checked: Sequence[Checked]) -> Iterator[dict[str, str]]:
    """Yield the rows of `attacks.csv`: one for each attack and quantity, claimed ones first."""
    same_as = duplicates(checked)
    for each in checked:
        about = {
            "attack": each.attack.name,
            "params": filled(each.attack.params_text),
            "family": each.attack.family,
            "duplicate_of": same_as.get(each.attack.id, ""),
        }
        if each.error is not None:
            yield {**dict.fromkeys(COLUMNS, ""), **about, "status": "failed", "error": each.error}
        if each.record is None:
            continue
        for verdict in each.record["verdicts"]:
            numbers = {name: _text(verdict[name]) for name in ("claimed_low", "claimed_high")}
            numbers |= {name: _measured(verdict[name]) for name in ("median", "low", "high")}
            texts = {name: str(verdict[name]) for name in ("label", "quantity", "n_clips", "n_unjudged", "status")}
            yield {**about, **texts, **numbers, "error": verdict["complaint"]}


def attacks_csv(checked: Sequence[Checked]) -> str:
    """Return `attacks.csv`."""
    return csv_text(COLUMNS, rows(checked))


def _text(value: float | None) -> str:
    """A bound; empty where there is none."""
    return "" if value is None or not math.isfinite(value) else f"{value:.6g}"


def _measured(value: float) -> str:
    """A number that was measured; empty where none was. An infinite one was: nothing changed, or nothing is left."""
    return "" if math.isnan(value) else f"{value:.6g}"
