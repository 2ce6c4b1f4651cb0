"""Finding the sound of a kind that a detector takes for the mark most often, coarse to fine."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sealproof.detectors.base import Audio
from sealproof.harness.statistics.estimation.vectors import Flags, Floats
from sealproof.harness.studies.diagnosis.material import Material, rms

FLOOR_DB = -20.0
"""RMS of a sound relative to the clip it is added to, in dB, up to which the floors are set."""

FAINT_DB = -30.0
"""A second level for every pass: a detector may answer to a faint sound and not to a loud one."""

_SECOND_CLIPS = 4

Candidate = tuple[float, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of sound.

    Attributes:
        name: As in the finding.
        meaning: For the table.
        candidates: The sounds of the kind, each by its parameters.
        make: Makes one: shape (samples,), any level; the generator draws phases and noise.
        describe: Says what a candidate is.
        coarse_db: Levels of the first pass, each on one clip.
        apart: How far candidates that go on to the last pass must lie from each other in their first parameter.
        neighbours: What is tried beside a suspicious candidate in the second pass.
        n_second: Candidates that go on to the second pass from each level.
        n_last: Candidates that go on to the last.
    """

    name: str
    meaning: str
    candidates: Sequence[Candidate]
    make: Callable[[Candidate, int, np.random.Generator], Floats]
    describe: Callable[[Candidate], str]
    coarse_db: Sequence[float] = (FLOOR_DB, FAINT_DB)
    apart: float = 0.0
    neighbours: Callable[[Candidate], Sequence[Candidate]] = lambda candidate: (candidate,)
    n_second: int = 8
    n_last: int = 3


@dataclass(frozen=True)
class Worst:
    """What a search found.

    Attributes:
        candidate: The sound that the detector takes for the mark most often.
        level_db: At which of the two levels.
        flags: Which judged clips are flagged with it.
        flagged: Of the first pass, by level: for each candidate, the share of its clips that the sound had flagged.
        rise: Likewise: by how much the detector became surer.
    """

    candidate: Candidate
    level_db: float
    flags: Flags
    flagged: Mapping[float, Floats]
    rise: Mapping[float, Floats]


def mix_in(host: Audio, sounds: Floats, level_db: float) -> Audio:
    """Add sounds to clips, each at a level relative to its clip's RMS; shapes (n, samples)."""
    level = rms(host) * 10 ** (level_db / 20)
    scale = level / np.maximum(np.sqrt(np.mean(sounds**2, axis=1, keepdims=True)), 1e-12)
    return np.asarray(host + scale * sounds, np.float32)


def find_worst(material: Material, kind: Kind) -> Worst:
    """Try every candidate on a clip or two, the most suspicious on some more, and the worst of these on all clips."""
    rng = material.rng("sounds", kind.name)
    at_rest, calm = material.ear.ask(material.n, lambda part: material.judged_host[part], "clean clips")

    def tried(candidates: Sequence[Candidate], n_clips: int, first: int, level_db: float) -> tuple[Floats, Floats]:
        # Clips in turn, so that neighbouring candidates meet different ones.
        clips = (first + np.arange(len(candidates))[:, None] * n_clips + np.arange(n_clips)).ravel() % material.n
        flags, evidence = material.ear.ask(
            len(clips),
            lambda part: mix_in(
                material.host[clips[part]],
                np.stack([kind.make(candidates[at // n_clips], material.n_samples, rng) for at in part]),
                level_db,
            ),
            f"{kind.name}, {level_db:g} dB, {len(candidates):,} of them",
        )
        # A clip that is flagged anyway says nothing of the sound.
        fooled, rise = flags & ~at_rest[clips], evidence - calm[clips]
        return fooled.reshape(-1, n_clips).mean(axis=1), rise.reshape(-1, n_clips).mean(axis=1)

    passes = {
        level: tried(kind.candidates, 1, position * material.n // 2, level)
        for position, level in enumerate(kind.coarse_db)
    }
    suspicious = [
        kind.candidates[at] for flagged, rise in passes.values() for at in _ranking(flagged, rise)[: kind.n_second]
    ]
    second = list(dict.fromkeys(near for candidate in suspicious for near in kind.neighbours(candidate)))
    again = [tried(second, _SECOND_CLIPS, first, level) for first, level in enumerate((FLOOR_DB, FAINT_DB))]
    # By the worse of the two levels.
    ranking = _ranking(np.maximum(again[0][0], again[1][0]), np.maximum(again[0][1], again[1][1]))
    last: list[Candidate] = []
    for at in ranking.tolist():
        if all(abs(second[at][0] - other[0]) >= kind.apart for other in last):
            last.append(second[at])
    finals = {
        (candidate, level): flags_with(material, kind, candidate, level)
        for candidate in last[: kind.n_last]
        for level in (FLOOR_DB, FAINT_DB)
    }
    worst = max(finals, key=lambda final: int(finals[final].sum()))
    return Worst(
        *worst,
        finals[worst],
        {level: flagged for level, (flagged, _) in passes.items()},
        {level: rise for level, (_, rise) in passes.items()},
    )


def flags_with(material: Material, kind: Kind, candidate: Candidate, level_db: float) -> Flags:
    """Say which judged clips are flagged with a sound, drawn anew for each of them."""
    rng = material.rng("sounds", kind.name, candidate, level_db)
    made = np.stack([kind.make(candidate, material.n_samples, rng) for _ in range(material.n)])
    return material.ear.flags(mix_in(material.judged_host, made, level_db))


def _ranking(flagged: Floats, rise: Floats) -> NDArray[np.intp]:
    return np.lexsort((-rise, -flagged))
