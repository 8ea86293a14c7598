"""The slow definition of right: `.skeleton` text to normalised sequence in plain loops.

Follows the chain behind the published Shift-GCN data step by step, number by number, the way that code is
written: every field of every line becomes a number, every joint is turned by itself.
The tests compare the fast readers with it, and `benchmarks/parse.py` their speed.
"""

import math

import numpy as np

BODY_FIELDS = (
    "bodyID clipedEdges handLeftConfidence handLeftState handRightConfidence handRightState "
    "isResticted leanX leanY trackingState"
).split()
JOINT_FIELDS = (
    "x y z depthX depthY colorX colorY orientationW orientationX orientationY orientationZ trackingState"
).split()


def read_frames(text: str) -> list[list[dict]]:
    """Frames of bodies; a body is a dictionary of its fields with a list of joint dictionaries."""
    lines = iter(text.splitlines())
    frames = []
    for _ in range(int(next(lines))):
        bodies = []
        for _ in range(int(next(lines))):
            words = next(lines).split()
            body = {key: float(word) for key, word in zip(BODY_FIELDS, words, strict=True)}
            body["id"] = int(words[0])
            body["joints"] = []
            for _ in range(int(next(lines))):
                words = next(lines).split()
                body["joints"].append({key: float(word) for key, word in zip(JOINT_FIELDS, words, strict=True)})
            bodies.append(body)
        frames.append(bodies)
    return frames


def choose_by_energy(frames: list[list[dict]]) -> np.ndarray:
    """Two slots of highest energy of the first four, (2, T, 25, 3) float64, zeros where absent."""
    data = np.zeros((4, len(frames), 25, 3))
    for t, bodies in enumerate(frames):
        for slot, body in enumerate(bodies):
            for joint, fields in enumerate(body["joints"]):
                if slot < 4:
                    data[slot, t, joint] = [fields["x"], fields["y"], fields["z"]]
    energies = []
    for slot in range(4):
        seen = data[slot][data[slot].sum(-1).sum(-1) != 0]
        energies.append(sum(seen[:, :, axis].std() for axis in range(3)) if len(seen) else 0)
    order = sorted(range(4), key=lambda slot: (-energies[slot], slot))
    return data[order[:2]]


def choose_by_track(frames: list[list[dict]]) -> np.ndarray:
    """Actors by tracking id, (1 or 2, T', 25, 3), as CTR-GCN cleans them; only for tracks without gaps."""
    frames = [bodies for bodies in frames if bodies]
    tracks: dict[int, dict] = {}
    for t, bodies in enumerate(frames):
        for body in bodies:
            track = tracks.setdefault(body["id"], {"start": t, "joints": []})
            track["joints"].append([[joint["x"], joint["y"], joint["z"]] for joint in body["joints"]])
    for track in tracks.values():
        track["joints"] = np.array(track["joints"])
        track["end"] = track["start"] + len(track["joints"]) - 1
        track["motion"] = track["joints"].reshape(-1, 3).var(axis=0).sum()

    several = len(tracks) > 1
    if several:
        for key in list(tracks):
            if len(tracks[key]["joints"]) <= 11:
                del tracks[key]
        for key in list(tracks):
            if len(tracks) == 1:
                break
            good = []
            for t, pose in enumerate(tracks[key]["joints"]):
                x, y = pose[:, 0], pose[:, 1]
                if x.max() - x.min() <= 0.8 * (y.max() - y.min()):
                    good.append(t)
            noise = len(tracks[key]["joints"]) - len(good)
            if noise == 0:
                continue
            if noise / len(tracks[key]["joints"]) >= 0.69754:
                del tracks[key]
            else:
                quiet = tracks[key]["joints"][good].reshape(-1, 3).var(axis=0).sum()
                tracks[key]["motion"] = min(tracks[key]["motion"], quiet)

    joints = np.zeros((2, len(frames), 25, 3))
    spans: list[tuple[int, int] | None] = [None, None]
    for track in sorted(tracks.values(), key=lambda track: -track["motion"]):
        start, end = track["start"], track["end"]
        for actor in range(2):
            span = spans[actor]
            if span is None or min(span[1], end) - max(span[0], start) <= 0:
                joints[actor, start : end + 1] = track["joints"]
                spans[actor] = (start, end) if span is None else (min(span[0], start), max(span[1], end))
                break
    if several:
        joints = joints[:, [bool(joints[:, t].sum() != 0) for t in range(len(frames))]]
    return joints if spans[1] else joints[:1]


def normalise(persons: np.ndarray, length: int) -> np.ndarray:
    """(2, T, 25, 3) with T at most `length` to (3, length, 25, 2), joint by joint."""
    padded = np.zeros((2, length, 25, 3), np.float32)
    padded[:, : persons.shape[1]] = persons
    for person in padded:
        if person.sum() == 0:
            continue
        if person[0].sum() == 0:
            kept = person[person.sum(-1).sum(-1) != 0].copy()
            person *= 0
            person[: len(kept)] = kept
        for t in range(length):
            if person[t].sum() == 0 and person[t:].sum() == 0:
                for later in range(t, length):
                    person[later] = person[(later - t) % t]
                break

    centre = padded[0, :, 1:2].copy()
    for person in padded:
        is_joint = person.sum(-1, keepdims=True) != 0
        person[:] = (person - centre) * is_joint

    for low, high, target in ((0, 1, [0, 0, 1]), (4, 8, [1, 0, 0])):
        matrix = _rotation(padded[0, 0, high] - padded[0, 0, low], target)
        for person in padded:
            if person.sum() == 0:
                continue
            for t in range(length):
                if person[t].sum() != 0:
                    for joint in range(25):
                        person[t, joint] = np.dot(matrix, person[t, joint])
    return padded.transpose(3, 1, 2, 0)


def _rotation(source: np.ndarray, target: list[int]) -> np.ndarray:
    """Turn `source` to `target` about their common normal, by the Euler-Rodrigues formula."""
    source = source.astype(np.float64)
    axis = np.cross(source, target)
    if np.abs(axis).sum() < 1e-6:
        return np.eye(3)
    cosine = np.dot(source, target) / math.sqrt(np.dot(source, source))
    angle = math.acos(max(-1.0, min(1.0, cosine)))
    a = math.cos(angle / 2)
    b, c, d = -axis / math.sqrt(np.dot(axis, axis)) * math.sin(angle / 2)
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)],
            [2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)],
            [2 * (b * d + a * c), 2 * (c * d - a * b), a * a + d * d - b * b - c * c],
        ]
    )
