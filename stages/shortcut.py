"""Does a training look at the skeletons? Both training queries of one split, with true and with shuffled skeletons."""

import math
from dataclasses import asdict, replace

import numpy as np

from scople.data.class_names import names_of
from scople.data.joint_features import TestFeatures, TrainingFeatures, load_features
from scople.data.splits import targets, task_targets
from scople.evaluation import accuracy, zsl_accuracy
from scople.files import whole
from scople.params import Params
from scople.reporting import flat_table
from scople.seeding import numpy_generator
from scople.training import fit, score
from stages.assembly import build_model, build_tower
from stages.layout import Layout, load_featured_problem
from stages.running import device, run


def main(params: Params, split_name: str) -> str:
    """Train four times and set the last loss beside the loss of knowing nothing."""
    layout, scale = Layout(params.profile), params.scale
    split, classes = load_featured_problem(params, split_name)
    training = load_features(TrainingFeatures, layout.features(split_name, "training"))
    test = load_features(TestFeatures, layout.features(split_name, "test"))
    is_unseen, test_rows = task_targets(split, test.labels)
    tower, names = build_tower(scale), names_of(classes, split.seen)
    candidates = names_of(classes, [*split.seen, *split.unseen])
    shuffled = numpy_generator(params.seed, "shuffled training", split_name).permutation(len(training.labels))
    rows = []
    for query in ("candidate", "own"):
        method = replace(params.method, training_query=query)
        for skeletons, order in (("true", np.arange(len(shuffled))), ("shuffled", shuffled)):
            model = build_model(method, tower, training.features.shape[2], params.seed)
            history = fit(
                model,
                training.features[order],
                targets(training.labels, split.seen),
                names,
                training_query=query,
                text_weight=method.text_weight,
                seed=params.seed,
                device=device(params),
                **asdict(scale.train),
            )
            scores = score(
                model,
                test.features,
                candidates,
                batch_size=scale.evaluate.batch_size,
                device=device(params),
            )
            seen_scores, unseen_scores = np.split(scores, [len(split.seen)], axis=1)
            columns = len(split.seen) if query == "candidate" else min(scale.train.batch_size, len(shuffled))
            rows.append(
                {
                    "split": split_name,
                    "training_query": query,
                    "skeletons": skeletons,
                    "skeleton_to_text": history[-1]["skeleton_to_text"],
                    "knowing_nothing": math.log(columns),
                    "seen_candidates": accuracy(seen_scores[~is_unseen].argmax(axis=1), test_rows[~is_unseen]),
                    "seen_chance": 100 / len(split.seen),
                    "backbone": accuracy(test.backbone_scores[~is_unseen].argmax(axis=1), test_rows[~is_unseen]),
                    "zsl": zsl_accuracy(unseen_scores[is_unseen], test_rows[is_unseen]),
                    "zsl_chance": 100 / len(split.unseen),
                }
            )
    with whole(layout.diagnostics / f"shortcut_{split_name}.csv") as path:
        flat_table(rows).to_csv(path, index=False, lineterminator="\n")
    return ", ".join(
        f"{row['training_query']}/{row['skeletons']} {row['skeleton_to_text']:.2f} of {row['knowing_nothing']:.2f}"
        for row in rows
    )


if __name__ == "__main__":
    run(main)
