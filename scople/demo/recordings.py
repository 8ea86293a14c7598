"""From programs to bodies in camera space: who performs an action, how, and where the camera stands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from scople.base.errors import ScopleError
from scople.base.seeding import numpy_generator
from scople.demo.body import CHANNELS, Build, joints
from scople.demo.programs import Program, pose

VIEWS = (np.pi / 4, 0.0, -np.pi / 4)
"""Angle of each camera, radians: NTU's cameras 1-3, PKU-MMD's L, M, R."""

LEAST_FRAMES = 16
"""Shortest recording: long enough for an action to be visible and for a fault to fit in."""

DISTANCE = 0.55 * 1.7
"""Metres between two people who face each other; landmarks on a partner assume this distance."""


@dataclass(frozen=True)
class Subject:
    """A person's body measures and way of moving; the same in every recording.

    Attributes:
        build: bone lengths.
        left_handed: about one in ten.
        tempo: factor on speed.
        amplitude: factor on the size of movements.
        habits: constant change of the standing pose, such as a stoop or a wide stance.
    """

    build: Build
    left_handed: bool
    tempo: float
    amplitude: float
    habits: Float[np.ndarray, "10 3"]

    @classmethod
    def draw(cls, seed: int, number: int) -> "Subject":
        """The performer with this number, drawn from the root seed."""
        rng = numpy_generator(seed, "subject", number)
        limbs = ("thigh", "shin", "upper_arm", "forearm", "shoulder")
        lengths = {limb: getattr(Build, limb) * rng.normal(1.0, 0.03) for limb in limbs}
        build = Build(height=rng.uniform(1.5, 1.9), **lengths)
        habits = np.zeros((len(CHANNELS), 3))
        habits[CHANNELS.index("torso")] = rng.normal([0.03, 0.0, 0.0], [0.05, 0.02, 0.03])
        habits[CHANNELS.index("head")] = rng.normal([0.05, 0.0, 0.0], [0.07, 0.03, 0.05])
        stance, width = rng.normal(0.0, 0.015, 2)
        for name, side in (("main", 1.0), ("other", -1.0)):
            habits[CHANNELS.index(f"{name} foot")] = (side * stance, 0.0, side * rng.normal(0.0, 0.01))
            habits[CHANNELS.index(f"{name} hand")] = (side * width, 0.0, rng.normal(0.0, 0.01))
        return cls(build, bool(rng.random() < 0.1), rng.uniform(0.8, 1.2), rng.uniform(0.85, 1.15), habits)


def require_frames(frames: tuple[int, int]) -> None:
    """Raise ScopleError if the bounds of a recording's length make no sense."""
    least, most = frames
    if not LEAST_FRAMES <= least <= most:
        raise ScopleError(
            f"recordings of {least} to {most} frames were asked for: take at least {LEAST_FRAMES}, least before most."
        )


def take_length(subject: Subject, frames: tuple[int, int], rng: np.random.Generator) -> int:
    """Frames of one recording: drawn uniformly within the bounds, divided by the subject's tempo, then clipped."""
    return int(np.clip(rng.uniform(*frames) / subject.tempo, *frames))


def action(
    program: Program, subjects: Sequence[Subject], frames: int, rng: np.random.Generator
) -> Float[np.ndarray, "M T 10 3"]:
    """The poses of everyone in one action: a short wait, the program at the pace of this take, a short wait.

    Args:
        program: steps of the class.
        subjects: the actor, and a partner if there is one.
        frames: length of the take.
        rng: this take's randomness.

    Returns:
        Channels of each person, actor first.
    """
    before, after = rng.uniform(0.02, 0.14, 2) * frames
    course = np.clip((np.arange(frames) - before) / (frames - 1 - before - after), 0.0, 1.0)
    course = course + rng.normal(0.0, 0.03) * np.sin(np.pi * course)  # early or late within the action
    shared_tempo = rng.uniform(0.85, 1.15)
    posed = [
        pose(
            program,
            who,
            np.clip(course + (rng.normal(0.0, 0.01) if who == "partner" else 0.0), 0.0, 1.0),
            subject.build,
            amplitude=subject.amplitude * rng.uniform(0.92, 1.08),
            tempo=shared_tempo,
        )
        + subject.habits
        for who, subject in zip(("actor", "partner"), subjects, strict=False)
    ]
    return np.stack(posed)


def sway(posed: Float[np.ndarray, "M T 10 3"], rng: np.random.Generator) -> Float[np.ndarray, "M T 10 3"]:
    """The poses with the small, slow movements of a body that is never quite still (30 frames a second)."""
    people, frames = posed.shape[:2]
    strength = np.zeros((len(CHANNELS), 3))
    strength[CHANNELS.index("pelvis")] = 0.004
    strength[[CHANNELS.index("torso"), CHANNELS.index("head")]] = 0.025
    strength[[CHANNELS.index("main hand"), CHANNELS.index("other hand")]] = 0.006
    cycles, phases = rng.uniform(0.2, 0.7, (people, 1, 10, 3)), rng.uniform(0, 2 * np.pi, (people, 1, 10, 3))
    seconds = (np.arange(frames) / 30)[None, :, None, None]
    return posed + strength * np.sin(2 * np.pi * cycles * seconds + phases)


def scene(posed: Float[np.ndarray, "M T 10 3"], subjects: Sequence[Subject]) -> Float[np.ndarray, "M T 25 3"]:
    """Joints of one or two people on a common floor; metres, (right, up, forward), origin between them.

    Two people face each other; the actor looks along +forward.
    """
    bodies = [
        joints(channels, subject.build, left_handed=subject.left_handed)
        for channels, subject in zip(posed, subjects, strict=True)
    ]
    if len(bodies) == 2:
        bodies[0] = bodies[0] - np.array([0.0, 0.0, DISTANCE / 2])
        bodies[1] = bodies[1] * np.array([-1.0, 1.0, -1.0]) + np.array([0.0, 0.0, DISTANCE / 2])
    return np.stack(bodies)


def seen_by_camera(
    bodies: Float[np.ndarray, "M T 25 3"], view: float, rng: np.random.Generator
) -> Float[np.ndarray, "M T 25 3"]:
    """The scene in Kinect camera space: x to the person's right if they face the camera, y up, z away from it.

    Args:
        bodies: joints on the floor; metres, (right, up, forward).
        view: angle at which the camera sees the scene, radians; 0 sees one person from the front, two from the side.
        rng: this recording's randomness (exact angle, distance, height and tilt of the camera).

    Returns:
        Joints in metres; the centre of the scene is 2.7 to 3.4 m from the camera and close to its axis.
    """
    angle = view + rng.normal(0.0, 0.1) + (np.pi / 2 if len(bodies) == 2 else 0.0)
    middle = bodies.mean(axis=(0, 1, 2)) * np.array([1.0, 0.0, 1.0])
    right, up, forward = np.moveaxis(bodies - middle, -1, 0)
    x = np.cos(angle) * right + np.sin(angle) * forward + rng.normal(0.0, 0.15)
    z = np.sin(angle) * right - np.cos(angle) * forward + rng.uniform(2.7, 3.4)
    y = up - rng.uniform(0.8, 1.2)
    tilt = rng.normal(0.0, 0.05)
    return np.stack([x, np.cos(tilt) * y - np.sin(tilt) * z, np.sin(tilt) * y + np.cos(tilt) * z], axis=-1)
