"""A trained SCoPLe on the test subjects of one split: ZSL, S, U and H, per class, controls, and data for pictures."""

from pathlib import Path

import numpy as np
import pandas as pd

from scople.base.arithmetic import machine
from scople.base.artefacts import load_sealed_json, load_weights, save_json, save_sealed_json
from scople.base.files import whole
from scople.base.params import Params
from scople.base.seeding import numpy_generator
from scople.data.class_names import names_of
from scople.data.joint_features import TestFeatures, load_features
from scople.data.splits import task_targets
from scople.judging.attention import attention_by_class, attention_table
from scople.judging.certainty import over_seeds
from scople.judging.gates import apply_gate
from scople.judging.judge import judge
from scople.judging.provenance import provenance, untrained_loss
from scople.model.training import score
from scople.pipeline.assembly import build_model, build_tower, model_identity
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.running import device, run


def main(params: Params, split_name: str, variant: str = "") -> str:
    """Score every test sample against every candidate class, then let the gate choose between seen and unseen."""
    layout, method = Layout.of(params, variant), params.settings(variant)
    split, classes = load_featured_problem(params, split_name)
    tower, candidates = build_tower(params.scale), names_of(classes, [*split.seen, *split.unseen])
    running = {"batch_size": params.scale.evaluate.batch_size, "device": device(params)}
    problem = identity(split, classes)
    tests, models, scored, calibrated, predicted, untrained = {}, {}, {}, {}, {}, []
    for seed in params.seeds:
        test = load_features(TestFeatures, layout.features(split_name, "test", params.backbone_of(seed)), **problem)
        tests[seed] = test
        models[seed] = build_model(method, tower, test.features.shape[2], params.repeat_seed(seed))
        sizes = test.features.shape[1:]
        untrained.append(untrained_loss(models[seed], candidates, sizes, params.repeat_seed(seed), **running))
        again = f"run `python -m stages.train {' '.join([split_name, str(seed), variant]).strip()}`"
        belongs = model_identity(params, method, params.repeat_seed(seed), problem, test.backbone)
        load_weights(models[seed], "model", layout.model(split_name, seed), again=again, **belongs)
        scores = score(models[seed], test.features, candidates, **running)
        scored[seed] = np.split(scores, [len(split.seen)], axis=1)
        calibrated[seed] = load_sealed_json("gates", layout.gates(split_name, seed), again=again, **belongs)
        predicted[seed] = {
            gate: apply_gate(gate, *scored[seed], entry["threshold"]) for gate, entry in calibrated[seed].items()
        }

    # All scores are computed; only from here on are labels read.
    is_unseen, rows = task_targets(split, test.labels)
    repeats = {
        seed: judge(
            split,
            classes,
            tests[seed],
            seen_scores=scored[seed][0],
            unseen_scores=scored[seed][1],
            predictions=predicted[seed],
            calibration=calibrated[seed],
            gate=method.gate,
            heading={"split": split_name, "variant": variant or params.variant, "seed": seed},
            generator=numpy_generator(params.repeat_seed(seed), "shuffled skeletons", split_name),
        )
        for seed in params.seeds
    }
    attention = [
        attention_by_class(model, tests[seed].features, rows + is_unseen * len(split.seen), candidates, **running)
        for seed, model in models.items()
    ]
    metrics = over_seeds([repeat.metrics for repeat in repeats.values()])
    details = {
        "repeats": [repeat.metrics for repeat in repeats.values()],
        "gates": [repeat.under_gates for repeat in repeats.values()],
        "controls": [repeat.controls for repeat in repeats.values()],
        "per_class": [row for repeat in repeats.values() for row in repeat.per_class],
    }
    words = {"item.split": split_name, "item.variant": variant} if variant else {"key": split_name}
    measured = {seed: repeat.metrics for seed, repeat in repeats.items()}
    here = machine(params.machine.arithmetic, params.machine.threads, device(params))
    known = provenance(params, words, split, candidates, is_unseen.tolist(), float(np.mean(untrained)), here, measured)
    save_json(metrics, layout.metrics(split_name))
    save_json(known, layout.provenance(split_name))
    made_for = {"variant": variant or params.variant, **problem}
    save_sealed_json("evaluation", details, layout.evaluation(split_name), **made_for)
    _write_csv(pd.concat(repeat.pairs for repeat in repeats.values()), layout.predictions(split_name))
    looked = attention_table(np.mean(attention, axis=0), candidates, np.arange(len(candidates)) >= len(split.seen))
    _write_csv(looked, layout.attention(split_name))
    shown = ", ".join(f"{name} {value:.2f}" for name, value in metrics.items())
    shuffled = np.mean([repeat.controls["zsl_shuffled"] for repeat in repeats.values()])
    return f"{shown} % (chance {100 / len(split.unseen):.1f}, skeletons shuffled {shuffled:.1f})"


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with whole(path) as beside:
        table.to_csv(beside, index=False, lineterminator="\n", float_format="%.6f")


if __name__ == "__main__":
    run(main)
