"""The sensor's noise and faults, and the two file formats."""

import numpy as np
import pytest

from scople.data.joints import PARENTS
from scople.demo.body import Build, joints, standing
from scople.demo.kinect import FIRST_BODY_ID, Sighting, jitter, pku_text, sightings, skeleton_text
from scople.demo.recordings import seen_by_camera

FRAMES = 23


def _bodies(people: int) -> np.ndarray:
    body = joints(standing(Build(), FRAMES), Build(), left_handed=False)
    side_by_side = np.stack([body + np.array([1.0 * who, 0.0, 0.0]) for who in range(people)])
    return seen_by_camera(side_by_side, 0.0, np.random.default_rng(0))


def test_jitter_is_millimetres_and_largest_at_the_ends():
    noise = jitter(np.zeros((2, 499, 25, 3)), np.random.default_rng(0))
    spread = noise.std(axis=(0, 1, 3))
    np.testing.assert_allclose(spread[[0, 11, 23]], [0.005, 0.008, 0.012], rtol=0.1)
    neighbours = np.corrcoef(noise[0, 1:, 0, 0], noise[0, :-1, 0, 0])[0, 1]
    assert 0.2 < neighbours < 0.6


@pytest.mark.parametrize("people", [1, 2])
def test_all_faults_occur_about_as_often_as_said(people):
    bodies, rng, recordings = _bodies(people), np.random.default_rng(1), 997
    lost = ghosts = renamed = 0
    for _ in range(recordings):
        seen = sightings(bodies, rng)
        counts = np.array([len(frame) for frame in seen])
        names = {sighting.body_id for frame in seen for sighting in frame}
        lost += counts.min() < people
        ghosts += counts.max() > people
        renamed += len(names) - people - (counts.max() > people) > 0
        assert len(seen) == FRAMES
        assert counts[0] >= people  # the sensor has the people when a recording starts
        assert counts.max() <= people + 1
        assert min(names) > FIRST_BODY_ID
    np.testing.assert_allclose(np.array([lost, ghosts, renamed]) / recordings, [0.03, 0.04, 0.02], atol=0.015)


def test_a_skeleton_file_has_exactly_the_lines_of_the_format():
    bodies, rng = _bodies(2), np.random.default_rng(2)
    ids = (FIRST_BODY_ID + 1, FIRST_BODY_ID + 2)
    seen = [[Sighting(ids[who], bodies[who, t]) for who in range((t + 1) % 3)] for t in range(FRAMES)]
    lines = skeleton_text(seen, rng).split("\n")
    assert lines.pop() == ""
    lines = iter(lines)
    assert int(next(lines)) == FRAMES
    for frame in seen:
        assert int(next(lines)) == len(frame)
        for sighting in frame:
            head = next(lines).split(" ")
            assert len(head) == 10
            assert int(head[0]) == sighting.body_id  # every digit of it
            assert all(field.isdigit() for field in (*head[1:7], head[9]))
            assert next(lines) == "25"
            fields = np.array([next(lines).split(" ") for _ in range(25)]).astype(np.float64)
            assert fields.shape == (25, 12)
            np.testing.assert_allclose(fields[:, :3], sighting.joints, rtol=1e-6)
    assert next(lines, None) is None


def test_columns_that_nobody_reads_are_plausible():
    bodies, rng = _bodies(1), np.random.default_rng(3)
    text = skeleton_text([[Sighting(FIRST_BODY_ID, bodies[0, 0])]], rng)
    fields = np.array([line.split(" ") for line in text.split("\n")[4:-1]]).astype(np.float64)
    x, y, z, column, row, far_column, far_row = fields[:, :7].T
    np.testing.assert_allclose((column - 256.7) / 366.0, x / z, atol=1e-4)
    np.testing.assert_allclose((208.6 - row) / 367.0, y / z, atol=1e-4)
    assert ((0 < far_column) & (far_column < 1920) & (0 < far_row) & (far_row < 1080)).all()
    turns, is_free = fields[:, 7:11], np.isin(np.arange(25), [3, 15, 19, 21, 22, 23, 24])
    np.testing.assert_allclose(np.linalg.norm(turns, axis=1), np.where(is_free, 0.0, 1.0), atol=1e-6)
    w, i, j, k = turns[1]  # the spine's turn takes "up" to the bone
    up = [2 * (i * j - k * w), 1 - 2 * (i * i + k * k), 2 * (j * k + i * w)]
    bone = fields[1, :3] - fields[PARENTS[1], :3]
    np.testing.assert_allclose(up, bone / np.linalg.norm(bone), atol=1e-4)
    assert set(fields[:, 11]) <= {1.0, 2.0}


def test_a_pku_file_has_two_bodies_a_line_and_zeros_for_who_is_not_there():
    bodies = _bodies(2)
    seen = [[Sighting(who + 1, bodies[who, t]) for who in range(t % 4)[:2]] for t in range(2)]
    seen.append([Sighting(who + 1, bodies[who % 2, 2]) for who in range(3)])
    values = np.array([line.split(" ") for line in pku_text(seen).splitlines()]).astype(np.float64)
    assert values.shape == (3, 150)
    assert not values[0].any()
    np.testing.assert_allclose(values[1, :75].reshape(25, 3), bodies[0, 1], atol=1e-6)
    assert not values[1, 75:].any()
    np.testing.assert_allclose(values[2].reshape(2, 25, 3), bodies[:, 2], atol=1e-6)  # a third body has no place
