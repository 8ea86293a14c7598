"""Frozen backbones of one split → joint features, training part and test part in folders of their own."""

import numpy as np

from scople.backbone.pretraining import extract, load_backbone
from scople.backbone.shift_gcn import ShiftGCN
from scople.data.class_names import save_classes
from scople.data.corpus import Corpus, NormalisedSequences
from scople.data.joint_features import Part, TestFeatures, TrainingFeatures
from scople.data.splits import Split, partition
from scople.params import Params
from stages.layout import Layout, load_problem
from stages.running import device, run


def main(params: Params, split_name: str) -> str:
    """Extract the features of the samples that the split opens, by each of its backbones."""
    layout = Layout(params.profile)
    split, classes = load_problem(params, split_name)
    corpus = Corpus.open(layout.corpus(params.dataset_of(split_name)))
    for number in params.backbone_seeds:
        weights = layout.backbone(split_name, number)
        backbone = load_backbone(weights, num_classes=len(split.seen), width=params.scale.pretrain.width)
        training, test = extract_parts(params, corpus, split, backbone)
        training.save(layout.features(split_name, "training", number))
        test.save(layout.features(split_name, "test", number))
    save_classes(classes, layout.classes(split_name))
    size = " x ".join(map(str, test.features.shape[1:]))
    return f"{len(training.labels)} training and {len(test.labels)} test samples, {size} each"


def extract_parts(
    params: Params, corpus: Corpus, split: Split, backbone: ShiftGCN
) -> tuple[TrainingFeatures, TestFeatures]:
    """Joint features of what the split opens for training, and of what it opens for the test."""
    labels = corpus.index["label"].to_numpy()
    rows = partition(split, labels, corpus.index["is_training"].to_numpy())

    def part(kind: type[Part], opened: np.ndarray) -> Part:
        features, scores = extract(
            backbone,
            NormalisedSequences(corpus, opened, params.scale.frames),
            batch_size=params.scale.features.batch_size,
            device=device(params),
            workers=params.machine.workers,
        )
        return kind(features=features, labels=labels[opened], backbone_scores=scores)

    return part(TrainingFeatures, rows.training), part(TestFeatures, rows.test)


if __name__ == "__main__":
    run(main)
