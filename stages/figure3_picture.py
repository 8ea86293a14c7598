"""Figure 3 as a picture; `stages.figure3` measures it."""

import pandas as pd

from scople.figures import figure3, save
from scople.params import Params
from stages.layout import Layout
from stages.running import run


def main(params: Params) -> str:
    """Draw the three panels."""
    layout, method = Layout(params.profile, "ablations"), params.method
    table = pd.read_csv(layout.tables / "figure3.csv")
    (split,) = table["split"].unique()
    chosen = {
        "prefix_length": method.prefix_length,
        "layer_depth": method.layer_depth,
        "joint_prompts": method.joint_prompts,
    }
    note = "synthetic recordings" if params.profile == "demo" else "measured"
    save(figure3(table, chosen, f"Figure 3: {split}, {note}"), layout.figures / "figure3.png")
    return f"{len(table)} points in {layout.figures / 'figure3.png'}"


if __name__ == "__main__":
    run(main)
