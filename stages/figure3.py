"""One panel of the paper's Figure 3: ZSL of a split against prefix_length, layer_depth or joint_prompts, 0 to 7."""

import numpy as np

from scople.base.files import whole
from scople.base.params import Params
from scople.data.class_names import names_of
from scople.data.joint_features import TestFeatures, TrainingFeatures, load_features
from scople.data.splits import targets, task_targets
from scople.judging.certainty import over_seeds
from scople.judging.metrics import zsl_accuracy
from scople.methods.fitting import score
from scople.pipeline.assembly import Assembly, Inputs, build_tower
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.running import device, run
from scople.pipeline.training import trained
from scople.reports.tables import flat_table


def main(params: Params, split_name: str, setting: str) -> str:
    """Train once for each value and seed, all else as in `params.yaml`; the encoder's layers bound `layer_depth`."""
    layout, scale = Layout(params.profile, "ablations"), params.scale
    split, classes = load_featured_problem(params, split_name)
    problem = identity(split, classes)
    tower = build_tower(scale)
    largest = min(7, tower.depth) if setting == "layer_depth" else 7
    scored = {}
    for seed in params.seeds:
        root_seed, backbone = params.repeat_seed(seed), params.backbone_of(seed)
        training = load_features(TrainingFeatures, layout.features(split_name, "training", backbone), **problem)
        for value in range(largest + 1):
            settings = params.changed({setting: value}, f"{setting} {value} of Figure 3")
            running = {"seed": root_seed, "device": device(params)}
            assembly = Assembly.of_scople(params, settings, params.dataset_of(split_name), tower)
            method, _ = trained(
                assembly,
                Inputs.of_joints(training),
                np.arange(len(training.labels)),
                targets(training.labels, split.seen),
                names_of(classes, split.seen),
                **running,
            )
            # Opened only now: no training of this stage can have seen it.
            test = load_features(TestFeatures, layout.features(split_name, "test", backbone), **problem)
            scored[value, seed] = score(
                method,
                Inputs.of_joints(test).features,
                assembly.texts(method, names_of(classes, split.unseen)),
                batch_size=scale.evaluate.batch_size,
                **running,
            )

    # All scores are computed; only from here on are labels read.
    is_unseen, test_rows = task_targets(split, test.labels)
    points = []
    for value in range(largest + 1):
        repeats = [{"zsl": zsl_accuracy(scored[value, seed][is_unseen], test_rows[is_unseen])} for seed in params.seeds]
        points.append({"split": split_name, "setting": setting, "value": value} | over_seeds(repeats))
    with whole(layout.figure3(split_name, setting)) as path:
        flat_table(points).to_csv(path, index=False, lineterminator="\n")
    return f"ZSL for {setting} 0 to {largest}: " + ", ".join(f"{point['zsl']:.1f}" for point in points)


if __name__ == "__main__":
    run(main)
