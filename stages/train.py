"""SCoPLe on the training part of one split's joint features, and the gates' constants on its pseudo-unseen classes."""

import json

import pandas as pd
from safetensors.torch import save_file

from scople.base.files import whole
from scople.base.params import Params
from scople.data.class_names import names_of
from scople.data.joint_features import TrainingFeatures, load_features
from scople.data.splits import targets
from scople.judging.calibration import calibrate_gates
from scople.model.training import fit
from scople.pipeline.assembly import build_model, build_tower, fit_settings
from scople.pipeline.layout import Layout, load_featured_problem
from scople.pipeline.resuming import resumable
from scople.pipeline.running import run


def main(params: Params, split_name: str, seed: str, variant: str = "") -> str:
    """Train on every seen class; then once more without the pseudo-unseen ones, to calibrate the gates."""
    layout, method, root_seed = Layout.of(params, variant), params.settings(variant), params.repeat_seed(seed)
    split, classes = load_featured_problem(params, split_name)
    features = layout.features(split_name, "training", params.backbone_of(seed))
    training = load_features(TrainingFeatures, features)
    tower, width = build_tower(params.scale), training.features.shape[2]
    settings = fit_settings(params, method, root_seed)
    model = build_model(method, tower, width, root_seed)
    rows = targets(training.labels, split.seen)
    inputs = [features, layout.classes(split_name)]
    with resumable(params, "train", variant or "main", split_name, seed, inputs=inputs) as checkpoint:
        history = fit(
            model,
            training.features,
            rows,
            names_of(classes, split.seen),
            checkpoint=checkpoint("training"),
            **settings,
        )
        gates = calibrate_gates(
            build_model(method, tower, width, root_seed),
            training,
            split,
            lambda labels: names_of(classes, labels),
            gate_holdout=method.gate_holdout,
            score_batch_size=params.scale.evaluate.batch_size,
            checkpoint=checkpoint("gates"),
            **settings,
        )
        with whole(layout.model(split_name, seed)) as path:
            save_file({name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}, path)
        with whole(layout.gates(split_name, seed)) as path:
            path.write_text(json.dumps(gates) + "\n")
        with whole(layout.history(split_name, seed)) as path:
            pd.DataFrame(history).to_csv(path, index=False, lineterminator="\n")
    return (
        f"loss {history[0]['loss']:.3f} to {history[-1]['loss']:.3f} over {len(rows)} samples of "
        f"{len(split.seen)} seen classes, entropy gate's H on pseudo-unseen ones {gates['entropy']['harmonic']:.1f} %"
    )


if __name__ == "__main__":
    run(main)
