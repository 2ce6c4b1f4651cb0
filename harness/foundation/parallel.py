"""Work that is done ahead in threads and comes back in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def n_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map_ahead(
    function: Callable[[T], R], items: Iterable[T], *, threads: int | None = None, ahead: int = 64
) -> Iterator[R]:
    """Yield `function(item)` for every item, in their order, while threads work on those to come.

    For work that leaves the interpreter alone: decoding, reading, hashing. The results do not depend on the threads;
    memory holds `ahead` of them, however many items there are.

    Args:
        function: Called in a thread.
        items: Taken in the caller's thread, `ahead` of the results.
        threads: How many work at a time; None for one less than there are cores, 1 to 4. (Two beside a busy caller
            on two cores cost a fifth of the speed, measured: they wait for each other's hold on the interpreter.)
        ahead: How many results may wait.

    Raises:
        Exception: What `function` raised, in the place of its result; what was begun after it is given up. What `items`
            raised comes after the results of those before.
    """
    waiting: deque[Future[R]] = deque()
    source = iter(items)
    failure: list[BaseException] = []
    pool = ThreadPoolExecutor(threads or min(4, max(1, n_cores() - 1)), thread_name_prefix="ahead")

    def take(n: int) -> None:
        try:
            waiting.extend(pool.submit(function, item) for item in islice(source, n))
        except BaseException as error:  # Ctrl-C, too: what was begun before it is done all the same
            failure.append(error)

    try:
        take(ahead)
        while waiting:
            result = waiting.popleft().result()
            if not failure:
                take(1)
            yield result
        if failure:
            raise failure[0]
    finally:
        pool.shutdown(cancel_futures=True)
