"""From a take, as it stands in its file, to 25 joints in metres, y up, 30 frames a second."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Float32

from scople.base.documents import listed
from scople.base.errors import ScopleError, printable
from scople.base.shapes import PERSONS
from scople.data.samples import BadMember
from scople.data.skeletons import BODY_CHOICES, FARTHEST, Recording
from scople.recordings.joint_maps import JointMap, plain, weighted
from scople.recordings.motion import RATE, at_rate, fill_gaps, is_present
from scople.recordings.takes import Take

SPINE = 0.5
"""Metres from spine base to spine shoulder that a body without a unit gets, as adults have; children have less."""

ASIDE = (0.0, 0.0, 3.0)
"""Metres. A joint at exactly zero counts as absent in `normalise`, so recordings around the origin are moved."""

SLOWEST, FASTEST = 1.0, 1000.0
"""Frames a second that are believed."""

WIDEST = 3.0
"""Metres that no body reaches from one hand or foot to another."""

THINNEST = 0.01
"""Metres; a body that is thinner is none."""


@dataclass(frozen=True)
class Reading:
    """How files are to be read; where a format fixes joints, unit and axis (NTU, PKU-MMD), those here are not used.

    Attributes:
        joints: a map in `datasets/joints`, or the path of a yaml file of the same form.
        fps: frames a second of the files, of all formats; None takes what a file tells, and 30 where it tells nothing.
        unit: of the coordinates.
        up: the axis that points up: y as in Kinect's camera space, z as in motion capture, -y as in pictures.
        allow_2d: whether recordings without depth are read, with z = 0.
        body_choice: which two bodies are kept of many, a key of `scople.data.skeletons.BODY_CHOICES`.

    Raises:
        ScopleError: fps is not between 1 and 1000, or a name is unknown.
    """

    joints: str = "ntu25"
    fps: float | int | None = None
    unit: Literal["m", "mm"] = "m"
    up: Literal["y", "z", "-y"] = "y"
    allow_2d: bool = False
    body_choice: str = "energy"

    def __post_init__(self) -> None:
        if self.fps is not None and not SLOWEST <= self.fps <= FASTEST:
            raise ScopleError(
                f"{self.fps:g} frames a second are not between {SLOWEST:g} and {FASTEST:g}: correct them."
            )
        for value, known in ((self.unit, ("m", "mm")), (self.up, ("y", "z", "-y")), (self.body_choice, BODY_CHOICES)):
            if value not in known:
                raise ScopleError(f"'{printable(str(value))}' is none of {listed(known)}: take one of them.")


def standard(
    take: Take, reading: Reading, joint_map: JointMap
) -> tuple[Float32[np.ndarray, "M T 25 3"], tuple[str, ...]]:
    """One or two bodies ready for `normalise`, and what was estimated or assumed, a sentence each.

    Of more than two bodies the body choice keeps two; up to two stay in the file's order. A body that is never seen is
    left out.

    Raises:
        ScopleError: the take does not fit to `reading` or the map.
        BadMember: it cannot be used at all.
    """
    notes = list(take.notes)
    if take.is_final:
        sequence = take.bodies
    else:
        bodies, added = _mapped(take, joint_map, reading.allow_2d)
        sequence = _in_metres(bodies, reading)
        if bodies.shape[3] == 2:
            added += (f"There is no depth: z is 0, and the body is scaled until its spine has {SPINE:g} m.",)
        if take.is_mirrored_if_z_up and reading.up == "z" and bodies.shape[3] == 3:
            sequence = sequence * np.array([-1, 1, 1])
            added += ("The axis x is turned around, for this program writes z up and left-handed.",)
        notes += [*joint_map.sentences(), *added]
    _check_reach(sequence, is_in_doubt=reading.unit == "m" and not take.is_final)
    kept = sequence[is_present(sequence).any(axis=1)]
    if not len(kept):
        raise BadMember("no frame has a body")
    if len(kept) > PERSONS:
        notes.append(f"Of {len(kept)} bodies two are kept, chosen by {reading.body_choice}.")
        kept = _chosen(kept, reading.body_choice)
    kept, note = _at_standard_rate(kept, take.fps, reading.fps)
    notes += note
    present = is_present(kept)
    if not (take.is_final or kept[present].any(axis=2).all()):
        kept = np.where(present[..., None, None], kept + np.array(ASIDE), 0)
        _check_reach(kept)
    return np.ascontiguousarray(kept, np.float32), tuple(notes)


def _check_reach(sequence: Float[np.ndarray, "M T 25 3"], *, is_in_doubt: bool = False) -> None:
    """Refuse a coordinate that nobody can have; in doubt of the unit, name millimetres if they make a body."""
    farthest = np.abs(sequence).max(initial=0.0)
    if not farthest <= FARTHEST:
        thickness = np.median(_extents(sequence[is_present(sequence)]).min(axis=1)) / 1000  # if it is in millimetres
        hint = ", the unit may be another (--unit mm)" if is_in_doubt and thickness >= THINNEST else ""
        raise BadMember(f"a coordinate of {farthest:g} m is beyond {FARTHEST:g} m{hint}")


def _mapped(take: Take, joint_map: JointMap, allow_2d: bool) -> tuple[Float[np.ndarray, "M T 25 C"], tuple[str, ...]]:
    """The 25 joints, in the take's unit and axes; C is 2 where there is no depth."""
    bodies, added = _in_order(take, joint_map), ()
    if bodies.shape[3] == 3:
        bodies = np.where(_is_lost(bodies)[..., None], np.nan, bodies)
        _refuse_score(bodies)
        if _is_flat(bodies):
            bodies = bodies[..., :2]
    if bodies.shape[3] == 2:
        if not allow_2d:
            raise ScopleError(
                "it is 2-D, and without depth most actions look alike: record in 3-D, or give --allow-2d."
            )
        undetected = (bodies == 0).all(axis=3)  # as 2-D estimators mark a joint that they did not find
        bodies = np.where(undetected[..., None], np.nan, bodies)
    present = is_present(bodies)
    needed = list(joint_map.needed)
    filled = np.zeros(bodies.shape)
    filled[:, :, needed], count = fill_gaps(bodies[:, :, needed], present)
    if count:
        of = int(present.sum()) * len(needed)
        added = (f"{count} of {of} joint positions were missing and stand between those before and after.",)
    return weighted(filled, joint_map.targets), added


def _is_lost(bodies: Float[np.ndarray, "M T V 3"]) -> Bool[np.ndarray, "M T V"]:
    """Where a joint stands at the origin because a tracker lost it: exactly there, and elsewhere in other frames.

    A joint that never leaves the origin is the root of a pose that is relative to it.
    """
    seen = is_present(bodies)[..., None] & ~np.isnan(bodies).any(axis=3)
    at_origin = (bodies == 0).all(axis=3)
    return seen & at_origin & (seen & ~at_origin).any(axis=1, keepdims=True)


def _refuse_score(bodies: Float[np.ndarray, "M T V 3"]) -> None:
    """Refuse the x, y and score of a 2-D detector, in pixels or as shares of the picture.

    A score is 0 to 1 everywhere. So may be a depth, but then x and y are metres: no body is `WIDEST` across, and one
    of which all coordinates are 0 to 1 would be a cube's. Of millimetres no body is as small as `WIDEST`.
    """
    seen = bodies[is_present(bodies)]
    lowest, highest = (of.reduce(seen, axis=(0, 1), initial=np.nan) for of in (np.fmin, np.fmax))
    if not (lowest[2] >= 0 and highest[2] <= 1 and lowest[2] < highest[2]):
        return
    across = _extents(seen)[:, :2].max(axis=1)
    if np.mean(across > WIDEST) > 0.5 or (lowest.min() >= 0 and highest.max() <= 1):
        raise ScopleError(
            f"its third coordinate is {lowest[2]:.2g} to {highest[2]:.2g} everywhere and looks like the score of a 2-D "
            "detector, which is 0 to 1, and not like a depth: leave it out and give --allow-2d."
        )


def _extents(bodies: Float[np.ndarray, "N V 3"]) -> Float[np.ndarray, "N 3"]:
    """How far each body reaches along each axis; NaN are left out."""
    return np.fmax.reduce(bodies, axis=1) - np.fmin.reduce(bodies, axis=1)


def _is_flat(bodies: Float[np.ndarray, "M T V 3"]) -> bool:
    """Whether the third coordinate says nothing: it is the same, or unknown, wherever there is a body."""
    depth = bodies[..., 2][is_present(bodies)]
    known = depth[~np.isnan(depth)]
    return depth.size > 0 and (known.size == 0 or bool(known.min() == known.max()))


def _in_order(take: Take, joint_map: JointMap) -> Float[np.ndarray, "M T V C"]:
    """The take's joints in the map's order; NaN for one that the file lacks and the map does not need."""
    names = take.joint_names
    if names is None:
        if take.bodies.shape[2] != len(joint_map.joints):
            raise ScopleError(
                f"it has {take.bodies.shape[2]} joints and the joint map {joint_map.name} {len(joint_map.joints)}: "
                "name the map of its joints (--joints)."
            )
        return take.bodies
    place = {plain(name): index for index, name in enumerate(names)}
    missing = [joint_map.joints[joint] for joint in joint_map.needed if plain(joint_map.joints[joint]) not in place]
    if missing:
        raise ScopleError(
            f"it has the joints {listed(map(printable, names))} and lacks {listed(missing)} of the joint map "
            f"{joint_map.name}: name the map of its joints (--joints)."
        )
    bodies = np.full((*take.bodies.shape[:2], len(joint_map.joints), take.bodies.shape[3]), np.nan)
    for joint, name in enumerate(joint_map.joints):
        if plain(name) in place:
            bodies[:, :, joint] = take.bodies[:, :, place[plain(name)]]
    return bodies


def _in_metres(bodies: Float[np.ndarray, "M T 25 C"], reading: Reading) -> Float[np.ndarray, "M T 25 3"]:
    """Metres, y up, turned and never mirrored; a picture is scaled to a spine of `SPINE` and gets z = 0."""
    if bodies.shape[3] == 2:
        if reading.up == "z":
            raise ScopleError("it is 2-D and has no axis z: give --up y or --up -y.")
        spine = (bodies[:, :, 20] - bodies[:, :, 0])[is_present(bodies)]
        length = float(np.median((spine**2).sum(axis=1) ** 0.5)) if len(spine) else 0.0
        if not (math.isfinite(length) and length > 0):
            raise BadMember("its spine has no length")
        bodies = np.concatenate([bodies * (SPINE / length), np.zeros((*bodies.shape[:3], 1))], axis=3)
    elif reading.unit == "mm":
        bodies = bodies / 1000
    if reading.up == "z":
        return np.stack([bodies[..., 0], bodies[..., 2], -bodies[..., 1]], axis=3)
    if reading.up == "-y":
        return bodies * np.array([-1, -1, 1])
    return bodies


def _at_standard_rate(
    sequence: Float[np.ndarray, "M T0 25 3"], told: float | None, asked: float | int | None
) -> tuple[Float[np.ndarray, "M T 25 3"], list[str]]:
    fps = told if asked is None else float(asked)
    if fps is None:
        is_assumed = sequence.shape[1] > 1
        return sequence, [f"{RATE:g} frames a second are assumed, the file does not tell."] * is_assumed
    if not SLOWEST <= fps <= FASTEST:
        raise BadMember(f"{fps:g} frames a second are not between {SLOWEST:g} and {FASTEST:g}")
    note = f"Brought from {fps:g} to {RATE:g} frames a second, linear between frames."
    return at_rate(sequence, fps), [note] * (fps != RATE)


def _chosen(bodies: Float[np.ndarray, "M T 25 3"], body_choice: str) -> Float32[np.ndarray, "two T 25 3"]:
    frame, slot = np.nonzero(is_present(bodies).T)
    recording = Recording(
        frames=bodies.shape[1],
        joints=bodies[slot, frame].astype(np.float64),
        frame=frame.astype(np.int64),
        slot=slot.astype(np.int64),
        body_id=slot.astype(np.int64),
    )
    return BODY_CHOICES[body_choice](recording)
