"""Seen and unseen classes, and which samples each stage may open.

A split file, `datasets/splits/<name>.yaml`, lists class ids as the data set prints them, from 1. In this
module every class is a label, from 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from scople.base.documents import quoted, read_document
from scople.base.errors import ScopleError
from scople.base.seeding import numpy_generator

KEYS = ("seen", "unseen", "unseen_source", "pseudo_unseen", "pseudo_unseen_source")


@dataclass(frozen=True)
class Split:
    """Disjoint classes of one data set.

    Attributes:
        name: as in params.yaml, `<dataset>_<seen>_<unseen>`.
        seen: labels that models are trained on, ascending.
        unseen: labels that only the evaluation opens, ascending.
        pseudo_unseen: seen labels that stand in for unseen ones when the gate is calibrated, ascending.
    """

    name: str
    seen: tuple[int, ...]
    unseen: tuple[int, ...]
    pseudo_unseen: tuple[int, ...]

    @property
    def without_pseudo_unseen(self) -> "Split":
        """The split that the gate is calibrated on: the pseudo-unseen classes are unseen, the real ones are gone."""
        seen = tuple(label for label in self.seen if label not in self.pseudo_unseen)
        return replace(self, seen=seen, unseen=self.pseudo_unseen, pseudo_unseen=())


@dataclass(frozen=True)
class Partition:
    """Rows of a corpus, divided by which stages may open them; no row is in two parts.

    Attributes:
        training: training subjects, seen classes: all that pre-training, training and calibration see.
        test: test subjects, seen and unseen classes: opened by the evaluation only.
        unused: training subjects, unseen classes (and classes outside the split): never opened.
    """

    training: Int[np.ndarray, " N1"]
    test: Int[np.ndarray, " N2"]
    unused: Int[np.ndarray, " N3"]


@dataclass(frozen=True)
class CalibrationPartition:
    """Rows of a corpus for a calibration whose backbone knows neither the pseudo-unseen classes nor some subjects.

    All are of training subjects and seen classes; no row is in two parts.

    Attributes:
        learned: remaining classes of the remaining subjects: all that backbone and method are trained on.
        held_out: remaining classes of the held-out subjects: the seen side of the calibration.
        pseudo_unseen: pseudo-unseen classes of the held-out subjects: the unseen side.
    """

    learned: Int[np.ndarray, " N1"]
    held_out: Int[np.ndarray, " N2"]
    pseudo_unseen: Int[np.ndarray, " N3"]


def load_split(path: str | Path, classes: int, seed: int) -> Split:
    """Read one split file.

    Args:
        path: the YAML file; its name without ending is the split's name.
        classes: how many classes the data set has.
        seed: root seed; draws the pseudo-unseen classes (as many as unseen ones) where the file lists none.

    Raises:
        ScopleError: unreadable file, unknown key, an id outside 1..classes or listed twice, lists that overlap,
            or too few seen classes to spare the pseudo-unseen ones.
    """
    path = Path(path)
    document = read_document(path)
    if not isinstance(document, dict) or "unseen" not in document:
        raise ScopleError(f"split file {path} lists no unseen classes: add a line 'unseen: [ids]'.")
    for key in document:
        if key not in KEYS:
            raise ScopleError(f"key {quoted(key)} of split file {path} is not known: use {', '.join(KEYS)}.")

    unseen = _labels(document["unseen"], "unseen", path, classes)
    everything = [i + 1 for i in range(classes) if i not in unseen]
    seen = _labels(document.get("seen", everything), "seen", path, classes)
    if overlap := sorted(set(seen) & set(unseen)):
        raise ScopleError(f"class {overlap[0] + 1} of split file {path} is both seen and unseen: take it off one list.")
    if len(seen) < len(unseen) + 2 and "pseudo_unseen" not in document:
        raise ScopleError(
            f"split file {path} leaves {len(seen)} seen classes, but must leave at least {len(unseen) + 2} "
            "to calibrate the gate: make fewer classes unseen or list pseudo_unseen ones."
        )
    if "pseudo_unseen" in document:
        pseudo_unseen = _labels(document["pseudo_unseen"], "pseudo_unseen", path, classes)
    else:
        drawn = numpy_generator(seed, "pseudo-unseen", path.stem).choice(seen, size=len(unseen), replace=False)
        pseudo_unseen = tuple(sorted(int(label) for label in drawn))
    if strange := sorted(set(pseudo_unseen) - set(seen)):
        raise ScopleError(
            f"class {strange[0] + 1} of split file {path} is pseudo_unseen but not seen: take it off that list."
        )
    if len(seen) - len(pseudo_unseen) < 2:
        raise ScopleError(f"split file {path} has only pseudo_unseen classes left to train on: list fewer of them.")
    return Split(name=path.stem, seen=seen, unseen=unseen, pseudo_unseen=pseudo_unseen)


def _labels(ids: object, what: str, path: Path, classes: int) -> tuple[int, ...]:
    if not isinstance(ids, list) or not ids:
        raise ScopleError(f"'{what}' of split file {path} must be a list of class ids: correct it.")
    for number in ids:
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= classes:
            raise ScopleError(f"class {quoted(number)} of split file {path} is not one of 1 to {classes}: correct it.")
        if ids.count(number) > 1:
            raise ScopleError(f"class {number} of split file {path} is listed twice as {what}: remove one of the two.")
    return tuple(sorted(number - 1 for number in ids))


def partition(split: Split, labels: Int[np.ndarray, " N"], is_training: Bool[np.ndarray, " N"]) -> Partition:
    """Rows of a corpus that each stage may open, ascending.

    Args:
        split: the classes.
        labels: class of each row.
        is_training: whether the row's subject is one of the training subjects.

    Raises:
        ScopleError: a seen class has no training sample, an unseen class has no test sample, or no seen class has one.
    """
    is_seen, is_unseen = np.isin(labels, split.seen), np.isin(labels, split.unseen)
    training = np.flatnonzero(is_training & is_seen)
    test = np.flatnonzero(~is_training & (is_seen | is_unseen))
    unused = np.flatnonzero(~((is_training & is_seen) | (~is_training & (is_seen | is_unseen))))
    if absent := sorted(set(split.seen) - set(labels[training].tolist())):
        raise ScopleError(
            f"split {split.name}: no training subject performs class {absent[0] + 1}, which is seen: "
            "check the archives and the list of training subjects."
        )
    check_task(split, labels[test])
    return Partition(training=training, test=test, unused=unused)


def calibration_partition(
    split: Split,
    labels: Int[np.ndarray, " N"],
    subjects: Int[np.ndarray, " N"],
    is_training: Bool[np.ndarray, " N"],
    fraction: float,
    seed: int,
) -> CalibrationPartition:
    """Hold subjects out of a split's training rows, and its pseudo-unseen classes; rows are ascending.

    Args:
        split: the whole split, with its pseudo-unseen classes.
        labels: class of each row.
        subjects: of each row.
        is_training: whether the row's subject is one of the training subjects.
        fraction: of the training subjects that are held out, rounded to the nearest count, but at least one.
        seed: root seed; draws the subjects.

    Raises:
        ScopleError: there is only one training subject; no held-out one performs a remaining class, or none a
            pseudo-unseen one; or no remaining one performs one of the remaining classes.
    """
    rows = partition(split, labels, is_training).training
    people = np.unique(subjects[rows])
    if len(people) < 2:
        raise ScopleError(
            f"split {split.name} has {len(people)} training subject to hold out of a backbone, but needs at least 2 "
            "(PKU-MMD's files name none): take `seen_source: own` there."
        )
    count = min(max(1, round(fraction * len(people))), len(people) - 1)
    held = numpy_generator(seed, "calibration subjects", split.name).permutation(people)[:count]
    remaining = split.without_pseudo_unseen.seen
    is_held, is_remaining = np.isin(subjects[rows], held), np.isin(labels[rows], remaining)
    found = CalibrationPartition(
        *(rows[kept] for kept in (is_remaining & ~is_held, is_remaining & is_held, ~is_remaining & is_held))
    )
    if absent := sorted(set(remaining) - set(labels[found.learned].tolist())):
        raise ScopleError(
            f"split {split.name}: without {count} of {len(people)} training subjects nobody performs class "
            f"{absent[0] + 1}: make gate_holdout smaller, or take `seen_source: own`."
        )
    for kind, held_out in (("remaining", found.held_out), ("pseudo-unseen", found.pseudo_unseen)):
        if not len(held_out):
            raise ScopleError(
                f"split {split.name}: the {count} held-out training subjects perform none of the {kind} classes: make "
                "gate_holdout larger, or take `seen_source: own`."
            )
    return found


def check_task(split: Split, labels: Int[np.ndarray, " N"]) -> None:
    """Check that every unseen class has a test sample, and the seen classes together at least one.

    Args:
        split: the classes.
        labels: classes of the test samples.

    Raises:
        ScopleError: an unseen class has no sample, or no seen class has one.
    """
    if absent := sorted(set(split.unseen) - set(labels.tolist())):
        raise ScopleError(
            f"split {split.name}: no test subject performs class {absent[0] + 1}, which is unseen: "
            "check the archives and the subject lists, or choose other unseen classes."
        )
    if not np.isin(labels, split.seen).any():
        raise ScopleError(
            f"split {split.name}: no test subject performs a seen class: check the archives and the subject lists."
        )


def targets(labels: Int[np.ndarray, " N"], candidates: Sequence[int]) -> Int[np.ndarray, " N"]:
    """Row of each label among the candidate classes.

    Raises:
        ValueError: a label that is no candidate.
    """
    row = {label: target for target, label in enumerate(candidates)}
    strange = sorted(set(labels.tolist()) - set(row))
    if strange:
        raise ValueError(f"label {strange[0]} is not among the {len(row)} candidates")
    return np.array([row[label] for label in labels.tolist()], dtype=np.int64)


def task_targets(split: Split, labels: Int[np.ndarray, " N"]) -> tuple[Bool[np.ndarray, " N"], Int[np.ndarray, " N"]]:
    """Whether each sample's class is unseen, and its row among the unseen or among the seen candidates.

    Raises:
        ScopleError: as for `check_task`.
        ValueError: a label that the split does not hold.
    """
    check_task(split, labels)
    is_unseen = np.isin(labels, split.unseen)
    rows = np.empty(len(labels), dtype=np.int64)
    rows[is_unseen] = targets(labels[is_unseen], split.unseen)
    rows[~is_unseen] = targets(labels[~is_unseen], split.seen)
    return is_unseen, rows


def labels_of(split: Split, is_unseen: Bool[np.ndarray, " N"], targets: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    """Labels of rows among the unseen or the seen candidates; the inverse of `task_targets`."""
    labels = np.empty(len(targets), dtype=np.int64)
    labels[is_unseen] = np.array(split.unseen)[targets[is_unseen]]
    labels[~is_unseen] = np.array(split.seen)[targets[~is_unseen]]
    return labels
