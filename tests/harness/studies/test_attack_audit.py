"""`sealproof attacks verify`: what it prints and writes, and that it fails where an attack does not keep its word."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from sealproof.attacks import Attack, Audio, Claim, get_attack, parameter
from sealproof.attacks.contract.base import AttackError
from sealproof.attacks.testing import music_like, toy_knowledge
from sealproof.harness.cli.main import main
from sealproof.harness.studies.attack_audit import gallery as attack_check
from sealproof.harness.studies.attack_audit.check import Clips, check
from sealproof.harness.tables.attacks import COLUMNS, Checked, duplicates, rows

RATE = 16_000
CLEAN = music_like(4, RATE, RATE)
CLIPS = Clips(CLEAN, RATE, toy_knowledge(CLEAN))


@dataclass(frozen=True, kw_only=True)
class Pretender(Attack):
    """Claims 6 dB and gives what it likes."""

    name: ClassVar[str] = "pretender"
    family: ClassVar[str] = "test"
    factor: float = parameter(unit="x", low=0)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        del sample_rate, rng
        if not self.factor:
            raise AttackError("pretender cannot multiply by nothing.")
        return clip * np.float32(self.factor)

    def claims(self, sample_rate: int) -> tuple[Claim, ...]:
        del sample_rate
        return (Claim.about("level_change_db", 6.02, 0.1),)


def checked(*attacks: Attack) -> list[Checked]:
    return [check(attack, CLIPS, seed=0) for attack in attacks]


def test_an_attack_that_keeps_its_word_is_no_problem() -> None:
    done = checked(Pretender(factor=2), get_attack("white_noise.20db"), get_attack("reembed.same"))
    assert attack_check.problems(done) == []
    head, *lines = attack_check.table(done)
    assert head.split()[:3] == ["attack", "ms", "claimed"]
    assert lines[0].startswith("pretender.2x      ok ")
    assert (
        "level_change_db 6.021 (5.92 to 6.12); is_noop 0 (<= 0.05); own_clip 1 (>= 0.6); delay_samples 0 (-1 to 1)"
        in lines[0]
    )


def test_what_is_wrong_is_said() -> None:
    done = checked(Pretender(factor=1.5), Pretender(factor=0), get_attack("gain.6db"), get_attack("gain.6db"))
    done.append(check(get_attack("gain.12db"), Clips(0 * CLEAN, RATE, CLIPS.knowledge), seed=0))
    found = attack_check.problems(done)
    assert found[0].startswith("pretender.1.5x: level_change_db of clean clips must be 5.92 to 6.12. Measured 3.522 ")
    assert found[2] == "pretender.0x: pretender cannot multiply by nothing."
    assert "gain.12db: level_change_db is claimed, but no clip allows to measure it." in found
    lines = list(attack_check.table(done))
    assert "FAILED" in lines[1]
    assert "BROKEN" in lines[1]
    assert re.search(r"pretender.0x +failed +pretender cannot", lines[2])


def test_what_check_attack_refuses_is_no_good_attack() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Secret(Pretender):
        factor: float = parameter(unit="x", low=0, default=2)

        def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
            return clip * np.float32(2 + 0.001 * rng.random())  # and does not say that it draws

    secret = Secret()
    assert attack_check.problems(checked(secret)) == []
    (problem,) = attack_check.problems(attack_check.check_all([secret], CLIPS, seed=0))
    assert problem.startswith("pretender.2x: It breaks the contract of attacks: pretender.2x states is_random=False")


def test_two_strengths_that_do_the_same_are_found() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Saturated(Pretender):
        def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
            return clip * np.float32(2)

    done = checked(Saturated(factor=1), Saturated(factor=3), get_attack("gain.6db"))
    assert duplicates(done) == {"pretender.3x": "pretender.1x"}
    assert attack_check.problems(done) == ["pretender.3x: does the same as pretender.1x, bit for bit."]


def test_a_control_may_do_nothing() -> None:
    done = checked(get_attack("identity"))
    assert attack_check.problems(done) == []
    assert rows(done)


def test_rows_have_the_columns_and_one_line_for_each_quantity() -> None:
    records = list(rows(checked(Pretender(factor=2), Pretender(factor=0))))
    assert all(set(record) == set(COLUMNS) for record in records)
    first, failed = records[0], records[-1]
    assert (first["quantity"], first["claimed_low"], first["claimed_high"]) == ("level_change_db", "5.92", "6.12")
    assert (first["median"], first["n_clips"], first["status"]) == ("6.0206", "4", "kept")
    assert (failed["status"], failed["error"]) == ("failed", "pretender cannot multiply by nothing.")
    snr = next(record for record in records if record["quantity"] == "snr_db")
    assert (snr["status"], snr["claimed_low"]) == ("", "")


VERIFY = ["attacks", "verify", "--attacks", "gain.6db,splice.50percent", "--clips", "4", "--scheme", "spread_spectrum"]


def test_the_command_writes_table_pictures_and_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*VERIFY, "--out", str(tmp_path), "--plot"]) == 0
    text = capsys.readouterr().out
    assert "3 configurations of 3 attacks on 4 clips: 0 problems." in text
    with (tmp_path / "attacks.csv").open() as file:
        assert {row["attack"] for row in csv.DictReader(file)} == {"identity", "gain", "splice"}
    page = (tmp_path / "index.html").read_text()
    for name in ("identity", "gain.6db", "splice.50percent"):
        assert (tmp_path / "pictures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert f"src='pictures/{name}.png'" in page


def test_the_command_fails_where_an_attack_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sealproof.attacks.level.amplitude.Gain.apply_batch", Attack.apply_batch)
    monkeypatch.setattr(
        "sealproof.attacks.level.amplitude.Gain.apply", lambda self, clip, rate, rng: clip, raising=False
    )
    assert main(VERIFY) == 1
    assert "gain.6db: is_noop of clean clips must be at most 0.05." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["--clips", "0"], "--clips must be at least 1. Got 0."),
        (["--plot"], "--plot needs a folder to draw into: give --out DIR."),
        (["--attacks", "gian.6db"], "none of these"),
        (["--corpus", "nowhere"], "nowhere"),
        (["--scheme", "spread_spectrun"], "Did you mean 'spread_spectrum'"),
    ],
)
def test_wrong_options_get_one_line(arguments: list[str], rule: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*VERIFY, *arguments]) == 2
    assert rule in capsys.readouterr().err


def test_too_few_clips_say_how_many_are_needed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", music_like(1, 3 * RATE, RATE)[0], RATE)
    assert main([*VERIFY, "--corpus", str(tmp_path)]) == 2
    assert "Verifying on 4 clips needs 20 of one second" in capsys.readouterr().err
