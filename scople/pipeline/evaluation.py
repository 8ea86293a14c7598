"""A trained variant on the test subjects of a split: ZSL, S, U and H, per class, controls, and data for pictures."""

from pathlib import Path

import numpy as np
import pandas as pd

from scople.base.arithmetic import machine
from scople.base.artefacts import load_sealed_json, load_weights, save_json, save_sealed_json
from scople.base.files import whole
from scople.base.params import Params
from scople.base.seeding import numpy_generator
from scople.data.class_names import names_of
from scople.data.joint_features import TestFeatures, TrainingFeatures, load_features
from scople.data.splits import targets, task_targets
from scople.judging.attention import attention_by_class, attention_table
from scople.judging.certainty import over_seeds
from scople.judging.gates import apply_gate
from scople.judging.judge import judge
from scople.judging.provenance import provenance, untrained_loss
from scople.methods.fitting import score_seen_and_unseen
from scople.pipeline.assembly import Assembly, build_tower
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.running import device
from scople.pipeline.training import samples_for

CALLS = {
    "": "python -m stages.train {split} {seed}",
    "ablations": "python -m stages.train {split} {seed} {variant}",
    "baselines": "python -m stages.train_splits {variant}",
}
"""Room of a pipeline → how its training is called."""


def evaluate_split(params: Params, layout: Layout, split_name: str) -> str:
    """Score every test sample against every candidate class, then let the gate choose between seen and unseen.

    Args:
        params: the whole of params.yaml.
        layout: where; names the variant.
        split_name: name of the split.

    Returns:
        The outcome in one line.

    Raises:
        ScopleError: no such split or variant; or an input is missing, damaged or belongs to something else.
    """
    variant, where = layout.variant or params.variant, device(params)
    split, classes = load_featured_problem(params, split_name)
    assembly = Assembly.of(params, variant, params.dataset_of(split_name), build_tower(params.scale))
    candidates, problem = names_of(classes, [*split.seen, *split.unseen]), identity(split, classes)
    running = {"batch_size": params.scale.evaluate.batch_size, "device": where}
    tests, methods, inputs, texts, scored, calibrated, predicted, untrained = {}, {}, {}, {}, {}, {}, {}, []
    for seed in params.seeds:
        number, root_seed = params.backbone_of(seed), params.repeat_seed(seed)
        test = load_features(TestFeatures, layout.features(split_name, "test", number), **problem)
        tests[seed] = test
        inputs[seed] = assembly.inputs(test, layout, number, problem)
        features, lengths = inputs[seed]
        methods[seed] = assembly.build(features.shape[-1], lengths, len(split.seen), root_seed)
        texts[seed] = assembly.texts(methods[seed], candidates)
        untrained.append(untrained_loss(methods[seed], texts[seed], features.shape[1:], seed=root_seed, **running))
        again = f"run `{CALLS[layout.room].format(split=split_name, seed=seed, variant=layout.variant)}`"
        belongs = assembly.identity(params, root_seed, problem, test.backbone)
        load_weights(methods[seed].learned(), "model", layout.model(split_name, seed), again=again, **belongs)
        calibrated[seed] = load_sealed_json("gates", layout.gates(split_name, seed), again=again, **belongs)
        samples = None
        if methods[seed].fits_candidates:
            training = load_features(TrainingFeatures, layout.features(split_name, "training", number), **problem)
            learned = assembly.inputs(training, layout, number, problem)
            rows = np.arange(len(training.labels))
            samples = samples_for(methods[seed], learned, rows, targets(training.labels, split.seen))
        seen_scores, unseen_scores = score_seen_and_unseen(
            methods[seed], features, texts[seed], len(split.seen), samples=samples, seed=root_seed, **running
        )
        is_head = assembly.settings.seen_source == "head"
        scored[seed] = test.backbone_scores if is_head else seen_scores, unseen_scores
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
            gate=assembly.settings.gate,
            heading={"split": split_name, "variant": variant, "seed": seed},
            generator=numpy_generator(params.repeat_seed(seed), "shuffled skeletons", split_name),
        )
        for seed in params.seeds
    }
    own = rows + is_unseen * len(split.seen)
    attention = [
        attention_by_class(method, inputs[seed].features, own, texts[seed], seed=params.repeat_seed(seed), **running)
        for seed, method in methods.items()
    ]
    metrics = over_seeds([repeat.metrics for repeat in repeats.values()])
    details = {
        "repeats": [repeat.metrics for repeat in repeats.values()],
        "gates": [repeat.under_gates for repeat in repeats.values()],
        "controls": [repeat.controls for repeat in repeats.values()],
        "per_class": [row for repeat in repeats.values() for row in repeat.per_class],
    }
    words = {"key": split_name, "item": variant, "item.split": split_name, "item.variant": variant}
    known = provenance(
        params,
        layout.room,
        words,
        split,
        candidates,
        is_unseen.tolist(),
        float(np.mean(untrained)),
        machine(params.machine.arithmetic, params.machine.threads, where),
        {seed: repeat.metrics for seed, repeat in repeats.items()},
    )
    save_json(metrics, layout.metrics(split_name))
    save_json(known, layout.provenance(split_name))
    save_sealed_json("evaluation", details, layout.evaluation(split_name), variant=variant, **problem)
    _write_csv(pd.concat(repeat.pairs for repeat in repeats.values()), layout.predictions(split_name))
    looked = attention_table(np.mean(attention, axis=0), candidates, np.arange(len(candidates)) >= len(split.seen))
    _write_csv(looked, layout.attention(split_name))
    shown = ", ".join(f"{name} {value:.2f}" for name, value in metrics.items())
    shuffled = np.mean([repeat.controls["zsl_shuffled"] for repeat in repeats.values()])
    return f"{shown} % (chance {100 / len(split.unseen):.1f}, skeletons shuffled {shuffled:.1f})"


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with whole(path) as beside:
        table.to_csv(beside, index=False, lineterminator="\n", float_format="%.6f")
