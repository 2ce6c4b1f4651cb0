"""Gain changes the level by what it says; clipping clips as many samples as it says."""

import numpy as np
import pytest

from sealproof.attacks import get_attack
from sealproof.attacks.measure import level_change_db


@pytest.mark.parametrize("gain_db", [-60, -6, 0.5, 12, 60])
def test_gain_is_the_measured_change_of_level(run, music, gain_db):
    louder = run(get_attack("gain", gain_db=gain_db), music)
    np.testing.assert_allclose(level_change_db(music, louder), gain_db, atol=1e-4)


def test_gain_does_not_clip(run, music):
    assert np.abs(run(get_attack("gain.20db"), music)).max() == pytest.approx(5.0, rel=1e-5)


@pytest.mark.parametrize("percent", [0.01, 1, 5, 20, 99])
def test_clipping_clips_the_stated_share_to_a_symmetric_threshold(run, music, percent):
    clipped = run(get_attack("clipping", clipped_percent=percent), music)
    for before, after in zip(music, clipped, strict=True):
        changed = before != after
        assert changed.sum() == max(1, round(before.size * percent / 100))
        threshold = np.abs(after).max()
        assert np.all(np.abs(after[changed]) == threshold)
        assert np.all(np.sign(after[changed]) == np.sign(before[changed]))
        assert np.all(np.abs(before[~changed]) <= threshold)


def test_clipping_means_the_same_at_any_level(run, music):
    attack = get_attack("clipping.5percent")
    np.testing.assert_array_equal(run(attack, music * np.float32(0.125)), run(attack, music) * np.float32(0.125))
