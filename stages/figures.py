"""What the main pipeline measured, as pictures; `scople.reports.figures` says how to read them."""

from collections.abc import Iterator

import pandas as pd
from matplotlib.figure import Figure

from scople.base.artefacts import load_sealed_json, load_table
from scople.base.documents import read_document
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.pipeline.layout import DATASETS, Layout
from scople.pipeline.running import run
from scople.reports.figures import attention_pages, confusion_matrix, load_attention, save, seen_unseen_curves


def main(params: Params) -> str:
    """Draw confusion and gates of every split, and attention of the splits that the paper's tables do not average."""
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
    again = f"run `python -m stages.evaluate {split}`"
    attention = load_attention(layout.attention(split), again=again)
    names, is_unseen = attention["label"].tolist(), attention["is_unseen"].to_numpy()
    pairs = load_table(layout.predictions(split), {"actual": str, "predicted": str}, again=again)
    if strange := sorted({*pairs["actual"], *pairs["predicted"]} - {*names}):
        path = layout.predictions(split)
        raise ScopleError(f"{path} has the class {strange[0][:40]!r}, which its attention lacks: {again}.")
    counts = pd.crosstab(pairs["actual"], pairs["predicted"]).reindex(index=names, columns=names, fill_value=0)
    heading = f"{title}: true and predicted class (gate: {method.gate})"
    yield "confusion", confusion_matrix(counts.to_numpy(), names, is_unseen, heading)

    first, belongs = params.seeds[0], {"split": split, "variant": params.variant}
    tested = load_sealed_json("evaluation", layout.evaluation(split), again=again, **belongs)["gates"][0]
    again = f"run `python -m stages.train {split} {first}`"
    gates = load_sealed_json("gates", layout.gates(split, first), again=again, split=split)
    yield "gates", seen_unseen_curves(gates, tested, f"{title}: what each gate gives for U at the cost of S")

    if with_attention:
        weights = attention.drop(columns=["label", "is_unseen"]).to_numpy()
        pages = attention_pages(weights, names, is_unseen, f"{title}: which joints a class name looks at")
        yield from ((f"attention_{number}", page) for number, page in enumerate(pages, 1))


if __name__ == "__main__":
    run(main)
