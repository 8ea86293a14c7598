"""The maps of this repository are whole; a user's map is read as strictly; down and up again a person stays one."""

import os

import numpy as np
import pytest
import yaml
from shared_recordings import T_POSE, moving

from scople.base.errors import ScopleError
from scople.data.joints import JOINT_NAMES
from scople.recordings.joint_maps import FOLDER, load_map, plain, weighted

NAMES = ("coco17", "h36m17", "kinect20", "kinect32", "mediapipe33", "ntu25", "smpl22")
COUNTS = {"mediapipe33": 33, "coco17": 17, "h36m17": 17, "kinect20": 20, "kinect32": 32, "ntu25": 25, "smpl22": 22}


def test_the_maps_are_these():
    assert sorted(path.stem for path in FOLDER.glob("*.yaml")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_map_is_whole(name):
    joint_map = load_map(name)
    assert len(joint_map.joints) == COUNTS[name]
    assert len(joint_map.targets) == 25
    assert len(joint_map.from_ntu25) == len(joint_map.joints)
    for weights in (*joint_map.targets, *joint_map.from_ntu25):
        assert sum(weight for _, weight in weights) == pytest.approx(1)
    document = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    assert document["left_and_right"] == "own"
    assert "http" not in document["source"]
    estimated = {joint for joints, _ in joint_map.estimated for joint in joints}
    single = {target for target, weights in enumerate(joint_map.targets) if len(weights) == 1}
    assert estimated | single == set(range(25))  # a mean of several is an estimate
    assert not estimated & single


@pytest.mark.parametrize("name", NAMES)
def test_left_and_right_are_made_alike(name):
    """The mirrored person gives the mirrored joints: no side is mixed up with the other."""
    joint_map = load_map(name)
    swap = [JOINT_NAMES.index(_other(name)) for name in JOINT_NAMES]
    mirrored = T_POSE[swap] * [-1, 1, 1]
    result = weighted(weighted(mirrored, joint_map.from_ntu25), joint_map.targets)
    expected = weighted(weighted(T_POSE, joint_map.from_ntu25), joint_map.targets)[swap] * [-1, 1, 1]
    np.testing.assert_allclose(result, expected, atol=1e-12)


def _other(name):
    return name.replace("left", "*").replace("right", "left").replace("*", "right")


@pytest.mark.parametrize("name", NAMES)
def test_down_and_up_again_a_person_stays_one(name):
    joint_map = load_map(name)
    body = moving(5)
    back = weighted(weighted(body, joint_map.from_ntu25), joint_map.targets)
    error = np.linalg.norm(back - body, axis=-1)
    assert error.max() < 0.15
    assert error.mean() < 0.035
    sides = back[:, :, 0] - back[:, :1, 0]
    for joint, joint_name in enumerate(JOINT_NAMES):
        if joint_name.startswith("left"):
            assert (sides[:, joint] > 0).all()
        if joint_name.startswith("right"):
            assert (sides[:, joint] < 0).all()


def test_ntu25_changes_no_bit():
    body = moving(3).astype(np.float32)
    np.testing.assert_array_equal(weighted(body, load_map("ntu25").targets).view(np.uint32), body.view(np.uint32))


def test_weighted_means_are_what_they_say():
    generator = np.random.default_rng(3)
    positions = generator.normal(size=(2, 3, 7, 3))
    means = (((2, 1.0),), ((0, 1.3), (6, -0.3)), ((1, 0.2), (3, 0.3), (5, 0.5)))
    result = weighted(positions, means)
    assert result.shape == (2, 3, 3, 3)
    for target, weights in enumerate(means):
        expected = sum(weight * positions[:, :, joint] for joint, weight in weights)
        np.testing.assert_allclose(result[:, :, target], expected, atol=1e-12)


def test_sentences_say_what_is_estimated():
    sentences = load_map("smpl22").sentences()
    assert sentences[1] == "The spine shoulder is estimated: between collars and neck."
    assert sentences[3] == (
        "Both hands, both hand tips and both thumbs are estimated: on the line of the forearm, beyond the wrist."
    )
    assert load_map("ntu25").sentences() == ()


def user_map(**changes) -> dict:
    document = {
        "source": "my suit's manual",
        "left_and_right": "own",
        "joints": ["hip", "head", "left side", "right side"],
        "targets": {
            name: f"{name.split()[0]} side" if name.startswith(("left", "right")) else {"hip": 0.5, "head": 0.5}
            for name in JOINT_NAMES
        },
        "estimated": [{"joints": ["spine base", "neck"], "how": "halfway."}],
    }
    document |= changes
    return {key: value for key, value in document.items() if value is not None}


def load(tmp_path, document):
    path = tmp_path / "my_map.yaml"
    path.write_text(document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False))
    return load_map(str(path))


def test_a_map_of_ones_own(tmp_path):
    joint_map = load(tmp_path, user_map())
    assert joint_map.name == "my_map"
    assert joint_map.targets[0] == ((0, 0.5), (1, 0.5))
    assert joint_map.targets[JOINT_NAMES.index("left hand")] == ((2, 1.0),)
    assert joint_map.needed == (0, 1, 2, 3)
    assert joint_map.sentences() == ("The spine base and the neck are estimated: halfway.",)
    assert joint_map.from_ntu25 == ()


def test_names_as_seen_in_the_picture_are_turned(tmp_path):
    joint_map = load(tmp_path, user_map(left_and_right="seen"))
    assert joint_map.targets[JOINT_NAMES.index("left hand")] == ((3, 1.0),)
    assert joint_map.targets[JOINT_NAMES.index("right knee")] == ((2, 1.0),)
    assert joint_map.targets[0] == ((0, 0.5), (1, 0.5))


def targets(**changes):
    return user_map()["targets"] | {key.replace("_", " "): value for key, value in changes.items()}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"source": None}, "the key source is missing"),
        ({"source": 3}, "source is 3"),
        ({"colour": 3}, "the key 'colour' is unknown"),
        ({"left_and_right": "camera"}, "left_and_right is 'camera'"),
        ({"joints": "hip"}, "joints is no list"),
        ({"joints": ["hip", "hip"]}, "the joint 'hip' has no name of its own"),
        ({"joints": ["Hip", "hip_"]}, "has no name of its own"),
        ({"targets": ["hip"]}, "targets is no group"),
        ({"targets": {"spine base": "hip"}}, "targets does not fill spine mid, neck"),
        ({"targets": targets(tail="hip")}, "targets has the unknown joint 'tail'"),
        (
            {"targets": targets(neck="throat")},
            "targets, neck names the unknown joint 'throat': the names are hip, head",
        ),
        ({"targets": targets(neck={"hip": 0.5, "head": 0.4})}, "the weights of targets, neck sum to 0.9"),
        ({"targets": targets(neck={"hip": "much"})}, "targets, neck has the weight 'much'"),
        ({"targets": targets(neck={"hip": True})}, "targets, neck has the weight True"),
        ({"targets": targets(neck={"hip": 0, "head": 1})}, "has the weight 0"),
        ({"targets": targets(neck={"hip": float("nan")})}, "has the weight nan"),
        ({"targets": targets(neck={"hip": 60, "head": -59})}, "has the weight 60"),
        ({"targets": targets(neck={})}, "targets, neck is {}"),
        ({"targets": targets(neck=3)}, "targets, neck is 3"),
        ({"estimated": "neck"}, "estimated is no list"),
        ({"estimated": [{"joints": ["neck"]}]}, "just the keys joints and how"),
        ({"estimated": [{"joints": [], "how": "x"}]}, "names no joint"),
        ({"estimated": [{"joints": ["tail"], "how": "x"}]}, "estimated has the unknown joint 'tail'"),
        ({"estimated": [{"joints": ["neck", "neck"], "how": "x"}]}, "names 'neck' twice"),
        ({"from_ntu25": {"hip": "spine base"}}, "from_ntu25 does not fill head, left side, right side"),
    ],
)
def test_a_wrong_map_gets_a_sentence(tmp_path, change, said):
    with pytest.raises(ScopleError) as caught:
        load(tmp_path, user_map(**change))
    sentence = str(caught.value)
    assert said in sentence
    assert "my_map.yaml" in sentence
    assert sentence.isprintable()


@pytest.mark.parametrize("text", ["", "[1, 2]", "joints: [", "!!python/object:os.system {}", "\0", "a: &a [*a]"])
def test_what_is_no_map_gets_a_sentence(tmp_path, text):
    with pytest.raises(ScopleError) as caught:
        load(tmp_path, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["openpose", "", "../ntu25", "no/map.yaml", "a\0b.yaml", ".."])
def test_an_unknown_map_gets_a_sentence(name):
    with pytest.raises(ScopleError) as caught:
        load_map(name)
    assert str(caught.value).isprintable()


def test_names_are_compared_by_their_letters():
    assert plain("Left_Wrist") == plain("left wrist") == "leftwrist"
    assert plain("HAND_LEFT") != plain("left hand")


def test_a_map_that_was_changed_is_read_again(tmp_path):
    assert load(tmp_path, user_map()).source == "my suit's manual"
    os.utime(tmp_path / "my_map.yaml", (1, 1))
    assert load(tmp_path, user_map(source="its second edition")).source == "its second edition"
