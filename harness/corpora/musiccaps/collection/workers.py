"""Threads that try songs, of which one that hangs is replaced."""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")

_LOOK_S = 0.5
"""At most so long nobody looks up: Ctrl-C and hung threads are seen then."""


@dataclass
class Ended(Generic[Job, Result]):
    """A job that ended: with a result, with an exception that nobody expected, or with neither when it hung."""

    job: Job
    took_s: float
    result: Result | None = None
    error: BaseException | None = None


@dataclass(eq=False)
class _Worker(Generic[Job]):
    inbox: "queue.SimpleQueue[Job | None]" = field(default_factory=queue.SimpleQueue)
    job: Job | None = None
    since: float = 0.0


class Workers(Generic[Job, Result]):
    """A few threads that do jobs one at a time.

    They are daemons: what they do is undone by nobody's death, as the caller alone writes, and a thread that hangs in
    the network must not keep a program from ending.
    """

    def __init__(self, number: int, work: Callable[[Job], Result], limit_s: float) -> None:
        """Start the threads.

        Args:
            number: Of threads.
            work: Does a job.
            limit_s: After so many seconds a job counts as hung; its thread is left to itself.
        """
        self._work, self._limit_s = work, limit_s
        self._ended: queue.SimpleQueue[tuple[_Worker[Job], Result | None, BaseException | None]] = queue.SimpleQueue()
        self._workers = [self._start() for _ in range(number)]

    @property
    def n_idle(self) -> int:
        """How many threads wait for a job."""
        return sum(worker.job is None for worker in self._workers)

    @property
    def n_busy(self) -> int:
        """How many jobs are under way."""
        return len(self._workers) - self.n_idle

    def give(self, job: Job) -> None:
        """Give a job to an idle thread."""
        worker = next(worker for worker in self._workers if worker.job is None)
        worker.job, worker.since = job, time.monotonic()
        worker.inbox.put(job)

    def wait(self, seconds: float) -> Ended[Job, Result] | None:
        """Return the next job that ends, or that hangs, or None when none did within `seconds`, or half a second."""
        try:
            worker, result, error = self._ended.get(timeout=max(0.0, min(seconds, _LOOK_S)))
        except queue.Empty:
            return self._hung()
        if worker not in self._workers or worker.job is None:
            # It had been given up.
            return None
        job, worker.job = worker.job, None
        return Ended(job, time.monotonic() - worker.since, result, error)

    def stop(self) -> None:
        """Tell the threads to end once they have done what they do."""
        for worker in self._workers:
            worker.inbox.put(None)

    def _hung(self) -> Ended[Job, Result] | None:
        for index, worker in enumerate(self._workers):
            took_s = time.monotonic() - worker.since
            if worker.job is not None and took_s > self._limit_s:
                worker.inbox.put(None)
                self._workers[index] = self._start()
                return Ended(worker.job, took_s)
        return None

    def _start(self) -> _Worker[Job]:
        worker: _Worker[Job] = _Worker()
        threading.Thread(target=self._run, args=(worker,), daemon=True, name="musiccaps").start()
        return worker

    def _run(self, worker: _Worker[Job]) -> None:
        while (job := worker.inbox.get()) is not None:
            try:
                self._ended.put((worker, self._work(job), None))
            except BaseException as error:
                self._ended.put((worker, None, error))
