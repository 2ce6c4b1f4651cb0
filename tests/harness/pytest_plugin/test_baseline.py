import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.pytest_plugin.baseline import (
    COLUMNS,
    MAX_GROUPS,
    BaselineKey,
    BaselineRow,
    Sample,
    baseline_csv,
    merge_baseline,
    read_baseline,
    row_of,
    sample_of,
)
from sealproof.harness.pytest_plugin.gate import EARLIER, NEW, Gate
from sealproof.harness.tables.rates import RateKey, Tally

SAMPLE = Sample("set", "0123456789ab", ("a", "b", "c"))


def row(
    attack: str = "mp3", metric: str = "tpr", dataset: str = "set", counts: tuple[int, ...] = (4, 4, 3)
) -> BaselineRow:
    rate = RateKey("perth", attack, "", "perth", "fixed", metric)
    return BaselineRow(BaselineKey(dataset, "0123456789ab", rate), "reference", counts, (4,) * len(counts))


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "new" / "baseline.csv"
    rows = [row("mp3"), row("gain"), row(dataset='other, "quoted"'), row(metric="fpr", counts=(0, 0, 0))]
    merge_baseline(path, rows)
    assert read_baseline(path) == {one.key: one for one in rows}
    text = path.read_text(encoding="utf-8")
    assert text.splitlines()[0] == ",".join(COLUMNS)
    assert "set,0123456789ab,perth,gain,-,perth,fixed,tpr,reference,0.916667,12,clips,3,4x2 3,4x3" in text


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), min_size=1, max_size=30))
def test_counts_survive_a_round_trip(tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[int, int]]) -> None:
    counts = tuple(count for count, _ in pairs)
    of = tuple(count + more + 1 for count, more in pairs)
    one = replace(row(), successes=counts, trials=of)
    path = tmp_path_factory.mktemp("round") / "b.csv"
    path.write_text(baseline_csv([one]), encoding="utf-8")
    assert list(read_baseline(path).values()) == [one]


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ("8x3000000000", "must have at most 100,000 groups in trials. Got 8x3000000000."),
        (" ".join(["4x99999"] * 2), "must have at most 100,000 groups in trials. Got 4x99999."),
        ("3000000000000 4x2", "must count at most 1,000,000,000,000 trials a group in trials. Got 3000000000000."),
    ],
)
def test_counts_beyond_the_limits_are_refused_with_file_line_and_value(tmp_path: Path, counts: str, told: str) -> None:
    path = tmp_path / "baseline.csv"
    good, bad = row("gain"), baseline_csv([row("mp3")]).splitlines()[1]
    path.write_text(baseline_csv([good]) + bad.replace("4x3", counts) + "\n", encoding="utf-8")
    with pytest.raises(HarnessError, match=re.escape(f"The baseline {path}, line 3, {told}")):
        read_baseline(path)


def test_as_many_groups_as_the_limit_are_read(tmp_path: Path) -> None:
    one = row(counts=(4,) * MAX_GROUPS)
    path = tmp_path / "baseline.csv"
    merge_baseline(path, [one])
    assert read_baseline(path) == {one.key: one}


def test_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "baseline.csv"
    path.write_text(baseline_csv([row()]), encoding="utf-8-sig")
    assert read_baseline(path) == {row().key: row()}


def test_order_of_rows_does_not_matter() -> None:
    rows = [row("mp3"), row("gain"), row("mp3", "fpr"), row(dataset="a")]
    assert baseline_csv(rows) == baseline_csv(rows[::-1])
    assert baseline_csv(rows).splitlines()[1:] == sorted(baseline_csv(rows).splitlines()[1:])


def test_merging_replaces_the_same_rate_only(tmp_path: Path) -> None:
    path = tmp_path / "baseline.csv"
    merge_baseline(path, [row("mp3"), row("gain"), row("mp3", dataset="other")])
    merge_baseline(path, [row("mp3", counts=(1, 1, 1)), row("speed")])
    found = read_baseline(path)
    assert {(key.dataset, key.rate.attack): sum(one.successes) for key, one in found.items()} == {
        ("set", "mp3"): 3,
        ("set", "gain"): 11,
        ("set", "speed"): 11,
        ("other", "mp3"): 11,
    }
    before = path.read_bytes()
    merge_baseline(path, [])
    assert path.read_bytes() == before


MERGE_EACH = """
import sys
from pathlib import Path
from sealproof.harness.pytest_plugin.baseline import merge_baseline, read_baseline
for rows in sys.argv[2:]:
    merge_baseline(Path(sys.argv[1]), read_baseline(Path(rows)).values())
"""


def test_sessions_that_end_together_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "baseline.csv"
    sessions = []
    for attack in ("mp3", "gain"):
        parts = [tmp_path / f"{attack}{index:02d}.csv" for index in range(15)]
        for part in parts:
            part.write_text(baseline_csv([row(part.stem)]), encoding="utf-8")
        sessions.append(subprocess.Popen([sys.executable, "-c", MERGE_EACH, str(path), *map(str, parts)]))
    assert [session.wait() for session in sessions] == [0, 0]
    assert len(read_baseline(path)) == 30


def test_a_missing_file_is_an_empty_baseline(tmp_path: Path) -> None:
    assert read_baseline(tmp_path / "none.csv") == {}


GOOD = baseline_csv([row("gain"), row("mp3")])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must have the columns"),
        ("a,b\n1,2\n", "Got a, b"),
        (GOOD.replace(",n_groups", ""), "must have the columns"),
        (GOOD.replace(",clips,3,", ",bits,3,", 1), "line 2, must have counts"),
        ("<<<<<<< HEAD\n" + GOOD, "Got <<<<<<< HEAD"),
        (GOOD + "<<<<<<< HEAD\n", "line 4, must have 15 fields. Got 1."),
        (GOOD[:-5], "line 3, must have 15 fields. Got 14."),
        (GOOD.replace("0.916667", "0.916668", 1), "line 2, must have counts"),
        (GOOD.replace(",12,clips,", ",13,clips,", 1), "line 2, must have counts"),
        (GOOD.replace("4x2 3", "4x2 5", 1), "line 2, must have counts"),
        (GOOD.replace("4x2 3", "4x2 three", 1), "line 2, must have counts"),
        (
            GOOD + GOOD.splitlines(keepends=True)[1],
            "line 4, must be of another rate than the lines above it. Got perth",
        ),
        (GOOD.replace("\nset,", '\n"set,', 1), "cannot be read"),
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "baseline.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(HarnessError, match=re.escape(told)) as caught:
        read_baseline(path)
    assert "Take it from version control again" in str(caught.value)
    with pytest.raises(HarnessError):
        merge_baseline(path, [row()])
    assert path.read_text(encoding="utf-8") == text


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(HarnessError, match="cannot be read"):
        read_baseline(tmp_path / "b.csv")


def test_a_file_from_before_auc_and_bits_were_gated_is_read(tmp_path: Path) -> None:
    path = tmp_path / "baseline.csv"
    earlier = GOOD.replace("n_trials,unit", "n_clips").replace(",12,clips,", ",12,")
    path.write_text(earlier, encoding="utf-8")
    assert list(read_baseline(path).values()) == [row("gain"), row("mp3")]
    merge_baseline(path, [])
    assert path.read_text(encoding="utf-8") == GOOD


def test_what_an_earlier_baseline_could_not_hold_is_not_new() -> None:
    auc = replace(tally([40, 40, 40], metric="auc"), threshold_rule="")
    earlier = gate(row_of(tally([4, 4, 4]), SAMPLE))
    assert [one.verdict for one in earlier.judge([tally([4, 4, 4]), auc])] == ["same", EARLIER]
    later = gate(row_of(tally([4, 4, 4]), SAMPLE), row_of(replace(auc, attack="gain"), SAMPLE))
    assert NEW in [one.verdict for one in later.judge([auc])]


def test_line_ends_of_other_systems_are_read(tmp_path: Path) -> None:
    path = tmp_path / "baseline.csv"
    path.write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert len(read_baseline(path)) == 2


def test_a_sample_is_its_clips_and_their_clean_audio(bench_dataset: Dataset) -> None:
    pairs = bench_dataset.split("test")
    sample = sample_of(bench_dataset, pairs, 0)
    assert sample.dataset == bench_dataset.name
    assert sample.groups == tuple(sorted({pair.group for pair in pairs}))
    other_marks = [replace(pair, watermarked=replace(pair.watermarked, sha256="1")) for pair in pairs]
    assert sample_of(bench_dataset, other_marks, 0) == sample
    other_audio = [replace(pair, clean=replace(pair.clean, sha256="0")) for pair in pairs]
    built_in = replace(bench_dataset, facts={**bench_dataset.facts, "corpus": {"kind": "demo", "name": "demo"}})
    assert sample_of(built_in, other_audio, 0) == sample_of(built_in, pairs, 0), "its last bits are the machine's"
    others = [
        sample_of(bench_dataset, other_audio, 0),
        sample_of(bench_dataset, pairs[1:], 0),
        sample_of(bench_dataset, pairs, 1),
        sample_of(replace(bench_dataset, facts={**bench_dataset.facts, "seed": 7}), pairs, 0),
        sample_of(replace(bench_dataset, facts={**bench_dataset.facts, "n_samples": 8}), pairs, 0),
    ]
    assert len({sample.clips, *(one.clips for one in others)}) == 6


def tally(successes: list[int], attack: str = "mp3", metric: str = "tpr") -> Tally:
    counts = np.array(successes), np.full(len(successes), 4)
    return Tally("perth", attack, "", "perth", "reference", "fixed", metric, SAMPLE.groups, *counts)


def gate(*rows: BaselineRow) -> Gate:
    return Gate({one.key: one for one in rows}, "results/baseline.csv", SAMPLE, 0.05)


def test_a_gate_judges_what_it_knows_and_names_what_is_new() -> None:
    judged = gate(row_of(tally([4, 4, 4]), SAMPLE)).judge([tally([4, 4, 4]), tally([4, 4, 4], metric="fpr")])
    assert [(one.tally.metric, one.verdict) for one in judged] == [("tpr", "same"), ("fpr", NEW)]
    assert judged[1].difference is None
    assert "not in the baseline" in judged[1].sentence()


def test_a_gate_looks_at_its_own_clips_only() -> None:
    other_clips = replace(row(), key=row().key._replace(clips="other"))
    here = gate(row(dataset="other"), other_clips)
    assert [one.verdict for one in here.judge([tally([0, 0, 0])])] == [NEW]
    assert here.missing("perth") == (
        "No baseline for set (clips 0123456789ab, perth) in results/baseline.csv: it is about "
        "other (clips 0123456789ab, perth), set (clips other, perth)."
    )
    assert here.stale([], "perth") == []
    assert gate().missing("perth").endswith("results/baseline.csv: there is none.")


def test_stale_is_what_the_matrix_lacks() -> None:
    known = gate(row("mp3"), row("gain"), row("gain", dataset="other"))
    assert known.missing("perth") == ""
    assert [one.key.rate.attack for one in known.stale([row("mp3").key.rate], "perth")] == ["gain"]
    assert known.stale([row("mp3").key.rate], "audioseal_mini") == []


def test_a_gate_refuses_a_line_that_was_changed() -> None:
    with pytest.raises(HarnessError, match="must count the same clips in every group"):
        gate(replace(row(), trials=(4, 4, 8))).judge([tally([4, 4, 4])])
    with pytest.raises(HarnessError, match="must count the same clips in every group"):
        gate(row(counts=(4, 4))).judge([tally([4, 4, 4])])


@pytest.mark.parametrize("same", [True, False])
def test_the_worst_stands_first(same: bool) -> None:
    before = [row_of(tally([4, 4, 4], attack=name), SAMPLE) for name in ("a", "b", "c")]
    after = [tally([4, 4, 3], "a"), tally([0, 0, 0], "b"), tally([4, 2, 4], "c")]
    judged = gate(*before).judge(after if same else after[::-1])
    assert [one.tally.attack for one in judged] == ["b", "c", "a"]
    # Three recordings that all got worse are a chance of 1 in 8: that none is found any more is another matter.
    assert [one.verdict for one in judged] == ["collapse", "unproven", "unproven"]
