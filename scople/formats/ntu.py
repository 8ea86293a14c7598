"""NTU RGB+D `.skeleton` text: one recording, up to six bodies a frame.

    frame count, then for each frame:
        body count, then for each body:
            bodyID and nine more fields
            joint count (25), then for each joint:
                x y z depthX depthY colorX colorY orientationW orientationX orientationY orientationZ trackingState

Only the counts, the ids and x, y, z become numbers; of everything else only the number of fields is checked.
"""

import re
from typing import NamedTuple

import numpy as np

from scople.base.shapes import JOINTS
from scople.data.samples import BadMember, printable
from scople.data.skeletons import FARTHEST, Recording
from scople.formats.fields import Fields

BODY_FIELDS = 10
JOINT_FIELDS = 12
LINES_OF_A_BODY = 2 + JOINTS

MOST_FRAMES = 20_000
"""Longest recording believed, in frames (11 minutes); NTU's longest has 300. Memory is bounded by this."""

MOST_COUNTS = 1 + MOST_FRAMES * (1 + 6)
"""Lines with a count in a recording of that length; a Kinect v2 tracks six bodies."""

_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})\.skeleton", re.ASCII)


class RecordingName(NamedTuple):
    """What `SsssCcccPpppRrrrAaaa.skeleton` says; `action` counts from 1."""

    setup: int
    camera: int
    performer: int
    replication: int
    action: int


def parse_name(file_name: str) -> RecordingName | None:
    """The fields of a file name without its folder; None if it is not of this form."""
    match = _NAME.fullmatch(file_name)
    return RecordingName(*map(int, match.groups())) if match else None


def parse_skeleton(text: bytes) -> Recording:
    """Read one `.skeleton` file.

    Line ends may be LF or CRLF, fields may be separated by any run of blanks, blank lines may follow the end.

    Args:
        text: the whole file.

    Returns:
        The recording in the file's order. A file that was cut short raises, because its counts do not fit. Only a cut
        within the last number could go unnoticed, and that is a tracking state, which is not read.

    Raises:
        BadMember: the file is not exactly of the form above, or a coordinate is not a number of at most
            `FARTHEST` metres.
    """
    fields = Fields(text)
    frames, frame, slot, headers = _walk(fields)
    body_lines = np.array(headers, np.int64)
    joint_lines = (body_lines[:, None] + np.arange(2, LINES_OF_A_BODY)).ravel()
    _check_fields(fields, body_lines, BODY_FIELDS, "body")
    _check_fields(fields, joint_lines, JOINT_FIELDS, "joint")

    x = fields.first[joint_lines]
    joints = fields.numbers((x[:, None] + np.arange(3)).ravel()).reshape(-1, 3)
    is_good = np.abs(joints) <= FARTHEST  # false for NaN
    if not is_good.all():
        line = int(joint_lines[np.argmin(is_good.all(axis=1))])
        raise BadMember(
            f"'{printable(fields.line(line))}' does not start with three coordinates in metres, at most {FARTHEST:g}",
            line + 1,
        )
    return Recording(
        frames=frames,
        joints=joints.reshape(-1, JOINTS, 3),
        frame=np.array(frame, np.int64),
        slot=np.array(slot, np.int64),
        body_id=np.array([_body_id(fields, line) for line in headers], np.int64),
    )


def _walk(fields: Fields) -> tuple[int, list[int], list[int], list[int]]:
    """Follow the counts: number of frames, then frame, slot and header line of each body (all from 0)."""
    lines = np.flatnonzero(np.diff(fields.first) == 1)
    if len(lines) > MOST_COUNTS:
        raise BadMember(f"{len(lines)} counts are more than {MOST_FRAMES} frames have", int(lines[MOST_COUNTS]) + 1)
    counts = dict(zip(lines.tolist(), fields.numbers(fields.first[lines]).tolist(), strict=True))

    def count(line: int, what: str) -> int:
        number = counts.get(line, -1.0)
        if not (number >= 0 and number.is_integer()):
            if line >= len(fields):
                raise BadMember(f"the file ends where {what} should stand", len(fields))
            raise BadMember(f"'{printable(fields.line(line))}' stands where {what} should", line + 1)
        return int(number)

    frames = count(0, "a frame count")
    if frames > MOST_FRAMES:
        raise BadMember(f"frame count {printable(fields.line(0))} is above {MOST_FRAMES}", 1)
    frame, slot, headers = [], [], []
    cursor = 1
    for current in range(frames):
        bodies = count(cursor, "a body count")
        cursor += 1
        for position in range(bodies):
            joints = count(cursor + 1, "a joint count")
            if joints != JOINTS:
                raise BadMember(f"joint count {printable(fields.line(cursor + 1))} is not {JOINTS}", cursor + 2)
            frame.append(current)
            slot.append(position)
            headers.append(cursor)
            cursor += LINES_OF_A_BODY
    if cursor > len(fields):
        raise BadMember(f"the file ends inside frame {frames}", len(fields))
    if cursor < len(fields):
        raise BadMember(f"{len(fields) - cursor} lines too many for {frames} frames", cursor + 1)
    return frames, frame, slot, headers


def _check_fields(fields: Fields, lines: np.ndarray, expected: int, what: str) -> None:
    found = fields.first[lines + 1] - fields.first[lines]
    wrong = np.flatnonzero(found != expected)
    if len(wrong):
        line = int(lines[wrong[0]])
        raise BadMember(f"a {what} has {expected} fields, here are {found[wrong[0]]}", line + 1)


def _body_id(fields: Fields, line: int) -> int:
    text = fields.line(line).split(None, 1)[0]
    if not (text.isdigit() and len(text) < 20 and int(text) < 2**63):
        raise BadMember(f"'{printable(text)}' stands where a body id should", line + 1)
    return int(text)
