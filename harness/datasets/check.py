"""Checking that a dataset is what its manifest says: all that is wrong with it, not only the first."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.datasets.links import links_within
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED, Row
from sealproof.harness.datasets.split import SPLIT_FRACTIONS, shared_groups
from sealproof.harness.foundation.audio.files import read_wav
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import sha256_file
from sealproof.harness.foundation.progress import progress


def check_dataset(root: Path) -> list[str]:
    """Verify everything that a dataset claims about itself.

    That its manifest is the one that was built; that every clip has one clean and one watermarked WAV, each a file of
    its own, with the manifest's hash and the format of a clip; that no group, no pair and no audio is in two splits,
    that no split is empty, and that there are no symbolic links.

    Args:
        root: The dataset's folder.

    Returns:
        The problems found, one sentence each; empty when all is well.

    Raises:
        HarnessError: There is no dataset, or its manifest cannot be read at all.
    """
    dataset, problems = Dataset.read(root)
    links = links_within(root)
    problems += [f"{link} is a symbolic link, and a dataset's files are its own." for link in links]
    problems += _wrong_pairs(dataset.rows)
    problems += _shared_files(dataset.rows)
    problems += _wrong_splits(dataset.rows)
    problems += _shared_audio(dataset.rows)
    for row in progress(dataset.rows, "checking hashes"):
        if not any(PurePosixPath(row.path).is_relative_to(link) for link in links):
            problems += _wrong_wav(dataset, row)
    return problems


def _wrong_pairs(rows: Sequence[Row]) -> Iterator[str]:
    counts = Counter((row.clip_id, row.label) for row in rows)
    for clip_id in sorted({row.clip_id for row in rows}):
        for label in (CLEAN, WATERMARKED):
            n = counts[clip_id, label]
            if n != 1:
                yield f"clip {clip_id} must have one {label} WAV, and has {n}."


def _shared_files(rows: Sequence[Row]) -> Iterator[str]:
    """Find rows that name one file; `clean/./a.wav` and `clean/a.wav` are one."""
    named: dict[PurePosixPath, list[Row]] = defaultdict(list)
    for row in rows:
        named[PurePosixPath(row.path)].append(row)
    for path, those in named.items():
        if len(those) > 1:
            who = ", ".join(f"{row.clip_id} {row.label}" for row in those)
            yield f"{path} is the WAV of {len(those)} rows: {who}."


def _wrong_splits(rows: Sequence[Row]) -> Iterator[str]:
    splits = [row.split for row in rows]
    yield from (f"split {name} is empty." for name in SPLIT_FRACTIONS if name not in splits)
    for group, several in shared_groups([row.group for row in rows], splits).items():
        yield f"group {group} is in {len(several)} splits: {', '.join(sorted(several))}."
    for clip_id, several in shared_groups([row.clip_id for row in rows], splits).items():
        yield f"clip {clip_id} is parted from its twin: {', '.join(sorted(several))}."


def _shared_audio(rows: Sequence[Row]) -> Iterator[str]:
    """Find the same audio under two names in two splits, parted twins excepted, which are told of by themselves."""
    same: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        same[row.sha256].append(row)
    for those in same.values():
        if len({row.split for row in those}) > 1 and len({row.clip_id for row in those}) > 1:
            who = ", ".join(f"{row.path} ({row.split})" for row in those)
            yield f"the same audio is in several splits: {who}."


def _wrong_wav(dataset: Dataset, row: Row) -> Iterator[str]:
    path = dataset.root / row.path
    if not path.is_file():
        yield f"{row.path} is missing."
    elif sha256_file(path) != row.sha256:
        yield f"{row.path} is damaged: its sha256 is not the manifest's."
    else:
        try:
            read_wav(path, dataset.n_samples)
        except HarnessError as error:
            yield str(error)
