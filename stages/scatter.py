"""How much repeats differ on one split: with one backbone for all of them, and with a backbone for each.

The measures are ZSL and the accuracy of seen samples among the seen candidates. There is no gate: calibrating one would
take a second training.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from scople.base.files import whole
from scople.base.params import Params
from scople.data.class_names import names_of
from scople.data.corpus import Corpus
from scople.data.joint_features import TestFeatures, TrainingFeatures, load_features
from scople.data.splits import targets, task_targets
from scople.judging.metrics import zsl_accuracy
from scople.methods.fitting import score
from scople.pipeline.assembly import Assembly, Inputs, build_tower
from scople.pipeline.backbones import PARTS, extract_part, train_backbone
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.running import device, run
from scople.pipeline.training import trained


def main(params: Params, split_name: str) -> str:
    """Train every repeat that has a backbone of its own in `backbones.everything`, both ways."""
    layout, dataset = Layout(params.profile, "ablations"), params.dataset_of(split_name)
    split, classes = load_featured_problem(params, split_name)
    problem = identity(split, classes)
    assembly = Assembly.of_scople(params, params.method, dataset, build_tower(params.scale))
    rows = []
    for kind in ("training", "everything"):
        repeated = replace(params, repeat=kind, seeds=params.backbones.everything)
        for seed in repeated.seeds:
            if kind == "training":
                number = repeated.backbone_of(seed)
                training = load_features(TrainingFeatures, layout.features(split_name, "training", number), **problem)
                test = load_features(TestFeatures, layout.features(split_name, "test", number), **problem)
            else:
                corpus = Corpus.open(layout.corpus(dataset))
                backbone, _ = train_backbone(params, corpus, split, repeated.backbone_seeds[seed])
                training, test = (extract_part(params, corpus, split, backbone, part)[0] for part in PARTS)
            running = {"seed": repeated.repeat_seed(seed), "device": device(params)}
            method, _ = trained(
                assembly,
                Inputs.of_joints(training),
                np.arange(len(training.labels)),
                targets(training.labels, split.seen),
                names_of(classes, split.seen),
                **running,
            )
            scores = score(
                method,
                Inputs.of_joints(test).features,
                assembly.texts(method, names_of(classes, [*split.seen, *split.unseen])),
                batch_size=params.scale.evaluate.batch_size,
                **running,
            )
            is_unseen, wanted = task_targets(split, test.labels)
            rows.append(
                {
                    "split": split_name,
                    "repeat": kind,
                    "seed": seed,
                    "zsl": zsl_accuracy(scores[is_unseen, len(split.seen) :], wanted[is_unseen]),
                    "seen_candidates": zsl_accuracy(scores[~is_unseen, : len(split.seen)], wanted[~is_unseen]),
                }
            )
    table = pd.DataFrame(rows)
    with whole(layout.scatter(split_name)) as path:
        table.to_csv(path, index=False, lineterminator="\n")
    found = table.groupby("repeat", sort=False)["zsl"]
    return "; ".join(f"ZSL, repeats of {kind}: {', '.join(f'{x:.1f}' for x in values)}" for kind, values in found)


if __name__ == "__main__":
    run(main)
