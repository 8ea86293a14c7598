"""Archives of Uason-Chen/CTR-GCN, such as `NTU60_CS.npz`, from the repository's own `seq_transformation.py`.

`x_train` and `x_test` are (N, T, 150): 300 frames, zeros after the end, of 2 bodies x 25 joints x (x, y, z), metres,
the first person's spine of the first frame in the origin; `y_train` and `y_test` are one-hot, a row each. Nothing says
which recording a row is.

The members, stored or deflated, are read in one go from front to back, a few MB at a time; so zip checks their sums.
"""

import io
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from jaxtyping import Int64, Num

from scople.base.errors import ScopleError, printable
from scople.base.shapes import JOINTS, PERSONS
from scople.data.samples import BROKEN, BadMember, Note, Sample
from scople.formats.npy import read_header
from scople.formats.ntu import MOST_FRAMES
from scople.formats.prepared import as_prepared
from scople.formats.recordings import Plan, far

PARTS = ("test", "train")
"""As the names of the samples are ordered."""

TASK_BYTES = 2**23
"""Content of a task, unpacked; at least one recording."""

LARGEST_LABELS = 2**28
"""Bytes of `y_train`; NTU-120's has 60 million."""

MOST_RECORDINGS = 1_000_000
"""Rows of a member that are believed: so many fit the samples' names."""


class Rows(NamedTuple):
    """Some rows of a part: `start` is the number of the first."""

    part: str
    start: int
    labels: Int64[np.ndarray, " rows"]


class Content(NamedTuple):
    """An `x_` member: number of rows, frames of each, type of a coordinate."""

    rows: int
    frames: int
    dtype: np.dtype


@dataclass(frozen=True)
class CtrNpz:
    """Recordings in an `.npz` with a training part and a test part.

    Bodies are as the file has them, whatever the body choice. Names, subjects and cameras are not in it: samples are
    called train_000000 and so on by their row, the rest is 0, and the parts take the place of the subjects.

    Attributes:
        file: the archive, below the raw folder.
        training: rows of `x_train` under the description's protocol; 0 if it does not say.
    """

    file: str
    training: int = 0

    @property
    def archive_names(self) -> tuple[str, ...]:
        """What the raw folder must hold."""
        return (self.file,)

    def plan(self, raw_folder: Path, *, classes: int, body_choice: str) -> Plan:
        """Read labels and headers."""
        path, shown = raw_folder / self.file, printable(self.file)
        tasks: list[Rows] = []
        contents: dict[str, Content] = {}
        with _readable(path), zipfile.ZipFile(path) as archive:
            for part in PARTS:
                contents[part] = content = _content(archive, part)
                labels = _labels(archive, part, classes)
                if len(labels) != content.rows:
                    raise BadMember(f"x_{part} has {content.rows} rows and y_{part} {len(labels)}")
                few = max(1, TASK_BYTES // (content.frames * PERSONS * JOINTS * 3 * content.dtype.itemsize))
                tasks += [Rows(part, start, labels[start : start + few]) for start in range(0, len(labels), few)]
        training = contents["train"].rows
        members = sum(content.rows for content in contents.values())
        notes = [
            Note(shown, 0, "bodies", "the file has two bodies at most; body_choice has no effect"),
            Note(shown, 0, "unnamed", "x_train and x_test take the place of the training and test subjects"),
        ]
        if self.training and training != self.training:
            reason = f"x_train has {training} recordings, the description's protocol has {self.training}"
            notes.append(Note(shown, 0, "division", reason))
        return Plan(members, members, notes, {}, tasks, _Stream(path, contents), training, is_stream=True)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what is wrong with the archive into one sentence."""
    if not path.is_file():  # reading a pipe would block
        raise ScopleError(f"{path} is no file: put the .npz there.")
    try:
        yield
    # On damage zipfile raises errors of five kinds, some of them undocumented.
    except Exception as error:
        reason = error.reason if isinstance(error, BadMember) else printable(str(error) or type(error).__name__, 80)
        raise ScopleError(f"{path} is no readable CTR-GCN archive ({reason}): get it again.") from error


def _content(archive: zipfile.ZipFile, part: str) -> Content:
    entry = _entry(archive, f"x_{part}")
    with archive.open(entry) as file:
        shape, is_fortran, dtype = read_header(file)
        start = file.tell()
    if len(shape) != 3 or shape[2] != PERSONS * JOINTS * 3 or shape[0] < 0 or not 1 <= shape[1] <= MOST_FRAMES:
        raise BadMember(f"x_{part} has the shape {printable(str(shape))}, not (N, T, {PERSONS * JOINTS * 3})")
    if shape[0] > MOST_RECORDINGS:
        raise BadMember(f"x_{part} has {shape[0]} rows, more than {MOST_RECORDINGS}")
    if is_fortran or dtype.kind != "f":
        raise BadMember(
            f"x_{part} is of the type {dtype}{' in Fortran order' if is_fortran else ''}, not float in C order"
        )
    if math.prod(shape) * dtype.itemsize != entry.file_size - start:
        raise BadMember(f"x_{part} of the shape {printable(str(shape))} has {entry.file_size - start} bytes")
    return Content(shape[0], shape[1], dtype)


def _labels(archive: zipfile.ZipFile, part: str, classes: int) -> Int64[np.ndarray, " N"]:
    """Labels from 0 of a part's rows, of one-hot rows."""
    entry = _entry(archive, f"y_{part}")
    if entry.file_size > LARGEST_LABELS:
        raise BadMember(f"y_{part} has {entry.file_size} bytes, more than {LARGEST_LABELS}")
    file = io.BytesIO(archive.read(entry))
    shape, is_fortran, dtype = read_header(file)
    rest = file.read()
    if len(shape) != 2 or math.prod(shape) * dtype.itemsize != len(rest):
        raise BadMember(f"y_{part} has the shape {printable(str(shape))} and {len(rest)} bytes, not (N, classes)")
    if shape[1] != classes:
        raise BadMember(f"y_{part} has {shape[1]} columns, the class list has {classes} classes")
    hot = np.frombuffer(rest, dtype).reshape(shape, order="F" if is_fortran else "C") == 1
    if not (hot.sum(axis=1) == 1).all():
        raise BadMember(f"row {int((hot.sum(axis=1) != 1).argmax())} of y_{part} is not one-hot")
    return hot.argmax(axis=1).astype(np.int64)


def _entry(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    try:
        entry = archive.getinfo(f"{name}.npy")
    except KeyError as error:
        raise BadMember(f"it has no {name}") from error
    if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise BadMember(f"{name} is encrypted, or packed by method {entry.compress_type}, not deflate")
    return entry


class _Stream:
    """Does the tasks of a plan; a task that does not follow the one before it is reached by reading up to it."""

    def __init__(self, path: Path, contents: dict[str, Content]):
        self.path, self.contents = path, contents
        self.part, self.row = "", 0
        self.file: IO[bytes] | None = None

    def __call__(self, task: Rows) -> list[Sample | Note]:
        with _readable(self.path):
            content, count = self.contents[task.part], len(task.labels)
            if self.file is None or task.part != self.part or task.start < self.row:
                self._begin(task.part)
            self._bytes(task.start - self.row)
            values = np.frombuffer(self._bytes(count), content.dtype)
            if self.row == content.rows and self.file is not None:
                self.file.read(1)  # at its end, zip compares the member's sum
                self.file.close()
                self.file = None
        values = values.reshape(count, content.frames, PERSONS, JOINTS, 3)
        return [
            outcome
            for row, (label, each) in enumerate(zip(task.labels.tolist(), values, strict=True), start=task.start)
            for outcome in _outcomes(task.part, row, label, each, printable(self.path.name))
        ]

    def _begin(self, part: str) -> None:
        with zipfile.ZipFile(self.path) as archive:  # the open member keeps the file open
            self.file = archive.open(f"x_{part}.npy")
        read_header(self.file)
        self.part, self.row = part, 0

    def _bytes(self, rows: int) -> bytes:
        content = self.contents[self.part]
        wanted = rows * content.frames * PERSONS * JOINTS * 3 * content.dtype.itemsize
        found = self.file.read(wanted)
        if len(found) != wanted:
            raise BadMember(f"x_{self.part} ends in row {self.row + rows * len(found) // max(1, wanted)}")
        self.row += rows
        return found


def _outcomes(
    part: str, row: int, label: int, values: Num[np.ndarray, "T M V C"], shown: str
) -> Iterator[Sample | Note]:
    name = f"{part}_{row:06d}"
    frames = np.flatnonzero(values.any(axis=(1, 2, 3)))
    last = int(frames[-1]) + 1 if len(frames) else len(values)
    if last < len(values):
        yield Note(shown, 0, "padded", "")
    try:
        sequence, kinds = as_prepared(values[:last].swapaxes(0, 1))
    except BadMember as error:
        yield Note(name, 0, BROKEN, error.reason)
        return
    yield from (Note(shown, 0, kind, "") for kind in kinds)
    yield from far(name, 0, sequence)
    yield Sample(
        name=name,
        label=label,
        subject=0,
        camera=0,
        setup=0,
        replication=0,
        is_training=part == "train",
        sequence=sequence,
    )
