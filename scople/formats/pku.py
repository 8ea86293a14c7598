"""PKU-MMD phase 1: untrimmed videos, cut into labelled instances.

A skeleton file `XXXX-V.txt` (video, view L, M or R) has one line per frame: 2 bodies x 25 joints x (x, y, z) in
metres, a missing body all zeros. The label file of the same name has one line per instance:
`class,start,end,confidence`.

Unstated: whether the labels count frames from 0 or from 1; no document says so. We read them as 1-based and inclusive,
as cseeyangchen/STAR_pp does: rows start-1 .. end-1. maoyunyao/MAMP keeps rows start .. end-1, as `first_frame=0` does.
"""

import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from scople.base.errors import ScopleError
from scople.base.shapes import JOINTS, PERSONS
from scople.data.samples import BadMember, Note, printable
from scople.data.skeletons import FARTHEST
from scople.formats.fields import Fields

CAMERAS = {"L": 1, "M": 2, "R": 3}
"""Camera number of a view, in STAR_pp's order."""

LONGEST_INSTANCE = 300
"""Frames kept of an instance, from its middle, as STAR_pp does."""

BAD_INSTANCES = {("0043-L", 1, 21), ("0089-L", 23, 1), ("0089-M", 23, 1), ("0089-R", 23, 1)}
"""Instances whose skeletons are damaged: video, class from 1, line of the label file (listed by STAR_pp)."""

MOST_INSTANCES = 999
"""Most instances of a video: a sample's name has three digits for them. No video of PKU-MMD has 30."""

_NAME = re.compile(r"(\d{4})-([LMR])\.txt", re.ASCII)


@dataclass(frozen=True, slots=True)
class Instance:
    """One line of a label file: `number` is the line, from 1; `action` counts from 1; frames as written there."""

    number: int
    action: int
    start: int
    end: int


def parse_name(file_name: str) -> tuple[int, int] | None:
    """Video number and camera of a file name without its folder; None if it is not of the form `XXXX-V.txt`."""
    match = _NAME.fullmatch(file_name)
    return (int(match[1]), CAMERAS[match[2]]) if match else None


def is_ended(text: bytes) -> bool:
    """Whether a blank or a line's end follows the last number of a file."""
    return text[-1:].isspace()


def parse_skeleton(text: bytes) -> Float32[np.ndarray, "M T V C"]:
    """Read one skeleton file: both bodies over all frames, in the file's order; no choice of bodies is needed.

    A last line without a blank or line end after it is left out: its last number may have been cut.

    Raises:
        BadMember: there is no frame, a line does not have 150 numbers, or a number is beyond `FARTHEST` metres.
    """
    fields = Fields(text)
    width = PERSONS * JOINTS * 3
    found = np.diff(fields.first)
    if (found != width).any():
        line = int(np.argmax(found != width))
        raise BadMember(f"a frame has {width} fields, here are {found[line]}", line + 1)
    if not len(fields):
        raise BadMember("the file is empty")
    values = fields.numbers(np.arange(len(fields.starts)))
    is_good = np.abs(values) <= FARTHEST  # false for NaN
    if not is_good.all():
        wrong = int(np.argmin(is_good))
        raise BadMember(
            f"'{printable(fields.field(wrong))}' is not a coordinate in metres, at most {FARTHEST:g}",
            wrong // width + 1,
        )
    frames = values.astype(np.float32).reshape(-1, PERSONS, JOINTS, 3)
    if not is_ended(text):
        frames = frames[:-1]
    if not len(frames):
        raise BadMember("the file has no whole frame")
    return np.ascontiguousarray(frames.swapaxes(0, 1))


def parse_labels(text: bytes) -> list[Instance]:
    """Read one label file.

    Raises:
        BadMember: a line is not four whole numbers with commas between, or there are too many lines.
    """
    lines = text.rstrip().split(b"\n") if text.strip() else []
    if len(lines) > MOST_INSTANCES:
        raise BadMember(f"{len(lines)} instances are more than {MOST_INSTANCES}")
    instances = []
    for number, line in enumerate(lines, start=1):
        match = re.fullmatch(rb"\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*(\d{1,9})\s*,\s*\d{1,9}\s*", line)
        if not match:
            raise BadMember(f"'{printable(line)}' is not class,start,end,confidence", number)
        instances.append(Instance(number, *map(int, match.groups())))
    return instances


def cut(
    video: str,
    sequence: Float32[np.ndarray, "M T V C"],
    instance: Instance,
    *,
    first_frame: int = 1,
) -> tuple[Float32[np.ndarray, "persons frames V C"] | None, list[Note]]:
    """The frames of one instance, or None if nothing usable is left, and notes for the report.

    A start after the end is swapped with it. Frames beyond the ends of the video are cut off. Only the middle of an
    instance longer than `LONGEST_INSTANCE` is kept. A body that is never seen is left out, and so are the instances of
    `BAD_INSTANCES`. An instance outside the video is a sign that the video was cut short.

    Args:
        video: name as `0002-L`.
        sequence: the whole video.
        instance: which part of it.
        first_frame: number of the first row in the labels. With 1 the end is inclusive, with 0 it is exclusive.
    """
    notes = []

    def note(kind: str, reason: str) -> None:
        notes.append(Note(f"{video}.txt", instance.number, kind, reason))

    if (video, instance.action, instance.number) in BAD_INSTANCES:
        note("known_bad", "one of the four damaged instances")
        return None, notes
    start, end = instance.start, instance.end
    if start > end:
        note("swapped", f"start {start} is after end {end}")
        start, end = end, start
    start, length = start - first_frame, sequence.shape[1]
    if start >= length or end <= max(start, 0):
        note("outside_video", f"frames {instance.start} to {instance.end} of a video of {length}")
        return None, notes
    if start < 0 or end > length:
        note("clipped", f"frames {instance.start} to {instance.end} of a video of {length}")
        start, end = max(start, 0), min(end, length)
    if end - start > LONGEST_INSTANCE:
        note("cropped", f"{end - start} frames are cut to the middle {LONGEST_INSTANCE}")
        start += (end - start - LONGEST_INSTANCE) // 2
        end = start + LONGEST_INSTANCE
    piece = sequence[:, start:end]
    is_seen = piece.any(axis=(1, 2, 3))
    if not is_seen.any():
        note("no_body", "no frame has a body")
        return None, notes
    return piece[is_seen], notes


def parse_cross_subject(text: str) -> dict[str, bool]:
    """Read the data set's own `cross-subject.txt`: is a video (as `0002-L`) one of training?

    Line 2 lists the training videos, line 4 the test videos, separated by commas.

    Raises:
        ScopleError: a name is not of that form, stands in both lists, or a list is empty.
    """
    lines = text.splitlines()
    lists = [[name.strip() for name in line.split(",") if name.strip()] for line in lines[1:4:2]]
    if len(lists) < 2 or not all(lists):
        raise ScopleError("cross-subject.txt needs the training videos in line 2 and the test videos in line 4.")
    is_training: dict[str, bool] = {}
    for names, training in zip(lists, (True, False), strict=True):
        for name in names:
            if parse_name(f"{name}.txt") is None:
                raise ScopleError(
                    f"'{printable(name)}' in cross-subject.txt is not a video name such as 0002-L: correct it."
                )
            if is_training.setdefault(name, training) != training:
                raise ScopleError(f"video {name} stands in both lists of cross-subject.txt: correct it.")
    return is_training
