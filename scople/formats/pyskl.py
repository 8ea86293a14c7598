"""Annotation pickles of kennymckormick/pyskl, such as `ntu60_3danno.pkl`.

    {'split': {'xsub_train': [frame_dir, ...], 'xsub_val': [...], ...},
     'annotations': [{'frame_dir': 'S001C001P001R001A001', 'label': 0, 'keypoint': (M,T,V,C), 'total_frames': T}, ...]}

`label` counts from 0; `keypoint` is float16 in the published files, metres, camera space. Such a file of several GB is
gone through once for its table of contents, without the arrays; then each array is read from its place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from scople.base.errors import ScopleError, printable
from scople.data.samples import BROKEN, BadMember, Note, Sample
from scople.formats import ntu
from scople.formats.prepared import as_prepared, check_shape
from scople.formats.recordings import TASK_SIZE, Plan, far
from scople.formats.safe_pickle import PackedArray, load_located

MOST_ANNOTATIONS = 1_000_000
"""Recordings of a file that are believed; NTU-120 has 113,945."""

LONGEST_NAME = 200
"""Characters of a recording's name."""


@dataclass(frozen=True, slots=True)
class Annotation:
    """What the table of contents says of a recording; `frames` is None where it does not tell."""

    name: str
    label: int
    is_training: bool
    frames: int | None
    keypoint: PackedArray


@dataclass(frozen=True)
class PysklAnnotations:
    """Recordings in a pickle of annotations.

    Bodies are as the file has them, whatever the body choice. The training part is told by the subjects in the names
    (`SsssCcccPpppRrrrAaaa`), or else by a list of the file.

    Attributes:
        file: the pickle, below the raw folder.
        train_subjects: performers of the training part; empty if `training` tells it.
        training: name of the file's list of training recordings; with `train_subjects`, it is compared with them.
        missing: names to leave out.
    """

    file: str
    train_subjects: frozenset[int]
    training: str
    missing: frozenset[str]

    @property
    def archive_names(self) -> tuple[str, ...]:
        """What the raw folder must hold."""
        return (self.file,)

    def plan(self, raw_folder: Path, *, classes: int, body_choice: str) -> Plan:
        """Read the table of contents; memory is taken for it, a few hundred bytes a recording, not for the arrays."""
        path = raw_folder / self.file
        shown = printable(self.file)
        annotations, lists = _contents(path)
        listed = _names(lists[self.training]) if self.training in lists else None
        if self.training and not self.train_subjects and listed is None:
            raise ScopleError(
                f"{path} has no list '{printable(self.training)}', it has {printable(', '.join(lists), 80)}: "
                "correct 'training' in the description."
            )
        counts = {"missing_list": 0, "outside_classes": 0}
        notes: list[Note] = []
        found: dict[str, Annotation] = {}
        differing = 0
        for number, entry in enumerate(annotations, start=1):
            try:
                annotation = self._checked(entry, listed)
                if annotation.name in found:
                    raise BadMember(f"a second recording of the name {printable(annotation.name)}")
            except BadMember as error:
                notes.append(Note(shown, number, BROKEN, error.reason))
                continue
            if annotation.name in self.missing:
                counts["missing_list"] += 1
            elif not 0 <= annotation.label < classes:
                counts["outside_classes"] += 1
            else:
                found[annotation.name] = annotation
                differing += listed is not None and (annotation.name in listed) != annotation.is_training
        if differing:
            reason = f"{differing} recordings have another part in its list {self.training} than by their subject"
            notes.append(Note(shown, 0, "division", f"{reason}; the subject counts"))
        ordered = [found[name] for name in sorted(found)]
        if ordered:
            notes.append(Note(shown, 0, "bodies", "the file has two bodies at most; body_choice has no effect"))
        tasks = [ordered[start : start + TASK_SIZE] for start in range(0, len(ordered), TASK_SIZE)]
        training = sum(annotation.is_training for annotation in ordered)
        return Plan(len(annotations), len(ordered), notes, counts, tasks, partial(_read, path=path), training)

    def _checked(self, entry: Any, listed: frozenset[str] | None) -> Annotation:
        """An annotation as its entry says; raises `BadMember`."""
        if not isinstance(entry, dict):
            raise BadMember("the annotation is no dictionary")
        name, label, frames = entry.get("frame_dir"), _whole(entry.get("label")), _whole(entry.get("total_frames"))
        keypoint = entry.get("keypoint")
        if not (isinstance(name, str) and 1 <= len(name) <= LONGEST_NAME and printable(name, LONGEST_NAME) == name):
            found = printable(name) if isinstance(name, str) else f"of the type {type(name).__name__}"
            raise BadMember(f"frame_dir is {found}, no name of 1 to {LONGEST_NAME} characters")
        if label is None:
            raise BadMember(f"label of {name} is no whole number")
        if not isinstance(keypoint, PackedArray):
            raise BadMember(f"keypoint of {name} is no array")
        said = ntu.parse_name(f"{name}.skeleton")
        if said and said.action != label + 1:
            raise BadMember(f"label of {name} is {label}, its name says {said.action - 1}")
        if self.train_subjects and not said:
            raise BadMember(f"the name {name} is not of the form SsssCcccPpppRrrrAaaa")
        is_training = said.performer in self.train_subjects if said and self.train_subjects else name in (listed or ())
        return Annotation(name, label, is_training, frames, keypoint)


def _contents(path: Path) -> tuple[list, dict[str, list]]:
    """The annotations of a file and its lists, without any array.

    Raises:
        ScopleError: the file cannot be read, or is refused.
    """
    try:
        if not path.is_file():  # reading a pipe would block
            raise BadMember("it is no file")
        with open(path, "rb") as file:
            document = load_located(file)
        if not (isinstance(document, dict) and isinstance(document.get("annotations"), list)):
            raise BadMember("it has no list 'annotations'")
        annotations, lists = document["annotations"], document.get("split", {})
        if len(annotations) > MOST_ANNOTATIONS:
            raise BadMember(f"it has {len(annotations)} annotations, more than {MOST_ANNOTATIONS}")
        if not isinstance(lists, dict):
            raise BadMember("'split' is no dictionary")
        named = {
            name: entries for name, entries in lists.items() if isinstance(name, str) and isinstance(entries, list)
        }
        return annotations, named
    except BadMember as error:
        raise ScopleError(f"{path} is no readable pyskl file ({error}): get it again.") from error
    except OSError as error:
        raise ScopleError(f"{path} cannot be read ({error.strerror}): correct its rights.") from error


def _names(entries: list) -> frozenset[str]:
    return frozenset(entry for entry in entries if isinstance(entry, str))


def _whole(value: object) -> int | None:
    """A whole number of 64 bits, Python's or NumPy's; None if it is none."""
    if isinstance(value, PackedArray):
        array = value.array() if isinstance(value.content, bytes) else None
        return int(array) if array is not None and array.ndim == 0 and array.dtype.kind in "iu" else None
    return value if type(value) is int and abs(value) < 2**63 else None


def _read(annotations: list[Annotation], *, path: Path) -> list[Sample | Note]:
    with open(path, "rb") as file:
        return [outcome for annotation in annotations for outcome in _outcomes(annotation, file, printable(path.name))]


def _outcomes(annotation: Annotation, file: Any, shown: str) -> Iterator[Sample | Note]:
    name = annotation.name
    try:
        check_shape(annotation.keypoint.shape)
        array = annotation.keypoint.array(file)
        frames = annotation.frames
        if frames is not None and frames != array.shape[1]:
            if not 1 <= frames < array.shape[1] or array[:, frames:].any():
                raise BadMember(f"total_frames is {frames}, keypoint has {array.shape[1]}")
            array = array[:, :frames]
            yield Note(shown, 0, "padded", "")
        sequence, kinds = as_prepared(array)
    except BadMember as error:
        yield Note(name, 0, BROKEN, error.reason)
        return
    yield from (Note(shown, 0, kind, "") for kind in kinds)
    yield from far(name, 0, sequence)
    said = ntu.parse_name(f"{name}.skeleton")
    yield Sample(
        name=name,
        label=annotation.label,
        subject=said.performer if said else 0,
        camera=said.camera if said else 0,
        setup=said.setup if said else 0,
        replication=said.replication if said else 0,
        is_training=annotation.is_training,
        sequence=sequence,
    )
