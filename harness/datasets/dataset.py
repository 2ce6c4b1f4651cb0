"""A watermarked dataset on disk."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.datasets.links import refuse_links
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED, Row, read_manifest
from sealproof.harness.foundation.audio.files import Audio, from_pcm, read_wav
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import read_json, sha256_file, sha256_json

MANIFEST, FACTS, REQUEST = "manifest.csv", "dataset.json", "build.json"


@dataclass(frozen=True)
class Pair:
    """A clean clip and its watermarked twin."""

    clean: Row
    watermarked: Row

    @property
    def clip_id(self) -> str:
        """The name both share."""
        return self.clean.clip_id

    @property
    def group(self) -> str:
        """The recording both belong to."""
        return self.clean.group


@dataclass(frozen=True)
class Dataset:
    """A finished dataset.

    Attributes:
        root: Its folder.
        facts: What dataset.json says: scheme, seed, versions, counts.
        rows: The manifest.
    """

    root: Path
    facts: dict[str, Any]
    rows: tuple[Row, ...]

    @classmethod
    def open(cls, root: Path) -> "Dataset":
        """Open a finished dataset.

        Raises:
            HarnessError: There is none, its build was not finished, its manifest was changed since, or there are
                symbolic links in its folder.
        """
        dataset, problems = cls.read(root)
        if problems:
            raise HarnessError(problems[0])
        refuse_links(root)
        return dataset

    @classmethod
    def read(cls, root: Path) -> "tuple[Dataset, list[str]]":
        """Read a dataset that may have been changed since its build, to look into it.

        Returns:
            The dataset, and what speaks against its manifest.

        Raises:
            HarnessError: There is none, its build was not finished, or its files cannot be read.
        """
        facts_path = root / FACTS
        if not facts_path.is_file():
            unfinished = (root / REQUEST).is_file()
            what = "an unfinished build: give the same `sealproof build` command again" if unfinished else "no dataset"
            raise HarnessError(f"{root} must be a dataset that `sealproof build` wrote. Found {what}.")
        try:
            facts = read_json(facts_path)
            expected = facts["manifest_sha256"]
        except (ValueError, TypeError, KeyError) as error:
            raise HarnessError(f"{facts_path} is damaged ({error!r}): build the dataset again.") from error
        try:
            rows = tuple(read_manifest(root / MANIFEST))
            actual = sha256_file(root / MANIFEST)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise HarnessError(f"{root / MANIFEST} cannot be read ({error}): build the dataset again.") from error
        problems = []
        if actual != expected:
            problems.append(
                f"{root / MANIFEST} must have the sha256 that {FACTS} gives, {expected[:12]}... Got {actual[:12]}...: "
                "it was changed after the build. Build the dataset again."
            )
        return cls(root, facts, rows), problems

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.root.resolve().name

    @property
    def scheme(self) -> str:
        """Name of the watermark scheme."""
        return str(self.facts["scheme"])

    @property
    def sha256(self) -> str:
        """Hash of the manifest, which holds the hash of every WAV."""
        return str(self.facts["manifest_sha256"])

    @property
    def clean_sha256(self) -> str:
        """Hash of the clean clips, whatever marks their twins; see `clean_sha256`."""
        return clean_sha256(self, self.pairs)

    @property
    def n_samples(self) -> int:
        """Length of each clip in samples."""
        return int(self.facts["n_samples"])

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs, ordered by clip id.

        Raises:
            HarnessError: A clip has no twin.
        """
        by_label: dict[str, dict[str, Row]] = {CLEAN: {}, WATERMARKED: {}}
        for row in self.rows:
            by_label[row.label][row.clip_id] = row
        alone = sorted(set(by_label[CLEAN]) ^ set(by_label[WATERMARKED]))
        if alone or len(self.rows) != 2 * len(by_label[CLEAN]):
            raise HarnessError(
                f"{self.root / MANIFEST} must name one clean and one watermarked WAV per clip. Not so: {alone[:3]}."
            )
        return tuple(Pair(by_label[CLEAN][name], by_label[WATERMARKED][name]) for name in sorted(by_label[CLEAN]))

    def split(self, name: str) -> tuple[Pair, ...]:
        """Return the pairs of one split."""
        return tuple(pair for pair in self.pairs if pair.clean.split == name)

    def audio(self, rows: Sequence[Row]) -> Audio:
        """Read WAVs into one array, float32 of shape (n, samples).

        Every file is hashed at every reading: what is scored, and kept under a key, is what the manifest names.

        Raises:
            HarnessError: A WAV is missing, damaged, or not the one that the manifest names.
        """
        return np.stack([from_pcm(read_wav(self.root / row.path, self.n_samples, row.sha256)) for row in rows])


def clean_sha256(dataset: Dataset, pairs: Sequence[Pair]) -> str:
    """Hash the names and the clean audio of pairs: of two datasets with the same hash the same clips were marked.

    Empty for built-in music: that is the same where seed and names are, but for its last bits, which may differ between
    machines.
    """
    if dataset.facts["corpus"].get("kind") == "demo":
        return ""
    return sha256_json([(pair.clip_id, pair.clean.sha256) for pair in pairs])


def clips_sha256(pairs: Sequence[Pair]) -> str:
    """Hash which audio is attacked, and under which ids: the ids seed the attacks."""
    return sha256_json([(pair.clip_id, pair.clean.sha256, pair.watermarked.sha256) for pair in pairs])


def messages(rows: Sequence[Row]) -> NDArray[np.uint8]:
    """Return the embedded bits, uint8 of shape (n, bits)."""
    return np.array([[int(bit) for bit in row.message] for row in rows], dtype=np.uint8).reshape(len(rows), -1)
