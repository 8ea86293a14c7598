"""Class lists: label → action name, as the data set gives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from scople.errors import ScopleError


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
        ScopleError: unreadable file, other columns, ids that do not run 1, 2, 3, …, or an empty or repeated name.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise ScopleError(f"class list {path} can not be read ({error}): restore it.") from error
    if list(table.columns) != ["id", "label", "two_person"]:
        raise ScopleError(
            f"class list {path} has the columns {', '.join(table.columns)}, but must have id, label, two_person: "
            "correct its first line."
        )
    if table["id"].tolist() != list(range(1, len(table) + 1)):
        raise ScopleError(f"the ids of class list {path} must run 1, 2, 3, …: number its lines without a gap.")
    names = table["label"].astype(str)
    repeated = names[names.duplicated() | (names.str.strip() == "")]
    if len(repeated):
        raise ScopleError(f"class list {path} has '{repeated.iloc[0]}' twice or empty: give each class its own name.")
    return [
        ClassEntry(number=int(number), name=name, two_person=bool(pair))
        for number, name, pair in zip(table["id"], names, table["two_person"], strict=True)
    ]


def names_of(classes: Sequence[ClassEntry], labels: Sequence[int]) -> list[str]:
    """Names of some labels, in their order."""
    return [classes[label].name for label in labels]
