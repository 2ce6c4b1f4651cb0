"""The manifest: one row per WAV of a dataset."""

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path, PurePosixPath

from sealproof.harness.errors import HarnessError
from sealproof.harness.split import SPLIT_FRACTIONS

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


COLUMNS = tuple(field.name for field in fields(Row))


class _Lines(list[str]):
    """What a CSV writer wrote, with the line ends of Unix."""

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def to_csv(rows: Iterable[Row]) -> str:
    """Write rows as CSV text with a header."""
    lines = _Lines()
    # Only with this line end is a lone carriage return, which a file's name may hold, put into quotes.
    writer = csv.DictWriter(lines, COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        record = asdict(row)
        record["snr_db"] = "" if row.snr_db is None else f"{row.snr_db:.3f}"
        writer.writerow(record)
    return "".join(lines)


def read_manifest(path: Path) -> list[Row]:
    """Read and check a manifest.

    Raises:
        HarnessError: A column is missing, a value or split is not of its kind, or a path leaves the dataset's folder.
    """
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != COLUMNS:
            msg = f"{path} must have the columns {', '.join(COLUMNS)}. Got {', '.join(reader.fieldnames or ())}."
            raise HarnessError(msg)
        return [_row(record, f"{path}, line {reader.line_num}") for record in reader]


def _row(record: dict[str, str | None], where: str) -> Row:
    values = {name: record.get(name) for name in COLUMNS}
    if None in values.values() or None in record:
        msg = f"{where} must have {len(COLUMNS)} fields. It is cut off or has too many: build the dataset again."
        raise HarnessError(msg)
    text = {name: str(value) for name, value in values.items()}
    if text["label"] not in (CLEAN, WATERMARKED):
        msg = f"{where}: the label must be {CLEAN} or {WATERMARKED}. Got {text['label']!r}."
        raise HarnessError(msg)
    if text["split"] not in SPLIT_FRACTIONS:
        msg = f"{where}: the split must be one of {', '.join(SPLIT_FRACTIONS)}. Got {text['split']!r}."
        raise HarnessError(msg)
    _refuse_outside(text["path"], where)
    try:
        start_s = float(text.pop("start_s"))
        snr = text.pop("snr_db")
        snr_db = float(snr) if snr else None
    except ValueError as error:
        msg = f"{where}: start_s and snr_db must be numbers ({error})."
        raise HarnessError(msg) from error
    return Row(start_s=start_s, snr_db=snr_db, **text)


def _refuse_outside(path: str, where: str) -> None:
    parts = PurePosixPath(path)
    if not path or parts.is_absolute() or ".." in parts.parts or "\\" in path or ":" in path:
        msg = f"{where}: the path must stay inside the dataset's folder. Got {path!r}: do not use this manifest."
        raise HarnessError(msg)
