"""The rig: bone lengths, reach, handedness, directions."""

import numpy as np
import pytest

from scople.data.joints import JOINT_NAMES, PARENTS
from scople.demo.body import CHANNELS, MIRRORED, Build, joints, standing, trunk

FRAMES = 37


def _wild_poses(build: Build) -> np.ndarray:
    """Poses far beyond what any program asks for: unreachable hands and feet, bent and twisted trunks."""
    rng = np.random.default_rng(5)
    return standing(build, FRAMES) + rng.normal(0.0, 0.4, (FRAMES, len(CHANNELS), 3))


def _bones(found: np.ndarray) -> np.ndarray:
    return np.linalg.norm(found - found[:, PARENTS], axis=-1)


def test_bones_keep_their_lengths_in_any_pose():
    build = Build(height=1.83, thigh=0.24, forearm=0.14)
    bones = _bones(joints(_wild_poses(build), build, left_handed=False))
    steady = [v for v in range(25) if JOINT_NAMES[v] not in ("left shoulder", "right shoulder")]
    np.testing.assert_allclose(bones[:, steady], np.broadcast_to(bones[0, steady], (FRAMES, 23)), atol=1e-9)
    assert bones[0, JOINT_NAMES.index("left knee")] == pytest.approx(0.24 * 1.83)
    assert bones[0, JOINT_NAMES.index("right wrist")] == pytest.approx(0.14 * 1.83)
    np.testing.assert_allclose(bones[:, [4, 8]], 1.83 * np.hypot(build.shoulder, 0.015))


def test_a_standing_person_is_as_tall_as_said_and_has_left_on_the_left():
    found = dict(
        zip(JOINT_NAMES, joints(standing(Build(height=2.0), 1), Build(height=2.0), left_handed=False)[0], strict=True)
    )
    assert 0.90 * 2.0 < found["head"][1] < 0.97 * 2.0  # Kinect's head joint is the middle of the head
    assert found["left shoulder"][0] < 0 < found["right shoulder"][0]
    assert found["left hand"][1] < found["left hip"][1]
    assert found["left foot"][1] >= 0.0
    assert found["left foot"][2] > found["left ankle"][2]  # toes point forward
    assert found["left knee"][2] > found["left hip"][2]
    assert found["left elbow"][2] < found["left shoulder"][2]


def test_a_reachable_hand_is_where_it_is_told_and_a_far_one_is_pointed_at():
    build = Build(height=1.0)
    pose = standing(build, 2)
    shoulder = joints(pose, build, left_handed=False)[0, JOINT_NAMES.index("right shoulder")]
    goals = shoulder + np.array([[-0.1, 0.05, 0.2], [0.0, 0.6, 0.8]])
    pose[:, CHANNELS.index("main hand")] = goals
    found = joints(pose, build, left_handed=False)[:, JOINT_NAMES.index("right hand")]
    np.testing.assert_allclose(found[0], goals[0], atol=1e-9)
    np.testing.assert_allclose((found[1] - shoulder) / np.linalg.norm(found[1] - shoulder), [0.0, 0.6, 0.8], atol=1e-9)
    assert np.linalg.norm(found[1] - shoulder) < build.upper_arm + build.forearm + build.palm


def test_angles_bend_forward_lean_right_and_turn_right():
    build = Build(height=1.0)
    for axis, (coordinate, sign) in enumerate(((2, 1), (0, 1), (2, -1))):
        pose = standing(build, 1)
        pose[:, CHANNELS.index("torso"), axis] = 0.3
        moved = trunk(pose, build)
        way = (moved.shoulders - moved.base)[0] if axis < 2 else moved.chest_axes[0, :, 0]
        assert sign * way[coordinate] > 0.05


def test_a_person_walks_where_they_have_turned():
    build = Build(height=1.0)
    pose = standing(build, 1)
    pose[:, CHANNELS.index("place")] = (0.0, np.pi / 2, 3.0)
    base = joints(pose, build, left_handed=False)[0, 0]
    np.testing.assert_allclose(base, [3.0, build.pelvis, 0.0], atol=1e-9)


def test_a_left_handed_person_is_the_mirror_image():
    build = Build()
    pose = _wild_poses(build)
    right, left = (joints(pose, build, left_handed=handed) for handed in (False, True))
    np.testing.assert_array_equal(left, right[:, MIRRORED] * np.array([-1.0, 1.0, 1.0]))
    other_side = {"left": "right", "right": "left"}
    for v, name in enumerate(JOINT_NAMES):
        assert JOINT_NAMES[MIRRORED[v]] == " ".join(other_side.get(word, word) for word in name.split())
