import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import Attack, get_attack
from sealproof.attacks.contract.chain import Chain
from sealproof.attacks.verification.verify import verify
from sealproof.detectors import Audio, Detection, DetectorError, get_scheme
from sealproof.harness.cli import main as cli
from sealproof.harness.datasets.dataset import Dataset, clips_sha256
from sealproof.harness.foundation.audio.files import write_wav
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.foundation.seeds import derive_seed
from sealproof.harness.matrix import attacking, store
from sealproof.harness.matrix import bench as run
from sealproof.harness.matrix.assembly import open_bench
from sealproof.harness.matrix.bench import Bench
from sealproof.harness.matrix.cell import Cell, matrix
from sealproof.harness.matrix.outcome import Outcome
from sealproof.harness.matrix.quality import claims
from sealproof.harness.matrix.quality.waveform import WAVEFORM_METRICS
from sealproof.harness.matrix.request import RunRequest
from sealproof.harness.matrix.store import CellStore
from sealproof.harness.matrix.subject import Subject, subjects_of

Copy = Callable[[str], Dataset]


class CountingDetector:
    """Scores by level; keeps all it was given."""

    sample_rate, threshold = 16_000, 0.1

    def __init__(self, name: str = "counting", refuses_length: int | None = None) -> None:
        self.name = name
        self.batches: list[Audio] = []
        self.n_loads = 0
        self._refuses_length = refuses_length

    def detect(self, batch: Audio) -> Detection:
        self.batches.append(batch.copy())
        if batch.shape[1] == self._refuses_length:
            raise DetectorError(f"The clips of {self.name} must not have {self._refuses_length} samples.")
        return Detection(np.abs(batch).mean(axis=1))

    def subject(self, version: str = "1", role: str = "mimic") -> Subject:
        def load() -> CountingDetector:
            self.n_loads += 1
            return self

        return Subject(self.name, role, version, load)


@dataclass(frozen=True, kw_only=True)
class Recording(Attack):
    """Adds a little noise, and notes what its seeds draw."""

    name = "recording"
    family = "noise"
    is_random = True
    drawn: ClassVar[list[tuple[bytes, float]]] = []

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        noise = rng.standard_normal(clip.size).astype(np.float32)
        self.drawn.append((clip.tobytes(), float(noise[0])))
        return clip + np.float32(0.01) * noise


@dataclass(frozen=True, kw_only=True)
class Idle(Attack):
    """Does nothing, and does not say so."""

    name = "idle"
    family = "noise"

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        return clip


@dataclass(frozen=True, kw_only=True)
class IdleOnce(Attack):
    """Leaves only some clips as they were."""

    name = "idle_once"
    family = "noise"
    keeps_polarity = False

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        return clip if clip[0] > 0 else -clip


class RightlyIdle(IdleOnce):
    """Leaves only some clips as they were, and says which."""

    name = "rightly_idle"

    def leaves_alone(self, before: Audio, sample_rate: int) -> NDArray[np.bool_]:
        return np.asarray(before[:, 0] > 0)


def reference() -> Subject:
    return subjects_of(get_scheme("spread_spectrum"), [])[0]


def bench(dataset: Dataset, subjects: Sequence[Subject], root: Path) -> Bench:
    return Bench(dataset, dataset.split("test"), subjects, CellStore(root))


def cell(dataset: Dataset, attack: Attack, seed: int = 0) -> Cell:
    return matrix(dataset, [attack], dataset.split("test"), seed=seed)[0]


def ok(outcome: Outcome) -> Outcome:
    assert outcome.error is None, outcome.error
    return outcome


def mtimes(root: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in root.rglob("*.npz")}


@pytest.mark.parametrize("attack_id", ["white_noise.20db", "mp3.32kbps", "speed.1.05x"])
def test_numbers_depend_neither_on_blocks_nor_on_threads(
    bench_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, attack_id: str
) -> None:
    the_cell = cell(bench_dataset, get_attack(attack_id))
    subjects = [reference(), CountingDetector().subject()]
    expected = ok(bench(bench_dataset, subjects, tmp_path / "usual").run(the_cell))
    assert expected.measured is not None
    n_pairs = len(bench_dataset.split("test"))
    assert n_pairs > 5
    for block, task, threads in ((1, 1, 1), (3, 2, 3), (5, 16, 2)):
        monkeypatch.setattr(run, "_BLOCK", block)
        for module in (run, attacking):
            monkeypatch.setattr(module, "_TASK", task)
            monkeypatch.setattr(module, "N_THREADS", threads)
        found = ok(bench(bench_dataset, subjects, tmp_path / str(block)).run(the_cell))
        for subject in subjects:
            assert found.scores[subject.name].score.shape == (2, n_pairs)
            assert np.array_equal(found.scores[subject.name].score, expected.scores[subject.name].score)
            assert np.array_equal(found.scores[subject.name].bits, expected.scores[subject.name].bits)
        assert found.measured is not None
        for metric, values in expected.measured.quality.items():
            assert np.allclose(found.measured.quality[metric], values, rtol=1e-6, equal_nan=True), metric
        assert np.array_equal(found.measured.is_noop, expected.measured.is_noop)


def test_rows_stand_where_their_clips_stand(
    bench_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "_BLOCK", 3)
    outcome = ok(bench(bench_dataset, [reference()], tmp_path).run(cell(bench_dataset, get_attack("identity"))))
    detector = get_scheme("spread_spectrum").detector
    for row, label in enumerate(("clean", "watermarked")):
        audio = bench_dataset.audio([getattr(pair, label) for pair in bench_dataset.split("test")])
        assert np.array_equal(outcome.scores["spread_spectrum"].score[row], detector.detect(audio).score)
    scores = outcome.scores["spread_spectrum"]
    assert scores.threshold == 4.0
    assert scores.score[0].max() < 4.0 < scores.score[1].min()
    assert outcome.measured is not None
    assert np.isposinf(outcome.measured.quality["snr_db"]).all()
    assert outcome.measured.is_noop.all()


def test_quality_is_what_the_attack_did_and_missing_where_audio_moved(bench_dataset: Dataset, tmp_path: Path) -> None:
    the_bench = bench(bench_dataset, [CountingDetector().subject()], tmp_path)

    def quality(attack: Attack) -> dict[str, NDArray[np.float64]]:
        found = ok(the_bench.run(cell(bench_dataset, attack))).measured
        assert found is not None
        assert tuple(found.quality) == WAVEFORM_METRICS
        return found.quality

    noisy = quality(get_attack("white_noise.20db"))
    assert np.allclose(noisy["snr_db"], 20, atol=1e-3)
    assert np.allclose(noisy["si_sdr_db"], 20, atol=0.5)
    louder = quality(get_attack("gain", gain_db=6))
    assert np.allclose(louder["log_spectral_distance_db"], 6, atol=0.1)
    assert louder["si_sdr_db"].min() > 100
    for attack in (get_attack("offset", offset_samples=100), get_attack("speed.1.05x")):
        assert all(np.isnan(values).all() for values in quality(attack).values())


@pytest.fixture
def slow_metric(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A stand-in for `pesq` that notes how many clips it was given, and says how loud they are."""
    given: list[int] = []

    def measure(metric: str, before: Audio, after: Audio, sample_rate: int) -> NDArray[np.float64]:
        assert (metric, sample_rate) == ("pesq", 16_000)
        given.append(len(before))
        return np.sqrt(np.mean(after.astype(np.float64) ** 2, axis=1))

    monkeypatch.setattr(run, "perceptual_quality", measure)
    monkeypatch.setattr(store, "metric_version", lambda metric: "1")
    return given


def test_slow_metrics_are_measured_of_a_few_clips_when_asked_for(
    bench_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow_metric: list[int]
) -> None:
    monkeypatch.setattr(run, "N_PAIRS", 2)
    monkeypatch.setattr(run, "_BLOCK", 4)
    pairs, seen = bench_dataset.split("test"), CountingDetector()
    asking = Bench(bench_dataset, pairs, [seen.subject()], CellStore(tmp_path), ["pesq"])
    louder = cell(bench_dataset, get_attack("gain", gain_db=6))
    outcome = ok(asking.run(louder))
    assert outcome.measured is not None
    values = outcome.measured.quality["pesq"]
    assert values.shape == (2, len(pairs))
    assert sum(slow_metric) == 4
    measured = ~np.isnan(values)
    assert np.array_equal(measured[0], measured[1])
    chosen = np.flatnonzero(measured[0])
    assert len({pairs[index].group for index in chosen}) == 2
    clean = bench_dataset.audio([pairs[index].clean for index in chosen])
    gain = 10 ** (6 / 20)
    assert np.allclose(values[0, chosen], gain * np.sqrt(np.mean(clean.astype(np.float64) ** 2, axis=1)), rtol=1e-5)
    # A second time it is in the store.
    ok(asking.run(louder))
    assert sum(slow_metric) == 4
    # The calibration clips are not attacked, and audio that moved cannot be compared.
    ok(asking.run(asking.calibration_cell(0)))
    ok(asking.run(cell(bench_dataset, get_attack("speed.1.05x"))))
    assert sum(slow_metric) == 4


def test_slow_metrics_can_come_later_without_scoring_again(
    bench_dataset: Dataset, tmp_path: Path, slow_metric: list[int]
) -> None:
    pairs, seen, louder = bench_dataset.split("test"), CountingDetector(), cell(bench_dataset, Recording())
    first = ok(Bench(bench_dataset, pairs, [seen.subject()], CellStore(tmp_path)).run(louder))
    asking = Bench(bench_dataset, pairs, [seen.subject()], CellStore(tmp_path), ["pesq"])
    assert asking.finished(louder) is None
    second = ok(asking.run(louder))
    assert len(seen.batches) == 1
    assert sum(slow_metric) == 2 * len(pairs)
    assert first.measured is not None
    assert second.measured is not None
    assert "pesq" not in first.measured.quality
    assert np.array_equal(first.measured.quality["snr_db"], second.measured.quality["snr_db"])


@dataclass(frozen=True, kw_only=True)
class HalfUnmarked(Attack):
    """Turns the polarity of one stretch and says that it carries no mark any more."""

    name = "half_unmarked"
    family = "noise"

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> tuple[Audio, dict[str, float]]:
        changed = clip.copy()
        changed[4000:8000] *= -1
        return changed, {"unmarked_from": 4000, "unmarked_to": 8000}


class Locating(CountingDetector):
    """Takes the first half of each clip for watermarked, in ten frames of which each is a probability."""

    frames_are_probabilities = True

    def detect(self, batch: Audio) -> Detection:
        frames = np.tile(np.repeat([0.9, 0.3], 5).astype(np.float32), (len(batch), 1))
        return Detection(frames.mean(axis=1), frames)


class Evidence(Locating):
    """Has the same frames, and does not say that they are probabilities."""

    frames_are_probabilities = False


def test_frames_that_are_probabilities_are_kept_as_their_mean_and_overlap(
    bench_dataset: Dataset, tmp_path: Path
) -> None:
    subjects = [Locating("locating").subject(), Evidence("evidence").subject()]
    the_bench, n_pairs = bench(bench_dataset, subjects, tmp_path), len(bench_dataset.split("test"))
    scores = ok(the_bench.run(cell(bench_dataset, HalfUnmarked()))).scores
    assert np.allclose(scores["locating"].mean_probability, np.full((2, n_pairs), 0.6))
    # Flagged are frames 0 to 4; frames 3 and 4 (of 1,600 samples; centres 5,600 and 7,200) and 2 (4,000) are unmarked.
    assert np.isnan(scores["locating"].frame_iou[0]).all()
    assert np.allclose(scores["locating"].frame_iou[1], 2 / 10)
    assert scores["evidence"].mean_probability.shape == (2, 0)
    assert np.isnan(scores["evidence"].frame_iou).all()
    chained = ok(the_bench.run(cell(bench_dataset, Chain(links=(HalfUnmarked(), get_attack("gain.6db"))))))
    assert np.allclose(chained.scores["locating"].frame_iou[1], 2 / 10)
    moved = ok(the_bench.run(cell(bench_dataset, Chain(links=(HalfUnmarked(), get_attack("reverse"))))))
    assert np.isnan(moved.scores["locating"].frame_iou).all()
    whole = ok(the_bench.run(cell(bench_dataset, get_attack("gain.6db"))))
    assert np.isnan(whole.scores["locating"].frame_iou).all()


def test_the_part_that_a_splice_leaves_is_found_again(mini_dataset: Dataset, tmp_path: Path) -> None:
    mini = subjects_of(get_scheme("audioseal_mini"), [])
    the_bench = bench(mini_dataset, mini, tmp_path)
    spliced = ok(the_bench.run(cell(mini_dataset, get_attack("splice.50percent")))).scores["audioseal_mini"]
    assert spliced.mean_probability.shape == spliced.score.shape
    assert np.isnan(spliced.frame_iou[0]).all()
    # By chance a detector that flags everything, or any half, gets 1/2 or 1/3.
    assert np.median(spliced.frame_iou[1]) > 0.6


def test_the_key_of_an_attack_that_knows_more_knows_the_watermarkers(
    bench_dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    aware, plain = get_attack("splice.50percent"), get_attack("gain.6db")

    def keys() -> tuple[str, str]:
        return cell(bench_dataset, aware).key, cell(bench_dataset, plain).key

    before = keys()
    assert keys() == before
    monkeypatch.setattr(type(get_scheme("perth")), "version", property(lambda self: "another"))
    assert keys()[0] != before[0]
    assert keys()[1] == before[1]


def test_twins_get_the_same_noise_and_other_clips_another(bench_dataset: Dataset, tmp_path: Path) -> None:
    seen = CountingDetector()
    Recording.drawn.clear()
    ok(bench(bench_dataset, [seen.subject()], tmp_path).run(cell(bench_dataset, Recording(), seed=7)))
    pairs = bench_dataset.split("test")
    rows = [*(pair.clean for pair in pairs), *(pair.watermarked for pair in pairs)]
    before = bench_dataset.audio(rows)
    drawn = dict(Recording.drawn)
    draws = [drawn[clip.tobytes()] for clip in before]
    assert draws[: len(pairs)] == draws[len(pairs) :]
    assert len(set(draws)) == len(pairs)
    expected = [np.random.default_rng(derive_seed(7, pair.clip_id, "recording")).standard_normal(1) for pair in pairs]
    assert np.allclose(draws[: len(pairs)], np.concatenate(expected))
    noise = seen.batches[0] - before
    assert np.abs(noise).max() > 0.02
    assert np.allclose(noise[: len(pairs)], noise[len(pairs) :], atol=1e-6)


def test_another_seed_is_another_noise(bench_dataset: Dataset, tmp_path: Path) -> None:
    seen = CountingDetector()
    the_bench = bench(bench_dataset, [seen.subject()], tmp_path)
    for seed in (0, 1):
        ok(the_bench.run(cell(bench_dataset, Recording(), seed=seed)))
    assert not np.array_equal(seen.batches[0], seen.batches[1])


def test_a_second_run_computes_nothing(bench_dataset: Dataset, tmp_path: Path) -> None:
    seen = CountingDetector()
    the_cell = cell(bench_dataset, Recording())
    first = ok(bench(bench_dataset, [seen.subject()], tmp_path).run(the_cell))
    assert (len(seen.batches), seen.n_loads > 0) == (1, True)
    Recording.drawn.clear()
    written = mtimes(tmp_path)
    again = CountingDetector()
    second = ok(bench(bench_dataset, [again.subject()], tmp_path).run(the_cell))
    assert (again.batches, again.n_loads, Recording.drawn) == ([], 0, [])
    assert mtimes(tmp_path) == written
    assert np.array_equal(first.scores["counting"].score, second.scores["counting"].score)
    assert first.scores["counting"].detect_s == second.scores["counting"].detect_s


def test_a_changed_mimic_is_scored_again_and_nothing_else(bench_dataset: Dataset, tmp_path: Path) -> None:
    kept, changed = CountingDetector("kept"), CountingDetector("changed")
    the_cell = cell(bench_dataset, Recording())
    ok(bench(bench_dataset, [kept.subject(), changed.subject("1")], tmp_path).run(the_cell))
    written = mtimes(tmp_path)
    ok(bench(bench_dataset, [kept.subject(), changed.subject("2")], tmp_path).run(the_cell))
    assert (len(kept.batches), len(changed.batches)) == (1, 2)
    assert np.array_equal(changed.batches[0], changed.batches[1])  # attacked with the same seeds
    kept_files = {path: time for path, time in mtimes(tmp_path).items() if "kept" in path}
    assert kept_files.items() <= written.items()


def test_a_damaged_entry_is_computed_again(bench_dataset: Dataset, tmp_path: Path) -> None:
    seen = CountingDetector()
    the_bench = bench(bench_dataset, [seen.subject()], tmp_path)
    the_cell = cell(bench_dataset, Recording())
    first = ok(the_bench.run(the_cell))
    for path in tmp_path.rglob("*.npz"):
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 0xFF
        path.write_bytes(content[:-1])
    assert the_bench.finished(the_cell) is None
    second = ok(the_bench.run(the_cell))
    assert len(seen.batches) == 2
    assert np.array_equal(first.scores["counting"].score, second.scores["counting"].score)


def test_a_failing_attack_fails_its_cell_only_and_is_tried_again(bench_dataset: Dataset, tmp_path: Path) -> None:
    seen = CountingDetector()
    the_bench = bench(bench_dataset, [seen.subject()], tmp_path)
    broken = cell(bench_dataset, get_attack("resample", via_hz=16_000))
    outcome = the_bench.run(broken)
    assert outcome.error is not None
    assert outcome.error.startswith("AttackError: The 'via_hz' of resample must be below")
    assert (outcome.measured, outcome.scores, mtimes(tmp_path)) == (None, {}, {})
    assert the_bench.store.failure(broken) == outcome.error
    assert the_bench.finished(broken) is None
    ok(the_bench.run(cell(bench_dataset, get_attack("gain", gain_db=6))))
    assert the_bench.run(broken).error == outcome.error


def test_a_failing_detector_fails_its_cell_only_until_it_works(bench_dataset: Dataset, tmp_path: Path) -> None:
    shortened = cell(bench_dataset, get_attack("speed.1.05x"))
    bad = CountingDetector(refuses_length=round(16_000 / 1.05))
    the_bench = bench(bench_dataset, [reference(), bad.subject()], tmp_path)
    outcome = the_bench.run(shortened)
    assert outcome.error == "DetectorError: The clips of counting must not have 15238 samples."
    ok(the_bench.run(cell(bench_dataset, get_attack("gain", gain_db=6))))
    mended = bench(bench_dataset, [reference(), CountingDetector().subject("2")], tmp_path)
    ok(mended.run(shortened))
    assert mended.store.failure(shortened) is None


@dataclass(frozen=True, kw_only=True)
class Buggy(Attack):
    """Divides by zero, as a plug-in may."""

    name = "buggy"
    family = "noise"

    def apply(self, clip: Audio, sample_rate: int, rng: np.random.Generator) -> Audio:
        return clip * (1 // (clip.size - clip.size))


def test_whatever_a_plug_in_raises_fails_its_cell_only(bench_dataset: Dataset, tmp_path: Path) -> None:
    class Broken(CountingDetector):
        def detect(self, batch: Audio) -> Detection:
            if batch.max() > 1:
                raise RuntimeError("out of range")
            return super().detect(batch)

    the_bench = bench(bench_dataset, [reference(), Broken("fragile").subject()], tmp_path)
    assert the_bench.run(cell(bench_dataset, Buggy())).error == (
        "AttackError: buggy failed: ZeroDivisionError: integer division or modulo by zero"
    )
    louder = the_bench.run(cell(bench_dataset, get_attack("gain", gain_db=20)))
    assert louder.error == "DetectorError: fragile failed: RuntimeError: out of range"
    ok(the_bench.run(cell(bench_dataset, get_attack("gain", gain_db=-6))))


def test_an_attack_without_recordings_to_draw_from_fails_its_cell_only(
    bench_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealproof.harness.datasets.attacker_knowledge.other_recordings", lambda dataset: [])
    outcome = bench(bench_dataset, [reference()], tmp_path).run(cell(bench_dataset, get_attack("splice.50percent")))
    assert str(outcome.error).startswith("AttackError: A watermark-aware attack needs training clips to draw from.")


def test_an_attack_that_does_nothing_fails(bench_dataset: Dataset, tmp_path: Path) -> None:
    seen = CountingDetector()
    outcome = bench(bench_dataset, [seen.subject()], tmp_path).run(cell(bench_dataset, Idle()))
    assert outcome.error == (
        "AttackError: idle does not do what it claims: "
        "is_noop of clean clips must be at most 0.05. Measured 1 (1 to 1). "
        "is_noop of watermarked clips must be at most 0.05. Measured 1 (1 to 1)."
    )
    assert mtimes(tmp_path) == {}


def test_an_attack_that_returns_half_of_the_clips_unchanged_fails_its_cell(
    bench_dataset: Dataset, tmp_path: Path
) -> None:
    outcome = bench(bench_dataset, [CountingDetector().subject()], tmp_path).run(cell(bench_dataset, IdleOnce()))
    assert re.search(r"is_noop of clean clips must be at most 0\.05\. Measured 0\.[3-7]", str(outcome.error))
    assert outcome.scores == {}


def test_what_measures_a_claim_and_breaks_fails_its_cell_only(bench_dataset: Dataset, tmp_path: Path) -> None:
    class Clumsy(IdleOnce):
        def evidence(self, before: Audio, after: Audio, sample_rate: int) -> dict[str, NDArray[np.float64]]:
            raise IndexError("out of bounds")

    outcome = bench(bench_dataset, [CountingDetector().subject()], tmp_path).run(cell(bench_dataset, Clumsy()))
    assert outcome.error == "AttackError: idle_once cannot be verified: IndexError: out of bounds"


def test_claims_are_verified_on_clips_of_all_recordings_and_of_either_label_alone(
    bench_dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "N_VERIFIED", 6)
    monkeypatch.setattr(run, "_BLOCK", 4)
    measured: list[tuple[Audio, list[bool]]] = []

    def seen(attack: Attack, before: Audio, *args: object, is_marked: NDArray[np.bool_], knowledge: None) -> object:
        measured.append((before, is_marked.tolist()))
        return verify(attack, before, *args, is_marked=is_marked, knowledge=knowledge)  # type: ignore[arg-type]

    monkeypatch.setattr(claims, "verify", seen)
    ok(bench(bench_dataset, [CountingDetector().subject()], tmp_path).run(cell(bench_dataset, get_attack("gain.6db"))))
    pairs = bench_dataset.split("test")
    before, is_marked = measured[-1]
    assert is_marked.count(False) == is_marked.count(True) == 6
    clean = bench_dataset.audio([pair.clean for pair in pairs])
    groups = {pair.group for pair, clip in zip(pairs, clean, strict=True) if (before == clip).all(axis=1).any()}
    assert len(groups) == min(6, len({pair.group for pair in pairs}))


def test_an_attack_that_leaves_some_clips_alone_says_which(bench_dataset: Dataset, tmp_path: Path) -> None:
    outcome = ok(bench(bench_dataset, [CountingDetector().subject()], tmp_path).run(cell(bench_dataset, RightlyIdle())))
    assert outcome.measured is not None
    noops = [each for each in json.loads(outcome.measured.verification)["verdicts"] if each["quantity"] == "is_noop"]
    assert [(each["label"], each["median"], each["status"]) for each in noops] == [
        ("clean", 0, "kept"),
        ("watermarked", 0, "kept"),
    ]
    assert all(each["n_unjudged"] > 0 for each in noops)
    pairs = bench_dataset.split("test")
    clean = bench_dataset.audio([pair.clean for pair in pairs])
    assert outcome.measured is not None
    assert np.array_equal(outcome.measured.is_noop[0], clean[:, 0] > 0)
    assert 0 < outcome.measured.is_noop.sum() < 2 * len(pairs)


def test_a_damaged_wav_ends_the_run(bench_copy: Copy, tmp_path: Path) -> None:
    dataset = bench_copy("damaged")
    pair = dataset.split("test")[0]
    write_wav(dataset.root / pair.clean.path, np.zeros(5, dtype=np.int16))
    with pytest.raises(HarnessError, match="sealproof check"):
        bench(dataset, [CountingDetector().subject()], tmp_path).run(cell(dataset, Recording()))


class Writing(CountingDetector):
    """Writes into its batch, as torch does where it is told to work in place."""

    def __init__(self, *, by_force: bool) -> None:
        super().__init__("writing")
        self._by_force = by_force

    def detect(self, batch: Audio) -> Detection:
        if self._by_force:
            batch.flags.writeable = True
        batch *= 0
        return super().detect(batch)


@pytest.mark.parametrize("by_force", [False, True])
def test_a_detector_that_writes_into_its_batch_changes_no_other_detectors_scores(
    bench_dataset: Dataset, tmp_path: Path, by_force: bool
) -> None:
    the_cell = cell(bench_dataset, Recording())
    alone = ok(bench(bench_dataset, [CountingDetector().subject()], tmp_path / "alone").run(the_cell))
    subjects = [Writing(by_force=by_force).subject(), CountingDetector().subject()]
    beside = bench(bench_dataset, subjects, tmp_path / "beside").run(the_cell)
    if by_force:
        assert np.array_equal(beside.scores["counting"].score, alone.scores["counting"].score)
    else:
        assert beside.error is not None
        assert "writing failed: ValueError: output array is read-only" in beside.error


def test_a_reference_of_another_sample_rate_fails_its_cells(bench_dataset: Dataset, tmp_path: Path) -> None:
    scheme = get_scheme("spread_spectrum")
    scheme.__dict__["detector"] = SimpleNamespace(name="other", sample_rate=44_100, threshold=0.0)
    outcome = bench(bench_dataset, subjects_of(scheme, []), tmp_path).run(cell(bench_dataset, Recording()))
    assert outcome.error is not None
    assert "The detector of spread_spectrum must take audio at 16000 Hz" in outcome.error


def test_wavs_that_are_not_the_manifests_stop_the_run_and_leave_nothing_in_the_store(
    bench_copy: Copy, bench_dataset: Dataset, tmp_path: Path
) -> None:
    dataset = bench_copy("replaced")
    pairs = dataset.split("test")
    for pair in pairs[: len(pairs) // 2]:
        shutil.copy(dataset.root / pair.clean.path, dataset.root / pair.watermarked.path)
    the_cell, store_root = cell(dataset, get_attack("identity")), tmp_path / "cells"
    with pytest.raises(HarnessError, match=rf"{re.escape(pairs[0].watermarked.path)} must have the sha256"):
        bench(dataset, [reference()], store_root).run(the_cell)
    assert list(store_root.rglob("*")) == []

    for pair in pairs:
        shutil.copy(bench_dataset.root / pair.watermarked.path, dataset.root / pair.watermarked.path)
    found = ok(bench(dataset, [reference()], store_root).run(the_cell)).scores["spread_spectrum"].score
    right = ok(bench(bench_dataset, [reference()], tmp_path / "right").run(cell(bench_dataset, the_cell.attack)))
    assert np.array_equal(found, right.scores["spread_spectrum"].score)


def test_the_calibration_cell_is_clean_clips_of_the_calibration_split(bench_dataset: Dataset, tmp_path: Path) -> None:
    seen = CountingDetector()
    the_bench = bench(bench_dataset, [seen.subject()], tmp_path)
    outcome = ok(the_bench.run(the_bench.calibration_cell(0)))
    expected = bench_dataset.audio([pair.clean for pair in bench_dataset.split("calibration")])
    (given,) = seen.batches
    assert np.array_equal(given, expected)
    assert outcome.scores["counting"].score.shape == (1, len(expected))


def test_a_cells_key_knows_the_clips_and_not_the_folder(bench_dataset: Dataset, bench_copy: Copy) -> None:
    attack = get_attack("gain", gain_db=6)
    assert cell(bench_copy("moved"), attack).key == cell(bench_dataset, attack).key
    pairs = bench_dataset.split("test")
    assert clips_sha256(pairs[:-1]) != clips_sha256(pairs)
    assert cell(bench_dataset, attack).id == "spread_spectrum-gain.6db"


def test_a_mimic_of_another_dataset_is_refused(bench_copy: Copy) -> None:
    dataset = bench_copy("foreign")
    folder = dataset.root / "mimics" / "cnn"
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(json.dumps({"split": "group", "model_sha256": "0", "dataset_sha256": "1"}))
    with pytest.raises(HarnessError, match="trained on this dataset"):
        open_bench(dataset, RunRequest())


def test_a_leaky_mimic_is_no_subject(bench_copy: Copy) -> None:
    dataset = bench_copy("leaky")
    for name, split in (("cnn", "group"), ("cnn-leaky", "leaky")):
        folder = dataset.root / "mimics" / name
        folder.mkdir(parents=True)
        card = {"split": split, "model_sha256": "0", "dataset_sha256": dataset.sha256}
        (folder / "card.json").write_text(json.dumps(card))
    subjects = open_bench(dataset, RunRequest()).subjects
    assert [(subject.name, subject.role) for subject in subjects] == [
        ("spread_spectrum", "reference"),
        ("cnn", "mimic"),
    ]


def test_a_selection_of_clips_is_spread_over_the_groups(bench_dataset: Dataset) -> None:
    groups = {pair.group for pair in bench_dataset.split("test")}
    chosen = open_bench(bench_dataset, RunRequest(n_clips=len(groups))).pairs
    assert {pair.group for pair in chosen} == groups
    assert len(chosen) == len(groups)
    assert chosen == open_bench(bench_dataset, RunRequest(n_clips=len(groups))).pairs
    with pytest.raises(HarnessError, match="--clips must be at least 1"):
        RunRequest(n_clips=0)


# --- the command ------------------------------------------------------------------------------------------------------


ATTACKS = "[attacks]\nwhite_noise = { snr_db = [30, 20, 10] }\ngain = { gain_db = [6, -6] }\n"

KILLED = """
import os, signal, sys
from sealproof.harness.cli import main as cli
calls = 0
real = os.fsync
def fsync(descriptor):
    global calls
    calls += 1
    if calls == {n}:
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)
os.fsync = fsync
sys.exit(cli.main(sys.argv[1:]))
"""


def test_a_killed_run_goes_on_where_it_was(
    bench_copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = bench_copy("killed")
    toml = tmp_path / "attacks.toml"
    toml.write_text(ATTACKS)
    command = ["run", str(dataset.root), "--attacks", str(toml), "--out", str(tmp_path / "out")]
    # Two files a cell, calibration first: the 8th file is the second one of white_noise.20db.
    done = subprocess.run([sys.executable, "-c", KILLED.format(n=8), *command], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    cells = dataset.root / "cells"
    written = mtimes(cells)
    assert len(written) == 7
    assert len(list(cells.rglob("*.tmp"))) == 1
    assert not (tmp_path / "out").exists()

    attacked: list[str] = []
    attack_block = Bench._attack_block

    def noting(self: Bench, a_cell: Cell, *rest: object, **options: object) -> object:
        attacked.append(a_cell.attack.id)
        return attack_block(self, a_cell, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Bench, "_attack_block", noting)
    assert cli.main(command) == 0
    assert attacked == ["white_noise.20db", "white_noise.10db", "gain.6db", "gain.-6db"]
    now = mtimes(cells)
    assert written.items() <= now.items()
    assert len(now) == 14
    assert "gain gain_db=6" in capsys.readouterr().out

    fresh = Dataset.open(bench_copy("fresh/killed").root)
    assert cli.main(["run", str(fresh.root), *command[2:-1], str(tmp_path / "fresh_out")]) == 0
    for name in ("summary.csv", "clips.csv", "summary.md"):
        assert (tmp_path / "fresh_out" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_failed_cells_are_rows_and_exit_code_1(
    bench_copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pandas as pd

    dataset = bench_copy("failing")
    toml = tmp_path / "attacks.toml"
    toml.write_text(
        "[attacks]\ngain = { gain_db = [6] }\nquantise = { bits = [16] }\nresample = { via_hz = [16000] }\n"
        "speed = { factor = [1.05] }\n"
    )
    detector = type(get_scheme("spread_spectrum").detector)
    detect = detector.detect

    def refusing(self: object, batch: Audio) -> Detection:
        if batch.shape[1] != 16_000:
            raise DetectorError("The clips must be 1 s.")
        return detect(self, batch)  # type: ignore[arg-type]

    monkeypatch.setattr(detector, "detect", refusing)
    command = ["run", str(dataset.root), "--attacks", str(toml), "--out", str(tmp_path / "out")]
    assert cli.main(command) == 1
    assert "3 of 5 cells failed" in capsys.readouterr().err
    table = pd.read_csv(tmp_path / "out/summary.csv", keep_default_na=False)
    failed = table[table["status"] == "failed"]
    assert failed["attack"].tolist() == ["quantise", "resample", "speed"]
    assert (failed["value"] == "").all()
    assert [error.split()[0] for error in failed["error"]] == ["AttackError:", "AttackError:", "DetectorError:"]
    assert "does not do what it claims" in failed["error"].iloc[0]
    fine = table[table["status"] == "ok"]
    assert set(fine["attack"]) == {"identity", "gain"}
    assert (fine["error"] == "").all()
    # What failed is run again, and what works by then is a row as every other.
    monkeypatch.setattr(detector, "detect", detect)
    assert cli.main(command) == 1
    assert "2 of 5 cells failed" in capsys.readouterr().err
    table = pd.read_csv(tmp_path / "out/summary.csv")
    assert table[table["attack"] == "speed"]["status"].isin(["ok", "no_threshold"]).all()


def test_a_run_ends_with_its_page_and_its_verdict(
    bench_copy: Copy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = bench_copy("reported")
    command = ["run", str(dataset.root), "--attacks", "identity,gain.6db,speed.1.05x", "--out", str(tmp_path / "out")]
    assert cli.main([*command, "--no-report"]) == 0
    assert not (tmp_path / "out/report.html").exists()
    assert capsys.readouterr().out.splitlines()[-1].startswith("Wrote ")
    assert cli.main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        f"Wrote {tmp_path / 'out/report.html'}: `spread_spectrum` judges at least 90 % of the clips right under 1 of "
        "2 attacks; under 1 it cannot be told from guessing."
    )
    assert (tmp_path / "out/report.html").read_text().startswith("<!doctype html>")
    assert (tmp_path / "out/report.md").is_file()


def test_no_thresholds_no_tables(
    bench_copy: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = bench_copy("uncalibrated")
    detector = type(get_scheme("spread_spectrum").detector)

    def refusing(self: object, batch: Audio) -> Detection:
        raise DetectorError("Not today.")

    monkeypatch.setattr(detector, "detect", refusing)
    toml = tmp_path / "attacks.toml"
    toml.write_text("[attacks]\ngain = { gain_db = [6] }\n")
    assert cli.main(["run", str(dataset.root), "--attacks", str(toml), "--out", str(tmp_path / "out")]) == 2
    assert "Not today." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
