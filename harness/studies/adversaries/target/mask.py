"""A budget of hearing: the noise-to-mask ratio of the change, by the model of `matrix.quality.audibility`."""

from dataclasses import dataclass

import numpy as np

from sealproof.attacks.adversarial.contract.budget import Ball, Budget, PeakBudget, SnrBudget
from sealproof.attacks.adversarial.contract.oracle import Audio, Floats, Indices
from sealproof.attacks.contract.errors import AttackError
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.matrix.quality.audibility import Masks


@dataclass(frozen=True)
class MaskBudget:
    """The change has a noise-to-mask ratio of at most `nmr_db`: at -10 dB it is as good as inaudible."""

    nmr_db: float = -10.0

    @property
    def name(self) -> str:
        """`mask`, with the ratio where it is another than -10 dB: `mask-15`."""
        return "mask" if self.nmr_db == -10 else f"mask{self.nmr_db:g}"

    def ball(self, clips: Audio, sample_rate: int) -> Ball:
        """Return the budget about clips (n, samples)."""
        return _MaskBall(Masks(clips, sample_rate), 10 ** (self.nmr_db / 10))


class _MaskBall:
    def __init__(self, masks: Masks, most: float) -> None:
        self._masks, self._most = masks, most

    def size(self, who: Indices, change: Floats) -> Floats:
        """Return the root of the ratio over the largest allowed: twice the change is twice the size."""
        return np.asarray(np.sqrt(self._masks.nmr(who, change) / self._most))

    def project(self, who: Indices, change: Floats) -> Floats:
        """Shrink changes that are too loud."""
        return np.asarray(change / np.maximum(self.size(who, change), 1.0)[:, None])

    def steepest(self, who: Indices, gradient: Floats) -> Floats:
        """Return changes of size 1 that lie where the clips mask them."""
        change = self._masks.cheapest(who, gradient)
        return np.asarray(change / np.maximum(self.size(who, change), 1e-30)[:, None])


def parse_budget(text: str) -> Budget:
    """Read a budget: `snr30`, `linf` or `linf32` (steps of 16 bits), `mask` or `mask-15` (dB).

    Raises:
        HarnessError: It is none of these.
    """
    try:
        if text.startswith("snr"):
            return SnrBudget(float(text[3:]))
        if text.startswith("linf"):
            return PeakBudget(int(text[4:])) if text[4:] else PeakBudget()
        if text.startswith("mask"):
            return MaskBudget(float(text[4:])) if text[4:] else MaskBudget()
    except (ValueError, AttackError) as error:
        raise HarnessError(f"--budget must be like snr30, linf32 or mask. Got {text!r} ({error}).") from error
    raise HarnessError(f"--budget must be like snr30, linf32 or mask. Got {text!r}.")
