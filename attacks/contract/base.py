"""The attack template: a plug-in writes `apply`, everything around it is the same for every attack."""

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.claims import Claim
from sealproof.attacks.contract.errors import AttackError
from sealproof.attacks.contract.knowledge import Knowledge
from sealproof.attacks.contract.parameters import Parameterised, Value, parameter, params_text

__all__ = ["Attack", "AttackError", "Attacked", "Audio", "Claim", "Facts", "parameter"]

Audio = NDArray[np.float32]
"""Mono audio, float32, full scale at 1.0: one clip (samples,) or a batch (n, samples)."""

Facts = Mapping[str, float | bytes]
"""What an attack learnt about one clip while it attacked it, by quantity; e.g. `{"bitrate_kbps": 63.8}`. Under
`ENCODED` it may hand over the file that it made of the clip and read again, as evidence."""

ENCODED = "encoded"

UNMARKED_FROM, UNMARKED_TO = "unmarked_from", "unmarked_to"
"""Facts of an attack that takes the mark out of one stretch of a clip: the first sample of the stretch, and the one
behind its last. Where a detector then sees the mark is held against them."""


@dataclass(frozen=True)
class Attacked:
    """What came out of an attack.

    Attributes:
        audio: (n, samples') float32.
        facts: By quantity, what only the attack itself could measure, (n,) float64; e.g. the bitrate of a codec.
        encoded: The file of each clip that was encoded; empty for an attack that makes no files.
    """

    audio: Audio
    facts: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    encoded: tuple[bytes, ...] = ()

    def of(self, chosen: NDArray[np.bool_]) -> "Attacked":
        """What came out of some of the clips."""
        encoded = tuple(self.encoded[index] for index in np.flatnonzero(chosen)) if self.encoded else ()
        return Attacked(self.audio[chosen], {name: values[chosen] for name, values in self.facts.items()}, encoded)

    @classmethod
    def concatenate(cls, parts: Sequence["Attacked"]) -> "Attacked":
        """Join what came out of consecutive parts of a batch, in order; at least one, all with the same facts."""
        facts = {name: np.concatenate([part.facts[name] for part in parts]) for name in parts[0].facts}
        files = tuple(file for part in parts for file in part.encoded)
        return cls(np.concatenate([part.audio for part in parts]), facts, files)


@dataclass(frozen=True, kw_only=True)
class Attack(Parameterised, ABC):
    """A perturbation of audio with fixed parameters: the fields of the dataclass.

    A subclass is a `@dataclass(frozen=True, kw_only=True)` that sets `name`, `family` and `sweep`, declares its fields
    with `parameter`, writes `apply`, and states in `claims` what can be measured of it. It holds no other state, so an
    attack can be shared by threads, compared, hashed and rebuilt from its id.
    `sealproof.attacks.testing.check_attack` proves that it keeps the contract.

    Float audio is not clamped to [-1, 1]: only an attack that passes through integer PCM clips, and says so.

    Attributes:
        name: Lower-case name in the registry and first part of every id.
        family: Heading under which tables list the attack.
        sweep: Parameter -> strengths of the standard grid, weakest first; empty if there is nothing to vary. Several
            parameters are varied one at a time, the others at their defaults.
        is_ordered: False if a later strength of the sweep need not do more damage (it has two directions, say).
        keeps_alignment: False if output sample i does not belong to input sample i; a sample-wise SNR then means
            nothing.
        is_random: True if the seed changes the result.
        is_control: True if the attack may return its input as it was, to show that the path itself does no harm.
        spares_unmarked: True if it works on the mark alone, and returns a clip that carries none as it was.
        cuts_only: True if what comes out may be the beginning of what went in.
        keeps_polarity: False if the waveform may come out upside down, or turned in phase so far that none is left.
        silences: True if it may leave a stretch of digital silence where there was sound.
        is_optional: True if it needs a package or weights that sealproof does not bring: see `unavailable`.
        needs_knowledge: True if it must be told more than the clip: see `Knowledge`.
    """

    family: ClassVar[str]
    sweep: ClassVar[Mapping[str, tuple[Value, ...]]] = {}
    is_ordered: ClassVar[bool] = True
    keeps_alignment: ClassVar[bool] = True
    is_random: ClassVar[bool] = False
    is_control: ClassVar[bool] = False
    spares_unmarked: ClassVar[bool] = False
    cuts_only: ClassVar[bool] = False
    keeps_polarity: ClassVar[bool] = True
    silences: ClassVar[bool] = False
    is_optional: ClassVar[bool] = False
    needs_knowledge: ClassVar[bool] = False

    @property
    def params_text(self) -> str:
        """The parameters as tables write them: see `params_text` in `parameters`."""
        return params_text(self.params)

    @classmethod
    def stronger(cls, parameter: str) -> int:
        """Say which way of a parameter does more damage, as the sweep has it.

        Returns:
            1 where a greater value is stronger, -1 where a smaller one is, 0 where neither is known.
        """
        values = cls.sweep.get(parameter, ())
        numbers = [value for value in values if isinstance(value, int | float)]
        if not cls.is_ordered or len(numbers) < max(2, len(values)):
            return 0
        steps = {1 if after > before else -1 if after < before else 0 for before, after in pairwise(numbers)}
        return steps.pop() if len(steps) == 1 else 0

    @classmethod
    def standard(cls) -> list[Self]:
        """The attack at every strength of its standard grid, weakest first; other parameters keep their defaults."""
        if not cls.sweep:
            return [cls()]
        return [cls(**{name: value}) for name, values in cls.sweep.items() for value in values]

    @property
    def files(self) -> Sequence[Path | str]:
        """Files and folders besides its own code that can change the result: weights, a recorded noise, a program.

        Their content counts in the key of every stored number. None by default.
        """
        return ()

    @classmethod
    def unavailable(cls) -> str | None:
        """Why the attack cannot be done on this machine (an encoder or weights are missing), or None."""
        return None

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> "Audio | tuple[Audio, Facts]":
        """Attack one clip; the only method that a plug-in must write, unless it writes `apply_batch`.

        Args:
            clip: (samples,) float32, finite, at least one sample, read-only.
            sample_rate: Samples per second, in Hz.
            rng: The only source of randomness.

        Returns:
            (`output_length(samples, sample_rate)`,) float32, finite; with facts about it where it has any, the same
            quantities for every clip.

        Raises:
            AttackError: If the attack cannot be done; it never falls back to its input.
        """
        raise NotImplementedError(f"{type(self).__name__} must write apply or apply_batch.")

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Attack a batch: clip by clip, unless the attack knows a faster way that gives the same bits.

        Args:
            batch: (n, samples) float32, finite, read-only; n may be 0.
            sample_rate: Samples per second, in Hz.
            rngs: One for each clip.

        Returns:
            (n, `output_length(samples, sample_rate)`) float32, finite.

        Raises:
            AttackError: If the attack cannot be done.
        """
        return self._joined(
            [self.apply(clip, sample_rate, rng) for clip, rng in zip(batch, rngs, strict=True)], batch, sample_rate
        )

    def apply_knowing(
        self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator], knowledge: Knowledge
    ) -> Attacked:
        """As `apply_batch`, for an attack with `needs_knowledge`."""
        raise NotImplementedError(f"{type(self).__name__} must write apply_knowing, or not set needs_knowledge.")

    def output_length(self, n_samples: int, sample_rate: int) -> int:
        """Number of samples that come out of `n_samples`; by default the same number."""
        del sample_rate
        return n_samples

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """What can be measured of the attack at this strength, and within what; checked wherever it is run.

        Quantities are those of `sealproof.attacks.verification`, of `evidence`, and of the facts that `apply` returns.
        Length, alignment and that every clip changed are checked of every attack, and need not be claimed.
        """
        del sample_rate
        return ()

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Say which clips the attack may rightly return as they were; by default those of one magnitude, as silence.

        Where more than a few clips come back unchanged that are none of them, the attack breaks its claims.

        Args:
            before: (n, samples) float32.
            sample_rate: Samples per second, in Hz.

        Returns:
            (n,) bool.
        """
        del sample_rate
        return np.asarray((np.abs(before) == np.abs(before[:, :1])).all(axis=1), dtype=np.bool_)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, NDArray[np.float64]]:
        """Measure what only this kind of attack claims, e.g. how much a filter left of its stop band.

        Args:
            before: (n, samples) float32.
            after: (n, samples') float32.
            sample_rate: Samples per second, in Hz.

        Returns:
            By quantity, (n,) float64; NaN where a clip does not allow the measurement.
        """
        del before, after, sample_rate
        return {}

    def evidence_from(
        self, before: Audio, attacked: Attacked, sample_rate: int, knowledge: Knowledge | None
    ) -> Mapping[str, NDArray[np.float64]]:
        """As `evidence`, for an attack whose evidence is more than the audio: an encoded file, or what it knew.

        Args:
            before: (n, samples) float32.
            attacked: What came out.
            sample_rate: Samples per second, in Hz.
            knowledge: What the attack knew; None where it need not know anything, or nobody has it any more.
        """
        del knowledge
        return self.evidence(before, attacked.audio, sample_rate)

    @final
    def __call__(
        self, batch: Audio, sample_rate: int, seeds: Sequence[int], knowledge: Knowledge | None = None
    ) -> Audio:
        """Attack every clip of a batch on its own and return the audio: see `perform`."""
        return self.perform(batch, sample_rate, seeds, knowledge).audio

    @final
    def perform(
        self, batch: Audio, sample_rate: int, seeds: Sequence[int], knowledge: Knowledge | None = None
    ) -> Attacked:
        """Attack every clip of a batch on its own.

        The result for a clip depends on that clip and its seed alone (and on the knowledge, where an attack needs it),
        neither on the batch nor on the order, and several threads may call the same attack at once.

        Args:
            batch: (n, samples) float32, finite. It is not modified.
            sample_rate: Samples per second, in Hz.
            seeds: One non-negative integer a clip.
            knowledge: What a watermark-aware attack knows; other attacks do not look at it.

        Returns:
            (n, `output_length(samples, sample_rate)`) float32, a new array, with facts about it.

        Raises:
            AttackError: If the input breaks a rule above, the attack fails for whatever reason, or it breaks what it
                states about its output.
        """
        self._check_input(batch, sample_rate, seeds)
        seen = np.ascontiguousarray(batch).view()
        seen.flags.writeable = False  # a view of its own: the caller's array stays writeable
        rngs = [np.random.default_rng(int(seed)) for seed in seeds]
        known = self._checked(knowledge, batch) if self.needs_knowledge else None
        try:
            if known is not None:
                attacked = self.apply_knowing(seen, sample_rate, rngs, known)
            else:
                attacked = self.apply_batch(seen, sample_rate, rngs)
        except AttackError:
            raise
        except Exception as error:
            # A library that the attack stands on may be broken, a watermarker may refuse, a plug-in may have a bug:
            # whoever runs many attacks must be able to go on with the others.
            raise AttackError(f"{self.id} failed: {type(error).__name__}: {error}") from error
        self._check_output(attacked, (len(batch), self.output_length(batch.shape[1], sample_rate)))
        if np.may_share_memory(attacked.audio, batch):
            attacked = Attacked(attacked.audio.copy(), attacked.facts, attacked.encoded)
        return attacked

    def _joined(self, applied: "Sequence[Audio | tuple[Audio, Facts]]", batch: Audio, sample_rate: int) -> Attacked:
        """Join what came out for each clip."""
        pairs = [output if isinstance(output, tuple) else (output, {}) for output in applied]
        length = self.output_length(batch.shape[1], sample_rate)
        audio = np.empty((len(batch), length), dtype=np.float32)
        for index, (clip, _) in enumerate(pairs):
            self._check_clip(clip, length, index)
            audio[index] = clip
        quantities = pairs[0][1].keys() if pairs else ()
        if any(facts.keys() != quantities for _, facts in pairs):
            raise AttackError(f"{self.id} must return the same facts for every clip.")
        numbers = {name: np.array([facts[name] for _, facts in pairs], float) for name in quantities if name != ENCODED}
        files = [facts[ENCODED] for _, facts in pairs if ENCODED in facts]
        return Attacked(audio, numbers, tuple(bytes(file) for file in files))  # type: ignore[arg-type]

    def _checked(self, knowledge: Knowledge | None, batch: Audio) -> Knowledge:
        if knowledge is None:
            raise AttackError(f"{self.id} needs to know more than the clips: pass knowledge.")
        for what, clips in (("twins", knowledge.twins), ("clean", knowledge.clean), ("marked", knowledge.marked)):
            if clips.dtype != np.float32 or clips.ndim != 2 or clips.shape[1] != batch.shape[1]:
                raise AttackError(
                    f"The '{what}' that {self.id} knows must be float32 (m, {batch.shape[1]}). "
                    f"Got {clips.dtype} {clips.shape}."
                )
        if len(knowledge.twins) != len(batch) or len(knowledge.clean) != len(knowledge.marked):
            raise AttackError(
                f"{self.id} must know one twin for each of {len(batch)} clips, and as many marked clips as clean ones. "
                f"Got {len(knowledge.twins)} twins, {len(knowledge.clean)} clean and {len(knowledge.marked)} marked."
            )
        return knowledge

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

    def _check_clip(self, output: Audio, length: int, index: int) -> None:
        if not isinstance(output, np.ndarray) or output.dtype != np.float32 or output.shape != (length,):
            got = f"{output.dtype} {output.shape}" if isinstance(output, np.ndarray) else type(output).__name__
            raise AttackError(f"{self.id} must return float32 ({length},) for clip {index}. Its apply returned {got}.")

    def _check_output(self, attacked: Attacked, shape: tuple[int, int]) -> None:
        audio = attacked.audio
        if not isinstance(audio, np.ndarray) or audio.dtype != np.float32 or audio.shape != shape:
            got = f"{audio.dtype} {audio.shape}" if isinstance(audio, np.ndarray) else type(audio).__name__
            raise AttackError(f"{self.id} must return float32 {shape}. Its apply_batch returned {got}.")
        finite = np.isfinite(audio).all(axis=1)
        if not finite.all():
            clips = np.flatnonzero(~finite)[:5].tolist()
            raise AttackError(f"{self.id} must return finite audio. It returned NaN or infinity for the clips {clips}.")
        for name, values in attacked.facts.items():
            if np.shape(values) != (shape[0],):
                raise AttackError(f"{self.id} must state '{name}' once a clip. Got {np.shape(values)}.")
