"""The commands that the README names are there; examples of code are in docs/extending.md and its test."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_every_command_is_one() -> None:
    from sealproof.harness.cli.main import main

    commands = set(re.findall(r"^sealproof ([a-z]+) .*(?:#|--)", README, re.MULTILINE))
    assert commands == {
        "build", "check", "train", "run", "report", "compare", "extract", "export", "list", "doctor", "weights",
        "attacks", "scheme",
    }  # fmt: skip
    for command in sorted(commands):
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0
