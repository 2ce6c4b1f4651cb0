"""No perturbation: the row that every other row is compared with."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sealproof.attacks.contract.base import Attack, Audio


@dataclass(frozen=True, kw_only=True)
class Identity(Attack):
    """Returns the clip bit for bit."""

    name: ClassVar[str] = "identity"
    family: ClassVar[str] = "identity"
    is_control: ClassVar[bool] = True

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Return the clip."""
        del sample_rate, rng
        return clip
