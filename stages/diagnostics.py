"""Checks on the numbers of one split, for both training queries: see `scople.judging.diagnostics`."""

from dataclasses import replace
from typing import get_args

import pandas as pd

from scople.base.files import whole
from scople.base.params import MethodSettings, Params
from scople.data.class_names import names_of
from scople.data.joint_features import TestFeatures, TrainingFeatures, load_features
from scople.judging.diagnostics import diagnose, diagnostics_table
from scople.methods.method import Method
from scople.model.losses import TrainingQuery
from scople.pipeline.assembly import Assembly, build_tower
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.running import device, run

PLAIN_LABEL = {"text_prompting": "none", "phrase": "", "prefix_length": 0, "joint_prompts": 0, "sampler": False}
"""The class name alone as text, the mean of the joints as skeleton: nothing but the projection learns."""


def main(params: Params, split_name: str) -> str:
    """Train four times for each training query and write one long table."""
    layout, scale = Layout(params.profile, "ablations"), params.scale
    repeat = params.seeds[0]
    seed, backbone = params.repeat_seed(repeat), params.backbone_of(repeat)
    split, classes = load_featured_problem(params, split_name)
    problem = identity(split, classes)
    training = load_features(TrainingFeatures, layout.features(split_name, "training", backbone), **problem)
    test = load_features(TestFeatures, layout.features(split_name, "test", backbone), **problem)
    tower, width = build_tower(scale), training.features.shape[2]
    measured = {}

    def build(settings: MethodSettings) -> Method:
        assembly = Assembly.of_scople(params, settings, params.dataset_of(split_name), tower)
        return assembly.build(width, (1,), len(split.seen), seed)

    for query in get_args(TrainingQuery):
        settings = replace(params.method, training_query=query)
        measured[query] = diagnose(
            lambda settings=settings: build(settings),
            build(replace(settings, **PLAIN_LABEL)),
            training,
            test,
            split,
            lambda labels: names_of(classes, labels),
            gate_holdout=settings.gate_holdout,
            score_batch_size=scale.evaluate.batch_size,
            seed=seed,
            device=device(params),
        )
    table = pd.concat(
        [diagnostics_table(values, split=split_name, training_query=query) for query, values in measured.items()]
    )
    with whole(layout.diagnostics(split_name)) as path:
        table.to_csv(path, index=False, lineterminator="\n")
    return "; ".join(
        f"{query}: ZSL {values['zsl'].value:.1f} %, loss on shuffled skeletons "
        f"{values['loss_trained_on_shuffled'].value:.2f} of {values['loss_trained_on_shuffled'].reference:.2f}"
        for query, values in measured.items()
    )


if __name__ == "__main__":
    run(main)
