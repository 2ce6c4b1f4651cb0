"""The rows of all cells of a run, on several processors where that pays."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sealproof.harness.matrix.outcome import Outcome, Scores
from sealproof.harness.tables.summary import Number, Summariser, SummaryRow, with_holm

_CELLS_FOR_A_PROCESS = 16
"""With fewer cells each, another process takes longer to start than it saves."""

_CHUNK = 4
"""Cells sent to a process at a time."""

_Arrays = tuple[Mapping[str, NDArray[np.float64]], Mapping[str, Scores]]
"""A cell's quality and scores. An attack of the user's need not be importable in another process: it is not sent."""


def rows_of_cells(summariser: Summariser, outcomes: Sequence[Outcome], processes: int) -> list[SummaryRow]:
    """Return the rows of all cells, in their order, the same ones whatever the number of processes.

    Threads would not do: most of the work is many small steps, for which they wait for each other.

    Args:
        summariser: What turns an outcome into rows.
        outcomes: The cells' outcomes, failed ones among them.
        processes: At most so many processes compute.
    """
    arrays = [(each.measured.quality, each.scores) for each in outcomes if each.measured is not None]
    numbers = _numbers(summariser, arrays, min(processes, len(arrays) // _CELLS_FOR_A_PROCESS))
    cells = [
        list(summariser.rows(each) if each.measured is None else summariser.named(each, next(numbers)))
        for each in outcomes
    ]
    return with_holm([row for cell in cells for row in cell])


def _numbers(summariser: Summariser, cells: Sequence[_Arrays], processes: int) -> Iterator[list[Number]]:
    from threadpoolctl import threadpool_limits

    if processes < 2:
        # The matrices are small: threads within a product wait for each other longer than they compute.
        with threadpool_limits(1, user_api="blas"):
            for quality, scores in cells:
                yield list(summariser.numbers(quality, scores))
        return
    from loky import ProcessPoolExecutor

    # Not Python's own: a process that has threads, as tensorflow's and torch's, must not be forked, and where processes
    # are spawned a user's script without `if __name__ == "__main__"` would start anew in each.
    with ProcessPoolExecutor(processes, initializer=_start, initargs=(summariser,)) as pool:
        yield from pool.map(_numbers_of, cells, chunksize=_CHUNK)


_summariser: Summariser
"""Of a worker process: sent once, not with every cell."""


def _start(summariser: Summariser) -> None:
    from threadpoolctl import threadpool_limits

    global _summariser
    _summariser = summariser
    threadpool_limits(1, user_api="blas")


def _numbers_of(cell: _Arrays) -> list[Number]:
    return list(_summariser.numbers(*cell))
