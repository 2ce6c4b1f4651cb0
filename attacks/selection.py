"""Which attacks a run is made of: a preset's name, ids, or a TOML table with sweeps as lists."""

import re
import tomllib
from difflib import get_close_matches
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import Any

from sealproof.attacks import attack_class, get_attack, list_attacks
from sealproof.attacks.contract.base import Attack, AttackError

FULL = "full"
"""The preset that is no file: every attack that can be done here, over its whole sweep."""


def list_presets() -> list[str]:
    """Return the names of the presets."""
    named = [entry.name for entry in files("sealproof.attacks.presets").iterdir() if entry.name.endswith(".toml")]
    return sorted([FULL, *(name.removesuffix(".toml") for name in named)])


def load_attacks(spec: str) -> list[Attack]:
    """Return the attacks of a preset, of a TOML file or of ids; `identity` is always the first.

    The file has a table `attacks`, with an entry per attack and a list of strengths per parameter; several lists are
    combined each with each, and a list of tables gives several such grids. `chains` lists ids joined by `+`:

        chains = ["mp3.64kbps+lowpass.4khz"]

        [attacks]
        mp3 = { bitrate_kbps = [64, 32] }
        echo = [{ delay_ms = [50, 100], gain = [0.3] }, { delay_ms = [300], gain = [0.5] }]

    Args:
        spec: A preset's name, the path of a TOML file, or ids of attacks, joined by commas.

    Raises:
        AttackError: There is no such preset or file, it is not TOML, or an entry, an attack or a parameter is unknown
            or out of range.
    """
    if spec == FULL:
        attacks = [
            attack for name in list_attacks() if _reason(name) is None for attack in attack_class(name).standard()
        ]
    elif re.split("[.,+]", spec)[0] in list_attacks() and not _is_file(spec):
        attacks = [get_attack(each) for each in spec.split(",")]
    else:
        attacks = _from_toml(_read(spec), spec)
    if spec in list_presets():
        attacks = [attack for attack in attacks if attack.unavailable() is None]
    by_id = {"identity": get_attack("identity"), **{attack.id: attack for attack in attacks}}
    return list(by_id.values())


def left_out(spec: str) -> dict[str, str]:
    """Return the attacks that `load_attacks` leaves out of a preset because they cannot be done here, and why.

    An attack that a user's own file or an id asks for is never left out: its cells fail, and say why.
    """
    if spec not in list_presets():
        return {}
    names = list_attacks() if spec == FULL else sorted(_read(spec).get("attacks", {}))
    reasons = {name: _reason(name) for name in names}
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _reason(name: str) -> str | None:
    """Say why an attack cannot be done here, a plug-in that cannot be loaded among them."""
    try:
        return attack_class(name).unavailable()
    except AttackError as error:
        return str(error)


def _is_file(spec: str) -> bool:
    try:
        return Path(spec).is_file()
    except OSError:  # a list of ids may be longer than any file's name
        return False


def _read(spec: str) -> dict[str, Any]:
    presets = list_presets()
    source = files("sealproof.attacks.presets") / f"{spec}.toml" if spec in presets else Path(spec)
    if not source.is_file():
        near = get_close_matches(spec, presets, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise AttackError(
            f"--attacks must be one of the presets {', '.join(presets)}, a TOML file, or ids of attacks. "
            f"Got {spec!r}, which is none of these.{hint}"
        )
    try:
        return tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise AttackError(f"{spec} must be TOML ({error}).") from error


def _from_toml(table: dict[str, Any], spec: str) -> list[Attack]:
    unknown = sorted(set(table) - {"attacks", "chains"})
    entries, chains = table.get("attacks", {}), table.get("chains", [])
    if unknown or not isinstance(entries, dict) or not (entries or chains):
        raise AttackError(
            f"{spec} must have a table [attacks] with an entry per attack, or a list `chains`, or both, and nothing "
            f"else. Got {sorted(table) or 'nothing'}."
        )
    if not isinstance(chains, list) or not all(isinstance(chain, str) for chain in chains):
        raise AttackError(f"{spec}: `chains` must be a list of ids joined by '+'. Got {chains!r}.")
    grids = [
        (name, grid) for name, grids in entries.items() for grid in (grids if isinstance(grids, list) else [grids])
    ]
    attacks = [attack for name, sweeps in grids for attack in _grid(name, sweeps, spec)]
    return [*attacks, *(get_attack(chain) for chain in chains)]


def _grid(name: str, sweeps: object, spec: str) -> list[Attack]:
    if not isinstance(sweeps, dict):
        raise AttackError(
            f"{spec}: {name} must be a table of lists, such as {{ bitrate_kbps = [64, 32] }}. Got {sweeps!r}."
        )
    values = [value if isinstance(value, list) else [value] for value in sweeps.values()]
    if not all(values):
        raise AttackError(f"{spec}: every list of {name} must hold at least one strength. Got an empty one.")
    return [get_attack(name, **dict(zip(sweeps, strengths, strict=True))) for strengths in product(*values)]
