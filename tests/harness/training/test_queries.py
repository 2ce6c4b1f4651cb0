"""What an imitator learns from: fair samples, the detector's own answers, nothing about other clips."""

from collections import Counter

import numpy as np
import pytest

from sealproof.attacks.selection import load_attacks
from sealproof.detectors import get_scheme
from sealproof.detectors.base import Audio, Detection
from sealproof.detectors.mimics import get_mimic_recipe
from sealproof.detectors.mimics.base import FrameRecipe
from sealproof.harness.datasets.dataset import Dataset
from sealproof.harness.training.mimics.altered import MIXTURE, altered_clips, attacked_clips
from sealproof.harness.training.mimics.mixtures import mixed_clips
from sealproof.harness.training.mimics.queries import Answers, ask, gather_answers, sure_distance

FRAME = 320


@pytest.fixture(scope="module")
def recipe() -> FrameRecipe:
    found = get_mimic_recipe("distilled_cnn")
    assert isinstance(found, FrameRecipe)
    return found


class InPlace:
    """A detector that works in place."""

    name, sample_rate, threshold = "in_place", 16_000, 0.0

    def detect(self, batch: Audio) -> Detection:
        batch *= 0
        return Detection(np.zeros(len(batch), np.float32))


def test_a_detector_cannot_change_what_a_mimic_learns_from(bench_dataset: Dataset) -> None:
    audio = bench_dataset.audio([pair.watermarked for pair in bench_dataset.split("train")[:2]])
    before = audio.copy()
    for question in (lambda: sure_distance(InPlace(), audio), lambda: ask(InPlace(), audio, FRAME, 1.0)):
        with pytest.raises(ValueError, match="read-only"):
            question()
    np.testing.assert_array_equal(audio, before)


def test_labels_are_the_truth_twin_beside_twin(mini_dataset: Dataset, recipe: FrameRecipe) -> None:
    pairs = mini_dataset.split("train")[:3]
    twins, attacked = gather_answers(mini_dataset, pairs, recipe, "labels", 100, 0)
    assert len(attacked.audio) == 0
    np.testing.assert_array_equal(twins.audio[3], mini_dataset.audio([pairs[1].watermarked])[0])
    np.testing.assert_array_equal(twins.targets, np.repeat([[0], [1]] * 3, 50, axis=1))


def test_scores_are_the_detectors_mean_probability_in_each_frame(mini_dataset: Dataset) -> None:
    detector = get_scheme("audioseal_mini").detector
    audio = mini_dataset.audio([pair.watermarked for pair in mini_dataset.split("train")[:2]])
    frames = detector.detect(audio).frames
    assert frames is not None
    found = ask(detector, audio, FRAME, 1.0).targets("scores")
    np.testing.assert_allclose(found, frames.reshape(2, 50, FRAME).mean(axis=2), atol=1e-6)


def test_the_last_frame_may_be_shorter(mini_dataset: Dataset) -> None:
    detector = get_scheme("audioseal_mini").detector
    audio = mini_dataset.audio([mini_dataset.split("train")[0].watermarked])[:, :1000]
    frames = detector.detect(audio).frames
    assert frames is not None
    found = ask(detector, audio, FRAME, 1.0).targets("scores")
    assert found.shape == (1, 4)
    np.testing.assert_allclose(found[0, -1], frames[0, 960:].mean(), atol=1e-6)
    np.testing.assert_allclose(found[0, 1], frames[0, 320:640].mean(), atol=1e-6)


def test_decisions_say_yes_or_no_and_nothing_more(mini_dataset: Dataset) -> None:
    detector = get_scheme("audioseal_mini").detector
    pairs = mini_dataset.split("train")[:4]
    audio = mini_dataset.audio([row for pair in pairs for row in (pair.clean, pair.watermarked)])
    says = detector.detect(audio).score > detector.threshold
    found = ask(detector, audio, FRAME, 1.0).targets("decisions")
    np.testing.assert_array_equal(found, np.repeat(says[:, None], 50, axis=1))


def test_a_clip_score_is_one_probability_on_the_detectors_side_of_a_half(mini_dataset: Dataset) -> None:
    detector = get_scheme("audioseal_mini").detector
    pairs = mini_dataset.split("train")[:4]
    audio = mini_dataset.audio([row for pair in pairs for row in (pair.clean, pair.watermarked)])
    replies = ask(detector, audio, FRAME, sure_distance(detector, audio))
    targets = replies.targets("clip_scores")
    assert (targets == targets[:, :1]).all()
    np.testing.assert_array_equal(targets[:, 0] > 0.5, replies.decisions)


def test_a_detector_without_probabilities_is_sure_far_from_its_threshold(bench_dataset: Dataset) -> None:
    detector = get_scheme("spread_spectrum").detector
    pairs = bench_dataset.split("train")
    audio = bench_dataset.audio([row for pair in pairs for row in (pair.clean, pair.watermarked)])
    scores = detector.detect(audio).score
    targets = ask(detector, audio, FRAME, sure_distance(detector, audio)).targets("scores")
    assert (targets == targets[:, :1]).all()
    np.testing.assert_array_equal(np.argsort(targets[:, 0], kind="stable"), np.argsort(scores, kind="stable"))
    np.testing.assert_array_equal(targets[:, 0] > 0.5, scores > detector.threshold)
    assert np.median(np.abs(targets - 0.5)) == pytest.approx(0.482, abs=0.01)


def test_attacked_clips_are_a_fair_sample_of_the_preset(bench_dataset: Dataset) -> None:
    pairs = bench_dataset.split("train")
    n = 400
    found = attacked_clips(bench_dataset, pairs, n, 0)
    assert found.audio.shape == (n, 16_000)
    assert np.isfinite(found.audio).all()
    known = {attack.id for attack in load_attacks("standard")}
    counts = Counter(found.attacks)
    assert set(counts) <= known
    assert len(counts) > 0.8 * len(known)
    assert not any(name.startswith(("reembed", "collude")) for name in counts)
    # A first part of it is fair as well, and half of it watermarked.
    assert len(set(found.attacks[:100])) > 60
    assert 30 <= np.count_nonzero(found.is_marked[:100]) <= 70


def test_altered_clips_depend_on_the_seed_and_not_on_how_many_there_are(bench_dataset: Dataset) -> None:
    pairs = bench_dataset.split("train")
    attacks = load_attacks("white_noise.20db,gain.6db,time_stretch.1.1x")[1:]
    many = altered_clips(bench_dataset, pairs, 40, 0, attacks)
    few = altered_clips(bench_dataset, pairs, 17, 0, attacks)
    other = altered_clips(bench_dataset, pairs, 17, 1, attacks)
    np.testing.assert_array_equal(few.audio, many.audio[:17])
    np.testing.assert_array_equal(few.is_marked, many.is_marked[:17])
    assert few.attacks == many.attacks[:17]
    assert few.attacks != other.attacks
    assert Counter(many.attacks)[MIXTURE] == 13
    assert set(many.attacks) == {MIXTURE, *(attack.id for attack in attacks)}


def test_an_altered_clip_is_marked_where_the_clip_was(bench_dataset: Dataset) -> None:
    pairs = bench_dataset.split("train")
    found = altered_clips(bench_dataset, pairs, 30, 0, load_attacks("gain.6db")[1:])
    raised = [at for at, name in enumerate(found.attacks) if name == "gain.6db"]
    marked = bench_dataset.audio([pair.watermarked for pair in pairs]) * 10 ** (6 / 20)
    for at in raised:
        nearest = np.abs(marked - found.audio[at].astype(np.float32)).max(axis=1).min()
        assert (nearest < 1e-3) == found.is_marked[at]


def test_mixtures_are_a_training_clip_with_another_on_top(bench_dataset: Dataset) -> None:
    pairs = bench_dataset.split("train")[:1]
    clean, marked = bench_dataset.audio([pairs[0].clean, pairs[0].watermarked]).astype(np.float64)
    mixtures, is_marked = mixed_clips(bench_dataset, pairs, 24, 0)
    found = mixtures.astype(np.float64)
    assert np.abs(found).max() <= 1
    which, levels_db = [], []
    for mixture in found:
        # What is on top is the same clip from somewhere else on: the second peak of the correlation.
        alike = np.fft.irfft(np.fft.rfft(clean) * np.fft.rfft(mixture).conj())
        whitened = np.fft.irfft(np.exp(1j * np.angle(np.fft.rfft(alike))))
        start = 1 + int(np.argmax(whitened[1:]))
        fits = [np.linalg.lstsq(np.stack([host, np.roll(clean, -start)], 1), mixture) for host in (clean, marked)]
        which.append(int(np.argmin([fit[1][0] for fit in fits])))
        gains = fits[which[-1]][0]
        levels_db.append(20 * np.log10(gains[1] / gains[0]))
        assert fits[which[-1]][1][0] < 1e-5 * np.sum(mixture**2)
    assert which == is_marked.astype(int).tolist()
    assert 4 <= sum(which) <= 20
    assert -15.1 < min(levels_db) < -8
    assert -3 < max(levels_db) < 3.1


def test_a_first_part_is_a_first_part() -> None:
    answers = Answers(np.arange(12, dtype=np.float32).reshape(4, 3), np.zeros((4, 1), np.float32))
    assert answers.first(2).audio.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert len(answers.first(2).targets) == 2
