"""Settings → backbones and their features: the one place where the backbone's settings become arguments."""

from typing import Any

import numpy as np

from scople.backbone.pretraining import extract, pretrain
from scople.backbone.shift_gcn import ShiftGCN
from scople.base.artefacts import content_digest
from scople.base.checkpoints import History
from scople.base.params import Params
from scople.data.corpus import Corpus, NormalisedSequences
from scople.data.joint_features import Part, TestFeatures, TrainingFeatures
from scople.data.splits import Split, partition, targets
from scople.pipeline.running import device


def train_backbone(params: Params, corpus: Corpus, split: Split, seed: int, **running: Any) -> tuple[ShiftGCN, History]:
    """Train a backbone from its root seed on the seen classes of training subjects; `pretrain` gets `running`."""
    scale, labels = params.scale, corpus.index["label"].to_numpy()
    rows = partition(split, labels, corpus.index["is_training"].to_numpy()).training
    return pretrain(
        NormalisedSequences(corpus, rows, scale.frames),
        targets(labels[rows], split.seen),
        len(split.seen),
        width=scale.pretrain.width,
        epochs=scale.pretrain.epochs,
        batch_size=scale.pretrain.batch_size,
        learning_rate=scale.pretrain.learning_rate,
        milestones=scale.pretrain.milestones,
        position_gradient=params.method.position_gradient,
        seed=seed,
        device=device(params),
        workers=params.machine.workers,
        **running,
    )


def extract_parts(
    params: Params, corpus: Corpus, split: Split, backbone: ShiftGCN
) -> tuple[TrainingFeatures, TestFeatures]:
    """Joint features of the samples that the split opens for training, and of those that it opens for the test."""
    labels = corpus.index["label"].to_numpy()
    rows = partition(split, labels, corpus.index["is_training"].to_numpy())
    origin = content_digest(backbone.state_dict())

    def part(kind: type[Part], opened: np.ndarray) -> Part:
        features, scores = extract(
            backbone,
            NormalisedSequences(corpus, opened, params.scale.frames),
            batch_size=params.scale.features.batch_size,
            device=device(params),
            workers=params.machine.workers,
        )
        return kind(features=features, labels=labels[opened], backbone_scores=scores, backbone=origin)

    return part(TrainingFeatures, rows.training), part(TestFeatures, rows.test)
