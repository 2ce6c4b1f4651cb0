"""The registry: names, messages, plug-ins from outside, and that it is cheap to import."""

import subprocess
import sys
import types
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import numpy as np
import pytest

from sealproof.attacks import Attack, AttackError, Audio, attack_class, get_attack, list_attacks
from sealproof.attacks.testing import check_attack


@dataclass(frozen=True, kw_only=True)
class Invert(Attack):
    """Inverts the polarity."""

    name: ClassVar[str] = "invert"
    family: ClassVar[str] = "level"
    keeps_polarity: ClassVar[bool] = False

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        return -clip


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Installs one entry point of the group `sealproof.attacks` for the length of a test."""

    def install(name: str, target: object) -> None:
        module = types.ModuleType("acme_attacks")
        vars(module)["Target"] = target
        monkeypatch.setitem(sys.modules, "acme_attacks", module)
        points = [EntryPoint(name, "acme_attacks:Target", "sealproof.attacks")]
        monkeypatch.setattr(
            "importlib.metadata.entry_points", lambda *, group: points if group == "sealproof.attacks" else []
        )

    return install


def test_the_built_in_attacks() -> None:
    assert set(list_attacks()) >= {
        *("aac", "clipping", "echo", "gain", "highpass", "identity", "lowpass", "mp3", "offset", "opus", "quantise"),
        *("resample", "speed", "time_stretch", "vorbis", "white_noise"),
    }
    assert list_attacks() == sorted(list_attacks())


def test_an_unknown_name_gets_a_suggestion_and_the_list() -> None:
    with pytest.raises(AttackError, match=r"There is no attack 'mp4'. Did you mean 'mp3'\? `sealproof attacks list`"):
        get_attack("mp4.64kbps")
    with pytest.raises(AttackError, match=r"There is no attack 'xyzzy'\. `sealproof attacks list` names all \d+\."):
        attack_class("xyzzy")


def test_parameters_are_checked_by_name() -> None:
    with pytest.raises(AttackError, match=r"mp3 has no parameter 'kbps'. Its parameters: bitrate_kbps."):
        get_attack("mp3", kbps=64)
    with pytest.raises(AttackError, match=r"identity has no parameter 'x'. Its parameters: none."):
        get_attack("identity", x=1)
    with pytest.raises(AttackError, match=r"mp3 needs the parameter bitrate_kbps, e.g. 'mp3.160kbps'."):
        get_attack("mp3")
    with pytest.raises(
        AttackError, match=r"'mp3.64kbps' states its strength already. Pass 'mp3' to give bitrate_kbps."
    ):
        get_attack("mp3.64kbps", bitrate_kbps=64)


def test_a_plug_in_is_listed_built_and_checked_like_any_other(plug_in: Callable[..., None]) -> None:
    plug_in("invert", Invert)
    assert "invert" in list_attacks()
    assert get_attack("invert") == Invert()
    check_attack(get_attack("invert"))


def test_a_built_in_name_means_the_built_in_attack(plug_in: Callable[..., None]) -> None:
    plug_in("gain", Invert)
    assert attack_class("gain").__module__ == "sealproof.attacks.level.amplitude"
    assert list_attacks().count("gain") == 1


@pytest.mark.parametrize("target", [object, Invert, "text"])
def test_an_entry_point_to_something_else_is_refused(plug_in: Callable[..., None], target: Any) -> None:
    plug_in("other", target)
    with pytest.raises(AttackError, match=r"The entry point 'other' \(acme_attacks:Target\) must lead to a subclass"):
        attack_class("other")


def test_a_plug_in_that_cannot_be_imported_is_named(
    plug_in: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plug_in("invert", Invert)
    monkeypatch.setitem(sys.modules, "acme_attacks", None)
    with pytest.raises(AttackError, match=r"The plug-in attack 'invert' \(acme_attacks:Target\) cannot be loaded"):
        get_attack("invert")


def test_importing_the_package_loads_no_heavy_library() -> None:
    code = (
        "import sys, sealproof.attacks as a; a.attack_class('gain')\n"
        "print(*{m.split('.')[0] for m in sys.modules} & "
        "{'scipy', 'av', 'soxr', 'soundfile', 'python_stretch', 'audiomentations', 'torch', 'tensorflow', 'pandas'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_all_attacks_of_a_family_stand_in_one_room() -> None:
    rooms: dict[str, set[str]] = {}
    for name in list_attacks():
        cls = attack_class(name)
        rooms.setdefault(cls.family, set()).add(cls.__module__.rpartition(".")[0])
    assert {family: room for family, room in rooms.items() if len(room) > 1} == {}
