"""The class programs as data, and what they do to a pose."""

import numpy as np
import pytest

from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.data.class_names import load_classes
from scople.data.joints import JOINT_NAMES
from scople.data.splits import load_split
from scople.demo import Step, load_programs
from scople.demo.body import CHANNELS, Build, joints, trunk
from scople.demo.primitives import LANDMARKS, LIMBS, PRIMITIVES, RHYTHMS, SHAPES, WHOLE_BODY
from scople.demo.programs import pose, require_programs

LISTS = ("ntu60", "ntu120", "pku")


@pytest.fixture(scope="module")
def programs(root):
    return load_programs(root / "datasets" / "demo" / "programs.yaml")


def _part(name: str) -> str:
    """What a primitive is apart from which hand does it."""
    if name in WHOLE_BODY:
        return name
    limb = max((limb for limb in LIMBS if name.startswith(limb + " ")), key=len)
    part = name.removeprefix(limb + " ")
    return part if part.startswith("to ") else part.removesuffix("s")


def _written(tmp_path, text):
    path = tmp_path / "programs.yaml"
    path.write_text(text)
    return path


def test_every_class_has_a_program_and_every_program_a_class(root, programs):
    classes = [entry for name in LISTS for entry in load_classes(root / "datasets" / "classes" / f"{name}.csv")]
    require_programs(classes, programs)
    assert set(programs) == {entry.name for entry in classes}


def test_no_two_programs_are_the_same_but_those_of_one_action(programs):
    twins = {"standing up", "standing up (from sitting position)"}
    others = [program for name, program in programs.items() if name not in twins]
    assert len(set(others)) == len(others)
    assert len({programs[name] for name in twins}) == 1


def test_only_two_person_classes_have_a_partner(root, programs):
    solo = {entry.name for entry in load_classes(root / "datasets/classes/ntu120.csv") if not entry.two_person}
    assert not [name for name in solo for step in programs[name] if step.who != "actor" or "partner" in step.do]


def test_unseen_classes_recombine_what_seen_classes_do(root, programs):
    missing = {}
    for name, entry in load_params(root / "params.yaml").splits.items():
        path = root / "datasets" / "splits" / f"{name}.yaml"
        entries = load_classes(root / "datasets" / "classes" / f"{entry.dataset}.csv")
        split = load_split(path, len(entries), 0)
        parts = [{_part(step.do) for step in programs[entry.name]} for entry in entries]
        known = set().union(*(parts[label] for label in split.seen))
        missing |= {(path.stem, entries[u].name): parts[u] - known for u in split.unseen if parts[u] - known}
    assert not missing


def test_every_primitive_is_used(programs):
    used = {_part(step.do) for program in programs.values() for step in program}
    every = set(WHOLE_BODY) | {verb.removesuffix("s") for verb in RHYTHMS} | {f"to {place}" for place in LANDMARKS}
    assert used == every


def test_moves_use_every_channel_and_every_shape_and_no_other():
    moves = [move for primitive in PRIMITIVES.values() for move in primitive]
    assert {move.channel for move in moves} == set(CHANNELS) - {"other grip"}
    assert {move.shape for move in moves} == set(SHAPES)


def test_a_hand_goes_to_the_mouth_of_a_bowing_person_and_comes_back():
    course, build = np.linspace(0.0, 1.0, 41), Build(height=1.0)
    program = (Step("bow"), Step("hand to mouth", start=0.2, end=0.8))
    posed = pose(program, "actor", course, build, amplitude=1.0, tempo=1.0)
    found = joints(posed, build, left_handed=False)
    hand, head = found[:, JOINT_NAMES.index("right hand")], found[:, JOINT_NAMES.index("head")]
    middle_line = trunk(posed, build)
    mouth = middle_line.head + middle_line.head_axes @ np.array(LANDMARKS["mouth"][1])
    np.testing.assert_allclose(hand[20], mouth[20], atol=1e-9)
    assert head[20, 1] < head[0, 1] - 0.05
    np.testing.assert_allclose(posed[0], posed[-1], atol=1e-9)


def test_what_starts_before_is_there_at_once_and_what_ends_after_stays():
    course, build = np.linspace(0.0, 1.0, 11), Build(height=1.0)
    height = {
        (start, end): pose((Step("sit", start=start, end=end),), "actor", course, build, amplitude=1.0, tempo=1.0)[
            :, CHANNELS.index("pelvis"), 1
        ]
        for start, end in ((-1.0, 0.6), (0.3, 2.0))
    }
    assert height[-1.0, 0.6][0] < -0.2 < 0.0 == height[-1.0, 0.6][-1]
    assert height[0.3, 2.0][0] == 0.0 > -0.2 > height[0.3, 2.0][-1]


def test_a_rhythm_has_its_cycles_and_the_other_hand_swings_outward_too():
    course, build = np.linspace(0.0, 1.0, 1001), Build(height=1.0)
    posed = pose((Step("hands shake", 0.0, 1.0, repeats=5.0),), "actor", course, build, amplitude=1.0, tempo=1.0)
    main, other = (posed[:, CHANNELS.index(f"{side} hand"), 0] for side in ("main", "other"))
    swing = (main - main[0])[150:850]
    swing = swing[np.abs(swing) > 1e-6]
    assert np.count_nonzero(np.diff(np.sign(swing))) == 7  # at 0.2, 0.3, ..., 0.8
    np.testing.assert_allclose(main - main[0], other[0] - other, atol=1e-12)


def test_steps_belong_to_one_person_or_both():
    course, build = np.linspace(0.0, 1.0, 7), Build(height=1.0)
    program = (Step("bow", who="partner"), Step("look down", who="both"))
    actor, partner = (pose(program, who, course, build, amplitude=1.0, tempo=1.0) for who in ("actor", "partner"))
    torso, head = CHANNELS.index("torso"), CHANNELS.index("head")
    assert not actor[:, torso].any()
    assert partner[:, torso].any()
    np.testing.assert_array_equal(actor[:, head], partner[:, head])
    assert actor[:, head].any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bow: [{do: bough}]", "program 'bow' uses the unknown primitive 'bough': the nearest one is 'bow'."),
        ("bow: [{do: bow, frm: 0.1}]", "the key 'frm'"),
        ("bow: [{from: 0.1}]", "a step without 'do'"),
        ("bow: [{do: bow, who: nobody}]", "to 'nobody'"),
        ("bow: [{do: bow, from: 0.5, to: 0.5}]", "from 0.5 to 0.5"),
        ("bow: [{do: bow, size: big}]", "'big'"),
        ("bow: bow", "a list of steps"),
        ("- bow", "class names"),
        ("bow: [", "cannot be read"),
    ],
)
def test_a_wrong_program_is_named(tmp_path, text, message):
    with pytest.raises(ScopleError, match=message.replace("(", r"\(")):
        load_programs(_written(tmp_path, text))


def test_a_class_without_a_program_is_named(root):
    classes = load_classes(root / "datasets/classes/pku.csv")
    with pytest.raises(ScopleError, match="class 1, 'bow', has no program"):
        require_programs(classes, {})
