"""Which cells of a run that was read make a sweep."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from sealproof.attacks import attack_class
from sealproof.attacks.contract.base import AttackError
from sealproof.harness.tables.sweeps import Sweep, SweptCell, find_sweeps


class NamedCell(Protocol):
    """What is asked of a cell."""

    @property
    def attack(self) -> str:
        """Name of the attack."""

    @property
    def title(self) -> str:
        """What the attack is called."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """The attack's parameters."""


def sweeps_of(cells: Sequence[NamedCell]) -> list[Sweep]:
    """Return every sweep of at least two strengths, in the run's order; chains go by the names of their links."""
    return find_sweeps(
        {
            index: SweptCell(cell.title, cell.parameters, partial(stronger, cell.attack))
            for index, cell in enumerate(cells)
        }
    )


def stronger(attack: str, parameter: str) -> int:
    """Say which way of a parameter does more damage: see `Attack.stronger`; 0 for an attack that is not known here."""
    try:
        return attack_class(attack).stronger(parameter)
    except AttackError:
        return 0  # a chain, or a plug-in that is not installed here
