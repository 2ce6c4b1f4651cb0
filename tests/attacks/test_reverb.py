"""Echo: its impulse response is two impulses."""

import numpy as np
import pytest

from sealproof.attacks import get_attack


@pytest.mark.parametrize(("delay_ms", "gain", "delay"), [(100, 0.3, 1600), (12.5, 1.0, 200), (1, 0.5, 16)])
def test_impulse_response(run, delay_ms, gain, delay):
    impulse = np.zeros((1, 4000), dtype=np.float32)
    impulse[0, 7] = 0.5
    wanted = impulse.copy()
    wanted[0, 7 + delay] = 0.5 * gain
    np.testing.assert_allclose(run(get_attack("echo", delay_ms=delay_ms, gain=gain), impulse), wanted, rtol=1e-6)


def test_the_delay_is_a_time_not_a_number_of_samples(run):
    impulse = np.zeros((1, 9000), dtype=np.float32)
    impulse[0, 0] = 1
    assert run(get_attack("echo.100ms.0.5x"), impulse, 48_000).nonzero()[1].tolist() == [0, 4800]


def test_a_clip_shorter_than_the_delay_is_unchanged(run, music):
    short = music[:, :1600]
    assert np.array_equal(run(get_attack("echo.100ms.0.5x"), short), short)
    assert not np.array_equal(run(get_attack("echo.100ms.0.5x"), music[:, :1601]), music[:, :1601])
