"""How a Kinect v2 records bodies: noise, faults, and the text of NTU `.skeleton` files and PKU-MMD skeleton files."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from scople.data.joints import JOINT_NAMES, PARENTS

FIRST_BODY_ID = 72057594037927936  # 2^56; the sensor counts up from here
"""Body ids are 64-bit numbers that a float cannot hold."""

DEPTH_CAMERA = (366.0, 256.7, 367.0, 208.6)
COLOUR_CAMERA = (1060.0, 967.0, 1060.0, 550.0)
"""Focal length and centre, across and down, in pixels of the 512 x 424 depth and the 1920 x 1080 colour picture."""

SHAKY = ("wrist", "hand", "ankle")
"""Joints of both sides that the sensor locates less precisely than the trunk."""

ENDS = [JOINT_NAMES.index(name) for name in JOINT_NAMES if name.endswith(("foot", "hand tip", "thumb"))]
"""Joints that the sensor locates least precisely."""

FREE_ENDS = [JOINT_NAMES.index("head"), *ENDS]
"""Joints without an orientation: the sensor writes zeros for it."""

BODY_LINES = "0 %d %d %d %d 0 %.7g %.7g %d\n25\n" + ("%.7g " * 11 + "%d\n") * len(PARENTS)


@dataclass(frozen=True)
class Sighting:
    """One body in one frame: its 64-bit id and its joints in camera space, metres."""

    body_id: int
    joints: Float[np.ndarray, "25 3"]


def jitter(bodies: Float[np.ndarray, "M T 25 3"], rng: np.random.Generator) -> Float[np.ndarray, "M T 25 3"]:
    """Bodies with the sensor's noise: 5 mm at the trunk, up to 12 mm at feet and fingers; half of it changes slowly."""
    spread = np.full((len(PARENTS), 1), 0.005)
    spread[[JOINT_NAMES.index(f"{side} {joint}") for side in ("left", "right") for joint in SHAKY]] = 0.008
    spread[ENDS] = 0.012
    quick, slow = rng.normal(0.0, np.sqrt(0.5), (2, *bodies.shape)) * spread
    for t in range(1, bodies.shape[1]):
        slow[:, t] = 0.8 * slow[:, t - 1] + 0.6 * slow[:, t]  # 0.8² + 0.6² = 1 keeps the variance
    return bodies + quick + slow


def sightings(bodies: Float[np.ndarray, "M T 25 3"], rng: np.random.Generator) -> list[list[Sighting]]:
    """What the sensor reports in each frame: the bodies, with faults in some recordings.

    In 3 % of the recordings some frames lack everybody or, if there are two people, one of them. In 4 % an additional,
    shrunken body appears for a few frames. In 2 % a body's id changes during the recording.
    """
    people, frames = bodies.shape[:2]
    ids = FIRST_BODY_ID + rng.integers(1000, 60000) + np.cumsum(rng.integers(1, 40, people + 2))
    seen = [[Sighting(int(ids[who]), bodies[who, t]) for who in range(people)] for t in range(frames)]
    if rng.random() < 0.02:
        who, change = rng.integers(people), rng.integers(frames // 4, 3 * frames // 4)
        for t in range(change, frames):
            seen[t][who] = Sighting(int(ids[-2]), bodies[who, t])
    if rng.random() < 0.04:
        start, span = rng.integers(0, frames - 11), rng.integers(3, 11)
        ghost = bodies[0, start].mean(axis=0) + 0.25 * (bodies[0, start] - bodies[0, start].mean(axis=0))
        ghost = ghost + np.array([rng.choice([-1.0, 1.0]) * rng.uniform(0.7, 1.1), -0.3, rng.uniform(0.1, 0.4)])
        for t in range(start, start + span):
            seen[t].append(Sighting(int(ids[-1]), ghost + rng.normal(0.0, 0.01, ghost.shape)))
    if rng.random() < 0.03:
        lost = rng.integers(2, frames - 6)
        missing = people if people == 1 or rng.random() < 0.5 else 1
        for t in range(lost, lost + rng.integers(1, 6)):
            seen[t] = seen[t][: people - missing]
    return seen


def skeleton_text(seen: list[list[Sighting]], rng: np.random.Generator) -> str:
    """The text of one `.skeleton` file.

    Args:
        seen: bodies of each frame, in the order in which the file lists them.
        rng: this recording's randomness, for the columns that no method reads (hand states, inferred joints).

    Returns:
        The frame count; for each frame its body count; for each body a line of ten fields, the joint count and 25
        lines of twelve fields.
    """
    bodies = [sighting.joints for frame in seen for sighting in frame]
    values = _fields(np.stack(bodies), rng)
    template = [f"{len(seen)}\n"]
    for frame in seen:
        template.append(f"{len(frame)}\n")
        template.extend(f"{sighting.body_id} {BODY_LINES}" for sighting in frame)
    return "".join(template) % tuple(values.ravel().tolist())


def _fields(joints: Float[np.ndarray, "N 25 3"], rng: np.random.Generator) -> Float[np.ndarray, "N 307"]:
    """The numbers of each body that follow its id and its clipped edges, in file order."""
    count = len(joints)
    is_hand_sure = rng.random((count, 2)) < 0.7
    hand_states = np.stack([is_hand_sure[:, 0], is_hand_sure[:, 0], is_hand_sure[:, 1], is_hand_sure[:, 1]], axis=1)
    trunk = joints[:, 20] - joints[:, 0]
    lean = np.stack([trunk[:, 0], -trunk[:, 2]], axis=1) / np.linalg.norm(trunk, axis=1, keepdims=True)
    tracked = 2.0 - (rng.random((count, len(PARENTS))) < 0.02)
    lines = np.concatenate(
        [
            joints,
            _pixels(joints, DEPTH_CAMERA),
            _pixels(joints + np.array([0.04, 0.0, 0.0]), COLOUR_CAMERA),  # the colour lens sits 4 cm aside
            _orientations(joints),
            tracked[..., None],
        ],
        axis=2,
    )
    return np.concatenate([hand_states, lean, np.full((count, 1), 2.0), lines.reshape(count, -1)], axis=1)


def _pixels(
    joints: Float[np.ndarray, "N 25 3"], camera: tuple[float, float, float, float]
) -> Float[np.ndarray, "N 25 2"]:
    """Pinhole projection: column and row, in pixels from the upper left corner."""
    across, centre, down, middle = camera
    x, y, z = np.moveaxis(joints, -1, 0)
    return np.stack([centre + across * x / z, middle - down * y / z], axis=-1)


def _orientations(joints: Float[np.ndarray, "N 25 3"]) -> Float[np.ndarray, "N 25 4"]:
    """Quaternions (w, x, y, z) of the shortest turn from "up" to each joint's bone."""
    bones = joints - joints[:, PARENTS]
    bones[:, 0] = joints[:, 1] - joints[:, 0]
    x, y, z = np.moveaxis(bones / np.linalg.norm(bones, axis=-1, keepdims=True), -1, 0)
    turns = np.stack([1.0 + y + 1e-6, z, np.zeros_like(x), -x], axis=-1)  # 1e-6: a bone that points straight down
    turns /= np.linalg.norm(turns, axis=-1, keepdims=True)
    turns[:, FREE_ENDS] = 0.0
    return turns


def pku_text(seen: list[list[Sighting]]) -> str:
    """The text of one PKU-MMD skeleton file: 150 numbers a line for two bodies, zeros for an absent one."""
    values = np.zeros((len(seen), 2, len(PARENTS), 3))
    for t, frame in enumerate(seen):
        for slot, sighting in enumerate(frame[:2]):
            values[t, slot] = sighting.joints
    line = " ".join(["%.6f"] * values[0].size) + "\n"
    return (line * len(seen)) % tuple(values.ravel().tolist())
