"""How far a loop is: a bar on a terminal, a plain line now and then in a log."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")

PACE = 30
"""Seconds between two lines of a log, at least."""


def progress(
    items: Iterable[T], description: str, *, total: int | None = None, unit: str = "it", done: int = 0
) -> Iterator[T]:
    """`items`, with rate and time left on standard error.

    Args:
        items: what is gone through.
        description: what is done with them.
        total: how many they are, where they do not know it themselves.
        unit: what one of them is.
        done: so many were done in an earlier run; they are left out here.
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
