"""Outputs appear whole or not at all; the digest of a file."""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from tempfile import mkdtemp

from scople.base.errors import ScopleError

LEAST_FREE = 2**16
"""Bytes; a disk with less is full."""


@contextmanager
def whole(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a path near `path`; what is written there takes the place of `path` when the block ends well.

    Works for a file (open the yielded path) and for a folder (make the yielded path). If the block raises, what
    it wrote is removed and whatever stood at `path` before is untouched. Two writers of one path do not meet: each
    has a folder of its own, and the later one wins. What a killed writer left is removed by the next one.

    Raises:
        ScopleError: the disk is full, or `path` is a link to a folder.
    """
    path = Path(path)
    if path.is_symlink() and path.is_dir():
        raise ScopleError(
            f"{path} is a link to a folder and cannot be replaced: take the link away, or link its parent."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with _own_folder(path) as folder:
        beside = folder / path.name
        try:
            yield beside
        except Exception as error:
            if isinstance(error, ScopleError) or not _is_full(error, path.parent):
                raise
            raise ScopleError(
                f"{path} cannot be written, the disk is full: free some space and run it again."
            ) from error
        _put(beside, path, aside=folder / f"{path.name}.old")


def sha256(path: str | os.PathLike) -> str:
    """Digest of a file's content in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _own_folder(path: Path) -> Iterator[Path]:
    """A hidden folder beside `path` that this writer alone uses; it is removed at the end.

    The writer holds a lock on it, which ends with the process. A folder that nobody holds was left by a killed writer.
    """
    for left in path.parent.glob(f".{escape(path.name)}.*.partial"):
        with suppress(OSError), _opened(left) as descriptor:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if any(left.iterdir()):  # an empty one may be new, and not locked yet
                shutil.rmtree(left)
    folder = Path(mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    try:
        with _opened(folder) as descriptor:
            with suppress(OSError):  # on a disk without locks, no folder is taken for an abandoned one either
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _put(new: Path, path: Path, *, aside: Path) -> None:
    """Let `new` take the place of `path`. A folder cannot be replaced in one step, so the old one is moved first."""
    if not path.is_dir():
        if path.is_symlink() and new.is_dir():  # a folder cannot take the place of a broken link
            path.unlink()
        os.replace(new, path)
        return
    try:
        os.replace(path, aside)
        os.replace(new, path)
    except BaseException:
        if aside.exists() and not path.exists():
            os.replace(aside, path)
        raise


def _is_full(error: Exception, folder: Path) -> bool:
    # NumPy, torch and safetensors raise errors of their own without an errno, so the free space decides.
    said = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    return said or shutil.disk_usage(folder).free < LEAST_FREE
