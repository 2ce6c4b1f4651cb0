"""Diagnosis: a trick that was planted is found and named, and a scheme without one is not accused."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from sealproof.attacks.testing import music_like
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Scheme
from sealproof.harness.cli.main import main
from sealproof.harness.foundation.audio.files import to_pcm, write_wav
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.studies.diagnosis.output.picture import write_diagnosis_picture
from sealproof.harness.studies.diagnosis.output.tables import CSV, CURVES, JSON, diagnosis_lines, write_diagnosis_tables
from sealproof.harness.studies.diagnosis.study import Diagnosis, DiagnosisRequest, diagnose
from sealproof.harness.training.schemes.clips import CorpusClips

CLIP_SAMPLES = 4000
"""A quarter of a second: a sweep in steps of 4 Hz instead of 1."""


@pytest.fixture(scope="module")
def clips() -> CorpusClips:
    sizes = {"test": 160, "calibration": 40, "validation": 16}
    pcm = {split: to_pcm(music_like(n, CLIP_SAMPLES, 16_000, seed=n)) for split, n in sizes.items()}
    groups = {split: [f"{split}-{clip % 8}" for clip in range(n)] for split, n in sizes.items()}
    return CorpusClips({"kind": "toy"}, pcm, groups)


Diagnosed = Callable[[str], Diagnosis]
Toys = Callable[[str], Scheme]


@pytest.fixture(scope="module")
def diagnosed(clips: CorpusClips, toy: Toys) -> Diagnosed:
    """Every probe, asked once about each toy."""
    known: dict[str, Diagnosis] = {}

    def ask(name: str) -> Diagnosis:
        if name not in known:
            known[name] = diagnose(toy(name), clips, DiagnosisRequest(n_clips=24))
        return known[name]

    return ask


def test_a_tone_that_was_planted_between_two_steps_of_the_sweep_is_found(
    diagnosed: Diagnosed, planted_hz: float
) -> None:
    found = diagnosed("tone")
    assert found.verdict.tricks[0] == "one_frequency"
    assert found.verdict.sentences[0].startswith("decides on one frequency: a sine at 1,20")
    assert abs(found.findings["sounds.sine_hz"].value - planted_hz) < 16_000 / CLIP_SAMPLES
    assert found.findings["sounds.sine"].value > 0.9
    assert found.findings["bands.without_50hz"].value < 0.2
    low, high = (int(edge) for edge in found.findings["bands.without_50hz"].detail.removesuffix(" Hz").split(" to "))
    assert low <= planted_hz <= high
    # Two harmonics of half its frequency: the search for stacks starts from the tone it has found.
    assert found.findings["sounds.harmonics"].value > 0.9
    assert found.findings["lookalikes.random_phases"].value > 0.7
    assert {"sounds.sine", "bands.without_50hz", "spectrum.largest_bin"} <= {one.name for one in found.missed_floors}


def test_a_fixed_waveform_that_was_planted_is_found_and_not_taken_for_a_tone(diagnosed: Diagnosed) -> None:
    found = diagnosed("fixed")
    assert "fixed_waveform" in found.verdict.tricks
    assert "one_frequency" not in found.verdict.tricks
    assert any(sentence.startswith("a fixed waveform on the sample grid") for sentence in found.verdict.sentences)
    assert found.findings["waveform.fixed_other_messages"].value > 0.9
    assert found.findings["mean_mark.100_other_messages"].value > 0.9
    assert found.findings["linear.coherence"].value > 0.95
    assert found.findings["alignment.tpr.offset.100samples"].value < 0.1
    assert found.findings["lookalikes.random_phases"].value < 0.1


def test_a_keyed_mark_that_follows_its_host_is_not_accused(diagnosed: Diagnosed) -> None:
    found = diagnosed("lattice")
    assert found.findings["standing.auc"].value == 1.0, "the toy must work, or there is nothing to accuse"
    assert found.verdict.tricks == ()
    assert found.verdict.sentences[0].startswith("no cheap trick found: the worst sine flags 0 % of clean clips")
    assert found.findings["mean_mark.100_other_messages"].value < 0.1
    assert max(one.value for name, one in found.findings.items() if name.startswith("linear.")) < 0.75


def test_spread_spectrum_is_a_fixed_carrier_on_the_sample_grid(clips: CorpusClips) -> None:
    asked = DiagnosisRequest(n_clips=24, probes=("waveform", "mean_mark", "alignment"))
    found = diagnose(get_scheme("spread_spectrum"), clips, asked)
    assert found.verdict.tricks[:2] == ("fixed_waveform", "fixed_carrier")
    # The pilot is half of the mark and the same in every message.
    assert found.findings["waveform.local_carrier_same_message"].value > 0.7
    assert 0.2 < found.findings["waveform.fixed_other_messages"].value < 0.5


def test_a_verdict_speaks_only_of_what_was_asked(clips: CorpusClips) -> None:
    found = diagnose(get_scheme("spread_spectrum"), clips, DiagnosisRequest(n_clips=24, probes=("waveform",)))
    first = found.verdict.sentences[0]
    assert re.fullmatch(
        r"a fixed waveform: one waveform explains \d\d % of the marks' energy on other recordings", first
    )


def test_the_same_seed_gives_the_same_numbers(clips: CorpusClips, toy: Toys) -> None:
    asked = DiagnosisRequest(n_clips=16, probes=("standing", "spectrum", "mean_mark", "timing"))
    first, second = (diagnose(toy("fixed"), clips, asked) for _ in range(2))
    assert first.findings == second.findings
    other = diagnose(toy("fixed"), clips, DiagnosisRequest(n_clips=16, probes=("spectrum",), seed=1))
    assert other.findings["spectrum.largest_bin"] != first.findings["spectrum.largest_bin"]


def test_what_was_found_is_written_whole(diagnosed: Diagnosed, tmp_path: Path) -> None:
    found = diagnosed("tone")
    write_diagnosis_tables(found, tmp_path)
    write_diagnosis_picture(found, tmp_path / "picture.png")
    record = json.loads((tmp_path / JSON).read_text(encoding="utf-8"))
    assert record["verdict"]["tricks"][0] == "one_frequency"
    sine = record["findings"]["sounds.sine"]
    assert (sine["limit"], sine["kind"], sine["passes"]) == ("<= 0.05", "floor", False)
    assert sine["ci_low"] <= sine["value"] <= sine["ci_high"]
    with (tmp_path / CSV).open(newline="", encoding="utf-8") as file:
        assert [row["name"] for row in csv.DictReader(file)] == list(found.findings)
    with (tmp_path / CURVES).open(newline="", encoding="utf-8") as file:
        swept = [float(row["x"]) for row in csv.DictReader(file) if row["curve"].startswith("sine sweep, flagged")]
    assert (swept[0], swept[-1], np.diff(swept).max()) == (20, 7900, 4)
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"


def test_the_table_says_what_was_missed_and_ends_with_the_verdict(diagnosed: Diagnosed) -> None:
    told = list(diagnosis_lines(diagnosed("tone")))
    sine = next(line for line in told if line.startswith("sounds.sine "))
    assert "<= 0.05" in sine
    assert "MISSED" in sine
    assert any(line.startswith("- decides on one frequency") for line in told)


def test_diagnoses_stand_side_by_side_with_what_was_missed_in_bold(
    diagnosed: Diagnosed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("tone", "lattice"):
        write_diagnosis_tables(diagnosed(name), tmp_path / name)
    assert main(["scheme", "compare", str(tmp_path / "tone"), str(tmp_path / "lattice")]) == 0
    printed = capsys.readouterr().out.splitlines()
    row = next(line for line in printed if line.startswith("| `sounds.sine` |"))
    assert re.fullmatch(r"\| `sounds\.sine` \| <= 0\.05 \| \*\*[\d.]+\*\* \| 0\.0000 \|", row)
    assert sum(line.startswith("- decides on one frequency") for line in printed) == 1
    assert main(["scheme", "compare", str(tmp_path)]) == 2
    assert "must hold a diagnosis.json" in capsys.readouterr().err


def test_a_split_with_too_few_clips_is_refused(clips: CorpusClips, toy: Toys) -> None:
    few = CorpusClips({}, {"test": clips.pcm["test"][:4]}, {"test": ["a", "b", "c", "d"]})
    with pytest.raises(HarnessError, match=r"at least 8 clips of 2 recordings in the split 'test'\. Got 4 of 4"):
        diagnose(toy("tone"), few, DiagnosisRequest())


def test_the_command_diagnoses_a_scheme_on_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for index, audio in enumerate(music_like(60, 16_000, 16_000, seed=3)):
        write_wav(tmp_path / "music" / f"track{index % 10}" / f"{index}.wav", to_pcm(audio))
    command = ["scheme", "diagnose", "spread_spectrum", "--corpus", str(tmp_path / "music"), "--clips", "8"]
    code = main([*command, "--probes", "standing,mean_mark", "--out", str(tmp_path / "out")])
    printed = capsys.readouterr().out
    assert code == 0, "spread_spectrum keeps every floor of these two families"
    assert "standing.tpr.mp3.64kbps" in printed
    assert {path.name for path in (tmp_path / "out").iterdir()} == {JSON, CSV, CURVES, "diagnosis.png"}
    assert main([*command, "--probes", "horoscope"]) == 2
    assert "--probes must be some of standing, sounds" in capsys.readouterr().err
