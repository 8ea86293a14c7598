"""The raw formats: which members of an archive are recordings, and what sample each gives.

A format plans its work before it reads anything: the plan names the members that are no recordings, and splits
the rest into tasks that any process can do on its own.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from scople.base.errors import ScopleError
from scople.data.samples import BROKEN, BadMember, Note, Sample
from scople.data.skeletons import BODY_CHOICES
from scople.formats import ntu, pku
from scople.formats.archive import Member, find_archive, list_members

TASK_SIZE = 32
"""Recordings per task of `NtuSkeletons`: about 10 MB of text."""


@dataclass(frozen=True)
class Plan:
    """What is to be read.

    Attributes:
        members: number of files found; what `max_broken` is a fraction of.
        recordings: number of recordings that `tasks` read.
        notes: on the members that are no recordings.
        counts: members left out on purpose, by reason.
        tasks: in the order of the samples' names.
        read: does one task.
    """

    members: int
    recordings: int
    notes: list[Note]
    counts: dict[str, int]
    tasks: list[Any]
    read: Callable[[Any], list[Sample | Note]]


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
        """Look through the archives; of two members with the same name the first by archive and path counts."""
        found = [member for name in self.archives for member in list_members(find_archive(raw_folder, name))]
        notes, counts = [], {"missing_list": 0, "outside_classes": 0}
        chosen: dict[str, Member] = {}
        for member in found:
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
            elif stem in chosen:
                notes.append(_broken(member, f"a second file of this name; {chosen[stem].path} is used"))
            else:
                chosen[stem] = member
        members = [chosen[stem] for stem in sorted(chosen)]
        tasks = [members[start : start + TASK_SIZE] for start in range(0, len(members), TASK_SIZE)]
        read = partial(_read_skeletons, body_choice=body_choice, train_subjects=self.train_subjects)
        return Plan(len(found), len(members), notes, counts, tasks, read)


@dataclass(frozen=True)
class PkuVideos:
    """Untrimmed videos with label files (`scople.formats.pku`).

    Both bodies are kept in the file's order, whatever the body choice: there is nothing to choose.

    Attributes:
        skeletons: zip or folder with the skeleton files, below the raw folder.
        labels: zip or folder with the label files.
        subjects: the data set's cross-subject list of training and test videos, a text file.
        first_frame: number that the labels give a video's first frame, see `scople.formats.pku.cut`.
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
        try:
            text = (raw_folder / self.subjects).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ScopleError(
                f"{raw_folder / self.subjects} can not be read: put the data set's own list there, with the "
                "training videos in line 2 and the test videos in line 4."
            ) from error
        is_training = pku.parse_cross_subject(text)
        found = [list_members(find_archive(raw_folder, name)) for name in (self.skeletons, self.labels)]
        notes: list[Note] = []
        skeletons, labels = (_by_video(members, notes) for members in found)
        tasks = []
        for video in sorted(skeletons.keys() | labels.keys()):
            member = skeletons.get(video) or labels[video]
            if video not in labels:
                notes.append(_broken(member, "has no label file"))
            elif video not in skeletons:
                notes.append(_broken(member, "has no skeleton file"))
            elif video not in is_training:
                notes.append(_broken(member, f"stands in neither list of {self.subjects}"))
            else:
                tasks.append((member, labels[video], is_training[video]))
        read = partial(_read_video, classes=classes, first_frame=self.first_frame)
        return Plan(sum(map(len, found)), len(tasks), notes, {}, tasks, read)


def _by_video(members: list[Member], notes: list[Note]) -> dict[str, Member]:
    """Members by the videos they belong to; `notes` takes those that belong to none."""
    videos: dict[str, Member] = {}
    for member in members:
        video = member.name.removesuffix(".txt")
        if pku.parse_name(member.name) is None:
            notes.append(_broken(member, "the name is not of the form XXXX-V.txt, V one of L, M, R"))
        elif member.fault:
            notes.append(_broken(member, member.fault))
        elif video in videos:
            notes.append(_broken(member, f"a second file of this name; {videos[video].path} is used"))
        else:
            videos[video] = member
    return videos


def _broken(member: Member, reason: str, line: int = 0) -> Note:
    # A path in a damaged zip may hold anything; the report is plain text.
    return Note(member.path.encode("ascii", "backslashreplace").decode(), line, BROKEN, reason)


def _read_skeletons(members: list[Member], *, body_choice: str, train_subjects: frozenset[int]) -> list[Sample | Note]:
    choose = BODY_CHOICES[body_choice]
    outcomes: list[Sample | Note] = []
    for member in members:
        try:
            sequence = choose(ntu.parse_skeleton(member.read()))
        except BadMember as error:
            outcomes.append(_broken(member, error.reason, error.line))
            continue
        name = ntu.parse_name(member.name)
        outcomes.append(
            Sample(
                name=member.name.removesuffix(".skeleton"),
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


def _read_video(task: tuple[Member, Member, bool], *, classes: int, first_frame: int) -> list[Sample | Note]:
    """The instances of one video.

    PKU-MMD's names tell neither subject nor repetition: the subject is 0, `setup` is the number of the video and
    `replication` the line of the instance in the label file.
    """
    skeletons, labels, is_training = task
    reading = skeletons
    try:
        sequence = pku.parse_skeleton(skeletons.read())
        reading = labels
        instances = pku.parse_labels(labels.read())
    except BadMember as error:
        return [_broken(reading, error.reason, error.line)]
    video = skeletons.name.removesuffix(".txt")
    number, camera = pku.parse_name(skeletons.name)
    outcomes: list[Sample | Note] = []
    for instance in instances:
        if not 1 <= instance.action <= classes:
            reason = f"class {instance.action} is not in the class list"
            outcomes.append(Note(f"{video}.txt", instance.number, "outside_classes", reason))
            continue
        piece, notes = pku.cut(video, sequence, instance, first_frame=first_frame)
        outcomes += notes
        if piece is not None:
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
    return outcomes
