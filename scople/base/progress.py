"""Progress of a loop: a bar on a terminal, a plain line now and then in a log."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

PACE = 30
"""Least number of seconds between two lines of a log."""


def progress(
    items: Iterable[T], description: str, *, total: int | None = None, unit: str = "it", done: int = 0
) -> Iterator[T]:
    """`items`, with rate and time left on standard error.

    Args:
        items: what the loop runs over.
        description: what is done with them.
        total: their number, if they have no length.
        unit: name of one item.
        done: number of items done in an earlier run; they are skipped.
    """
    total = len(items) if total is None and isinstance(items, Sized) else total
    rest = islice(items, done, None)
    if sys.stderr.isatty():
        yield from tqdm(rest, desc=description, total=total, unit=unit, initial=done, leave=False)
        return
    start = said = time.monotonic()
    for count, item in enumerate(rest, done + 1):
        yield item
        now = time.monotonic()
        if now - said >= PACE:
            said = now
            line = tqdm.format_meter(count, total, now - start, ncols=0, prefix=description, unit=unit, initial=done)
            print(line, file=sys.stderr, flush=True)
