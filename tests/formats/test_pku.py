"""PKU-MMD: untrimmed videos, instances and the odd rows of the labels."""

import numpy as np
import pytest
import raw_files

from scople.base.errors import ScopleError
from scople.data.samples import BadMember
from scople.formats import pku
from scople.formats.pku import Instance, cut


def video(frames: int, bodies: int = 2) -> np.ndarray:
    """Persons (2, frames, 25, 3); every coordinate of frame t (from 1) is t/10, of the second body -t/10."""
    values = np.arange(1, frames + 1, dtype=np.float32)[:, None, None] / 10 * np.ones((25, 3), np.float32)
    return np.stack([values, -values if bodies == 2 else 0 * values])


def rows_of(piece: np.ndarray) -> list[int]:
    """Which frames of `video` these are, from 1."""
    return np.rint(piece[0, :, 0, 0] * 10).astype(int).tolist()


def kinds(notes: list) -> list[str]:
    return [note.kind for note in notes]


def test_every_number_arrives_where_it_belongs():
    generator = np.random.default_rng(1)
    persons = np.stack([raw_files.walk(generator, 7), raw_files.walk(generator, 7)]).round(6)
    np.testing.assert_array_equal(pku.parse_skeleton(raw_files.video_text(persons)), persons.astype(np.float32))


@pytest.mark.realdata
def test_a_real_video_is_what_numpy_reads(real_data):
    path = real_data / "pku_raw" / "A10N08-L.txt"
    expected = np.loadtxt(path, dtype=np.float32).reshape(-1, 2, 25, 3).swapaxes(0, 1)
    sequence = pku.parse_skeleton(path.read_bytes())
    np.testing.assert_array_equal(sequence, expected)
    assert sequence[1].any(axis=(1, 2)).sum() == 728


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        (lambda rows: rows[0].append("1"), 1, "150 fields, here are 151"),
        (lambda rows: rows[2].pop(), 3, "150 fields, here are 149"),
        (lambda rows: rows[1].clear(), 2, "150 fields, here are 0"),
        (lambda rows: rows[2].__setitem__(149, "nan"), 3, "'nan' is not a coordinate"),
        (lambda rows: rows[0].__setitem__(0, "x"), 1, "'x' is not a coordinate"),
        (lambda rows: rows[0].__setitem__(0, "-101"), 1, "at most 100"),
        (lambda rows: rows.clear(), 0, "empty"),
    ],
)
def test_a_broken_skeleton_file_is_refused_with_line_and_reason(change, line, reason):
    rows = [["0.5"] * 150 for _ in range(3)]
    change(rows)
    with pytest.raises(BadMember, match=reason) as caught:
        pku.parse_skeleton("\n".join(map(" ".join, rows)).encode())
    assert caught.value.line == line


def test_a_last_number_that_may_be_cut_is_not_believed():
    text = raw_files.video_text(video(2))
    for length in range(len(text.rstrip()) - 4, len(text.rstrip()) + 1):
        assert not pku.is_ended(text[:length])
        np.testing.assert_array_equal(pku.parse_skeleton(text[:length]), pku.parse_skeleton(text)[:, :1])
    with pytest.raises(BadMember, match="no whole frame"):
        pku.parse_skeleton(text.splitlines()[0].rstrip())
    for end in (b" ", b"\n", b" \r\n\n"):
        assert pku.parse_skeleton(text.rstrip() + end).shape == (2, 2, 25, 3)


def test_labels():
    assert pku.parse_labels(b"5,10,20,2\r\n 51 , 30 , 25 , 1 \n\n") == [Instance(1, 5, 10, 20), Instance(2, 51, 30, 25)]
    assert pku.parse_labels(b"") == []


@pytest.mark.parametrize(
    "row", [b"", b"5,10,20", b"5,10,20,1,1", b"5,-1,20,1", b"5,1.5,20,1", b"5,1,2e3,1", b"a,1,2,1"]
)
def test_a_broken_label_row_is_refused_with_its_line(row):
    with pytest.raises(BadMember, match="is not class,start,end,confidence") as caught:
        pku.parse_labels(b"1,1,2,1\n" + row + b"\n1,1,2,1\n")
    assert caught.value.line == 2


def test_more_rows_than_names_have_room_for_are_refused():
    assert len(pku.parse_labels(b"1,1,2,1\n" * 999)) == 999
    with pytest.raises(BadMember, match="1000 instances"):
        pku.parse_labels(b"1,1,2,1\n" * 1000)


@pytest.mark.parametrize(("first_frame", "rows"), [(1, [3, 4, 5, 6, 7]), (0, [4, 5, 6, 7])])
def test_both_readings_of_the_frame_base(first_frame, rows):
    piece, notes = cut("0002-L", video(11), Instance(1, 5, 3, 7), first_frame=first_frame)
    assert rows_of(piece) == rows
    assert notes == []


def test_a_swapped_row_gives_the_same_frames():
    piece, notes = cut("0002-L", video(11), Instance(3, 5, 7, 3))
    assert rows_of(piece) == [3, 4, 5, 6, 7]
    assert [(note.file, note.line, note.kind) for note in notes] == [("0002-L.txt", 3, "swapped")]


@pytest.mark.parametrize(
    ("start", "end", "rows"), [(9, 20, [9, 10, 11]), (0, 2, [1, 2]), (11, 11, [11]), (1, 999999999, list(range(1, 12)))]
)
def test_what_lies_beyond_the_video_is_cut_off(start, end, rows):
    piece, notes = cut("0002-L", video(11), Instance(1, 5, start, end))
    assert rows_of(piece) == rows
    assert kinds(notes) == (["clipped"] if start < 1 or end > 11 else [])


@pytest.mark.parametrize(("start", "end"), [(12, 20), (0, 0), (500, 400)])
def test_an_instance_outside_the_video_is_left_out(start, end):
    piece, notes = cut("0002-L", video(11), Instance(1, 5, start, end))
    assert piece is None
    assert kinds(notes)[-1] == "outside_video"


@pytest.mark.parametrize(("length", "first"), [(300, 11), (301, 11), (302, 12), (307, 14)])
def test_of_a_long_instance_the_middle_300_frames_stay(length, first):
    piece, notes = cut("0002-L", video(400), Instance(1, 5, 11, 10 + length))
    assert rows_of(piece) == list(range(first, first + 300))
    assert kinds(notes) == (["cropped"] if length > 300 else [])


def test_the_four_damaged_instances_are_left_out_and_no_others():
    left_out = [
        (name, action, number)
        for name in ("0043-L", "0043-M", "0089-L", "0089-M", "0089-R", "0090-L")
        for action in (1, 23)
        for number in (1, 21)
        if cut(name, video(5), Instance(number, action, 1, 5))[0] is None
    ]
    assert left_out == [("0043-L", 1, 21), ("0089-L", 23, 1), ("0089-M", 23, 1), ("0089-R", 23, 1)]


def test_a_body_that_is_never_seen_is_no_person():
    assert cut("0002-L", video(5, bodies=1), Instance(1, 5, 1, 5))[0].shape == (1, 5, 25, 3)
    assert cut("0002-L", video(5, bodies=1)[::-1], Instance(1, 5, 1, 5))[0].shape == (1, 5, 25, 3)
    piece, notes = cut("0002-L", 0 * video(5), Instance(1, 5, 1, 5))
    assert piece is None
    assert kinds(notes) == ["no_body"]


def test_cross_subject_list():
    text = "Training videos:\n0002-L, 0002-M,0003-R, \nValidation videos:\n0005-L\n"
    assert pku.parse_cross_subject(text) == {"0002-L": True, "0002-M": True, "0003-R": True, "0005-L": False}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "line 2 and the test videos in line 4"),
        ("a\n0002-L\nb\n\n", "line 2 and the test videos in line 4"),
        ("a\n0002-L\nb\n0003-X", "'0003-X' .* is not a video name"),
        ("a\n0002-L\nb\n0003-L, 0002-L", "video 0002-L stands in both lists"),
    ],
)
def test_a_broken_cross_subject_list_is_refused(text, reason):
    with pytest.raises(ScopleError, match=reason):
        pku.parse_cross_subject(text)


def test_names():
    assert pku.parse_name("0364-M.txt") == (364, 2)
    assert pku.parse_name("A10N08-L.txt") is None
