"""What a pipeline measured, as pictures; `scople.figures` says how to read them."""

import json
from collections.abc import Iterator

import pandas as pd
import yaml
from matplotlib.figure import Figure

from scople.errors import ScopleError
from scople.figures import attention_pages, confusion_matrix, figure3, save, seen_unseen_curves
from scople.params import Params
from stages.layout import DATASETS, Layout
from stages.running import run


def main(params: Params, pipeline: str) -> str:
    """Draw the pictures of a pipeline, main or ablations."""
    if pipeline not in (known := {"main": _of_splits, "ablations": _of_settings}):
        raise ScopleError(f"pipeline '{pipeline}' has no pictures; known are {', '.join(known)}: choose one of them.")
    layout = Layout(params.profile, "" if pipeline == "main" else pipeline)
    note = "synthetic recordings" if params.profile == "demo" else "measured"
    count = 0
    for name, figure in known[pipeline](params, layout, note):
        save(figure, layout.figures / f"{name}.png")
        count += 1
    return f"{count} pictures in {layout.figures}"


def _of_splits(params: Params, layout: Layout, note: str) -> Iterator[tuple[str, Figure]]:
    """Confusion and gates of every split, attention of those that the tables do not average, all of the first variant.

    Confusion counts and attention are of all repeats, a gate's curve is of the first one.
    """
    columns = yaml.safe_load((DATASETS / "paper_tables" / "layout.yaml").read_text(encoding="utf-8"))["main"]
    columns = [column["splits"] for table in columns.values() for column in table["columns"].values()]
    averaged = {split for splits in columns if len(splits) > 1 for split in splits}
    variant, seed = next(iter(params.variants)), params.seeds[0]
    gate = params.variant(variant).gate
    for split in params.splits:
        attention = pd.read_csv(layout.attention(split, variant))
        names, is_unseen = attention["label"].tolist(), attention["is_unseen"].to_numpy()
        pairs = pd.read_csv(layout.predictions(split, variant))
        counts = pd.crosstab(pairs["actual"], pairs["predicted"]).reindex(index=names, columns=names, fill_value=0)
        title = f"{split}, {variant}, {note}: true and predicted class (gate: {gate})"
        yield f"{split}_confusion", confusion_matrix(counts.to_numpy(), names, is_unseen, title)

        gates = json.loads(layout.gates(split, variant, seed).read_text())
        tested = json.loads(layout.evaluation(split, variant).read_text())["gates"][0]
        title = f"{split}, {variant}, {note}: what each gate gives for U at the cost of S"
        yield f"{split}_gates", seen_unseen_curves(gates, tested, title)

        if split not in averaged:
            title = f"{split}, {variant}, {note}: which joints a class name looks at"
            weights = attention.drop(columns=["label", "is_unseen"]).to_numpy()
            for number, page in enumerate(attention_pages(weights, names, is_unseen, title), 1):
                yield f"{split}_attention_{number}", page


def _of_settings(params: Params, layout: Layout, note: str) -> Iterator[tuple[str, Figure]]:
    """Figure 3."""
    table = pd.read_csv(layout.tables / "figure3.csv")
    (split,) = table["split"].unique()
    method = params.method
    chosen = {
        "prefix_length": method.prefix_length,
        "layer_depth": method.layer_depth,
        "joint_prompts": method.joint_prompts,
    }
    yield "figure3", figure3(table, chosen, f"Figure 3: {split}, {note}")


if __name__ == "__main__":
    run(main)
