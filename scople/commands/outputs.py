"""Where a command may write: asked before any work, so that nothing is lost and nobody waits for a refusal."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from scople.base.documents import quoted
from scople.base.errors import ScopleError
from scople.base.files import whole

OPEN_FILES = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/")
"""How the names of files begin that are open already: they are written to, never replaced."""


def check_place(option: str, path: Path, inputs: Iterable[Path] = (), *, may_stream: bool = True) -> None:
    """Whether a file can be written at `path` without the loss of anything but an older file.

    Args:
        option: what the person gave it as.
        path: where to. Missing folders on the way to it are made when it is written.
        inputs: files that the call reads.
        may_stream: whether it may be a device such as /dev/null, or a pipe.

    Raises:
        ScopleError: it is a folder, something else that is no plain file, or an input; or its folder is none, or cannot
            be written to.
    """
    start = f"{option} is {quoted(str(path), 150)}"
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        mode = None
    except (OSError, ValueError) as error:
        raise ScopleError(
            f"{start}, which cannot be a file ({getattr(error, 'strerror', error)}): name one."
        ) from error
    if mode is not None:
        if stat.S_ISDIR(mode):
            raise ScopleError(f"{start}, but that is a folder: name a file.")
        if is_stream(path) and may_stream:
            return
        if is_stream(path) or not stat.S_ISREG(mode):
            raise ScopleError(f"{start}, but that is no plain file and would be replaced: name another.")
    if os.path.realpath(path) in map(os.path.realpath, inputs):
        raise ScopleError(f"{start}, but this call reads that file: name another.")
    folder = next(each for each in path.absolute().parents if os.path.exists(each))
    if not folder.is_dir():
        raise ScopleError(f"{start}, but {quoted(str(folder), 150)} is no folder: name a file in one.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ScopleError(f"{start}, but nothing can be written in {quoted(str(folder), 150)}: name another folder.")


def is_stream(path: Path) -> bool:
    """Whether something is there that takes bytes and keeps its place: a device, a pipe, a file that is open."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or str(path.absolute()).startswith(OPEN_FILES)


def write_text(text: str, path: Path) -> None:
    """Write a file in UTF-8, whole or not at all; to a stream the text is added.

    Raises:
        ScopleError: the disk is full.
    """
    content = text.encode("utf-8", "backslashreplace")
    if is_stream(path):
        with open(path, "ab") as stream:
            stream.write(content)
        return
    with whole(path) as beside:
        beside.write_bytes(content)


def shown_path(path: Path) -> str:
    """A path as text that any file can hold; a byte that is not UTF-8 stands there by its number."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
