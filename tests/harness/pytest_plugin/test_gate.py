"""The gate in real pytest sessions."""

import csv
import re
import shlex
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import pytest

from sealproof.harness.foundation.files import read_json, write_json
from sealproof.harness.pytest_plugin.baseline import read_baseline
from sealproof.harness.pytest_plugin.request import SUITE_CLIPS
from sealproof.harness.tables.dictionary.columns import COLUMNS, GATE

Fault = Callable[..., None]

# Of 160 clips 5 % are 8, spread over 8 of the 20 groups.
SEEN = ("--robustness-allowed-drop=0.03",)
PER_CELL = 3 + 4 + 2 + 2
"""Three rates of the detector and four of the mimic, AUC and bits of both; the other rule has too few clips."""

N_RATES = 3 * PER_CELL
"""Three cells."""


def properties(path: Path, cell: str) -> dict[str, str]:
    cases = ElementTree.parse(path).getroot().iter("testcase")  # noqa: S314 - written just now
    case = next(case for case in cases if cell in case.attrib["name"])
    return {item.attrib["name"]: item.attrib["value"] for item in case.iter("property")}


def rates(path: Path) -> dict[tuple[str, ...], float]:
    with path.open(newline="") as file:
        return {
            (row["attack"], row["detector"], row["threshold_rule"], row["metric"]): float(row["value"])
            for row in csv.DictReader(file)
        }


def last_lines(result: pytest.RunResult) -> list[str]:
    """What the section `robustness` holds."""
    start = next(index for index, line in enumerate(result.outlines) if "= robustness =" in line)
    rest = result.outlines[start + 1 :]
    return rest[: next((index for index, line in enumerate(rest) if line.startswith("====")), len(rest))]


def test_without_a_baseline_all_is_new_and_a_hint_says_how_to_make_one(project: pytest.Pytester) -> None:
    result = project.runpytest("-m", "robustness")
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    result.stdout.fnmatch_lines(
        [
            "No baseline for set (clips *, spread_spectrum) in results/baseline.csv: there is none.",
            "To make these numbers the baseline: pytest -m robustness --robustness-update-baseline",
        ]
    )
    assert not (project.path / "results/baseline.csv").exists()


def test_update_writes_every_gated_rate_and_a_second_run_is_the_same(project: pytest.Pytester, baseline: Path) -> None:
    first = baseline.read_bytes()
    assert len(read_baseline(baseline)) == N_RATES
    assert b"\r" not in first
    lines = first.decode().splitlines()[1:]
    assert lines == sorted(lines)
    result = project.runpytest("--junitxml=junit.xml")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [f"{N_RATES} rates of 3 cells against results/baseline.csv: 0 regressions, {N_RATES} the same*"]
    )
    found = properties(project.path / "junit.xml", "identity")
    assert found["follower.agreement.fixed"] == found["follower.agreement.fixed.baseline"] == "1.0"
    assert found["follower.agreement.fixed.difference"] == "0.0"
    assert float(found["follower.agreement.fixed.difference_low"]) < 0
    project.runpytest("--robustness-update-baseline").assert_outcomes(passed=3)
    assert baseline.read_bytes() == first


@pytest.mark.parametrize("workers", [(), ("-n", "0"), ("-n", "2")])
def test_a_detector_5_percent_worse_turns_the_suite_red(
    project: pytest.Pytester, baseline: Path, seed_fault: Fault, workers: tuple[str, ...]
) -> None:
    seed_fault(wrong=0.05)
    before = baseline.read_bytes()
    run = project.runpytest_subprocess if "2" in workers else project.runpytest
    result = run(*workers, *SEEN, "--junitxml=junit.xml")
    result.assert_outcomes(failed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    told = re.compile(
        r"spread_spectrum-identity: spread_spectrum \w+ \(rule \w+\): from [\d.]+ to [\d.]+, "
        r"[+-][\d.]+ \[[+-][\d.]+, [+-][\d.]+\], p=[\d.e-]+; a drop of 0\.03 is allowed\."
    )
    assert any(told.search(line) for line in result.outlines)
    result.stdout.fnmatch_lines(["*spread_spectrum accuracy (rule fixed): from 1.000 to 0.950, -0.050 *"])
    result.stdout.fnmatch_lines(["To accept: pytest *"])
    found = properties(project.path / "junit.xml", "identity")
    assert found["spread_spectrum.accuracy.fixed.baseline"] == "1.0"
    assert found["spread_spectrum.accuracy.fixed.difference"] == "-0.05"
    assert float(found["spread_spectrum.accuracy.fixed.difference_high"]) < 0
    assert baseline.read_bytes() == before


def test_the_command_that_the_message_names_accepts(
    project: pytest.Pytester, baseline: Path, seed_fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed_fault(wrong=0.05)
    result = project.runpytest(*SEEN, "-m", "robustness", "-k", "mp3")
    result.assert_outcomes(failed=1, deselected=2)
    line = next(line for line in result.outlines if line.startswith("To accept: "))
    command = shlex.split(line.removeprefix("To accept: "))
    assert command[:2] == ["pytest", "test_robust.py::test_cell[spread_spectrum-mp3.64kbps]"]
    assert command[-1] == "--robustness-accept-regressions=spread_spectrum-mp3.64kbps"
    project.runpytest(*command[1:]).assert_outcomes(passed=1)
    after = rates(baseline)
    assert after["mp3", "spread_spectrum", "fixed", "accuracy"] == pytest.approx(0.95)
    assert after["identity", "spread_spectrum", "fixed", "accuracy"] == 1
    assert len(after) == N_RATES
    project.runpytest(*SEEN).assert_outcomes(passed=1, failed=2)


@pytest.mark.parametrize("workers", [("-n", "0"), ("-n", "2")])
def test_an_update_leaves_a_cell_that_got_worse_and_fails_until_it_is_accepted_by_name(
    project: pytest.Pytester, baseline: Path, seed_fault: Fault, workers: tuple[str, ...]
) -> None:
    seed_fault(wrong=0.1)
    run = project.runpytest_subprocess if "2" in workers else project.runpytest
    accept = ("--robustness-update-baseline", "--robustness-accept-regressions=*-mp3*")
    result = run(*workers, *accept)
    result.assert_outcomes(passed=1, failed=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["Not put there, as rates fell and nobody accepted it by name: identity, white_noise*"])
    told = next(line for line in result.outlines if line.startswith("Not put there"))
    assert "--robustness-accept-regressions=spread_spectrum-identity" in told
    after = rates(baseline)
    assert after["mp3", "spread_spectrum", "fixed", "accuracy"] == pytest.approx(0.9)
    assert after["identity", "spread_spectrum", "fixed", "accuracy"] == 1


@pytest.mark.parametrize("workers", [("-n", "0"), ("-n", "2")])
def test_what_every_cell_may_lose_passes_each_but_not_all_together(
    project: pytest.Pytester, baseline: Path, seed_fault: Fault, workers: tuple[str, ...]
) -> None:
    seed_fault(wrong=0.05)
    # A share of 5 % is 5 % of the accuracy, but up to 6.25 % of the 80 clips that a TPR is taken over.
    run = project.runpytest_subprocess if "2" in workers else project.runpytest
    result = run(*workers, "--robustness-allowed-drop=0.07")
    result.assert_outcomes(passed=3)
    # What can be found is said before cells run, under xdist by the controller.
    result.stdout.fnmatch_lines(["robustness: with 80 marked clips of 20 recordings, 80 % of sessions find, *"])
    assert "0 regressions" in result.stdout.str()
    assert "changed otherwise" in result.stdout.str()
    # Losses of all cells add up.
    result.stdout.fnmatch_lines(["overall: mean over 3 cells of *; a drop of 0.028 is allowed"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    with (project.path / "results/gate.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == tuple(COLUMNS[GATE])
    assert len([row for row in rows if row["scope"] == "cell"]) == N_RATES
    assert {row["verdict"] for row in rows if row["scope"] == "overall"} == {"regression", ""}


def test_a_drop_that_may_be_chance_passes_and_is_told(
    project: pytest.Pytester, baseline: Path, seed_fault: Fault
) -> None:
    seed_fault(wrong=0.015)
    result = project.runpytest("--robustness-allowed-drop=0")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["*0 regressions, * unproven drops*", "unproven: *: spread_spectrum * from 1.000 to 0.9*"]
    )


def test_false_alarms_are_a_drop(project: pytest.Pytester, baseline: Path, seed_fault: Fault) -> None:
    seed_fault(alarms=0.15)
    result = project.runpytest("--robustness-allowed-drop=0.1")
    result.assert_outcomes(failed=3)
    complaints = [line for line in result.outlines if line.startswith(("spread_spectrum-", "  also "))]
    assert len(complaints) >= 3
    assert all(" fpr (rule " in line or " auc: " in line for line in complaints)


def test_a_mimic_with_flipped_labels_turns_the_suite_red(
    project: pytest.Pytester, baseline: Path, seed_fault: Fault
) -> None:
    seed_fault(flipped=1)
    result = project.runpytest()
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["*follower agreement (rule fixed): from 1.000 to 0.000, -1.000 [[]-1.000, -0.9*"])
    assert "also spread_spectrum" not in result.stdout.str()


def test_the_reference_alone_is_gated_unless_mimics_are_asked_for(
    project: pytest.Pytester, baseline: Path, seed_fault: Fault
) -> None:
    ini = (project.path / "tox.ini").read_text()
    (project.path / "tox.ini").write_text(ini.replace("robustness_gate_mimics = true", "robustness_strict = true"))
    seed_fault(flipped=1)
    result = project.runpytest()
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["15 rates of 3 cells against *: 0 regressions, 15 the same*"])
    project.runpytest("--robustness-gate-mimics").assert_outcomes(failed=3)
    before = baseline.read_bytes()
    project.runpytest("--robustness-update-baseline").assert_outcomes(passed=3)
    assert baseline.read_bytes() == before
    baseline.unlink()
    project.runpytest("--robustness-update-baseline").assert_outcomes(passed=3)
    assert {row.role for row in read_baseline(baseline).values()} == {"reference"}


def test_a_codec_that_returns_its_input_turns_the_suite_red(
    project: pytest.Pytester, baseline: Path, seed_fault: Fault
) -> None:
    seed_fault(codec=1)
    # Its code would have another hash; patched it has not, so what is stored must go.
    shutil.rmtree(project.path / "set/cells")
    before = baseline.read_bytes()
    result = project.runpytest("--robustness-update-baseline")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*mp3.64kbps does not do what it claims*", "failed: mp3.64kbps: AttackError: *"])
    assert baseline.read_bytes() == before


def test_improvements_are_told(project: pytest.Pytester, baseline: Path, seed_fault: Fault) -> None:
    seed_fault(wrong=0.1)
    accept = ("--robustness-update-baseline", "--robustness-accept-regressions=*")
    project.runpytest(*accept).assert_outcomes(passed=3)
    seed_fault()
    result = project.runpytest()
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*0 regressions, * improvements*", "improvement: *: spread_spectrum *to 1.000, +0.*"])
    assert result.ret == 0


def test_quiet_tells_changes_only(project: pytest.Pytester, baseline: Path, seed_fault: Fault) -> None:
    result = project.runpytest("-q")
    assert "= robustness =" not in result.stdout.str()
    seed_fault(wrong=0.05)
    quiet = last_lines(project.runpytest("-q", *SEEN))
    assert {line.split(":")[0] for line in quiet} <= {"overall", "regression", "unproven"}
    assert sum(line.startswith("regression: ") for line in quiet) == 3
    loud = last_lines(project.runpytest(*SEEN))
    assert [line for line in loud if line.startswith("attack ")]
    assert [line for line in loud if line.startswith("regression: ")] == [
        line for line in quiet if line.startswith("regression: ")
    ]
    assert len(loud) < 40


def test_lf_runs_what_got_worse_again(project: pytest.Pytester, baseline: Path, seed_fault: Fault) -> None:
    seed_fault(wrong=0.05)
    project.runpytest(*SEEN, "-k", "mp3").assert_outcomes(failed=1, deselected=2)
    result = project.runpytest("--lf", *SEEN, "--robustness-strict")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["11 rates of 1 cells against *"])
    assert "stale:" not in result.stdout.str()


@pytest.fixture
def without_mp3(baseline: Path) -> Path:
    """The baseline, as if one of the cells were new."""
    lines = baseline.read_text().splitlines(keepends=True)
    baseline.write_text("".join(line for line in lines if ",mp3," not in line))
    return baseline


def test_what_is_new_is_told(project: pytest.Pytester, without_mp3: Path) -> None:
    result = project.runpytest()
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["new: in the matrix, not in the baseline: mp3.64kbps"])


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_strict_fails_what_is_new(project: pytest.Pytester, without_mp3: Path, workers: tuple[str, ...]) -> None:
    run = project.runpytest_subprocess if workers else project.runpytest
    result = run(*workers, "--robustness-strict")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*mp3.64kbps: 11 of 11 rates (spread_spectrum, follower) are not in the baseline*"])


def test_strict_lets_pass_what_was_not_run_and_what_is_accepted(project: pytest.Pytester, without_mp3: Path) -> None:
    assert project.runpytest("--robustness-strict", "-k", "identity").ret == 0
    assert project.runpytest("--robustness-strict", "-k", "mp3", "--robustness-update-baseline").ret == 0
    assert len(read_baseline(without_mp3)) == N_RATES


@pytest.mark.parametrize("workers", [("-n", "0"), ("-n", "2")])
def test_strict_fails_the_session_for_what_is_stale(
    project: pytest.Pytester, baseline: Path, workers: tuple[str, ...]
) -> None:
    (project.path / "three.toml").write_text("[attacks]\nmp3 = { bitrate_kbps = [64] }\n")
    run = project.runpytest_subprocess if "2" in workers else project.runpytest
    before = baseline.read_bytes()
    strict = run(*workers, "--robustness-strict")
    strict.assert_outcomes(passed=2)
    assert strict.ret == pytest.ExitCode.TESTS_FAILED
    strict.stdout.fnmatch_lines(["stale: * (a failure under --robustness-strict): white_noise snr_db=20.*"])
    assert baseline.read_bytes() == before


def test_what_is_stale_is_told(project: pytest.Pytester, baseline: Path) -> None:
    (project.path / "three.toml").write_text("[attacks]\nmp3 = { bitrate_kbps = [64] }\n")
    result = project.runpytest()
    result.assert_outcomes(passed=2)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["stale: in the baseline, not in the matrix: white_noise snr_db=20.*"])


def test_a_mimic_that_is_gone_is_stale(project: pytest.Pytester, baseline: Path, seed_fault: Fault) -> None:
    seed_fault(without_mimic=1)
    result = project.runpytest("-o", "robustness_strict=true")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["stale: *: follower under identity, follower under *"])


def test_deselected_cells_are_neither_stale_nor_new(project: pytest.Pytester, baseline: Path) -> None:
    result = project.runpytest("-k", "mp3", "--robustness-strict")
    result.assert_outcomes(passed=1, deselected=2)
    assert result.ret == 0
    assert "stale:" not in result.stdout.str()
    result.stdout.fnmatch_lines(["11 rates of 1 cells against *"])


def test_a_partial_update_leaves_others_alone(project: pytest.Pytester, baseline: Path, seed_fault: Fault) -> None:
    text = baseline.read_text()
    other = text.splitlines()[1].replace("set,", "another,", 1)
    baseline.write_text(f"{text}{other}\n")
    seed_fault(wrong=0.1)
    accept = ("--robustness-update-baseline", "--robustness-accept-regressions=*-identity")
    result = project.runpytest(*accept, "-k", "identity")
    result.assert_outcomes(passed=1, deselected=2)
    result.stdout.fnmatch_lines(["Put 11 rates into results/baseline.csv; those of other cells and datasets stay."])
    found, before = baseline.read_text().splitlines(), text.splitlines()
    assert other in found
    kept = [line for line in before[1:] if ",identity," not in line]
    assert [line for line in found if ",identity," not in line][1:] == kept
    changed = set(found) - set(before) - {other}
    assert changed
    assert all(",identity," in line for line in changed)


@pytest.mark.parametrize("workers", [("-n", "0"), ("-n", "2")])
def test_workers_write_the_same_baseline(project: pytest.Pytester, baseline: Path, workers: tuple[str, ...]) -> None:
    shutil.rmtree(project.path / "set/cells")
    run = project.runpytest_subprocess if "2" in workers else project.runpytest
    run(*workers, "--robustness-update-baseline", "--robustness-baseline=other.csv").assert_outcomes(passed=3)
    assert (project.path / "other.csv").read_bytes() == baseline.read_bytes()


def test_a_baseline_of_other_clips_is_no_baseline(project: pytest.Pytester, baseline: Path) -> None:
    for options in (["--robustness-clips=20"], ["--robustness-seed=1"]):
        result = project.runpytest(*options)
        result.assert_outcomes(passed=3)
        result.stdout.fnmatch_lines(
            ["No baseline for set (clips *, spread_spectrum) in results/baseline.csv: it is about set (clips *"]
        )
        assert project.runpytest(*options, "--robustness-strict").ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--robustness-allowed-drop=much"], "--robustness-allowed-drop must lie in 0 .. 1, as 0.05. Got much."),
        (["--robustness-allowed-drop=-1"], "--robustness-allowed-drop must lie in 0 .. 1"),
        (["--robustness-accept-regressions=*"], "takes effect with --robustness-update-baseline only"),
        (["--robustness-update-baseline", "--robustness-accept-regressions=mp4"], "must be the name of a cell, as sp"),
        (["--robustness-baseline=wrong.csv"], "must have the columns dataset, clips,"),
    ],
)
@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_wrong_option_is_a_usage_error(
    project: pytest.Pytester, options: list[str], told: str, workers: tuple[str, ...]
) -> None:
    (project.path / "wrong.csv").write_text("a,b\n")
    run = project.runpytest_subprocess if workers else project.runpytest
    result = run(*workers, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert told in text
    assert "Traceback" not in text


def test_a_damaged_baseline_of_the_ini_file_is_told_once(project: pytest.Pytester, baseline: Path) -> None:
    baseline.write_text("<<<<<<< HEAD\n" + baseline.read_text())
    result = project.runpytest()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*results/baseline.csv must have the columns*<<<<<<< HEAD*"])
    assert "Traceback" not in result.stdout.str()


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_demo_of_an_earlier_scheme_is_built_anew(project: pytest.Pytester, workers: tuple[str, ...]) -> None:
    root = project.path / f"data/robustness-spread_spectrum-{SUITE_CLIPS}"
    shutil.copytree(project.path / "set", root)
    asked = read_json(root / "build.json")
    earlier = {"scheme_version": "0.0", "n_clips": SUITE_CLIPS, "corpus": {"kind": "demo", "name": "demo"}}
    write_json(root / "build.json", {**asked, **earlier})
    run = project.runpytest_subprocess if workers else project.runpytest
    result = run(*workers, "-o", "robustness_dataset=", "--robustness-scheme=spread_spectrum")
    result.assert_outcomes(passed=3)
    told = [line for line in last_lines(result) if line.startswith("Built ")]
    version = asked["scheme_version"]
    assert told == [f"Built {root} anew: it was demo music marked by 0.0, and the scheme is now {version}."]
    assert read_json(root / "build.json")["scheme_version"] == version


def test_what_cannot_be_written_fails_the_session(project: pytest.Pytester) -> None:
    (project.path / "file").write_text("where a folder should be")
    result = project.runpytest("--robustness-out=file/tables")
    result.assert_outcomes(passed=3)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["tables or baseline could not be written: *"])


def test_options_are_told(pytester: pytest.Pytester) -> None:
    text = pytester.runpytest("--help").stdout.str()
    for option in ("baseline=", "allowed-drop=", "update-baseline", "strict", "accept-regressions=", "gate-mimics"):
        assert f"--robustness-{option}" in text
    for name in ("baseline (string)", "allowed_drop (string)", "strict (bool)"):
        assert f"robustness_{name}" in text


@pytest.fixture
def elsewhere(project: pytest.Pytester, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's dataset, moved out of it; the project says strict."""
    place = tmp_path_factory.mktemp("elsewhere") / "set"
    shutil.move(project.path / "set", place)
    ini = (project.path / "tox.ini").read_text()
    (project.path / "tox.ini").write_text(f"{ini}robustness_strict = true\n")
    return place


MOVED = "Mind: pytest took * for its root folder and read no ini file, not *tox.ini: *"


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_a_dataset_after_a_blank_does_not_lose_the_project(
    project: pytest.Pytester, baseline: Path, elsewhere: Path, seed_fault: Fault, workers: tuple[str, ...]
) -> None:
    blank = ("-m", "robustness", "-p", "no:randomly", *workers, "--robustness-dataset", str(elsewhere))
    result = project.runpytest_subprocess(*blank)
    result.assert_outcomes(passed=3)
    assert result.ret == 0
    result.stdout.fnmatch_lines([f"robustness: {MOVED}", MOVED, f"{N_RATES} rates of 3 cells against *0 regressions*"])
    assert not (elsewhere / "results").exists()
    seed_fault(wrong=0.1)
    worse = project.runpytest_subprocess(*blank)
    worse.assert_outcomes(failed=3)
    # From where pytest was started, not from the folder that it took for its root.
    worse.stdout.fnmatch_lines(["To accept: pytest 'test_robust.py::test_cell?spread_spectrum-*"])


def test_strict_without_a_baseline_fails_even_where_pytest_lost_the_ini_file(
    project: pytest.Pytester, elsewhere: Path
) -> None:
    result = project.runpytest_subprocess("-m", "robustness", "--robustness-dataset", str(elsewhere))
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines([MOVED, "No baseline for set *there is none. (a failure under --robustness-strict)"])
    result = project.runpytest_subprocess("-m", "robustness", f"--robustness-dataset={elsewhere}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "Mind: pytest took" not in result.stdout.str()


def test_strict_in_addopts_of_an_ini_file_that_pytest_did_not_read_holds(
    project: pytest.Pytester, elsewhere: Path
) -> None:
    ini = (project.path / "tox.ini").read_text().replace("robustness_strict = true\n", "")
    (project.path / "tox.ini").write_text(ini.replace("addopts =", "addopts = --robustness-strict"))
    result = project.runpytest_subprocess("-m", "robustness", "--robustness-dataset", str(elsewhere))
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_baseline_of_the_invocation_folder_is_found_beside_another_root_folder(
    project: pytest.Pytester, baseline: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("root")
    options = (f"--rootdir={other}", f"--robustness-dataset={project.path / 'set'}")
    result = project.runpytest_subprocess(*options, "--robustness-strict")
    result.assert_outcomes(passed=3)
    assert result.ret == 0
