"""People, takes and cameras."""

import numpy as np
import pytest

from scople.base.errors import ScopleError
from scople.demo import Step, load_programs
from scople.demo.recordings import Subject, action, require_frames, scene, seen_by_camera, sway, take_length


def _recorded(program, numbers, view=0.0, frames=41, seed=3):
    rng = np.random.default_rng(seed)
    subjects = [Subject.draw(0, number) for number in numbers]
    return seen_by_camera(scene(sway(action(program, subjects, frames, rng), rng), subjects), view, rng)


def test_subjects_are_themselves_and_differ():
    crowd = [Subject.draw(0, number) for number in range(400)]
    again = Subject.draw(0, 17)
    assert again.build == crowd[17].build
    np.testing.assert_array_equal(again.habits, crowd[17].habits)
    heights = [subject.build.height for subject in crowd]
    assert 1.5 <= min(heights) < 1.55 < 1.85 < max(heights) <= 1.9
    assert 0.05 < np.mean([subject.left_handed for subject in crowd]) < 0.15
    assert Subject.draw(1, 17).build != again.build


def test_the_quick_take_less_time_within_the_bounds():
    subjects = sorted((Subject.draw(0, number) for number in range(31)), key=lambda subject: subject.tempo)
    slow, quick = (
        [take_length(subject, (36, 72), np.random.default_rng(i)) for i in range(101)]
        for subject in (subjects[0], subjects[-1])
    )
    assert np.mean(quick) < np.mean(slow)
    assert min(quick + slow) >= 36
    assert max(quick + slow) <= 72


def test_two_people_face_each_other_one_to_a_side():
    actor, partner = _recorded((Step("look down"),), (1, 2))
    assert 0.6 < np.linalg.norm((actor - partner)[0, 0]) < 1.3
    shoulders = [body[0, 8] - body[0, 4] for body in (actor, partner)]
    assert shoulders[0] @ shoulders[1] < 0
    way = partner[0, 0] - actor[0, 0]
    toes = actor[0, [15, 19]].mean(axis=0) - actor[0, [14, 18]].mean(axis=0)
    assert way @ toes > 0


def test_a_person_seen_from_the_front_has_right_at_positive_x_and_toes_to_the_camera():
    body = _recorded((Step("look down"),), (5,))[0, 0]
    assert body[8, 0] - body[4, 0] > 0.2
    assert body[15, 2] < body[14, 2]
    assert body[3, 1] > body[0, 1] > body[14, 1]


def test_everybody_stays_in_view(root):
    programs = load_programs(root / "datasets" / "demo" / "programs.yaml")
    for number, program in enumerate(programs.values()):
        pair = any(step.who != "actor" or "partner" in step.do for step in program)
        bodies = _recorded(program, (number, number + 1)[: 1 + pair], view=np.pi / 4, seed=number)
        assert 1.2 < bodies[..., 2].min() <= bodies[..., 2].max() < 5.0  # a Kinect v2 tracks from 0.5 to 4.5 m
        assert np.abs(bodies[..., 0] / bodies[..., 2]).max() < 0.75  # it sees 35 degrees to each side


def test_takes_of_one_action_differ_but_less_than_actions(root):
    programs = load_programs(root / "datasets" / "demo" / "programs.yaml")
    names = ("drink water", "sitting down", "kicking something", "hand waving")

    def shape(name, seed):
        body = _recorded(programs[name], (11,), seed=seed)[0]
        return (body - body[:, 1:2]).ravel()

    takes = {name: [shape(name, seed) for seed in range(3)] for name in names}
    within = [np.linalg.norm(a - b) for shapes in takes.values() for a, b in zip(shapes, shapes[1:], strict=False)]
    across = [
        np.linalg.norm(np.mean(takes[a], axis=0) - np.mean(takes[b], axis=0)) for a in names for b in names if a < b
    ]
    assert 0 < max(within)
    assert np.mean(within) < np.mean(across)


@pytest.mark.parametrize("frames", [(15, 40), (40, 36)])
def test_lengths_without_sense_are_refused(frames):
    with pytest.raises(ScopleError, match=f"{frames[0]} to {frames[1]} frames"):
        require_frames(frames)
