"""SCoPLe in the loop of all methods, told in its own words: joint features, class names and numbers."""

import numpy as np
import torch

from scople.base.checkpoints import Checkpoint, History
from scople.methods import fitting
from scople.methods.method import ClassTexts
from scople.methods.scople import Scople, ScopleSettings
from scople.model.scople import SCoPLe


def wrapped(model: SCoPLe, **settings) -> Scople:
    """With a training that nobody asks for, where only scores are wanted."""
    usual = {"epochs": 1, "batch_size": 17, "learning_rate": 1e-3, "training_query": "candidate", "text_weight": 0.5}
    return Scople(ScopleSettings(**usual | settings), model)


def fit(
    model: SCoPLe,
    features: np.ndarray,
    targets: np.ndarray,
    class_names: list[str],
    *,
    seed: int,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
    **settings,
) -> History:
    method = wrapped(model, **settings)
    texts, running = ClassTexts(tuple(class_names), {}), {"seed": seed, "device": device, "checkpoint": checkpoint}
    return fitting.fit(method, method.settings.recipe(), features[:, None], targets, texts, **running)


def score(
    model: SCoPLe, features: np.ndarray, class_names: list[str], *, batch_size: int, device: torch.device
) -> np.ndarray:
    texts = ClassTexts(tuple(class_names), {})
    return fitting.score(wrapped(model), features[:, None], texts, batch_size=batch_size, device=device, seed=0)
