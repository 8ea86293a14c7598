"""Recordings that somebody else has prepared: the same persons again, and what the file has lost on the way.

A loss that a reader finds is a `Note` of one of the kinds in `LOSSES`. The readers give one for each recording;
`merged` makes one of them all, `losses_of` reads them back from a corpus for the notes of the tables.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, MutableMapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Num

from scople.base.shapes import JOINTS, PERSONS
from scople.data.samples import BadMember, Note, Sample
from scople.data.skeletons import FARTHEST
from scople.formats.ntu import MOST_FRAMES

SPINE = 1
"""The joint at which files with centred skeletons have their origin."""

LOSSES = {
    "rounded": "coordinates rounded to half precision, 2 mm at 3 m",
    "centred": "persons moved to the origin",
    "bodies": "bodies chosen when the file was made, whatever body_choice says",
    "unnamed": "no names, subjects and cameras",
    "division": "another division into training and test part than the description's",
}
"""What the tables say of a loss, by its kind."""

REPAIRED = {
    "copied": "a second body that copies the first is left out",
    "padded": "zeros after the last frame are cut",
}
"""What a file has too much, by kind; the tables need not tell it."""


def as_prepared(array: Num[np.ndarray, "..."]) -> tuple[Float32[np.ndarray, "M T V C"], list[str]]:
    """The persons of a prepared recording, and the kinds of what was found.

    Args:
        array: (M, T, V, C), metres; zeros where a person is absent.

    Raises:
        BadMember: it has other axes, a coordinate that nobody can have, or no body.
    """
    check_shape(array.shape)
    if array.dtype.kind != "f":
        raise BadMember(f"its coordinates are of the type {array.dtype}, no floating point numbers")
    farthest = np.abs(array).max()
    if not farthest <= FARTHEST:  # NaN as well
        raise BadMember(f"a coordinate is {farthest:g} m, beyond {FARTHEST:g} m")
    sequence = array.astype(np.float32)
    sequence = sequence[sequence.any(axis=(1, 2, 3))]
    if not len(sequence):
        raise BadMember("no frame has a body")
    kinds = []
    if np.array_equal(sequence, sequence.astype(np.float16)):
        kinds.append("rounded")
    if len(sequence) == PERSONS and np.array_equal(*sequence):
        sequence = sequence[:1]
        kinds.append("copied")
    if not sequence[0, sequence[0].any(axis=(1, 2)).argmax(), SPINE].any():
        kinds.append("centred")
    return np.ascontiguousarray(sequence), kinds


def check_shape(shape: tuple[int, ...]) -> None:
    """Refuse a shape that no prepared recording has, also before its array is read.

    Raises:
        BadMember: it is not (M, T, V, C), or has no frame or too many.
    """
    if len(shape) != 4 or shape[2:] != (JOINTS, 3) or not 1 <= shape[0] <= PERSONS:
        raise BadMember(f"it has the shape {shape}, not (1 or 2, frames, {JOINTS}, 3)")
    if not 1 <= shape[1] <= MOST_FRAMES:
        raise BadMember(f"it has {shape[1]} frames, not 1 to {MOST_FRAMES}")


def merged(outcomes: Iterable[Sample | Note], counts: MutableMapping[str, int]) -> Iterator[Sample | Note]:
    """Pass the outcomes on, with one note for all of a file that are of the same kind of loss or repair.

    Args:
        outcomes: as readers give them.
        counts: gets the number of recordings of each kind, at the end.
    """
    found: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        if isinstance(outcome, Note) and not outcome.reason and outcome.kind in LOSSES | REPAIRED:
            found[outcome.file, outcome.kind] += 1
        else:
            yield outcome
    for (file, kind), number in sorted(found.items()):
        counts[kind] = number
        yield Note(file, 0, kind, f"{(LOSSES | REPAIRED)[kind]} ({number} recordings)")


def losses_of(corpus: Path) -> list[str]:
    """What the files behind a packed corpus have lost, a sentence for each file."""
    lost: dict[str, list[str]] = {}
    with open(corpus / "parse_report.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["kind"] in LOSSES:
                lost.setdefault(row["file"], []).append(LOSSES[row["kind"]])
    return [f"{file} has {', '.join(each)}" for file, each in sorted(lost.items())]
