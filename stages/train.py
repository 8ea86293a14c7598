"""SCoPLe on the training part of one split's joint features, and the gates' constants on its pseudo-unseen classes."""

import pandas as pd

from scople.base.artefacts import save_sealed_json, save_tensors
from scople.base.files import whole
from scople.base.params import Params
from scople.data.class_names import names_of
from scople.data.joint_features import TrainingFeatures, load_features
from scople.data.splits import targets
from scople.judging.calibration import calibrate_gates
from scople.model.training import fit
from scople.pipeline.assembly import build_model, build_tower, fit_settings, model_identity
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.resuming import resumable
from scople.pipeline.running import run


def main(params: Params, split_name: str, seed: str, variant: str = "") -> str:
    """Train on every seen class; then once more without the pseudo-unseen ones, to calibrate the gates."""
    layout, method, root_seed = Layout.of(params, variant), params.settings(variant), params.repeat_seed(seed)
    split, classes = load_featured_problem(params, split_name)
    features = layout.features(split_name, "training", params.backbone_of(seed))
    training = load_features(TrainingFeatures, features, **identity(split, classes))
    tower, width = build_tower(params.scale), training.features.shape[2]
    settings = fit_settings(params, method, root_seed)
    model = build_model(method, tower, width, root_seed)
    rows = targets(training.labels, split.seen)
    belongs = model_identity(params, method, root_seed, identity(split, classes), training.backbone)
    inputs = [features, layout.classes(split_name)]
    with resumable(
        params, "train", f"variant {variant}" if variant else "main", split_name, seed, inputs=inputs
    ) as checkpoint:
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
        save_tensors("model", model.state_dict(), layout.model(split_name, seed), **belongs)
        save_sealed_json("gates", gates, layout.gates(split_name, seed), **belongs)
        with whole(layout.history(split_name, seed)) as path:
            pd.DataFrame(history).to_csv(path, index=False, lineterminator="\n")
    return (
        f"loss {history[0]['loss']:.3f} to {history[-1]['loss']:.3f} over {len(rows)} samples of "
        f"{len(split.seen)} seen classes, entropy gate's H on pseudo-unseen ones {gates['entropy']['harmonic']:.1f} %"
    )


if __name__ == "__main__":
    run(main)
