"""Frozen backbone of one split → joint features, training part and test part in files of their own."""

from scople.backbone.pretraining import extract, load_backbone
from scople.data.class_names import save_classes
from scople.data.corpus import Corpus, NormalisedSequences
from scople.data.joint_features import TestFeatures, TrainingFeatures
from scople.data.splits import partition
from scople.params import Params
from stages.layout import Layout, load_problem
from stages.running import device, run


def main(params: Params, split_name: str) -> str:
    """Extract the features of the samples that the split opens."""
    layout, scale = Layout(params.profile), params.scale
    split, classes = load_problem(params, split_name)
    corpus = Corpus.open(layout.corpus(params.dataset_of(split_name)))
    labels = corpus.index["label"].to_numpy()
    rows = partition(split, labels, corpus.index["is_training"].to_numpy())
    backbone = load_backbone(layout.backbone(split_name), num_classes=len(split.seen), width=scale.pretrain.width)
    for kind, part, opened in (
        (TrainingFeatures, "training", rows.training),
        (TestFeatures, "test", rows.test),
    ):
        features, scores = extract(
            backbone,
            NormalisedSequences(corpus, opened, scale.frames),
            batch_size=scale.features.batch_size,
            device=device(params),
            workers=params.machine.workers,
        )
        kind(features=features, labels=labels[opened], backbone_scores=scores).save(layout.features(split_name, part))
    save_classes(classes, layout.classes(split_name))
    size = " x ".join(map(str, features.shape[1:]))
    return f"{len(rows.training)} training and {len(rows.test)} test samples, {size} each"


if __name__ == "__main__":
    run(main)
