"""From a file to clips: each recording as the sequence that `normalise` takes.

The reader of a format gives takes (`scople.recordings.takes`) in the file's own joints, unit and rate. What makes 25
joints, metres and 30 frames a second of them is the same for all (`scople.recordings.standard`).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from scople.base.errors import ScopleError
from scople.data.samples import BadMember
from scople.recordings.arrays import read_npy, read_npz
from scople.recordings.files import find_files as find_files
from scople.recordings.files import format_of, read_content, shown_name
from scople.recordings.joint_maps import JointMap, load_map
from scople.recordings.mmpose import read_mmpose
from scople.recordings.pyskl import read_pyskl
from scople.recordings.sensors import read_ntu, read_pku
from scople.recordings.standard import Reading as Reading
from scople.recordings.standard import standard
from scople.recordings.tables import read_csv
from scople.recordings.takes import Take

_READERS = {
    "NumPy array": read_npy,
    "NumPy archive": read_npz,
    "CSV table": read_csv,
    "MMPose JSON": read_mmpose,
    "pyskl pickle": read_pyskl,
    "PKU-MMD skeleton text": read_pku,
}


@dataclass(frozen=True)
class Clip:
    """One recording, ready for `scople.data.skeletons.normalise`.

    Attributes:
        name: the file's name and, where a file holds several, its number within the file; printable.
        sequence: one or two bodies in metres, y up, the 25 joints of Kinect v2, 30 frames a second; a frame in which a
            body is absent is zeros.
        estimated: what was estimated or assumed, a sentence each.
        fixed_by: the format, where it fixes joints, unit and axis itself (NTU, PKU-MMD); else empty.
    """

    name: str
    sequence: Float32[np.ndarray, "M T V C"]
    estimated: tuple[str, ...]
    fixed_by: str = ""


def read_clips(path: Path, reading: Reading) -> list[Clip]:
    """All recordings of one file, in the file's order; `Path("-")` is standard input.

    Raises:
        ScopleError: the file cannot be read, is damaged, or one of its recordings does not fit to `reading`.
    """
    clips = []
    for clip in read_each(path, reading):
        if isinstance(clip, ScopleError):
            raise clip
        clips.append(clip)
    return clips


def read_each(path: Path, reading: Reading) -> list[Clip | ScopleError]:
    """As `read_clips`, with the refusal of a recording in its place, so that the others of its file are not lost.

    Raises:
        ScopleError: the file as a whole cannot be read or is damaged.
    """
    joint_map = load_map(reading.joints)
    content = read_content(path)
    name = shown_name(path)
    kind = "recording"
    try:
        kind = format_of(path, content)
        takes = read_ntu(content, reading.body_choice) if kind == "NTU skeleton text" else _READERS[kind](content)
    except BadMember as error:
        raise ScopleError(f"{name} is no readable {kind} ({error}): correct or replace it.") from error
    return [_clip(name, take, reading, joint_map, kind) for take in takes]


def _clip(name: str, take: Take, reading: Reading, joint_map: JointMap, kind: str) -> Clip | ScopleError:
    name = f"{name} {take.number}" if take.number else name
    try:
        return Clip(name, *standard(take, reading, joint_map), fixed_by=kind if take.is_final else "")
    except BadMember as error:
        return ScopleError(f"{name} cannot be used ({error}): correct or replace it.")
    except ScopleError as error:
        return ScopleError(f"{name} cannot be used: {error}")
