"""Settings → backbones and their features: the one place where the backbone's settings become arguments."""

from typing import Any, Literal

import numpy as np
from jaxtyping import Int

from scople.backbone.pretraining import Extracted, extract, pretrain
from scople.backbone.shift_gcn import ShiftGCN
from scople.base.artefacts import content_digest
from scople.base.checkpoints import History
from scople.base.params import Params
from scople.data.corpus import Corpus, NormalisedSequences
from scople.data.joint_features import (
    CalibrationFeatures,
    IntervalFeatures,
    JointFeatures,
    TestFeatures,
    TestIntervals,
    TrainingFeatures,
    TrainingIntervals,
)
from scople.data.splits import CalibrationPartition, Split, partition, targets
from scople.pipeline.running import device

PartName = Literal["training", "test"]

PARTS: dict[PartName, tuple[type[JointFeatures], type[IntervalFeatures]]] = {
    "training": (TrainingFeatures, TrainingIntervals),
    "test": (TestFeatures, TestIntervals),
}
"""Types of each part's joint features and interval features."""


def train_backbone(
    params: Params, corpus: Corpus, split: Split, seed: int, rows: Int[np.ndarray, " N"] | None = None, **running: Any
) -> tuple[ShiftGCN, History]:
    """Train a backbone from its root seed on the seen classes of training subjects; `pretrain` gets `running`.

    `rows` are those of the corpus that it may see, all of seen classes, where these are not all that the split opens.
    """
    scale, labels = params.scale, corpus.index["label"].to_numpy()
    if rows is None:
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
        precision=params.scale.pretrain.precision,
        workers=params.machine.workers,
        **running,
    )


def extract_part(
    params: Params, corpus: Corpus, split: Split, backbone: ShiftGCN, part: PartName
) -> tuple[JointFeatures, IntervalFeatures]:
    """Features of the samples that the split opens for training or for the test, in the types of that part.

    Both together are what a large split needs of memory, so write one part and let it go before the next is extracted.
    """
    labels = corpus.index["label"].to_numpy()
    rows = partition(split, labels, corpus.index["is_training"].to_numpy())
    opened = rows.training if part == "training" else rows.test
    of_joints, of_intervals = PARTS[part]
    found = _extracted(params, corpus, backbone, opened)
    origin, labels = content_digest(backbone.state_dict()), labels[opened]
    return (
        of_joints(features=found.features, labels=labels, backbone_scores=found.logits, backbone=origin),
        of_intervals(features=found.intervals, labels=labels, lengths=np.array(found.lengths), backbone=origin),
    )


def extract_calibration(
    params: Params, corpus: Corpus, rows: CalibrationPartition, backbone: ShiftGCN
) -> CalibrationFeatures:
    """Joint features of the training samples in `rows`, by a backbone that saw `rows.learned` only."""
    opened = np.sort(np.concatenate([rows.learned, rows.held_out, rows.pseudo_unseen]))
    found = _extracted(params, corpus, backbone, opened)
    return CalibrationFeatures(
        features=found.features,
        labels=corpus.index["label"].to_numpy()[opened],
        backbone_scores=found.logits,
        backbone=content_digest(backbone.state_dict()),
        is_learned=np.isin(opened, rows.learned),
    )


def _extracted(params: Params, corpus: Corpus, backbone: ShiftGCN, rows: Int[np.ndarray, " N"]) -> Extracted:
    return extract(
        backbone,
        NormalisedSequences(corpus, rows, params.scale.frames),
        batch_size=params.scale.features.batch_size,
        device=device(params),
        precision=params.scale.pretrain.precision,
        workers=params.machine.workers,
    )
