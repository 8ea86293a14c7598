"""A map over worker processes whose results come in the order of the tasks.

The workers are plain Python processes that import only what their task needs. Workers of `multiprocessing` import the
calling script again (here torch, 200 MB for each worker), or are forks of a process with threads.

joblib 1.6 (loky, `return_as="generator"`, `pre_dispatch=3 * jobs`) was compared with this module in alternating runs,
each with two processes on two busy cores. Parsing 480 NTU recordings took 1.7 to 3.1 s here and 2.9 to 5.6 s with
joblib; 1,920 recordings took 9.1 and 10.0 s here, 12.2 and 18.8 s with joblib. A worker needs 44 MB here and 50 MB with
joblib, which also keeps two helper processes. Both notice a killed worker. But joblib had done all of 200 tasks when
the first result was taken, so its memory is not bounded as `AHEAD` bounds it here. At Ctrl-C joblib printed a traceback
of its own.
"""

import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from scople.base.errors import ScopleError

Task = TypeVar("Task")
Result = TypeVar("Result")

AHEAD = 3
"""Tasks handed out per worker; bounds how many results wait in memory for their turn."""


def ordered_map(function: Callable[[Task], Result], tasks: Sequence[Task], *, jobs: int) -> Iterator[Result]:
    """`map(function, tasks)` over `jobs` processes; 0 means one per core, 1 only this process.

    `function`, tasks and results must be picklable.

    Raises:
        ScopleError: a worker was killed, or `function` raised (its traceback is on standard error).
    """
    jobs = min(jobs or os.cpu_count() or 1, len(tasks))
    if jobs <= 1:
        yield from map(function, tasks)
        return
    workers = [_Worker(function) for _ in range(jobs)]
    free: SimpleQueue[_Worker] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def do(task: Task) -> Result:
        worker = free.get()
        try:
            return worker.do(task)
        finally:
            free.put(worker)

    threads = ThreadPoolExecutor(jobs)
    waiting = deque()
    try:
        for task in tasks:
            waiting.append(threads.submit(do, task))
            if len(waiting) == AHEAD * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:  # the last: died while answering
        raise ScopleError(f"one of {jobs} worker processes ended early, perhaps for memory: use fewer jobs.") from error
    finally:
        for worker in workers:
            worker.kill()
        threads.shutdown(cancel_futures=True)  # ends at once: no worker is left to wait for
        for worker in workers:
            worker.close()


class _Worker:
    """A process that does one task after another."""

    def __init__(self, function: Callable):
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import _serve; _serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            start_new_session=True,  # Ctrl-C reaches only the caller, which ends its workers
        )
        self._send(function)

    def do(self, task: object) -> object:
        self._send(task)
        return pickle.load(self._process.stdout)

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        self._process.communicate()  # closes the pipes

    def _send(self, what: object) -> None:
        pickle.dump(what, self._process.stdin)
        self._process.stdin.flush()


def _serve() -> None:
    """The loop of a worker: it reads the function, then one task after the other until there are no more."""
    function = pickle.load(sys.stdin.buffer)
    while True:
        try:
            task = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(function(task), sys.stdout.buffer)
        sys.stdout.buffer.flush()
