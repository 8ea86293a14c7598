"""Damage of every kind to small files of the real formats: no exception but the documented ones, and no wrong numbers.

2,000 damaged `.skeleton` files are tried in a run; for more: `SCOPLE_FUZZ=100000 pytest tests/data/test_fuzz.py`.
"""

import os
import tracemalloc
import zipfile
from datetime import timedelta
from io import BytesIO

import numpy as np
import pytest
import raw_files
import reference_parser
from hypothesis import given, settings
from hypothesis import strategies as st

from scople.data import pku
from scople.data.archive import list_members
from scople.data.ntu import parse_skeleton
from scople.data.samples import BadMember
from scople.data.skeletons import BODY_CHOICES, normalise
from scople.errors import ScopleError

EXAMPLES = int(os.environ.get("SCOPLE_FUZZ", 2000))
FUZZ = {"derandomize": True, "deadline": timedelta(seconds=10), "database": None}

JUNK = [
    b"nan", b"-inf", b"1e999", b"1e30", b"-1", b"0", b"2", b"7", b"24", b"26", b"99999999999", b"9" * 400, b"1_0", b"0x1f",
    b"", b" ", b"\n", b"\r\n", b"\x00", b"\x1c", b"\xff", "٣".encode(), b"%n", b"1.2.3", b"--1", b"1e-7", b"0.1" * 90,
]  # fmt: skip


@st.composite
def damage(draw, *texts: bytes) -> bytes:
    """One of the texts after a few cuts, repeats, swaps and replacements of bytes, fields and lines."""
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 3))):
        separator = draw(st.sampled_from([None, b" ", b"\n"]))
        pieces = [text[i : i + 1] for i in range(len(text))] if separator is None else text.split(separator)
        # Counts stand in the first lines: half of the damage is done there.
        last = max(len(pieces) - 1, 0)
        at = draw(st.one_of(st.integers(0, min(last, 40)), st.integers(0, last)))
        end = at + draw(st.integers(0, 30))
        kind = draw(st.sampled_from(["replace", "insert", "cut out", "cut off", "repeat", "swap"]))
        middle = {
            "replace": [draw(st.sampled_from(JUNK)), *pieces[at + 1 : end]],
            "insert": [draw(st.sampled_from(JUNK)), *pieces[at:end]],
            "cut out": [],
            "cut off": [],
            "repeat": pieces[at:end] * 2,
            "swap": pieces[at:end][::-1],
        }[kind]
        rest = [] if kind == "cut off" else pieces[end:]
        text = (separator or b"").join(pieces[:at] + middle + rest)
    return text


def small_recordings() -> list[bytes]:
    generator = np.random.default_rng(1)
    tracks = [raw_files.walk(generator, 3) for _ in range(3)]
    one, two = ([[(7 + i, tracks[i][t]) for i in range(n)] for t in range(2)] for n in (1, 2))
    mixed = [[], *two[:1], [(9, tracks[2][0])]]
    return [raw_files.skeleton_text(one), raw_files.skeleton_text(two, "\r\n"), raw_files.skeleton_text(mixed)]


def reference_coordinates(text: bytes) -> list | None:
    """Coordinates by plain loops; None if those cannot read the file either."""
    try:
        frames = reference_parser.read_frames(text.decode("ascii"))
    except (ValueError, StopIteration):
        return None
    return [[(j["x"], j["y"], j["z"]) for j in body["joints"]] for bodies in frames for body in bodies]


@settings(max_examples=EXAMPLES, **FUZZ)
@given(damage(*small_recordings()))
def test_damaged_skeleton_text(text):
    try:
        recording = parse_skeleton(text)
    except BadMember:
        return
    expected = reference_coordinates(text)
    if expected is not None:
        np.testing.assert_array_equal(recording.joints, np.reshape(expected, (-1, 25, 3)))
    assert recording.frames < len(text)
    for choose in BODY_CHOICES.values():
        try:
            sequence = choose(recording)
        except BadMember:
            continue
        assert sequence.shape[1] <= recording.frames
        assert np.isfinite(normalise(sequence, 5)).all()


def test_the_fuzz_reaches_both_outcomes():
    """Damage that always or never breaks a file would prove nothing."""
    outcomes = set()

    @settings(max_examples=100, **FUZZ)
    @given(damage(*small_recordings()))
    def collect(text):
        try:
            parse_skeleton(text)
            outcomes.add("read")
        except BadMember as error:
            outcomes.add(error.reason.split("'")[-1][:20])

    collect()
    assert "read" in outcomes
    assert len(outcomes) > 5


def test_no_damage_makes_memory_soar():
    largest = max(map(len, small_recordings()))
    peaks = []

    @settings(max_examples=100, **FUZZ)
    @given(damage(*small_recordings()))
    def measure(text):
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            parse_skeleton(text)
        except BadMember:
            pass
        peaks.append(tracemalloc.get_traced_memory()[1] - before)

    tracemalloc.start()
    measure()
    tracemalloc.stop()
    assert max(peaks) < 60 * largest


VIDEO = raw_files.video_text(np.stack([raw_files.walk(np.random.default_rng(2), 3)] * 2))


@settings(max_examples=EXAMPLES // 10, **FUZZ)
@given(damage(VIDEO))
def test_damaged_pku_skeletons(text):
    try:
        sequence = pku.parse_skeleton(text)
    except BadMember:
        return
    rows = [[float(field) for field in line.split()] for line in text.splitlines() if line.strip()]
    np.testing.assert_array_equal(
        sequence.swapaxes(0, 1).reshape(len(rows), -1), np.array(rows, dtype=np.float64).astype(np.float32)
    )


@settings(max_examples=EXAMPLES // 10, **FUZZ)
@given(damage(b"1,1,2,1\n51,3,3,2\n7,2,9,1\n"), st.integers(0, 1))
def test_damaged_pku_labels(text, first_frame):
    sequence = pku.parse_skeleton(VIDEO)
    try:
        instances = pku.parse_labels(text)
    except BadMember:
        return
    for instance in instances:
        piece, notes = pku.cut("0002-L", sequence, instance, first_frame=first_frame)
        assert notes if piece is None else 1 <= piece.shape[1] <= 3


def small_zip() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("a/S001C001P001R001A001.skeleton", b"0\n" * 30, zipfile.ZIP_DEFLATED)
        file.writestr("S001C001P001R001A002.skeleton", b"1\n0\n")
    return buffer.getvalue()


@settings(max_examples=EXAMPLES // 10, **FUZZ)
@given(damage(small_zip()))
def test_damaged_zips(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "damaged.zip"
    path.write_bytes(data)
    try:
        members = list_members(path)
    except ScopleError:
        return
    for member in members:
        try:
            content = member.read()
        except BadMember:
            continue
        assert content in (b"0\n" * 30, b"1\n0\n")


def test_the_zip_is_sound_before_the_damage(tmp_path):
    path = tmp_path / "sound.zip"
    path.write_bytes(small_zip())
    assert [member.read() for member in list_members(path)] == [b"1\n0\n", b"0\n" * 30]
    with pytest.raises(ScopleError, match="no readable zip"):
        (path.write_bytes(b""), list_members(path))
