"""What an attack states about itself, in numbers that can be measured."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """A quantity of attacked audio and the range in which it must lie.

    Attributes:
        quantity: Its name, with the unit: `snr_db`, `bitrate_kbps`, `delay_samples`, ...
        low: Smallest value; -inf for no bound.
        high: Largest value; inf for no bound.
        every: True if each clip must lie within; else the median over the clips, for what scatters from clip to clip.
    """

    quantity: str
    low: float = -math.inf
    high: float = math.inf
    every: bool = False

    @classmethod
    def about(cls, quantity: str, value: float, tolerance: float, *, every: bool = False) -> "Claim":
        """The quantity is `value`, give or take `tolerance`."""
        return cls(quantity, value - tolerance, value + tolerance, every)

    def describe(self) -> str:
        """The range in words, e.g. `29.9 to 30.1` or `at most -30`."""
        if math.isinf(self.low):
            return f"at most {self.high:g}"
        if math.isinf(self.high):
            return f"at least {self.low:g}"
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"
