"""A map over worker processes whose results come in the order of the tasks."""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from scople.errors import ScopleError

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 3
"""Tasks given out per worker; bounds how many results wait in memory for their turn."""


def ordered_map(function: Callable[[Task], Result], tasks: Sequence[Task], *, jobs: int) -> Iterator[Result]:
    """`map(function, tasks)` over `jobs` processes; 0 means one per core, 1 none but this one.

    Workers are started afresh ("spawn"): a fork of a process that holds threads, as NumPy's and torch's do, may
    hang. `function` and the tasks must therefore be picklable, and a script that calls this needs the usual
    `if __name__ == "__main__"`.

    Raises:
        ScopleError: a worker was killed.
    """
    jobs = min(jobs or os.cpu_count() or 1, len(tasks))
    if jobs <= 1:
        yield from map(function, tasks)
        return
    pool = ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
    waiting = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(function, task))
            if len(waiting) >= AHEAD * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise ScopleError(f"one of {jobs} worker processes was killed, perhaps for memory: use fewer jobs.") from error
    finally:
        pool.shutdown(cancel_futures=True)
