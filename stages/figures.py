"""What the main pipeline measured, as pictures; `scople.reports.figures` says how to read them."""

import json
from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from scople.base.documents import read_document
from scople.base.params import Params
from scople.pipeline.layout import DATASETS, Layout
from scople.pipeline.running import run
from scople.reports.figures import attention_pages, confusion_matrix, save, seen_unseen_curves


def main(params: Params) -> str:
    """Draw confusion and gates of every split, and attention of those that the paper's tables do not average."""
    layout = Layout.of(params)
    columns = read_document(DATASETS / "paper_tables" / "layout.yaml")["main"]
    columns = [column["splits"] for table in columns.values() for column in table["columns"].values()]
    averaged = {split for splits in columns if len(splits) > 1 for split in splits}
    count = 0
    for split in params.splits:
        for name, figure in _pictures(params, layout, split, with_attention=split not in averaged):
            save(figure, layout.figures / f"{split}_{name}.png")
            count += 1
    return f"{count} pictures of {params.variant} in {layout.figures}"


def _pictures(params: Params, layout: Layout, split: str, *, with_attention: bool) -> Iterator[tuple[str, Figure]]:
    """Confusion and attention of all repeats; the gates of the first one."""
    method = params.settings()
    title = f"{split}, {params.variant}, {'synthetic recordings' if params.profile == 'demo' else 'measured'}"
    attention = pd.read_csv(layout.attention(split))
    names, is_unseen = attention["label"].tolist(), attention["is_unseen"].to_numpy()
    pairs = pd.read_csv(layout.predictions(split))
    counts = pd.crosstab(pairs["actual"], pairs["predicted"]).reindex(index=names, columns=names, fill_value=0)
    heading = f"{title}: true and predicted class (gate: {method.gate})"
    yield "confusion", confusion_matrix(counts.to_numpy(), names, is_unseen, heading)

    gates = json.loads(layout.gates(split, params.seeds[0]).read_text())
    tested = json.loads(layout.evaluation(split).read_text())["gates"][0]
    yield "gates", seen_unseen_curves(gates, tested, f"{title}: what each gate gives for U at the cost of S")

    if with_attention:
        weights = attention.drop(columns=["label", "is_unseen"]).to_numpy()
        pages = attention_pages(weights, names, is_unseen, f"{title}: which joints a class name looks at")
        yield from ((f"attention_{number}", page) for number, page in enumerate(pages, 1))


if __name__ == "__main__":
    run(main)
