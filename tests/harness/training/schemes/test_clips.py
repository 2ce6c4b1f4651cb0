"""The clips a scheme is trained on: windows, levels, splits by recording."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.harness.corpora.base import ALL_CLIPS, Clip, Corpus, CorpusReport
from sealproof.harness.datasets.build import BuildRequest, build_dataset
from sealproof.harness.datasets.split import SPLIT_FRACTIONS
from sealproof.harness.foundation.audio.files import from_pcm, to_pcm
from sealproof.harness.foundation.errors import HarnessError
from sealproof.harness.training.schemes.clips import (
    draw_batch,
    draw_varied,
    draw_without_music,
    read_clips,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")

RATE = 16_000


def test_windows_are_stretches_of_clips_in_range() -> None:
    ramps = (np.arange(100) + 1000 * np.arange(1, 4)[:, None]).astype(np.int16)
    batch = draw_batch(ramps, 2000, 8, np.random.default_rng(0))
    assert batch.shape == (2000, 1, 8)
    assert batch.dtype == np.float32
    windows = batch[:, 0].astype(float)
    first = windows[:, 0] / ((windows[:, -1] - windows[:, 0]) / 7)
    clip, start = np.divmod(np.rint(first).astype(int), 1000)
    np.testing.assert_allclose(first, 1000 * clip + start, atol=0.3)
    assert set(clip) == {1, 2, 3}
    assert (start.min(), start.max()) == (0, 92)


def test_levels_of_windows() -> None:
    square = np.tile(np.array([16_384, -16_384], dtype=np.int16), (2, 50))
    levels = 20 * np.log10(np.abs(draw_batch(square, 4000, 20, np.random.default_rng(0))).max((1, 2)) / 0.5)
    assert -35 <= levels.min() < -30
    assert 5.5 < levels.max() <= 6
    assert (levels < -12).mean() == pytest.approx(0.1 * 23 / 41, abs=0.015)
    loud = np.full((1, 20), 32_767, np.int16)
    assert draw_batch(loud, 50, 20, np.random.default_rng(0)).max() == 1


def test_a_window_may_be_a_whole_clip(pcm: NDArray[np.int16]) -> None:
    assert draw_batch(pcm, 2, RATE, np.random.default_rng(0)).shape == (2, 1, RATE)


def test_draws_repeat_with_their_seed(pcm: NDArray[np.int16]) -> None:
    one, other = (draw_batch(pcm, 4, 800, np.random.default_rng(7)) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_without_music_there_is_silence_noise_or_a_tone() -> None:
    rng = np.random.default_rng(0)
    kinds = {"silence": 0, "noise": 0, "tone": 0}
    for _ in range(60):
        audio = draw_without_music(1600, rng)
        assert audio.shape == (1, 1600)
        assert audio.dtype == np.float32
        assert np.abs(audio).max() <= 1
        power = np.abs(np.fft.rfft(audio[0] * np.hanning(1600))) ** 2
        is_tone = power.any() and power.max() > 0.2 * power.sum()
        kinds["tone" if is_tone else "noise" if audio.any() else "silence"] += 1
    assert min(kinds.values()) > 10


def test_clips_are_split_as_a_build_splits_them(bench_corpus: Corpus, tmp_path: Path) -> None:
    request = BuildRequest(scheme="spread_spectrum", n_clips=24, seed=3)
    dataset, _ = build_dataset(bench_corpus, request, tmp_path / "data")
    clips = read_clips(bench_corpus, 24, 3)
    assert set(clips.pcm) == set(SPLIT_FRACTIONS)
    for split, audio in clips.pcm.items():
        pairs = dataset.split(split)
        assert clips.groups[split] == [pair.group for pair in pairs]
        np.testing.assert_array_equal(from_pcm(audio), dataset.audio([pair.clean for pair in pairs]))
    assert clips.description == {"kind": "bench", "seed": 3, "clips": 24}


class Uneven:
    """Recordings of one to twelve clips, the first clip of each before the second of any."""

    name = "uneven"

    def __init__(self, n_groups: int) -> None:
        self.n_groups = n_groups

    def description(self) -> dict[str, object]:
        return {"kind": "uneven"}

    def sources(self) -> dict[str, Path]:
        return {}

    def clips(self, n_clips: int, *, clip_s: float, seed: int, report: CorpusReport) -> Iterator[Clip]:
        del clip_s, seed, report
        order = [(rank, group) for rank in range(12) for group in range(self.n_groups) if rank <= group * 5 % 12]
        for rank, group in order[:n_clips]:
            yield Clip(f"{group:02d}-{rank:02d}", f"{group:02d}", f"{group:02d}", rank, np.zeros(4, np.int16))


def test_a_corpus_too_small_to_split_is_refused() -> None:
    with pytest.raises(HarnessError, match=r"at least one usable clip\. Got 0 clips taken"):
        read_clips(Uneven(0), 10, 0)
    with pytest.raises(HarnessError, match="at least 4 groups"):
        read_clips(Uneven(3), 10, 0)


def test_no_group_is_in_two_splits() -> None:
    groups = read_clips(Uneven(40), ALL_CLIPS, 0).groups
    assert sum(len(set(members)) for members in groups.values()) == 40


def test_varied_clips_are_faster_slower_and_mixed() -> None:
    time = np.arange(RATE) / RATE
    tones = to_pcm(np.stack([0.1 * np.sin(2 * np.pi * hz * time) for hz in (1000, 3000)]))
    rng = np.random.default_rng(0)
    drawn = draw_varied(tones, 64, 4000, 1.25, rng)[:, 0]
    assert drawn.shape == (64, 4000)
    spectra = np.abs(np.fft.rfft(drawn * np.hanning(4000)))
    hz = spectra.argmax(axis=1) * 4.0
    ratio = np.where(hz < 2000, hz / 1000, hz / 3000)
    assert ratio.min() > 0.79
    assert ratio.max() < 1.26
    assert ratio.std() > 0.08
    loud = [
        np.count_nonzero((row[1:-1] > 0.1 * row.max()) & (row[1:-1] > row[:-2]) & (row[1:-1] >= row[2:]))
        for row in spectra
    ]
    assert 0.25 < np.mean(np.array(loud) > 1) < 0.75
    whole = draw_varied(tones, 4, RATE - 1, 1.25, rng)
    assert whole.shape == (4, 1, RATE - 1)
