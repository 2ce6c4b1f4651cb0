import csv
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from sealproof.harness.comparison.difference import CHANGED, IMPROVEMENT, REGRESSION, UNPROVEN
from sealproof.harness.comparison.runs import Comparison, compare_runs
from sealproof.harness.comparison.text import comparison_lines
from sealproof.harness.comparison.write import write_comparison
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import sha256_file

N_GROUPS, PER_GROUP = 20, 4
N = N_GROUPS * PER_GROUP
CELLS = [("identity", ""), ("mp3", "bitrate_kbps=64"), ("white_noise", "snr_db=20")]
DETECTORS = {"audioseal_mini": "reference", "cnn": "mimic"}

Wrong = dict[tuple[str, str], list[int]]
WriteRun = Callable[..., Path]


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """write_run(name, wrong={(attack, detector): clips}): a run folder in which detectors err on those clips only.

    Clips are numbered through: 0 to 79 are clean, 80 to 159 their watermarked twins.
    """
    numbers = itertools.count()

    def write(
        wrong: Wrong | None = None,
        cells: list[tuple[str, str]] = CELLS,
        detectors: dict[str, str] = DETECTORS,
        failed: dict[tuple[str, str], str] | None = None,
        n_clips: int = N,
        **facts: object,
    ) -> Path:
        root = tmp_path / f"run{next(numbers)}"
        root.mkdir()
        failed = failed or {}
        frames, summary = [], []
        for attack, params in cells:
            status = {"status": "failed" if (attack, params) in failed else "ok"}
            error = {"error": failed.get((attack, params), "")}
            empty = dict.fromkeys(("role", "threshold_rule", "metric", "value", "ci_low", "ci_high"), "")
            summary.append({"attack": attack, "params": params, "detector": "", **empty, "n_clips": 0, "n_groups": 0})
            summary[-1].update(status | error)
            if (attack, params) in failed:
                continue
            for detector in detectors:
                says = np.repeat([False, True], N)
                says[(wrong or {}).get((attack, detector), [])] ^= True
                chosen = np.concatenate([np.arange(n_clips), N + np.arange(n_clips)])
                frames.append(
                    pd.DataFrame(
                        {
                            "dataset": "set",
                            "scheme": "audioseal_mini",
                            "attack": attack,
                            "params": params,
                            "clip_id": [f"clip{index % N:03d}" for index in chosen],
                            "group": [f"piece{index % N // PER_GROUP:02d}" for index in chosen],
                            "label": np.repeat(["clean", "watermarked"], n_clips),
                            "detector": detector,
                            "score": says[chosen].astype(float),
                            "decision_fixed": says[chosen].astype(int),
                            "decision_fpr_1pct": says[chosen].astype(int),
                        }
                    )
                )
        pd.concat(frames).to_csv(root / "clips.csv", index=False)
        pd.DataFrame(summary).to_csv(root / "summary.csv", index=False)
        named = ("attack", "params", "family", "quantity", "status", "duplicate_of", "error")
        pd.DataFrame([dict.fromkeys(named, "")]).to_csv(root / "attacks.csv", index=False)
        about = {
            "scheme": "audioseal_mini",
            "dataset": "set",
            "dataset_sha256": "0",
            "clean_sha256": "a" * 64,
            "dataset_seed": 0,
            "corpus": {"kind": "demo"},
            "seed": 0,
            "cells": [],
            "detectors": {name: {"role": role, "version": "1"} for name, role in detectors.items()},
            "packages": {"numpy": "2.0", "av": "18.0"},
            "written": str(root),
            "files": {name: sha256_file(root / name) for name in ("clips.csv", "summary.csv", "attacks.csv")},
        }
        (root / "run.json").write_text(json.dumps({**about, **facts}))
        return root

    return write


def rate(comparison: Comparison, attack: str, detector: str, metric: str, rule: str = "fixed"):  # type: ignore[no-untyped-def]
    found = [
        one
        for one in comparison.rates
        if (one.after.attack, one.after.detector, one.after.metric, one.after.threshold_rule)
        == (attack, detector, metric, rule)
    ]
    assert len(found) == 1
    return found[0]


SPREAD = [N + 7 * index for index in range(11)]
"""Eleven watermarked clips of eleven recordings."""


def test_a_run_against_itself_is_the_same(write_run: WriteRun, tmp_path: Path) -> None:
    root = write_run({("mp3", "cnn"): [1, 90]})
    found = compare_runs(root, root, 0.05)
    assert len(found.rates) == 3 * 2 * (3 + 4)
    assert not found.changed
    assert not found.is_failure
    assert found.facts == []
    assert comparison_lines(found)[0] == "All 42 rates are the same."
    assert [path.name for path in write_comparison(found, tmp_path / "out")] == [
        "compare.csv",
        "compare.md",
        "compare.html",
    ]


def test_differences_are_paired_by_clip(write_run: WriteRun) -> None:
    before = write_run({("mp3", "audioseal_mini"): [0, 1, N + 2]})
    after = write_run({("mp3", "audioseal_mini"): [0, *SPREAD]})
    found = compare_runs(before, after, 0.05)
    tpr = rate(found, "mp3", "audioseal_mini", "tpr")
    assert (tpr.difference.before, tpr.difference.after) == (1 - 1 / N, 1 - 11 / N)
    assert (tpr.difference.value, tpr.difference.n_clips, tpr.difference.n_groups) == (-10 / N, N, N_GROUPS)
    assert tpr.verdict == REGRESSION
    assert tpr.mcnemar_p == pytest.approx(binomtest(1, 12, 0.5).pvalue)
    assert tpr.mcnemar_p_holm == pytest.approx(3 * tpr.mcnemar_p)
    accuracy = rate(found, "mp3", "audioseal_mini", "accuracy")
    assert accuracy.difference.value == -9 / (2 * N)
    fpr = rate(found, "mp3", "audioseal_mini", "fpr")
    assert fpr.difference.value == -1 / N
    assert fpr.verdict == CHANGED
    # The mimic did not change, but what it is held against did.
    assert rate(found, "mp3", "cnn", "accuracy").verdict == "same"
    assert rate(found, "mp3", "cnn", "agreement").difference.value == -9 / (2 * N)
    assert rate(found, "identity", "audioseal_mini", "tpr").verdict == "same"
    assert found.rates[0].verdict == REGRESSION
    assert found.is_failure


def test_the_way_back_is_an_improvement(write_run: WriteRun) -> None:
    worse = write_run({("mp3", "audioseal_mini"): SPREAD})
    better = write_run()
    found = compare_runs(worse, better, 0.05)
    assert rate(found, "mp3", "audioseal_mini", "tpr").verdict == IMPROVEMENT
    assert not found.is_failure


def test_what_is_allowed_or_may_be_chance_does_not_fail(write_run: WriteRun) -> None:
    before, after = write_run(), write_run({("mp3", "audioseal_mini"): SPREAD, ("white_noise", "cnn"): [N, N + 40]})
    assert not compare_runs(before, after, 0.2).is_failure
    found = compare_runs(before, after, 0.0)
    assert rate(found, "white_noise", "cnn", "tpr").verdict == UNPROVEN
    assert found.regressions
    assert {one.after.attack for one in found.regressions} == {"mp3"}


def test_clips_of_one_recording_weigh_less(write_run: WriteRun) -> None:
    # Eight clips of two recordings are no proof; eight of eight are, though McNemar sees no difference between them.
    alike, apart = [N, N + 1, N + 2, N + 3, N + 40, N + 41, N + 42, N + 43], [N + 4 * index for index in range(8)]
    first = compare_runs(write_run(), write_run({("mp3", "cnn"): alike}), 0.05)
    second = compare_runs(write_run(), write_run({("mp3", "cnn"): apart}), 0.05)
    one, other = (rate(found, "mp3", "cnn", "tpr") for found in (first, second))
    assert one.difference.value == other.difference.value == -0.1
    assert one.mcnemar_p == other.mcnemar_p < 0.01
    assert (one.verdict, other.verdict) == (UNPROVEN, REGRESSION)


def test_cells_that_fail_now_are_a_failure_and_others_are_listed(write_run: WriteRun) -> None:
    noise, mp3 = CELLS[2], CELLS[1]
    before = write_run(cells=[*CELLS, ("gain", "gain_db=6")], detectors={**DETECTORS, "old": "mimic"})
    after = write_run(cells=[*CELLS, ("offset", "offset_samples=10")], failed={mp3: "AttackError: no codec"})
    found = compare_runs(before, after, 0.05)
    assert found.newly_failed == {"mp3 bitrate_kbps=64": "AttackError: no codec"}
    assert found.missing == ["gain gain_db=6", "detector old"]
    assert found.new == ["offset offset_samples=10"]
    assert {one.after.attack for one in found.rates} == {"identity", noise[0]}
    assert found.is_failure
    text = "\n".join(comparison_lines(found))
    assert "1 cells failed that did not before" in text
    assert "missing from the second run: gain gain_db=6, detector old" in text
    back = compare_runs(after, before, 0.05)
    assert not back.is_failure
    assert "mp3 bitrate_kbps=64" not in back.new


def test_only_clips_that_both_have_are_compared(write_run: WriteRun) -> None:
    before, after = write_run({("mp3", "cnn"): [N + 70]}), write_run(n_clips=40)
    found = compare_runs(before, after, 0.05)
    assert rate(found, "mp3", "cnn", "tpr").difference.n_clips == 40
    assert not found.changed


def test_facts_that_differ_are_named(write_run: WriteRun) -> None:
    detectors = {"audioseal_mini": {"role": "reference", "version": "2"}, "cnn": {"role": "mimic", "version": "1"}}
    packages = {"numpy": "2.0", "av": "19.0", "soxr": "1"}
    after = write_run(detectors=DETECTORS)
    facts = json.loads((after / "run.json").read_text()) | {"detectors": detectors, "packages": packages}
    (after / "run.json").write_text(json.dumps(facts))
    found = compare_runs(write_run(), after, 0.05)
    assert found.facts == [
        ("detectors.audioseal_mini.version", "1", "2"),
        ("packages.av", "18.0", "19.0"),
        ("packages.soxr", "", "1"),
    ]


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ({"scheme": "perth"}, "The scheme of"),
        ({"dataset_seed": 1}, "The dataset_seed of"),
        ({"corpus": {"kind": "folder"}}, "The corpus of"),
        ({"clean_sha256": "b" * 64}, "have the same names, but other clean audio"),
    ],
)
def test_runs_on_other_clips_are_refused(write_run: WriteRun, facts: dict[str, object], told: str) -> None:
    with pytest.raises(HarnessError, match=told):
        compare_runs(write_run(), write_run(**facts), 0.05)


def test_what_is_no_run_is_refused(write_run: WriteRun, tmp_path: Path) -> None:
    good = write_run()
    with pytest.raises(HarnessError, match="must be a folder that `sealproof run` wrote"):
        compare_runs(good, tmp_path / "nowhere", 0.05)
    with pytest.raises(HarnessError, match=r"--allowed-drop must lie in 0 \.\. 1"):
        compare_runs(good, good, 5)


def test_a_run_that_lacks_clips_is_refused(write_run: WriteRun) -> None:
    bad = write_run()
    lines = (bad / "clips.csv").read_text().splitlines(keepends=True)
    (bad / "clips.csv").write_text("".join(lines[:5] + lines[6:]))
    facts = json.loads((bad / "run.json").read_text())
    facts["files"]["clips.csv"] = sha256_file(bad / "clips.csv")
    (bad / "run.json").write_text(json.dumps(facts))
    with pytest.raises(HarnessError, match="must have judged every clip under identity"):
        compare_runs(write_run(), bad, 0.05)


def test_the_order_of_rows_does_not_matter(write_run: WriteRun) -> None:
    before, after = write_run(), write_run({("mp3", "cnn"): SPREAD})
    expected = compare_runs(before, after, 0.05).rates
    table = pd.read_csv(after / "clips.csv", dtype=str, keep_default_na=False).sample(frac=1, random_state=1)
    table.to_csv(after / "clips.csv", index=False)
    facts = json.loads((after / "run.json").read_text())
    facts["files"]["clips.csv"] = sha256_file(after / "clips.csv")
    (after / "run.json").write_text(json.dumps(facts))
    found = compare_runs(before, after, 0.05).rates
    assert [(one.after.key, one.difference, one.mcnemar_p_holm) for one in found] == [
        (one.after.key, one.difference, one.mcnemar_p_holm) for one in expected
    ]


def test_files_say_what_the_comparison_says(write_run: WriteRun, tmp_path: Path) -> None:
    after = write_run({("mp3", "cnn"): SPREAD}, cells=[*CELLS, ("a<b>", "x|y")])
    before = write_run(cells=CELLS[:2])
    found = compare_runs(before, after, 0.05)
    files = write_comparison(found, tmp_path / "out")
    with (tmp_path / "out/compare.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(found.rates)
    assert rows[0]["verdict"] == REGRESSION
    assert float(rows[0]["difference"]) == pytest.approx(-11 / N, abs=1e-6)
    assert float(rows[0]["ci_high"]) < 0
    markdown = (tmp_path / "out/compare.md").read_text()
    assert "| mp3 bitrate_kbps=64 | cnn tpr (fixed) | 1.000 | 0.863 | -0.138 [" in markdown
    page = (tmp_path / "out/compare.html").read_text()
    assert page.count('<tr class="regression">') == len(found.regressions)
    assert "a&lt;b&gt; x|y" in page
    assert "a<b>" not in page
    assert not re.search(r"""(src|href)=["']?(https?:)?//|@import|url\(["']?https?:""", page)
    again = write_comparison(compare_runs(before, after, 0.05), tmp_path / "again")
    for one, other in zip(files, again, strict=True):
        assert one.read_bytes() == other.read_bytes()


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_the_page_filters_in_a_browser(write_run: WriteRun, tmp_path: Path) -> None:
    found = compare_runs(write_run(), write_run({("mp3", "cnn"): SPREAD}), 0.05)
    write_comparison(found, tmp_path / "out")
    page = tmp_path / "out/compare.html"
    act = """
    <script>
    find.value = "cnn tpr"; find.dispatchEvent(new Event("input"));
    document.querySelectorAll("#rates thead button")[3].click();
    document.title = document.getElementById("shown").textContent;
    </script></body>"""
    page.write_text(page.read_text().replace("</body>", act))
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    command = ["chromium", *options, "--disable-component-update", profile, "--dump-dom", page.as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1800).stdout
    assert f"<title>2 of {len(found.changed)} shown</title>" in dom
    assert 'aria-sort="ascending"' in dom
