"""A trained SCoPLe on the test subjects of one split: ZSL, S, U and H, per class, controls, and what pictures need."""

import json

import numpy as np
import pandas as pd
from safetensors.torch import load_file

from scople.attention import attention_by_class, attention_table
from scople.data.class_names import names_of
from scople.data.joint_features import TestFeatures, load_features
from scople.data.splits import labels_of, task_targets
from scople.evaluation import controls, gzsl_metrics, per_class_accuracy
from scople.files import whole
from scople.gating import apply_gate
from scople.params import Params
from scople.reporting import over_seeds, per_class_rows
from scople.seeding import numpy_generator
from scople.training import score
from stages.assembly import build_model, build_tower
from stages.layout import Layout, load_featured_problem
from stages.running import device, run


def main(params: Params, split_name: str, variant: str) -> str:
    """Score every test sample against every candidate class, then let the gate choose between seen and unseen."""
    layout, method = Layout.of(params, variant), params.variant(variant)
    split, classes = load_featured_problem(params, split_name)
    test = load_features(TestFeatures, layout.features(split_name, "test"))
    tower, candidates = build_tower(params.scale), names_of(classes, [*split.seen, *split.unseen])
    scored = {}
    for seed in params.seeds:
        model = build_model(method, tower, test.features.shape[2], params.repeat_seed(seed))
        model.load_state_dict(load_file(layout.model(split_name, variant, seed)))
        scores = score(
            model, test.features, candidates, batch_size=params.scale.evaluate.batch_size, device=device(params)
        )
        seen_scores, unseen_scores = np.split(scores, [len(split.seen)], axis=1)
        gates = json.loads(layout.gates(split_name, variant, seed).read_text())
        predictions = {
            gate: apply_gate(gate, seen_scores, unseen_scores, entry["threshold"]) for gate, entry in gates.items()
        }
        scored[seed] = model, seen_scores, unseen_scores, predictions

    # Every score is made; from here on labels are looked at.
    is_unseen, rows = task_targets(split, test.labels)
    repeats, under_gates, checks, per_class, confused, attention = [], [], [], [], [], []
    for seed, (model, seen_scores, unseen_scores, predictions) in scored.items():
        heading = {"split": split_name, "variant": variant, "seed": seed}
        under_gates.append(
            {
                gate: gzsl_metrics(
                    unseen_scores=unseen_scores,
                    predicted_unseen=predicted.is_unseen,
                    predicted_targets=predicted.targets,
                    is_unseen=is_unseen,
                    targets=rows,
                )
                for gate, predicted in predictions.items()
            }
        )
        repeats.append(under_gates[-1][method.gate])
        control = controls(
            seen_scores=seen_scores,
            unseen_scores=unseen_scores,
            backbone_scores=test.backbone_scores,
            is_unseen=is_unseen,
            targets=rows,
            generator=numpy_generator(params.repeat_seed(seed), "shuffled skeletons", split_name),
        )
        checks.append(heading | control)
        predicted = labels_of(split, *predictions[method.gate])
        accuracies = per_class_accuracy(predicted, test.labels, len(classes))
        per_class += [heading | row for row in per_class_rows(classes, split.unseen, accuracies)]
        pairs = {"actual": names_of(classes, test.labels.tolist()), "predicted": names_of(classes, predicted.tolist())}
        confused.append(pd.DataFrame(pairs))
        attention.append(
            attention_by_class(
                model,
                test.features,
                rows + is_unseen * len(split.seen),
                candidates,
                batch_size=params.scale.evaluate.batch_size,
                device=device(params),
            )
        )
    metrics = over_seeds(repeats)
    details = {"repeats": repeats, "gates": under_gates, "controls": checks, "per_class": per_class}
    for path, document in (
        (layout.metrics(split_name, variant), metrics),
        (layout.evaluation(split_name, variant), details),
    ):
        with whole(path) as beside:
            beside.write_text(json.dumps(document, indent=2) + "\n")
    looked = attention_table(np.mean(attention, axis=0), candidates, np.arange(len(candidates)) >= len(split.seen))
    for path, table in (
        (layout.predictions(split_name, variant), pd.concat(confused)),
        (layout.attention(split_name, variant), looked),
    ):
        with whole(path) as beside:
            table.to_csv(beside, index=False, lineterminator="\n", float_format="%.6f")
    shown = ", ".join(f"{name} {value:.2f}" for name, value in metrics.items())
    shuffled = np.mean([check["zsl_shuffled"] for check in checks])
    return f"{shown} % (chance {100 / len(split.unseen):.1f}, skeletons shuffled {shuffled:.1f})"


if __name__ == "__main__":
    run(main)
