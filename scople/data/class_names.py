"""Class lists: label → action name, as the data set gives it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml

from scople.base.errors import ScopleError
from scople.base.files import whole

COLUMNS = ["id", "label", "two_person"]


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
        raise ScopleError(f"class list {path} can not be read ({str(error)[:80]}): restore it.") from error
    if list(table.columns) != COLUMNS:
        raise ScopleError(
            f"class list {path} has the columns {', '.join(map(str, table.columns))[:80]}, but must have "
            "id, label, two_person: correct its first line."
        )
    if table["id"].tolist() != list(range(1, len(table) + 1)):
        raise ScopleError(f"the ids of class list {path} must run 1, 2, 3, …: number its lines without a gap.")
    names = table["label"].astype(str)
    repeated = names[names.duplicated() | (names.str.strip() == "")]
    if len(repeated):
        raise ScopleError(
            f"class list {path} has '{repeated.iloc[0][:80]}' twice or empty: give each class its own name."
        )
    return [
        ClassEntry(number=int(number), name=name, two_person=bool(pair))
        for number, name, pair in zip(table["id"], names, table["two_person"], strict=True)
    ]


def load_dataset_classes(path: str | Path) -> list[ClassEntry]:
    """Classes of the data set that `datasets/<name>.yaml` describes, without a look at the rest of that file.

    Raises:
        ScopleError: the file names no class list, or that is not as it should be.
    """
    path = Path(path)
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ScopleError(f"{path} can not be read ({' '.join(str(error).split())}): restore it.") from error
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
