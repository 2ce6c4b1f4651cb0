"""One recording under two names that is no copy by its bytes: encoded anew, at another level, cut elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sealproof.detectors.base import Audio
from sealproof.harness.datasets.manifest import CLEAN, Row
from sealproof.harness.foundation.audio.files import from_pcm, read_wav
from sealproof.harness.foundation.audio.fingerprint import find_copies

_N_NAMED = 3
"""Groups of a kind that a message names."""


@dataclass(frozen=True)
class NearCopy:
    """Two clean clips of different splits that hold one recording.

    Attributes:
        clips: Their names.
        groups: The groups that they are in.
        splits: The splits that these are in.
        overlap_s: How much of the recording both hold, in seconds.
        correlation: Of their samples there, in [0, 1].
    """

    clips: tuple[str, str]
    groups: tuple[str, str]
    splits: tuple[str, str]
    overlap_s: float
    correlation: float

    def record(self) -> dict[str, object]:
        """Return it as JSON knows it."""
        return asdict(self)


def near_copies(root: Path, rows: Sequence[Row], n_samples: int) -> list[NearCopy]:
    """Find the recordings that lie in two splits: what is learned of them in one is no news in the other.

    Found are copies that were encoded anew, made louder or softer, or cut at another place; not ones that were played
    faster, moved in pitch, or mixed with other music.

    Args:
        root: The dataset's folder.
        rows: Its manifest.
        n_samples: Length of a clip.

    Raises:
        HarnessError: A WAV is missing, damaged, or not the one that the manifest names.
    """
    clean = [row for row in rows if row.label == CLEAN]
    splits = sorted({row.split for row in clean})

    def read(place: int) -> Audio:
        row = clean[place]
        return from_pcm(read_wav(root / row.path, n_samples, row.sha256))

    copies = find_copies(read, [splits.index(row.split) for row in clean])
    pairs = ((clean[one.first], clean[one.second], one) for one in copies)
    return [
        NearCopy(
            (a.clip_id, b.clip_id),
            (a.group, b.group),
            (a.split, b.split),
            round(one.overlap_s, 2),
            round(one.correlation, 3),
        )
        for a, b, one in pairs
    ]


def from_records(records: Iterable[Mapping[str, Any]]) -> list[NearCopy]:
    """Return what `NearCopy.record` wrote, as JSON gives it back."""
    return [
        NearCopy(
            _both(one["clips"]),
            _both(one["groups"]),
            _both(one["splits"]),
            float(one["overlap_s"]),
            float(one["correlation"]),
        )
        for one in records
    ]


def _both(names: Sequence[str]) -> tuple[str, str]:
    first, second = names
    return first, second


def near_copies_text(copies: Sequence[NearCopy]) -> str:
    """Say which groups seem to be one recording, in a sentence, and what to do; at most three pairs of them by name."""
    surest: dict[tuple[str, str], NearCopy] = {}
    for one in sorted(copies, key=lambda one: -one.correlation):
        surest.setdefault(one.groups, one)
    named = "; ".join(
        f"{one.groups[0]} ({one.splits[0]}) and {one.groups[1]} ({one.splits[1]}), alike at {one.correlation:.2f} over "
        f"{one.overlap_s:.2f} s"
        for one in list(surest.values())[:_N_NAMED]
    )
    more = f"; and {len(surest) - _N_NAMED} more" if len(surest) > _N_NAMED else ""
    return (
        f"{len(surest)} recordings seem to stand in two splits under two names: {named}{more}. Listen to them, and put "
        "those that are one into one group with --groups FILE.csv."
    )
