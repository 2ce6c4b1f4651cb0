"""The command: bad input gets one line and a code, good input its dataset, and --help is cheap."""

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from sealproof.attacks import list_attacks
from sealproof.attacks.selection import left_out, load_attacks
from sealproof.detectors import list_schemes
from sealproof.harness.cli import main as cli
from sealproof.harness.cli.main import main
from sealproof.harness.datasets import build
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.progress import progress
from sealproof.harness.foundation.versions import package_versions
from sealproof.harness.studies.readiness import checks
from sealproof.harness.studies.readiness.check import Check, State

Floats = NDArray[np.float32]


@pytest.fixture
def refuse(capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """refuse(*arguments): run a command that must be refused and return its one line."""

    def run(*arguments: object, code: int = 2) -> str:
        assert main([str(argument) for argument in arguments]) == code
        captured = capfd.readouterr()
        assert re.fullmatch(r"sealproof: [^\n]+\n", captured.err), captured.err
        return captured.err.removeprefix("sealproof: ").removesuffix("\n")

    return run


@pytest.fixture
def build_of(tmp_path: Path) -> Callable[[object], list[object]]:
    """build_of(corpus): the arguments of a build of tmp_path/data."""
    return lambda corpus: ["build", "--corpus", corpus, "--scheme", "spread_spectrum", "--out", tmp_path / "data"]


# --- Good input ---


def test_build_then_check(small_corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "data"
    command = [
        "build",
        "--corpus",
        str(small_corpus),
        "--scheme",
        "spread_spectrum",
        "--clips",
        "30",
        "--out",
        str(out),
    ]
    assert main(command) == 0
    text = capsys.readouterr().out
    assert "24 clips taken, 0 near-silent ones skipped.\n30 clips were asked for; the corpus holds 24.\n" in text
    assert re.search(r"24 pairs in 8 groups \(calibration \d+, test \d+, train \d+, validation \d+\); scheme", text)
    assert f"Wrote {out}. Next: sealproof train {out}" in text
    assert main(command) == 0
    assert f"{out} is already built." in capsys.readouterr().out
    assert main(["check", str(out)]) == 0
    assert capsys.readouterr() == (f"{out} is as its manifest says.\n", "")


def test_all_clips_are_taken_unless_told_otherwise(
    small_corpus: Path, build_of: Callable[[object], list[object]]
) -> None:
    assert main([str(argument) for argument in build_of(small_corpus)]) == 0
    assert Dataset.open(Path(str(build_of(0)[-1]))).facts["n_pairs"] == 24


def test_skip_bad_names_what_it_skipped(
    tmp_path: Path,
    audio_noise: Callable[..., Floats],
    build_of: Callable[[object], list[object]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for seed, name in enumerate(("a", "b", "c", "d", "bad")):
        soundfile.write(tmp_path / f"{name}.wav", audio_noise(16_000, seed), 16_000)
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for path in tmp_path.glob("*.wav"):
        path.rename(corpus / path.name)
    assert main([str(a) for a in build_of(corpus)] + ["--group-by", "file", "--skip-bad"]) == 0
    text = capsys.readouterr().out
    assert f"skipped bad.wav: {corpus / 'bad.wav'} is no audio that libsndfile reads" in text
    assert "4 clips taken, 0 near-silent ones skipped, 1 bad files skipped." in text


def test_list_names_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    for what, names in (("schemes", list_schemes()), ("mimics", ["seed_cnn"])):
        assert main(["list", what]) == 0
        listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[:1] != " "]
        assert set(names) <= set(listed)


def test_a_plug_in_that_cannot_be_loaded_does_not_hide_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "acme_broken.py").write_text("raise OSError('acme.so: undefined symbol: x')\n")
    monkeypatch.syspath_prepend(tmp_path)

    def with_acme(group: str) -> list[EntryPoint]:
        return [EntryPoint("acme", "acme_broken:Thing", group)] if group.startswith("sealproof.") else []

    monkeypatch.setattr("importlib.metadata.entry_points", with_acme)
    reason = "OSError: acme.so: undefined symbol: x"
    assert main(["list", "schemes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(list_schemes())
    assert reason in next(line for line in lines if line.startswith("acme "))
    assert main(["attacks", "list"]) == 0
    listed = capsys.readouterr().out
    assert reason in next(line for line in listed.splitlines() if line.startswith("  acme "))
    assert "mp3.64kbps" in listed
    assert reason in left_out("full")["acme"]
    assert "gain" in {attack.name for attack in load_attacks("full")}


def test_the_catalogue_names_every_attack(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attacks", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert set(list_attacks()) <= {line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "}
    assert re.fullmatch(r"\d+ attacks, \d+ configurations\.", lines[-1])


def test_the_page_of_the_attacks_is_what_the_registry_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attacks", "list", "--markdown"]) == 0
    page = Path(__file__).parents[3] / "docs/attacks.md"
    assert capsys.readouterr().out == page.read_text(), "run: sealproof attacks list --markdown > docs/attacks.md"


def test_doctor_says_what_works_and_fails_when_something_does_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_() -> tuple[State, str]:
        raise OSError("no encoder")

    fine = Check(checks.ATTACKS, "gain", lambda: (State.READY, "3 strengths"))
    absent = Check(checks.ATTACKS, "dac", lambda: (State.ABSENT, "needs the package 'dac'"))
    for tried, code, line in (
        ([fine, absent], 0, "All that should work here does."),
        ([fine, absent, Check(checks.ATTACKS, "mp9", break_)], 1, "1 of 3 things do not work here and should: mp9."),
    ):
        monkeypatch.setattr(checks, "all_checks", lambda tried=tried: tried)
        assert main(["doctor"]) == code
        lines = capsys.readouterr().out.splitlines()
        assert lines[0].startswith("machine    ")
        assert lines[2].startswith(f"attacks    1 of {len(tried)} ready; not: dac, which need packages or weights")
        assert lines[-1] == line
    assert main(["doctor", "--verbose"]) == 1
    assert "attacks    gain: ready: 3 strengths" in capsys.readouterr().out.splitlines()


def test_versions_name_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealproof.harness.foundation.versions.PACKAGES", ("numpy", "no-such-package"))
    assert package_versions() == {
        "python": sys.version.split()[0], "numpy": np.__version__, "no-such-package": "missing",
    }  # fmt: skip


def test_short_work_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(100), "counting")) == list(range(100))
    assert capsys.readouterr().err == ""


def test_the_command_is_installed() -> None:
    (point,) = entry_points(group="console_scripts", name="sealproof")
    assert point.load() is cli.main


# --- Help ---


@pytest.mark.parametrize("command", ["", "build", "check", "train", "run", "demo", "list", "doctor"])
def test_help_works(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*command.split(), "--help"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: sealproof {command}".rstrip())


def test_help_loads_no_framework() -> None:
    code = (
        "import sys\n"
        "from sealproof.harness.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print('LOADED', *sorted({'numpy', 'pandas', 'torch', 'tensorflow', 'scipy', 'soundfile'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "usage: sealproof" in done.stdout
    assert done.stdout.splitlines()[-1] == "LOADED"


@pytest.mark.parametrize(
    "arguments",
    [
        [], ["biuld"], ["build"], ["build", "--corpus", "x", "--scheme", "perth"], ["list", "songs"], ["check"],
        ["build", "--corpus", "x", "--scheme", "perth", "--out", "y", "--clips", "many"],
    ],
)  # fmt: skip
def test_a_command_that_cannot_be_parsed_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert re.search(r"^sealproof.*: error: ", capsys.readouterr().err, re.MULTILINE)


# --- Bad input: one line, who, rule and value ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--clips", "0"], "--clips must be at least 1. Got 0."),
        (["--clip-s", "0.01"], "The clip length must be from 0.1 to 60 s. Got 0.01."),
        (["--clip-s", "nan"], "The clip length must be from 0.1 to 60 s. Got nan."),
        (["--group-by", "artist"], "--group-by must be 'folder' or 'file'. Got 'artist'."),
        (["--scheme", "spread_spektrum"], "Got 'spread_spektrum'. Did you mean 'spread_spectrum'?"),
        (["--corpus", "no/such/folder"], "or a folder of audio. Got no/such/folder, which is no folder."),
        (["--groups", "no.csv"], "no.csv cannot be read as a CSV ([Errno 2] No such file or directory: 'no.csv')."),
    ],
)
def test_bad_options_of_build(
    refuse: Callable[..., str],
    build_of: Callable[[object], list[object]],
    small_corpus: Path,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    assert refuse(*build_of(small_corpus), *arguments).endswith(message)
    assert not (tmp_path / "data" / "dataset.json").exists()


def noise_wav(path: Path, **how: object) -> None:
    """Write 2 s of noise."""
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal(32_000), 16_000, **how)


def a_text(path: Path) -> None:
    path.write_text("this is no audio\n" * 99)


def an_empty_file(path: Path) -> None:
    path.touch()


def a_truncated_wav(path: Path) -> None:
    noise_wav(path)
    path.write_bytes(path.read_bytes()[:40_000])


def a_wav_of_nan(path: Path) -> None:
    soundfile.write(path, np.full((32_000, 2), np.nan), 16_000, subtype="FLOAT")


def a_wav_of_infinity(path: Path) -> None:
    soundfile.write(path, np.stack([np.full(32_000, np.inf), np.full(32_000, -np.inf)], 1), 16_000, subtype="DOUBLE")


@pytest.mark.parametrize(
    ("make", "rule"),
    [
        (a_text, "is no audio that libsndfile reads ("),
        (an_empty_file, "must be whole. It is truncated: it holds 0 bytes. Remove it or fetch it again."),
        (a_truncated_wav, "its header promises 64000 bytes, 39956 are there. Remove it or fetch it again."),
        (a_wav_of_nan, "must hold finite samples. Got NaN or infinity near "),
        (a_wav_of_infinity, "must hold finite samples. Got NaN or infinity near "),
    ],
)
def test_a_bad_file(
    refuse: Callable[..., str],
    build_of: Callable[[object], list[object]],
    tmp_path: Path,
    make: Callable[[Path], None],
    rule: str,
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    make(corpus / "bad.wav")
    message = refuse(*build_of(corpus))
    assert message.startswith(f"{corpus / 'bad.wav'} ")
    assert rule in message
    assert message.endswith("(--skip-bad leaves such files out and counts them.)")


def test_an_empty_folder_and_too_few_groups(
    refuse: Callable[..., str], build_of: Callable[[object], list[object]], tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    assert refuse(*build_of(corpus)) == f"{corpus} must hold at least one audio file of 1 s or more. Found none."
    for name in "abcde":
        noise_wav(corpus / f"{name}.wav")
    message = refuse(*build_of(corpus))
    assert message.startswith("The corpus must have at least 4 groups, one for each split (train, validation, ")
    assert "Got 1: put recordings into folders of their own, or use --group-by file" in message


def test_a_name_with_a_line_break_stays_on_one_line(
    refuse: Callable[..., str], build_of: Callable[[object], list[object]], tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "two\nlines.wav").touch()
    assert "two lines.wav must be whole" in refuse(*build_of(corpus))


def test_a_dataset_within_its_corpus(
    refuse: Callable[..., str], tmp_path: Path, build_of: Callable[[object], list[object]]
) -> None:
    noise_wav(tmp_path / "a.wav")
    assert refuse(*build_of(tmp_path)) == (
        f"--out must not lie in the corpus {tmp_path}. Got {tmp_path / 'data'}: choose a folder beside it."
    )
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("kind", ["file", "folder below a file", "full folder"])
def test_an_out_that_cannot_be_used(
    refuse: Callable[..., str],
    build_of: Callable[[object], list[object]],
    small_corpus: Path,
    tmp_path: Path,
    kind: str,
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    out = {"file": "full/file", "folder below a file": "full/file/data", "full folder": "full"}[kind]
    message = refuse(*build_of(small_corpus), "--out", tmp_path / out)
    assert str(tmp_path / out) in message
    assert (tmp_path / "full" / "file").read_bytes() == b""


def test_check_of_a_damaged_wav(small_dataset: Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    row = small_dataset.rows[5]
    path = small_dataset.root / row.path
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")
    assert main(["check", str(small_dataset.root)]) == 1
    assert capsys.readouterr() == (
        f"{row.path} is damaged: its sha256 is not the manifest's.\n",
        f"sealproof: {small_dataset.root} has 1 problem.\n",
    )


@pytest.mark.parametrize("command", [["check"], ["train", "--mimic", "seed_cnn"], ["run"]])
def test_what_is_no_dataset(refuse: Callable[..., str], tmp_path: Path, command: list[str]) -> None:
    assert refuse(*command, tmp_path) == f"{tmp_path} must be a dataset that `sealproof build` wrote. Found no dataset."


def test_a_manifest_that_leads_outside(refuse: Callable[..., str], small_dataset: Dataset) -> None:
    manifest = small_dataset.root / "manifest.csv"
    manifest.write_text(manifest.read_text().replace(small_dataset.rows[0].path, "../../secret.wav"))
    for command in ("check", "run"):
        message = refuse(command, small_dataset.root)
        assert message.startswith(f"{manifest}, line 2: the path must stay inside the dataset's folder. Got '../..")


def test_an_unknown_mimic_and_scheme_get_a_hint(
    refuse: Callable[..., str], small_dataset: Dataset, tmp_path: Path
) -> None:
    assert "Did you mean 'seed_cnn'?" in refuse("train", small_dataset.root, "--mimic", "sed_cnn")
    assert "Did you mean 'perth'?" in refuse("demo", "--scheme", "pert", "--dataset", tmp_path / "data")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("mp3 = { bitrate_kbps = [65] }", "The 'bitrate_kbps' of mp3 must be one of"),
        ("mp33 = { bitrate_kbps = [64] }", "There is no attack 'mp33'. Did you mean 'mp3'?"),
        ("mp3 = { bitrate_kbps = [64]", "must be TOML"),
    ],
)
def test_an_attack_out_of_range(
    refuse: Callable[..., str], small_dataset: Dataset, tmp_path: Path, text: str, rule: str
) -> None:
    (tmp_path / "attacks.toml").write_text(f"[attacks]\n{text}\n")
    message = refuse("run", small_dataset.root, "--attacks", tmp_path / "attacks.toml", "--out", tmp_path / "results")
    assert rule in message
    assert not (tmp_path / "results").exists()


def test_ctrl_c_before_the_command_began(refuse: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run_command", stop)
    assert refuse("doctor", code=130).startswith("Stopped. What was finished stays")


def test_ctrl_c_in_a_build(
    refuse: Callable[..., str],
    build_of: Callable[[object], list[object]],
    small_corpus: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(build, "_write_pairs", stop)
    assert refuse(*build_of(small_corpus), code=130).startswith(
        "Stopped. What was finished stays; give the same command"
    )


def test_a_bug_is_not_dressed_up_as_bad_input(
    build_of: Callable[[object], list[object]], small_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(build, "_write_pairs", fail)
    with pytest.raises(ZeroDivisionError):
        main([str(argument) for argument in build_of(small_corpus)])
