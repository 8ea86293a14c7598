"""The charts of the page: one small figure each, so that a phone shows them one below the other."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from scople.judging.metrics import harmonic_mean
from scople.reports.figures import FAINT, GATES, INK, SEEN, STYLES, UNSEEN
from scople.reports.page.svg import CARD, LINE

WIDTH = 4.2
"""Inches of a chart: on a phone its text is still 10 pixels high."""

MOST_POINTS = 200
"""Thresholds that are drawn of a curve: of thousands nobody would see more, and the page would grow too large."""

CONFUSION = LinearSegmentedColormap.from_list("confusion", [(0.2, 0.5, 0.8, 0.0), (0.2, 0.5, 0.8, 1.0)])
"""One colour, more or less of it, so that the page's own background shows through, light or dark."""


def whiskers(means: pd.DataFrame, metric: str) -> Figure:
    """One metric of every split and of every group of splits.

    Args:
        means: a row a split or group, in the order from the top: `name`, `is_group`, `value`, `error` (NaN where there
            is none) and `chance` (NaN where it has none), per cent.
        metric: its heading.
    """
    figure = Figure(figsize=(WIDTH, 0.62 + 0.205 * len(means)), layout="constrained")
    axes = figure.subplots()
    rows = np.arange(len(means))[::-1]
    groups = means["is_group"].to_numpy(bool)
    for chosen, color, marker in ((~groups, FAINT, "o"), (groups, INK, "D")):
        some = means[chosen]
        axes.errorbar(
            some["value"],
            rows[chosen],
            xerr=some["error"].fillna(0),
            fmt=marker,
            color=color,
            markersize=4.5,
            elinewidth=1.3,
            linewidth=0,
        )
    known = means["chance"].notna().to_numpy()
    if known.any():
        axes.plot(means["chance"][known], rows[known], "|", color=UNSEEN, markersize=8, markeredgewidth=1.5)
    axes.set_yticks(rows, means["name"])
    for label, is_group in zip(axes.get_yticklabels(), groups, strict=True):
        label.set(color=INK if is_group else FAINT, fontsize=8.5)
    axes.set(xlim=(0, 100), ylim=(-0.7, len(means) - 0.3), xlabel=f"{metric} (%)")
    if groups.any() and not groups.all():
        axes.axhline(rows[groups].max() + 0.5, color=LINE, linewidth=1)
    axes.grid(axis="y", visible=False)
    return figure


def thinned(curve: Mapping[str, Any]) -> dict[str, Any]:
    """A gate's curve with at most about `MOST_POINTS` thresholds, evenly by rank; the chosen one is kept."""
    count, chosen = len(curve["thresholds"]), curve["thresholds"].index(curve["threshold"])
    kept = np.union1d(np.rint(np.linspace(0, count - 1, min(count, MOST_POINTS))).astype(int), [chosen])
    return {**curve} | {name: [curve[name][k] for k in kept] for name in ("thresholds", "seen", "unseen")}


def threshold_curves(gate: str, curve: Mapping[str, Any]) -> Figure:
    """S, U and H over the threshold of a gate, on the pseudo-unseen samples that it was chosen on.

    Args:
        gate: its name.
        curve: as `scople.judging.calibration.calibrate_gates` gives it.
    """
    figure, axes = _panel(GATES[gate]["axis"].replace("−", "less"), "accuracy (%)")
    curve = thinned(curve)
    thresholds, seen, unseen = (np.array(curve[name]) for name in ("thresholds", "seen", "unseen"))
    for name, values in (("seen", seen), ("unseen", unseen), ("harmonic", harmonic_mean(seen, unseen))):
        axes.plot(thresholds, values, color=STYLES[name]["color"], label=STYLES[name]["label"], linewidth=1.6)
    axes.axvline(curve["threshold"], color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    axes.plot(curve["threshold"], curve["harmonic"], "o", color=INK, markerfacecolor=CARD, markersize=6)
    axes.set(ylim=(0, 100))
    axes.margins(x=0.02)
    axes.legend(loc="best", ncols=3)
    return figure


def seen_unseen_plane(gates: Mapping[str, Mapping[str, Any]], tested: Mapping[str, Mapping[str, float]]) -> Figure:
    """S against U under each gate with a threshold: chosen on the rings, tested at the diamonds.

    Args:
        gates: as `scople.judging.calibration.calibrate_gates` gives them.
        tested: gate → `seen` and `unseen` on the test part, per cent; may be empty.
    """
    figure, axes = _panel("S: accuracy on seen classes (%)", "U: on unseen classes (%)")
    for level in range(20, 100, 20):
        seen = np.linspace(level / 2 + 0.1, 100, 60)
        axes.plot(seen, level * seen / (2 * seen - level), color=LINE, linewidth=0.8, zorder=0)
        axes.text(level, level, f"H {level}", fontsize=7, color=FAINT, ha="center", va="center", zorder=1)
    axes.grid(visible=False)
    for gate in (gate for gate in GATES if gate in gates):
        curve, style = thinned(gates[gate]), GATES[gate]
        chosen = curve["thresholds"].index(curve["threshold"])
        axes.plot(curve["seen"], curve["unseen"], color=style["color"], label=style["label"], linewidth=1.6)
        spot = curve["seen"][chosen], curve["unseen"][chosen]
        axes.plot(*spot, "o", color=style["color"], markerfacecolor=CARD, markersize=6)
        if gate in tested:
            goal = tested[gate]["seen"], tested[gate]["unseen"]
            axes.plot(*zip(spot, goal, strict=True), ":", color=style["color"], linewidth=1)
            axes.plot(*goal, "D", color=style["color"], markersize=6)
    axes.set(xlim=(0, 100), ylim=(0, 100))
    axes.legend(loc="best")
    return figure


def confusion(counts: Int[np.ndarray, "K K"], is_unseen: Bool[np.ndarray, " K"]) -> Figure:
    """Where the samples of each class went, as shares of the row; no names: the table of classes beside it has them.

    Args:
        counts: samples by true class (row) and predicted class (column), seen classes first.
        is_unseen: whether the class is unseen.
    """
    figure, axes = _panel("predicted class", "true class", height=WIDTH)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    axes.imshow(shares, cmap=CONFUSION, vmin=0, vmax=1, interpolation="none")
    classes, seen = len(counts), int((~is_unseen).sum())
    middles = (seen - 1) / 2, (seen + classes - 1) / 2
    axes.set(xticks=middles, yticks=middles, xticklabels=["seen", "unseen"], yticklabels=["seen", "unseen"])
    for side in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, color in zip(side, (SEEN, UNSEEN), strict=True):
            label.set(color=color)
    for label in axes.get_yticklabels():
        label.set(rotation=90, va="center")
    for line in (axes.axhline, axes.axvline):
        line(seen - 0.5, color=UNSEEN, linewidth=1)
    axes.grid(visible=False)
    axes.spines[:].set_visible(True)
    return figure


def training(history: pd.DataFrame, columns: Mapping[str, str]) -> Figure:
    """Losses over the epochs, in nats.

    Args:
        history: a row an epoch, with a column `epoch`.
        columns: column of the history → its name in the legend.
    """
    figure, axes = _panel("epoch", "loss (nats)")
    for (column, label), color in zip(columns.items(), (INK, SEEN, UNSEEN), strict=False):
        axes.plot(history["epoch"], history[column], color=color, label=label, linewidth=1.6)
        if len(history) < 2:
            axes.plot(history["epoch"], history[column], "o", color=color, markersize=4)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(ylim=(0, None))
    axes.legend(loc="best")
    return figure


def setting_curve(means: pd.DataFrame, usual: int | None) -> Figure:
    """A panel of Figure 3: ZSL against one setting.

    Args:
        means: rows of one setting of `scople.reports.tables.figure3_means`.
        usual: the value of all other runs.
    """
    setting = means["setting"].iloc[0]
    figure, axes = _panel(setting, "ZSL (%)")
    means = means.sort_values("value")
    if usual is not None:
        axes.axvline(usual, color=LINE, linewidth=8, zorder=0)
    errors = means["zsl_difference_se"].fillna(0)
    axes.fill_between(
        means["value"], means["zsl"] - errors, means["zsl"] + errors, color=UNSEEN, alpha=0.2, linewidth=0
    )
    axes.plot(means["value"], means["zsl"], "o-", color=UNSEEN, linewidth=1.6, markersize=4)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set(ylim=(0, None))
    return figure


def taken_for(
    counts: Int[np.ndarray, "K K"], names: Sequence[str], most: int = 1
) -> dict[str, list[tuple[str, float]]]:
    """For each class with samples, the wrong classes that it was taken for most often, with the share in per cent."""
    found = {}
    for row, name in enumerate(names):
        total = counts[row].sum()
        if not total:
            continue
        wrong = counts[row].copy()
        wrong[row] = 0
        order = np.argsort(-wrong, kind="stable")[:most]
        found[name] = [(names[column], 100 * wrong[column] / total) for column in order if wrong[column]]
    return found


def _panel(across: str, up: str, height: float = 3.1) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=across, ylabel=up)
    axes.tick_params(labelsize=8.5)
    return figure, axes
