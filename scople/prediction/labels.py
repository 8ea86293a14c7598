"""The labels that a person offers: a list on the command line, or a file; each with the text that is encoded for it."""

import csv
import os
from collections.abc import Mapping
from io import StringIO
from pathlib import Path

from scople.base.documents import listed, quoted, read_text
from scople.base.errors import ScopleError
from scople.data.class_names import LONGEST

PLACE = "{}"
"""Where the label stands in a template."""

ENDINGS = (".txt", ".csv")
"""What makes the option a file's name and no label."""


def load_labels(given: str, template: str = PLACE) -> dict[str, str]:
    """Labels in their order, each with its text.

    Args:
        given: labels with commas between them, in quotation marks where one has a comma itself; or the name of a
            `.txt` file with a label on each line; or that of a `.csv` file with a column `label` and perhaps a column
            `description`, which is then encoded in the label's place.
        template: what is encoded, with `{}` where the label or its description goes; the learned prompts and the
            phrase that they were trained with stand before it in any case.

    Raises:
        ScopleError: the template has no such place, the file cannot be read, or a label is refused, see `check_labels`.
    """
    if template.count(PLACE) != 1 or not template.isprintable():
        raise ScopleError(
            f"the template is {quoted(template)}, but must have one {{}} where the label goes: write it like "
            "'a person doing {}'."
        )
    path = Path(given.strip())
    if path.suffix.lower() == ".csv":
        rows = _from_table(path)
    elif path.suffix.lower() == ".txt":
        rows = [(line.strip(), "") for line in read_text(path).splitlines() if line.strip()]
    elif os.path.isfile(given.strip()):
        file = quoted(given.strip())
        raise ScopleError(f"the labels {file} are a file, but end in neither .txt nor .csv: rename it.")
    else:
        rows = [(part.strip(), "") for part in _from_list(given) if part.strip()]
    names = [name for name, _ in rows]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ScopleError(f"the label {quoted(twice)} is given twice: leave only one.")
    texts = {name: template.replace(PLACE, description or name) for name, description in rows}
    check_labels(texts)
    return texts


def check_labels(texts: Mapping[str, str]) -> None:
    """Whether there is a choice, and all of it can be read.

    Args:
        texts: label → its text.

    Raises:
        ScopleError: fewer than two labels, or a label or text that is empty, too long or not printable.
    """
    if len(texts) < 2:
        raise ScopleError(f"{len(texts)} labels leave nothing to choose from: give at least 2.")
    for text in (*texts, *texts.values()):
        if not text.strip() or len(text) > LONGEST or not text.isprintable():
            raise ScopleError(
                f"a label or description is {quoted(text)}, but must have 1 to {LONGEST} characters that can be "
                "printed: correct it."
            )


def _from_list(given: str) -> list[str]:
    try:
        return next(csv.reader([given], skipinitialspace=True, strict=True))
    except csv.Error as error:
        raise ScopleError(
            f"the labels {quoted(given)} cannot be told apart ({listed([error])}): close each quotation mark, before a "
            "comma."
        ) from error


def _from_table(path: Path) -> list[tuple[str, str]]:
    try:
        columns, *rows = [row for row in csv.reader(StringIO(read_text(path)), strict=True) if any(row)] or [[]]
    except csv.Error as error:
        raise ScopleError(f"the labels {path} cannot be read as CSV ({listed([error])}): correct it.") from error
    if "label" not in columns:
        raise ScopleError(f"the labels {path} have the columns {listed(columns)}, but need one that is called label.")
    for number, row in enumerate(rows, 1):
        if len(row) != len(columns):
            raise ScopleError(
                f"label {number} of {path} has {len(row)} fields, but its first line has {len(columns)}: correct it; "
                "a text with a comma stands in quotation marks."
            )
    table = [dict(zip(columns, map(str.strip, row), strict=True)) for row in rows]
    return [(row["label"], row.get("description", "")) for row in table]
