"""The attack template: a plug-in writes `apply`, everything around it is the same for every attack."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, fields
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.errors import AttackError
from sealproof.attacks.parameters import RULE, Rule, Value, parameter

__all__ = ["Attack", "AttackError", "Audio", "parameter"]

Audio = NDArray[np.float32]
"""Mono audio, float32, full scale at 1.0: one clip (samples,) or a batch (n, samples)."""


@dataclass(frozen=True, kw_only=True)
class Attack(ABC):
    """A perturbation of audio with fixed parameters: the fields of the dataclass.

    A subclass is a `@dataclass(frozen=True, kw_only=True)` that sets `name`, `family` and `sweep`, declares its fields
    with `parameter` and writes `apply`. It holds no other state, so an attack can be shared by threads, compared,
    hashed and rebuilt from its id. `sealproof.attacks.testing.check_attack` proves that it keeps the contract.

    Float audio is not clamped to [-1, 1]: only an attack that passes through integer PCM clips, and says so.

    Attributes:
        name: Lower-case name in the registry and first part of every id.
        family: Heading under which tables list the attack.
        sweep: Parameter -> strengths of the standard grid, weakest first; empty if there is nothing to vary.
        keeps_alignment: False if output sample i does not belong to input sample i; a sample-wise SNR then means
            nothing.
        is_random: True if the seed changes the result.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {}
    keeps_alignment: ClassVar[bool] = True
    is_random: ClassVar[bool] = False

    def __post_init__(self) -> None:
        for item in fields(self):
            value = _rule(type(self), item).check(self.name, item.name, getattr(self, item.name))
            object.__setattr__(self, item.name, value)  # frozen: the one place where the normal form is stored

    @property
    def params(self) -> dict[str, Value]:
        """The parameters by name, in the order in which the id lists them."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @property
    def id(self) -> str:
        """Name and strengths, e.g. `mp3.64kbps` or `echo.100ms.0.4x`; equal attacks have equal ids."""
        strengths = [_rule(type(self), item).format(getattr(self, item.name)) for item in fields(self)]
        return ".".join([self.name, *strengths])

    @classmethod
    def from_id(cls, spec: str) -> Self:
        """Builds the attack that an id names.

        Raises:
            AttackError: If the text is not an id of this attack or a strength is refused.
        """
        rules = {item.name: _rule(cls, item) for item in fields(cls)}
        pattern = re.escape(cls.name) + "".join(rf"\.(?P<{name}>{rule.pattern})" for name, rule in rules.items())
        match = re.fullmatch(pattern, spec, flags=re.ASCII)
        if match is None:
            form = ".".join([cls.name, *(f"<{name}>{rule.unit}" for name, rule in rules.items())])
            raise AttackError(f"An id of {cls.name} must have the form '{form}'. Got '{spec}'.")
        return cls(**{name: rule.parse(match[name]) for name, rule in rules.items()})

    @classmethod
    def standard(cls) -> list[Self]:
        """The attack at every strength of its standard grid, weakest first; other parameters keep their defaults."""
        if not cls.sweep:
            return [cls()]
        return [cls(**{name: value}) for name, values in cls.sweep.items() for value in values]

    @abstractmethod
    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Attacks one clip; the only method that a plug-in must write.

        Args:
            clip: (samples,) float32, finite, at least one sample, read-only.
            sample_rate: Samples per second, in Hz.
            rng: The only source of randomness.

        Returns:
            (`output_length(samples, sample_rate)`,) float32, finite.

        Raises:
            AttackError: If the attack cannot be done; it never falls back to its input.
        """

    def output_length(self, n_samples: int, sample_rate: int) -> int:
        """Number of samples that `apply` returns for `n_samples`; by default the same number."""
        del sample_rate
        return n_samples

    @final
    def __call__(self, batch: Audio, sample_rate: int, seeds: Sequence[int]) -> Audio:
        """Attacks every clip of a batch on its own.

        The result for a clip depends on that clip and its seed alone, neither on the batch nor on the order, and
        several threads may call the same attack at once.

        Args:
            batch: (n, samples) float32, finite. It is not modified.
            sample_rate: Samples per second, in Hz.
            seeds: One non-negative integer a clip.

        Returns:
            (n, `output_length(samples, sample_rate)`) float32, a new array.

        Raises:
            AttackError: If the input breaks a rule above, or the attack breaks what it states about its output.
        """
        self._check_input(batch, sample_rate, seeds)
        length = self.output_length(batch.shape[1], sample_rate)
        attacked = np.empty((len(batch), length), dtype=np.float32)
        for index, seed in enumerate(seeds):
            clip = np.ascontiguousarray(batch[index])
            clip.flags.writeable = False  # a view of its own: the caller's array stays writeable
            output = self.apply(clip, sample_rate, np.random.default_rng(int(seed)))
            self._check_output(output, length, index)
            attacked[index] = output
        return attacked

    def _check_input(self, batch: Audio, sample_rate: int, seeds: Sequence[int]) -> None:
        if not isinstance(batch, np.ndarray) or batch.dtype != np.float32 or batch.ndim != 2:
            got = f"{batch.dtype} {batch.shape}" if isinstance(batch, np.ndarray) else type(batch).__name__
            raise AttackError(
                f"{self.id} needs a float32 batch (n, samples); pass clip[None] for a single clip. Got {got}."
            )
        if batch.shape[1] == 0:
            raise AttackError(f"{self.id} needs clips of at least one sample. Got {batch.shape}.")
        if isinstance(sample_rate, bool) or not isinstance(sample_rate, (int, np.integer)) or sample_rate <= 0:
            raise AttackError(f"{self.id} needs the sample rate in Hz as a positive integer. Got {sample_rate!r}.")
        if len(seeds) != len(batch):
            raise AttackError(f"{self.id} needs one seed a clip: {len(batch)} clips. Got {len(seeds)} seeds.")
        for seed in seeds:
            if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
                raise AttackError(f"A seed for {self.id} must be a non-negative integer. Got {seed!r}.")
        finite = np.isfinite(batch).all(axis=1)
        if not finite.all():
            clips = np.flatnonzero(~finite)[:5].tolist()
            raise AttackError(
                f"{self.id} needs finite audio; remove the clips with NaN or infinity. Got some in {clips}."
            )

    def _check_output(self, output: Audio, length: int, index: int) -> None:
        if not isinstance(output, np.ndarray) or output.dtype != np.float32 or output.shape != (length,):
            got = f"{output.dtype} {output.shape}" if isinstance(output, np.ndarray) else type(output).__name__
            raise AttackError(f"{self.id} must return float32 ({length},) for clip {index}. Its apply returned {got}.")
        if not np.isfinite(output).all():
            raise AttackError(
                f"{self.id} must return finite audio. Its apply returned NaN or infinity for clip {index}."
            )


def _rule(attack: type[Attack], item: Field[Any]) -> Rule:
    rule = item.metadata.get(RULE)
    if not isinstance(rule, Rule):
        raise AttackError(
            f"The field '{item.name}' of {attack.name} must be declared with parameter(unit=..., ...), "
            "so that it can be checked and written in the id."
        )
    return rule
