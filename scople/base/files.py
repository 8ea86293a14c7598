"""Outputs appear whole or not at all; the digest of a file."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scople.base.errors import ScopleError

LEAST_FREE = 2**16
"""Bytes; a disk with less is full."""


@contextmanager
def whole(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a path beside `path`; what is written there takes the place of `path` when the block ends well.

    Works for a file (open the yielded path) and for a folder (make the yielded path). If the block raises, what
    it wrote is removed and whatever stood at `path` before is untouched.

    Raises:
        ScopleError: the disk is full.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.partial")
    _remove(beside)
    try:
        yield beside
    except BaseException as error:
        is_full = isinstance(error, Exception) and not isinstance(error, ScopleError) and _is_full(error, path.parent)
        _remove(beside)
        if is_full:
            raise ScopleError(
                f"{path} can not be written, the disk is full: free some space and run it again."
            ) from error
        raise
    if path.is_dir():
        shutil.rmtree(path)
    os.replace(beside, path)


def sha256(path: str | os.PathLike) -> str:
    """Digest of a file's content in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_full(error: Exception, folder: Path) -> bool:
    # NumPy, torch and safetensors raise errors of their own without a number: then the disk is asked.
    said = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return said or shutil.disk_usage(folder).free < LEAST_FREE


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
