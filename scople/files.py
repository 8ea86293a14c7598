"""Outputs appear whole or not at all; the digest of a file."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a path beside `path`; what is written there takes the place of `path` when the block ends well.

    Works for a file (open the yielded path) and for a folder (make the yielded path). If the block raises, what
    it wrote is removed and whatever stood at `path` before is untouched.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")
    _remove(beside)
    try:
        yield beside
    except BaseException:
        _remove(beside)
        raise
    if path.is_dir():
        shutil.rmtree(path)
    os.replace(beside, path)


def sha256(path: str | os.PathLike) -> str:
    """Digest of a file's content in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
