"""What a person would see in the picture is said, and a plausible recording gets no word."""

import dataclasses
import zipfile

import numpy as np
import pytest
from shared_recordings import T_POSE, moving

from scople.data.joints import JOINT_NAMES
from scople.recordings.clips import Clip, Reading, read_clips
from scople.recordings.joint_maps import load_map, weighted
from scople.recordings.plausibility import doubts, spine_length

SWAP = [
    JOINT_NAMES.index(name.replace("left", "*").replace("right", "left").replace("*", "right")) for name in JOINT_NAMES
]


def clip(*bodies) -> Clip:
    return Clip("x", np.stack(bodies).astype(np.float32), ())


def test_a_plausible_recording_gets_no_word():
    assert doubts(clip(moving(10))) == []
    assert doubts(clip(moving(10), moving(10) + [1, 0, 0.5])) == []


def test_a_person_may_face_anywhere():
    for angle in np.linspace(0, 6, 7):
        turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        assert doubts(clip(moving(10) @ turn.T)) == []
        assert len(doubts(clip((moving(10) * [-1, 1, 1]) @ turn.T))) == 1


@pytest.mark.parametrize("change", [lambda b: b * [-1, 1, 1], lambda b: b * [1, 1, -1], lambda b: b[:, SWAP]])
def test_mirrored_and_swapped_recordings_are_seen(change):
    (sentence,) = doubts(clip(change(moving(11))))
    assert sentence.startswith("Left and right of the body are swapped against the way it faces")
    both = doubts(clip(moving(11), change(moving(11))))
    assert [sentence[:25] for sentence in both] == ["Left and right of body 2 "]


def test_both_changes_together_are_none():
    assert doubts(clip(moving(11)[:, SWAP] * [-1, 1, 1])) == []


def test_bent_knees_tell_where_there_are_no_feet():
    h36m = load_map("h36m17")
    sitting = T_POSE.copy()
    sitting[[13, 17], 1:] = [0.9, 3.45]
    sitting[[14, 18, 15, 19], 1:] = [0.45, 3.45]
    body = np.repeat(weighted(weighted(sitting, h36m.from_ntu25), h36m.targets)[None], 11, axis=0)
    assert doubts(clip(body)) == []
    assert len(doubts(clip(body * [-1, 1, 1]))) == 1
    standing = np.repeat(weighted(weighted(T_POSE, h36m.from_ntu25), h36m.targets)[None], 11, axis=0)
    assert doubts(clip(standing * [-1, 1, 1])) == []  # nothing tells


def test_without_depth_nothing_tells_the_sides():
    assert doubts(clip(moving(11) * [-1, 1, 0])) == []


@pytest.mark.parametrize(("scale", "spine"), [(0.5, "0.25"), (2, "0.98"), (0.001, "0.00049")])
def test_the_spine_is_measured(scale, spine):
    (sentence,) = doubts(clip(scale * moving(11)))
    assert sentence.startswith(f"The spine of the body has {spine} m, not 0.3 to 0.8")
    assert spine_length(scale * moving(11)) == pytest.approx(0.49 * scale)


@pytest.mark.parametrize("scale", [0.62, 1.6])
def test_tall_and_small_people_are_people(scale):
    assert doubts(clip(scale * moving(11))) == []


def test_an_upside_down_body_is_seen_once():
    (sentence,) = doubts(clip(moving(11) * [1, -1, 1]))
    assert sentence.startswith("The head of the body is below the pelvis")


def z_up(body):
    """As a file with z up looks that is read without --up z."""
    x, y, z = np.moveaxis(body, -1, 0)
    return np.stack([x, -z, y], axis=-1)


def test_a_body_that_lies_is_seen():
    (sentence,) = doubts(clip(z_up(moving(11))))
    assert sentence.startswith("The spine of the body lies flat in most frames: look at the axis (--up), or the person")
    flat, swapped = doubts(clip(z_up(moving(11) * [-1, 1, 1])))
    assert flat == sentence
    assert swapped.startswith("Left and right")


def test_who_bends_down_for_less_than_half_of_the_time_does_not_lie():
    def bent(frames):
        return np.concatenate([z_up(moving(frames)), moving(20 - frames)])

    assert doubts(clip(bent(9))) == []
    assert len(doubts(clip(bent(12)))) == 1


def test_few_frames_are_said():
    (sentence,) = doubts(clip(moving(9)))
    assert sentence.startswith("It has 9 frames")


def test_frames_without_the_body_are_left_out():
    away = moving(20)
    away[3:14] = 0
    assert doubts(clip(away)) == []


@pytest.mark.realdata
def test_real_recordings_are_plausible_and_their_mirror_images_are_not(real_data):
    for path in sorted((real_data / "ntu_raw").glob("*.skeleton")):
        (found,) = read_clips(path, Reading())
        assert doubts(found) == []
        mirrored = dataclasses.replace(found, sequence=found.sequence * np.float32([-1, 1, 1]))
        assert len(doubts(mirrored)) == len(found.sequence)
        lying = dataclasses.replace(found, sequence=z_up(found.sequence))
        assert ["lies flat" in sentence for sentence in doubts(lying)] == [True] * len(found.sequence)


@pytest.mark.realdata
def test_real_recordings_of_another_sensor(real_data, tmp_path):
    with zipfile.ZipFile(real_data / "msr_action3d.zip") as archive:
        for name in sorted(archive.namelist())[::19]:
            (tmp_path / "a.skeleton").write_bytes(archive.read(name))
            (found,) = read_clips(tmp_path / "a.skeleton", Reading())
            assert doubts(found) == []
