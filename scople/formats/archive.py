"""Members of a zip or of a folder, read in place; nothing is unpacked to disk.

Raw archives are input from outside: a member that is encrypted, too large, a link out of the folder or not a file
at all is listed with its fault and never opened. A member carries everything needed to read it, so that
worker processes need not hold the table of contents of a zip with 57,600 files.
"""

import io
import os
import re
import stat
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from scople.base.errors import ScopleError, printable
from scople.data.samples import BadMember

LARGEST_MEMBER = 32 * 2**20
"""Bytes of the largest member that is read; NTU's largest has under 2 MB, a PKU-MMD video some 10 MB."""

LONGEST_SHOWN = 80
"""Characters of a path that a report shows."""

_LOCAL_HEADER = struct.Struct("<4s22xHH")  # signature, ..., length of the name, length of the extra field

_ENTRY = struct.Struct("<8xH18xHHH12x")  # of the table: flags, lengths of name, extra field and comment
_UTF8 = 1 << 11


@dataclass(frozen=True, slots=True, order=True)
class ZipPlace:
    """Where a zip holds a member, from its table of contents: sizes in bytes, checksum CRC-32."""

    checksum: int
    header: int
    packed: int
    size: int
    method: int


@dataclass(frozen=True, slots=True)
class Member:
    """One file of an archive.

    Attributes:
        archive: the zip or the folder.
        path: place inside it, with slashes.
        fault: why it must not be read; empty if it may.
        place: None in a folder.
    """

    archive: Path
    path: str
    fault: str = ""
    place: ZipPlace | None = None

    @property
    def name(self) -> str:
        """The file name without folders."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def shown(self) -> str:
        """The path as a report may show it: in printable ASCII, and only the end of a long one."""
        text = printable(self.path, 10 * len(self.path))
        return text if len(text) <= LONGEST_SHOWN else "..." + text[3 - LONGEST_SHOWN :]

    @property
    def shown_with_archive(self) -> str:
        """As `shown`, below the name of the archive."""
        return f"{printable(self.archive.name.removesuffix('.zip'))}/{self.shown}"

    def read(self) -> bytes:
        """The whole content.

        Raises:
            BadMember: it has a fault, cannot be opened, or its content does not fit its checksum.
        """
        if self.fault:
            raise BadMember(self.fault)
        try:
            return _read_file(self.archive / self.path) if self.place is None else self._unpack(self.place)
        except OSError as error:
            raise BadMember(f"cannot be read: {error.strerror}") from error

    def _unpack(self, place: ZipPlace) -> bytes:
        with open(self.archive, "rb") as file:
            if place.header >= os.fstat(file.fileno()).st_size:
                raise BadMember("damaged in the zip: its place is beyond the archive's end")
            file.seek(place.header)
            header = file.read(_LOCAL_HEADER.size)
            if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\x03\x04"):
                raise BadMember("damaged in the zip: its header is not where the table of contents says")
            _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
            file.seek(name_length + extra_length, os.SEEK_CUR)
            content = file.read(place.packed)
        try:
            if place.method == zipfile.ZIP_DEFLATED:
                content = zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, place.size + 1)
        except zlib.error as error:
            raise BadMember("damaged in the zip: it cannot be unpacked") from error
        if len(content) != place.size or zlib.crc32(content) != place.checksum:
            raise BadMember("damaged in the zip: its checksum differs")
        return content


def find_archive(folder: Path, name: str) -> Path | None:
    """The archive `name` in a folder, as a zip or as the folder unpacked from it; None if neither is there."""
    return next(iter(find_archives(folder, name)), None)


def find_archives(folder: Path, name: str) -> list[Path]:
    """All archives `name` in a folder, perhaps both a zip and a folder; the first is the one that is read."""
    plain = name.removesuffix(".zip")
    return [folder / each for each in dict.fromkeys((name, plain, f"{plain}.zip")) if (folder / each).exists()]


def list_members(archive: Path) -> list[Member]:
    """All files of a zip or a folder, sorted by path (and checksum), whatever their order in the archive.

    Raises:
        ScopleError: the archive itself cannot be read.
    """
    if archive.exists() and not (archive.is_dir() or archive.is_file()):  # reading a pipe would block
        raise ScopleError(f"{archive} is neither a zip nor a folder: put the archive there.")
    try:
        members = _list_folder(archive) if archive.is_dir() else _list_zip(archive)
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError, struct.error) as error:
        raise ScopleError(f"{archive} is no readable zip ({printable(str(error), 80)}): get it again.") from error
    except OSError as error:
        place = printable(str(error.filename or archive), 80)
        raise ScopleError(f"{place} cannot be read ({error.strerror}): correct its rights.") from error
    return sorted(members, key=lambda member: (member.path, member.place or ()))


def _list_zip(archive: Path) -> list[Member]:
    with _Table(archive) as table, zipfile.ZipFile(table) as file:
        return [
            Member(
                archive,
                entry.filename,
                _zip_fault(entry),
                ZipPlace(entry.CRC, entry.header_offset, entry.compress_size, entry.file_size, entry.compress_type),
            )
            for entry in file.infolist()
            if not entry.filename.endswith("/")  # a folder; is_dir() fails on an empty name
        ]


class _Table(io.FileIO):
    """A zip that `zipfile` can list even where a name is marked as UTF-8 and is not.

    Such a name is marked as in the old code page instead, which has a character for every byte.
    """

    def read(self, size: int = -1) -> bytes:
        content = super().read(size)
        if not content.startswith(b"PK\x01\x02"):
            return content
        table, start = bytearray(content), 0
        while len(table) - start >= _ENTRY.size and table.startswith(b"PK\x01\x02", start):
            flags, name_length, *others = _ENTRY.unpack_from(table, start)
            name = table[start + _ENTRY.size : start + _ENTRY.size + name_length] if flags & _UTF8 else b""
            try:
                name.decode()
            except UnicodeDecodeError:
                struct.pack_into("<H", table, start + 8, flags & ~_UTF8)
            start += _ENTRY.size + name_length + sum(others)
        return bytes(table)


def _zip_fault(entry: zipfile.ZipInfo) -> str:
    if re.match(r"[/\\]|[A-Za-z]:", entry.filename) or ".." in re.split(r"[/\\]", entry.filename):
        return "its path leads out of the archive"
    if entry.flag_bits & 1:
        return "encrypted"
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "a symbolic link"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"packed by method {entry.compress_type}, not deflate"
    return _size_fault(max(entry.file_size, entry.compress_size))


def _list_folder(folder: Path) -> list[Member]:
    members = []
    inside = os.path.realpath(folder) + os.sep

    def refuse(error: OSError) -> None:
        raise error

    for root, folders, files in os.walk(folder, onerror=refuse):
        links = [name for name in folders if os.path.islink(os.path.join(root, name))]
        for name in files + links:
            path = os.path.join(root, name)
            members.append(Member(folder, Path(path).relative_to(folder).as_posix(), _file_fault(path, inside)))
    return members


def _file_fault(path: str, inside: str) -> str:
    if not os.path.realpath(path).startswith(inside):
        return "a symbolic link out of the folder"
    try:
        status = os.stat(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return "not a file"
    return _size_fault(status.st_size)


def _size_fault(size: int) -> str:
    return f"{size} bytes, more than {LARGEST_MEMBER}" if size > LARGEST_MEMBER else ""


def _read_file(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(LARGEST_MEMBER)
