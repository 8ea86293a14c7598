"""A LEAK, NO RESULT: PURLS with the text of each test sample's true class as its query, as its code was published."""

import pandas as pd

from scople.base.artefacts import load_weights
from scople.base.files import whole
from scople.base.params import Params
from scople.data.class_names import names_of
from scople.data.joint_features import TestFeatures, load_features
from scople.data.splits import task_targets
from scople.judging.query_leak import LEAKING, query_leak, query_leak_table
from scople.pipeline.assembly import Assembly, build_tower
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.running import device, run


def main(params: Params) -> str:
    """Measure it for every variant whose query is a text, on every split, with the first repeat."""
    seed = params.seeds[0]
    root_seed, number = params.repeat_seed(seed), params.backbone_of(seed)
    running = {"batch_size": params.scale.evaluate.batch_size, "device": device(params)}
    tower, tables = build_tower(params.scale), []
    for variant in LEAKING:
        layout = Layout.of(params, variant, "baselines")
        again = f"run `python -m stages.train_splits {variant}`"
        for name in params.splits:
            split, classes = load_featured_problem(params, name)
            problem = identity(split, classes)
            test = load_features(TestFeatures, layout.features(name, "test", number), **problem)
            assembly = Assembly.of(params, variant, params.dataset_of(name), tower)
            features, lengths = assembly.inputs(test, layout, number, problem)
            method = assembly.build(features.shape[-1], lengths, len(split.seen), root_seed)
            belongs = assembly.identity(params, root_seed, problem, test.backbone)
            load_weights(method.learned(), "model", layout.model(name, seed), again=again, **belongs)
            texts = assembly.texts(method, names_of(classes, split.unseen))
            is_unseen, rows = task_targets(split, test.labels)
            found = query_leak(method, features[is_unseen], texts, rows[is_unseen], **running)
            tables.append(query_leak_table(variant, name, found))
    table = pd.concat(tables)
    with whole(layout.diagnostics("query_leak")) as path:
        table.to_csv(path, index=False, lineterminator="\n")
    means = table[table["unit"] == "%"].groupby(["variant", "quantity"], sort=False)["value"].mean()
    return ", ".join(f"{quantity} of {variant} {value:.1f} %" for (variant, quantity), value in means.items())


if __name__ == "__main__":
    run(main)
