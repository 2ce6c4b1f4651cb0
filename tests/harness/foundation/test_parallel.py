"""Work ahead in threads: the same results in the same order, bounded, and with its errors in place."""

import threading
from collections.abc import Generator, Iterator

import pytest

from sealproof.harness.foundation.parallel import map_ahead


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("ahead", [1, 3, 100])
def test_results_come_in_the_order_of_the_items(threads: int, ahead: int) -> None:
    turn = threading.Barrier(1)

    def square(n: int) -> int:
        turn.wait()
        return n * n

    assert list(map_ahead(square, range(50), threads=threads, ahead=ahead)) == [n * n for n in range(50)]
    assert list(map_ahead(square, [], threads=threads, ahead=ahead)) == []


def test_two_are_worked_on_at_a_time() -> None:
    both = threading.Barrier(2, timeout=600)
    # Either would wait for the other forever if they came one by one.
    assert list(map_ahead(lambda n: both.wait() * 0 + n, range(10), threads=2)) == list(range(10))


def test_no_more_than_is_allowed_is_taken_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(100):
            taken.append(n)
            yield n

    results = map_ahead(lambda n: n, items(), ahead=5)
    for received in range(1, 50):
        next(results)
        assert len(taken) <= received + 5
    assert isinstance(results, Generator)
    results.close()
    assert len(taken) < 100


@pytest.mark.parametrize("error", [ValueError("source"), KeyboardInterrupt()])
def test_what_was_begun_before_the_items_fail_is_not_lost(error: BaseException) -> None:
    def items() -> Iterator[int]:
        yield from range(5)
        raise error

    received = []
    results = map_ahead(lambda n: received.append(n) or n, items(), ahead=3)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    with pytest.raises(type(error)):
        next(results)
    assert received == [0, 1, 2, 3, 4]


def test_an_error_comes_in_its_place_and_ends_it() -> None:
    done = []

    def work(n: int) -> int:
        if n == 7:
            raise ValueError("seven")
        done.append(n)
        return n

    results = map_ahead(work, range(1_000), ahead=3)
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(ValueError, match="seven"):
        next(results)
    assert max(done) <= 10
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
