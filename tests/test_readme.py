"""The README's examples are code that runs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def example(marker: str) -> dict[str, Any]:
    """Run the README's Python block that holds `marker`, and return what it defines."""
    [block] = [code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if marker in code]
    names: dict[str, Any] = {"__name__": "readme_example"}
    exec(compile(block, "README.md", "exec"), names)  # noqa: S102 - our own page
    return names


def test_the_attack_keeps_the_contract() -> None:
    from sealproof.attacks.testing import check_attack

    for attack in example("class PreEmphasis")["PreEmphasis"].standard():
        check_attack(attack)


def test_an_attack_that_breaks_its_claim_does_not() -> None:
    from sealproof.attacks.testing import check_attack

    honest = example("class PreEmphasis")["PreEmphasis"]

    @dataclass(frozen=True, kw_only=True)
    class Louder(honest):  # type: ignore[misc, valid-type]
        def apply(self, clip: Any, sample_rate: int, rng: Any) -> Any:
            return 4 * super().apply(clip, sample_rate, rng)

    with pytest.raises(AssertionError, match="does not do on music what it claims: level_change_db"):
        check_attack(Louder(coefficient=0.5))


def test_the_scheme_keeps_the_contract() -> None:
    from sealproof.detectors.testing import check_scheme

    check_scheme(example("class LastBit")["LastBit"]())


def test_every_command_is_one() -> None:
    from sealproof.harness.cli.main import main

    commands = set(re.findall(r"^sealproof ([a-z]+) .*(?:#|--)", README, re.MULTILINE))
    assert commands == {
        "build", "check", "train", "run", "report", "compare", "extract", "export", "list", "doctor", "weights",
        "attacks",
    }  # fmt: skip
    for command in sorted(commands):
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0
