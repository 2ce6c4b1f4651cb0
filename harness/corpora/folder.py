"""A corpus out of any folder tree of audio files."""

import csv
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sealproof.harness.corpora.base import Clip, CorpusReport, clip_samples, interleave_groups, usable_pcm
from sealproof.harness.foundation.audio.files import SAMPLE_RATE, AudioInfo, is_audio_name, read_clip, read_info
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.progress import progress
from sealproof.harness.foundation.seeds import derive_seed


@dataclass(frozen=True)
class _Candidate:
    path: Path
    relative: str
    group: str
    start_s: float
    info: AudioInfo


@dataclass(frozen=True, kw_only=True)
class FolderCorpus:
    """Every audio file below a folder, cut into clips.

    Attributes:
        root: The folder.
        group_by: `folder` (a file's group is its parent folder) or `file`.
        groups_csv: A CSV with a column `path` (relative to `root`) and one named `group_column`; overrides
            `group_by`, and files it does not name are refused.
        group_column: The column that holds the group.
        skip_bad: Leave unreadable files out and count them, instead of stopping at the first.
    """

    root: Path
    group_by: str = "folder"
    groups_csv: Path | None = None
    group_column: str = "group"
    skip_bad: bool = False

    def __post_init__(self) -> None:
        """Refuse a root that is no folder and an unknown `group_by`."""
        if not self.root.is_dir():
            raise HarnessError(f"The corpus must be 'demo' or a folder of audio. Got {self.root}, which is no folder.")
        if self.group_by not in ("folder", "file"):
            raise HarnessError(f"--group-by must be 'folder' or 'file'. Got {self.group_by!r}.")

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.root.resolve().name

    def description(self) -> dict[str, object]:
        """Say what was read and how."""
        grouping = f"{self.groups_csv.name}:{self.group_column}" if self.groups_csv else self.group_by
        return {"kind": "folder", "name": self.name, "group_by": grouping, "skip_bad": self.skip_bad}

    def sources(self) -> dict[str, Path]:
        """Return the audio files by their paths below the folder, and the CSV of groups as `--groups NAME`."""
        files = {_printable(path.relative_to(self.root).as_posix()): path for path in self._paths()}
        return files if self.groups_csv is None else {**files, f"--groups {self.groups_csv.name}": self.groups_csv}

    def clips(self, n_clips: int, *, clip_s: float, seed: int, report: CorpusReport) -> Iterator[Clip]:
        """Yield clips spread evenly over the groups; see `Corpus.clips`."""
        n_samples = clip_samples(clip_s)
        candidates = self._candidates(n_samples / SAMPLE_RATE, seed, report)
        if not candidates:
            raise HarnessError(f"{self.root} must hold at least one audio file of {clip_s:g} s or more. Found none.")
        order = interleave_groups([candidate.group for candidate in candidates], derive_seed(seed, "selection"))
        taken = 0
        told: set[str] = set()
        for index in order:
            if taken == n_clips:
                return
            candidate = candidates[index]
            try:
                audio = read_clip(candidate.path, candidate.start_s, n_samples)
            except HarnessError as error:
                self._skip_or_raise(candidate.relative, error, report)
                continue
            pcm = usable_pcm(audio, report)
            if pcm is not None:
                taken += 1
                if candidate.relative not in told:
                    told.add(candidate.relative)
                    report.resampled += candidate.info.sample_rate != SAMPLE_RATE
                    report.downmixed += candidate.info.n_channels > 1
                yield Clip(_clip_id(candidate), candidate.group, candidate.relative, candidate.start_s, pcm)

    def _paths(self) -> list[Path]:
        return sorted(path for path in self.root.rglob("*") if path.is_file() and is_audio_name(path))

    def _candidates(self, clip_s: float, seed: int, report: CorpusReport) -> list[_Candidate]:
        paths = self._paths()
        group_of = self._groups_from_csv(paths) if self.groups_csv else None
        candidates = []
        for path in progress(paths, "reading headers"):
            relative = path.relative_to(self.root).as_posix()
            try:
                _refuse_foreign_name(relative)
                info = read_info(path)
            except HarnessError as error:
                self._skip_or_raise(relative, error, report)
                continue
            n_windows = int(info.duration_s / clip_s + 1e-9)
            if n_windows == 0:
                report.too_short += 1
                continue
            rest_s = max(0.0, info.duration_s - n_windows * clip_s)
            # To the millisecond, so that the offset reads well in ids and in the manifest.
            offset_s = np.floor(np.random.default_rng(derive_seed(seed, relative)).uniform(0, rest_s) * 1000) / 1000
            group = self._group(relative, group_of)
            candidates += [
                _Candidate(path, relative, group, round(offset_s + window * clip_s, 7), info)
                for window in range(n_windows)
            ]
        return candidates

    def _group(self, relative: str, group_of: dict[str, str] | None) -> str:
        if group_of is None:
            return relative if self.group_by == "file" else Path(relative).parent.as_posix()
        if _composed(relative) not in group_of:
            raise HarnessError(
                f"{self.groups_csv} must name every file of the corpus in its column 'path'. Missing: {relative}."
            )
        return group_of[_composed(relative)]

    def _groups_from_csv(self, paths: Sequence[Path]) -> dict[str, str]:
        assert self.groups_csv is not None  # noqa: S101 - the caller's condition, for the type checker
        try:
            with self.groups_csv.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.DictReader(file)
                rows, columns = list(reader), list(reader.fieldnames or ())
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise HarnessError(f"{self.groups_csv} cannot be read as a CSV ({error}).") from error
        if not {"path", self.group_column} <= set(columns):
            raise HarnessError(
                f"{self.groups_csv} must have the columns 'path' and {self.group_column!r}. Got {columns}."
            )
        known = {_composed(path.relative_to(self.root).as_posix()) for path in paths}
        group_of: dict[str, str] = {}
        for row in rows:
            path, group = (_composed((row[column] or "").strip()) for column in ("path", self.group_column))
            if not group:
                raise HarnessError(
                    f"{self.groups_csv} must give every file a {self.group_column}. It is empty for {path}."
                )
            if path not in known:
                raise HarnessError(
                    f"{self.groups_csv} must name files of {self.root} in its column 'path'. Got {path!r}, which is "
                    "none: correct the line or remove it."
                )
            if group_of.setdefault(path, group) != group:
                raise HarnessError(
                    f"{self.groups_csv} must give every file one {self.group_column}. Got {group_of[path]!r} and "
                    f"{group!r} for {path}: remove one line."
                )
        return group_of

    def _skip_or_raise(self, relative: str, error: HarnessError, report: CorpusReport) -> None:
        if not self.skip_bad:
            raise HarnessError(f"{error} (--skip-bad leaves such files out and counts them.)") from error
        report.bad_files[_printable(relative)] = str(error)


def _composed(text: str) -> str:
    """Write accented letters as one character each: file systems and spreadsheets differ in that."""
    return unicodedata.normalize("NFC", text)


def _printable(name: str) -> str:
    """Escape the bytes of a file's name that are no UTF-8."""
    return name.encode(errors="backslashreplace").decode()


def _refuse_foreign_name(relative: str) -> None:
    if _printable(relative) != relative:
        raise HarnessError(f"The name of {_printable(relative)} must be UTF-8, for the manifest is. Rename the file.")


def _clip_id(candidate: _Candidate) -> str:
    """Name a clip after its file and start; a hash keeps names apart that differ only in replaced characters."""
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", candidate.relative.rsplit(".", 1)[0].replace("/", "."))
    digest = hashlib.sha256(candidate.relative.encode()).hexdigest()[:8]
    return f"{readable[-60:].lstrip('.-') or 'clip'}-{digest}-{round(candidate.start_s * 1000)}ms"
