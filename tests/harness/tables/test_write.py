import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sealproof.attacks import Attack, Audio, get_attack
from sealproof.detectors import Detection, get_scheme
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.cell import matrix
from sealproof.harness.matrix.outcome import Outcome
from sealproof.harness.matrix.store import CellStore
from sealproof.harness.matrix.subject import Subject, subjects_of
from sealproof.harness.tables import write as tables
from sealproof.harness.tables.picture import write_picture
from sealproof.harness.tables.summary import SummaryRow
from sealproof.harness.tables.text import summary_markdown, terminal_table
from sealproof.harness.tables.write import Tables, thresholds_of, write_tables

ATTACKS = (get_attack("identity"), get_attack("white_noise.10db"), get_attack("offset", offset_samples=100))
BROKEN = get_attack("resample", via_hz=16_000)

Write = Callable[..., Tables]


class Lukewarm:
    """Says of every clip that it is watermarked."""

    name, sample_rate, threshold = "lukewarm", 16_000, 0.5

    def detect(self, batch: Audio) -> Detection:
        return Detection(np.full(len(batch), 0.9, dtype=np.float32))


def lukewarm(version: str = "1") -> Subject:
    return Subject("lukewarm", "mimic", version, Lukewarm)


@pytest.fixture(scope="module")
def subjects() -> list[Subject]:
    return [*subjects_of(get_scheme("spread_spectrum"), []), lukewarm()]


@pytest.fixture(scope="module")
def bench(bench_dataset: Dataset, subjects: list[Subject], tmp_path_factory: pytest.TempPathFactory) -> Bench:
    store = CellStore(tmp_path_factory.mktemp("tables") / "cells")
    return Bench(bench_dataset, bench_dataset.split("test"), subjects, store)


def outcomes(bench: Bench, *attacks: Attack) -> list[Outcome]:
    return [bench.run(cell) for cell in matrix(bench.dataset, attacks, bench.pairs, seed=0)]


@pytest.fixture(scope="module")
def all_outcomes(bench: Bench) -> list[Outcome]:
    return outcomes(bench, *ATTACKS, BROKEN)


@pytest.fixture(scope="module")
def out(bench: Bench, all_outcomes: list[Outcome], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a run of three cells that worked and one that failed."""
    folder = tmp_path_factory.mktemp("tables") / "new" / "out"
    write_tables(bench, all_outcomes, 0, folder)
    return folder


def test_all_files_are_written(out: Path) -> None:
    assert sorted(path.name for path in out.iterdir()) == [
        "attacks.csv",
        "break_points.csv",
        "clips.csv",
        "run.json",
        "summary.csv",
        "summary.md",
        "summary.png",
    ]


def test_columns_are_fixed(out: Path) -> None:
    assert (out / "summary.csv").read_text().splitlines()[0] == (
        "dataset,scheme,attack,params,detector,role,threshold_rule,metric,value,ci_low,ci_high,n_clips,n_groups,"
        "status,error"
    )
    assert (out / "clips.csv").read_text().splitlines()[0] == (
        "dataset,scheme,attack,params,clip_id,group,label,detector,score,decision_fixed,decision_fpr_1pct,"
        "bit_accuracy,mean_probability,frame_iou,snr_db"
    )


def test_clips_csv_is_what_was_measured(out: Path, bench: Bench, all_outcomes: list[Outcome]) -> None:
    import pandas as pd

    table = pd.read_csv(out / "clips.csv")
    n_pairs = len(bench.pairs)
    assert len(table) == 3 * 2 * 2 * n_pairs
    assert sorted(table["attack"].unique()) == ["identity", "offset", "white_noise"]
    noisy = all_outcomes[1]
    assert noisy.measured is not None
    part = table[(table["attack"] == "white_noise") & (table["detector"] == "spread_spectrum")]
    assert (part["params"] == "snr_db=10").all()
    assert part["clip_id"].tolist() == [pair.clip_id for pair in bench.pairs] * 2
    assert part["group"].tolist() == [pair.group for pair in bench.pairs] * 2
    assert part["label"].tolist() == ["clean"] * n_pairs + ["watermarked"] * n_pairs
    scores = noisy.scores["spread_spectrum"].score.ravel()
    # Nine digits hold a score of single precision to its last bit.
    assert (part["score"].to_numpy(np.float32) == scores).all()
    assert part["decision_fixed"].tolist() == (scores > 4.0).astype(int).tolist()
    # Fewer than 99 calibration clips: no threshold, so no decision.
    assert part["decision_fpr_1pct"].isna().all()
    assert np.allclose(part["snr_db"], 10.0, atol=0.01)
    assert part["bit_accuracy"].isna().tolist() == [True] * n_pairs + [False] * n_pairs
    assert 0.6 < part["bit_accuracy"].dropna().mean() < 1
    others = table[table["detector"] == "lukewarm"]
    assert others["bit_accuracy"].isna().all()
    assert np.isposinf(table[table["attack"] == "identity"]["snr_db"]).all()
    assert table[table["attack"] == "offset"]["snr_db"].isna().all()


def test_summary_csv_can_be_worked_out_from_clips_csv(out: Path) -> None:
    import pandas as pd

    clips, summary = pd.read_csv(out / "clips.csv"), pd.read_csv(out / "summary.csv")
    checked = 0
    for (attack, detector), part in clips.groupby(["attack", "detector"]):
        rows = summary[(summary["attack"] == attack) & (summary["detector"] == detector)]
        marked = part["label"] == "watermarked"
        says = part["decision_fixed"] == 1
        expected = {"accuracy": (says == marked).mean(), "tpr": says[marked].mean(), "fpr": says[~marked].mean()}
        expected["balanced_accuracy"] = (expected["tpr"] + 1 - expected["fpr"]) / 2
        for metric, value in expected.items():
            row = rows[(rows["metric"] == metric) & (rows["threshold_rule"] == "fixed")]
            assert row["value"].item() == pytest.approx(value, abs=1e-6)
            checked += 1
    assert checked == 3 * 2 * 4
    bits = summary[(summary["metric"] == "bit_accuracy") & (summary["attack"] == "white_noise")]
    of_attack = clips[(clips["attack"] == "white_noise") & (clips["detector"] == "spread_spectrum")]
    assert bits["value"].item() == pytest.approx(of_attack["bit_accuracy"].mean(), abs=1e-4)


def test_a_failed_cell_is_a_row_in_every_table(out: Path) -> None:
    import pandas as pd

    summary = pd.read_csv(out / "summary.csv")
    (row,) = summary[summary["attack"] == "resample"].to_dict("records")
    assert (row["status"], row["params"]) == ("failed", "via_hz=16000")
    assert np.isnan(row["value"])
    assert row["error"].startswith("AttackError: The 'via_hz'")
    assert set(summary[summary["attack"] != "resample"]["status"]) == {"ok", "no_threshold"}
    markdown = (out / "summary.md").read_text()
    assert "Failed cells:\n\n- resample via_hz=16000: AttackError: The 'via_hz'" in markdown
    lines = [line for line in markdown.splitlines() if line.startswith("| resample")]
    assert len(lines) == 3
    for line in lines:
        assert set(line.replace("| resample via_hz=16000 |", "").replace("|", "").split()) <= {"-", "/"}
    (facts,) = [cell for cell in json.loads((out / "run.json").read_text())["cells"] if "resample" in cell["id"]]
    assert facts["status"] == "failed"
    assert facts["error"] == row["error"]


def test_markdown_has_a_dash_where_nothing_is_defined(out: Path) -> None:
    text = (out / "summary.md").read_text()
    assert "nan" not in text
    assert not {"None", "inf", "-inf"} & set(text.split())
    fixed, calibrated = (text.index(f"`{rule}`") for rule in ("fixed", "fpr_1pct"))
    for at in (fixed, calibrated):
        table = text[at:].split("\n\n")[1].splitlines()
        header, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
        assert header[:3] == ["attack", "SNR dB", "spread_spectrum accuracy"]
        assert header[-4:] == ["lukewarm accuracy", "AUC", "agreement", "kappa"]
        assert {len(line) for line in lines} == {len(header)}
        assert [line[:2] for line in lines] == [
            ["identity", "-"],
            ["white_noise snr_db=10", "10.0"],
            ["offset offset_samples=100", "-"],
            ["resample via_hz=16000", "-"],
        ]
        # All are "watermarked" by its own threshold: half is right. There is no calibrated one.
        assert lines[0][7].startswith("0.500 [") if at == fixed else lines[0][7] == "-"
        assert lines[0][10] == ("0.000" if at == fixed else "-")


def test_the_terminal_table_is_aligned(bench: Bench, all_outcomes: list[Outcome], out: Path) -> None:
    text = terminal_table(write_tables(bench, all_outcomes, 0, out).rows)
    table, _, failures = text.partition("\n\n")
    assert len({len(line) for line in table.splitlines()}) == 1
    assert len(table.splitlines()) == 5
    assert "nan" not in text
    assert "- resample via_hz=16000: AttackError" in failures


def test_run_json_states_the_facts(out: Path, bench: Bench, all_outcomes: list[Outcome]) -> None:
    facts = json.loads((out / "run.json").read_text())
    assert (facts["seed"], facts["scheme"]) == (0, "spread_spectrum")
    assert facts["dataset_sha256"] == bench.dataset.sha256
    assert facts["n_test_pairs"] == len(bench.pairs)
    assert facts["n_test_groups"] == len({pair.group for pair in bench.pairs})
    assert [cell["key"] for cell in facts["cells"]] == [outcome.cell.key for outcome in all_outcomes]
    reference = facts["detectors"]["spread_spectrum"]
    assert (reference["role"], reference["threshold_fixed"]) == ("reference", 4.0)
    assert reference["calibration_clean_clips"] == len(bench.dataset.split("calibration"))
    assert reference["fpr_support"] is False
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["machine"]["cores"] >= 1


def test_run_json_says_where_the_dataset_is_and_by_what_clips_are_judged(out: Path, bench: Bench) -> None:
    facts = json.loads((out / "run.json").read_text())
    assert facts["dataset_path"] == str(bench.dataset.root)
    assert Dataset.open(Path(facts["dataset_path"])).sha256 == facts["dataset_sha256"]
    about, thresholds = facts["detectors"]["spread_spectrum"], thresholds_of(bench, 0)["spread_spectrum"]
    assert about["threshold_fixed"] == thresholds.fixed
    # Too few clips for a threshold: none is made up.
    assert (about["threshold_fpr_1pct"], about["threshold_fpr_0.1pct"]) == (None, None)
    assert (about["fpr_support"], about["fpr_support_0.1pct"]) == (False, False)
    assert about["calibration_clean_clips"] == thresholds.n_negatives < 99


def test_the_picture_shows_every_cell(out: Path) -> None:
    with Image.open(out / "summary.png") as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 200
        colours = picture.convert("RGB").getcolors(maxcolors=1 << 24)
    assert colours is not None
    found = {colour for _, colour in colours}
    assert {(0x1F, 0x3B, 0x57), (0xC8, 0x55, 0x3D)} <= found  # the reference's points and the mimic's


def stamps(out: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in out.iterdir()}


@pytest.fixture
def write(bench: Bench, all_outcomes: list[Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """write(): the tables in a folder of their own; drawing takes longest, and is tested elsewhere."""
    monkeypatch.setattr(tables, "write_picture", lambda rows, title, path: path.write_text(f"{title} {len(rows)}"))

    def call(cells: list[Outcome] = all_outcomes, a_bench: Bench = bench) -> Tables:
        return write_tables(a_bench, cells, 0, tmp_path)

    call()
    return call


def test_files_that_say_the_same_are_left_alone(write: Write, tmp_path: Path) -> None:
    before = stamps(tmp_path)
    files = write().files
    assert stamps(tmp_path) == before
    assert [path.name for path in files] == [
        "summary.csv",
        "summary.md",
        "summary.png",
        "attacks.csv",
        "break_points.csv",
        "clips.csv",
        "run.json",
    ]


@pytest.mark.parametrize(
    "name",
    ["summary.csv", "summary.md", "summary.png", "attacks.csv", "break_points.csv", "clips.csv", "run.json"],
)
def test_a_deleted_file_is_written_again(name: str, write: Write, tmp_path: Path) -> None:
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).unlink()
    write()
    if name != "run.json":  # which says when it was written
        assert (tmp_path / name).read_bytes() == content
    assert (tmp_path / name).is_file()


def test_a_changed_file_is_written_again(write: Write, tmp_path: Path) -> None:
    content = (tmp_path / "summary.csv").read_text()
    (tmp_path / "summary.csv").write_text(content.replace("0.5", "0.9"))
    write()
    assert (tmp_path / "summary.csv").read_text() == content


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"content_sha256": 1', "\udcff"])
def test_a_damaged_run_json_is_written_again(content: str, write: Write, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_bytes(content.encode(errors="surrogateescape"))
    write()
    assert json.loads((tmp_path / "run.json").read_text())["scheme"] == "spread_spectrum"


def test_fewer_cells_are_other_tables(write: Write, all_outcomes: list[Outcome], tmp_path: Path) -> None:
    import pandas as pd

    write(all_outcomes[:2])
    assert sorted(pd.read_csv(tmp_path / "clips.csv")["attack"].unique()) == ["identity", "white_noise"]
    assert "resample" not in (tmp_path / "summary.md").read_text()


def test_a_new_version_of_a_mimic_is_told_even_if_no_number_changed(
    write: Write, bench: Bench, subjects: list[Subject], tmp_path: Path
) -> None:
    newer = Bench(bench.dataset, bench.pairs, [subjects[0], lukewarm("2")], bench.store)
    write(outcomes(newer, *ATTACKS), newer)
    assert json.loads((tmp_path / "run.json").read_text())["detectors"]["lukewarm"]["version"] == "2"


def test_where_every_cell_failed_there_are_tables_still(bench: Bench, tmp_path: Path) -> None:
    import pandas as pd

    rows = write_tables(bench, outcomes(bench, BROKEN), 0, tmp_path).rows
    assert len(pd.read_csv(tmp_path / "clips.csv")) == 0
    assert pd.read_csv(tmp_path / "summary.csv")["status"].tolist() == ["failed"]
    assert "Failed cells" in (tmp_path / "summary.md").read_text()
    assert "- resample" in terminal_table(rows)
    with Image.open(tmp_path / "summary.png") as picture:
        picture.verify()


def test_no_cell_at_all(bench: Bench, tmp_path: Path) -> None:
    import pandas as pd

    assert write_tables(bench, [], 0, tmp_path).rows == []
    assert len(pd.read_csv(tmp_path / "summary.csv")) == 0


def test_a_reference_alone_has_tables(bench: Bench, subjects: list[Subject], tmp_path: Path) -> None:
    import pandas as pd

    alone = Bench(bench.dataset, bench.pairs, subjects[:1], bench.store)
    write_tables(alone, outcomes(alone, *ATTACKS), 0, tmp_path)
    assert pd.read_csv(tmp_path / "summary.csv")["detector"].dropna().unique().tolist() == ["spread_spectrum"]
    with Image.open(tmp_path / "summary.png") as picture:
        picture.verify()


def test_without_calibration_there_are_no_tables(bench: Bench, tmp_path: Path) -> None:
    class Broken(Lukewarm):
        def detect(self, batch: Audio) -> Detection:
            return Detection(np.full(len(batch), np.nan, dtype=np.float32))

    broken = Bench(bench.dataset, bench.pairs, [Subject("broken", "reference", "1", Broken)], bench.store)
    with pytest.raises(HarnessError, match="before there are thresholds"):
        write_tables(broken, [], 0, tmp_path)
    assert list(tmp_path.iterdir()) == []


def row(**changes: object) -> SummaryRow:
    usual = SummaryRow(
        dataset="d", scheme="s", attack="mp3", params="bitrate_kbps=64", detector="s", role="reference",
        threshold_rule="fpr_1pct", metric="accuracy", value=0.75, ci_low=0.5, ci_high=0.875, n_clips=8, n_groups=2,
    )  # fmt: skip
    return replace(usual, **changes)  # type: ignore[arg-type]


def test_markdown_has_a_table_per_threshold_rule() -> None:
    text = summary_markdown([row(), row(threshold_rule="fixed", ci_low=0.25), row(metric="auc", threshold_rule="")])
    fixed, calibrated, by_rule = (line for line in text.splitlines() if line.startswith("| mp3"))
    assert by_rule == "| mp3 bitrate_kbps=64 | - / - | - / - |"
    assert fixed == "| mp3 bitrate_kbps=64 | - | 0.750 [0.250, 0.875] | - | - | 0.750 | - |"
    assert calibrated == "| mp3 bitrate_kbps=64 | - | 0.750 [0.500, 0.875] | - | - | 0.750 | - |"
    assert "Failed" not in text


def test_markdown_shows_the_reference_by_all_rules_and_says_which_is_optimistic() -> None:
    rates = [
        row(threshold_rule=rule, metric=metric, value=value)
        for rule, tpr in (("best", 1.0), ("fixed", 0.5), ("fpr_1pct", 0.25), ("bits", 0.125))
        for metric, value in (("tpr", tpr), ("fpr", tpr / 5))
    ]
    text = summary_markdown([*rates, row(detector="copy", role="mimic", threshold_rule="low_tau", metric="tpr")])
    table = text.split("TPR / FPR of s by threshold rule:\n\n")[1].split("\n\n")[0].splitlines()
    assert table == [
        "| attack | fixed | fpr_1pct | best (optimistic) | bits |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| mp3 bitrate_kbps=64 | 0.500 / 0.100 | 0.250 / 0.050 | 1.000 / 0.200 | 0.125 / 0.025 |",
    ]


def test_the_terminal_shows_a_screen_of_cells_the_worst_first() -> None:
    rows = [row(attack="identity", params="", threshold_rule="fixed", value=1.0)]
    rows += [row(params=f"bitrate_kbps={n}", threshold_rule="fixed", value=n / 100) for n in range(99, 0, -1)]
    rows += [row(attack="gone", params=f"n={n}", status="failed", error="no", value=None) for n in range(40)]
    lines = terminal_table(rows).splitlines()
    assert lines[1].split()[:2] == ["identity", "1.000"]
    assert [line.split()[2] for line in lines[2:31]] == [f"{n / 100:.3f}" for n in range(1, 30)]
    assert lines[31] == "The 29 worst of 140 cells, after the first; all are in summary.md."
    assert sum(line.startswith("- gone") for line in lines) == 30
    assert lines[-1] == "- and 10 more, see summary.md"
    assert all(f"- gone n={n}: no" in summary_markdown(rows) for n in range(40))


def test_a_number_without_an_interval_stands_alone() -> None:
    assert "| 0.750 |" in summary_markdown([row(ci_low=None, ci_high=None)])


def test_a_picture_without_intervals(tmp_path: Path) -> None:
    write_picture([row(ci_low=None, ci_high=None), row(attack="gain", value=None)], "title", tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        picture.verify()
