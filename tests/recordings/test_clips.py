"""Every format gives the same person, the pipeline's with the same bits; every refusal is a sentence."""

import dataclasses
import io
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import shared_recordings as made

from scople.base.errors import ScopleError
from scople.data.joints import JOINT_NAMES
from scople.data.skeletons import BODY_CHOICES, normalise
from scople.formats.ntu import parse_skeleton
from scople.recordings import arrays, takes
from scople.recordings.clips import Clip, Reading, read_clips
from scople.recordings.joint_maps import load_map, weighted

ONE = made.moving(7)[None]
TWO = np.stack([made.moving(7), made.moving(7)[:, :, ::1] * 1.05 + [1.5, 0, 0.2]])


def read(tmp_path, name, content, **reading) -> list[Clip]:
    path = tmp_path / name
    path.write_bytes(content)
    return read_clips(path, Reading(**reading))


def refusal(tmp_path, name, content, **reading) -> str:
    """The sentence that a file gets."""
    with pytest.raises(ScopleError) as caught:
        read(tmp_path, name, content, **reading)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert sentence.isprintable()
    assert sentence.endswith(".")
    assert len(sentence) < 700
    return sentence


@pytest.mark.parametrize("bodies", [ONE, TWO], ids=["one body", "two bodies"])
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.npy", made.npy),
        ("a.npy", lambda b: made.npy(np.asfortranarray(b))),
        ("a.npy", lambda b: made.npy(b.astype(">f8"))),
        ("a.npz", lambda b: made.npz(anything=b, fps=30)),
        ("a.npz", lambda b: made.npz(other=np.ones(3), keypoint=b)),
        ("a.csv", made.long_csv),
        ("a.csv", made.wide_csv),
        ("a.csv", lambda b: made.wide_csv(b).replace(b",", b";").upper()),
        ("a.json", made.mmpose),
        ("a.pkl", made.pyskl),
        ("a", made.npy),
        ("b", lambda b: made.npz(x=b)),
        ("c", made.pyskl),
        ("d", made.mmpose),
        ("e", made.wide_csv),
    ],
)
def test_every_format_gives_the_same_bodies(tmp_path, name, write, bodies):
    (clip,) = read(tmp_path, name, write(bodies))
    np.testing.assert_array_equal(clip.sequence, bodies.astype(np.float32))
    assert clip.sequence.dtype == np.float32
    assert clip.name == name


@pytest.mark.parametrize(
    ("name", "write"), [("a.skeleton", made.ntu), ("a", made.ntu), ("0001-M.txt", made.pku), ("x", made.pku)]
)
def test_sensor_texts_keep_their_digits(tmp_path, name, write):
    (clip,) = read(tmp_path, name, write(ONE))
    np.testing.assert_allclose(clip.sequence, ONE, atol=1e-6)
    assert clip.estimated == ()


def test_a_sensor_text_is_read_as_its_format_says(tmp_path):
    (clip,) = read(tmp_path, "a.skeleton", made.ntu(ONE), joints="coco17", unit="mm", up="z")
    np.testing.assert_allclose(clip.sequence, ONE, atol=1e-6)
    assert clip.fixed_by == "NTU skeleton text"
    (slow,) = read(tmp_path, "a.skeleton", made.ntu(ONE), fps=15)
    assert slow.sequence.shape[1] == 13  # a rate that is given counts for every format
    (clip,) = read(tmp_path, "a.npy", made.npy(ONE))
    assert clip.fixed_by == ""


def test_a_pku_video_that_ends_in_the_middle_loses_its_last_frame(tmp_path):
    (clip,) = read(tmp_path, "0001-L.txt", made.pku(ONE).rstrip())
    assert clip.sequence.shape == (1, 6, 25, 3)
    assert clip.estimated == ("The last frame is left out, nothing ends its line.",)


@pytest.mark.realdata
@pytest.mark.parametrize("choice", BODY_CHOICES)
def test_ntu_files_have_the_bits_of_the_parse_stage(real_data, choice):
    for path in sorted((real_data / "ntu_raw").glob("*.skeleton")):
        (clip,) = read_clips(path, Reading(body_choice=choice))
        expected = BODY_CHOICES[choice](parse_skeleton(path.read_bytes()))
        np.testing.assert_array_equal(clip.sequence.view(np.uint32), expected.view(np.uint32))


@pytest.mark.realdata
def test_ntu_files_reach_the_backbone_as_published(real_data):
    expected = np.load(real_data / "ntu_expected.npz")
    for name, normalised in zip(expected["names"], expected["normalised"], strict=True):
        (clip,) = read_clips(real_data / "ntu_raw" / f"{name}.skeleton", Reading())
        np.testing.assert_allclose(normalise(clip.sequence, 300), normalised, rtol=0, atol=1e-5)


@pytest.mark.realdata
def test_a_real_pku_video(real_data):
    (clip,) = read_clips(real_data / "pku_raw" / "A10N08-L.txt", Reading())
    assert clip.sequence.shape == (2, 1040, 25, 3)
    assert clip.sequence[1].any(axis=(1, 2)).sum() == 728


def test_recordings_of_one_file_are_numbered(tmp_path):
    clips = read(tmp_path, "a.pkl", made.pyskl(ONE, TWO))
    assert [clip.name for clip in clips] == ["a.pkl 1", "a.pkl 2"]
    assert [clip.sequence.shape[0] for clip in clips] == [1, 2]


@pytest.mark.parametrize("wrap", [lambda a: a, lambda a: [a], lambda a: {"annotations": [a]}])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_forms_of_annotation_files(tmp_path, wrap, protocol):
    content = pickle.dumps(wrap({"frame_dir": "x", "label": 3, "keypoint": TWO.astype(np.float32)}), protocol)
    (clip,) = read(tmp_path, "a.pkl", content)
    np.testing.assert_array_equal(clip.sequence, TWO.astype(np.float32))


def test_bodies_are_followed_when_their_order_changes(tmp_path):
    (clip,) = read(tmp_path, "a.json", made.mmpose(TWO[::-1]))
    np.testing.assert_array_equal(clip.sequence, TWO[::-1].astype(np.float32))


def test_a_picture_is_one_frame(tmp_path):
    content = made.mmpose(ONE[:, :1])
    instances = content[content.index(b'"instances": ') + 13 : -3]
    (clip,) = read(tmp_path, "a.json", instances)
    np.testing.assert_array_equal(clip.sequence, ONE[:, :1].astype(np.float32))


def test_frames_that_the_numbers_leave_out_are_empty(tmp_path):
    content = made.mmpose(ONE).replace(b'"frame_id": 7', b'"frame_id": 9')
    (clip,) = read(tmp_path, "a.json", content)
    assert clip.sequence.any(axis=(2, 3)).tolist() == [[True] * 6 + [False] * 2 + [True]]
    lines = made.wide_csv(ONE).decode().splitlines()
    (clip,) = read(tmp_path, "a.csv", "\n".join([*lines[:3], *lines[6:]]).encode())
    assert clip.sequence.any(axis=(2, 3)).tolist() == [[True, True, False, False, False, True, True]]


def test_joints_of_a_table_may_be_numbers_or_stand_in_any_order(tmp_path):
    (clip,) = read(tmp_path, "a.csv", made.long_csv(ONE, names=range(25)))
    np.testing.assert_array_equal(clip.sequence, ONE.astype(np.float32))
    order = np.random.default_rng(1).permutation(25)
    (clip,) = read(tmp_path, "a.csv", made.wide_csv(ONE[:, :, order], names=[JOINT_NAMES[joint] for joint in order]))
    np.testing.assert_array_equal(clip.sequence, ONE.astype(np.float32))


def test_a_table_may_leave_out_joints_that_the_map_does_not_need(tmp_path):
    coco = load_map("coco17")
    bodies = weighted(ONE, coco.from_ntu25)
    needed = list(coco.needed)
    (clip,) = read(
        tmp_path, "a.csv", made.wide_csv(bodies[:, :, needed], names=[coco.joints[j] for j in needed]), joints="coco17"
    )
    np.testing.assert_allclose(clip.sequence, weighted(bodies, coco.targets), atol=1e-6)
    sentence = refusal(tmp_path, "a.csv", made.wide_csv(bodies[:, :, :5], names=coco.joints[:5]), joints="coco17")
    assert "lacks left_shoulder" in sentence


def test_time_tells_the_rate(tmp_path):
    body = made.moving(9, fps=15)[None]
    (clip,) = read(tmp_path, "a.csv", made.long_csv(body, time=15))
    np.testing.assert_allclose(clip.sequence, made.moving(17)[None], atol=1e-6)
    assert "Brought from 15 to 30 frames a second" in clip.estimated[-1]
    without_frame = made.long_csv(body, time=15).replace(b"frame,", b"count,")
    (again,) = read(tmp_path, "a.csv", without_frame)
    np.testing.assert_array_equal(again.sequence, clip.sequence)


@pytest.mark.parametrize("fps", [60, 25, 12.5])
def test_a_motion_is_the_same_at_any_rate(tmp_path, fps):
    body = made.moving(31, fps=fps)
    (clip,) = read(tmp_path, "a.npy", made.npy(body), fps=fps)
    frames = int(30 * 30 / fps) + 1
    assert clip.sequence.shape == (1, frames, 25, 3)
    np.testing.assert_allclose(clip.sequence[0], made.moving(frames), atol=1e-6)
    (told,) = read(tmp_path, "a.npz", made.npz(joints=body, fps=fps))
    np.testing.assert_array_equal(told.sequence, clip.sequence)


def test_an_assumed_rate_is_said(tmp_path):
    (clip,) = read(tmp_path, "a.npy", made.npy(ONE))
    assert clip.estimated == ("30 frames a second are assumed, the file does not tell.",)
    (clip,) = read(tmp_path, "a.npy", made.npy(ONE), fps=30)
    assert clip.estimated == ()


def test_units_and_axes(tmp_path):
    x, y, z = np.moveaxis(ONE, -1, 0)
    for array, reading in (
        (1000 * ONE, {"unit": "mm"}),
        (np.stack([x, -z, y], axis=-1), {"up": "z"}),
        (np.stack([-x, -y, z], axis=-1), {"up": "-y"}),
        (np.stack([-1000 * x, -1000 * y, 1000 * z], axis=-1), {"up": "-y", "unit": "mm"}),
    ):
        (clip,) = read(tmp_path, "a.npy", made.npy(array), **reading)
        np.testing.assert_allclose(clip.sequence, ONE, atol=1e-6)


def test_no_reading_mirrors(tmp_path):
    """Left of the spine stays left, seen from the way that the feet point."""
    for up in ("y", "z", "-y"):
        (clip,) = read(tmp_path, "a.npy", made.npy(ONE), up=up)
        body = clip.sequence[0, 0].astype(np.float64)
        volumes = [np.linalg.det(np.stack([b[4] - b[0], b[3] - b[0], b[15] - b[14]])) for b in (body, made.T_POSE)]
        assert volumes[0] == pytest.approx(volumes[1], abs=1e-6)
        assert abs(volumes[1]) > 0.01


def test_what_mmpose_mirrors_is_turned_back(tmp_path):
    camera = ONE * [-1, -1, 1]  # x right, y down, z forward
    written = np.stack([-camera[..., 0], camera[..., 2], -camera[..., 1]], axis=-1)  # as its lifters turn it
    (clip,) = read(tmp_path, "a.json", made.mmpose(written), up="z")
    turned = clip.sequence[0, 0].astype(np.float64)
    handed = np.linalg.det(np.stack([turned[j] - turned[0] for j in (4, 3, 15)]))
    assert handed == pytest.approx(np.linalg.det(np.stack([ONE[0, 0, j] - ONE[0, 0, 0] for j in (4, 3, 15)])), abs=1e-6)
    assert any("turned around" in sentence for sentence in clip.estimated)


def test_two_coordinates_are_read_only_when_asked_for(tmp_path):
    pixels = 100 * ONE[..., :2] * [-1, -1] + 500
    assert "--allow-2d" in refusal(tmp_path, "a.npy", made.npy(pixels), up="-y")
    (clip,) = read(tmp_path, "a.npy", made.npy(pixels), up="-y", allow_2d=True)
    assert not clip.sequence[..., 2].any()
    scale = 0.5 / (made.T_POSE[20, 1] - made.T_POSE[0, 1])
    expected = scale * (ONE[..., :2] - ONE[..., :1, :2])
    np.testing.assert_allclose((clip.sequence - clip.sequence[:, :, :1])[..., :2], expected, atol=1e-5)
    assert any("There is no depth" in sentence for sentence in clip.estimated)
    assert "no axis z" in refusal(tmp_path, "a.npy", made.npy(pixels), up="z", allow_2d=True)
    (clip,) = read(tmp_path, "a.csv", made.wide_csv(ONE[..., :2]), allow_2d=True)
    assert not clip.sequence[..., 2].any()


def scored(positions):
    """x, y and a score, as 2-D detectors write them; (0, 0, 0) for a joint that is not found."""
    scores = np.random.default_rng(1).uniform(0.02, 0.98, (*positions.shape[:3], 1))
    written = np.concatenate([positions, scores], axis=3)
    written[0, 3, 6] = 0
    return written


PIXELS = scored(100 * ONE[..., :2] * [-1, -1] + 500)
SHARES = scored(0.3 * ONE[..., :2] * [-1, -1] + [0.5, 0.7])


@pytest.mark.parametrize("bodies", [PIXELS, SHARES], ids=["pixels", "shares"])
@pytest.mark.parametrize(("name", "write"), [("a.npy", made.npy), ("a.json", made.mmpose), ("a.csv", made.long_csv)])
@pytest.mark.parametrize("reading", [{}, {"unit": "mm"}, {"allow_2d": True}])
def test_a_detectors_score_is_no_depth(tmp_path, bodies, name, write, reading):
    sentence = refusal(tmp_path, name, write(bodies), up="-y", **reading)
    assert "its third coordinate is 0.0" in sentence
    assert "leave it out and give --allow-2d" in sentence
    (clip,) = read(tmp_path, "a.npy", made.npy(bodies[..., :2]), up="-y", allow_2d=True)
    assert not clip.sequence[..., 2].any()


def test_a_depth_of_0_to_1_is_no_score(tmp_path):
    """Relative to the root, above the floor, or near the camera: x and y tell that these are metres."""
    rooted = ONE - ONE[:, :, :1]
    for bodies, reading in (
        (rooted - [0, 0, rooted[..., 2].min()], {}),
        (rooted / 2, {}),
        (ONE - [0, 0, 2.5], {}),
        (1000 * ONE - [0, 0, 2500], {"unit": "mm"}),
        (np.stack([ONE[..., 0] + 5, -ONE[..., 2], ONE[..., 1] / 2], axis=-1), {"up": "z"}),
    ):
        (clip,) = read(tmp_path, "a.npy", made.npy(bodies), **reading)
        assert np.ptp(clip.sequence[..., 2]) > 0.05


@pytest.mark.realdata
def test_no_real_recording_has_a_score(real_data, tmp_path):
    for path in sorted((real_data / "ntu_raw").glob("*.skeleton")):
        (clip,) = read_clips(path, Reading())
        x, y, z = np.moveaxis(clip.sequence, -1, 0)
        for axes in ((x, y, z), (x, -z, y)):
            read(tmp_path, "a.npy", made.npy(np.stack(axes, axis=-1)))


def test_millimetres_are_guessed_only_where_they_can_be(tmp_path):
    """Pixels with a score beyond 1 would be a body as thin as a hair."""
    pixels = PIXELS * [1, 1, 1.3]
    assert "--unit mm" not in refusal(tmp_path, "a.npy", made.npy(pixels))
    assert "--unit mm" not in refusal(tmp_path, "a.npy", made.npy(1e5 * ONE), unit="mm")
    assert "--unit mm" in refusal(tmp_path, "a.npy", made.npy(1000 * ONE))


def test_a_depth_that_is_always_the_same_is_none(tmp_path):
    flat = ONE * [1, 1, 0]
    assert "2-D" in refusal(tmp_path, "a.npy", made.npy(flat))
    (clip,) = read(tmp_path, "a.npy", made.npy(flat), allow_2d=True)
    assert not clip.sequence[..., 2].any()


def test_an_undetected_joint_of_a_picture_is_filled(tmp_path):
    pixels = 100 * ONE[..., :2]
    gone = pixels.copy()
    gone[0, 3, 6] = 0
    expected = read(tmp_path, "a.npy", made.npy(pixels), allow_2d=True)[0]
    (clip,) = read(tmp_path, "a.npy", made.npy(gone), allow_2d=True)
    np.testing.assert_allclose(clip.sequence, expected.sequence, atol=1e-6)
    assert any("1 of 175 joint positions were missing" in sentence for sentence in clip.estimated)


def test_missing_joints_stand_on_the_line_between(tmp_path):
    holes = ONE.copy()
    holes[0, 2:4, 11] = np.nan
    holes[0, 5:, 3] = np.nan
    (clip,) = read(tmp_path, "a.npy", made.npy(holes))
    expected = ONE.copy()
    expected[0, 5:, 3] = ONE[0, 4, 3]
    np.testing.assert_allclose(clip.sequence, expected, atol=1e-6)
    assert any("4 of 175" in sentence for sentence in clip.estimated)
    holes[0, :, 11] = np.nan
    assert "joint 12 of body 1 is never known" in refusal(tmp_path, "a.npy", made.npy(holes))


def test_a_joint_that_a_tracker_lost_is_filled(tmp_path):
    """Many write (0, 0, 0) for it, as the body's other joints say."""
    lost = ONE.copy()
    lost[0, 2:4, 11] = 0
    lost[0, 5:, 3] = 0
    (clip,) = read(tmp_path, "a.npy", made.npy(lost))
    expected = ONE.copy()
    expected[0, 5:, 3] = ONE[0, 4, 3]
    np.testing.assert_allclose(clip.sequence, expected, atol=1e-6)
    assert any("4 of 175" in sentence for sentence in clip.estimated)


def test_a_root_that_is_always_zero_is_none_that_was_lost(tmp_path):
    rooted = ONE - ONE[:, :, :1]
    rooted[0, 2, 0] = np.nan
    rooted[0, 4] = 0  # nobody is there
    (clip,) = read(tmp_path, "a.npy", made.npy(rooted))
    assert any("1 of 150" in sentence for sentence in clip.estimated)
    expected = (ONE - ONE[:, :, :1])[:, [0, 1, 2, 3, 5, 6]]
    found = clip.sequence[:, [0, 1, 2, 3, 5, 6]]
    np.testing.assert_allclose(found - found[:, :, :1], expected, atol=1e-6)
    assert not clip.sequence[:, 4].any()


def test_a_body_that_is_away_is_zeros(tmp_path):
    away = TWO.copy()
    away[1, 2:4] = np.nan
    away[1, 5] = 0
    (clip,) = read(tmp_path, "a.npy", made.npy(away))
    assert clip.sequence.any(axis=(2, 3)).tolist() == [[True] * 7, [True, True, False, False, True, False, True]]
    away[0] = 0
    (clip,) = read(tmp_path, "a.npy", made.npy(away))
    np.testing.assert_array_equal(clip.sequence[0, :2], TWO[1, :2].astype(np.float32))
    assert len(clip.sequence) == 1


def test_two_of_many_bodies_are_chosen(tmp_path):
    still = np.repeat(ONE[:, :1], 7, axis=1)
    three = np.concatenate([still * [0.5, 0.5, 1], TWO * [3, 1, 1]])
    (clip,) = read(tmp_path, "a.npy", made.npy(three))
    assert {float(body[0, 4, 0]) for body in clip.sequence} == {np.float32(x) for x in three[1:, 0, 4, 0]}
    assert any("Of 3 bodies two are kept, chosen by energy" in sentence for sentence in clip.estimated)


def test_joints_at_the_origin_are_not_taken_for_absent(tmp_path):
    """Lifters put the pelvis to zero, which `normalise` would leave behind."""
    rooted = ONE - ONE[:, :, :1]
    (clip,) = read(tmp_path, "a.npy", made.npy(rooted))
    assert clip.sequence.any(axis=3).all()
    np.testing.assert_allclose(clip.sequence - clip.sequence[:, :, :1], rooted, atol=1e-6)
    np.testing.assert_allclose(
        normalise(clip.sequence, 7), normalise((rooted + [1.0, 2.0, 4.0]).astype(np.float32), 7), atol=1e-5
    )


def test_what_is_moved_from_the_origin_stays_within_reach(tmp_path):
    """A model refuses what is beyond 100 m, and with it all that shares the call."""
    rooted = ONE - ONE[:, :, :1]
    far = rooted + np.array([0, 0, 98.0]) * (np.arange(25) > 0)[:, None]
    assert np.abs(far).max() < 100
    assert "beyond 100 m" in refusal(tmp_path, "a.npy", made.npy(far))


def test_standard_input(monkeypatch):
    content = io.BytesIO(made.npy(ONE))
    monkeypatch.setattr(sys, "stdin", type("Input", (), {"buffer": content}))
    (clip,) = read_clips(Path("-"), Reading())
    np.testing.assert_array_equal(clip.sequence, ONE.astype(np.float32))
    assert clip.name == "standard input"
    assert not content.read()


def test_what_a_map_estimates_is_said(tmp_path):
    bodies = weighted(ONE, load_map("h36m17").from_ntu25)
    (clip,) = read(tmp_path, "a.npy", made.npy(bodies), joints="h36m17", fps=30)
    assert clip.estimated == load_map("h36m17").sentences()
    assert len(clip.estimated) == 3


REFUSED = {
    "no numbers": ("a.npy", made.npy(np.array(["x", "y"]))),
    "objects": (
        "a.npy",
        b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(128) + b"\n",
    ),
    "complex": ("a.npy", made.npy(ONE * 1j)),
    "five axes": ("a.npy", made.npy(ONE[None])),
    "two axes": ("a.npy", made.npy(ONE[0, 0])),
    "four coordinates": ("a.npy", made.npy(np.ones((5, 25, 4)))),
    "channels first": ("a.npy", made.npy(np.ones((3, 11, 25, 2)).transpose(1, 0, 2, 3))),
    "frames of bodies": ("a.npy", made.npy(np.ones((11, 2, 25, 3)))),
    "no frame": ("a.npy", made.npy(ONE[:, :0])),
    "too few joints": ("a.npy", made.npy(ONE[:, :, :24])),
    "infinite": ("a.npy", made.npy(np.where(ONE > 3, np.inf, ONE))),
    "millimetres": ("a.npy", made.npy(1000 * ONE)),
    "nobody": ("a.npy", made.npy(0 * ONE)),
    "unknown": ("a.npy", made.npy(np.nan * ONE)),
    "no npy": ("a.npy", b"hello"),
    "cut npy": ("a.npy", made.npy(ONE)[:-1]),
    "long npy": ("a.npy", made.npy(ONE) + b"1"),
    "two arrays": ("a.npz", made.npz(a=ONE, b=ONE)),
    "no arrays": ("a.npz", made.npz()),
    "slow": ("a.npz", made.npz(keypoint=ONE, fps=0.01)),
    "many rates": ("a.npz", made.npz(keypoint=ONE, fps=[30, 30])),
    "no zip": ("a.npz", b"PK\x03\x04 nothing"),
    "no csv": ("a.csv", b"\xff\xfe\x00"),
    "no lines": ("a.csv", b"frame,joint,x,y,z\n"),
    "other columns": ("a.csv", b"a,b\n1,2\n"),
    "short line": ("a.csv", made.wide_csv(ONE).replace(b"\n1,", b"\n1", 1)),
    "twice": ("a.csv", made.long_csv(ONE).replace(b"\n1,", b"\n0,")),
    "column twice": ("a.csv", b"frame,joint,x,y,x\n0,head,1,2,3\n"),
    "half a joint": ("a.csv", b"frame,head_x,head_y,neck_x,neck_z\n0,1,2,3,4\n"),
    "half a frame": ("a.csv", made.long_csv(ONE).replace(b"\n1,", b"\n1.5,")),
    "no number": ("a.csv", made.long_csv(ONE).replace(b"0.18,", b"1_8,")),
    "far frame": ("a.csv", made.long_csv(ONE).replace(b"\n6,", b"\n99999999,")),
    "no frames": ("a.csv", b"joint,x,y,z\nhead,1,2,3\n"),
    "unknown joints": ("a.csv", made.long_csv(ONE, names=[f"j{n}x" for n in range(25)])),
    "no json": ("a.json", b'{"instance_info": [}'),
    "deep json": ("a.json", b"[" * 200_000),
    "other json": ("a.json", b'{"people": []}'),
    "no instances": ("a.json", b'[{"frame_id": 1, "instances": []}]'),
    "ragged json": ("a.json", b'[{"frame_id": 1, "instances": [{"keypoints": [[1, 2, 3], [1, 2]]}]}]'),
    "mixed joints": ("a.json", b'[{"instances": [{"keypoints": [[1, 2, 3]]}, {"keypoints": [[1, 2, 3], [1, 2, 3]]}]}]'),
    "frame twice": ("a.json", made.mmpose(ONE).replace(b'"frame_id": 2', b'"frame_id": 1')),
    "far id": ("a.json", made.mmpose(ONE).replace(b'"frame_id": 2', b'"frame_id": 99999999')),
    "text id": ("a.json", made.mmpose(ONE).replace(b'"frame_id": 2', b'"frame_id": "2"')),
    "huge json": ("a.json", made.mmpose(ONE).replace(b"0.95", b"1e300")),
    "no annotations": ("a.pkl", pickle.dumps({"annotations": []})),
    "no keypoint": ("a.pkl", pickle.dumps([{"keypoints": ONE}])),
    "plain numbers": ("a.pkl", pickle.dumps([{"keypoint": ONE.tolist()}])),
    "half a skeleton": ("a.skeleton", made.ntu(ONE)[:-200]),
    "short frames": ("0001-L.txt", b"1 2 3\n"),
    "empty": ("a", b""),
    "a word": ("a", b"hello"),
    "no skeleton": ("a.skeleton", b""),
}


@pytest.mark.parametrize("case", REFUSED)
def test_every_refusal_is_one_sentence(tmp_path, case):
    name, content = REFUSED[case]
    sentence = refusal(tmp_path, name, content)
    assert sentence.startswith(name + " ")


def test_the_sentence_names_value_and_bound(tmp_path):
    assert "1650" not in refusal(tmp_path, *REFUSED["millimetres"])
    assert re.search(r"3120 m is beyond 100 m.*--unit mm", refusal(tmp_path, *REFUSED["millimetres"]))
    assert "24 joints and the joint map ntu25 25" in refusal(tmp_path, *REFUSED["too few joints"])
    assert "11 bodies, not 1 to 10" in refusal(tmp_path, *REFUSED["frames of bodies"])


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.json"])
def test_more_coordinates_than_have_room(tmp_path, monkeypatch, name):
    """Numbers of one byte each, or packed ones, would fill the memory once they are unpacked."""
    monkeypatch.setattr(takes, "MOST_VALUES", ONE.size - 1)
    content = {"a.npy": made.npy(ONE), "a.npz": made.npz(keypoint=ONE), "a.json": made.mmpose(ONE)}[name]
    assert f"{ONE.size} coordinates, more than {ONE.size - 1}" in refusal(tmp_path, name, content)
    monkeypatch.setattr(takes, "MOST_VALUES", ONE.size)
    read(tmp_path, name, content)


def test_an_archive_that_needs_too_much_memory_is_not_called_damaged(tmp_path, monkeypatch):
    def full(content):
        raise MemoryError

    monkeypatch.setattr(arrays, "_array", full)
    with pytest.raises(MemoryError):
        read(tmp_path, "a.npz", made.npz(keypoint=ONE))


def test_names_are_printable(tmp_path):
    name = "b\x1b[31m\u202e.npy"
    with pytest.raises(ScopleError) as caught:
        read(tmp_path, name, b"x")
    assert str(caught.value).isprintable()
    (clip,) = read(tmp_path, name, made.npy(ONE))
    assert clip.name.isascii()
    assert clip.name.isprintable()


@pytest.mark.parametrize("fps", [0.0, -30.0, 1e6, float("nan"), float("inf")])
def test_a_rate_that_is_none_is_refused(fps):
    with pytest.raises(ScopleError, match="not between 1 and 1000"):
        Reading(fps=fps)


def test_an_unknown_body_choice_is_refused():
    with pytest.raises(ScopleError, match="'tallest' is none of energy, ctr"):
        Reading(body_choice="tallest")


def test_clips_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Reading().fps = 3
