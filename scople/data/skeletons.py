"""From the bodies of a raw recording to the sequence that Shift-GCN sees.

Two steps of the data preparation that the papers leave to the repositories:
which two bodies of a recording are the persons (`BODY_CHOICES`, at parse time), and where they stand and look
(`normalise`, when a sample is read).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Int64

from scople.base.shapes import JOINTS, PERSONS
from scople.data.samples import BadMember

FARTHEST = 100.0
"""Largest coordinate believed, in metres; a Kinect v2 sees about 8."""

SLOTS = 4
"""Body slots of a frame that the energy choice looks at, as in kchengiva/Shift-GCN, data_gen/ntu_gendata.py."""

SHORTEST_TRACK = 12
"""Frames a body id needs to be believed by the ctr choice (Uason-Chen/CTR-GCN: more than 11)."""

WIDEST_BODY = 0.8
"""Spread in x over spread in y above which the ctr choice calls a frame noise."""

NOISIEST_TRACK = 0.69754
"""Fraction of noise frames from which the ctr choice deletes a body id."""


@dataclass(frozen=True)
class Recording:
    """The bodies of one raw file; an *observation* is one body in one frame, in the file's order.

    Attributes:
        frames: length in frames, including frames without a body.
        joints: metres, camera space; an observation of only zeros counts as absent.
        frame: frame of each observation, from 0, ascending.
        slot: position of the body inside its frame, from 0.
        body_id: the sensor's tracking id; NTU's are near 2^56, where float64 cannot tell neighbours apart.
    """

    frames: int
    joints: Float[np.ndarray, "observations V C"]
    frame: Int[np.ndarray, " observations"]
    slot: Int[np.ndarray, " observations"]
    body_id: Int64[np.ndarray, " observations"]

    def is_present(self) -> Bool[np.ndarray, " observations"]:
        """Whether an observation has any coordinate that is not zero."""
        return self.joints.any(axis=(1, 2))


def choose_by_energy(recording: Recording) -> Float32[np.ndarray, "M T V C"]:
    """The two body slots that spread most, the higher first (kchengiva/Shift-GCN, data_gen/ntu_gendata.py).

    The energy of a slot is std(x) + std(y) + std(z) over all joints of its frames. Tracking ids are ignored,
    so two bodies that swap slots are not told apart. Unstated: at equal energy the lower slot goes first.

    Returns:
        One or two persons; every frame of the recording, zeros where a person is absent.

    Raises:
        BadMember: no frame has a body.
    """
    present = recording.is_present()
    slots = [np.flatnonzero(present & (recording.slot == slot)) for slot in range(SLOTS)]
    slots = [rows for rows in slots if len(rows)]
    if len(slots) > 1:  # most recordings have one body, and nothing to choose
        slots.sort(key=lambda rows: -recording.joints[rows].reshape(-1, 3).std(axis=0).sum())
    return _timelines(recording, [[rows] for rows in slots[:PERSONS]])


def choose_by_track(recording: Recording) -> Float32[np.ndarray, "M T V C"]:
    """The bodies that move most, followed by their tracking ids (Uason-Chen/CTR-GCN, get_raw_denoised_data.py).

    Ids seen in fewer than `SHORTEST_TRACK` frames, and ids that are wider than tall for most of their life, are
    noise. The others are placed in order of falling motion: on the timeline of actor 1 if they do not overlap what is
    there already, else on that of actor 2 under the same condition. Frames in which neither actor is seen are cut.

    Departs: an id keeps its true frames, where the published code closes every gap in a track and so shifts
    what follows; and an absent second actor stays absent, where the published NTU-120 code copies the first.
    Unstated: if every id is too short, the longest stays; ids of equal motion are ordered by first appearance.

    Returns:
        One or two persons; the frames in which either is seen, zeros where one of them is absent.

    Raises:
        BadMember: no frame has a body, or one frame has the same id twice.
    """
    present = np.flatnonzero(recording.is_present())
    ids, first = np.unique(recording.body_id[present], return_index=True)
    tracks = [present[recording.body_id[present] == ids[i]] for i in np.argsort(first)]
    for rows in tracks:
        if (np.diff(recording.frame[rows]) == 0).any():
            raise BadMember(f"body id {recording.body_id[rows[0]]} occurs twice in one frame")
    if len(tracks) > 1:
        tracks = _believable(recording, tracks)

    actors: list[list[np.ndarray]] = [[], []]
    spans = [(0, 0), (0, 0)]  # first and last frame of what an actor has so far
    for rows in tracks:
        start, end = int(recording.frame[rows[0]]), int(recording.frame[rows[-1]])
        for actor in range(PERSONS):
            taken_start, taken_end = spans[actor]
            if not actors[actor]:
                spans[actor] = (start, end)
            elif min(end, taken_end) - max(start, taken_start) <= 0:  # as published: they may share one frame
                spans[actor] = (min(start, taken_start), max(end, taken_end))
            else:
                continue
            actors[actor].append(rows)
            break
    sequence = _timelines(recording, [rows for rows in actors if rows])
    return np.ascontiguousarray(sequence[:, sequence.any(axis=(0, 2, 3))])


def _believable(recording: Recording, tracks: list[np.ndarray]) -> list[np.ndarray]:
    """The tracks that are not noise, by falling motion; at least one."""
    long_enough = [rows for rows in tracks if len(rows) >= SHORTEST_TRACK]
    tracks = long_enough or [max(tracks, key=len)]
    left, kept = len(tracks), []
    for rows in tracks:
        joints = recording.joints[rows]
        motion = joints.reshape(-1, 3).var(axis=0).sum()
        spread = np.ptp(joints, axis=1)
        good = spread[:, 0] <= WIDEST_BODY * spread[:, 1]
        if left > 1 and not good.all():
            if (~good).mean() >= NOISIEST_TRACK:
                left -= 1
                continue
            motion = min(motion, joints[good].reshape(-1, 3).var(axis=0).sum())
        kept.append((motion, rows))
    return [rows for _, rows in sorted(kept, key=lambda track: -track[0])]


def _timelines(recording: Recording, persons: list[list[np.ndarray]]) -> Float32[np.ndarray, "M T V C"]:
    """Persons made of observations, laid out over the frames of the recording; later ones overwrite."""
    if not persons:
        raise BadMember("no frame has a body")
    sequence = np.zeros((len(persons), recording.frames, JOINTS, 3), np.float32)
    for person, tracks in enumerate(persons):
        for rows in tracks:
            sequence[person, recording.frame[rows]] = recording.joints[rows]
    return sequence


BODY_CHOICES: dict[str, Callable[[Recording], np.ndarray]] = {
    "energy": choose_by_energy,
    "ctr": choose_by_track,
}
"""Body choice by its name in params.yaml."""


def normalise(sequence: Float32[np.ndarray, "M T0 V C"], frames: int) -> Float32[np.ndarray, "C T V 2"]:
    """The pre-normalisation of the published Shift-GCN (kchengiva/Shift-GCN, data_gen/preprocess.py), at any length.

    1. Per person: if the first frame is empty, the frames in which the person is seen are packed to the front;
       otherwise gaps stay empty. After the last such frame the person is repeated from the start.
    2. In each frame the spine (joint index 1) of the first person becomes the origin.
    3. Everything is turned so that the first person's spine (0 to 1) points to +z in the first frame.
    4. Everything is then turned so that the shoulders (4 to 8) point to +x in that frame, which may tilt the spine a
       little again.

    Our choice: a sequence longer than `frames` is first resampled to `frames` by linear interpolation. No NTU recording
    is longer than the published 300 frames. Nothing is scaled.

    Args:
        sequence: one or two persons, metres, camera space, zeros where a person is absent.
        frames: T, the length of the result.

    Returns:
        Metres, float32; zeros for an absent second person.
    """
    if sequence.shape[1] > frames:
        sequence = resample(sequence, frames)
    filled = np.zeros((3, frames, JOINTS, PERSONS), np.float32)
    for person, body in enumerate(sequence):
        seen = np.flatnonzero(body.reshape(len(body), -1).any(axis=1))
        if len(seen):
            source = seen if seen[0] > 0 else np.arange(seen[-1] + 1)
            filled[..., person] = body.transpose(2, 0, 1)[:, np.resize(source, frames)]

    flat = filled.reshape(3, frames, -1)  # C T V*M
    is_joint = (flat[0] != 0) | (flat[1] != 0) | (flat[2] != 0)
    centred = (flat - filled[:, :, 1, 0, None]) * is_joint

    first = centred.reshape(filled.shape)[:, 0, :, 0].astype(np.float64)  # C V
    upright = _turn(first[:, 1] - first[:, 0], (0.0, 0.0, 1.0))
    facing = _turn(upright @ (first[:, 8] - first[:, 4]), (1.0, 0.0, 0.0))
    rotation = (facing @ upright).astype(np.float32)
    return (rotation @ centred.reshape(3, -1)).reshape(filled.shape)


def resample(sequence: Float32[np.ndarray, "M T0 V C"], frames: int) -> Float32[np.ndarray, "M T V C"]:
    """The sequence at `frames` equally spaced moments from its first to its last frame, by linear interpolation.

    Where the person is absent from one of the two neighbouring frames, the nearer frame is taken.
    """
    moments = np.linspace(0, sequence.shape[1] - 1, frames)
    before = np.floor(moments).astype(np.int64)
    after = np.ceil(moments).astype(np.int64)
    weight = (moments - before).astype(np.float32)
    is_seen = sequence.any(axis=(2, 3))
    both = is_seen[:, before] & is_seen[:, after]
    weight = np.where(both, weight, np.round(weight))[..., None, None]  # M T 1 1
    return (1 - weight) * sequence[:, before] + weight * sequence[:, after]


def _turn(source: Float[np.ndarray, "3"], target: tuple[float, float, float]) -> Float[np.ndarray, "3 3"]:
    """The smallest rotation that turns the direction of `source` to the unit vector `target` (Rodrigues).

    It is the identity if the axis is undefined: `source` has no length, or is parallel to the target.
    """
    (a, b, c), (d, e, f) = source.tolist(), target
    x, y, z = b * f - c * e, c * d - a * f, a * e - b * d
    if abs(x) + abs(y) + abs(z) < 1e-6:
        return np.eye(3)
    sine, cosine = math.hypot(x, y, z), a * d + b * e + c * f  # both times the length of the source
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]]) / sine
    length = math.hypot(sine, cosine)
    return np.eye(3) + sine / length * cross + (1 - cosine / length) * cross @ cross
