"""Which files a person means, what is in them, and which format that is."""

import glob
import io
import os
import sys
from pathlib import Path

from scople.base.errors import ScopleError, printable
from scople.data.samples import BadMember

STANDARD_INPUT = Path("-")

LARGEST = 2**31
"""Bytes of a file that is read."""

SUFFIXES = {
    ".skeleton": "NTU skeleton text",
    ".npy": "NumPy array",
    ".npz": "NumPy archive",
    ".csv": "CSV table",
    ".json": "MMPose JSON",
    ".pkl": "pyskl pickle",
    ".pickle": "pyskl pickle",
}
"""The format that a suffix promises. Without one of these the content tells; PKU-MMD's .txt is one of many."""

_SKELETON_TEXTS = ("-L.txt", "-M.txt", "-R.txt")
"""How the names of PKU-MMD's videos end."""


def find_files(arguments: list[str]) -> list[Path]:
    """The files that a person names, sorted, none twice.

    A file is taken as it is, a folder with everything below it that has a known suffix, a pattern with what it matches.
    `-` stands for standard input and comes first.

    Raises:
        ScopleError: an argument names nothing that can be read.
    """
    found: dict[str, Path] = {}
    for argument in arguments:
        shown = printable(argument, 150)
        if argument == "-":
            files = [STANDARD_INPUT]
        else:
            if "\0" in argument:
                raise ScopleError(f"'{shown}' is no path, it has a null character: correct it.")
            named = (
                [Path(argument)] if os.path.exists(argument) else sorted(map(Path, glob.glob(argument, recursive=True)))
            )
            if not named:
                raise ScopleError(f"'{shown}' is no file or folder, and nothing matches it: correct it.")
            files = [file for path in named for file in (_below(path) if path.is_dir() else [path])]
            if not files:
                raise ScopleError(
                    f"'{shown}' holds no file that ends in {', '.join(SUFFIXES)} or -L.txt: name the files."
                )
        for file in files:
            found.setdefault("" if file == STANDARD_INPUT else os.path.realpath(file), file)
    return sorted(found.values(), key=lambda path: (path != STANDARD_INPUT, path))


def _below(folder: Path) -> list[Path]:
    """The recordings in a folder and its folders; hidden ones and what is no plain file are left out."""
    files = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__MACOSX"))]
        for name in names:
            is_known = Path(name).suffix.lower() in SUFFIXES or name.endswith(_SKELETON_TEXTS)
            if is_known and not name.startswith(".") and (path := Path(root, name)).is_file():
                files.append(path)
    return files


def read_content(path: Path) -> bytes:
    """A file as a whole; standard input is read to its end, so only once.

    Raises:
        ScopleError: it cannot be read, is no plain file, or has more than `LARGEST` bytes.
    """
    shown = shown_name(path)
    try:
        if path == STANDARD_INPUT:
            content = _read(sys.stdin.buffer)
        elif not path.exists():
            raise ScopleError(f"{shown} does not exist: correct the name.")
        elif not path.is_file():  # a pipe would be waited for
            raise ScopleError(f"{shown} is no plain file: name a recording.")
        else:
            with open(path, "rb") as file:
                content = _read(file)
    except OSError as error:
        raise ScopleError(f"{shown} cannot be read ({error.strerror}): correct its rights.") from error
    if len(content) > LARGEST:
        raise ScopleError(f"{shown} has more than {LARGEST / 1e9:.1f} GB: cut it into several files.")
    return content


def _read(file: io.BufferedIOBase) -> bytes:
    """At most a piece more than `LARGEST` bytes. Python makes room at once for all that is asked for: so in pieces."""
    pieces, size = [], 0
    while size <= LARGEST and (piece := file.read(2**20)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def shown_name(path: Path) -> str:
    """The file's name as a report may show it."""
    return "standard input" if path == STANDARD_INPUT else printable(path.name, 80)


def format_of(path: Path, content: bytes) -> str:
    """The format of a file: a value of `SUFFIXES`, or PKU-MMD skeleton text.

    Raises:
        BadMember: neither the suffix nor the content tells.
    """
    if promised := SUFFIXES.get(path.suffix.lower()):
        return promised
    if content.startswith(b"\x93NUMPY"):
        return "NumPy array"
    if content.startswith(b"PK\x03\x04"):
        return "NumPy archive"
    if content[:1] == b"\x80" and content[1:2] <= b"\x05":
        return "pyskl pickle"
    first_line, _, _ = content[:100_000].lstrip().partition(b"\n")
    if first_line[:1] in (b"{", b"["):
        return "MMPose JSON"
    if b"," in first_line or b";" in first_line:
        return "CSV table"
    fields = first_line.split()
    if len(fields) == 1 and fields[0].isdigit():
        return "NTU skeleton text"
    if len(fields) > 1:
        return "PKU-MMD skeleton text"
    raise BadMember("neither its suffix nor its content is that of a known format")
