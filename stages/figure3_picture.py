"""Figure 3 as a picture; `stages.figure3` measures it."""

from scople.base.artefacts import load_table
from scople.base.params import Params
from scople.pipeline.layout import Layout
from scople.pipeline.running import run
from scople.reports.figures import figure3, save

PAPERS_SPLIT = "ntu60_48_12"
"""The split that the paper's figure is of."""

POINTS = {"split": str, "setting": str, "value": int, "zsl": float, "note": str}
MEANS = {"setting": str, "value": int, "zsl": float, "zsl_difference_se": float, "splits": int, "note": str}
"""Columns of the two tables that are drawn, with their types."""


def main(params: Params) -> str:
    """Draw the three panels: the paper's split, and the mean over all that were measured."""
    layout, method = Layout(params.profile, "ablations"), params.method
    again = "run `python -m stages.tables ablations`"
    table = load_table(layout.tables / "figure3.csv", POINTS, again=again)
    means = load_table(layout.tables / "figure3_means.csv", MEANS, again=again, gaps=True)
    points = table[table["split"] == PAPERS_SPLIT]
    chosen = {
        "prefix_length": method.prefix_length,
        "layer_depth": method.layer_depth,
        "joint_prompts": method.joint_prompts,
    }
    note = "synthetic recordings" if params.profile == "demo" else "measured"
    title = f"Figure 3: {PAPERS_SPLIT} and the mean over splits, {note}"
    save(figure3(points, means, chosen, title), layout.figures / "figure3.png")
    return f"{len(table)} points in {layout.figures / 'figure3.png'}"


if __name__ == "__main__":
    run(main)
