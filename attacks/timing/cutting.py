"""Cutting: parts of the clip are removed, inserted, swapped or repeated; no sample is computed anew."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sealproof.attacks.contract.base import Attack, Attacked, Audio, Claim, parameter
from sealproof.attacks.contract.parameters import Value
from sealproof.attacks.verification.measure import Floats, longest_run


@dataclass(frozen=True, kw_only=True)
class Crop(Attack):
    """Removes a percentage of the clip at its start, in its middle or at its end; the output is shorter.

    At least one sample is left. What is left of a clip cropped in the middle is joined without a fade.
    """

    name: ClassVar[str] = "crop"
    silences: ClassVar[bool] = True
    cuts_only: ClassVar[bool] = True
    family: ClassVar[str] = "cutting"
    sweep: ClassVar[Mapping[str, tuple[Value, ...]]] = {"percent": (5, 10, 25, 50), "position": ("start", "middle")}
    is_ordered: ClassVar[bool] = False
    keeps_alignment: ClassVar[bool] = False

    position: str = parameter(unit="", kind=str, choices=("start", "middle", "end"), default="end")
    percent: float = parameter(unit="percent", low=0, above_low=True, high=100, below_high=True, default=25.0)

    def output_length(self, n_samples: int, sample_rate: int) -> int:
        """The samples that are left, at least one."""
        del sample_rate
        return max(1, n_samples - round(n_samples * self.percent / 100))

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Join what stands before and after the part."""
        del rngs
        kept = self.output_length(batch.shape[1], sample_rate)
        head = self._head(kept)
        return Attacked(np.concatenate([batch[:, :head], batch[:, batch.shape[1] - (kept - head) :]], axis=1))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Where the samples at both ends of the output come from, and how much is gone."""
        return (
            Claim.about("removed_percent", self.percent, 0.1),
            Claim.about("kept_percent", 100, 0, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Share of the output that stands as far from the start or the end as before; what is gone."""
        del sample_rate
        removed = before.shape[1] - after.shape[1]
        from_start = np.arange(after.shape[1]) < self._head(after.shape[1])
        kept = np.where(from_start, after == before[:, : after.shape[1]], after == before[:, removed:])
        return {
            "kept_percent": 100 * np.mean(kept, axis=1),
            "removed_percent": np.full(len(before), 100 * removed / before.shape[1]),
        }

    def _head(self, kept: int) -> int:
        """How many of the samples that are left stand before the part that is removed."""
        return {"start": 0, "middle": kept // 2, "end": kept}[self.position]


@dataclass(frozen=True, kw_only=True)
class TrimStart(Attack):
    """Cuts a number of samples off the start; the output is shorter, at least one sample.

    A detector that works in frames sees other frames: as few as 10 samples have been reported to matter (AudioSeal,
    issue 52).
    """

    name: ClassVar[str] = "trim_start"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "cutting"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"cut_samples": (1, 10, 100, 800)}
    keeps_alignment: ClassVar[bool] = False

    cut_samples: int = parameter(unit="samples", kind=int, low=1)

    def output_length(self, n_samples: int, sample_rate: int) -> int:
        """The samples that are left, at least one."""
        del sample_rate
        return max(1, n_samples - self.cut_samples)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Keep the end."""
        del rngs
        return Attacked(batch[:, batch.shape[1] - self.output_length(batch.shape[1], sample_rate) :])

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """The output is the end of the clip."""
        return (Claim.about("kept_percent", 100, 0, every=True),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Share of the output that stands `cut_samples` earlier than before."""
        del sample_rate
        start = min(self.cut_samples, before.shape[1] - 1)
        return {"kept_percent": 100 * np.mean(after == before[:, start:], axis=1)}


@dataclass(frozen=True, kw_only=True)
class CutSamples(Attack):
    """Deletes short pieces at random places; the output is shorter.

    `pieces` of `length_samples` for each second of the clip, at least one, but never more than half of the clip: one
    shorter than two pieces comes back as it was. Between two pieces at least one sample stays.
    """

    name: ClassVar[str] = "cut_samples"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "cutting"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"pieces": (2, 20, 50), "length_samples": (1, 5, 100)}
    is_ordered: ClassVar[bool] = False
    keeps_alignment: ClassVar[bool] = False
    is_random: ClassVar[bool] = True

    pieces: float = parameter(unit="pieces", low=0, above_low=True, high=1000, default=20.0)
    length_samples: int = parameter(unit="samples", kind=int, low=1, default=20)

    def output_length(self, n_samples: int, sample_rate: int) -> int:
        """What the pieces leave."""
        return n_samples - self._count(n_samples, sample_rate) * self.length_samples

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Delete the pieces."""
        left = self.output_length(clip.size, sample_rate)
        places = rng.choice(left + 1, self._count(clip.size, sample_rate), replace=False)
        cut = np.zeros(left + 1, dtype=np.intp)  # how many samples go before each that stays
        cut[places] = self.length_samples
        return np.asarray(clip[np.arange(left) + np.cumsum(cut)[:left]])

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """How many seams there are; between them everything is as it was."""
        return (Claim.about("seams_per_s", self.pieces, 0.1 * self.pieces + 1),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Neighbours in the output that were no neighbours in the clip, for each second of the clip."""
        return {"seams_per_s": _where_told(_seams(before, after) * sample_rate / before.shape[1], before)}

    def _count(self, n_samples: int, sample_rate: int) -> int:
        wanted = max(1, round(self.pieces * n_samples / sample_rate))
        return min(wanted, n_samples // (2 * self.length_samples))

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips too short for a piece to be cut."""
        too_short = self.output_length(before.shape[1], sample_rate) == before.shape[1]
        return np.asarray(np.full(len(before), too_short), dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class InsertSilence(Attack):
    """Inserts short pieces of silence at zero crossings; the output is longer.

    `pieces` of `length_samples` for each second of the clip, at least one, at crossings drawn at random without
    replacement, where they are heard least. A clip with fewer crossings than pieces has them anywhere.
    """

    name: ClassVar[str] = "insert_silence"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "cutting"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"pieces": (2, 10, 50), "length_samples": (5, 100, 400)}
    is_ordered: ClassVar[bool] = False
    keeps_alignment: ClassVar[bool] = False
    is_random: ClassVar[bool] = True

    pieces: float = parameter(unit="pieces", low=0, above_low=True, high=1000, default=10.0)
    length_samples: int = parameter(unit="samples", kind=int, low=1, default=20)

    def output_length(self, n_samples: int, sample_rate: int) -> int:
        """The clip and the pieces."""
        return n_samples + self._count(n_samples, sample_rate) * self.length_samples

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Insert zeros where the sign changes."""
        count = self._count(clip.size, sample_rate)
        crossings = np.flatnonzero(np.diff(np.signbit(clip))) + 1
        places = rng.choice(crossings if crossings.size >= count else clip.size + 1, count, replace=False)
        return np.insert(clip, np.repeat(np.sort(places), self.length_samples), np.float32(0))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """How many pieces there are, that they stand at crossings, and that the rest is as it was."""
        return (
            Claim.about("pieces_per_s", self.pieces, 0.1 * self.pieces + 1),
            Claim("at_crossings_percent", low=90),
            Claim.about("kept_percent", 100, 0, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Run of zeros that are new; how many of them stand between two signs; samples that are left without zeros."""
        pairs = [self._pieces(old, new) for old, new in zip(before, after, strict=True)]
        runs, crossing, kept = np.array(pairs, dtype=np.float64).reshape(-1, 3).T
        return {
            "pieces_per_s": runs * sample_rate / before.shape[1],
            "at_crossings_percent": 100 * crossing,
            "kept_percent": 100 * kept,
        }

    def _pieces(self, old: Audio, new: Audio) -> tuple[float, float, float]:
        kept = np.array_equal(old[old != 0], new[new != 0])
        if not old.any():
            return np.nan, np.nan, kept
        edges = np.diff(new == 0, prepend=False, append=False).nonzero()[0]
        starts, ends = edges[::2], edges[1::2]
        starts, ends = (part[ends - starts >= self.length_samples] for part in (starts, ends))
        inner = (starts > 0) & (ends < new.size)
        signs = np.signbit(new[starts[inner] - 1]) != np.signbit(new[ends[inner]])
        return starts.size, float(signs.mean()) if signs.size else np.nan, kept

    def _count(self, n_samples: int, sample_rate: int) -> int:
        return min(max(1, round(self.pieces * n_samples / sample_rate)), n_samples)


@dataclass(frozen=True, kw_only=True)
class FlipSamples(Attack):
    """Swaps random pairs of neighbouring samples, until the given percentage of the samples has changed place.

    No sample takes part in two pairs, and at least one pair is swapped. A clip of one sample comes back as it was.
    """

    name: ClassVar[str] = "flip_samples"
    family: ClassVar[str] = "cutting"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"percent": (0.1, 1, 5, 20, 50)}
    is_random: ClassVar[bool] = True

    percent: float = parameter(unit="percent", low=0, above_low=True, high=100)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Swap the pairs."""
        del sample_rate
        count = min(max(1, round(clip.size * self.percent / 200)), clip.size // 2)
        # Any choice of `count` out of n - count places stands for one way to lay as many pairs side by side in n.
        firsts = np.sort(rng.choice(clip.size - count, count, replace=False)) + np.arange(count)
        flipped = clip.copy()
        flipped[firsts], flipped[firsts + 1] = clip[firsts + 1], clip[firsts]
        return flipped

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """How many samples changed place; every other is as it was."""
        return (
            Claim.about("swapped_percent", self.percent, 0.05 * self.percent + 0.02),
            Claim("stray_percent", high=0, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Samples that changed place with a neighbour, and samples that changed otherwise."""
        del sample_rate
        changed = after != before
        pairs = (after[:, :-1] == before[:, 1:]) & (after[:, 1:] == before[:, :-1]) & changed[:, 1:]
        swapped = np.pad(pairs, ((0, 0), (0, 1))) | np.pad(pairs, ((0, 0), (1, 0)))
        return {
            "swapped_percent": _where_told(100 * np.mean(swapped, axis=1), before),
            "stray_percent": 100 * np.mean(changed & ~swapped, axis=1),
        }

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips most of whose neighbours are equal, and those of one sample."""
        del sample_rate
        equal = before[:, 1:] == before[:, :-1]
        return np.asarray(np.count_nonzero(equal, axis=1) >= 0.5 * equal.shape[1], dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class BlockShuffle(Attack):
    """Cuts the clip into blocks of the given length and puts them in random order.

    Every block moves: each takes the place of the next one in a random cycle through all of them. The first block has a
    random length up to the given one, the last what is left.
    """

    name: ClassVar[str] = "block_shuffle"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "cutting"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"block_ms": (100, 50, 20, 10)}
    keeps_alignment: ClassVar[bool] = False
    is_random: ClassVar[bool] = True

    block_ms: float = parameter(unit="ms", low=1, high=10_000)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Join the blocks in another order."""
        size = _block_samples(self.block_ms, sample_rate)
        blocks = np.split(clip, range(int(rng.integers(1, size, endpoint=True)), clip.size, size))
        cycle = rng.permutation(len(blocks))
        order = np.empty_like(cycle)
        order[cycle] = np.roll(cycle, 1)
        return np.concatenate([blocks[index] for index in order])

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """How many seams there are, and that no sample was lost; blocks that stay neighbours show no seam."""
        seams = 1000 / self.block_ms
        return (
            Claim("seams_per_s", 0.6 * seams - 1, 1.1 * seams),
            Claim("moved_percent", low=80),
            Claim.about("kept_percent", 100, 0, every=True),
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """New neighbours for each second; samples at another place; samples that are there before and after."""
        return {
            "seams_per_s": _where_told(_seams(before, after) * sample_rate / before.shape[1], before),
            "moved_percent": _where_told(100 * np.mean(after != before, axis=1), before),
            "kept_percent": 100 * np.mean(np.sort(before, axis=1) == np.sort(after, axis=1), axis=1),
        }

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips of one block, and those of one value."""
        one_block = before.shape[1] <= _block_samples(self.block_ms, sample_rate)
        return np.asarray((before == before[:, :1]).all(axis=1) | one_block, dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class BlockReverse(Attack):
    """Cuts the clip into blocks of the given length and plays each of them backwards, where it stands.

    The last block may be shorter than the others.
    """

    name: ClassVar[str] = "block_reverse"
    family: ClassVar[str] = "cutting"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"block_ms": (1, 5, 20, 50)}
    is_ordered: ClassVar[bool] = False
    keeps_alignment: ClassVar[bool] = False

    block_ms: float = parameter(unit="ms", low=0.1, high=10_000)

    def apply_batch(self, batch: Audio, sample_rate: int, rngs: Sequence[np.random.Generator]) -> Attacked:
        """Turn the blocks round."""
        del rngs
        size = _block_samples(self.block_ms, sample_rate)
        whole = batch.shape[1] // size * size
        blocks = batch[:, :whole].reshape(len(batch), whole // size, size)[:, :, ::-1]
        return Attacked(np.concatenate([blocks.reshape(len(batch), whole), batch[:, whole:][:, ::-1]], axis=1))

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """Every sample stands where it must."""
        return (Claim.about("moved_percent", 100, 0, every=True),)

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """Share of the samples that stand as far from the end of their block as they stood from its start."""
        size = _block_samples(self.block_ms, sample_rate)
        places = np.arange(before.shape[1])
        starts = places // size * size
        mirrored = starts + np.minimum(starts + size, before.shape[1]) - 1 - places
        return {"moved_percent": 100 * np.mean(after[:, mirrored] == before, axis=1)}

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips of one value; all of them where a block is one sample."""
        one_sample = _block_samples(self.block_ms, sample_rate) == 1
        return np.asarray((before == before[:, :1]).all(axis=1) | one_sample, dtype=np.bool_)


@dataclass(frozen=True, kw_only=True)
class RepeatPart(Attack):
    """Overwrites a part of the clip, at a random place, by what stands just before it.

    So does the simplest packet-loss concealment (Perkins, Hodson and Hardman, "A survey of packet loss recovery
    techniques for streaming audio", IEEE Network 12, 1998, on repetition). In a clip shorter than two parts, its second
    half is overwritten by the first.
    """

    name: ClassVar[str] = "repeat_part"
    silences: ClassVar[bool] = True
    family: ClassVar[str] = "cutting"
    sweep: ClassVar[Mapping[str, tuple[float, ...]]] = {"duration_ms": (10, 20, 50, 100)}
    is_ordered: ClassVar[bool] = False
    is_random: ClassVar[bool] = True

    duration_ms: float = parameter(unit="ms", low=1, high=10_000)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        """Copy the part."""
        size = min(_block_samples(self.duration_ms, sample_rate), clip.size // 2)
        start = int(rng.integers(size, clip.size - size, endpoint=True))
        repeated = clip.copy()
        repeated[start : start + size] = clip[start - size : start]
        return repeated

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        """How much was overwritten, and by what."""
        return (
            Claim.about("overwritten_ms", self.duration_ms, 0.02 * self.duration_ms),
            Claim.about("repeated_percent", 100, 0, every=True),
            Claim("delay_samples"),  # of a short clip, half of which is what stood before
        )

    def evidence(self, before: Audio, after: Audio, sample_rate: int) -> Mapping[str, Floats]:
        """From the first to the last sample that changed, in ms; how many of these equal one a part earlier."""
        size = min(_block_samples(self.duration_ms, sample_rate), before.shape[1] // 2)
        changed = after != before
        count = np.count_nonzero(changed, axis=1)
        first, last = changed.argmax(axis=1), before.shape[1] - 1 - changed[:, ::-1].argmax(axis=1)
        repeated = np.count_nonzero(
            changed[:, size:] & (after[:, size:] == before[:, : before.shape[1] - size]), axis=1
        )
        return {
            "overwritten_ms": np.where(count > 0, 1000 * (last - first + 1) / sample_rate, np.nan),
            "repeated_percent": np.where(count > 0, 100 * repeated / np.maximum(count, 1), np.nan),
        }

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        """Clips with as long a stretch in them that repeats itself, as silence does."""
        size = min(_block_samples(self.duration_ms, sample_rate), before.shape[1] // 2)
        repeats = before[:, size:] == before[:, : before.shape[1] - size]
        return np.asarray(longest_run(repeats) >= size, dtype=np.bool_)


def _where_told(values: Floats, before: Audio) -> Floats:
    """The values, or NaN where more than a tenth of a clip is digital silence, whose samples are all alike."""
    return np.where(np.mean(before == 0, axis=1) < 0.1, values, np.nan)


def _block_samples(block_ms: float, sample_rate: int) -> int:
    return max(1, round(block_ms * sample_rate / 1000))


def _seams(before: Audio, after: Audio) -> Floats:
    """How many pairs of neighbours in the clips after are nowhere neighbours, in this order, in those before."""
    seams = []
    for old, new in zip(_pairs(before), _pairs(after), strict=True):
        places = np.searchsorted(old, new)  # both are sorted, which makes this several times faster than np.isin
        seams.append(np.count_nonzero(old[np.minimum(places, old.size - 1)] != new) if old.size else np.nan)
    return np.array(seams, dtype=np.float64)


def _pairs(batch: Audio) -> NDArray[np.uint64]:
    """Each sample and its right neighbour as one number, sorted: (n, samples - 1)."""
    bits = np.ascontiguousarray(batch).view(np.uint32).astype(np.uint64)
    return np.sort(bits[:, :-1] << np.uint64(32) | bits[:, 1:], axis=1)
