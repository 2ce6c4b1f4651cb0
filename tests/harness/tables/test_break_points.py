"""Sweeps: which cells belong together, which way is stronger, and where detection breaks."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealproof.attacks import Attack, Audio, get_attack, parameter
from sealproof.attacks.contract.chain import Chain
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.datasets.manifest import CLEAN, WATERMARKED, Row
from sealproof.harness.matrix.cell import Cell
from sealproof.harness.matrix.outcome import Outcome, Scores
from sealproof.harness.matrix.subject import Subject
from sealproof.harness.statistics.calibrated import CalibratedThreshold
from sealproof.harness.tables.break_points import (
    BREAK_POINT_COLUMNS,
    break_point_rows,
    break_points_csv,
    ordered_sweeps,
)
from sealproof.harness.tables.rules import Thresholds

N_CLIPS = 40


def outcome(attack: Attack, n_found: int = 0, error: str | None = None) -> Outcome:
    """A cell in which so many of the watermarked clips score above the threshold of 0.5."""
    cell = Cell("real", attack, 0, "test", (CLEAN, WATERMARKED), "0")
    score = np.zeros((2, N_CLIPS), np.float32)
    score[1, :n_found] = 1
    empty = (np.zeros((2, N_CLIPS, 0), np.uint8), 0.9, 1.0, np.zeros((2, 0), np.float32), np.full((2, N_CLIPS), np.nan))
    return Outcome(cell, error, None, {} if error else {"real": Scores(score, *empty)})


def sweeps_of(*attacks: Attack) -> list[tuple[str, str, str, tuple[float, ...]]]:
    sweeps = ordered_sweeps([outcome(attack) for attack in attacks])
    for sweep in sweeps:
        own = [attacks[index].params[sweep.parameter] for index in sweep.cells]
        assert [float(str(value)) for value in own] == [float(value) for value in sweep.values]
    return [(each.title, each.parameter, each.fixed, tuple(map(float, each.values))) for each in sweeps]


def mp3(*bitrates: int) -> list[Attack]:
    return [get_attack("mp3", bitrate_kbps=bitrate) for bitrate in bitrates]


def test_cells_of_one_attack_are_a_sweep_the_weakest_first() -> None:
    noise = [get_attack("white_noise", snr_db=snr) for snr in (0, 20, 10)]
    splices = [get_attack("splice", unmarked_percent=percent) for percent in (75, 10, 50, 25)]
    assert sweeps_of(get_attack("identity"), *mp3(32, 128, 64), *noise, *splices) == [
        ("mp3", "bitrate_kbps", "", (128, 64, 32)),
        ("white_noise", "snr_db", "", (20, 10, 0)),
        ("splice", "unmarked_percent", "", (10, 25, 50, 75)),
    ]


def test_two_strengths_are_none_and_a_failed_cell_does_not_count() -> None:
    assert sweeps_of(*mp3(64, 32)) == []
    cells = [outcome(attack, error="no" if attack.id == "mp3.32kbps" else None) for attack in mp3(128, 64, 32)]
    assert ordered_sweeps(cells) == []


def test_what_is_held_fixed_parts_sweeps() -> None:
    echoes = [get_attack("echo", delay_ms=delay, gain=gain) for delay in (50, 300, 900) for gain in (0.1, 0.3)]
    assert sweeps_of(*echoes) == [
        ("echo", "delay_ms", "gain=0.1", (900, 300, 50)),
        ("echo", "delay_ms", "gain=0.3", (900, 300, 50)),
    ]


def test_one_cell_may_stand_in_two_sweeps() -> None:
    names = [(parameter, held) for _, parameter, held, _ in sweeps_of(*type(get_attack("echo")).standard())]
    assert sorted(names) == [("delay_ms", "gain=0.3"), ("gain", "delay_ms=100")]


def test_without_order_words_and_chains_there_is_no_sweep() -> None:
    speeds = [get_attack("speed", factor=factor) for factor in (0.9, 1.05, 1.2)]
    assert not type(speeds[0]).is_ordered
    words = [get_attack("reembed", scheme=scheme) for scheme in ("same", "spread_spectrum", "perth")]
    chains = [Chain(links=(attack, get_attack("gain.6db"))) for attack in mp3(128, 64, 32)]
    assert sweeps_of(*speeds, *words, *chains) == []


@dataclass(frozen=True, kw_only=True)
class Unsorted(Attack):
    """Says that its strengths are ordered, and lists them in none."""

    name = "unsorted"
    family = "noise"
    sweep = {"strength": (1, 3, 2)}  # noqa: RUF012

    strength: int = parameter(unit="x", kind=int)

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        return -clip


def test_a_sweep_that_goes_both_ways_has_no_direction() -> None:
    assert sweeps_of(*Unsorted.standard()) == []


# --- break points -----------------------------------------------------------------------------------------------------


def dataset() -> Dataset:
    def row(index: int, label: str) -> Row:
        return Row(f"clip{index:02d}", f"g{index % 10}", "s", 0.0, "test", label, f"{label}/{index}.wav", "", None, "0")

    rows = tuple(row(index, label) for index in range(N_CLIPS) for label in (CLEAN, WATERMARKED))
    return Dataset(Path("somewhere/tiny"), {"scheme": "real", "seed": 3}, rows)


def rows_of(*outcomes: Outcome, thresholds: dict[str, Thresholds] | None = None) -> Any:
    tiny = dataset()
    subject = Subject("real", "reference", "1", lambda: pytest.fail("break points must not load a detector"))
    thresholds = thresholds or {"real": Thresholds(0.9, {"fpr_1pct": CalibratedThreshold.given(0.5)}, 100)}
    return list(break_point_rows(tiny, tiny.split("test"), [subject], thresholds, outcomes))


def test_the_break_point_is_between_the_strengths_around_it() -> None:
    cells = [outcome(attack, n) for attack, n in zip(mp3(32, 64, 48, 40), (4, 40, 30, 10), strict=True)]
    (row,) = rows_of(*cells)
    # 30 of 40 at 48 kbit/s, 10 at 40: half-way between.
    assert (row.status, row.value) == ("crosses", pytest.approx(44))
    assert 40 <= row.ci_low < 44 < row.ci_high <= 48
    assert (row.attack, row.params, row.parameter) == ("mp3", "", "bitrate_kbps")
    assert (row.weakest, row.strongest, row.n_strengths, row.n_clips, row.n_groups) == (64, 32, 4, 40, 10)
    assert (row.dataset, row.scheme, row.detector, row.role) == ("tiny", "real", "real", "reference")


def test_without_a_threshold_there_is_no_break_point_and_that_is_said() -> None:
    cells = [outcome(attack, n) for attack, n in zip(mp3(32, 64, 48, 40), (4, 40, 30, 10), strict=True)]
    (row,) = rows_of(*cells, thresholds={"real": Thresholds(0.9, {}, 98)})
    assert row.status == "no_threshold"
    assert np.isnan([row.value, row.ci_low, row.ci_high]).all()


@pytest.mark.parametrize(
    ("counts", "status"), [((40, 40, 39), "never"), ((3, 2, 0), "always"), ((40, 0, 40), "not_monotone")]
)
def test_where_nothing_crosses_there_is_no_value(counts: tuple[int, ...], status: str) -> None:
    (row,) = rows_of(*(outcome(attack, n) for attack, n in zip(mp3(128, 64, 32), counts, strict=True)))
    assert row.status == status
    assert np.isnan(row.value)


def test_the_table_has_its_columns_and_empty_fields() -> None:
    cells = [outcome(get_attack("echo", delay_ms=delay, gain=0.3), n) for delay, n in ((900, 40), (300, 40), (50, 39))]
    header, line = break_points_csv(rows_of(*cells)).splitlines()
    assert header.split(",") == list(BREAK_POINT_COLUMNS)
    values = dict(zip(BREAK_POINT_COLUMNS, line.split(","), strict=True))
    assert (values["params"], values["parameter"]) == ("gain=0.3", "delay_ms")
    assert (values["status"], values["value"]) == ("never", "")
    # Less is stronger: the break point lies beyond 50 ms, on the side of smaller numbers.
    assert values["ci_low"] == "-inf"
    assert break_points_csv([]).splitlines() == [header]
