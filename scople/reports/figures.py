"""Figures of the results: confusion matrix, S against U, Figure 3, methods side by side, joints that a name attends to.

Every function takes numbers and returns a figure; `save` writes it. The same numbers give the same bytes with the same
version of matplotlib. Seen classes are always blue, unseen ones orange. Names are drawn literally: a dollar sign does
not start a formula.
"""

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from scople.base.artefacts import load_table
from scople.base.errors import ScopleError
from scople.base.files import whole
from scople.data.joints import JOINT_NAMES, PARENTS
from scople.judging.metrics import harmonic_mean

SEEN, UNSEEN, INK, FAINT = "#1d5b96", "#c8500a", "#262626", "#666666"

STYLES = {
    "zsl": {"label": "ZSL", "color": INK, "marker": "D"},
    "seen": {"label": "S", "color": SEEN, "marker": "s"},
    "unseen": {"label": "U", "color": UNSEEN, "marker": "^"},
    "harmonic": {"label": "H", "color": "#1b8a5a", "marker": "o"},
}
"""How each metric is drawn; keys as in the metric files."""

GATES = {
    "entropy": {
        "label": "entropy gate",
        "axis": "threshold: entropy over seen classes (nats)",
        "color": "#6b3fa0",
    },
    "stacking": {
        "label": "calibrated stacking",
        "axis": "threshold: best unseen − best seen logit",
        "color": "#0f8b8d",
    },
}
"""The gates that have a threshold to choose, and how each is drawn."""

DOTS_PER_INCH = 110

COLUMNS, ROWS = 10, 6
"""Skeletons on a page."""

BRIGHTEST = 4.0
"""Attention, in even shares, at which a joint's colour and size reach their maximum; few joints have more."""

CONFUSION_COLOURS = LinearSegmentedColormap.from_list("confusion", ["#ffffff", "#9cc3e6", "#1d5b96", "#08203c"])
ATTENTION_COLOURS = LinearSegmentedColormap.from_list(
    "attention", ["#ffffff", "#e8e4dc", "#f9c25f", "#e4572e", "#7a0f1f"]
)

# A standing person who faces the reader, so the person's left is on the right. The arms are away from the body, and
# hands and feet are enlarged, so that no joint hides another.
_MIDDLE = {"spine base": (0, 0), "spine mid": (0, 29), "spine shoulder": (0, 54), "neck": (0, 65), "head": (0, 84)}
_SIDE = {
    "shoulder": (20, 51), "elbow": (37, 27), "wrist": (48, 3), "hand": (54, -13), "hand tip": (62, -29),
    "thumb": (42, -26), "hip": (13, -6), "knee": (16, -48), "ankle": (19, -90), "foot": (33, -101),
}  # fmt: skip
STANDING = np.array(
    [
        _MIDDLE.get(name) or np.multiply((-1 if name.startswith("right") else 1, 1), _SIDE[name.split(maxsplit=1)[1]])
        for name in JOINT_NAMES
    ],
    dtype=float,
)
"""Right and up of every joint, file order."""


def save(figure: Figure, path: Path) -> None:
    """Write a PNG of 128 colours, a third of the size of one in true colour; it depends only on the figure."""
    figure.set_dpi(DOTS_PER_INCH)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    with whole(path) as beside:
        picture.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(beside, format="png")


def confusion_matrix(
    counts: Int[np.ndarray, "K K"], names: Sequence[str], is_unseen: Bool[np.ndarray, " K"], title: str
) -> Figure:
    """Confusion matrix in shares of each row; seen classes first, then unseen ones.

    Args:
        counts: samples by true class (row) and predicted class (column).
        names: of the classes.
        is_unseen: whether the class is unseen.
        title: first line above the figure.
    """
    order = np.argsort(is_unseen, kind="stable")
    counts, names, is_unseen = counts[np.ix_(order, order)], [names[k] for k in order], is_unseen[order]
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(100.0 * counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    classes, seen = len(names), int((~is_unseen).sum())

    names = [textwrap.shorten(name, 40, placeholder=" …") for name in names]
    cell = min(max(9 / classes, 0.112), 0.5)  # inches
    font = min(72 * cell * 0.78, 9)  # points
    size, margin = cell * classes, 0.5 + max(map(len, names)) * 0.53 * font / 72
    width, height = margin + size + 0.9, margin + size + 0.85
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((margin / width, margin / height, size / width, size / height))
    colours = CONFUSION_COLOURS.with_extremes(bad="#f1ece6")
    image = axes.imshow(shares, cmap=colours, vmin=0, vmax=100, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel("predicted class", labelpad=72 * (margin - 0.4))
    axes.set_ylabel("true class", labelpad=72 * (margin - 0.4))
    for row, (name, unseen) in enumerate(zip(names, is_unseen, strict=True)):
        style = {
            "color": UNSEEN if unseen else SEEN,
            "fontsize": font,
            "parse_math": False,
        }  # as texts: ticks take four times as long
        axes.text(-0.8, row, name, ha="right", va="center_baseline", **style)
        axes.text(row, classes - 0.2, name, ha="center", va="top", rotation=90, **style)
    guides = np.arange(5, classes, 5) - 0.5
    for line in (axes.axhline, axes.axvline):
        for guide in guides:
            line(guide, color="#ececec", linewidth=0.5)
        line(seen - 0.5, color=UNSEEN, linewidth=1.1)
    bar = figure.add_axes(((margin + size + 0.15) / width, margin / height, 0.13 / width, min(size, 3.0) / height))
    figure.colorbar(image, cax=bar, label="share of the true class's samples (%)").outline.set_visible(False)
    _heading(figure, title, f"{seen} seen classes, then {classes - seen} unseen ones; each row adds up to 100 %")
    return figure


def _heading(figure: Figure, title: str, below: str) -> None:
    """Title and lines that explain the figure, at the upper left."""
    width, height = figure.get_size_inches()
    figure.text(0.25 / width, 1 - 0.33 / height, title, fontsize=13, weight="bold", color=INK, parse_math=False)
    figure.text(0.25 / width, 1 - 0.45 / height, below, fontsize=9, color=FAINT, va="top")


def seen_unseen_curves(
    gates: Mapping[str, Mapping[str, Any]], tested: Mapping[str, Mapping[str, float]], title: str
) -> Figure:
    """S, U and H over each gate's threshold, and S against U.

    Curves and chosen thresholds come from the calibration, which uses only training subjects. A diamond in the last
    panel shows each gate's result on the test part with its chosen threshold; nothing was chosen on it.

    Args:
        gates: as `scople.judging.calibration.calibrate_gates` gives them; gates without a threshold are left out.
        tested: gate → `seen` and `unseen` on the test part with the chosen threshold, per cent.
        title: first line above the figure.
    """
    drawn = [gate for gate in GATES if gate in gates]
    figure = Figure(figsize=(4.3 * (len(drawn) + 1), 4.9))
    *over_threshold, plane = figure.subplots(1, len(drawn) + 1)
    figure.subplots_adjust(left=0.05, right=0.985, bottom=0.13, top=0.78, wspace=0.24)
    for axes, gate in zip(over_threshold, drawn, strict=True):
        _threshold_panel(axes, GATES[gate], gates[gate])
    _plane_panel(plane, drawn, gates, tested)
    _heading(
        figure,
        title,
        "Lines and rings: pseudo-unseen classes and held-out samples of training subjects, on which the threshold was "
        "chosen.\nDiamonds: test subjects and the real unseen classes, on which nothing was chosen.",
    )
    return figure


def _threshold_panel(axes: Axes, style: Mapping[str, str], gate: Mapping[str, Any]) -> None:
    thresholds, seen, unseen = (np.array(gate[name]) for name in ("thresholds", "seen", "unseen"))
    for name, values in (("seen", seen), ("unseen", unseen), ("harmonic", harmonic_mean(seen, unseen))):
        axes.plot(thresholds, values, color=STYLES[name]["color"], label=STYLES[name]["label"], linewidth=1.7)
    axes.axvline(gate["threshold"], color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1)
    axes.plot(gate["threshold"], gate["harmonic"], "o", color=INK, markerfacecolor="white", markersize=8)
    axes.annotate(
        f"chosen: {gate['threshold']:.2f}\nH {gate['harmonic']:.1f} %",
        (gate["threshold"], 98),
        xytext=(5, 0),
        textcoords="offset points",
        va="top",
        fontsize=8.5,
    )
    axes.set_title(style["label"], fontsize=11, color=style["color"], loc="left")
    axes.set(xlabel=style["axis"], ylabel="accuracy (%)", ylim=(0, 100))
    axes.margins(x=0.02)
    axes.legend(loc="best", frameon=False, fontsize=9)
    _plain(axes)


def _plane_panel(
    axes: Axes,
    drawn: Sequence[str],
    gates: Mapping[str, Mapping[str, Any]],
    tested: Mapping[str, Mapping[str, float]],
) -> None:
    for harmonic in range(10, 100, 10):
        seen = np.linspace(harmonic / 2 + 0.1, 100, 200)
        axes.plot(seen, harmonic * seen / (2 * seen - harmonic), color="#dddddd", linewidth=0.7, zorder=0)
        label = axes.text(harmonic, harmonic, f"H {harmonic}", fontsize=7, color="#aaaaaa", ha="center", va="center")
        label.set(backgroundcolor="white", zorder=0)
    for gate in drawn:
        color, entry = GATES[gate]["color"], gates[gate]
        chosen = entry["thresholds"].index(entry["threshold"])
        axes.plot(entry["seen"], entry["unseen"], color=color, linewidth=1.7)
        axes.plot(
            entry["seen"][chosen], entry["unseen"][chosen], "o", color=color, markerfacecolor="white", markersize=8
        )
        axes.plot(tested[gate]["seen"], tested[gate]["unseen"], "D", color=color, markersize=8, markeredgecolor="white")
        axes.annotate(
            "",
            (tested[gate]["seen"], tested[gate]["unseen"]),
            xytext=(entry["seen"][chosen], entry["unseen"][chosen]),
            arrowprops={"arrowstyle": "-", "color": color, "linestyle": ":", "shrinkA": 4, "shrinkB": 4},
        )
    axes.set_title("S against U", fontsize=11, color=INK, loc="left")
    axes.set(xlabel="S: accuracy on seen classes (%)", ylabel="U: on unseen classes (%)", xlim=(0, 100), ylim=(0, 100))
    lines = [Line2D([], [], color=GATES[gate]["color"], label=GATES[gate]["label"]) for gate in drawn]
    ring = Line2D([], [], color=FAINT, marker="o", linestyle="", markerfacecolor="white", label="chosen")
    diamond = Line2D([], [], color=FAINT, marker="D", linestyle="", label="its test result")
    axes.legend(handles=[*lines, ring, diamond], loc="best", framealpha=1, edgecolor="none", fontsize=8.5)
    _plain(axes)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8.5)


def figure3(points: pd.DataFrame, means: pd.DataFrame, chosen: Mapping[str, int], title: str) -> Figure:
    """The paper's Figure 3: ZSL against prefix length (a), layer depth (b) and joint prompts (c).

    Args:
        points: of the paper's split, columns `setting`, `value` and `zsl` (per cent). With a column `zsl_std`, the
            deviation over repeats, each point has an error bar of that half-length.
        means: over several splits, see `scople.reports.tables.figure3_means`. The half-width of the band around their
            line is one standard error of the paired difference to the chosen value.
        chosen: setting → its value in all other runs; there is a panel for each, in this order.
        title: first line above the figure.
    """
    figure = Figure(figsize=(12.5, 4.4))
    figure.subplots_adjust(left=0.05, right=0.85, bottom=0.12, top=0.76, wspace=0.08)
    panels = figure.subplots(1, len(chosen), sharey=True)
    for letter, axes, (setting, value) in zip("abc", panels, chosen.items(), strict=True):
        rows = points[points["setting"] == setting].sort_values("value")
        mean = means[means["setting"] == setting].sort_values("value")
        axes.axvline(value, color="#eeeae2", linewidth=9, zorder=0)
        axes.plot(rows["value"], rows["zsl"], linewidth=1.7, markersize=5, **STYLES["zsl"] | {"label": "paper's split"})
        if "zsl_std" in rows:
            axes.errorbar(rows["value"], rows["zsl"], rows["zsl_std"], color=INK, linewidth=0, elinewidth=1)
        style = {"color": UNSEEN, "marker": "o", "linewidth": 1.7, "markersize": 4}
        axes.plot(mean["value"], mean["zsl"], label=f"mean of {mean['splits'].iloc[0]} splits", **style)
        low, high = (mean["zsl"] + sign * mean["zsl_difference_se"] for sign in (-1, 1))
        axes.fill_between(mean["value"], low, high, color=UNSEEN, alpha=0.2, linewidth=0)
        axes.set_title(f"({letter}) {setting.replace('_', ' ')}", fontsize=11, loc="left")
        axes.set(xticks=rows["value"], xlabel=setting)
        axes.grid(axis="y", color="#eeeeee")
        _plain(axes)
    panels[0].set(ylabel="ZSL (%)", ylim=(0, None))
    panels[-1].legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    said = "The broad line marks the value of all other runs; the band is one standard error of the difference to it."
    _heading(figure, title, said)
    return figure


def side_by_side(rows: pd.DataFrame, title: str, order: str) -> Figure:
    """ZSL and H of several methods, one line a method, with whiskers of one standard error over the splits.

    Args:
        rows: one a method, from top to bottom: columns `model`, `zsl`, `zsl_se`, `harmonic`, `harmonic_se` and `chance`
            (of ZSL), per cent. A standard error that is missing has no whisker.
        title: first line above the figure.
        order: how the rows are ordered, in words.
    """
    width, height = 9, 0.36 * len(rows) + 1.75
    margin = 0.25 + 0.085 * max(map(len, rows["model"]))  # inches
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((margin / width, 0.62 / height, 1 - (margin + 0.25) / width, 1 - 1.67 / height))
    lines = np.arange(len(rows))
    for line in lines[::2]:
        axes.axhspan(line - 0.5, line + 0.5, color="#f5f3ef", zorder=0)
    axes.plot(
        np.repeat(rows["chance"].to_numpy(), 2),
        np.stack([lines - 0.5, lines + 0.5], axis=1).ravel(),
        color=FAINT,
        linewidth=1.2,
        linestyle=(0, (4, 3)),
        label="ZSL by chance",
        zorder=1,
    )
    for metric, above in (("zsl", -0.14), ("harmonic", 0.14)):
        axes.errorbar(
            rows[metric],
            lines + above,
            xerr=rows[f"{metric}_se"],
            linestyle="",
            markersize=6.5,
            elinewidth=1.7,
            markeredgecolor="white",
            markeredgewidth=0.6,
            zorder=2,
            **STYLES[metric],
        )
    axes.set_yticks(lines, rows["model"], parse_math=False)
    axes.set(xlabel="per cent", ylim=(len(rows) - 0.5, -0.5))
    axes.set_xlim(left=0)
    axes.grid(axis="x", color="#e4e1da", zorder=0)
    axes.set_axisbelow(True)
    _plain(axes)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=10)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, fontsize=9, borderaxespad=0.2)
    _heading(figure, title, f"Whiskers: one standard error over the splits. {order}")
    return figure


def load_attention(path: Path, *, again: str) -> pd.DataFrame:
    """Read a table of `scople.judging.attention.attention_table`; a class without samples has NaN.

    Args:
        path: the table's file.
        again: how to make the file again; ends an error's sentence.

    Raises:
        ScopleError: the file is missing or is not such a table.
    """
    columns = {"label": str, "is_unseen": bool} | dict.fromkeys(JOINT_NAMES, float)
    table = load_table(path, columns, again=again, gaps=True)
    if list(table)[:2] != list(columns)[:2] or list(table)[-len(JOINT_NAMES) :] != list(JOINT_NAMES):
        raise ScopleError(f"{path} has its columns in another order: {again}.")
    return table


def attention_pages(
    attention: Float[np.ndarray, "K J"],
    names: Sequence[str],
    is_unseen: Bool[np.ndarray, " K"],
    title: str,
) -> list[Figure]:
    """Which joints a class name attends to: the sampler's attention, drawn on a standing person for each class.

    A joint's colour and size show its share of the attention to real joints, in even shares (1/25). The share of the
    attention to the learned joint prompts is printed below the name. Seen classes come first.

    Args:
        attention: mean weight of each token for each class, eq. 13: first the joint prompts, then the 25 joints. A
            class without samples has NaN and is left out, and so has every class of a method that tells no attention.
        names: of the classes.
        is_unseen: whether the class is unseen.
        title: first line above every page.
    """
    order = np.argsort(is_unseen, kind="stable")
    order = order[~np.isnan(attention[order]).any(axis=1)]
    pages = np.split(order, range(COLUMNS * ROWS, len(order), COLUMNS * ROWS)) if len(order) else []
    figures = []
    for number, page in enumerate(pages, 1):
        numbered = f"{title} ({number} of {len(pages)})" if len(pages) > 1 else title
        figures.append(_attention_page(attention[page], [names[k] for k in page], is_unseen[page], numbered))
    return figures


def _attention_page(
    attention: Float[np.ndarray, "K J"], names: Sequence[str], is_unseen: Bool[np.ndarray, " K"], title: str
) -> Figure:
    on_prompts, on_joints = np.split(attention, [attention.shape[1] - len(JOINT_NAMES)], axis=1)
    even_shares = on_joints / on_joints.mean(axis=1, keepdims=True)
    cells = np.arange(len(names))
    across, down = 150.0, 244.0
    spots = np.stack([across * (cells % COLUMNS), -down * (cells // COLUMNS)], axis=1)
    joints = spots[:, None] + STANDING
    rows = -(-len(names) // COLUMNS)

    width, height = 15.0, 2.3 * rows + 0.95
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0.005, 0.005, 0.945, 1 - 0.8 / height))
    axes.set_axis_off()
    axes.set(xlim=(-75, across * COLUMNS - 75), ylim=(-down * rows + 132, 132))
    bones = np.stack([joints, joints[:, PARENTS]], axis=2).reshape(-1, 2, 2)
    axes.add_collection(LineCollection(bones, colors="#9a9a9a", linewidths=1.3, zorder=1))
    scale = Normalize(0, BRIGHTEST, clip=True)
    drawn = np.argsort(even_shares, axis=None)  # the brightest on top
    axes.scatter(
        *joints.reshape(-1, 2)[drawn].T,
        s=8 + 85 * scale(even_shares.reshape(-1)[drawn]),
        c=even_shares.reshape(-1)[drawn],
        cmap=ATTENTION_COLOURS,
        norm=scale,
        edgecolors="#5a5a5a",
        linewidths=0.4,
        zorder=2,
    )
    for (x, y), name, unseen, share in zip(spots, names, is_unseen, on_prompts.sum(axis=1), strict=True):
        lines = textwrap.wrap(name, 24, max_lines=2, placeholder=" …")
        color = UNSEEN if unseen else SEEN
        style = {"fontsize": 7.5, "color": color, "weight": "bold", "parse_math": False}
        axes.text(x, y + 103, "\n".join(lines), ha="center", va="bottom", **style)
        axes.text(x, y + 94, f"prompts {100 * share:.1f} %", ha="center", va="bottom", fontsize=6.5, color=FAINT)
    bar = figure.add_axes((0.958, 0.5 - 1.2 / height, 0.009, 2.4 / height))
    mappable = ScalarMappable(scale, ATTENTION_COLOURS)
    figure.colorbar(mappable, cax=bar, extend="max", label="attention of a joint (1 = an even share)")
    _heading(
        figure,
        title,
        "Mean over the class's test samples, asked with the class's own name. Blue: seen class, orange: unseen. "
        "The person faces you.\n"
        "Prompts: the share of the attention that goes to the learned joint prompts; the joints share the rest.",
    )
    return figure
