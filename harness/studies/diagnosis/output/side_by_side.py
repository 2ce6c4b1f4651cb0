"""Diagnoses of several schemes side by side, as a Markdown table."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import read_json
from sealproof.harness.studies.diagnosis.output.tables import JSON, number


def side_by_side(folders: Sequence[Path]) -> Iterator[str]:
    """Write what was found of several schemes: the verdicts, then one row a probe and one column a scheme.

    Numbers that miss their limit are bold; the limit stands in the second column.

    Args:
        folders: Each holds the `diagnosis.json` of `sealproof scheme diagnose --out`.

    Raises:
        HarnessError: A folder holds none, or a damaged one.
    """
    records = [_read(folder) for folder in folders]
    names: dict[str, Mapping[str, Any]] = {}
    for record in records:
        for name, finding in record["findings"].items():
            names.setdefault(name, finding)
    for record in records:
        clips = f"{record['clips']} clips of {record['recordings']} recordings, {record['split']}"
        yield f"**{record['scheme']}** ({clips}):"
        yield ""
        yield from (f"- {sentence}" for sentence in record["verdict"]["sentences"])
        yield ""
    yield "| probe | limit | " + " | ".join(str(record["scheme"]) for record in records) + " |"
    yield "|---|---|" + "---:|" * len(records)
    for name, first in names.items():
        limit = "" if first["limit"] is None else f"{first['limit']}{' (goal)' if first['kind'] == 'goal' else ''}"
        cells = (_cell(record["findings"].get(name)) for record in records)
        yield f"| `{name}` | {limit} | " + " | ".join(cells) + " |"


def _read(folder: Path) -> dict[str, Any]:
    try:
        record = read_json(folder / JSON)
        _ = record["findings"], record["verdict"]["sentences"]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise HarnessError(
            f"{folder} must hold a {JSON} of `sealproof scheme diagnose --out`. It cannot be read ({error!r})."
        ) from error
    return record


def _cell(finding: Mapping[str, Any] | None) -> str:
    if finding is None or finding["value"] is None:
        return "-"
    text = number(float(finding["value"]), str(finding["unit"]))
    return f"**{text}**" if finding["passes"] is False else text
