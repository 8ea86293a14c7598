"""How much repeats differ on one split: with one backbone for all of them, and with a backbone for each.

The measures are ZSL and the accuracy of seen samples among the seen candidates. There is no gate: calibrating one would
take a second training.
"""

from dataclasses import replace

import pandas as pd

from scople.base.files import whole
from scople.base.params import Params
from scople.data.class_names import names_of
from scople.data.corpus import Corpus
from scople.data.joint_features import TestFeatures, TrainingFeatures, load_features
from scople.data.splits import targets, task_targets
from scople.judging.metrics import zsl_accuracy
from scople.model.training import fit, score
from scople.pipeline.assembly import build_model, build_tower, fit_settings
from scople.pipeline.backbones import PARTS, extract_part, train_backbone
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.running import device, run


def main(params: Params, split_name: str) -> str:
    """Train every repeat that has a backbone of its own in `backbones.everything`, both ways."""
    layout, method = Layout(params.profile, "ablations"), params.method
    split, classes = load_featured_problem(params, split_name)
    problem = identity(split, classes)
    tower = build_tower(params.scale)
    rows = []
    for kind in ("training", "everything"):
        repeated = replace(params, repeat=kind, seeds=params.backbones.everything)
        for seed in repeated.seeds:
            if kind == "training":
                number = repeated.backbone_of(seed)
                training = load_features(TrainingFeatures, layout.features(split_name, "training", number), **problem)
                test = load_features(TestFeatures, layout.features(split_name, "test", number), **problem)
            else:
                corpus = Corpus.open(layout.corpus(params.dataset_of(split_name)))
                backbone, _ = train_backbone(params, corpus, split, repeated.backbone_seeds[seed])
                training, test = (extract_part(params, corpus, split, backbone, part)[0] for part in PARTS)
            root_seed = repeated.repeat_seed(seed)
            model = build_model(method, tower, training.features.shape[2], root_seed)
            fit(
                model,
                training.features,
                targets(training.labels, split.seen),
                names_of(classes, split.seen),
                **fit_settings(params, method, root_seed),
            )
            scores = score(
                model,
                test.features,
                names_of(classes, [*split.seen, *split.unseen]),
                batch_size=params.scale.evaluate.batch_size,
                device=device(params),
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
