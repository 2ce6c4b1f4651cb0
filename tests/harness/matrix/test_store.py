import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.attacks import get_attack
from sealproof.detectors.base import DetectorError
from sealproof.harness.matrix import store as store_module
from sealproof.harness.matrix.cell import Cell
from sealproof.harness.matrix.outcome import Measured, Scores
from sealproof.harness.matrix.quality.waveform import WAVEFORM_METRICS
from sealproof.harness.matrix.store import CellStore, check_cells
from sealproof.harness.matrix.subject import Subject

Floats = NDArray[np.float64]

CELL = Cell("spread_spectrum", get_attack("identity"), 0, "test", ("clean", "watermarked"), "a" * 64)


def nothing() -> None:
    raise AssertionError("the store must not load a detector")


def subject(name: str = "detector", version: str = "1") -> Subject:
    return Subject(name, "mimic", version, nothing)  # type: ignore[arg-type]  # never called


def scores() -> Scores:
    rng = np.random.default_rng(0)
    return Scores(
        rng.normal(size=(2, 3)).astype(np.float32),
        rng.integers(0, 2, (2, 3, 4), dtype=np.uint8),
        4.0,
        1.25,
        rng.uniform(size=(2, 3)).astype(np.float32),
        np.array([[np.nan] * 3, [0.25, 0, 1]]),
    )


def measured(**quality: Floats) -> Measured:
    known = dict.fromkeys(WAVEFORM_METRICS, np.array([[np.inf, np.nan, -3.5]] * 2))
    return Measured({**known, **quality}, np.array([[True, False, False]] * 2), '{"a": 1}', 2.5)


def same(found: Scores | None, kept: Scores) -> bool:
    return (
        found is not None
        and found.score.dtype == np.float32
        and np.array_equal(found.score, kept.score)
        and np.array_equal(found.bits, kept.bits)
        and np.array_equal(found.mean_probability, kept.mean_probability)
        and np.array_equal(found.frame_iou, kept.frame_iou, equal_nan=True)
        and (found.threshold, found.detect_s) == (kept.threshold, kept.detect_s)
    )


def entry(root: Path) -> Path:
    (path,) = root.glob("*/*.npz")
    return path


def test_an_entry_comes_back_as_it_was_put(tmp_path: Path) -> None:
    store, kept = CellStore(tmp_path), scores()
    store.put_scores(CELL, subject(), kept)
    store.put_measured(CELL, measured(si_sdr_db=np.array([[1.0, 2.0, 3.0]] * 2)))
    again = CellStore(tmp_path)
    assert same(again.scores(CELL, subject()), kept)
    found = again.measured(CELL)
    assert found is not None
    assert list(found.quality) == list(WAVEFORM_METRICS)
    assert np.array_equal(found.quality["snr_db"], np.array([[np.inf, np.nan, -3.5]] * 2), equal_nan=True)
    assert found.quality["si_sdr_db"].tolist() == [[1, 2, 3]] * 2
    assert found.is_noop.tolist() == [[True, False, False]] * 2
    assert (found.verification, found.attack_s) == ('{"a": 1}', 2.5)


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The versions of the packages behind slow metrics."""
    found = {"pesq": "1", "stoi": "1"}
    monkeypatch.setattr(store_module, "metric_version", found.__getitem__)
    return found


def test_slow_metrics_are_told_when_they_are_asked_for(tmp_path: Path, versions: dict[str, str]) -> None:
    store, values = CellStore(tmp_path), np.array([[4.5, np.nan, 1.0]] * 2)
    store.put_measured(CELL, measured())
    assert store.measured(CELL, ["pesq"]) is None
    store.put_measured(CELL, measured(pesq=values))
    assert store.measured(CELL, ["pesq", "stoi"]) is None
    found, plain = store.measured(CELL, ["pesq"]), store.measured(CELL)
    assert found is not None
    assert np.array_equal(found.quality["pesq"], values, equal_nan=True)
    assert plain is not None
    assert "pesq" not in plain.quality
    versions["pesq"] = "2"
    assert store.measured(CELL, ["pesq"]) is None


def test_nothing_was_put(tmp_path: Path) -> None:
    store = CellStore(tmp_path / "cells")
    assert store.measured(CELL) is None
    assert store.scores(CELL, subject()) is None
    assert store.failure(CELL) is None
    assert not (tmp_path / "cells").exists()


@pytest.mark.parametrize(
    "other",
    [
        Cell("spread_spectrum", get_attack("gain", gain_db=6), 0, "test", CELL.labels, CELL.clips_sha256),
        Cell("spread_spectrum", CELL.attack, 1, "test", CELL.labels, CELL.clips_sha256),
        Cell("spread_spectrum", CELL.attack, 0, "test", ("clean",), CELL.clips_sha256),
        Cell("spread_spectrum", CELL.attack, 0, "test", CELL.labels, "b" * 64),
        Cell("spread_spectrum", CELL.attack, 0, "test", CELL.labels, CELL.clips_sha256, "c" * 64),
    ],
    ids=["attack", "seed", "labels", "clips", "knowledge"],
)
def test_another_cell_is_another_entry(other: Cell, tmp_path: Path) -> None:
    store = CellStore(tmp_path)
    store.put_scores(CELL, subject(), scores())
    assert other.key != CELL.key
    assert store.scores(other, subject()) is None


@pytest.mark.parametrize("other", [subject(version="2"), subject(name="other")], ids=["version", "name"])
def test_another_detector_is_another_entry(other: Subject, tmp_path: Path) -> None:
    store = CellStore(tmp_path)
    store.put_scores(CELL, subject(), scores())
    assert store.scores(CELL, other) is None
    assert store.scores(CELL, subject()) is not None


def test_damage_is_found_wherever_it_is_and_the_entry_is_gone(tmp_path: Path) -> None:
    store, kept = CellStore(tmp_path), scores()
    store.put_scores(CELL, subject(), kept)
    path = entry(tmp_path)
    whole = path.read_bytes()
    n_found = 0
    for position in range(0, len(whole), 3):
        for mask in (0x01, 0x08, 0xFF):
            damaged = bytearray(whole)
            damaged[position] ^= mask
            path.write_bytes(damaged)
            found = store.scores(CELL, subject())
            # Some bytes of a ZIP mean nothing: then the entry reads as it was.
            assert found is None or same(found, kept), (position, mask)
            assert path.exists() == (found is not None)
            n_found += found is None
    assert n_found > len(whole) // 2


def _npz(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]  # scalars become 0-d arrays
    return file.getvalue()


def _cut() -> bytes:
    whole = _npz(**scores().__dict__)
    return whole[: len(whole) // 2]


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", _cut(), _npz(score=np.zeros(3)), np.zeros(3).tobytes()],
    ids=["empty", "text", "cut off", "an array missing", "zeros"],
)
def test_what_is_no_entry_is_as_good_as_none(content: bytes, tmp_path: Path) -> None:
    store = CellStore(tmp_path)
    store.put_scores(CELL, subject(), scores())
    path = entry(tmp_path)
    path.write_bytes(content)
    assert store.scores(CELL, subject()) is None
    store.put_scores(CELL, subject(), scores())
    assert same(store.scores(CELL, subject()), scores())


@pytest.mark.parametrize(
    ("forged", "said"),
    [
        ({"score": np.full((2, 3), np.nan, np.float32)}, "'score' must be finite, and has 6 NaN or infinite values"),
        ({"score": np.zeros((2, 2), np.float32)}, "'bits' must be uint8 of shape (2, 2)"),
        (
            {"score": np.zeros((2, 3))},
            "'score' must be float32 of shape (2, 3), (labels, clips), and is float64 (2, 3)",
        ),
        ({"score": np.float32(1)}, "'score' must be float32"),
        ({"bits": np.full((2, 3, 4), 2, np.uint8)}, "'bits' must be 0 or 1"),
        ({"mean_probability": np.full((2, 3), 1.5, np.float32)}, "'mean_probability' must lie in 0 .. 1"),
        ({"frame_iou": np.full((2, 3), np.inf)}, "'frame_iou' must lie in 0 .. 1"),
        ({"threshold": np.nan}, "'threshold' must be one finite number"),
        ({"detect_s": -1.0}, "'detect_s' must not be negative"),
    ],
    ids=["NaN", "too few", "float64", "a number", "a bit of 2", "probability", "overlap", "threshold", "seconds"],
)
def test_forged_scores_are_found_by_check_and_never_used(forged: dict[str, object], said: str, tmp_path: Path) -> None:
    store = CellStore(tmp_path / "cells")
    store.put_scores(CELL, subject(), scores())
    assert check_cells(tmp_path / "cells") == []
    path = entry(tmp_path / "cells")
    path.write_bytes(_npz(**{**scores().__dict__, **forged}))
    (problem,) = check_cells(tmp_path / "cells")
    assert problem.startswith(f"cells/test-spread_spectrum-identity/{path.name} is no finished cell: {said}")
    assert store.scores(CELL, subject()) is None
    assert not path.exists()


def test_measured_values_of_a_wrong_shape_are_found_by_check_and_never_used(tmp_path: Path) -> None:
    store = CellStore(tmp_path / "cells")
    store.put_measured(CELL, measured(snr_db=np.zeros((2, 9))))
    (problem,) = check_cells(tmp_path / "cells")
    assert "'snr_db' must be float64 of shape (2, 3), (labels, clips), and is float64 (2, 9)" in problem
    assert store.measured(CELL) is None


def test_an_entry_of_another_number_of_clips_is_not_this_cells(tmp_path: Path) -> None:
    store = CellStore(tmp_path)
    store.put_scores(CELL, subject(), scores())
    assert store.scores(CELL, subject(), n_clips=3) is not None
    assert store.scores(CELL, subject(), n_clips=4) is None


def test_scores_that_cannot_be_kept_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DetectorError, match=r"detector must give scores that can be kept.*'threshold' must be one"):
        CellStore(tmp_path).put_scores(CELL, subject(), replace(scores(), threshold=np.nan))
    assert list(tmp_path.rglob("*.npz")) == []


def test_a_write_that_stops_midway_leaves_the_old_entry_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, kept = CellStore(tmp_path), scores()
    store.put_scores(CELL, subject(), kept)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.put_scores(CELL, subject(), replace(kept, score=kept.score + 1))
    assert same(store.scores(CELL, subject()), kept)
    assert list(tmp_path.rglob("*.tmp")) == []


def test_a_failure_is_kept_until_it_is_forgotten(tmp_path: Path) -> None:
    store = CellStore(tmp_path)
    store.put_failure(CELL, 'AttackError: "ü", line\nbreak')
    assert CellStore(tmp_path).failure(CELL) == 'AttackError: "ü", line\nbreak'
    assert store.measured(CELL) is None
    store.put_failure(CELL, None)
    store.put_failure(CELL, None)
    assert store.failure(CELL) is None
