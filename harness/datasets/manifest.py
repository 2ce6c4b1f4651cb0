"""The manifest: one row per WAV of a dataset."""

import csv
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any

from sealproof.harness.datasets.split import SPLIT_FRACTIONS
from sealproof.harness.foundation.errors import HarnessError

CLEAN, WATERMARKED = "clean", "watermarked"


@dataclass(frozen=True)
class Row:
    """One WAV.

    Attributes:
        clip_id: The pair's name: a clip and its watermarked twin share it.
        group: The recording; never crosses a split.
        source: File the clip was cut from, relative to the corpus.
        start_s: Where it was cut, in seconds.
        split: train, validation, calibration or test.
        label: clean or watermarked.
        path: The WAV, relative to the dataset's folder.
        message: The embedded bits as 0s and 1s; empty where there are none.
        snr_db: Clean against watermark, as written to the WAVs; empty for a clean clip.
        sha256: Of the WAV file.
        caption: What the recording is, in words; empty where the corpus does not say.
        aspects: The same in tags, as `low quality`; in the file a JSON list, empty for none.
        audioset_labels: AudioSet's labels, as ids of its ontology; in the file a JSON list, empty for none.
    """

    clip_id: str
    group: str
    source: str
    start_s: float
    split: str
    label: str
    path: str
    message: str
    snr_db: float | None
    sha256: str
    caption: str = ""
    aspects: tuple[str, ...] = ()
    audioset_labels: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> "Row":
        """Make a row from what `dataclasses.asdict` gave once it has been through JSON, which knows no tuples."""
        return cls(**{**record, **{name: tuple(record.get(name, ())) for name in TAGS}})


TAGS = ("aspects", "audioset_labels")
"""Columns with any number of values in a row."""

DESCRIBED_COLUMNS = tuple(field.name for field in fields(Row))
"""Columns of a manifest whose corpus says what its recordings are."""

_DESCRIPTION = ("caption", *TAGS)
COLUMNS = tuple(name for name in DESCRIBED_COLUMNS if name not in _DESCRIPTION)
"""Columns of any other; the same as before there were descriptions, so that its hash is, too."""


class _Lines(list[str]):
    """What a CSV writer wrote, with the line ends of Unix."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def manifest_csv(rows: Iterable[Row]) -> str:
    """Write rows as CSV text with a header; descriptions have columns if any row has one."""
    rows = list(rows)
    described = any(getattr(row, name) for row in rows for name in _DESCRIPTION)
    lines = _Lines()
    # Only with this line end is a lone carriage return, which a file's name may hold, put into quotes.
    columns = DESCRIBED_COLUMNS if described else COLUMNS
    writer = csv.DictWriter(lines, columns, lineterminator="\r\n", extrasaction="ignore")
    writer.writeheader()
    for row in rows:
        record = asdict(row)
        record["snr_db"] = "" if row.snr_db is None else f"{row.snr_db:.3f}"
        record.update({name: json.dumps(record[name], ensure_ascii=False) if record[name] else "" for name in TAGS})
        writer.writerow(record)
    return "".join(lines)


def read_manifest(path: Path) -> list[Row]:
    """Read and check a manifest.

    Raises:
        HarnessError: A column is missing, a value or split is not of its kind, or a path leaves the dataset's folder.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) not in (COLUMNS, DESCRIBED_COLUMNS):
            raise HarnessError(
                f"{path} must have the columns {', '.join(COLUMNS)}. Got {', '.join(reader.fieldnames or ())}."
            )
        return [_row(record, f"{path}, line {reader.line_num}") for record in reader]


def _row(record: dict[str, str | None], where: str) -> Row:
    if None in record or None in record.values():
        n_fields = len(record.keys() - {None})
        raise HarnessError(
            f"{where} must have {n_fields} fields. It is cut off or has too many: build the dataset again."
        )
    text = {name: str(value) for name, value in record.items()}
    if text["label"] not in (CLEAN, WATERMARKED):
        raise HarnessError(f"{where}: the label must be {CLEAN} or {WATERMARKED}. Got {text['label']!r}.")
    if text["split"] not in SPLIT_FRACTIONS:
        raise HarnessError(f"{where}: the split must be one of {', '.join(SPLIT_FRACTIONS)}. Got {text['split']!r}.")
    _refuse_outside(text["path"], where)
    try:
        start_s = float(text.pop("start_s"))
        snr = text.pop("snr_db")
        snr_db = float(snr) if snr else None
    except ValueError as error:
        raise HarnessError(f"{where}: start_s and snr_db must be numbers ({error}).") from error
    values: dict[str, Any] = {**text, **{name: _tags(name, text.get(name, ""), where) for name in TAGS}}
    return Row(start_s=start_s, snr_db=snr_db, **values)


def _tags(name: str, text: str, where: str) -> tuple[str, ...]:
    try:
        tags = json.loads(text) if text else []
    except ValueError:
        tags = None
    if not isinstance(tags, list) or not all(isinstance(tag, str) and tag.isprintable() for tag in tags):
        raise HarnessError(f"{where}: {name} must be a JSON list of printable texts, or empty. Got {text[:40]!r}.")
    return tuple(tags)


def _refuse_outside(path: str, where: str) -> None:
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts or "\\" in path or ":" in path:
        raise HarnessError(
            f"{where}: the path must stay inside the dataset's folder. Got {path!r}: do not use this manifest."
        )
