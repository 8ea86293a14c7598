"""Who is who: bodies that a detector lists in any order, followed from frame to frame."""

import numpy as np
from jaxtyping import Float

from scople.data.skeletons import SLOTS
from scople.recordings.takes import unknown

MEMORY = 30
"""Frames after which a body that was not seen is no longer waited for."""


def follow(frames: list[list[Float[np.ndarray, "V C"]]]) -> tuple[Float[np.ndarray, "M T V C"], tuple[str, ...]]:
    """Bodies along the time axis, by the order in which they are first seen; NaN in the frames without them.

    A pose belongs to the body whose last pose is nearest, by the mean distance of joints, nearest pairs first. One that
    is farther away than that last pose is tall belongs to a new body. Of more than four bodies the four that are seen
    longest stay, for that is how many the choice of two looks at.

    Returns:
        The bodies, and a sentence where some were left out.
    """
    tracks: list[dict[int, np.ndarray]] = []
    active: list[int] = []
    for frame, poses in enumerate(frames):
        active = [track for track in active if frame - next(reversed(tracks[track])) <= MEMORY]
        open_tracks, open_poses = set(active), set(range(len(poses)))
        for _, track, pose in sorted(_near(tracks, active, poses)):
            if track in open_tracks and pose in open_poses:
                tracks[track][frame] = poses[pose]
                open_tracks.remove(track)
                open_poses.remove(pose)
        for pose in sorted(open_poses):
            active.append(len(tracks))
            tracks.append({frame: poses[pose]})
    longest = sorted(range(len(tracks)), key=lambda track: (-len(tracks[track]), track))[:SLOTS]
    kept = [tracks[track] for track in sorted(longest)]
    shape = next(iter(kept[0].values())).shape
    bodies = unknown(len(kept), len(frames), *shape)
    for body, track in enumerate(kept):
        for frame, pose in track.items():
            bodies[body, frame] = pose
    left_out = f"Of {len(tracks)} bodies the {len(kept)} that are seen longest are looked at."
    return bodies, (left_out,) * (len(tracks) > len(kept))


def _near(tracks: list[dict], active: list[int], poses: list[np.ndarray]) -> list[tuple[float, int, int]]:
    """Distance, track and pose of all pairs that may belong together."""
    pairs = []
    for track in active:
        last = tracks[track][next(reversed(tracks[track]))]
        reach = np.ptp(last, axis=0).max()
        for number, pose in enumerate(poses):
            distance = float((((pose - last) ** 2).sum(axis=1) ** 0.5).mean())
            if distance <= reach:  # not where a coordinate is unknown
                pairs.append((distance, track, number))
    return pairs
