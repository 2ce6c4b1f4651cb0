import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sealproof.detectors import Audio, DetectorError, get_scheme
from sealproof.detectors.spread_spectrum.mdct import imdct, mdct
from sealproof.detectors.spread_spectrum.scheme import (
    MARK_SNR_DB,
    Z_THRESHOLD,
    SpreadSpectrumScheme,
    nominal_false_positive_rate,
)


@pytest.fixture(scope="module")
def scheme() -> SpreadSpectrumScheme:
    return SpreadSpectrumScheme(key=42)


@pytest.fixture(scope="module")
def pairs(scheme: SpreadSpectrumScheme, music: Callable[..., Audio]) -> tuple[NDArray[Any], ...]:
    clips = music(96, seed=3)
    messages = np.random.default_rng(3).integers(0, 2, (len(clips), 16), dtype=np.uint8)
    return clips, scheme.watermarker.embed(clips, messages), messages


def energy_db(batch: NDArray[Any]) -> NDArray[Any]:
    return 10 * np.log10((batch.astype(np.float64) ** 2).sum(axis=1))


@pytest.mark.parametrize("samples", [1, 255, 256, 257, 1000])
def test_mdct_is_inverted_and_keeps_energy(samples: int) -> None:
    batch = np.random.default_rng(0).standard_normal((2, samples))
    coefficients = mdct(batch, 256)
    np.testing.assert_allclose(imdct(coefficients, samples), batch, atol=1e-12)
    np.testing.assert_allclose((coefficients**2).sum(axis=(1, 2)), (batch**2).sum(axis=1), rtol=1e-12)


def test_mark_has_the_stated_snr(pairs: tuple[NDArray[Any], ...]) -> None:
    clips, marked, _ = pairs
    snr_db = energy_db(clips) - energy_db(marked - clips)
    assert snr_db.min() > MARK_SNR_DB - 0.01
    assert np.median(snr_db) < MARK_SNR_DB + 0.5


def test_marks_are_found_and_messages_read(scheme: SpreadSpectrumScheme, pairs: tuple[NDArray[Any], ...]) -> None:
    _, marked, messages = pairs
    found = scheme.detector.detect(marked)
    assert (found.score > Z_THRESHOLD).all()
    assert np.mean(found.bits == messages) > 0.97


def test_marks_survive_noise_at_30_db(scheme: SpreadSpectrumScheme, pairs: tuple[NDArray[Any], ...]) -> None:
    _, marked, messages = pairs
    noise = np.random.default_rng(5).standard_normal(marked.shape)
    noise *= 10 ** ((energy_db(marked) - 30 - energy_db(noise)) / 20)[:, None]
    found = scheme.detector.detect((marked + noise).astype(np.float32))
    assert (found.score > Z_THRESHOLD).mean() > 0.95
    assert np.mean(found.bits == messages) > 0.9


def test_clean_scores_are_standard_normal(scheme: SpreadSpectrumScheme, pairs: tuple[NDArray[Any], ...]) -> None:
    clips, _, _ = pairs
    scores = np.concatenate([get_scheme("spread_spectrum", key=key).detector.detect(clips).score for key in range(4)])
    assert abs(scores.mean()) < 4 / math.sqrt(len(scores))
    assert 0.85 < scores.std() < 1.15
    assert scores.max() < Z_THRESHOLD


def test_another_key_finds_nothing(pairs: tuple[NDArray[Any], ...]) -> None:
    _, marked, _ = pairs
    scores = get_scheme("spread_spectrum", key=43).detector.detect(marked).score
    assert scores.max() < Z_THRESHOLD
    assert abs(scores.mean()) < 0.5


def test_an_offset_of_5_ms_loses_the_mark(scheme: SpreadSpectrumScheme, pairs: tuple[NDArray[Any], ...]) -> None:
    _, marked, _ = pairs
    assert scheme.detector.detect(np.roll(marked, 80, axis=1)).score.max() < Z_THRESHOLD


def test_gain_does_not_change_the_score(scheme: SpreadSpectrumScheme, pairs: tuple[NDArray[Any], ...]) -> None:
    _, marked, _ = pairs
    louder = scheme.detector.detect(marked * np.float32(0.25)).score
    np.testing.assert_allclose(louder, scheme.detector.detect(marked).score, atol=1e-3)


def test_silence_is_left_alone_and_scores_zero(scheme: SpreadSpectrumScheme) -> None:
    silence = np.zeros((1, 16_000), np.float32)
    marked = scheme.watermarker.embed(silence, np.ones((1, 16), np.uint8))
    np.testing.assert_array_equal(marked, silence)
    found = scheme.detector.detect(silence)
    assert found.score[0] == 0.0
    assert found.bits is not None
    assert not found.bits.any()


def test_the_first_frames_do_not_depend_on_the_length(
    scheme: SpreadSpectrumScheme, pairs: tuple[NDArray[Any], ...]
) -> None:
    """The carrier is drawn frame by frame: the first half of a marked clip is still marked."""
    _, marked, _ = pairs
    assert (scheme.detector.detect(marked[:, :8000].copy()).score > Z_THRESHOLD).mean() > 0.8


def test_nominal_false_positive_rate() -> None:
    assert nominal_false_positive_rate() == pytest.approx(3.167e-5, rel=1e-3)
    assert nominal_false_positive_rate(0.0) == 0.5


@pytest.mark.parametrize("key", [-1, 1.5, "7", True])
def test_wrong_keys_are_refused(key: bool | float | str) -> None:
    with pytest.raises(DetectorError, match="'key' of spread_spectrum must be an integer"):
        get_scheme("spread_spectrum", key=key)


def test_golden_scores(scheme: SpreadSpectrumScheme) -> None:
    """Numbers computed once, on input that only needs numpy's PCG64: a change here changes every stored result."""
    rng = np.random.default_rng(20240229)
    brown = np.cumsum(rng.standard_normal((3, 16_000)), axis=1)
    clips = (0.5 * brown / np.abs(brown).max(axis=1, keepdims=True)).astype(np.float32)
    messages = rng.integers(0, 2, (3, 16), dtype=np.uint8)
    marked = scheme.watermarker.embed(clips, messages)
    np.testing.assert_allclose(scheme.detector.detect(clips).score, GOLDEN_CLEAN, atol=1e-3)
    np.testing.assert_allclose(scheme.detector.detect(marked).score, GOLDEN_MARKED, atol=1e-3)


GOLDEN_CLEAN = [0.0198, 0.4107, -1.3504]
GOLDEN_MARKED = [17.7491, 18.4513, 15.9951]
