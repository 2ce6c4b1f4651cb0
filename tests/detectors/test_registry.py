import importlib.metadata
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from sealproof.detectors import DetectorError, get_scheme, list_schemes
from sealproof.detectors.base import Scheme


def test_built_in_schemes_are_listed_in_order() -> None:
    names = list_schemes()
    assert {"audioseal", "audioseal_custom", "audioseal_mini", "perth", "spread_spectrum"} <= set(names)
    assert names == sorted(names)


@pytest.mark.parametrize("name", ["audioseal", "audioseal_mini", "perth", "spread_spectrum"])
def test_a_scheme_has_the_name_it_is_registered_under(name: str) -> None:
    assert get_scheme(name).name == name


def test_wrong_name_suggests_the_close_one_and_lists_all() -> None:
    with pytest.raises(DetectorError, match=r"audioseal, .*Got 'audiosel'. Did you mean 'audioseal'\?"):
        get_scheme("audiosel")


def test_options_reach_the_scheme_and_wrong_ones_are_named() -> None:
    assert "key7" in get_scheme("spread_spectrum", key=7).version
    with pytest.raises(DetectorError, match="strength"):
        get_scheme("spread_spectrum", strength=1)


class OutsideScheme(Scheme):
    name = "outside"
    summary = "A scheme of another package"
    version = "outside-1"

    def load_watermarker(self) -> Any:
        raise AssertionError("constructing must not load")

    load_detector = load_watermarker


@pytest.fixture
def entry_points(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    def set_points(*points: Any) -> None:
        made = [importlib.metadata.EntryPoint(name, value, "sealproof.schemes") for name, value in points]
        monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: made)

    return set_points


def test_schemes_from_outside_are_found(entry_points: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "outside_package", sys.modules[__name__])
    entry_points(("outside", "outside_package:OutsideScheme"))
    assert "outside" in list_schemes()
    assert isinstance(get_scheme("outside"), OutsideScheme)


def test_what_is_no_scheme_is_refused(entry_points: Callable[..., None]) -> None:
    entry_points(("nothing", "builtins:dict"))
    with pytest.raises(DetectorError, match=r"'nothing' must be a subclass of Scheme\. Got builtins:dict"):
        get_scheme("nothing")


def test_a_name_cannot_be_claimed_twice(entry_points: Callable[..., None]) -> None:
    entry_points(("perth", "outside_package:OutsideScheme"))
    with pytest.raises(DetectorError, match="'perth' must be claimed once"):
        list_schemes()


def test_import_names_and_versions_load_no_framework() -> None:
    code = (
        "import sys, sealproof.detectors as d\n"
        "heavy = {'torch', 'torchaudio', 'tensorflow', 'keras', 'librosa', 'scipy', 'audioseal', 'perth'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "for name in ('audioseal', 'audioseal_mini', 'perth', 'spread_spectrum'):\n"
        "    scheme = d.get_scheme(name); scheme.version; scheme.weights_sha256; scheme.unavailable()\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]
