"""What adversaries with gradients share: the pace of their steps, and changing what a copy hears."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sealproof.attacks.adversarial.contract.budget import norms
from sealproof.attacks.adversarial.contract.knowledge import Surrogate
from sealproof.attacks.adversarial.contract.oracle import Floats, Indices
from sealproof.attacks.adversarial.contract.search import Search

_TINY = 1e-30


def cosine(first: float, last: float, at: float) -> float:
    """Return a quantity that falls from `first` to `last` along half a cosine; `at` goes from 0 to 1."""
    return last + (first - last) * (1 + math.cos(math.pi * at)) / 2


@dataclass(frozen=True)
class Diversity:
    """Random changes of what a surrogate hears, so that it is not followed into its own mistakes.

    Attributes:
        gain_db: Levels are changed by up to so much either way.
        shift: Clips are turned round by up to so many samples either way.
        noise_db: So far below its clip lies the noise that is added.
    """

    gain_db: float = 3.0
    shift: int = 400
    noise_db: float = 35.0

    def slope(
        self, surrogate: Surrogate, search: Search, who: Indices, changes: Floats, copies: int
    ) -> tuple[Floats, Floats]:
        """Return the surrogate's values and gradients, oriented towards the goal, mean over `copies` of what it hears.

        The first copy is the clip as it is.
        """
        value, gradient = np.zeros(len(who)), np.zeros_like(changes)
        audio = search.clips[who] + changes
        for copy in range(copies):
            heard, back = (audio, _same) if copy == 0 else self._varied(audio, search, who)
            values, slopes = surrogate.slope(np.asarray(heard, np.float32), search.task.direction)
            value += search.sign * values / copies
            gradient += search.sign * back(slopes.astype(np.float64)) / copies
        return value, gradient

    def _varied(self, audio: Floats, search: Search, who: Indices) -> tuple[Floats, Callable[[Floats], Floats]]:
        rngs = [search.rngs[clip] for clip in who]
        gains = np.array([10 ** (rng.uniform(-self.gain_db, self.gain_db) / 20) for rng in rngs])[:, None]
        shifts = [int(rng.integers(-self.shift, self.shift + 1)) for rng in rngs]
        level = 10 ** (-self.noise_db / 20) / np.sqrt(audio.shape[1])
        noise = np.stack([rng.standard_normal(audio.shape[1]) for rng in rngs]) * level * norms(audio)[:, None]
        turned = np.stack([np.roll(clip, shift) for clip, shift in zip(audio + noise, shifts, strict=True)])

        def back(gradient: Floats) -> Floats:
            turned_back = [np.roll(row, -shift) for row, shift in zip(gradient, shifts, strict=True)]
            return np.asarray(gains * np.stack(turned_back))

        return np.asarray(gains * turned), back


def _same(gradient: Floats) -> Floats:
    return gradient


def unit(values: Floats) -> Floats:
    """Return rows of length 1; a row of zeros stays."""
    return np.asarray(values / np.maximum(norms(values), _TINY)[:, None])
