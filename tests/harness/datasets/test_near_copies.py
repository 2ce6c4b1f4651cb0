"""A recording that is on two sides of a split under two names is told of."""

import json
from pathlib import Path

import pytest
import soundfile

from sealproof.attacks import get_attack
from sealproof.attacks.testing import music_like
from sealproof.harness.cli.main import main
from sealproof.harness.datasets.near_copies import NearCopy, from_records, near_copies_text

RATE = 16_000


def test_build_and_check_warn_of_recordings_encoded_anew_and_cut_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "music").mkdir()
    for index, recording in enumerate(music_like(10, 3 * RATE, RATE)):
        soundfile.write(tmp_path / "music" / f"track{index}.wav", recording, RATE, subtype="PCM_16")
        if index < 5:
            softer = get_attack("gain.-6db+mp3.64kbps")(recording[None], RATE, [0])[0]
            soundfile.write(tmp_path / "music" / f"again{index}.wav", softer[3000:], RATE, subtype="PCM_16")
    out = tmp_path / "set"
    command = ["build", "--corpus", str(tmp_path / "music"), "--group-by", "file", "--scheme", "spread_spectrum"]
    assert main([*command, "--out", str(out)]) == 0
    told = capsys.readouterr().out
    facts = json.loads((out / "dataset.json").read_text())
    assert facts["joined_groups"] == {}
    copies = from_records(facts["near_copies"])
    assert [copy.record() for copy in copies] == [{**one, **{name: tuple(one[name]) for name in ("clips", "groups",
            "splits")}} for one in facts["near_copies"]]  # fmt: skip
    named = {tuple(sorted(copy.groups)) for copy in copies}
    assert named
    assert named <= {(f"again{index}.wav", f"track{index}.wav") for index in range(5)}
    split_of = {group: split for copy in copies for group, split in zip(copy.groups, copy.splits, strict=True)}
    assert all(split_of[first] != split_of[second] for first, second in named)
    said = f"Mind: {near_copies_text(copies)}"
    assert said in told
    assert main(["check", str(out)]) == 0
    assert said in capsys.readouterr().out


def test_a_warning_names_three_and_says_what_to_do() -> None:
    copies = [
        NearCopy((f"a{n}", f"b{n}"), (f"a{n}", f"b{n}"), ("train", "test"), 0.5, 0.95 + n / 100) for n in range(4)
    ]
    text = near_copies_text([*copies, *copies])
    assert text.startswith(
        "4 recordings seem to stand in two splits under two names: a3 (train) and b3 (test), alike at 0.98 over 0.50 s;"
    )
    assert "a1 (train) and b1 (test), alike at 0.96 over 0.50 s; and 1 more. Listen to them" in text
    assert text.endswith("--groups FILE.csv.")
