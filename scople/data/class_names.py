"""Class lists: label → action name, as the data set gives it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pandas as pd

from scople.base.documents import listed, quoted, read_document, read_text
from scople.base.errors import ScopleError
from scople.base.files import whole

COLUMNS = ["id", "label", "two_person"]

ANSWERS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
"""Entries that `two_person` may have, in lower case."""

LONGEST = 2000
"""Most characters of a name; for the limit in tokens see `scople.text.tower`."""


@dataclass(frozen=True)
class ClassEntry:
    """One class of a data set.

    Attributes:
        number: the id that the data set prints, from 1; the label is one less.
        name: the official name, the "original single label" that SCoPLe prompts with.
        two_person: whether two people act.
    """

    number: int
    name: str
    two_person: bool


def load_classes(path: str | Path) -> list[ClassEntry]:
    """Classes in label order, from a CSV file with the columns id, label, two_person.

    Raises:
        ScopleError: unreadable file, other columns, no class, ids that do not run 1, 2, 3, …, a name that is empty,
            too long, repeated or not printable, or a word in `two_person` that is not in `ANSWERS`.
    """
    try:
        columns, *rows = [row for row in csv.reader(StringIO(read_text(path)), strict=True) if row]
    except (csv.Error, ValueError) as error:
        if isinstance(error, ScopleError):
            raise
        raise ScopleError(f"class list {path} cannot be read as CSV ({listed([error])}): correct it.") from error
    if columns != COLUMNS:
        raise ScopleError(
            f"class list {path} has the columns {listed(columns)}, but must have id, label, two_person: correct its "
            "first line."
        )
    if not rows:
        raise ScopleError(f"class list {path} has no class: add a line for each.")
    classes, numbers = [], {}
    for number, row in enumerate(rows, 1):
        if len(row) != len(COLUMNS):
            raise ScopleError(
                f"class {number} of class list {path} has {len(row)} fields, but must have 3: correct it."
            )
        printed, name, answer = row
        if not (printed.isdecimal() and printed.isascii() and len(printed) < 10 and int(printed) == number):
            raise ScopleError(
                f"class {number} of class list {path} has the id {quoted(printed)}, but the ids must run 1, 2, 3, …: "
                "number its lines without a gap."
            )
        if not name.strip() or len(name) > LONGEST or not name.isprintable():
            raise ScopleError(
                f"class {number} of class list {path} has the name {quoted(name)}, but a name has 1 to {LONGEST} "
                "characters that can be printed: correct it."
            )
        if name in numbers:
            raise ScopleError(
                f"classes {numbers[name]} and {number} of class list {path} are both called {quoted(name)}: give each "
                "class its own name."
            )
        if answer.strip().lower() not in ANSWERS:
            raise ScopleError(
                f"class {number} of class list {path} has {quoted(answer)} under two_person, but must have one of "
                f"{', '.join(ANSWERS)}: correct it."
            )
        numbers[name] = number
        classes.append(ClassEntry(number, name, ANSWERS[answer.strip().lower()]))
    return classes


def load_dataset_classes(path: str | Path) -> list[ClassEntry]:
    """Classes of the data set that `datasets/<name>.yaml` describes, without reading the rest of that file.

    Raises:
        ScopleError: the file names no class list, or that list is refused by `load_classes`.
    """
    path = Path(path)
    document = read_document(path)
    if not isinstance(document, dict) or not isinstance(document.get("classes"), str):
        raise ScopleError(f"{path} names no class list: add a line 'classes: classes/{path.stem}.csv'.")
    return load_classes(path.parent / document["classes"])


def save_classes(classes: Sequence[ClassEntry], path: Path) -> None:
    """Write what `load_classes` reads."""
    rows = [(entry.number, entry.name, int(entry.two_person)) for entry in classes]
    with whole(path) as beside:
        pd.DataFrame(rows, columns=COLUMNS).to_csv(beside, index=False, lineterminator="\n")


def names_of(classes: Sequence[ClassEntry], labels: Sequence[int]) -> list[str]:
    """Names of some labels, in their order."""
    return [classes[label].name for label in labels]
