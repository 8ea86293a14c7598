"""A LEAK, NO RESULT: PURLS with the text of each test sample's true class as its query, as its code was published."""

import pandas as pd

from scople.base.files import whole
from scople.base.params import Params
from scople.data.splits import task_targets
from scople.judging.diagnostics import diagnostics_table
from scople.judging.query_leak import LEAKING, query_leak
from scople.pipeline.assembly import build_tower
from scople.pipeline.evaluation import Evaluation
from scople.pipeline.layout import Layout
from scople.pipeline.running import run


def main(params: Params) -> str:
    """Measure it for every variant whose query is a text, on every split, with the first repeat."""
    tower, tables = build_tower(params.scale), []
    for variant in LEAKING:
        layout = Layout.of(params, variant, "baselines")
        for name in params.splits:
            evaluation = Evaluation.of(params, layout, name, tower)
            found = evaluation.open(params.seeds[0])
            evaluation.load_learned(found)
            texts = evaluation.texts(found, evaluation.split.unseen)
            is_unseen, rows = task_targets(evaluation.split, found.test.labels)
            features = found.inputs.features[is_unseen]
            leak = query_leak(found.method, features, texts, rows[is_unseen], **evaluation.running)
            tables.append(diagnostics_table(leak, variant=variant, split=name))
    table = pd.concat(tables)
    with whole(layout.diagnostics("query_leak")) as path:
        table.to_csv(path, index=False, lineterminator="\n")
    means = table[table["unit"] == "%"].groupby(["variant", "quantity"], sort=False)["value"].mean()
    return ", ".join(f"{quantity} of {variant} {value:.1f} %" for (variant, quantity), value in means.items())


if __name__ == "__main__":
    run(main)
