"""What other libraries offer for the same perturbations: one list a family, for `benchmarks/attacks/__main__.py`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Perturb = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From a clip (samples,) float32 at 16 kHz to the attacked clip."""


@dataclass(frozen=True)
class Rival:
    """Another way to do what an attack does.

    Attributes:
        attack_id: The attack.
        library: What it is done with, e.g. `audiomentations`.
        make: Imports the library and returns the perturbation, set up.
    """

    attack_id: str
    library: str
    make: Callable[[], Perturb]
