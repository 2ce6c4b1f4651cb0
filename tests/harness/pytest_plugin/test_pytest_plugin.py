import json
import shutil
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from sealproof.harness.datasets.dataset import Dataset

SUITE = """
import pytest
import scipy.special

@pytest.mark.robustness
def test_cell(robustness_cell):
    robustness_cell.check()
"""
CELLS = ["identity", "white_noise.20db", "white_noise.5db", "gain.6db"]
WORKING = "[attacks]\nwhite_noise = { snr_db = [20, 5] }\ngain = { gain_db = [6] }\n"
FAILING = "[attacks]\ngain = { gain_db = [6] }\nresample = { via_hz = [16000] }\nquantise = { bits = [16] }\n"


@pytest.fixture
def suite(pytester: pytest.Pytester, mini_dataset: Dataset) -> pytest.Pytester:
    """A project with one robustness test, a dataset and two files of attacks."""
    shutil.copytree(mini_dataset.root, pytester.path / "set")
    pytester.makepyfile(test_robust=SUITE)
    (pytester.path / "working.toml").write_text(WORKING)
    (pytester.path / "failing.toml").write_text(FAILING)
    pytester.makeini(
        "[pytest]\naddopts = --strict-markers -p no:randomly\nfilterwarnings = error\nrobustness_dataset = set\n"
        "robustness_attacks = working.toml\n"
    )
    return pytester


def names(result: pytest.RunResult, word: str) -> list[str]:
    """Ids of the tests that the verbose output marks with a word."""
    lines = [line for line in result.outlines if line.startswith("test_robust.py::") and f" {word}" in line]
    return [line.split("[", 1)[1].split("]", 1)[0] for line in lines]


def test_a_cell_is_a_test(suite: pytest.Pytester) -> None:
    import pandas as pd

    result = suite.runpytest("-v", "-m", "robustness", "--junitxml=junit.xml", "--robustness-out=tables")
    result.assert_outcomes(passed=4)
    assert names(result, "PASSED") == [f"audioseal_mini-{cell}" for cell in CELLS]
    result.stdout.fnmatch_lines(["*= robustness =*", "attack *audioseal_mini acc*", "wrote *summary.csv*"])
    table = pd.read_csv(suite.path / "tables/summary.csv")
    assert table["attack"].unique().tolist() == ["identity", "white_noise", "gain"]
    assert set(table["status"]) == {"ok", "no_threshold"}
    assert sorted(path.name for path in (suite.path / "tables").iterdir()) == [
        "attacks.csv",
        "break_points.csv",
        "clips.csv",
        "run.json",
        "summary.csv",
        "summary.md",
        "summary.png",
    ]

    cases = ElementTree.parse(suite.path / "junit.xml").getroot().iter("testcase")  # noqa: S314 - written just now
    properties = {
        case.attrib["name"]: {item.attrib["name"]: item.attrib["value"] for item in case.iter("property")}
        for case in cases
    }
    noisy = properties["test_cell[audioseal_mini-white_noise.20db]"]
    assert noisy["sealproof_cell"] == "audioseal_mini-white_noise.20db"
    mine = table[(table["detector"] == "audioseal_mini") & (table["threshold_rule"] == "fixed")]
    row = mine[(mine["params"] == "snr_db=20") & (mine["metric"] == "tpr")]
    assert float(noisy["audioseal_mini.tpr.fixed"]) == pytest.approx(row["value"].item(), abs=1e-6)
    assert float(noisy["snr_db"]) == pytest.approx(20, abs=1e-3)
    assert "None" not in noisy.values()


def test_cells_are_chosen_by_k_and_finished_ones_stay_in_the_tables(suite: pytest.Pytester) -> None:
    import pandas as pd

    result = suite.runpytest("-v", "-k", "white_noise.5db")
    result.assert_outcomes(passed=1, deselected=3)
    assert names(result, "PASSED") == ["audioseal_mini-white_noise.5db"]
    result.stdout.fnmatch_lines(
        ["1 cell: 1 measured, 0 from the store", "3 of 4 cells were never run and are in no table."]
    )
    assert pd.read_csv(suite.path / "results/summary.csv")["params"].dropna().unique().tolist() == ["snr_db=5"]
    written = {path: path.stat().st_mtime_ns for path in suite.path.rglob("*.npz")}
    suite.runpytest("-k", "gain or identity").assert_outcomes(passed=2, deselected=2)
    table = pd.read_csv(suite.path / "results/summary.csv")
    assert table["attack"].unique().tolist() == ["identity", "white_noise", "gain"]
    assert {path: path.stat().st_mtime_ns for path in written} == written
    suite.runpytest().stdout.fnmatch_lines(["4 cells: 1 measured, 3 from the store"])
    suite.runpytest().stdout.fnmatch_lines(["4 cells: 0 measured, 4 from the store"])


def test_lf_runs_the_failed_cells_again(suite: pytest.Pytester) -> None:
    import pandas as pd

    first = suite.runpytest("-v", "--robustness-attacks=failing.toml")
    first.assert_outcomes(passed=2, failed=2)
    assert names(first, "FAILED") == ["audioseal_mini-resample.16khz", "audioseal_mini-quantise.16bits"]
    first.stdout.fnmatch_lines(
        [
            "AttackError: The 'via_hz' of resample*",
            "AttackError: quantise.16bits does not do what it claims*",
            "4 cells: 2 measured, 0 from the store, 2 failed",
            "failed: resample.16khz: AttackError: *",
            "failed: quantise.16bits: AttackError: *",
        ]
    )
    assert "Traceback" not in first.stdout.str()
    table = pd.read_csv(suite.path / "results/summary.csv")
    assert table[table["status"] == "failed"]["attack"].tolist() == ["resample", "quantise"]
    again = suite.runpytest("-v", "--lf", "--robustness-attacks=failing.toml")
    again.assert_outcomes(failed=2)
    assert pd.read_csv(suite.path / "results/summary.csv").equals(table)


def test_two_workers_write_what_one_process_writes(suite: pytest.Pytester) -> None:
    suite.runpytest("--robustness-attacks=failing.toml", "--robustness-out=one").assert_outcomes(passed=2, failed=2)
    shutil.rmtree(suite.path / "set/cells")
    result = suite.runpytest_subprocess(
        "-v", "-n", "2", "--robustness-attacks=failing.toml", "--robustness-out=two", "--junitxml=junit.xml"
    )
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*= robustness =*",
            "4 cells: 2 measured, 0 from the store, 2 failed",
            "failed: *",
            "attack *",
            "wrote *",
        ]
    )
    for name in ("summary.csv", "clips.csv", "summary.md"):
        assert (suite.path / "two" / name).read_bytes() == (suite.path / "one" / name).read_bytes()
    assert "audioseal_mini.auc" in (suite.path / "junit.xml").read_text()


def test_collecting_imports_nothing_heavy(suite: pytest.Pytester) -> None:
    suite.makeconftest(
        """
        import sys

        def pytest_collection_finish(session):
            print("HEAVY", sorted({"torch", "tensorflow", "keras", "pandas", "matplotlib"} & set(sys.modules)))
        """
    )
    result = suite.run(sys.executable, "-m", "pytest", "-s", "--collect-only", "-q")
    assert result.ret == 0
    assert {"HEAVY []", "test_robust.py::test_cell[audioseal_mini-gain.6db]"} <= set(result.outlines)
    assert not (suite.path / "results").exists()
    assert not (suite.path / "set/cells").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--robustness-clips=many"], "--robustness-clips and --robustness-seed must be whole numbers"),
        (["--robustness-clips=0"], "--robustness-clips must be at least 1"),
        (["--robustness-seed=1.5"], "--robustness-clips and --robustness-seed must be whole numbers"),
        (["--robustness-dataset=nowhere"], "must be a dataset that `sealproof build` wrote"),
        (["--robustness-attacks=none.toml"], "--attacks must be one of the presets"),
        (["--robustness-attacks=wrong.toml"], "There is no attack 'mp33'"),
        (["--robustness-attacks=strength.toml"], "The 'snr_db' of white_noise must be"),
        (["-o", "robustness_dataset=", "--robustness-scheme=spread"], "The scheme must be one of"),
    ],
)
def test_a_wrong_option_is_a_usage_error(suite: pytest.Pytester, options: list[str], told: str) -> None:
    (suite.path / "wrong.toml").write_text("[attacks]\nmp33 = {}\n")
    (suite.path / "strength.toml").write_text("[attacks]\nwhite_noise = { snr_db = [1000] }\n")
    result = suite.runpytest(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert f"ERROR: {told}" in text or (told in text and "ERROR: " in text)
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text


def test_a_wrong_option_is_a_usage_error_for_two_workers_too(suite: pytest.Pytester) -> None:
    result = suite.runpytest_subprocess("-n", "2", "--robustness-attacks=none.toml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--attacks must be one of the presets" in result.stderr.str()


def test_a_wrong_ini_file_concerns_suites_with_cells_only(suite: pytest.Pytester) -> None:
    suite.makepyfile(test_other="def test_a():\n    pass\n")
    wrong = ["-o", "robustness_dataset=not_built_yet"]
    suite.runpytest(*wrong, "test_other.py").assert_outcomes(passed=1)
    result = suite.runpytest(*wrong)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*not_built_yet must be a dataset that `sealproof build` wrote*"])
    assert "Traceback" not in result.stdout.str()
    assert ".py:" not in result.stdout.str()


def test_a_suite_without_cells_is_left_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_a():\n    pass\n")
    result = pytester.runpytest("--strict-markers", "-W", "error")
    result.assert_outcomes(passed=1)
    assert "robustness" not in result.stdout.str()
    assert [path.name for path in pytester.path.iterdir() if path.is_dir() and path.name in ("data", "results")] == []


def test_marker_and_options_are_told(pytester: pytest.Pytester) -> None:
    pytester.runpytest("--markers").stdout.fnmatch_lines(["@pytest.mark.robustness: a cell of *"])
    text = pytester.runpytest("--help").stdout.str()
    for name in ("dataset", "scheme", "attacks", "clips", "seed", "out"):
        assert f"--robustness-{name}=" in text
        assert f"robustness_{name} (string)" in text


def test_options_come_before_the_ini_file(suite: pytest.Pytester) -> None:
    import pandas as pd

    (suite.path / "one.toml").write_text("[attacks]\ngain = { gain_db = [-6] }\n")
    result = suite.runpytest("-v", "--robustness-attacks=one.toml", "--robustness-clips=3", "--robustness-seed=5")
    result.assert_outcomes(passed=2)
    assert "audioseal_mini-gain.-6db" in names(result, "PASSED")
    table = pd.read_csv(suite.path / "results/clips.csv")
    assert table["clip_id"].nunique() == 3


def test_no_thresholds_fail_every_cell_without_an_internal_error(suite: pytest.Pytester, mini_dataset: Dataset) -> None:
    mimic = suite.path / "set/mimics/broken"
    mimic.mkdir(parents=True)
    card = {"split": "group", "model_sha256": "0", "dataset_sha256": mini_dataset.sha256}
    (mimic / "card.json").write_text(json.dumps(card))
    result = suite.runpytest("-v")
    result.assert_outcomes(failed=4)
    text = result.stdout.str() + result.stderr.str()
    assert "The model of broken cannot be read" in text
    assert "INTERNALERROR" not in text
    assert "tables or baseline could not be written" in text
    assert not (suite.path / "results").exists()


def test_a_damaged_dataset_fails_its_cells_without_an_internal_error(suite: pytest.Pytester) -> None:
    for path in (suite.path / "set/clean").iterdir():
        path.write_bytes(b"RIFF")
    result = suite.runpytest("-v")
    result.assert_outcomes(failed=4)
    text = result.stdout.str() + result.stderr.str()
    assert "`sealproof check` on the dataset" in text
    assert "INTERNALERROR" not in text
    assert "Traceback" not in text


def test_a_chain_that_once_broke_the_detector_is_a_cell_whatever_the_preset(suite: pytest.Pytester) -> None:
    (suite.path / "results").mkdir()
    (suite.path / "results/counterexamples.toml").write_text(
        '[[counterexample]]\nscheme = "audioseal_mini"\nof = "detection"\nchain = "gain.6db+lowpass.4khz"\n'
        '[[counterexample]]\nscheme = "perth"\nof = "detection"\nchain = "gain.6db+lowpass.2khz"\n'
    )
    result = suite.runpytest("--collect-only", "-q", "-m", "robustness")
    assert "test_robust.py::test_cell[audioseal_mini-gain.6db+lowpass.4khz]" in result.outlines
    assert not any("lowpass.2khz" in line for line in result.outlines)


def test_a_damaged_file_of_counterexamples_is_an_error_of_the_cells(suite: pytest.Pytester) -> None:
    (suite.path / "results").mkdir()
    (suite.path / "results/counterexamples.toml").write_text("counterexample = 3")
    result = suite.runpytest("--collect-only", "-q", "-m", "robustness")
    result.stdout.fnmatch_lines(["*counterexamples.toml is damaged*"])
