"""Metrics of every repeat → the paper's tables: what it printed and what was measured here, in the same columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

HEADINGS = {"zsl": "ZSL", "s": "S", "u": "U", "h": "H"}
"""Column suffix → the paper's heading."""

METRICS = {"zsl": "zsl", "s": "seen", "u": "unseen", "h": "harmonic"}
"""Column suffix → name in the metric files."""

Repeats = Mapping[str, Sequence[Mapping[str, float]]]
"""Split → the metrics of each repeat, in per cent."""


def paper_table(
    layout: Mapping[str, Any], printed: pd.DataFrame, measured: Mapping[str, Repeats], *, text_backbone: str, note: str
) -> pd.DataFrame:
    """One table: the paper's rows, then a measured row per variant.

    Args:
        layout: one table of `layout.yaml`: `columns`, name → `paper` (data set and split as the paper names them) and
            `splits` (to average); `metrics`, the column suffixes; `rows`, variant → name of its row.
        printed: the paper's numbers, long: columns dataset, split, model, text_backbone, metric, value; a value is
            missing where the paper prints none.
        measured: variant → split → metrics of each repeat. Variants without a name in the layout go by their own.
        text_backbone: name of the text encoder of the measured rows.
        note: what a reader of a measured row must know; empty where it compares with the paper.

    Returns:
        Columns model, text_backbone, source (paper | measured), <column>.zsl, .s, .u, .h (per cent, two decimals as
        text, empty where there is none), the same with `_std` where there are several repeats, note.
    """
    rows = _printed_rows(layout, printed)
    rows += [
        {
            "model": layout["rows"].get(variant, variant),
            "text_backbone": text_backbone,
            "source": "measured",
            "note": note,
        }
        | _measured_cells(layout, splits)
        for variant, splits in measured.items()
    ]
    named = [f"{column}.{suffix}" for column in layout["columns"] for suffix in layout["metrics"]]
    found = {column for row in rows for column in row}
    cells = [column for name in named for column in (name, f"{name}_std") if column == name or column in found]
    columns = ["model", "text_backbone", "source", *cells, "note"]
    return pd.DataFrame([{column: row.get(column, "") for column in columns} for row in rows])


def _printed_rows(layout: Mapping[str, Any], printed: pd.DataFrame) -> list[dict[str, str]]:
    names = {tuple(entry["paper"]): column for column, entry in layout["columns"].items()}
    suffixes = {HEADINGS[suffix]: suffix for suffix in layout["metrics"]}
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for entry in printed[printed["metric"].isin(suffixes)].itertuples():
        row = rows.setdefault(
            (entry.model, entry.text_backbone),
            {"model": entry.model, "text_backbone": entry.text_backbone, "source": "paper"},
        )
        row[f"{names[entry.dataset, entry.split]}.{suffixes[entry.metric]}"] = two_decimals(entry.value)
    return list(rows.values())


def _measured_cells(layout: Mapping[str, Any], measured: Repeats) -> dict[str, str]:
    """Mean over the splits of each column, then over the repeats; none unless every one of the splits was run."""
    cells = {}
    for column, entry in layout["columns"].items():
        if not all(split in measured for split in entry["splits"]):
            continue
        for suffix in layout["metrics"]:
            repeats = zip(*(measured[split] for split in entry["splits"]), strict=True)
            means = [{suffix: np.mean([metrics[METRICS[suffix]] for metrics in splits])} for splits in repeats]
            cells |= {f"{column}.{name}": two_decimals(value) for name, value in over_seeds(means).items()}
    return cells


def two_decimals(value: float) -> str:
    """A percentage as the paper prints it; empty for a missing one."""
    return "" if np.isnan(value) else f"{value:.2f}"


def over_seeds(repeats: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each number over the repeats, and its sample deviation as `<name>_std` where there are several."""
    table = pd.DataFrame(repeats)
    summary = {name: table[name].mean() for name in table}
    if len(repeats) > 1:
        summary |= {f"{name}_std": table[name].std() for name in table}
    return {name: round(float(value), 4) for name, value in summary.items()}


def flat_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of equal keys as a table, numbers in per cent rounded to two decimals."""
    return pd.DataFrame(rows).round(2)
