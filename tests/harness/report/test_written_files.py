"""What `write_report` writes: the page's data, Markdown, LaTeX and the figures' CSV."""

import base64
import csv
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.report.latex import escape_latex
from sealproof.harness.report.markdown import escape_markdown
from sealproof.harness.report.page.data import short
from sealproof.harness.report.page.html import stylesheet
from sealproof.harness.report.write import write_report

HOSTILE = '</script><script>window.hacked = true</script> & "quoted", `ticked` | 100 % _of_ {it} @all'


def summary(folder: Path) -> list[dict[str, str]]:
    with (folder / "summary.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page_json(page: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, flags=re.DOTALL)
    assert found is not None
    value = json.loads(found[1])
    assert isinstance(value, dict)
    return value


@pytest.fixture(scope="module")
def page(report: Path) -> str:
    return (report / "report.html").read_text(encoding="utf-8")


def test_all_files_are_there(report: Path) -> None:
    assert sorted(str(path.relative_to(report)) for path in report.rglob("*.*")) == [
        "figures/break_points.csv",
        "figures/curves.csv",
        "figures/examples.csv",
        "figures/heat_map.csv",
        "figures/quality.csv",
        "figures/score_histograms.csv",
        "figures/worst_case.csv",
        "report.html",
        "report.md",
        "report.tex",
    ]


def test_the_same_run_gives_the_same_bytes(finished_run: Any, report: Path, tmp_path: Path) -> None:
    write_report(finished_run.folder, tmp_path, finished_run.bench.dataset.root, 4)
    for path in sorted(report.rglob("*.*")):
        assert (tmp_path / path.relative_to(report)).read_bytes() == path.read_bytes(), path.name


def test_it_goes_into_the_runs_folder_unless_told_otherwise(finished_run: Any, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run.folder, tmp_path / "run")
    written = write_report(run, None, None, 0)
    assert written.files[0] == run / "report.html"
    assert written.examples == 0
    assert written.note == "This report was written without examples (--examples 0)."
    # A report beside the tables does not keep the next one from being written.
    write_report(run, None, None, 0)


def test_fewer_than_no_examples_are_refused(finished_run: Any) -> None:
    with pytest.raises(HarnessError, match=r"--examples must be at least 0. Got -1."):
        write_report(finished_run.folder, None, None, -1)


def test_the_page_holds_the_numbers_of_the_summary(finished_run: Any, page: str) -> None:
    data = page_json(page)
    detectors = {"": "-", **{one["name"]: str(index) for index, one in enumerate(data["detectors"])}}
    place = {
        pair: index for index, pair in enumerate(zip(data["cells"]["attack"], data["cells"]["params"], strict=True))
    }
    n_numbers = 0
    for row in summary(finished_run.folder):
        if row["status"] == "failed":
            assert data["cells"]["error"][place[row["attack"], row["params"]]] == row["error"]
            continue
        if row["status"] == "no_threshold":
            assert row["value"] == ""
            continue
        columns = data["series"][f"{detectors[row['detector']]}|{row['threshold_rule']}|{row['metric']}"]
        for column, name in zip(columns, ("value", "ci_low", "ci_high", "n_clips", "n_groups"), strict=True):
            shown = column[place[row["attack"], row["params"]]]
            if row[name] == "":
                assert shown is None
            else:
                assert shown == pytest.approx(float(row[name]), rel=5e-4)
                n_numbers += 1
    assert n_numbers > 2000


def test_histograms_of_the_page_count_every_clip(finished_run: Any, page: str) -> None:
    counts = np.array(page_json(page)["histograms"]["counts"])
    n_pairs = len(finished_run.bench.pairs)
    expected = [[n_pairs if outcome.error is None else 0] * 2 for outcome in finished_run.outcomes]
    for detector in range(2):
        assert counts[:, detector].sum(axis=-1).tolist() == expected


def test_the_verdict_counts_what_the_summary_says(finished_run: Any, page: str, report: Path) -> None:
    rows = [row for row in summary(finished_run.folder) if row["detector"] == "spread_spectrum"]
    accuracy = [row for row in rows if row["metric"] == "accuracy" and row["threshold_rule"] == "fixed"]
    attacked = [row for row in accuracy if row["attack"] != "identity"]
    held = sum(float(row["value"]) >= 0.9 for row in attacked)
    guessing = sum(float(row["value"]) < 0.9 and float(row["ci_low"]) <= 0.5 for row in attacked)
    assert 0 < held < len(attacked)
    assert guessing > 0
    sentence = (
        f"judges at least 90 % of the clips right under {held} of 17 attacks; under {guessing} it cannot be told from "
        "guessing."
    )
    assert f"<code>spread_spectrum</code> {sentence}" in page
    assert f"**`spread_spectrum` {sentence}**" in (report / "report.md").read_text()
    (unattacked,) = (row for row in accuracy if row["attack"] == "identity")
    assert f"it judges {float(unattacked['value']):.3f} [" in page
    assert "1 of 18 cells failed" in page
    # 8 clean calibration clips cannot carry a rate of 1 %.
    assert "clean clips, and 1 % false alarms take 99: by that rule there is no threshold" in page


def test_numbers_for_the_page_are_short_and_never_nan() -> None:
    assert [short(value) for value in (0.98333333, 1.0, float("nan"), float("inf"), 12345.6, 1.2e-7)] == [
        0.9833, 1, None, None, 12346, 1.2e-7,
    ]  # fmt: skip


class Elements(HTMLParser):
    """Collects what a browser would take for elements and their text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def test_hostile_text_stays_text(page: str) -> None:
    elements = Elements()
    elements.feed(page)
    scripts = [attributes for tag, attributes in elements.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {}]
    assert any(HOSTILE in text for text in elements.text)
    assert any(HOSTILE in error for error in page_json(page)["cells"]["error"])
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)


def test_the_page_asks_nothing_of_a_network_and_runs_no_other_script(page: str) -> None:
    elements = Elements()
    elements.feed(page)
    for tag, attributes in elements.tags:
        for name in ("src", "href"):
            address = attributes.get(name)
            assert address is None or address.startswith(("data:", "#")), (tag, address)
    policy = next(dict(attributes)["content"] for _, attributes in elements.tags if "http-equiv" in attributes)
    assert policy is not None
    assert policy.startswith("default-src 'none'; ")
    for kind in ("script", "style"):
        (content,) = re.findall(rf"<{kind}>(.*?)</{kind}>", page, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL) == [stylesheet()]


def test_the_page_does_not_say_where_on_this_machine_things_are(finished_run: Any, page: str) -> None:
    assert str(finished_run.bench.dataset.root) not in page


def test_figures_hold_the_summary(finished_run: Any, report: Path) -> None:
    found = pd.read_csv(report / "figures" / "heat_map.csv", keep_default_na=False, dtype=str)
    expected = [row for row in summary(finished_run.folder) if row["status"] == "ok"]
    assert len(found) == len(expected)
    for mine, theirs in zip(found.to_dict("records"), expected, strict=True):
        assert all(mine[name] == theirs[name] for name in ("attack", "params", "detector", "threshold_rule", "metric"))
        for name in ("value", "ci_low", "ci_high"):
            assert (mine[name] == "") == (theirs[name] == "")
            assert mine[name] == "" or float(mine[name]) == pytest.approx(float(theirs[name]), rel=1e-5)


def test_histogram_csv_counts_every_clip(finished_run: Any, report: Path) -> None:
    found = pd.read_csv(report / "figures" / "score_histograms.csv", keep_default_na=False)
    n_ok = sum(outcome.error is None for outcome in finished_run.outcomes)
    assert found["n_clips"].sum() == n_ok * 2 * 2 * len(finished_run.bench.pairs)
    assert (found["bin_low"] < found["bin_high"]).all()


def test_curves_csv_has_every_point_of_every_sweep(report: Path) -> None:
    found = pd.read_csv(report / "figures" / "curves.csv", keep_default_na=False)
    noise = found[(found["sweep"] == "white_noise") & (found["metric"] == "tpr") & (found["threshold_rule"] == "fixed")]
    assert noise[noise["detector"] == "spread_spectrum"]["strength"].tolist() == [30, 20, 10, 0]
    echoes = found[(found["sweep"] == "echo") & (found["metric"] == "auc") & (found["detector"] == "loudness")]
    assert sorted(zip(echoes["parameter"], echoes["fixed"], echoes["strength"], strict=True)) == [
        ("delay_ms", "gain=0.3", 100), ("delay_ms", "gain=0.3", 300),
        ("gain", "delay_ms=100", 0.3), ("gain", "delay_ms=100", 0.5),
    ]  # fmt: skip


def test_quality_csv_puts_damage_beside_every_number(finished_run: Any, report: Path) -> None:
    found = pd.read_csv(report / "figures" / "quality.csv", keep_default_na=False)
    rows = {(row["attack"], row["params"]): row for row in summary(finished_run.folder) if row["metric"] == "snr_db"}
    noisy = found[(found["attack"] == "white_noise") & (found["params"] == "snr_db=10")]
    assert len(noisy) > 10
    expected = float(rows["white_noise", "snr_db=10"]["value"])
    assert noisy["snr_db"].astype(float).tolist() == pytest.approx([expected] * len(noisy), rel=1e-5)
    assert not found["metric"].isin(["snr_db", "si_sdr_db", "log_spectral_distance_db"]).any()


def test_markdown_is_short_and_has_the_worst_cells(finished_run: Any, report: Path) -> None:
    text = (report / "report.md").read_text()
    assert len(text.splitlines()) < 40
    rows = [
        row for row in summary(finished_run.folder)
        if (row["detector"], row["threshold_rule"], row["metric"]) == ("spread_spectrum", "fixed", "accuracy")
    ]  # fmt: skip
    worst = min(rows, key=lambda row: float(row["value"]))
    table = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(table) == 1 + 10
    assert table[0] == r"| attack | spread\_spectrum accuracy | loudness agreement | loudness kappa |"
    assert float(table[1].split("|")[2].split()[0]) == pytest.approx(float(worst["value"]), abs=5e-4)
    assert all(line.count("|") - line.count(r"\|") == 5 for line in table)
    assert "<script" not in text
    assert "Failed cells (1):" in text


SPECIAL = re.compile(r"(?<!\\)(?:\\\\)*[`*_{}\[\]#$|~]")


@given(st.text())
def test_markdown_escapes_hold(text: str) -> None:
    escaped = escape_markdown(text)
    assert SPECIAL.search(escaped.replace("&#64;", "")) is None
    assert not set("<>\n\r@") & set(escaped)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp"))))
def test_latex_escapes_can_be_undone(text: str) -> None:
    """What TeX reads is what was meant: every special character is one command or group, and nothing else is one."""
    names = {
        "textbackslash": "\\", "textasciitilde": "~", "textasciicircum": "^", "textless": "<", "textgreater": ">",
        "textbar": "|", "textquotedbl": '"', "textasciigrave": "`", "textquotesingle": "'", "textdegree": "°",
    }  # fmt: skip
    token = re.compile(r"\\([a-z]+)\{\}|\\([&%$#_{}])|\{([\[\]-])\}|([^\\{}&%$#_~^<>|\"`'\[\]-])", flags=re.DOTALL)
    escaped, at, read = escape_latex(text), 0, ""
    while at < len(escaped):
        found = token.match(escaped, at)
        assert found is not None, escaped[at:]
        read += names[found[1]] if found[1] else found[2] or found[3] or found[4]
        at = found.end()
    assert read == text


def test_latex_table_has_a_line_for_every_cell(finished_run: Any, report: Path) -> None:
    text = (report / "report.tex").read_text()
    lines = text.splitlines()
    body = lines[lines.index(r"\endhead") + 1 : lines.index(r"\bottomrule")]
    assert len(body) == 18
    assert all(line.endswith(r" \\") for line in body)
    assert [line.count(" & ") for line in body[:-1]] == [5] * 17
    assert body[-1] == r"refusing & \multicolumn{5}{l}{failed} \\"
    assert body[1].startswith(r"white\_noise 30 dB & ")
    assert text.count("{") == text.count("}")
    assert text.count(r"\begin") == text.count(r"\end{")
    row = next(
        row for row in summary(finished_run.folder)
        if (row["attack"], row["detector"], row["threshold_rule"], row["metric"])
        == ("white_noise", "spread_spectrum", "fixed", "accuracy")
    )  # fmt: skip
    assert f"{float(row['value']):.3f} ({float(row['ci_low']):.3f}--{float(row['ci_high']):.3f})" in body[1]


def test_a_run_of_the_reference_alone_has_a_report(finished_run: Any, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run.folder, tmp_path / "run")
    facts = json.loads((run / "run.json").read_text())
    facts["detectors"].pop("loudness")
    facts["files"] = {}
    for name in ("summary.csv", "clips.csv", "break_points.csv"):
        table = pd.read_csv(run / name, dtype=str, keep_default_na=False)
        table[table["detector"] != "loudness"].to_csv(run / name, index=False)
    (run / "run.json").write_text(json.dumps(facts))
    written = write_report(run, tmp_path / "out", finished_run.bench.dataset.root, 4)
    assert written.examples == 0
    assert "no mimic disagrees" in written.note
    assert "No mimic was trained on this dataset" in (tmp_path / "out" / "report.html").read_text()


def test_a_run_in_which_every_cell_failed_has_a_report(finished_run: Any, tmp_path: Path) -> None:
    run = shutil.copytree(finished_run.folder, tmp_path / "run")
    (run / "break_points.csv").unlink()
    facts = json.loads((run / "run.json").read_text())
    facts["files"] = {}
    (run / "run.json").write_text(json.dumps(facts))
    rows = pd.read_csv(run / "summary.csv", dtype=str, keep_default_na=False).drop_duplicates(["attack", "params"])
    number = dict.fromkeys(("value", "ci_low", "ci_high", "detector", "threshold_rule", "metric"), "")
    failed = rows.assign(**number, role="attack", n_clips="0", n_groups="0", status="failed", error="it broke")
    failed.to_csv(run / "summary.csv", index=False)
    clips = (run / "clips.csv").read_text().splitlines()[0]
    (run / "clips.csv").write_text(clips + "\n")
    written = write_report(run, tmp_path / "out", finished_run.bench.dataset.root, 4)
    assert written.headline == "No cell of this run was scored by `spread_spectrum`."
    assert "18 of 18 cells failed" in (tmp_path / "out" / "report.html").read_text()
    assert (tmp_path / "out" / "report.tex").read_text().count("{failed}") == 18


def test_the_worst_case_is_that_of_the_clips_and_never_better_under_a_larger_budget(
    finished_run: Any, report: Path, page: str
) -> None:
    clips = pd.read_csv(finished_run.folder / "clips.csv", keep_default_na=False)
    clips["snr"] = pd.to_numeric(clips["snr_db"], errors="coerce")
    own = clips[clips["detector"] == "spread_spectrum"]
    found = pd.read_csv(report / "figures/worst_case.csv")
    for label, is_marked in (("clean", 0), ("watermarked", 1)):
        part = own[own["label"] == label]
        wrong = part[part["decision_fixed"].astype(int) != is_marked]
        plainly = set(wrong.loc[wrong["attack"] == "identity", "clip_id"])
        mine = found[found["label"] == label]
        assert mine["robust_accuracy"].is_monotonic_decreasing
        for row in mine.to_dict("records"):
            fallen = plainly | set(wrong.loc[wrong["snr"] >= row["snr_db"], "clip_id"])
            assert row["robust_accuracy"] == pytest.approx(1 - len(fallen) / row["n_clips"], abs=1e-6)
    assert "The worst case" in page
    assert "Right under every attack of the run that keeps an SNR" in (report / "report.md").read_text("utf-8")


def test_what_adversaries_reached_is_shown_where_they_wrote_into_the_runs_folder(
    finished_run: Any, report: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(finished_run.folder, tmp_path / "run")
    facts = json.loads((run / "run.json").read_text(encoding="utf-8"))
    head = "dataset,scheme,adversary,access,surrogate,direction,budget,rule,metric,value,status"
    start = f"{facts['dataset']},{facts['scheme']},hsja.low,none,,removal"
    lines = [
        f"{start},snr30,fixed,success,0.75,ok", f"{start},snr30,fixed,control_white_noise,0.125,ok",
        f"{start},snr30+snr40,fixed,least_distortion_db,,never fell",
        f"{start.replace('removal', 'forgery')},snr30,fixed,success,1,ok",
        f"{start.replace('removal', 'forgery')},mask,fixed,least_distortion_db,41.5,ok",
        f"{start.replace('removal', 'forgery')},snr30+snr40,fixed,least_distortion_db,43.25,ok",
    ]  # fmt: skip
    (run / "adversary.csv").write_text("\n".join([head, *lines]), encoding="utf-8")
    write_report(run, None, None, 0)
    assert "| hsja.low | none | removal | fixed | 0.75 (0.12) | never fell |" in (run / "report.md").read_text("utf-8")
    assert "| hsja.low | none | forgery | fixed | 1.00 | 43.2 dB |" in (run / "report.md").read_text("utf-8")
    assert "<td>0.75 (0.12)</td><td>never fell</td>" in (run / "report.html").read_text("utf-8")
    assert 'id="adversaries"' not in (report / "report.html").read_text("utf-8")
    (run / "adversary.csv").write_text("\n".join([head, *lines]).replace(facts["scheme"], "perth"), encoding="utf-8")
    with pytest.raises(HarnessError, match=r"adversary\.csv must be of"):
        write_report(run, None, None, 0)
