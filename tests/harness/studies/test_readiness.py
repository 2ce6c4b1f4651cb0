"""What does not work is named, with what is to blame and the command that mends it."""

import importlib
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from sealproof.attacks import list_attacks
from sealproof.attacks.contract.base import AttackError
from sealproof.detectors import UnavailableError, list_schemes
from sealproof.harness.cli import doctor
from sealproof.harness.studies.readiness import checks, mending
from sealproof.harness.studies.readiness.check import Check, CheckResult, State
from sealproof.harness.studies.readiness.clips import known, music
from sealproof.harness.studies.readiness.mending import explain, install_command, modules_of, requirements


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """package(name, code): a package of that code that can be imported; returns the name."""

    def make(name: str, code: str) -> str:
        (tmp_path / f"{name}.py").write_text(code)
        importlib.invalidate_caches()
        return name

    monkeypatch.syspath_prepend(tmp_path)
    return make


def broken(name: str) -> Check:
    def attempt() -> tuple[State, str]:
        try:
            importlib.import_module(name)
        except Exception as error:
            raise UnavailableError(f"perth is broken ({error}). Run: sealproof doctor") from error
        return State.READY, ""

    return Check("scheme", "perth", attempt)


def test_the_innermost_package_that_was_being_imported_is_to_blame(package: Callable[[str, str], str]) -> None:
    inner = package("acme_inner", "def load():\n    raise OSError('acme.so: undefined symbol: x')\nload()\n")
    result = broken(package("acme_outer", f"import {inner}\n")).run()
    assert result.state is State.BROKEN
    assert result.text == "OSError: acme.so: undefined symbol: x"
    assert result.command == "pip install acme_inner"
    assert "acme_outer.py" in result.trace


def test_an_error_with_a_cause_is_traced_to_the_import_and_told_by_its_cause(
    package: Callable[[str, str], str],
) -> None:
    code = (
        "def load():\n    try:\n        raise OSError('acme.so: undefined symbol: x')\n"
        "    except OSError as error:\n        raise OSError('cannot load acme.so') from error\nload()\n"
    )
    result = broken(package("acme_chained", code)).run()
    assert (result.text, result.command) == ("OSError: acme.so: undefined symbol: x", "pip install acme_chained")


def test_a_missing_package_is_what_is_to_be_installed(package: Callable[[str, str], str]) -> None:
    result = broken(package("acme_needy", "import acme_missing.part\n")).run()
    assert result.text == "ModuleNotFoundError: No module named 'acme_missing'"
    assert result.command == "pip install acme_missing"


def test_an_error_that_knows_its_command_keeps_it() -> None:
    assert explain(UnavailableError("No weights. Run: sealproof weights fetch")) == (
        "No weights.",
        "sealproof weights fetch",
    )
    assert explain(AttackError("mp3 failed")) == ("mp3 failed", "")
    assert explain(UnavailableError("perth is broken. Run: sealproof doctor")) == ("perth is broken.", "")


def test_a_package_is_brought_to_the_version_that_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    (torchaudio,) = (each for each in requirements() if each.name == "torchaudio")
    wanted = f"'torchaudio{torchaudio.specifier}'"
    assert install_command("torchaudio") == f"pip install --force-reinstall --no-deps {wanted}"
    monkeypatch.setattr(mending, "version", lambda name: "2.12.0" if name == "torchaudio" else version(name))
    assert install_command("torchaudio") == f"pip install {wanted}"
    monkeypatch.setattr(checks, "installed", mending.installed)
    state, text = checks._requirement("torchaudio")
    assert (state, text) == (State.UNTESTED, f"torchaudio 2.12.0 is here. Run: pip install {wanted}")


def test_a_module_has_another_name_than_its_distribution() -> None:
    assert modules_of("resemble-perth") == ["perth"]
    assert modules_of("PyYAML") == ["yaml"]
    assert install_command("perth").endswith("'resemble-perth==1.0.*'")


def test_everything_there_is_gets_tried() -> None:
    tried = {kind: {check.name for check in checks.all_checks() if check.kind == kind} for kind in checks.KINDS}
    assert tried[checks.ATTACKS] == set(list_attacks())
    assert tried[checks.SCHEME] == set(list_schemes())
    assert {"torch", "tensorflow", "numpy"} <= tried[checks.PACKAGES]
    assert all(tried.values())


def test_a_scheme_that_does_not_find_its_own_mark_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    from sealproof.detectors.spread_spectrum.scheme import SpreadSpectrumScheme

    class Deaf:
        sample_rate, message_bits = 16_000, 0

        @staticmethod
        def embed(batch: np.ndarray, messages: np.ndarray) -> np.ndarray:
            return batch

    (check,) = (each for each in checks.all_checks() if (each.kind, each.name) == (checks.SCHEME, "spread_spectrum"))
    assert check.run().state is State.READY
    monkeypatch.setattr(SpreadSpectrumScheme, "load_watermarker", lambda self: Deaf)
    result = check.run()
    assert result.state is State.BROKEN
    assert "must give a marked clip a higher score than the same clip unmarked" in result.text


def test_attacks_that_know_more_get_the_watermarkers_of_a_run() -> None:
    knowledge = known()
    assert set(knowledge.watermarkers) == {"same", "spread_spectrum", "perth"}
    assert not np.array_equal(knowledge.clean, knowledge.marked)
    assert not any(np.array_equal(knowledge.twins[0], clip) for clip in knowledge.clean)
    assert music().shape == (1, 16_000)


FINDINGS = [
    CheckResult("packages", "torch", State.READY, "2.11.0"),
    CheckResult("packages", "tqdm", State.UNTESTED, "tqdm 1 is here. Run: pip install 'tqdm>=4'"),
    CheckResult(
        "scheme", "audioseal", State.ABSENT, "No weights here. " + "Long words. " * 30 + "Run: sealproof weights fetch"
    ),
    CheckResult("scheme", "perth", State.BROKEN, "OSError: x.so", "pip install x", "Traceback:\n  line 1"),
    CheckResult("attacks", "dac", State.ABSENT, "needs the package 'dac'"),
    CheckResult("attacks", "gain", State.READY, "3 strengths"),
    CheckResult("attacks", "mp3", State.BROKEN, "no encoder"),
    CheckResult("attacks", "aac", State.BROKEN, "no encoder"),
]


def test_the_summary_has_a_line_for_each_scheme_and_one_for_the_attacks() -> None:
    lines = list(doctor.summary(FINDINGS))
    assert lines[:2] == [
        "packages   1 of 2 ready",
        "           tqdm: not as tested: tqdm 1 is here. Run: pip install 'tqdm>=4'",
    ]
    assert re.fullmatch(
        r"scheme     audioseal: not installed: No weights here\. (Long words\. )+Long words\.", lines[2]
    )
    assert len(lines[2]) < 220
    assert lines[3:] == [
        "scheme     perth: BROKEN: OSError: x.so. Run: pip install x",
        "attacks    1 of 4 ready; not: dac, which need packages or weights that sealproof does not bring: "
        "sealproof doctor --verbose",
        "           mp3, aac: BROKEN: no encoder",
    ]
    assert doctor.verdict(FINDINGS) == "3 of 8 things do not work here and should: perth, mp3, aac."
    assert doctor.verdict(FINDINGS[:3]) == "All that should work here does."


def test_the_long_form_has_a_line_for_each_thing_and_where_it_broke() -> None:
    lines = list(doctor.everything(FINDINGS))
    assert "attacks    gain: ready: 3 strengths" in lines
    at = lines.index("scheme     perth: BROKEN: OSError: x.so. Run: pip install x")
    assert lines[at + 1 : at + 3] == ["           | Traceback:", "           |   line 1"]
