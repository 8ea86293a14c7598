"""The raw formats: which members of an archive are recordings, and what sample each gives.

A format plans its work before it reads anything: the plan names the members that are no recordings, and splits
the rest into tasks that any process can do on its own.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from scople.base.errors import ScopleError, printable
from scople.data.samples import BROKEN, BadMember, Note, Sample
from scople.data.skeletons import BODY_CHOICES
from scople.formats import ntu, pku
from scople.formats.archive import Member, find_archives, list_members

TASK_SIZE = 32
"""Recordings per task of `NtuSkeletons`: about 10 MB of text."""

REACH = 10.0
"""Largest plausible coordinate in metres; a Kinect sees people up to 4.5 m away. A larger one gets a note."""

STRANGER = "stranger"
"""The kind of a `Note` about a file that is no recording and does not look like one, such as README.txt."""

UNUSED = "unused_archive"
"""The kind of a `Note` about an archive beside another one of the same name."""

Copies = Sequence[Member]
"""Members of the same name; the first that is sound counts."""

T = TypeVar("T")

_NTU_LIKE = re.compile(r"\.skeleton$|S\d+C\d+P\d+R\d+A\d+", re.IGNORECASE)
_PKU_LIKE = re.compile(r"\d-[A-Z]\b", re.IGNORECASE)


@dataclass(frozen=True)
class Plan:
    """What is to be read.

    Attributes:
        members: number of files found, without strangers; `max_broken` is a fraction of it.
        recordings: number of recordings that `tasks` read.
        notes: on the members that cannot be read, on strangers, and on archives that are not used.
        counts: members left out on purpose, by reason.
        tasks: in the order of the samples' names.
        read: does one task.
        training: how many of the recordings are for training; None where only reading tells.
        is_stream: whether the tasks can only be done in their order, by one process.
    """

    members: int
    recordings: int
    notes: list[Note]
    counts: dict[str, int]
    tasks: list[Any]
    read: Callable[[Any], list[Sample | Note]]
    training: int | None = None
    is_stream: bool = False


@dataclass(frozen=True)
class NtuSkeletons:
    """Recordings as `.skeleton` files, one action each (`scople.formats.ntu`).

    Attributes:
        archives: zips or folders below the raw folder.
        train_subjects: performers of the training part; all others are test subjects.
        missing: names (without suffix) to leave out, such as NTU's list of incomplete skeletons.
    """

    archives: tuple[str, ...]
    train_subjects: frozenset[int]
    missing: frozenset[str] = field(default=frozenset())

    @property
    def archive_names(self) -> tuple[str, ...]:
        """What the raw folder must hold."""
        return self.archives

    def plan(self, raw_folder: Path, *, classes: int, body_choice: str) -> Plan:
        """List the archives; of members with the same name, the first sound one by archive and path counts."""
        members, notes = _look_through(raw_folder, self.archives, _NTU_LIKE)
        counts = {"missing_list": 0, "outside_classes": 0}
        copies: dict[str, list[Member]] = defaultdict(list)
        for member in members:
            name = ntu.parse_name(member.name)
            stem = member.name.removesuffix(".skeleton")
            if name is None:
                notes.append(_broken(member, "the name is not of the form SsssCcccPpppRrrrAaaa.skeleton"))
            elif stem in self.missing:
                counts["missing_list"] += 1
            elif not 1 <= name.action <= classes:
                counts["outside_classes"] += 1
            elif member.fault:
                notes.append(_broken(member, member.fault))
            else:
                copies[stem].append(member)
        ordered = [copies[stem] for stem in sorted(copies)]
        tasks = [ordered[start : start + TASK_SIZE] for start in range(0, len(ordered), TASK_SIZE)]
        read = partial(_read_skeletons, body_choice=body_choice, train_subjects=self.train_subjects)
        return Plan(len(members), len(ordered), notes, counts, tasks, read)


@dataclass(frozen=True)
class PkuVideos:
    """Untrimmed videos with label files (`scople.formats.pku`).

    Both bodies are kept in the file's order, whatever the body choice: there is nothing to choose.

    Attributes:
        skeletons: zip or folder with the skeleton files, below the raw folder.
        labels: zip or folder with the label files.
        subjects: the data set's cross-subject list of training and test videos, a text file.
        first_frame: number of a video's first frame in the labels, see `scople.formats.pku.cut`.
    """

    skeletons: str
    labels: str
    subjects: str
    first_frame: int

    @property
    def archive_names(self) -> tuple[str, ...]:
        """What the raw folder must hold."""
        return self.skeletons, self.labels, self.subjects

    def plan(self, raw_folder: Path, *, classes: int, body_choice: str) -> Plan:
        """Pair the files of each video; a video needs both of them and a place in the cross-subject list."""
        subjects = raw_folder / self.subjects
        try:
            if not subjects.is_file():  # reading a pipe would block
                raise FileNotFoundError
            text = subjects.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ScopleError(
                f"{subjects} cannot be read: put the data set's own list there, with the training videos in line 2 "
                "and the test videos in line 4."
            ) from error
        is_training = pku.parse_cross_subject(text)
        members, notes = zip(
            *(_look_through(raw_folder, [name], _PKU_LIKE) for name in (self.skeletons, self.labels)), strict=True
        )
        skeletons, labels = map(_by_video, members, notes)
        notes = [note for each in notes for note in each]
        tasks = []
        for video in sorted(skeletons.keys() | labels.keys()):
            member = (skeletons.get(video) or labels[video])[0]
            if video not in labels:
                notes.append(_broken(member, "has no label file"))
            elif video not in skeletons:
                notes.append(_broken(member, "has no skeleton file"))
            elif video not in is_training:
                notes.append(_broken(member, f"stands in neither list of {self.subjects}"))
            else:
                tasks.append((skeletons[video], labels[video], is_training[video]))
        read = partial(_read_video, classes=classes, first_frame=self.first_frame)
        return Plan(sum(map(len, members)), len(tasks), notes, {}, tasks, read)


def _look_through(raw_folder: Path, names: Sequence[str], like: re.Pattern[str]) -> tuple[list[Member], list[Note]]:
    """The members of some archives without strangers, and notes on the strangers and on unused archives."""
    members: list[Member] = []
    notes: list[Note] = []
    for name in names:
        archive, *others = find_archives(raw_folder, name)
        notes += [Note(printable(each.name), 0, UNUSED, f"{archive.name} is read instead") for each in others]
        for member in list_members(archive):
            is_hidden = member.name.startswith(".") or "__MACOSX" in member.path.split("/")
            if is_hidden or not like.search(member.name):
                notes.append(Note(member.shown, 0, STRANGER, "no recording"))
            else:
                members.append(member)
    return members, notes


def _by_video(members: list[Member], notes: list[Note]) -> dict[str, list[Member]]:
    """Members by the video they belong to; each of the others gets a note in `notes`."""
    videos: dict[str, list[Member]] = defaultdict(list)
    for member in members:
        if pku.parse_name(member.name) is None:
            notes.append(_broken(member, "the name is not of the form XXXX-V.txt, V one of L, M, R"))
        elif member.fault:
            notes.append(_broken(member, member.fault))
        else:
            videos[member.name.removesuffix(".txt")].append(member)
    return videos


def _broken(member: Member, reason: str, line: int = 0) -> Note:
    return Note(member.shown, line, BROKEN, reason)


def _read_first(copies: Copies, parse: Callable[[bytes], T]) -> tuple[T | None, list[Note]]:
    """What the first sound member gives, or None if no member is sound, and notes on the others."""
    notes: list[Note] = []
    for number, member in enumerate(copies):
        try:
            result = parse(member.read())
        except BadMember as error:
            where = f", in {member.shown_with_archive}" if len(copies) > 1 else ""
            notes.append(_broken(member, error.reason + where, error.line))
            continue
        used = f"{member.shown_with_archive} is used"
        notes = [replace(note, reason=f"{note.reason}; {used}") for note in notes]
        return result, notes + [_broken(other, f"a second file of this name; {used}") for other in copies[number + 1 :]]
    return None, notes


def far(file: str, line: int, sequence: np.ndarray) -> list[Note]:
    """A note where a sequence has a coordinate beyond `REACH`."""
    farthest = np.abs(sequence).max(initial=0.0)
    reason = f"a coordinate of {farthest:.1f} m is used, more than {REACH:g} m are not plausible"
    return [Note(file, line, "far", reason)] if farthest > REACH else []


def _read_skeletons(tasks: list[Copies], *, body_choice: str, train_subjects: frozenset[int]) -> list[Sample | Note]:
    choose = BODY_CHOICES[body_choice]
    outcomes: list[Sample | Note] = []
    for copies in tasks:
        sequence, notes = _read_first(copies, lambda text: choose(ntu.parse_skeleton(text)))
        outcomes += notes
        if sequence is None:
            continue
        first = copies[0]
        outcomes += far(first.name, 0, sequence)
        name = ntu.parse_name(first.name)
        outcomes.append(
            Sample(
                name=first.name.removesuffix(".skeleton"),
                label=name.action - 1,
                subject=name.performer,
                camera=name.camera,
                setup=name.setup,
                replication=name.replication,
                is_training=name.performer in train_subjects,
                sequence=sequence,
            )
        )
    return outcomes


def _read_video(task: tuple[Copies, Copies, bool], *, classes: int, first_frame: int) -> list[Sample | Note]:
    """The instances of one video.

    PKU-MMD's names tell neither subject nor repetition: the subject is 0, `setup` is the number of the video and
    `replication` the line of the instance in the label file. A line that repeats an earlier one gives no sample. A
    video with instances outside it was cut short, and counts as broken even if its other instances give samples.
    """
    skeletons, labels, is_training = task
    outcomes: list[Sample | Note] = []
    read, notes = _read_first(skeletons, lambda text: (pku.parse_skeleton(text), pku.is_ended(text)))
    outcomes += notes
    instances, notes = _read_first(labels, pku.parse_labels)
    outcomes += notes
    if read is None or instances is None:
        return outcomes
    (sequence, is_ended), file = read, skeletons[0].name
    if not is_ended:
        outcomes.append(
            Note(file, sequence.shape[1] + 1, "unended", "the last frame is left out, nothing ends its line")
        )
    video = file.removesuffix(".txt")
    number, camera = pku.parse_name(file)
    first_line: dict[tuple[int, int, int], int] = {}
    lost = 0
    for instance in instances:
        line = first_line.setdefault((instance.action, instance.start, instance.end), instance.number)
        if line < instance.number:
            outcomes.append(Note(file, instance.number, "repeated", f"the same instance as in line {line}"))
            continue
        if not 1 <= instance.action <= classes:
            reason = f"class {instance.action} is not in the class list"
            outcomes.append(Note(file, instance.number, "outside_classes", reason))
            continue
        piece, notes = pku.cut(video, sequence, instance, first_frame=first_frame)
        outcomes += notes
        lost += any(note.kind == "outside_video" for note in notes)
        if piece is not None:
            outcomes += far(file, instance.number, piece)
            outcomes.append(
                Sample(
                    name=f"{video}-{instance.number:03d}",
                    label=instance.action - 1,
                    subject=0,
                    camera=camera,
                    setup=number,
                    replication=instance.number,
                    is_training=is_training,
                    sequence=piece,
                )
            )
    if lost:
        reason = f"{lost} of {len(instances)} instances lie outside its {sequence.shape[1]} frames"
        outcomes.append(_broken(skeletons[0], reason))
    return outcomes
