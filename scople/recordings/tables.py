"""CSV with named columns; comma, semicolon or tab between them, a point in numbers, UTF-8, names in any case.

Long form, a line for each joint:

    frame,body,joint,x,y,z              joint: a name of the joint map, or its number in the map, from 0
    0,0,left wrist,0.41,1.02,2.90

Wide form, a line for each frame and body:

    frame,body,left_wrist_x,left_wrist_y,left_wrist_z,...       or left_wrist.x, as Azure Kinect recorders write it

`body` may be left out where there is one; any text tells bodies apart. `frame` is a whole number, and where numbers are
left out the body is absent; without it the lines of a wide table follow each other. `time` in seconds gives the rate.
Without the columns for z the recording is 2-D. An empty cell is a missing value. Other columns are not read.
"""

import csv
import io
import re

from scople.base.documents import listed
from scople.base.errors import printable
from scople.data.samples import BadMember
from scople.recordings.joint_maps import plain
from scople.recordings.takes import MOST_BODIES, MOST_FRAMES, MOST_JOINTS, Take, as_bodies, unknown

_COORDINATE = re.compile(r"(.+?)[_. ]([xyz])")

Record = tuple[int, str, str, list[float]]
"""Frame, body, joint and its coordinates."""


def read_csv(content: bytes) -> list[Take]:
    """The recording of a table.

    Raises:
        BadMember: it is no such table, a line is incomplete or stands there twice, or a number is none.
    """
    header, lines = _lines(content)
    columns = {name: index for index, name in enumerate(header) if name}
    frames, fps = _frames(columns, lines)
    if {"joint", "x", "y"} <= columns.keys():
        return [_assembled(_long(columns, lines, frames), fps)]
    return [_assembled(_wide(columns, lines, frames), fps)]


def _lines(content: bytes) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Names of the columns, and the other lines with their numbers; empty lines are left out."""
    try:
        text = content.decode("utf-8-sig")
        first = text.partition("\n")[0]
        between = max(",;\t", key=first.count)
        table = csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True)
        rows = [(table.line_num, row) for row in table if any(cell.strip() for cell in row)]
    except UnicodeDecodeError as error:
        raise BadMember(f"byte {error.start} is not UTF-8") from error
    except csv.Error as error:
        raise BadMember(f"it is no CSV ({printable(str(error), 80)})") from error
    if len(rows) < 2:
        raise BadMember("it has no line below the names of the columns")
    header = [cell.strip().lower() for cell in rows[0][1]]
    doubles = [name for name in header if name and header.count(name) > 1]
    if doubles:
        raise BadMember(f"the column '{printable(doubles[0])}' stands there twice", 1)
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise BadMember(f"{len(row)} cells stand below {len(header)} columns", number)
    return header, rows[1:]


def _frames(columns: dict[str, int], lines: list[tuple[int, list[str]]]) -> tuple[list[int] | None, float | None]:
    """The frame of each line, from 0, None where lines just follow each other; and the rate, where `time` tells it."""
    frames = times = None
    if "frame" in columns:
        numbers = [_number(row[columns["frame"]], number, "frame") for number, row in lines]
        wrong = [n for n, value in enumerate(numbers) if not (value.is_integer() and abs(value) < 2**53)]
        if wrong:
            number, row = lines[wrong[0]]
            raise BadMember(f"frame '{printable(row[columns['frame']])}' is no whole number", number)
        frames = [int(value - min(numbers)) for value in numbers]
    if "time" in columns:
        times = [_number(row[columns["time"]], number, "time") for number, row in lines]
        bad = [n for n, value in enumerate(times) if not abs(value) < 1e9]
        if bad:
            raise BadMember(
                f"time '{printable(lines[bad[0]][1][columns['time']])}' is no number of seconds", lines[bad[0]][0]
            )
        if frames is None:
            rank = {value: place for place, value in enumerate(sorted(set(times)))}
            frames = [rank[value] for value in times]
    if frames is None or times is None:
        return frames, None
    first, last = frames.index(min(frames)), frames.index(max(frames))
    seconds = times[last] - times[first]
    if frames[last] and not seconds > 0:
        raise BadMember("time does not grow with the frames")
    return frames, frames[last] / seconds if frames[last] else None


def _long(columns: dict[str, int], lines: list[tuple[int, list[str]]], frames: list[int] | None) -> list[Record]:
    if frames is None:
        raise BadMember("the columns are joint, x, y without frame or time, which a table of this form needs")
    axes = [columns[axis] for axis in "xyz" if axis in columns]
    return [
        (
            frames[place],
            row[columns["body"]].strip() if "body" in columns else "",
            row[columns["joint"]].strip(),
            [_number(row[axis], number, "a coordinate") for axis in axes],
        )
        for place, (number, row) in enumerate(lines)
    ]


def _wide(columns: dict[str, int], lines: list[tuple[int, list[str]]], frames: list[int] | None) -> list[Record]:
    joints: dict[str, dict[str, int]] = {}
    for name, index in columns.items():
        if match := _COORDINATE.fullmatch(name):
            joints.setdefault(match[1], {})[match[2]] = index
    if not joints:
        raise BadMember(
            f"its columns are {printable(', '.join(columns), 120)}, neither joint, x, y, z nor <joint>_x and so on"
        )
    axes = "xyz" if any("z" in found for found in joints.values()) else "xy"
    for joint, found in joints.items():
        if set(found) != set(axes):
            raise BadMember(
                f"joint '{printable(joint)}' has the columns {listed(sorted(found))}, not {', '.join(axes)}", 1
            )
    if len(joints) > MOST_JOINTS:
        raise BadMember(f"there are {len(joints)} joints, more than {MOST_JOINTS}", 1)
    records, following = [], {}
    for place, (number, row) in enumerate(lines):
        body = row[columns["body"]].strip() if "body" in columns else ""
        following[body] = following.get(body, -1) + 1
        frame = following[body] if frames is None else frames[place]
        for joint, found in joints.items():
            values = [_number(row[found[axis]], number, "a coordinate") for axis in axes]
            records.append((frame, body, joint, values))
    return records


def _assembled(records: list[Record], fps: float | None) -> Take:
    bodies = list(dict.fromkeys(body for _, body, _, _ in records))
    joints = list(dict.fromkeys(joint for _, _, joint, _ in records))
    length = 1 + max(frame for frame, _, _, _ in records)
    if len({plain(joint) for joint in joints}) < len(joints):
        raise BadMember(f"two of the joints {printable(', '.join(joints), 120)} have the same name")
    are_numbers = all(joint.isdecimal() and len(joint) < 4 for joint in joints)
    places = {joint: int(joint) if are_numbers else place for place, joint in enumerate(joints)}
    width = 1 + max(places.values())
    for found, most, what in (
        (length, MOST_FRAMES, "frames"), (len(bodies), MOST_BODIES, "bodies"), (width, MOST_JOINTS, "joints"),
    ):  # fmt: skip
        if found > most:
            raise BadMember(f"there are {found} {what}, more than {most}")
    positions = unknown(len(bodies), length, width, len(records[0][3]))
    filled = set()
    for frame, body, joint, values in records:
        place = (bodies.index(body), frame, places[joint])
        if place in filled:
            raise BadMember(f"joint '{printable(joint)}' of frame {frame} (counted from the first) stands there twice")
        filled.add(place)
        positions[place] = values
    return Take(as_bodies(positions), fps=fps, joint_names=None if are_numbers else tuple(joints))


def _number(text: str, line: int, what: str) -> float:
    """A cell's number; NaN for an empty cell."""
    text = text.strip()
    try:
        return float("nan") if not text else float("no" if "_" in text else text)
    except ValueError as error:
        raise BadMember(f"'{printable(text)}' stands where {what} should", line) from error
