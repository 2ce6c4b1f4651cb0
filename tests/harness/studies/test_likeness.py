"""AudioSeal's recorded numbers, and a run beside them."""

from pathlib import Path

import pandas as pd
import pytest

from sealproof.attacks import get_attack
from sealproof.attacks.selection import load_attacks
from sealproof.harness.cli.main import main
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.studies.likeness.compare import Likeness, compare_run, summarise
from sealproof.harness.studies.likeness.recorded import METRICS, SOURCES, Recorded, recorded, recorded_attacks
from sealproof.harness.studies.likeness.write import COLUMNS, write_likeness
from sealproof.harness.tables.reading.run_folder import RunFolder


def test_every_recorded_number_is_of_an_attack_that_is_there() -> None:
    found = recorded()
    assert len(found) == len({(each.source, each.attack, each.metric) for each in found})
    for each in found:
        assert get_attack(each.attack).id == each.attack
        assert each.source in SOURCES
        assert each.metric in METRICS
        assert 0 <= each.value <= 1
        assert (each.cut == "") == (each.metric != "tpr")
    assert [attack.id for attack in load_attacks(",".join(recorded_attacks()))][1:] == recorded_attacks()


def test_a_run_is_compared_where_it_has_the_attack(bench_dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "run"
    attacks = "white_noise.20db,mp3.64kbps,gain.6db"
    assert main(["run", str(bench_dataset.root), "--attacks", attacks, "--clips", "3", "--out", str(out)]) == 0
    found = compare_run(RunFolder.open(out))
    assert {each.recorded.attack for each in found} == {"identity", "white_noise.20db", "mp3.64kbps"}
    table = pd.read_csv(out / "clips.csv")
    rows = table[(table["detector"] == "spread_spectrum") & (table["label"] == "watermarked")]
    noisy = rows[(rows["attack"] == "white_noise") & (rows["params"] == "snr_db=20")]["score"]
    (low,) = [
        each
        for each in found
        if (each.recorded.attack, each.recorded.cut) == ("white_noise.20db", "0.15") and each.recorded.metric == "tpr"
    ]
    assert low.value == pytest.approx((noisy > 0.15).mean())
    csv, page = write_likeness(found, "this scheme", tmp_path)
    assert tuple(pd.read_csv(csv).columns) == COLUMNS
    assert "omnisealbench" in page.read_text()


def test_a_summary_is_that_of_a_count_by_hand() -> None:
    def of(attack: str, theirs: float, ours: float) -> Likeness:
        return Likeness(Recorded("zachjon1_librispeech", "", attack, "tpr", "0.5", theirs), ours)

    one, total = summarise([of("a", 1.0, 0.95), of("b", 0.5, 0.7), of("c", 0.0, 0.1)])
    assert (one.n, one.n_alike) == (3, 2)
    assert one.rank_correlation == 1
    assert one.mean_difference == pytest.approx(0.35 / 3)
    assert (total.source, total.mean_difference) == ("all", one.mean_difference)
