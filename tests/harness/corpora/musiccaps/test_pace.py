"""The limit of requests an hour holds, pauses grow and end, and no two runs jitter alike."""

import itertools
from typing import Any

import numpy as np
import pytest

from sealproof.harness.corpora.musiccaps.collection.pace import FAILURES_IN_A_ROW, LONGEST_PAUSE_S, PAUSES, Clock, Pace


@pytest.fixture
def pace(fake_clock: Any) -> Pace:
    return Pace(per_hour=250, clock=fake_clock, rng=np.random.default_rng(0))


def requests_within(pace: Pace, clock: Any, seconds: float) -> list[float]:
    times = []
    while clock.now() < seconds:
        clock.sleep(pace.wait_s())
        pace.start()
        times.append(clock.now())
    return times


def test_the_limit_holds_over_any_stretch_and_nothing_comes_in_bursts(pace: Pace, fake_clock: Any) -> None:
    times = requests_within(pace, fake_clock, 10 * 3600)
    assert len(times) == pytest.approx(2_500, rel=0.02)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) >= 0.7 * 3600 / 250
    assert len(set(gaps)) == len(gaps)


def test_time_that_passed_is_not_saved_up(pace: Pace, fake_clock: Any) -> None:
    pace.start()
    fake_clock.sleep(3600)
    assert pace.wait_s() == 0
    pace.start()
    assert pace.wait_s() >= 0.7 * 3600 / 250


def test_pauses_double_up_to_an_hour_and_then_it_gives_up(pace: Pace, fake_clock: Any) -> None:
    pauses = []
    while not pace.has_given_up:
        pauses.append(pace.pause() or 0.0)
        assert pace.wait_s() == pytest.approx(pauses[-1])
        fake_clock.sleep(pace.wait_s())
    assert len(pauses) == PAUSES + 1
    for pause_s, minutes in zip(pauses, [5, 10, 20, 40, 60, 60, 60, 60], strict=True):
        assert minutes * 60 <= pause_s <= 1.2 * minutes * 60


def test_an_answer_ends_the_row(pace: Pace, fake_clock: Any) -> None:
    for _ in range(50):
        first = pace.pause()
        assert first is not None
        assert first <= 360
        fake_clock.sleep(pace.wait_s())
        pace.answered()
    assert not pace.has_given_up


def test_two_workers_told_of_one_block_make_one_pause(pace: Pace) -> None:
    assert pace.pause() is not None
    before = pace.wait_s()
    assert pace.pause() is None
    assert pace.wait_s() == before
    assert pace.pauses == 1


def test_the_server_may_ask_for_more(pace: Pace) -> None:
    assert pace.pause(at_least_s=5_000) == 5_000
    assert Pace(per_hour=1, clock=pace.clock).pause(at_least_s=1) != 1


def test_failures_in_a_row_mean_that_it_is_not_the_songs(pace: Pace, fake_clock: Any) -> None:
    for _ in range(FAILURES_IN_A_ROW - 1):
        assert pace.failed() is None
    pace.answered()
    for _ in range(FAILURES_IN_A_ROW - 1):
        assert pace.failed() is None
    assert pace.failed() is not None
    fake_clock.sleep(pace.wait_s())
    assert pace.failed() is None


def test_a_pause_of_an_earlier_run_goes_on(pace: Pace) -> None:
    assert pace.take_up_pause(2, ago_s=0) == pytest.approx(pace.wait_s())
    assert 600 <= pace.wait_s() <= 720
    assert 0 < pace.take_up_pause(2, ago_s=300) <= 420
    assert pace.take_up_pause(2, ago_s=3600) == 0
    assert pace.wait_s() == 0
    # However often it was blocked, however wrong its clock was.
    assert pace.take_up_pause(10_000, ago_s=-1e9) <= 1.2 * LONGEST_PAUSE_S
    assert not pace.has_given_up


def test_songs_wait_longer_after_each_failure(pace: Pace) -> None:
    for number, typical_s in ((1, 30), (2, 60), (3, 120), (50, 1800)):
        delays = [pace.retry_delay_s(number) for _ in range(200)]
        assert 0.5 * typical_s <= min(delays) < max(delays) <= 1.5 * typical_s
        assert max(delays) > 1.2 * min(delays)


def test_the_systems_clocks() -> None:
    clock = Clock()
    before, date = clock.now(), clock.date()
    clock.sleep(0.01)
    assert clock.now() >= before + 0.01
    assert date > 1_700_000_000
