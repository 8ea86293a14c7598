"""Figure 3 as a picture; `stages.figure3` measures it."""

import pandas as pd

from scople.base.params import Params
from scople.pipeline.layout import Layout
from scople.pipeline.running import run
from scople.reports.figures import figure3, save

PAPERS_SPLIT = "ntu60_48_12"
"""The split that the paper's figure is of."""


def main(params: Params) -> str:
    """Draw the three panels: the paper's split, and the mean over all that were measured."""
    layout, method = Layout(params.profile, "ablations"), params.method
    table, means = (pd.read_csv(layout.tables / f"{name}.csv") for name in ("figure3", "figure3_means"))
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
