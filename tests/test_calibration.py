"""Calibrating the gates: what it may open, and what it gives."""

import numpy as np
import pytest
import torch
from constant_text import ConstantText, build

from scople.calibration import calibrate_gates
from scople.data.joint_features import TestFeatures, TrainingFeatures, load_features
from scople.data.splits import Split
from scople.errors import ScopleError

SPLIT = Split(name="small", seen=(0, 1, 3, 4, 5, 7), unseen=(2, 6), pseudo_unseen=(3, 5))
SETTINGS = {
    "gate_holdout": 0.3,
    "score_batch_size": 13,
    "seed": 1,
    "device": torch.device("cpu"),
    "epochs": 3,
    "batch_size": 17,
    "learning_rate": 1e-3,
    "training_query": "candidate",
    "text_weight": 0.5,
}


def names(labels):
    return [f"class {label}" for label in labels]
