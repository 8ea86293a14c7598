"""Signs that a recording was read wrongly: the unit, the axis that is up, left and right, its length.

A model answers to anything. These checks see what a person would see in a picture of the skeleton.
"""

import numpy as np
from jaxtyping import Float64

from scople.recordings.clips import Clip
from scople.recordings.motion import is_present

SHORTEST_SPINE, LONGEST_SPINE = 0.3, 0.8
"""Metres from spine base over spine mid to spine shoulder."""

FEWEST_FRAMES = 10
"""A third of a second."""

LEAST_FOOT = 0.02
"""Metres that feet stand out from the shins before they tell where a person faces; estimated feet do not."""

LEAST_BEND = 0.10
"""Metres that bent knees stand out, both together, before they tell."""

FLATTEST = 0.5
"""Vertical part of the spine, as a share of its length, below which a body lies: tilted by more than 60 degrees."""

_SPINE = (0, 1, 20)
_LEGS = ((12, 13, 14, 15), (16, 17, 18, 19))
_SIDES = ((4, 8), (12, 16))


def doubts(clip: Clip) -> list[str]:
    """What is not plausible in a clip, a sentence each; none for a plausible one."""
    bodies = [body[seen] for body, seen in zip(clip.sequence, is_present(clip.sequence), strict=True)]
    bodies = [body.astype(np.float64) for body in bodies if len(body)]
    found = []
    frames = clip.sequence.shape[1]
    if frames < FEWEST_FRAMES:
        found.append(f"It has {frames} frames of 1/30 s, and fewer than {FEWEST_FRAMES} show no action.")
    for number, body in enumerate(bodies, start=1):
        whose = f"of body {number}" if len(bodies) > 1 else "of the body"
        spine = spine_length(body)
        if not SHORTEST_SPINE <= spine <= LONGEST_SPINE:
            found.append(
                f"The spine {whose} has {spine:.2g} m, not {SHORTEST_SPINE:g} to {LONGEST_SPINE:g}: "
                "look at the unit (--unit) and the joint map (--joints)."
            )
        if lies_flat(body):
            found.append(
                f"The spine {whose} lies flat in most frames: look at the axis (--up), or the person lies down."
            )
        elif np.median(body[:, 3, 1] - body[:, 0, 1]) < 0:
            found.append(f"The head {whose} is below the pelvis: look at the axis (--up) and the joint map (--joints).")
            continue
        if is_swapped(body):
            found.append(
                f"Left and right {whose} are swapped against the way it faces: look whether the recording is mirrored "
                "and at the joint map (--joints)."
            )
    return found


def spine_length(body: Float64[np.ndarray, "T V 3"]) -> float:
    """Median length from spine base over spine mid to spine shoulder, metres."""
    base, mid, shoulder = (body[:, joint] for joint in _SPINE)
    return float(np.median(_length(mid - base) + _length(shoulder - mid)))


def lies_flat(body: Float64[np.ndarray, "T V 3"]) -> bool:
    """Whether the spine is nearer to the floor than to the vertical in more than half of the frames."""
    spine = body[:, 20] - body[:, 0]
    return bool(np.mean(np.abs(spine[:, 1]) < FLATTEST * _length(spine)) > 0.5)


def is_swapped(body: Float64[np.ndarray, "T V 3"]) -> bool:
    """Whether the person's left lies where the right should, seen from where the person faces.

    Toes point forward of the shins. Where a file has no real feet, knees that are bent point forward of the line from
    hip to ankle. With u up along the spine and f forward the person's left is u x f. Without such a
    sign (no depth, or a person who stands in a recording without feet) the answer is no.
    """
    by_feet = sum(
        _across(body[:, foot] - body[:, ankle], body[:, ankle] - body[:, knee]) for _, knee, ankle, foot in _LEGS
    )
    by_knees = sum(
        _across(body[:, knee] - body[:, hip], body[:, ankle] - body[:, hip]) for hip, knee, ankle, _ in _LEGS
    )
    has_feet = np.mean(_length(by_feet)) >= LEAST_FOOT
    forward, least = (by_feet, LEAST_FOOT) if has_feet else (by_knees, LEAST_BEND)
    up = body[:, 20] - body[:, 0]
    left = sum(body[:, one] - body[:, other] for one, other in _SIDES)
    sign = (np.cross(up, forward) * left).sum(axis=1) / np.maximum(_length(up) * _length(left), 1e-9)
    return bool(np.mean(sign) < -least)


def _across(vector: Float64[np.ndarray, "T 3"], line: Float64[np.ndarray, "T 3"]) -> Float64[np.ndarray, "T 3"]:
    """The part of a vector that is at right angles to a line."""
    along = (vector * line).sum(axis=1) / np.maximum((line * line).sum(axis=1), 1e-9)
    return vector - along[:, None] * line


def _length(vector: Float64[np.ndarray, "T 3"]) -> Float64[np.ndarray, " T"]:
    return (vector**2).sum(axis=1) ** 0.5
