"""Several attacks in a row: `mp3.64kbps+lowpass.4khz`."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, AttackError, Audio
from sealproof.attacks.contract.knowledge import Knowledge

SEPARATOR = "+"


@dataclass(frozen=True, kw_only=True)
class Chain(Attack):
    """Applies attacks one after another, in the order in which its id names them.

    Each link draws from a seed of its own. Facts carry the link's place and name, e.g. `2.mp3.bitrate_kbps`. A chain
    claims nothing, not even that it delays nothing: what a link claims holds against its own input, and is checked
    where the link is run alone.
    """

    name: ClassVar[str] = "chain"
    family: ClassVar[str] = "chain"

    links: tuple[Attack, ...]

    def __post_init__(self) -> None:
        if len(self.links) < 2 or not all(isinstance(link, Attack) for link in self.links):
            raise AttackError(f"A chain must have at least two attacks. Got {self.links!r}.")
        if any(isinstance(link, Chain) for link in self.links):
            raise AttackError("A chain must be made of single attacks. Got a chain within a chain: list its links.")

    @property
    def params(self) -> dict[str, int | float | str]:
        """The parameters of all links, by place and name: `1.mp3.bitrate_kbps`."""
        return {
            f"{place}.{link.name}.{name}": value
            for place, link in enumerate(self.links, 1)
            for name, value in link.params.items()
        }

    @property
    def id(self) -> str:
        """The ids of the links, joined by `+`."""
        return SEPARATOR.join(link.id for link in self.links)

    @classmethod
    def from_id(cls, spec: str) -> Self:
        """Refuse: what an id in a chain means, only the registry knows; see `sealproof.attacks.get_attack`."""
        raise AttackError(f"A chain is built by sealproof.attacks.get_attack('{spec}').")

    @classmethod
    def standard(cls) -> list[Self]:
        """None: there are as many chains as one likes."""
        return []

    # Of one attack these are facts of the class; of a chain they follow from its links.
    @property
    def keeps_alignment(self) -> bool:  # type: ignore[override]
        """Whether all links do."""
        return all(link.keeps_alignment for link in self.links)

    @property
    def is_random(self) -> bool:  # type: ignore[override]
        """Whether any link is."""
        return any(link.is_random for link in self.links)

    @property
    def spares_unmarked(self) -> bool:  # type: ignore[override]
        """Whether all links do."""
        return all(link.spares_unmarked for link in self.links)

    @property
    def needs_knowledge(self) -> bool:  # type: ignore[override]
        """Whether any link does."""
        return any(link.needs_knowledge for link in self.links)

    @property
    def files(self) -> Sequence[Path | str]:
        """Those of all links."""
        return [path for link in self.links for path in link.files]

    def output_length(self, n_samples: int, sample_rate: int) -> int:
        """What is left after all links."""
        for link in self.links:
            n_samples = link.output_length(n_samples, sample_rate)
        return n_samples

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Those that every link may: what the first one leaves alone reaches the second as it was."""
        return np.asarray(
            np.all([link.leaves_alone(before, sample_rate) for link in self.links], axis=0), dtype=np.bool_
        )

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Apply the links in order."""
        return self._apply(batch, sample_rate, rngs, None)

    def apply_knowing(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge
    ) -> Attacked:
        """Apply the links in order; those that need it get the knowledge."""
        return self._apply(batch, sample_rate, rngs, knowledge)

    def _apply(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge | None
    ) -> Attacked:
        facts = {}
        for place, link in enumerate(self.links, 1):
            seeds = [int(rng.integers(2**63)) for rng in rngs]
            done = link.perform(batch, sample_rate, seeds, knowledge)
            batch = done.audio
            facts.update({f"{place}.{link.name}.{name}": values for name, values in done.facts.items()})
        return Attacked(batch, facts)
