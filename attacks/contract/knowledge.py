"""What a watermark-aware attacker knows besides the clips it attacks."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

EmbedFunction = Callable[[NDArray[np.float32], Sequence[int]], NDArray[np.float32]]
"""Marks a batch (n, samples), each clip with a message drawn from its seed; returns another of the same shape."""


@dataclass(frozen=True)
class Knowledge:
    """Other audio and watermarkers, as an attack with `needs_knowledge` gets them.

    Attributes:
        twins: (n, samples) float32: of each attacked clip the recording without a watermark. Of a clip that is not
            marked that is the clip itself.
        clean: (m, samples) float32: other recordings without a watermark, from which an attack draws.
        marked: (m, samples) float32: the same, marked by the scheme under test, each with a message of its own.
        watermarkers: By name of a scheme; `same` is the scheme under test.
    """

    twins: NDArray[np.float32]
    clean: NDArray[np.float32]
    marked: NDArray[np.float32]
    watermarkers: Mapping[str, EmbedFunction] = field(default_factory=dict)

    def of(self, part: slice) -> "Knowledge":
        """What is known when only a part of the clips is attacked."""
        return replace(self, twins=self.twins[part])
