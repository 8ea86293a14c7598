"""`.skeleton` text: the real format, plain loops as the definition of right, and what must be refused."""

import tracemalloc

import numpy as np
import pytest
import raw_files
import reference_parser

from scople.data.samples import BadMember
from scople.data.skeletons import choose_by_energy, normalise
from scople.formats.ntu import MOST_FRAMES, RecordingName, parse_name, parse_skeleton


@pytest.fixture
def frames():
    """Seven frames: none, one, two and three bodies."""
    generator = np.random.default_rng(5)
    bodies = [raw_files.walk(generator, 7) for _ in range(3)]
    return [[(raw_files.FIRST_ID + i, bodies[i][t]) for i in range(t % 4)] for t in range(7)]


def test_every_number_arrives_where_it_belongs(frames):
    recording = parse_skeleton(raw_files.skeleton_text(frames))
    expected = [(t, slot, *body) for t, bodies in enumerate(frames) for slot, body in enumerate(bodies)]
    assert recording.frames == 7
    assert recording.frame.tolist() == [t for t, _, _, _ in expected]
    assert recording.slot.tolist() == [slot for _, slot, _, _ in expected]
    assert recording.body_id.tolist() == [body_id for _, _, body_id, _ in expected]
    np.testing.assert_array_equal(recording.joints, [joints for *_, joints in expected])


def test_ids_that_float64_cannot_tell_apart_stay_apart():
    joints = np.ones((25, 3))
    text = raw_files.skeleton_text([[(raw_files.FIRST_ID, joints), (raw_files.FIRST_ID + 1, joints)]])
    assert float(raw_files.FIRST_ID) == float(raw_files.FIRST_ID + 1)
    assert len(set(parse_skeleton(text).body_id.tolist())) == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: text.replace(b" ", b"  ").replace(b"\n", b" \n"),
        lambda text: text.replace(b" ", b"\t"),
        lambda text: text.rstrip(),
        lambda text: text + b"\n \r\n",
    ],
    ids=["CRLF", "runs of blanks", "tabs", "no last line end", "blank lines at the end"],
)
def test_the_same_recording_in_other_white_space(frames, change):
    text = raw_files.skeleton_text(frames)
    expected, found = parse_skeleton(text), parse_skeleton(change(text))
    np.testing.assert_array_equal(found.joints, expected.joints)
    np.testing.assert_array_equal(found.body_id, expected.body_id)


def test_the_whole_chain_agrees_with_plain_loops():
    generator = np.random.default_rng(11)
    tracks = [raw_files.walk(generator, 19) for _ in range(5)]
    frames = [[(i, tracks[i][t]) for i in range(5) if generator.random() < 0.7] for t in range(19)]
    text = raw_files.skeleton_text(frames)
    chosen = reference_parser.choose_by_energy(reference_parser.read_frames(text.decode()))
    expected = reference_parser.normalise(chosen, 31)
    np.testing.assert_allclose(normalise(choose_by_energy(parse_skeleton(text)), 31), expected, atol=1e-6)


@pytest.mark.realdata
def test_real_recordings_give_what_the_published_preparation_gives(real_data):
    expected = np.load(real_data / "ntu_expected.npz")
    for name, normalised in zip(expected["names"], expected["normalised"], strict=True):
        text = (real_data / "ntu_raw" / f"{name}.skeleton").read_bytes()
        np.testing.assert_allclose(normalise(choose_by_energy(parse_skeleton(text)), 300), normalised, atol=1e-5)


def replaced(text: bytes, line: int, content: bytes) -> bytes:
    lines = text.split(b"\n")
    lines[line - 1] = content
    return b"\n".join(lines)


JOINT = b"0.1 0.2 0.3 277 191 1036 519 0 0 0 0 2"


@pytest.mark.parametrize(
    ("line", "content", "at", "reason"),
    [
        (1, b"", 1, "frame count"),
        (1, b"seven", 1, "'seven' stands where a frame count"),
        (1, b"-3", 1, "'-3' stands where a frame count"),
        (1, b"nan", 1, "'nan' stands where a frame count"),
        (1, b"1.5", 1, "'1.5' stands where a frame count"),
        (1, b"2000000000", 1, f"above {MOST_FRAMES}"),
        (1, b"1" * 5000, 1, "frame count"),
        (1, b"8", 197, "the file ends where a body count"),
        (1, b"6", 170, "28 lines too many for 6 frames"),
        (2, b"2", 31, "joint count"),
        (2, b"0", 3, "where a body count"),
        (2, b"-1", 2, "'-1' stands where a body count"),
        (2, b"99999999", 31, "joint count"),
        (3, b"x 0 1 1 1 1 0 0.0 0.0 2", 3, "'x' stands where a body id"),
        (3, b"7 0 1 1 1 1 0 0.0 0.0", 3, "a body has 10 fields, here are 9"),
        (3, b"9" * 30 + b" 0 1 1 1 1 0 0.0 0.0 2", 3, "where a body id"),
        (4, b"24", 4, "joint count 24 is not 25"),
        (4, b"26", 4, "joint count 26 is not 25"),
        (5, JOINT + b" 2", 5, "a joint has 12 fields, here are 13"),
        (9, JOINT[:-2], 9, "a joint has 12 fields, here are 11"),
        (9, b"", 9, "a joint has 12 fields, here are 0"),
        (9, JOINT.replace(b"0.2", b"nan"), 9, "three coordinates"),
        (9, JOINT.replace(b"0.3", b"-inf"), 9, "three coordinates"),
        (9, JOINT.replace(b"0.1", b"1e30"), 9, "three coordinates"),
        (9, JOINT.replace(b"0.1", b"100.001"), 9, "at most 100"),
        (9, JOINT.replace(b"0.1", b"0_1"), 9, "three coordinates"),
        (9, JOINT.replace(b"0.1", b"0,1"), 9, "three coordinates"),
        (9, JOINT.replace(b"0.1", b"\x00"), 9, "a block of zeros"),
        (9, JOINT.replace(b"0.1", "٣".encode()), 9, "not plain ASCII"),
    ],
)
def test_a_broken_file_is_refused_with_line_and_reason(line, content, at, reason):
    text = raw_files.skeleton_text(raw_files.one_body(np.random.default_rng(2), 7))
    with pytest.raises(BadMember, match=reason) as caught:
        parse_skeleton(replaced(text, line, content))
    assert caught.value.line == at


def test_a_count_of_frames_that_the_file_does_not_have_costs_no_memory():
    tracemalloc.start()
    for count in (b"20000", b"999999999", b"9" * 400):
        with pytest.raises(BadMember):
            parse_skeleton(count + b"\n0\n")
    assert tracemalloc.get_traced_memory()[1] < 2**20
    tracemalloc.stop()


def test_an_empty_file_is_refused():
    with pytest.raises(BadMember, match="ends where a frame count"):
        parse_skeleton(b"")


def test_an_absurd_count_is_quoted_in_short():
    for text in (b"1e300\n", b"1\n1\n7 0 1 1 1 1 0 0.5 0.5 2\n1e300\n"):
        with pytest.raises(BadMember, match=r"count 1e300 is") as caught:
            parse_skeleton(text)
        assert len(str(caught.value)) < 80


def test_a_file_cut_at_any_byte_is_refused():
    joints = b"\n".join([b"0.125 -1.5 3.25 0 0 0 0 0 0 0 0 2"] * 25)
    text = b"1\n1\n7 0 1 1 1 1 0 0.5 0.5 2\n25\n" + joints + b"\n"
    for end in range(len(text) - 1):
        with pytest.raises(BadMember):
            parse_skeleton(text[:end])
    assert parse_skeleton(text[:-1]).joints[0, -1].tolist() == [0.125, -1.5, 3.25]  # only the last line end is lost


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("S017C003P020R002A060.skeleton", RecordingName(17, 3, 20, 2, 60)),
        ("S017C003P020R002A060.skeleton.txt", None),
        ("S17C003P020R002A060.skeleton", None),
        ("._S017C003P020R002A060.skeleton", None),
        ("S017C003P020R002A06٣.skeleton", None),
    ],
)
def test_file_names(name, expected):
    assert parse_name(name) == expected
