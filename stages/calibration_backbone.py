"""Backbones for `seen_source: head`: without the pseudo-unseen classes and without a few of the training subjects.

A backbone is sure of the classes and subjects that it was trained on. Where its own classifier scores the seen classes,
the gates' thresholds can only be chosen on samples of classes and subjects that it does not know.
"""

from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.data.corpus import Corpus
from scople.data.splits import calibration_partition
from scople.pipeline.backbones import extract_calibration, train_backbone
from scople.pipeline.layout import Layout, identity, load_problem
from scople.pipeline.resuming import resumable
from scople.pipeline.running import run


def main(params: Params, split_name: str) -> str:
    """Train such a backbone for each of the split's own ones; write its features of known and of unknown samples."""
    layout, fraction = Layout(params.profile, "baselines"), params.method.gate_holdout
    if params.splits[split_name].backbone_weights:
        raise ScopleError(
            f"split {split_name} has `backbone_weights`, and no backbone without the pseudo-unseen classes can be made "
            "of these: take the key out, or take the variants with `seen_source: head` out of baselines/dvc.yaml."
        )
    split, classes = load_problem(params, split_name)
    place = layout.corpus(params.dataset_of(split_name))
    corpus = Corpus.open(place)
    index = {name: corpus.index[name].to_numpy() for name in ("label", "subject", "is_training")}
    with resumable(params, "calibration_backbone", split_name, inputs=[place]) as checkpoint:
        for number, seed in params.backbone_seeds.items():
            rows = calibration_partition(split, index["label"], index["subject"], index["is_training"], fraction, seed)
            backbone, history = train_backbone(
                params,
                corpus,
                split.without_pseudo_unseen,
                seed,
                rows=rows.learned,
                checkpoint=checkpoint(f"backbone {number}"),
            )
            features = extract_calibration(params, corpus, rows, backbone)
            features.save(layout.calibration_features(split_name, number), **identity(split, classes))
    return (
        f"{len(params.backbone_seeds)} backbones for {len(split.without_pseudo_unseen.seen)} of {len(split.seen)} seen "
        f"classes, loss {history[-1]['loss']:.3f}; {len(rows.learned)} samples learned, {len(rows.held_out)} held out "
        f"and {len(rows.pseudo_unseen)} of pseudo-unseen classes"
    )


if __name__ == "__main__":
    run(main)
