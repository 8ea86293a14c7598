"""The methods side by side as a picture; `stages.tables` writes the numbers."""

from scople.base.artefacts import load_table
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.pipeline.layout import Layout
from scople.pipeline.running import run
from scople.reports.figures import save, side_by_side
from scople.reports.methods import COLUMNS, headline


def main(params: Params) -> str:
    """Draw ZSL and H of each method, means over all splits, under the gate of `params.yaml`."""
    layout = Layout(params.profile, "baselines")
    again = "run `python -m stages.tables baselines`"
    path = layout.tables / "comparison.csv"
    rows = headline(load_table(path, COLUMNS, again=again, gaps=True), params.method.gate)
    if rows.empty:
        raise ScopleError(f"{path} has no method over all splits under the gate '{params.method.gate}': {again}.")
    recordings = "synthetic recordings" if params.profile == "demo" else ", ".join(params.datasets)
    title = f"The methods side by side: mean over {rows['splits'].max()} splits, {recordings}"
    save(
        side_by_side(rows, title, f"In the order of publication; gate: {params.method.gate}."),
        layout.figures / "comparison.png",
    )
    return f"{len(rows)} methods in {layout.figures / 'comparison.png'}"


if __name__ == "__main__":
    run(main)
