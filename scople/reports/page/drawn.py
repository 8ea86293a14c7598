"""The charts of the page as markup, each with the words for who cannot see it; what is absent stays so."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from markupsafe import Markup

from scople.reports.page import charts
from scople.reports.page.known import Absent, Known, SplitParts
from scople.reports.page.svg import inline

HEADINGS = {"zsl": "ZSL", "harmonic": "H"}
"""The metrics of the chart of means."""


def means(known: Known) -> list[Markup] | Absent:
    """ZSL and H of every split and of every group of splits."""
    for part in (known.metrics, known.summary):
        if isinstance(part, Absent):
            return part
    chance = {split: float(document["chance"]) for split, document in known.provenance.items()}
    groups = [key.removeprefix("zsl_") for key in known.summary if key.startswith("zsl_") and not key.endswith("_se")]
    drawn = []
    for metric, heading in HEADINGS.items():
        rows = [
            {
                "name": row["split"],
                "is_group": False,
                "value": row[metric],
                "error": row.get(f"{metric}_std", np.nan),
                "chance": chance.get(row["split"], np.nan) if metric == "zsl" else np.nan,
            }
            for row in known.metrics.to_dict("records")
        ]
        rows += [
            {
                "name": f"mean of {group}",
                "is_group": True,
                "value": known.summary[f"{metric}_{group}"],
                "error": known.summary.get(f"{metric}_{group}_se", np.nan),
                "chance": np.nan,
            }
            for group in groups
        ]
        said = "; ".join(f"{row['name']} {row['value']:.1f}" for row in rows)
        figure = charts.whiskers(pd.DataFrame(rows), heading)
        drawn.append(inline(figure, f"means-{metric}", f"{heading} in per cent: {said}."))
    return drawn


def gates(parts: SplitParts, short: str) -> list[Markup] | Absent:
    """S against U, then S, U and H over the threshold of each gate.

    Args:
        parts: of the split.
        short: what ids begin with; not every name of a split may stand in one.
    """
    if isinstance(parts.gates, Absent):
        return parts.gates
    known = [gate for gate in charts.GATES if gate in parts.gates]
    plane = charts.seen_unseen_plane(parts.gates, parts.tested)
    said = "; ".join(_spots(parts, gate) for gate in known)
    drawn = [inline(plane, f"{short}-plane", f"S against U on {parts.name}, per cent. {said}.")]
    for gate in known:
        curve = parts.gates[gate]
        said = (
            f"S, U and H over the threshold of the {charts.GATES[gate]['label']} on {parts.name}: "
            f"H is highest, {curve['harmonic']:.1f} %, at {curve['threshold']:.2f}."
        )
        drawn.append(inline(charts.threshold_curves(gate, curve), f"{short}-{gate}", said))
    return drawn


def _spots(parts: SplitParts, gate: str) -> str:
    curve = parts.gates[gate]
    chosen = curve["thresholds"].index(curve["threshold"])
    said = f"{gate}: chosen at S {curve['seen'][chosen]:.0f}, U {curve['unseen'][chosen]:.0f}"
    if gate in parts.tested:
        said += f", tested S {parts.tested[gate]['seen']:.0f}, U {parts.tested[gate]['unseen']:.0f}"
    return said


def confusion(parts: SplitParts, short: str) -> Markup | Absent:
    """Where the samples of each class went."""
    if isinstance(parts.confusion, Absent):
        return parts.confusion
    counts = parts.confusion.counts
    said = (
        f"Confusion on {parts.name}: {counts.trace()} of {counts.sum()} test samples lie on the diagonal; the table "
        "has each class."
    )
    return inline(charts.confusion(counts, parts.confusion.is_unseen), f"{short}-confusion", said)


def training(history: pd.DataFrame | Absent, what: str, columns: Mapping[str, str], name: str) -> Markup | Absent:
    """Losses over the epochs.

    Args:
        history: a row an epoch.
        what: is trained.
        columns: of the history → name in the legend.
        name: of the chart.
    """
    if isinstance(history, Absent):
        return history
    first, last = history["loss"].iloc[[0, -1]]
    said = f"Loss of {what}: {first:.2f} nats in epoch 1, {last:.2f} in epoch {len(history)}."
    return inline(charts.training(history, columns), name, said)


def figure3(known: Known) -> list[Markup] | Absent:
    """ZSL against each setting."""
    if isinstance(known.figure3, Absent):
        return known.figure3
    drawn = []
    for setting, means in known.figure3.groupby("setting", sort=False):
        said = ", ".join(f"{row.value}: {row.zsl:.1f}" for row in means.itertuples())
        figure = charts.setting_curve(means, known.usual.get(setting))
        drawn.append(inline(figure, f"figure3-{setting}", f"ZSL in per cent against {setting}. {said}."))
    return drawn
