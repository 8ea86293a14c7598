"""What a reader hands on: one recording in the file's own joints, unit, axes and rate."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

from scople.data.samples import BadMember

MOST_BODIES = 10
"""Bodies of a recording that are believed; a longer first axis counts something else."""

MOST_FRAMES = 200_000
"""Frames of a recording that are believed: almost two hours."""

MOST_JOINTS = 200
"""Joints of a body that are believed."""

MOST_VALUES = 2**26
"""Coordinates of a recording that get room, so that a small file cannot fill the memory."""

LARGEST = 1e6
"""Largest coordinate read, in whatever unit."""


@dataclass(frozen=True)
class Take:
    """One recording as it stands in its file.

    Attributes:
        bodies: positions, C is 2 or 3 here, V the joints of the file; NaN where a joint is unknown. A body whose frame
            has only zeros or NaN is absent there.
        number: of the recording within its file, from 1; 0 where the file holds one only.
        fps: frames a second, None where the file does not tell.
        joint_names: in the order of the joints, None where the file does not name them.
        notes: what the reader did beyond reading, a sentence each.
        is_final: whether the format itself is Kinect v2's 25 joints in metres, y up.
        is_mirrored_if_z_up: whether the program that wrote it turns its axes into a left-handed system with z up.
    """

    bodies: Float[np.ndarray, "M T V C"]
    number: int = 0
    fps: float | None = None
    joint_names: tuple[str, ...] | None = None
    notes: tuple[str, ...] = ()
    is_final: bool = False
    is_mirrored_if_z_up: bool = False


def as_bodies(array: Num[np.ndarray, "..."]) -> Float[np.ndarray, "M T V C"]:
    """Positions with the axes of a take.

    Args:
        array: (T, V, C) of one body, or (M, T, V, C).

    Raises:
        BadMember: there are other axes, an axis is longer than believed, or there are more than `MOST_VALUES`.
    """
    if array.ndim not in (3, 4):
        raise BadMember(f"the array has {array.ndim} axes, not 3 (T,J,C) or 4 (M,T,J,C)")
    bodies = array[None] if array.ndim == 3 else array
    count, frames, joints, coordinates = bodies.shape
    if coordinates not in (2, 3):
        raise BadMember(f"the last axis has {coordinates} coordinates, not 2 or 3")
    for found, most, what in ((count, MOST_BODIES, "bodies"), (frames, MOST_FRAMES, "frames")):
        if not 1 <= found <= most:
            raise BadMember(f"there are {found} {what}, not 1 to {most}")
    if not 1 <= joints <= MOST_JOINTS:
        raise BadMember(f"there are {joints} joints, not 1 to {MOST_JOINTS}")
    if bodies.size > MOST_VALUES:
        raise BadMember(f"it has {bodies.size} coordinates, more than {MOST_VALUES}")
    bodies = bodies if bodies.dtype == np.float32 else bodies.astype(np.float64)
    check_size(bodies)
    return bodies


def check_size(positions: Float[np.ndarray, "*axes"]) -> None:
    """Raise `BadMember` where a coordinate is beyond `LARGEST`, infinite ones too; NaN is not looked at."""
    largest = np.fmax.reduce(np.abs(positions), axis=None, initial=0)
    if largest > LARGEST:
        raise BadMember(f"a coordinate of {largest:g} is beyond {LARGEST:g}")


def unknown(bodies: int, frames: int, joints: int, coordinates: int) -> Float[np.ndarray, "M T V C"]:
    """Room for a recording, all of it NaN; raises `BadMember` for more than `MOST_VALUES`."""
    values = bodies * frames * joints * coordinates
    if values > MOST_VALUES:
        raise BadMember(f"its frames span {values} coordinates, more than {MOST_VALUES}")
    return np.full((bodies, frames, joints, coordinates), np.nan)
