"""Metric files → the paper's tables: what the paper printed and what was measured here, in the same columns."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

MEASURES = {"zsl": "ZSL", "s": "S", "u": "U", "h": "H"}
"""Column suffix → the paper's heading."""

METRICS = {"zsl": "zsl", "s": "seen", "u": "unseen", "h": "harmonic"}
"""Column suffix → name in the metric files."""

Layout = Mapping[str, Mapping[str, Any]]
"""One table's columns: name → `paper` (data set and split as the paper names them) and `splits` (to average)."""


def paper_table(
    layout: Layout,
    printed: pd.DataFrame,
    measured: Mapping[str, Mapping[str, Mapping[str, float]]],
    models: Mapping[str, str],
    *,
    text_backbone: str,
    note: str,
) -> pd.DataFrame:
    """One table: the paper's rows, then a measured row per variant.

    Args:
        layout: the columns.
        printed: the paper's numbers, long: columns dataset, split, model, text_backbone, metric, value; a value is
            missing where the paper prints none.
        measured: variant → split → metrics in per cent.
        models: variant → name of its row.
        text_backbone: name of the text encoder of the measured rows.
        note: what a reader of a measured row must know; empty where it compares with the paper.

    Returns:
        Columns model, text_backbone, source (paper | measured), <column>.zsl, .s, .u, .h (per cent, two decimals as
        text, empty where there is none), note.
    """
    head = ["model", "text_backbone", "source"]
    columns = [f"{column}.{suffix}" for column in layout for suffix in MEASURES]
    rows = _printed_rows(layout, printed)
    rows += [
        {"model": models[variant], "text_backbone": text_backbone, "source": "measured", "note": note}
        | _means(layout, metrics)
        for variant, metrics in measured.items()
    ]
    return pd.DataFrame([{column: row.get(column, "") for column in (*head, *columns, "note")} for row in rows])


def _printed_rows(layout: Layout, printed: pd.DataFrame) -> list[dict[str, str]]:
    names = {tuple(entry["paper"]): column for column, entry in layout.items()}
    suffixes = {heading: suffix for suffix, heading in MEASURES.items()}
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for entry in printed.itertuples():
        row = rows.setdefault(
            (entry.model, entry.text_backbone),
            {"model": entry.model, "text_backbone": entry.text_backbone, "source": "paper"},
        )
        row[f"{names[entry.dataset, entry.split]}.{suffixes[entry.metric]}"] = two_decimals(entry.value)
    return list(rows.values())


def _means(layout: Layout, metrics: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Mean over the splits of each column; empty unless every one of them was run."""
    return {
        f"{column}.{suffix}": two_decimals(np.mean([metrics[split][METRICS[suffix]] for split in entry["splits"]]))
        for column, entry in layout.items()
        if all(split in metrics for split in entry["splits"])
        for suffix in MEASURES
    }


def two_decimals(value: float) -> str:
    """A percentage as the paper prints it; empty for a missing one."""
    return "" if np.isnan(value) else f"{value:.2f}"


def flat_table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows of equal keys as a table, numbers in per cent rounded to two decimals."""
    return pd.DataFrame(rows).round(2)
