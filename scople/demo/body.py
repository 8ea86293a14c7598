"""The human body of the synthetic recordings: 25 Kinect v2 joints moved by a few channels.

Coordinates are relative to the person: (right, up, forward), with the origin on the ground under the pelvis. They are
in body heights until `joints` scales them to metres. Two-bone inverse kinematics places elbows and knees, so a motion
only says where a hand or a foot goes, and every bone keeps its length.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from scople.data.joints import PARENTS

CHANNELS = (
    "place",  # right, turn (radians, to the right), forward: where the person stands; right and forward turn as well
    "pelvis",  # right, up, forward of its standing position
    "torso",  # bend forward, lean right, twist right; radians
    "head",  # nod, tilt right, turn right; radians, on top of the torso
    "main hand",  # position of the palm; the main side is the right one
    "other hand",
    "main grip",  # thumb roll away from up, finger curl, thumb spread; radians
    "other grip",
    "main foot",  # position of the ankle
    "other foot",
)
"""The ten channels of a pose, three numbers each."""

MIRRORED = np.array([0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 20, 23, 24, 21, 22])
"""For each joint, its counterpart on the other side of the body."""

MAIN, OTHER = 1.0, -1.0
"""Sign of "right" on the two sides of the body."""


@dataclass(frozen=True)
class Build:
    """A person's body measures: `height` in metres, all others in body heights (Kinect joints of an adult)."""

    height: float = 1.7
    lower_spine: float = 0.160
    upper_spine: float = 0.125
    neck: float = 0.045
    head: float = 0.075
    shoulder: float = 0.105
    upper_arm: float = 0.160
    forearm: float = 0.145
    palm: float = 0.045
    finger: float = 0.045
    thumb: float = 0.035
    hip: float = 0.047
    thigh: float = 0.235
    shin: float = 0.235
    foot: float = 0.070
    ankle: float = 0.050

    @property
    def pelvis(self) -> float:
        """Height of the spine base when the person stands with nearly straight knees."""
        return self.ankle + 0.985 * (self.thigh + self.shin)


@dataclass(frozen=True)
class Trunk:
    """The parts of a pose that the hands can aim at: positions, and the orientation of chest and head."""

    base: Float[np.ndarray, "T 3"]
    middle: Float[np.ndarray, "T 3"]
    shoulders: Float[np.ndarray, "T 3"]
    neck: Float[np.ndarray, "T 3"]
    head: Float[np.ndarray, "T 3"]
    chest_axes: Float[np.ndarray, "T 3 3"]
    head_axes: Float[np.ndarray, "T 3 3"]


def standing(build: Build, frames: int) -> Float[np.ndarray, "T 10 3"]:
    """The pose of a person who stands with hanging arms, repeated for `frames` frames."""
    rest = np.zeros((len(CHANNELS), 3))
    shoulder_height = build.pelvis + build.lower_spine + build.upper_spine
    arm = build.upper_arm + build.forearm + build.palm
    for name, side in (("main", MAIN), ("other", OTHER)):
        rest[CHANNELS.index(f"{name} hand")] = (side * (build.shoulder + 0.04), shoulder_height - 0.985 * arm, 0.03)
        rest[CHANNELS.index(f"{name} foot")] = (side * (build.hip + 0.02), build.ankle, 0.0)
        rest[CHANNELS.index(f"{name} grip")] = (0.6, 0.4, 0.6)
    return np.tile(rest, (frames, 1, 1))


def trunk(pose: Float[np.ndarray, "T 10 3"], build: Build) -> Trunk:
    """Spine and head with their orientation; in body heights, before "place" is applied.

    The lower spine takes half of the torso's angles, the upper spine all of them.
    """
    torso, head = pose[:, CHANNELS.index("torso")], pose[:, CHANNELS.index("head")]
    lower_axes, chest_axes = _axes(torso / 2), _axes(torso)
    head_axes = chest_axes @ _axes(head)
    base = pose[:, CHANNELS.index("pelvis")] + np.array([0.0, build.pelvis, 0.0])
    middle = base + build.lower_spine * lower_axes[..., 1]
    shoulders = middle + build.upper_spine * chest_axes[..., 1]
    neck = shoulders + build.neck * chest_axes[..., 1]
    return Trunk(base, middle, shoulders, neck, neck + build.head * head_axes[..., 1], chest_axes, head_axes)


def joints(pose: Float[np.ndarray, "T 10 3"], build: Build, *, left_handed: bool) -> Float[np.ndarray, "T 25 3"]:
    """Forward kinematics: the 25 joints of every frame.

    Args:
        pose: channels of each frame, in the order of `CHANNELS`.
        build: bone lengths.
        left_handed: mirror the motion, so that the main hand is the left one.

    Returns:
        Joints in file order; metres; (right, up, forward), with the origin where the person stands if place = 0.
    """
    middle_line = trunk(pose, build)
    found = np.empty((len(pose), len(PARENTS), 3))
    found[:, [0, 1, 20, 2, 3]] = np.stack(
        [middle_line.base, middle_line.middle, middle_line.shoulders, middle_line.neck, middle_line.head], axis=1
    )
    for name, side, arm, leg, fingers in (("main", MAIN, 8, 16, 23), ("other", OTHER, 4, 12, 21)):
        channel = {part: pose[:, CHANNELS.index(f"{name} {part}")] for part in ("hand", "grip", "foot")}
        found[:, arm : arm + 4] = _arm(middle_line, channel["hand"], build, side)
        found[:, fingers : fingers + 2] = _fingers(found[:, arm + 2], found[:, arm + 3], channel["grip"], build, side)
        found[:, leg : leg + 4] = _leg(middle_line.base, channel["foot"], build, side)

    right, turn, forward = pose[:, CHANNELS.index("place")].T
    turned = _axes(np.stack([np.zeros_like(turn), np.zeros_like(turn), turn], axis=1))
    found += np.stack([right, np.zeros_like(right), forward], axis=1)[:, None]
    placed = np.einsum("tij,tvj->tvi", turned, found)
    if left_handed:
        placed = placed[:, MIRRORED] * np.array([-1.0, 1.0, 1.0])
    return build.height * placed


def _axes(angles: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3 3"]:
    """Rotations by (bend forward, lean right, twist right); the columns are the rotated axes right, up and forward."""
    (bend, lean, twist), one, zero = angles.T, np.ones(len(angles)), np.zeros(len(angles))

    def matrix(rows: list[list[np.ndarray]]) -> np.ndarray:
        return np.moveaxis(np.array(rows), -1, 0)

    bends = matrix([[one, zero, zero], [zero, np.cos(bend), -np.sin(bend)], [zero, np.sin(bend), np.cos(bend)]])
    leans = matrix([[np.cos(lean), np.sin(lean), zero], [-np.sin(lean), np.cos(lean), zero], [zero, zero, one]])
    twists = matrix([[np.cos(twist), zero, np.sin(twist)], [zero, one, zero], [-np.sin(twist), zero, np.cos(twist)]])
    return twists @ bends @ leans


def _arm(middle_line: Trunk, hand: Float[np.ndarray, "T 3"], build: Build, side: float) -> Float[np.ndarray, "T 4 3"]:
    """Shoulder, elbow, wrist and palm. The palm reaches `hand` or points at it; the elbow bends outward and back."""
    shoulder = middle_line.shoulders + middle_line.chest_axes @ np.array([side * build.shoulder, -0.015, 0.0])
    hint = middle_line.chest_axes @ np.array([side * 0.5, -0.6, -0.6])
    reach = build.forearm + build.palm
    elbow, palm = _two_bones(shoulder, hand, build.upper_arm, reach, hint)
    wrist = elbow + (palm - elbow) * (build.forearm / reach)
    return np.stack([shoulder, elbow, wrist, palm], axis=1)


def _fingers(
    wrist: Float[np.ndarray, "T 3"],
    palm: Float[np.ndarray, "T 3"],
    grip: Float[np.ndarray, "T 3"],
    build: Build,
    side: float,
) -> Float[np.ndarray, "T 2 3"]:
    """Hand tip and thumb. Without roll, the thumb points up if the hand is held forward, and forward if it hangs."""
    along = _unit(palm - wrist)
    upright = _unit(_across(np.array([-side * 0.2, 0.5, 0.6]), along))
    inward = side * np.cross(along, upright)
    roll, curl, spread = (angle[:, None] for angle in grip.T)
    thumb_way = np.cos(roll) * upright + np.sin(roll) * inward
    palm_way = np.cos(roll) * inward - np.sin(roll) * upright
    tip = palm + build.finger * (np.cos(curl) * along + np.sin(curl) * palm_way)
    thumb = palm + build.thumb * (np.cos(spread) * along + np.sin(spread) * thumb_way)
    return np.stack([tip, thumb], axis=1)


def _leg(
    base: Float[np.ndarray, "T 3"], foot: Float[np.ndarray, "T 3"], build: Build, side: float
) -> Float[np.ndarray, "T 4 3"]:
    """Hip, knee, ankle and foot. The knee points forward, and so does the foot."""
    hip = base + np.array([side * build.hip, -0.005, 0.0])
    knee, ankle = _two_bones(hip, foot, build.thigh, build.shin, np.array([side * 0.15, 0.0, 1.0]))
    shin = _unit(ankle - knee)
    # The shin turned by 90 degrees about the left-right axis: for a hanging shin, this points forward.
    forward = np.stack([np.zeros(len(shin)), shin[:, 2], -shin[:, 1]], axis=1)
    toes = ankle + build.foot * _unit(_unit(forward) + 0.5 * shin)
    return np.stack([hip, knee, ankle, toes], axis=1)


def _two_bones(
    start: Float[np.ndarray, "T 3"],
    goal: Float[np.ndarray, "T 3"],
    first: float,
    second: float,
    hint: Float[np.ndarray, "*T 3"],
) -> tuple[Float[np.ndarray, "T 3"], Float[np.ndarray, "T 3"]]:
    """Middle and end of two bones from `start` towards `goal`, bent to the side of `hint` (law of cosines)."""
    way = _unit(goal - start)
    distance = np.linalg.norm(goal - start, axis=-1, keepdims=True)
    distance = np.clip(distance, 0.25 * (first + second), 0.998 * (first + second))
    ahead = (first**2 - second**2 + distance**2) / (2 * distance)
    aside = np.sqrt(np.maximum(first**2 - ahead**2, 0.0))
    return start + ahead * way + aside * _unit(_across(hint, way)), start + distance * way


def _across(vector: Float[np.ndarray, "*T 3"], way: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    """The part of `vector` at right angles to the unit vectors `way`."""
    return vector - (vector * way).sum(axis=-1, keepdims=True) * way


def _unit(vectors: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3"]:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
