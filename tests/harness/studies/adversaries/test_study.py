"""The study of adversaries: what counts, what is kept, what is told, and what is not believed."""

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sealproof.attacks.adversarial import get_adversary, list_adversaries
from sealproof.attacks.adversarial.contract.budget import PeakBudget, SnrBudget
from sealproof.attacks.adversarial.contract.oracle import OutOfQueriesError
from sealproof.attacks.testing import music_like
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio, Detection
from sealproof.detectors.slopes import Slope
from sealproof.detectors.spread_spectrum.scheme import SpreadSpectrumDetector
from sealproof.harness.cli.main import main
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.matrix.quality.audibility import audibility
from sealproof.harness.pytest_plugin.adversaries import gated
from sealproof.harness.studies.adversaries import study as study_module
from sealproof.harness.studies.adversaries.judging.checks import (
    linear_excess_db,
    planted_excess_db,
    run_checks,
    stubborn_finds,
    unreliable_cells,
    worst_slope,
)
from sealproof.harness.studies.adversaries.output.page import filled_page
from sealproof.harness.studies.adversaries.output.rows import adversary_rows
from sealproof.harness.studies.adversaries.output.write import CHECKS, ROBUST, table, write_study
from sealproof.harness.studies.adversaries.plan import plan
from sealproof.harness.studies.adversaries.request import AdversaryRequest, preset
from sealproof.harness.studies.adversaries.study import Study, fight_all
from sealproof.harness.studies.adversaries.target.controls import control_changes
from sealproof.harness.studies.adversaries.target.mask import MaskBudget, parse_budget
from sealproof.harness.studies.adversaries.target.oracle import DetectorOracle
from sealproof.harness.studies.adversaries.target.surrogates import SurrogateSource, scheme_source
from sealproof.harness.tables.dictionary.columns import ADVERSARY

SMALL = AdversaryRequest(
    adversaries=("white_box.15steps", "hsja.low", "mean_mark", "universal.4steps"),
    budgets=("snr20", "snr40"),
    rules=("fixed", "fpr_1pct"),
    queries=150,
    n_clips=4,
    n_query_clips=2,
    controls=False,
)


@pytest.fixture(scope="module")
def study(bench_dataset: Dataset) -> Study:
    return fight_all(bench_dataset, SMALL)


@pytest.fixture(scope="module")
def written(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("adversary")
    write_study(study, out)
    return out


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_white_box_turns_every_clip_of_spread_spectrum_and_noise_turns_none(written: Path) -> None:
    rows = [row for row in read(written / ADVERSARY) if row["adversary"] == "white_box.15steps"]
    for direction in ("removal", "forgery"):
        own = {(row["budget"], row["metric"]): row for row in rows if row["direction"] == direction}
        assert float(own["snr20", "success"]["value"]) == 1
        assert float(own["snr20", "control_white_noise"]["value"]) == 0
        assert float(own["snr20", "net_success_white_noise"]["value"]) == 1
        assert float(own["snr20+snr40", "least_distortion_db"]["value"]) > 40
        assert float(own["snr20+snr40", "left_out"]["value"]) >= 0


def test_a_rule_without_a_threshold_is_not_attacked(study: Study) -> None:
    """48 pairs have too few clean calibration clips for 1 % false positives."""
    assert set(study.thresholds) == {"fixed"}
    assert {result.cell.rule for result in study.results} == {"fixed"}


def test_every_check_of_an_honest_study_passes(study: Study) -> None:
    checks = run_checks(study.arena, study.results)
    assert [check for check in checks if not check.passed] == []
    assert {check.number for check in checks} >= {1, 2, 3, 4, 5, 6, 7, 8, 9}


def test_what_is_done_is_not_done_again(study: Study, bench_dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    from sealproof.harness.studies.adversaries.arena import Arena

    monkeypatch.setattr(Arena, "fight", lambda *_: pytest.fail("A finished block was fought again."))
    again = fight_all(bench_dataset, SMALL)
    assert all(result.was_stored for result in again.results)
    for before, after in zip(study.results, again.results, strict=True):
        assert before.fought is not None
        assert after.fought is not None
        assert np.array_equal(before.fought.success, after.fought.success)
        assert np.array_equal(before.fought.least_snr_db, after.fought.least_snr_db)


def test_another_limit_of_questions_is_another_cell(study: Study, bench_dataset: Dataset) -> None:
    from sealproof.harness.studies.adversaries.store import FoughtStore

    store = FoughtStore(bench_dataset, study.arena.subject)
    result = study.results[0]
    other = replace(result.cell, limit=result.cell.limit + 1)
    assert store.get(result.cell, result.pairs) is not None
    assert store.get(other, result.pairs) is None


def test_a_surrogate_that_is_a_copy_transfers_and_its_fidelity_stands_beside_it(
    bench_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = scheme_source(get_scheme("spread_spectrum"))
    assert copy is not None
    monkeypatch.setattr(study_module, "surrogates_of", lambda *_: [replace(copy, name="copy", access="scores")])
    request = replace(
        SMALL, adversaries=("transfer.6steps.1copies", "transfer_ray.6steps.1copies"), budgets=("snr20",), n_clips=3
    )
    write_study(fight_all(bench_dataset, request), tmp_path)
    rows = read(tmp_path / "adversary_fidelity.csv")
    assert {(row["surrogate"], row["access"], row["direction"]) for row in rows} == {
        ("copy", "scores", "removal"), ("copy", "scores", "forgery")
    }  # fmt: skip
    assert {float(row["agreement"]) for row in rows} == {1.0}
    assert {float(row["success"]) for row in rows} == {1.0}
    assert (tmp_path / "adversary_fidelity.png").read_bytes()[:4] == b"\x89PNG"
    rays = [row for row in read(tmp_path / ADVERSARY) if row["adversary"].startswith("transfer_ray")]
    assert max(float(row["value"]) for row in rays if row["metric"] == "questions") <= 10


def test_a_damaged_block_is_fought_again(study: Study, bench_dataset: Dataset, tmp_path: Path) -> None:
    import shutil

    from sealproof.harness.studies.adversaries.store import FoughtStore

    copy = Dataset.open(shutil.copytree(bench_dataset.root, tmp_path / "copy"))
    store, result = FoughtStore(copy, study.arena.subject), study.results[0]
    [path] = (copy.root / "adversaries" / result.cell.id).glob("*.npz")
    path.write_bytes(path.read_bytes()[:200])
    assert store.get(result.cell, result.pairs) is None
    assert not path.exists()


def test_numbers_of_budgets_of_two_norms_can_be_told_apart(bench_dataset: Dataset) -> None:
    request = replace(SMALL, adversaries=("white_box.15steps", "universal.4steps"), budgets=("snr20", "snr40", "mask"),
                      n_clips=2)  # fmt: skip
    study = fight_all(bench_dataset, request)
    rows = adversary_rows("set", 0, study.results, {})
    keys = [(row.adversary, row.surrogate, row.direction, row.budget, row.rule, row.metric) for row in rows]
    assert len(set(keys)) == len(keys)
    least = [row for row in rows if row.metric == "least_distortion_db" and row.direction == "removal"]
    assert {row.budget for row in least} == {"snr20+snr40", "mask"}
    assert len(gated(rows)) == sum(row.metric in ("success", "least_distortion_db") for row in rows)
    header, lines = table(rows)
    assert header[4:] == ["snr20", "snr40", "mask", "least dB", "questions"]
    [box] = [line for line in lines if line[0] == "white_box.15steps" and line[2] == "removal"]
    assert box[7] == f"{max(row.value for row in least if row.value is not None):.1f}"


def test_an_adversary_that_lacks_something_is_a_row_that_says_so(bench_dataset: Dataset, tmp_path: Path) -> None:
    request = replace(SMALL, adversaries=("nes.frames.low",), budgets=("snr30",), n_query_clips=1)
    write_study(fight_all(bench_dataset, request), tmp_path)
    rows = read(tmp_path / ADVERSARY)
    assert {(row["status"], row["value"]) for row in rows} == {("failed", "")}
    assert all("probabilities over time, which this detector does not give" in row["note"] for row in rows)


def test_a_white_box_that_is_beaten_by_one_who_knows_less_has_no_number(study: Study, tmp_path: Path) -> None:
    box = next(each for each in study.results if each.cell.adversary.name == "white_box")
    assert box.fought is not None
    weak = replace(box.fought, success=np.zeros_like(box.fought.success))
    results = tuple(replace(each, fought=weak) if each is box else each for each in study.results)
    written = write_study(replace(study, results=results), tmp_path)
    assert any(check.number == 5 and not check.passed for check in written.checks)
    rows = [row for row in read(tmp_path / ADVERSARY) if row["adversary"] == box.cell.adversary.id]
    own = [row for row in rows if row["direction"] == box.cell.direction]
    assert {row["status"] for row in own} == {"unreliable"}
    assert {row["value"] for row in own} == {""}
    assert all("check 5 failed" in row["note"] for row in own)


def test_a_wrong_gradient_is_found_out() -> None:
    detector = SpreadSpectrumDetector(0)
    audio = music_like(2, 8000, 16_000)

    def wrong(batch: Audio, threshold: float, is_to_flag: bool) -> Slope:
        found = detector.slope(batch, threshold, is_to_flag)
        return replace(found, gradient=1.1 * found.gradient)

    def none(batch: Audio, threshold: float, is_to_flag: bool) -> Slope:
        found = detector.slope(batch, threshold, is_to_flag)
        return replace(found, gradient=0 * found.gradient)

    assert worst_slope(detector.slope, audio, 4.0, True) < 0.01
    assert worst_slope(wrong, audio, 4.0, True) > 0.05
    assert worst_slope(none, audio, 4.0, True) == np.inf


def test_toys_tell_a_good_adversary_from_one_that_asks_too_little() -> None:
    assert linear_excess_db(get_adversary("white_box"), "removal") < 0.1
    assert linear_excess_db(get_adversary("white_box.4steps"), "removal") > linear_excess_db(
        get_adversary("white_box"), "removal"
    )
    assert stubborn_finds(get_adversary("hsja.all"), "forgery") == 0
    assert stubborn_finds(get_adversary("nes.frames.low"), "removal") == 0
    assert planted_excess_db(get_adversary("boundary.low"), "removal") <= 0


def test_a_failed_check_takes_the_numbers_of_its_cells_alone(study: Study) -> None:
    checks = run_checks(study.arena, study.results)
    broken = [replace(check, passed=check.number != 3) for check in checks]
    reasons = unreliable_cells(broken)
    assert set(reasons) == {cell for check in checks if check.number == 3 for cell in check.cells.split()}


def test_robust_accuracy_falls_with_the_budget_and_below_the_catalogues(written: Path) -> None:
    rows = read(written / ROBUST)
    together = [row for row in rows if row["attacks"] == "catalogue and adversaries"]
    for label in ("clean", "watermarked"):
        values = [float(row["value"]) for row in together if row["label"] == label]
        assert values == sorted(values, reverse=True)
        assert values[0] > values[-1] == 0


def test_the_oracle_hears_files_and_counts_every_answer() -> None:
    heard: list[Audio] = []

    class Spy:
        name, sample_rate, threshold = "spy", 16_000, 0.5

        def detect(self, batch: Audio) -> Detection:
            heard.append(batch)
            return Detection(np.abs(batch).max(axis=1).astype(np.float32))

    oracle = DetectorOracle(Spy(), 0.5, 2, 3)
    audio = np.full((2, 10), 0.3 + 1e-6, np.float32)
    assert not oracle.decide(audio, np.array([0, 1])).any()
    assert np.array_equal(heard[0] * 32768, np.rint(heard[0] * 32768))
    oracle.score(np.concatenate([audio, audio])[:2], np.array([0, 0]))
    assert oracle.answered.tolist() == [3, 1]
    with pytest.raises(OutOfQueriesError):
        oracle.decide(audio, np.array([1, 0]))
    assert oracle.answered.tolist() == [3, 1]
    assert not oracle.has_gradient
    assert not oracle.has_frames


def test_a_change_on_the_edge_of_the_mask_budget_has_that_noise_to_mask_ratio() -> None:
    clips = music_like(3, 8000, 16_000)
    ball, who = MaskBudget().ball(clips, 16_000), np.arange(3)
    noise = np.random.default_rng(0).standard_normal(clips.shape)
    change = ball.project(who, noise)
    assert np.allclose(ball.size(who, change), 1)
    found = audibility(clips, (clips + change).astype(np.float32), 16_000)
    assert np.allclose(found.nmr_db, -10, atol=0.05)
    assert np.allclose(ball.size(who, 3 * change), 3)
    # Where the clip masks it a change may be louder than white noise may.
    hidden = ball.steepest(who, noise)
    assert np.allclose(ball.size(who, hidden), 1)
    assert (np.linalg.norm(hidden, axis=1) > 1.5 * np.linalg.norm(change, axis=1)).all()


def test_controls_are_as_long_as_they_shall_be() -> None:
    rng = np.random.default_rng(0)
    changes, levels = rng.standard_normal((4, 100)), np.array([1.0, 2.0, 3.0, 4.0])
    made = control_changes(changes, levels, [np.random.default_rng(index) for index in range(4)])
    for control in made.values():
        assert np.allclose(np.linalg.norm(control, axis=1), levels)
    assert np.allclose(
        np.abs(np.fft.rfft(made["scrambled_phases"][0]))[1:-1] / np.abs(np.fft.rfft(changes[0]))[1:-1],
        levels[0] / np.linalg.norm(changes[0]),
        rtol=0.2,
    )
    assert np.allclose(np.corrcoef(made["other_clip"][0], changes[2])[0, 1], 1)


@pytest.mark.parametrize(
    ("text", "budget"),
    [("snr30", SnrBudget(30)), ("linf", PeakBudget()), ("linf8", PeakBudget(8)), ("mask-15", MaskBudget(-15))],
)
def test_budgets_are_read_from_text(text: str, budget: object) -> None:
    assert parse_budget(text) == budget


@pytest.mark.parametrize("text", ["30db", "snr", "linf0", "masked", ""])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="--budget must be like snr30"):
        parse_budget(text)


def test_surrogates_go_to_those_who_need_them() -> None:
    def source(name: str) -> SurrogateSource:
        return SurrogateSource(name, "labels", "1", lambda: pytest.fail("A plan loads nothing."))

    request = AdversaryRequest(budgets=("snr20", "snr30", "mask"))
    cells = plan("toy", request, {"fixed": 0.5}, [source("weights"), source("mimic")])
    by_name: dict[str, list[Any]] = {}
    for cell in cells:
        by_name.setdefault(cell.adversary.name, []).append(cell)
    assert set(by_name) == set(list_adversaries())
    assert {cell.surrogate_name for cell in by_name["transfer"]} == {"mimic"}
    assert {cell.surrogate_name for cell in by_name["universal"]} == {"mimic", "weights"}
    assert {cell.surrogate_name for cell in by_name["hsja"]} == {""}
    # The least change is sought once for all SNR budgets; who follows gradients does so for each kind.
    assert {tuple(budget.name for budget in cell.budgets) for cell in by_name["white_box"]} == {
        ("snr20", "snr30"), ("mask",)
    }  # fmt: skip
    assert {len(cell.budgets) for cell in by_name["hsja"]} == {3}
    assert {cell.n_clips for cell in by_name["hsja"]} == {24}
    assert len({cell.id for cell in cells}) == len(cells)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"queries": 0}, "--queries must be at least 1"),
        ({"rules": ("best",)}, "--rules must be some of"),
        ({"budgets": ()}, "--budget must name at least one"),
    ],
)
def test_impossible_requests_are_refused(change: Mapping[str, Any], complaint: str) -> None:
    with pytest.raises(HarnessError, match=complaint):
        replace(SMALL, **change)


def test_a_preset_that_is_none_is_refused() -> None:
    with pytest.raises(HarnessError, match="--preset must be one of quick, full"):
        preset("slow")


def test_the_command_writes_its_files_and_says_what_came_of_it(
    bench_dataset: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["--adversaries", "mean_mark", "--budget", "snr20", "--clips", "2", "--no-controls", "--out", str(tmp_path)]
    assert main(["adversary", str(bench_dataset.root), *asked]) == 0
    said = capsys.readouterr().out
    assert "mean_mark" in said
    assert {path.name for path in tmp_path.iterdir()} == {
        ADVERSARY, CHECKS, ROBUST, "adversary.md", "adversary.png"
    }  # fmt: skip


def test_an_unknown_adversary_is_refused_in_one_line(
    bench_dataset: Dataset, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["adversary", str(bench_dataset.root), "--adversaries", "hjsa"]) == 2
    assert "Did you mean 'hsja'?" in capsys.readouterr().err


def test_the_reference_is_asked_as_it_would_be_in_a_file() -> None:
    """What a scheme's detector says through the oracle is what it says of the written file."""
    detector = get_scheme("spread_spectrum").detector
    clips = music_like(2, 8000, 16_000)
    oracle = DetectorOracle(detector, 4.0, 2, 5)
    as_file = (np.rint(clips * 32768) / 32768).astype(np.float32)
    assert np.array_equal(oracle.score(clips, np.arange(2)), detector.detect(as_file).score.astype(np.float64))


def test_the_page_on_adversaries_lists_those_that_there_are() -> None:

    path = Path(__file__).parents[4] / "docs/adversaries.md"
    text = path.read_text(encoding="utf-8")
    assert filled_page(text) == text, (
        'run: python -c "from pathlib import Path; from sealproof.harness.studies.adversaries.output.page import '
        "filled_page; p = Path('docs/adversaries.md'); p.write_text(filled_page(p.read_text()))\""
    )
