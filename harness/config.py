"""Which attacks a run is made of: a preset's name, or a TOML table with sweeps as lists."""

import tomllib
from difflib import get_close_matches
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

from sealproof.attacks import attack_class, get_attack, list_attacks
from sealproof.attacks.base import Attack
from sealproof.harness.errors import HarnessError

STANDARD = "standard"
"""The preset that is no file: every attack over its whole sweep."""


def list_presets() -> list[str]:
    """Return the names of the presets."""
    named = [entry.name.removesuffix(".toml") for entry in (files(__package__) / "presets").iterdir()]
    return sorted([STANDARD, *named])


def load_attacks(spec: str) -> list[Attack]:
    """Return the attacks of a preset or of a TOML file; `identity` is always the first.

    The file has one table, `attacks`, with an entry per attack and a list of strengths per parameter; several lists
    are combined each with each:

        [attacks]
        mp3 = { bitrate_kbps = [64, 32] }
        echo = { delay_ms = [50, 100], gain = [0.3] }

    Args:
        spec: `fast`, `standard`, or the path of a TOML file.

    Raises:
        HarnessError: There is no such preset or file, it is not TOML, or an entry is unknown.
        sealproof.attacks.base.AttackError: An attack or a parameter is unknown or out of range.
    """
    if spec == STANDARD:
        attacks = [attack for name in list_attacks() for attack in attack_class(name).standard()]
    else:
        attacks = _from_toml(_read(spec), spec)
    by_id = {"identity": get_attack("identity"), **{attack.id: attack for attack in attacks}}
    return list(by_id.values())


def _read(spec: str) -> dict[str, Any]:
    presets = list_presets()
    source = files(__package__) / "presets" / f"{spec}.toml" if spec in presets else Path(spec)
    if not source.is_file():
        near = get_close_matches(spec, presets, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        msg = (
            f"--attacks must be one of the presets {', '.join(presets)}, or a TOML file. "
            f"Got {spec!r}, which is neither.{hint}"
        )
        raise HarnessError(msg)
    try:
        return tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{spec} must be TOML ({error})."
        raise HarnessError(msg) from error


def _from_toml(table: dict[str, Any], spec: str) -> list[Attack]:
    unknown = sorted(set(table) - {"attacks"})
    entries = table.get("attacks")
    if unknown or not isinstance(entries, dict) or not entries:
        msg = f"{spec} must have one table, [attacks], with an entry per attack. Got {sorted(table) or 'nothing'}."
        raise HarnessError(msg)
    return [attack for name, sweeps in entries.items() for attack in _grid(name, sweeps, spec)]


def _grid(name: str, sweeps: object, spec: str) -> list[Attack]:
    if not isinstance(sweeps, dict):
        msg = f"{spec}: {name} must be a table of lists, such as {{ bitrate_kbps = [64, 32] }}. Got {sweeps!r}."
        raise HarnessError(msg)
    values = [value if isinstance(value, list) else [value] for value in sweeps.values()]
    if not all(values):
        msg = f"{spec}: every list of {name} must hold at least one strength. Got an empty one."
        raise HarnessError(msg)
    return [get_attack(name, **dict(zip(sweeps, strengths, strict=True))) for strengths in product(*values)]
