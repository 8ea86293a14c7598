"""A person made by hand: a body of 25 joints, and the bytes of each file format that holds it."""

import csv
import io
import json
import pickle

import numpy as np
import raw_files

from scople.data.joints import JOINT_NAMES

T_POSE = np.array(
    [
        (0, 0.95, 3), (0, 1.2, 3), (0, 1.5, 3), (0, 1.65, 3.02),
        (0.18, 1.42, 3), (0.45, 1.42, 2.98), (0.7, 1.42, 3.01), (0.78, 1.42, 3.02),
        (-0.18, 1.42, 3), (-0.45, 1.42, 2.98), (-0.7, 1.42, 3.01), (-0.78, 1.42, 3.02),
        (0.09, 0.93, 3), (0.1, 0.5, 3.03), (0.1, 0.08, 3), (0.1, 0.03, 3.12),
        (-0.09, 0.93, 3), (-0.1, 0.5, 3.03), (-0.1, 0.08, 3), (-0.1, 0.03, 3.12),
        (0, 1.44, 3), (0.86, 1.42, 3.03), (0.8, 1.42, 3.06), (-0.86, 1.42, 3.03), (-0.8, 1.42, 3.06),
    ]
)  # fmt: skip
"""Metres, y up, facing +z, so that the person's left is +x."""


def moving(frames: int, fps: float = 30.0) -> np.ndarray:
    """(T, 25, 3): the T-pose walks at 0.6 m a second along x and lifts both hands at a quarter of a metre a second."""
    time = np.arange(frames)[:, None, None] / fps
    body = np.repeat(T_POSE[None], frames, axis=0)
    body = body + time * np.array([0.6, 0, 0])
    hands = [
        JOINT_NAMES.index(f"{side} {part}") for side in ("left", "right") for part in ("wrist", "hand", "hand tip")
    ]
    body[:, hands] += time * np.array([0, 0.25, 0])
    return body


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npz(**arrays) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def long_csv(bodies: np.ndarray, names=JOINT_NAMES, time: float | None = None) -> bytes:
    lines = [["frame", "body", "joint", "x", "y", "z", *(["time"] if time else [])]]
    for body, frames in enumerate(bodies):
        for frame, joints in enumerate(frames):
            for name, position in zip(names, joints.tolist(), strict=True):
                lines.append([frame, f"p{body}", name, *position, *([frame / time] if time else [])])
    return _csv(lines)


def wide_csv(bodies: np.ndarray, names=JOINT_NAMES) -> bytes:
    lines = [
        ["frame", "body", *(f"{name.replace(' ', '_')}_{axis}" for name in names for axis in "xyz"[: bodies.shape[3]])]
    ]
    for body, frames in enumerate(bodies):
        lines += [[frame, body, *joints.ravel().tolist()] for frame, joints in enumerate(frames)]
    return _csv(lines)


def _csv(lines: list[list]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(lines)
    return file.getvalue().encode()


def mmpose(bodies: np.ndarray) -> bytes:
    """As the lifter demo writes it; the instances of every second frame stand the other way round."""
    info = []
    for frame in range(bodies.shape[1]):
        order = range(len(bodies))[:: -1 if frame % 2 else 1]
        instances = [
            {"keypoints": bodies[body, frame].tolist(), "keypoint_scores": [0.9] * bodies.shape[2]} for body in order
        ]
        info.append({"frame_id": frame + 1, "instances": instances})
    return json.dumps({"meta_info": {"dataset_name": "h36m"}, "instance_info": info}).encode()


def pyskl(*keypoints: np.ndarray, protocol: int = 4) -> bytes:
    annotations = [
        {"frame_dir": f"S{number}", "label": number, "total_frames": array.shape[1], "keypoint": array}
        for number, array in enumerate(keypoints)
    ]
    return pickle.dumps({"split": {"xsub_val": ["S0"]}, "annotations": annotations}, protocol=protocol)


def ntu(bodies: np.ndarray) -> bytes:
    frames = [
        [(raw_files.FIRST_ID + body, joints) for body, joints in enumerate(each)] for each in bodies.swapaxes(0, 1)
    ]
    return raw_files.skeleton_text(frames)


def pku(bodies: np.ndarray) -> bytes:
    both = np.concatenate([bodies, np.zeros((2 - len(bodies), *bodies.shape[1:]))])
    return raw_files.video_text(both)


def small_files() -> dict[str, bytes]:
    """A sound file of each format, by a name that it may have; one body, five frames."""
    one = moving(5)[None]
    return {
        "a.skeleton": ntu(one),
        "0002-L.txt": pku(one),
        "a.npy": npy(one[0]),
        "a.npz": npz(keypoint=one),
        "long.csv": long_csv(one),
        "wide.csv": wide_csv(one),
        "a.json": mmpose(one),
        "a.pkl": pyskl(one.astype(np.float32), one.astype(np.float16)),
    }
