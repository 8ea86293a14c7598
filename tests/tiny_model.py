"""A model folder of random weights: nothing in it is trained, everything else is as the stage `export` writes it."""

from dataclasses import asdict

import numpy as np
import torch

from scople.backbone.shift_gcn import ShiftGCN
from scople.base.params import load_params
from scople.base.seeding import numpy_generator, seeded
from scople.data.joints import JOINT_NAMES, PARENTS
from scople.pipeline.assembly import build_model
from scople.prediction.card import model_card
from scople.prediction.model_folder import ModelConfig, described_encoder, save_model_folder
from scople.text.loading import load_tower

SEEN = ["drink water", "jump up", "hand waving"]
WIDTH = 4


def make_parts(root):
    """Settings, backbone and model of the folder."""
    method = load_params(root / "params.yaml").method
    tower = load_tower("minilm", "package")
    with seeded(1, "test of model folders"):
        backbone = ShiftGCN(len(SEEN), WIDTH)
        with torch.no_grad():  # masks and biases start at 0, where a lost one would not show
            for weights in backbone.parameters():
                weights.add_(0.05 * torch.randn(weights.shape))
    model = build_model(method, tower, backbone.fc.in_features, seed=1)
    config = ModelConfig(
        split="tiny_3_2",
        dataset="tiny",
        profile="demo",
        variant="scople",
        repeat=1,
        is_synthetic=True,
        frames=12,
        joints=list(JOINT_NAMES),
        width=WIDTH,
        method=asdict(method),
        batches={"features": 3, "scores": 2},
        text_encoder=described_encoder("minilm", "package", tower),
        seen=SEEN,
        unseen=["clapping", "kicking something"],
        thresholds={"entropy": 1.0, "stacking": 0.0, "none": 0.0},
        computed_by={"device": "any", "arithmetic": "portable", "torch": "2", "threads": "1"},
        versions={"scople": "0"},
        made_from="0",
    )
    return config, backbone, model


def write_folder(place, parts):
    """The folder itself."""
    config, backbone, model = parts
    repeats = [{"zsl": 40.0, "seen": 30.0, "unseen": 20.0, "harmonic": 24.0}]
    card = model_card(config, {"seen": 7, "unseen": 5}, 50.0, repeats)
    save_model_folder(place, config, backbone, model, card)
    return place


def body(frames: int, number: int, persons: int = 1) -> np.ndarray:
    """Somebody who stands and whose joints wander, metres, y up."""
    generator = numpy_generator(number, "body")
    rest = np.zeros((len(PARENTS), 3))
    for joint, name in enumerate(JOINT_NAMES):
        side = -1 if name.startswith("left") else name.startswith("right")
        height = {"head": 1.6, "neck": 1.4, "hip": 0.9, "knee": 0.5, "ankle": 0.1, "foot": 0.05, "base": 0.95}
        rest[joint] = 0.2 * side, height.get(name.split()[-1], 1.2), 3
    rest[1, 1], rest[20, 1] = 1.15, 1.35
    steps = generator.normal(scale=0.03, size=(persons, frames, len(PARENTS), 3))
    moved = rest + steps.cumsum(axis=1) + np.arange(persons)[:, None, None, None]
    return moved.astype(np.float32)
