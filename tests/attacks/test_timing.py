"""Offset delays by exactly n samples; time stretch moves events and keeps pitch."""

import numpy as np
import pytest

from sealproof.attacks import get_attack
from sealproof.attacks.measure import lag_samples


@pytest.mark.parametrize("delay", [1, 10, 100, 800, 4000])
def test_offset_delays_by_exactly_n_samples(run, music, delay):
    out = run(get_attack("offset", offset_samples=delay), music)
    assert not out[:, :delay].any()
    assert np.array_equal(out[:, delay:], music[:, :-delay])
    assert (lag_samples(music, out, 5000) == delay).all()


@pytest.mark.parametrize("delay", [16_000, 20_000])
def test_an_offset_as_long_as_the_clip_leaves_silence(run, music, delay):
    assert not run(get_attack("offset", offset_samples=delay), music).any()


@pytest.mark.parametrize("factor", [0.5, 0.9, 0.99, 1.01, 1.1, 2])
def test_time_stretch_keeps_the_pitch_and_changes_the_length(run, tone, peak_hz, factor):
    out = run(get_attack("time_stretch", factor=factor), tone(1000.0))
    assert out.shape == (1, round(16_000 / factor))
    assert peak_hz(out[0]) == pytest.approx(1000, rel=3e-3)


@pytest.mark.parametrize("factor", [0.8, 0.95, 1.05, 1.25])
@pytest.mark.parametrize("position", [4000, 12_000])
def test_time_stretch_moves_events_to_their_new_time(run, factor, position):
    click = np.zeros((1, 16_000), dtype=np.float32)
    click[0, position] = 1
    out = run(get_attack("time_stretch", factor=factor), click)[0]
    assert np.abs(out).argmax() == pytest.approx(position / factor, abs=40)


@pytest.mark.parametrize("factor", [0.9, 0.95, 1.05, 1.1])
def test_time_stretch_fills_the_clip_to_its_end(run, factor):
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32)
    out = run(get_attack("time_stretch", factor=factor), noise)[0]
    for part in np.array_split(out, 40):
        assert 0.05 < part.std() < 0.15
