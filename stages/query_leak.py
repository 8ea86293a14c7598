"""A LEAK, NO RESULT: PURLS with the text of each test sample's true class as its query, as its code was published."""

import pandas as pd

from scople.base.files import whole
from scople.base.params import Params
from scople.judging.query_leak import LEAKING, query_leak
from scople.pipeline.evaluation import load_trained
from scople.pipeline.layout import Layout, load_featured_problem
from scople.pipeline.running import device, run


def main(params: Params) -> str:
    """Measure it for every variant whose query is a text, on every split, with the first repeat."""
    tables = []
    for variant in LEAKING:
        layout = Layout.of(params, variant, "baselines")
        for name in params.splits:
            split, _ = load_featured_problem(params, name)
            loaded = load_trained(params, layout, name, params.seeds[0])
            tables.append(query_leak(variant, split, loaded, device=device(params)))
    table = pd.concat(tables)
    with whole(layout.diagnostics("query_leak")) as path:
        table.to_csv(path, index=False, lineterminator="\n")
    means = table.groupby("quantity")["value"].mean()
    return ", ".join(f"{name} {value:.1f} %" for name, value in means.items())


if __name__ == "__main__":
    run(main)
