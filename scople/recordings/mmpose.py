"""Predictions as MMPose writes them (JSON): of a video, a list of frames, or the same under `instance_info`.

    [{"frame_id": 0, "instances": [{"keypoints": [[x, y, z], ...], "keypoint_scores": [...]}, ...]}, ...]
    {"meta_info": {...}, "instance_info": [ ...the same list... ]}

Scores are not looked at. Instances of a frame stand in any order, so bodies are followed from frame to frame. A list of
instances without frames, as of a picture, is one frame.
"""

import json
from typing import Any

import numpy as np
from jaxtyping import Float

from scople.base.errors import printable
from scople.data.samples import BadMember
from scople.recordings.following import follow
from scople.recordings.takes import MOST_FRAMES, MOST_JOINTS, Take, as_bodies, check_size


def read_mmpose(content: bytes) -> list[Take]:
    """The recording of a prediction file.

    Raises:
        BadMember: it is no JSON of the form above, or the instances do not have the same joints.
    """
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:  # also of text that is not UTF-8
        raise BadMember(f"it is no JSON ({printable(str(error), 80)})") from error
    if isinstance(value, dict):
        value = value.get("instance_info")
    if not (isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value)):
        raise BadMember("it has no list of frames, neither by itself nor as instance_info")
    if "instances" not in value[0]:
        value = [{"instances": value}]
    instances = [_instances(entry, number) for number, entry in enumerate(value, start=1)]
    shapes = {pose.shape for frame in instances for pose in frame}
    if len(shapes) != 1:
        raise BadMember(f"its instances have {len(shapes)} numbers of joints" if shapes else "no frame has an instance")
    bodies, notes = follow(_spread(instances, [entry.get("frame_id") for entry in value]))
    return [Take(as_bodies(bodies), notes=notes, is_mirrored_if_z_up=True)]


def _instances(entry: dict, number: int) -> list[Float[np.ndarray, "V C"]]:
    instances = entry.get("instances")
    if not (isinstance(instances, list) and all(isinstance(each, dict) for each in instances)):
        raise BadMember(f"frame {number} of the list has no list of instances")
    return [_pose(each.get("keypoints"), number) for each in instances]


def _pose(keypoints: Any, number: int) -> Float[np.ndarray, "V C"]:
    try:
        pose = np.array(keypoints, np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise BadMember(f"keypoints in frame {number} of the list are no table of numbers") from error
    if pose.ndim == 3 and len(pose) == 1:  # some lifters keep an axis for the one body
        pose = pose[0]
    if pose.ndim != 2 or pose.shape[1] not in (2, 3) or not 1 <= len(pose) <= MOST_JOINTS:
        raise BadMember(
            f"keypoints in frame {number} of the list have the shape {printable(str(pose.shape))}, not (J,3)"
        )
    check_size(pose)
    return pose


def _spread(frames: list[list[np.ndarray]], ids: list[Any]) -> list[list[np.ndarray]]:
    """The frames at the places that their numbers give; without numbers they follow each other."""
    if any(type(number) is not int for number in ids):
        if any(number is not None for number in ids):
            raise BadMember("frame_id is not a whole number everywhere")
        return frames
    order = sorted(range(len(ids)), key=lambda place: ids[place])
    if len(set(ids)) < len(ids):
        raise BadMember("a frame_id stands there twice")
    length = ids[order[-1]] - ids[order[0]] + 1
    if length > MOST_FRAMES:
        raise BadMember(f"frame_id spans {length} frames, more than {MOST_FRAMES}")
    spread: list[list[np.ndarray]] = [[] for _ in range(length)]
    for place in order:
        spread[ids[place] - ids[order[0]]] = frames[place]
    return spread
