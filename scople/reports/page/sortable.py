"""Tables of the page: cells with what is shown and what is sorted by."""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from scople.judging.certainty import mean_over_splits
from scople.reports.results import by_split

METRICS = {"zsl": "ZSL", "s": "S", "u": "U", "h": "H"}
"""Endings of the columns of the paper's tables, and what they are called."""

OURS = " (ours)"
"""What the paper puts behind the names of its own rows."""


class Column(NamedTuple):
    """A column: its title, whether it holds numbers, and the heading that it shares with its neighbours."""

    title: str
    is_number: bool = True
    group: str = ""


class Cell(NamedTuple):
    """What is shown.

    Attributes:
        text: the main line.
        key: what the column is sorted by: a number (NaN goes last) or a text.
        below: a smaller line.
        bar: per cent of the cell's width that a bar behind the text fills.
        mark: how it is set: "measured", "seen", "unseen" or nothing.
    """

    text: str
    key: float | str
    below: str = ""
    bar: float | None = None
    mark: str = ""

    @property
    def hint(self) -> str:
        """The number that is sorted by, where the text does not begin with it."""
        if isinstance(self.key, str) or math.isnan(self.key):
            return ""
        begins = re.match(r"[-+]?[\d.]+", self.text)
        is_said = begins is not None and abs(float(begins[0]) - self.key) < 0.05
        return "" if is_said else f"{self.key:g}"


class Table(NamedTuple):
    """A caption, columns and rows; as many cells in a row as there are columns."""

    caption: str
    columns: list[Column]
    rows: list[list[Cell]]

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Headings over neighbouring columns with their widths; empty where no column has one."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and column.group and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return spans if any(column.group for column in self.columns) else []


def number(value: float, decimals: int = 1, **more: object) -> Cell:
    """A cell with a number; a dash where it is NaN."""
    text = "–" if math.isnan(value) else f"{value:.{decimals}f}"
    return Cell(text, float(value), **more)  # type: ignore[arg-type]


def word(text: str, **more: object) -> Cell:
    """A cell with a text."""
    return Cell(text, text, **more)  # type: ignore[arg-type]


def side_by_side(table: pd.DataFrame, metric: str, gate: str, caption: str) -> Table:
    """One metric of one of the paper's tables: a row a model, and for each split what is printed and what is measured.

    Args:
        table: as `scople.reports.tables.paper_table` writes it.
        metric: one of `METRICS`.
        gate: of the run; a row measured under another one stands for itself.
        caption: of the table.
    """
    splits = [name.removesuffix(f".{metric}") for name in table if name.endswith(f".{metric}")]
    models: dict[str, dict[str, Mapping[str, object]]] = {}
    for row in table.to_dict("records"):
        name = str(row["model"]).removesuffix(OURS)
        if row["source"] == "measured" and row["gate"] not in (gate, ""):
            if metric == "zsl":  # no gate takes part in it
                continue
            name = f"{name}, gate {row['gate']}"
        models.setdefault(name, {})[str(row["source"])] = row
    difference = f"{metric}_difference"
    has_difference = difference in table and table[difference].notna().any()
    columns = [Column("model", is_number=False)]
    for split in splits:
        columns += [Column("paper", group=split), Column("here", group=split)]
    if has_difference:
        columns.append(Column("less the full model, here"))
    rows = []
    for name, sources in models.items():
        printed, measured = sources.get("paper"), sources.get("measured")
        encoders = [str(row["text_backbone"]) for row in (printed, measured) if row]
        encoders = [encoders[0], *(f"here {other}" for other in encoders[1:] if other != encoders[0])]
        cells = [word(name, below=", ".join(encoders), mark="measured" if measured else "")]
        for split in splits:
            cells += [_of(printed, f"{split}.{metric}"), _of(measured, f"{split}.{metric}", "measured")]
        if has_difference:
            cells.append(_difference(measured, difference))
        rows.append(cells)
    return Table(caption, columns, rows)


def _of(row: Mapping[str, object] | None, column: str, mark: str = "") -> Cell:
    value = float(row[column]) if row else math.nan  # type: ignore[arg-type]
    return number(value, 2, mark=mark)


def _difference(row: Mapping[str, object] | None, column: str) -> Cell:
    value, error = (float(row[name]) if row else math.nan for name in (column, f"{column}_se"))  # type: ignore[arg-type]
    if math.isnan(value):
        return number(value)
    return Cell(f"{value:+.2f}" + ("" if math.isnan(error) else f" ± {error:.2f}"), value)


def every_split(
    metrics: pd.DataFrame, samples: Mapping[str, Mapping[str, int]], controls: pd.DataFrame, losses: pd.DataFrame
) -> Table:
    """The metrics of every split beside their controls.

    Args:
        metrics: a row a split: `split`, `zsl`, `seen`, `unseen`, `harmonic`.
        samples: split → number of test samples of `seen` and `unseen` classes.
        controls: the table of that name, a row for each split and repeat.
        losses: the table of that name, a row a split.
    """
    means, last = by_split(controls), losses.set_index("split")["loss"]
    titles = ["test samples", "chance", "ZSL", "S", "U", "H", "ZSL, skeletons shuffled"]
    titles += ["seen samples, SCoPLe", "seen samples, backbone", "last loss (nats)"]
    rows = []
    complete = metrics[metrics["split"].isin(means.index)]
    for row in complete.to_dict("records"):
        split, beside = row["split"], means.loc[row["split"]]
        found = samples[split]
        values = [beside["chance"], *(row[name] for name in ("zsl", "seen", "unseen", "harmonic"))]
        values += [beside[name] for name in ("zsl_shuffled", "seen_candidates", "backbone")]
        rows.append(
            [
                word(split),
                Cell(f"{found['seen']} + {found['unseen']}", float(found["seen"] + found["unseen"])),
                *(number(value) for value in values),
                number(float(last.get(split, math.nan)), 2),
            ]
        )
    return Table("Every split, per cent", [Column("split", is_number=False), *map(Column, titles)], rows)


def above_chance(controls: pd.DataFrame) -> str:
    """ZSL less chance over the splits, in a sentence."""
    found = mean_over_splits((by_split(controls)["zsl"] - by_split(controls)["chance"]).tolist())
    if found.splits == 1:
        return f"On one split, ZSL less chance is {found.value:+.1f} points; one split gives no standard error."
    verdict = "established" if found.is_established else "not established"
    return f"Over {found.splits} splits, ZSL less chance is {found.value:+.1f} ± {found.error:.1f} points: {verdict}."


def classes(
    per_class: pd.DataFrame,
    mistaken: Mapping[str, Sequence[tuple[str, float]]],
    looked_at: Mapping[str, str],
    caption: str,
) -> Table:
    """Every class of a split.

    Args:
        per_class: `id`, `label`, `is_unseen` and `accuracy`, a row for each class and repeat.
        mistaken: class → what it was taken for and how often, per cent; may be empty.
        looked_at: class → the joints that its name looks at; may be empty.
        caption: of the table.
    """
    columns = [Column("class", is_number=False), Column("id"), Column("kind", is_number=False), Column("accuracy (%)")]
    columns += [Column("most often taken for", is_number=False)] if mistaken else []
    columns += [Column("its name looks at", is_number=False)] if looked_at else []
    rows = []
    means = per_class.groupby(["id", "label", "is_unseen"], sort=False, as_index=False)["accuracy"].mean()
    for row in means.to_dict("records"):
        kind = "unseen" if row["is_unseen"] else "seen"
        accuracy = row["accuracy"]
        cells = [
            word(row["label"]),
            Cell(str(row["id"]), float(row["id"])),
            word(kind, mark=kind),
            number(accuracy, bar=None if np.isnan(accuracy) else accuracy, mark=kind),
        ]
        if mistaken:
            cells.append(word(", ".join(f"{name} ({share:.0f} %)" for name, share in mistaken.get(row["label"], []))))
        if looked_at:
            cells.append(word(looked_at.get(row["label"], "")))
        rows.append(cells)
    return Table(caption, columns, rows)


def diagnostics(table: pd.DataFrame) -> Table:
    """Every diagnostic with what it is held against and how it is read.

    Args:
        table: as `scople.judging.diagnostics.diagnostics_table` writes it, of all splits.
    """
    splits = table["split"].unique().tolist()
    columns = [Column("quantity", is_number=False), Column("training query", is_number=False), *map(Column, splits)]
    columns.append(Column("held against", is_number=False))
    rows = []
    order = {quantity: number for number, quantity in enumerate(table["quantity"].unique())}
    of_both = table.sort_values("quantity", key=lambda names: names.map(order), kind="stable")
    for (quantity, query), group in of_both.groupby(["quantity", "training_query"], sort=False):
        of_split, first = group.set_index("split"), group.iloc[0]
        cells = []
        for split in splits:
            value, reference = (
                float(of_split.loc[split, name]) if split in of_split.index else math.nan
                for name in ("value", "reference")
            )
            decimals = 1 if first["unit"] == "%" else 2
            cells.append(number(value, decimals, below="" if math.isnan(reference) else f"{reference:.{decimals}f}"))
        reading = f"{first['reading']} ({first['unit']})"
        rows.append([word(quantity, below=reading), word(query), *cells, word(first["reference_is"])])
    return Table("The second line of a number is what it is held against", columns, rows)


def plain(titles: Sequence[str], rows: Sequence[Sequence[object]], caption: str) -> Table:
    """A table of a few texts and numbers; a column holds numbers where all of its cells do."""
    is_number = [all(isinstance(row[k], int | float) for row in rows) for k in range(len(titles))]
    columns = [Column(title, kind) for title, kind in zip(titles, is_number, strict=True)]
    cells = [[number(value) if isinstance(value, float) else word(str(value)) for value in row] for row in rows]
    return Table(caption, columns, cells)
