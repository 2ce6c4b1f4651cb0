"""Results by tag: the numbers of clips.csv taken anew, tag by tag, and honest about tags of few clips."""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from sealproof.attacks import Audio, get_attack
from sealproof.attacks.testing import music_like
from sealproof.detectors import Detection, get_scheme
from sealproof.harness.corpora.base import Clip, CorpusReport
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.audio.files import to_pcm
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.files import read_json, write_json
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.cell import matrix
from sealproof.harness.matrix.store import CellStore
from sealproof.harness.matrix.subject import Subject, subjects_of
from sealproof.harness.report.breakdown.by_tag import ALL_CLIPS, break_down
from sealproof.harness.report.breakdown.text import breakdown_lines, breakdown_markdown
from sealproof.harness.report.breakdown.write import write_breakdown
from sealproof.harness.tables.write import write_tables

N_CLIPS = 300
ATTACKS = ["identity", "white_noise.0db", "white_noise.-10db", "lowpass.1khz"]


class Tagged:
    """Two clips a recording; every clip is `music`, every third recording `rare | odd`, the first alone `unique`."""

    name = "tagged"

    def description(self) -> dict[str, object]:
        return {"kind": "tagged"}

    def sources(self) -> dict[str, Path]:
        return {}

    def clips(self, n_clips: int, *, clip_s: float, seed: int, report: CorpusReport) -> Iterator[Clip]:
        sounds = music_like(20, round(16_000 * clip_s), 16_000, seed=seed)
        for index in range(n_clips):
            audio = 0.8 * sounds[index % 20] + 0.2 * sounds[(index * 7 + index // 20) % 20]
            group = index // 2
            report.taken += 1
            tags = ["music", *(["rare | odd"] if group % 3 == 0 else []), *([f"unique {group}"])]
            yield Clip(f"c{index:03d}", f"g{group:03d}", "", 0.0, to_pcm(audio), "Music.", tuple(tags), ("/m/04rlf",))


class ByLevel:
    """Scores by level, and so knows nothing of watermarks."""

    name, sample_rate, threshold = "by_level", 16_000, 0.1

    def detect(self, batch: Audio) -> Detection:
        return Detection(np.abs(batch).mean(axis=1))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder; do not write into it."""
    folder = tmp_path_factory.mktemp("breakdown")
    with threadpool_limits(1):
        request = BuildRequest(scheme="spread_spectrum", n_clips=N_CLIPS)
        dataset, _ = build_dataset(Tagged(), request, folder / "data")
        subjects = [*subjects_of(get_scheme("spread_spectrum"), []), Subject("by_level", "mimic", "1", ByLevel)]
        bench = Bench(dataset, dataset.split("test"), subjects, CellStore(folder / "cells"))
        cells = matrix(dataset, [get_attack(spec) for spec in ATTACKS], bench.pairs, seed=0)
        write_tables(bench, [bench.run(cell) for cell in cells], 0, folder / "run")
    return folder / "run"


def clips_csv(run: Path) -> list[dict[str, str]]:
    with (run / "clips.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def tags_of(run: Path) -> dict[str, tuple[str, ...]]:
    return {row.clip_id: row.aspects for row in Dataset.open(run.parent / "data").rows}


# --- The numbers ---


def test_every_rate_is_that_of_the_clips_with_the_tag(run: Path) -> None:
    rows, tags = clips_csv(run), tags_of(run)
    found = break_down(run, "aspects", min_clips=10)
    assert {row.tag for row in found.rows if row.status == "ok"} == {ALL_CLIPS, "music", "rare | odd"}
    assert len([row for row in found.rows if row.status == "ok"]) == 3 * 2 * 2 * 3, (
        "three tags, two classes of attacks and detectors; no threshold by the other rule"
    )
    for row in found.rows:
        if row.status != "ok":
            continue
        decided = [
            (one["label"] == "watermarked", one[f"decision_{row.threshold_rule}"] == "1")
            for one in rows
            if one["detector"] == row.detector
            and (one["attack"] == "identity") == (row.attacks == "identity")
            and (row.tag == ALL_CLIPS or row.tag in tags[one["clip_id"]])
        ]
        flags = {
            "accuracy": [is_marked == said for is_marked, said in decided],
            "tpr": [said for is_marked, said in decided if is_marked],
            "fpr": [said for is_marked, said in decided if not is_marked],
        }[row.metric]
        assert row.value == pytest.approx(np.mean(flags), abs=1e-12)
        assert row.n_cells == (1 if row.attacks == "identity" else 3)
        assert row.n_clips == len(decided) / 2 / row.n_cells
    accuracies = {row.value for row in found.rows if row.metric == "accuracy"}
    assert len(accuracies) > 2, "the attacks must tell the detectors apart, or nothing was tested"


def test_all_clips_unattacked_are_what_the_summary_says_intervals_too(run: Path) -> None:
    with (run / "summary.csv").open(newline="") as file:
        summary = {
            (row["detector"], row["threshold_rule"], row["metric"]): row
            for row in csv.DictReader(file)
            if row["attack"] == "identity"
        }
    rows = [row for row in break_down(run, "aspects").rows if row.tag == ALL_CLIPS and row.attacks == "identity"]
    assert len(rows) == 6
    for row in rows:
        there = summary[row.detector, row.threshold_rule, row.metric]
        for name in ("value", "ci_low", "ci_high"):
            assert f"{getattr(row, name):.6f}" == there[name]
        assert row.n_groups == int(there["n_groups"])


def test_a_clip_under_many_attacks_is_still_one_clip(run: Path) -> None:
    """The interval of `attacked` may not shrink as if every cell had clips, or recordings, of its own."""
    rows = {
        (row.attacks, row.detector): row
        for row in break_down(run, "aspects", min_clips=10).rows
        if (row.tag, row.metric, row.threshold_rule) == ("rare | odd", "fpr", "fixed")
    }
    still = rows["attacked", "spread_spectrum"]
    assert still.value == 0.0, "no false alarm in any cell"
    n = still.n_groups
    wilson_high = 1.96**2 / (n + 1.96**2)
    assert still.ci_high == pytest.approx(wilson_high, rel=1e-3)


def test_one_attack_can_be_named(run: Path) -> None:
    found = break_down(run, "audioset_labels", attack="lowpass.1khz")
    assert list(dict.fromkeys(row.attacks for row in found.rows)) == ["identity", "lowpass.1khz"]
    assert {row.n_cells for row in found.rows} == {1}
    assert {row.tag for row in found.rows} == {ALL_CLIPS, "/m/04rlf"}
    both = {row.tag: row.value for row in found.rows if row.metric == "accuracy"}
    assert both[ALL_CLIPS] == both["/m/04rlf"], "every clip has this label"


# --- Tags of few clips ---


def test_tags_of_few_clips_are_named_without_numbers(run: Path) -> None:
    tags = tags_of(run)
    n_unique = len({tag for clip in clips_csv(run) for tag in tags[clip["clip_id"]] if "unique" in tag})
    found = break_down(run, "aspects", min_clips=10)
    assert len(found.too_few) == n_unique > 5
    for row in found.too_few:
        assert (row.status, row.value, row.detector, row.n_clips, row.n_groups) == ("too_few", None, "", 2, 1)
    said = f"{n_unique} more tags have fewer than 10 clips each and no numbers"
    assert said in breakdown_markdown(found)
    assert said in "\n".join(breakdown_lines(found))
    everything = break_down(run, "aspects", min_clips=1)
    assert everything.too_few == []
    alone = next(row for row in everything.rows if row.tag.startswith("unique"))
    assert (alone.n_groups, alone.ci_low, alone.ci_high) == (1, None, None), "one recording says nothing of others"
    assert "more tags" not in breakdown_markdown(everything)


# --- Files ---


def test_files_hold_the_rows_and_escape_what_would_break_a_table(run: Path, tmp_path: Path) -> None:
    found = break_down(run, "aspects", min_clips=10)
    csv_path, md_path = write_breakdown(found, tmp_path)
    with csv_path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["tag"], row["metric"], row["value"]) for row in rows] == [
        (row.tag, row.metric, "" if row.value is None else f"{row.value:.6f}") for row in found.rows
    ]
    before = (csv_path.read_bytes(), md_path.read_bytes())
    write_breakdown(break_down(run, "aspects", min_clips=10), tmp_path)
    assert before == (csv_path.read_bytes(), md_path.read_bytes()), "the same input gives the same bytes"
    text = md_path.read_text()
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} == {10}
    assert [line for line in tables if line.startswith(r"| rare \| odd | ")]
    assert "## identity (1 cell)" in text
    assert "## attacked (mean over 3 cells)" in text


def test_the_worst_tag_comes_first_after_all_clips(run: Path) -> None:
    found = break_down(run, "aspects", min_clips=1)
    tags = [line.split(" | ")[0][2:] for line in breakdown_markdown(found).split("## attacked")[1].splitlines()[4:]]
    value = {
        row.tag: row.value
        for row in found.rows
        if (row.attacks, row.detector, row.threshold_rule, row.metric)
        == ("attacked", "spread_spectrum", "fixed", "accuracy")
    }
    assert tags[0] == ALL_CLIPS
    order: list[Any] = [value[tag.replace("\\|", "|")] for tag in tags[1:]]
    assert None not in order
    assert order == sorted(order, key=float)
    assert float(order[0]) < float(order[-1])
    assert len(list(breakdown_lines(found))) == 1 + 13 + 2


# --- Refusals ---


def test_bad_options_are_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(
        HarnessError, match="--by must be one of aspects, audioset_labels. Got 'genre'".replace(".", r"\.")
    ):
        break_down(run, "genre")
    with pytest.raises(HarnessError, match=r"--min-clips must be at least 1\. Got 0"):
        break_down(run, "aspects", min_clips=0)
    with pytest.raises(HarnessError, match=r"--attack must be an attack that .* as identity, .*Got 'mp3\.64kbps'"):
        break_down(run, "aspects", attack="mp3.64kbps")
    with pytest.raises(HarnessError, match="must be a folder that `sealproof run` wrote"):
        break_down(tmp_path, "aspects")


def test_another_dataset_and_one_without_tags_are_refused(run: Path, bench_dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"must be the dataset that .* was run on, sha256 .*say --dataset DIR"):
        break_down(run, "aspects", dataset=bench_dataset.root)
    moved = read_json(run / "run.json")
    (tmp_path / "run").mkdir()
    for path in run.iterdir():
        (tmp_path / "run" / path.name).write_bytes(path.read_bytes())
    write_json(tmp_path / "run" / "run.json", {**moved, "dataset_path": str(tmp_path / "gone")})
    with pytest.raises(HarnessError, match="must be a dataset that `sealproof build` wrote"):
        break_down(tmp_path / "run", "aspects")
    again = break_down(tmp_path / "run", "aspects", dataset=run.parent / "data")
    assert again.rows == [replace(row) for row in break_down(run, "aspects").rows]


def test_a_corpus_that_says_nothing_is_refused(bench_dataset: Dataset, tmp_path: Path) -> None:
    with threadpool_limits(1):
        bench = Bench(
            bench_dataset,
            bench_dataset.split("test"),
            subjects_of(get_scheme("spread_spectrum"), []),
            CellStore(tmp_path / "cells"),
        )
        cells = matrix(bench_dataset, [get_attack("identity")], bench.pairs, seed=0)
        write_tables(bench, [bench.run(cell) for cell in cells], 0, tmp_path / "run")
    with pytest.raises(HarnessError, match=r"must have aspects in .*manifest\.csv\. They have none"):
        break_down(tmp_path / "run", "aspects")
