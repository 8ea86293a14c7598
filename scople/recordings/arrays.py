"""Arrays in NumPy's own files: `.npy`, and `.npz` with one array or one under a usual name.

An array is (T,J,3) or (M,T,J,3): frames, joints, bodies; with 2 at the end it is 2-D. An `.npz` may tell its rate as
`fps`. Pickled objects are not read, and no memory is taken before a size is checked against the file.
"""

import io
import math
import zipfile

import numpy as np
from jaxtyping import Num

from scople.base.documents import listed
from scople.base.errors import printable
from scople.data.samples import BadMember
from scople.formats.npy import read_header
from scople.recordings.takes import Take, as_bodies

KEYS = ("sequence", "keypoint", "keypoints", "skeleton", "joints")
"""Names under which an `.npz` of several arrays may hold the recording; the first that is there counts."""

LARGEST = 2**30
"""Bytes of an unpacked array."""


def read_npy(content: bytes) -> list[Take]:
    """A recording from an `.npy` file.

    Raises:
        BadMember: it is damaged, holds no numbers, or has other axes.
    """
    return [Take(as_bodies(_array(content)))]


def read_npz(content: bytes) -> list[Take]:
    """A recording from an `.npz` file.

    Raises:
        BadMember: it is damaged, no array or several could be the recording, or as for `read_npy`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = {name.removesuffix(".npy"): name for name in archive.namelist() if name.endswith(".npy")}
            candidates = [key for key in KEYS if key in names] or [name for name in names if name != "fps"]
            if not candidates or (len(candidates) > 1 and candidates[0] not in KEYS):
                found = f"its arrays are {listed(map(printable, names))}" if names else "it has no array"
                raise BadMember(f"{found}, and none is called {listed(KEYS)}")
            bodies = as_bodies(_array(_member(archive, names[candidates[0]])))
            fps = _number(_array(_member(archive, names["fps"]))) if "fps" in names else None
    except (BadMember, MemoryError):
        raise
    # On damage zipfile raises errors of five kinds, some of them undocumented.
    except Exception as error:
        raise BadMember(f"the archive is damaged ({printable(str(error))})") from error
    return [Take(bodies, fps=fps)]


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    entry = archive.getinfo(name)
    if entry.file_size > LARGEST:
        raise BadMember(f"an array has {entry.file_size} bytes, more than {LARGEST}")
    with archive.open(entry) as file:
        return file.read(entry.file_size)


def _array(content: bytes) -> Num[np.ndarray, "..."]:
    file = io.BytesIO(content)
    shape, is_fortran, dtype = read_header(file)
    rest = content[file.tell() :]
    if any(length < 0 for length in shape) or math.prod(shape) * dtype.itemsize != len(rest):
        raise BadMember(f"an array of shape {printable(str(shape))} has {len(rest)} bytes")
    return np.frombuffer(rest, dtype).reshape(shape, order="F" if is_fortran else "C")


def _number(array: Num[np.ndarray, "..."]) -> float:
    if array.size != 1:
        raise BadMember(f"fps has {array.size} values")
    return float(array.reshape(()))
