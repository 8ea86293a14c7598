"""From files to clips: which files there are, and each recording as the sequence that `normalise` takes.

The reader of a format gives takes (`scople.recordings.takes`) in the file's own joints, units and rate; what turns them
into Kinect v2's 25 joints, metres and 30 frames a second is the same for all formats and stands here.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32


@dataclass(frozen=True)
class Clip:
    """One recording, ready for `scople.data.skeletons.normalise`.

    Attributes:
        name: the file's name and, where a file holds several, its number within the file; printable.
        sequence: one or two bodies in metres, y up, the 25 joints of Kinect v2, 30 frames a second; a frame in which a
            body is absent is zeros.
        estimated: what was estimated or assumed, a sentence each.
    """

    name: str
    sequence: Float32[np.ndarray, "M T V C"]
    estimated: tuple[str, ...]


@dataclass(frozen=True)
class Reading:
    """How files are to be read; what a format fixes itself (NTU, PKU-MMD) is taken from the format.

    Attributes:
        joints: a map in `datasets/joints`, or the path of a yaml file of the same form.
        fps: frames a second of the files; None takes what a file tells, and 30 where it tells nothing.
        unit: of the coordinates.
        up: the axis that points up: y as in Kinect's camera space, z as in motion capture, -y as in pictures.
        allow_2d: whether recordings without depth are read, with z = 0.
        body_choice: which two bodies are kept of many, a key of `scople.data.skeletons.BODY_CHOICES`.
    """

    joints: str = "ntu25"
    fps: float | None = None
    unit: Literal["m", "mm"] = "m"
    up: Literal["y", "z", "-y"] = "y"
    allow_2d: bool = False
    body_choice: str = "energy"


def find_files(arguments: list[str]) -> list[Path]:
    """The files that a person names, sorted, none twice.

    A file is taken as it is, a folder with everything below it that has a known suffix, a pattern with what it matches.
    `-` stands for standard input and comes first.

    Raises:
        ScopleError: an argument names nothing that can be read.
    """
    raise NotImplementedError


def read_clips(path: Path, reading: Reading) -> list[Clip]:
    """All recordings of one file, in the file's order; `Path("-")` is standard input.

    Raises:
        ScopleError: the file cannot be read, is damaged, or does not fit to `reading`.
    """
    raise NotImplementedError
