"""What can be done to audio: the registry of attacks.

`get_attack("mp3.64kbps")` and `get_attack("mp3", bitrate_kbps=64)` build the same attack; `list_attacks()` names all.
A package adds its own attacks through the entry-point group `sealproof.attacks` (name -> class); a built-in name
always means the built-in attack. Importing this package loads numpy alone: an attack's libraries load with the attack.
"""

import difflib
import importlib
import inspect
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING

from sealproof.attacks.base import Attack, AttackError, Audio, parameter
from sealproof.attacks.parameters import Value

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = ["Attack", "AttackError", "Audio", "attack_class", "get_attack", "list_attacks", "parameter"]

ENTRY_POINT_GROUP = "sealproof.attacks"

_BUILT_IN = {
    "aac": "sealproof.attacks.codec:AAC",
    "clipping": "sealproof.attacks.level:Clipping",
    "echo": "sealproof.attacks.reverb:Echo",
    "gain": "sealproof.attacks.level:Gain",
    "highpass": "sealproof.attacks.filtering:Highpass",
    "identity": "sealproof.attacks.identity:Identity",
    "lowpass": "sealproof.attacks.filtering:Lowpass",
    "mp3": "sealproof.attacks.codec:MP3",
    "offset": "sealproof.attacks.timing:Offset",
    "opus": "sealproof.attacks.codec:Opus",
    "quantise": "sealproof.attacks.noise:Quantise",
    "resample": "sealproof.attacks.resampling:Resample",
    "speed": "sealproof.attacks.resampling:Speed",
    "time_stretch": "sealproof.attacks.timing:TimeStretch",
    "vorbis": "sealproof.attacks.codec:Vorbis",
    "white_noise": "sealproof.attacks.noise:WhiteNoise",
}


def list_attacks() -> list[str]:
    """Names of all attacks, built in and from plug-ins, sorted."""
    return sorted({*_BUILT_IN, *(plug_in.name for plug_in in _plug_ins())})


def attack_class(name: str) -> type[Attack]:
    """Returns the class of an attack.

    Raises:
        AttackError: If no attack has this name, or a plug-in's entry point does not lead to an attack of this name.
    """
    if name in _BUILT_IN:
        module, _, attribute = _BUILT_IN[name].partition(":")
        built_in: type[Attack] = getattr(importlib.import_module(module), attribute)
        return built_in
    plug_in = next((plug_in for plug_in in _plug_ins() if plug_in.name == name), None)
    if plug_in is None:
        known = list_attacks()
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise AttackError(f"There is no attack '{name}'.{hint} The attacks are {', '.join(known)}.")
    return _load(plug_in)


def get_attack(spec: str, /, **params: Value) -> Attack:
    """Builds an attack from its full id, or from its name and parameters.

    Args:
        spec: An id such as `mp3.64kbps`, or a bare name such as `mp3`.
        **params: The parameters of a bare name; those with a default may be left out.

    Raises:
        AttackError: If the name is unknown, or a parameter is unknown, missing, given twice or refused.
    """
    name, dot, _ = spec.partition(".")
    cls = attack_class(name)
    if dot:
        if params:
            raise AttackError(f"'{spec}' states its strength already. Pass '{name}' to give {', '.join(params)}.")
        return cls.from_id(spec)
    accepted = {item.name: item.default is MISSING for item in fields(cls)}
    for wrong in params.keys() - accepted.keys():
        takes = ", ".join(accepted) or "none"
        raise AttackError(f"{name} has no parameter '{wrong}'. Its parameters: {takes}.")
    missing = [parameter_name for parameter_name, needed in accepted.items() if needed and parameter_name not in params]
    if missing:
        raise AttackError(f"{name} needs the parameter {', '.join(missing)}, e.g. '{cls.standard()[0].id}'.")
    return cls(**params)


def _plug_ins() -> "tuple[EntryPoint, ...]":
    from importlib import metadata  # costs as much as the rest of this package, and is seldom needed

    return tuple(metadata.entry_points(group=ENTRY_POINT_GROUP))


def _load(plug_in: "EntryPoint") -> type[Attack]:
    try:
        cls = plug_in.load()
    except (ImportError, AttributeError) as error:
        raise AttackError(
            f"The plug-in attack '{plug_in.name}' ({plug_in.value}) cannot be loaded: {error}."
        ) from error
    if not (inspect.isclass(cls) and issubclass(cls, Attack) and cls.name == plug_in.name):
        raise AttackError(
            f"The entry point '{plug_in.name}' ({plug_in.value}) must lead to a subclass of sealproof.attacks.Attack "
            f"whose name is '{plug_in.name}'. Got {cls!r}."
        )
    return cls
