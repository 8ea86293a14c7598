"""The time axis of a recording: where a body is, joints that are missing for a while, other rates than 30 a second."""

import math

import numpy as np
from jaxtyping import Bool, Float

from scople.data.samples import BadMember
from scople.recordings.takes import MOST_FRAMES

RATE = 30.0
"""Frames a second of a Kinect v2, and so of everything here."""


def is_present(bodies: Float[np.ndarray, "M T V C"]) -> Bool[np.ndarray, "M T"]:
    """Whether a body has any coordinate in a frame that is neither zero nor unknown."""
    return ((bodies != 0) & ~np.isnan(bodies)).any(axis=(2, 3))


def fill_gaps(
    bodies: Float[np.ndarray, "M T V C"], present: Bool[np.ndarray, "M T"]
) -> tuple[Float[np.ndarray, "M T V C"], int]:
    """Joints that are unknown (NaN) in some of a body's frames, on the line between the frames that have them.

    Before the first and after the last of those a joint stays where it was seen. Absent bodies become zeros.

    Returns:
        The positions without NaN, and how many of a body's joints were filled, counted over frames.

    Raises:
        BadMember: a body is there, but one of its joints never.
    """
    filled = np.where(present[..., None, None], bodies, 0)
    unknown = np.isnan(filled).any(axis=3)  # M T V
    for body, joint in np.argwhere(unknown.any(axis=1)).tolist():
        missing = np.flatnonzero(unknown[body, :, joint])
        known = np.flatnonzero(present[body] & ~unknown[body, :, joint])
        if not len(known):
            raise BadMember(f"joint {joint + 1} of body {body + 1} is never known")
        for axis in range(filled.shape[3]):
            filled[body, missing, joint, axis] = np.interp(missing, known, filled[body, known, joint, axis])
    return filled, int(unknown.sum())


def at_rate(sequence: Float[np.ndarray, "M T0 V C"], fps: float) -> Float[np.ndarray, "M T V C"]:
    """The same motion at 30 frames a second, linear between frames; at 30 the sequence itself.

    Frame k of the result is the moment k / 30 s. Next to a frame in which a body is absent (zeros) there is nothing
    to interpolate: there the nearer frame counts, as in `scople.data.skeletons.resample`.

    Raises:
        BadMember: the result would be longer than believed.
    """
    if fps == RATE:
        return sequence
    last = sequence.shape[1] - 1
    frames = math.floor(last * RATE / fps + 1e-9) + 1
    if frames > MOST_FRAMES:
        raise BadMember(f"at {fps:g} frames a second it has {frames} frames of 1/30 s, more than {MOST_FRAMES}")
    moments = np.minimum(np.arange(frames) * (fps / RATE), last)
    before = np.floor(moments).astype(np.int64)
    after = np.minimum(before + 1, last)
    weight = moments - before
    seen = sequence.any(axis=(2, 3))
    both = seen[:, before] & seen[:, after]
    weight = np.where(both, weight, np.round(weight))[..., None, None]
    return (1 - weight) * sequence[:, before] + weight * sequence[:, after]
