"""The compared methods, one row each, out of the table of everything that was measured of them."""

import pandas as pd

YEARS = {
    "ridge": 0, "revise": 2017, "jpose": 2019, "cada_vae": 2019, "ca_vae": 2019, "synse": 2021, "smie": 2023,
    "star": 2024, "purls": 2024, "purls_candidate": 2024, "purls_static": 2024, "purls_global": 2024, "sa_dvae": 2024,
    "scople": 2025,
}  # fmt: skip
"""Method → the year of its paper; the control, which has none, comes first."""

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
    """The row of each method that stands for it: as published but for its faults, with seen scores of its own.

    Args:
        table: with `COLUMNS`.
        gate: the gate of GZSL.
        group: the splits that were averaged: fixed, random or all.

    Returns:
        Rows in the order of publication.
    """
    is_own = (table["variant"] == table["method"]) & (table["seen_source"] != "head")
    rows = table[is_own & (table["gate"] == gate) & (table["group"] == group)]
    return rows.sort_values("method", key=lambda methods: methods.map(YEARS), kind="stable").reset_index(drop=True)
