"""The compared methods, one row each, out of the table of everything that was measured of them."""

import pandas as pd

ORDER = [
    "ridge", "revise", "jpose", "cada_vae", "ca_vae", "synse", "smie", "star",
    "purls", "purls_candidate", "purls_static", "purls_global", "sa_dvae", "scople",
]  # fmt: skip
"""The control, then the methods as their papers came out, from 2017 to 2025: an order that no result decides."""

NUMBERS = ("zsl", "seen", "unseen", "harmonic")
COMPARED = ("zsl", "harmonic")
REFERENCES = ("scople", "ridge")

COLUMNS = {
    **dict.fromkeys(("variant", "model", "method", "class_text", "seen_source", "gate", "group", "note"), str),
    "splits": int,
    "chance": float,
    **{f"{name}{end}": float for name in NUMBERS for end in ("", "_se")},
    **{f"{name}_difference_{other}{end}": float for name in COMPARED for other in REFERENCES for end in ("", "_se")},
}
"""Columns of `comparison.csv` with their types. A difference is the row's less the reference's, in points."""


def headline(table: pd.DataFrame, gate: str, group: str = "all") -> pd.DataFrame:
    """The row of each method that stands for it; other variants have other class texts or seen scores.

    Args:
        table: with `COLUMNS`.
        gate: the gate of GZSL.
        group: the splits that were averaged: fixed, random or all.

    Returns:
        Rows in `ORDER`.
    """
    is_own = table["variant"] == table["method"]
    rows = table[is_own & (table["gate"] == gate) & (table["group"] == group)]
    return rows.sort_values("method", key=lambda methods: methods.map(ORDER.index)).reset_index(drop=True)
