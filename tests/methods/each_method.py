"""Every method, small: how to build one in a test, and samples whose classes are told by texts and skeletons alike.

A method that joins the registry joins the common tests with an entry in `SMALL`.
"""

from dataclasses import fields

import numpy as np
import torch
from constant_text import ConstantText
from constant_text import build as build_scople

from scople.base.seeding import numpy_generator, torch_generator
from scople.base.shapes import JOINTS
from scople.data.joint_features import interval_lengths
from scople.methods.method import ClassTexts, Method
from scople.methods.recipe import Recipe
from scople.methods.registry import METHODS, build, intervals_of, settings_of
from scople.methods.scople import Scople, ScopleSettings
from scople.methods.sizes import Sizes
from scople.methods.texts import FIELDS

D, E, K, N = 7, 11, 5, 53
"""Widths of features and texts, classes, samples; a body has 25 joints."""

STEPS = 4  # of time, in intervals of 1, 2 and 1

EXPERT = {"expert_samples": 23, "expert_seen_samples": 19, "expert_steps": 60, "expert_rate": 0.03}

PURLS = {"attention_width": 34, "hidden_width": 41, "batch_size": 19, "learning_rate": 3e-3}

SMALL = {
    "ridge": {},
    "smie": {"outer_width": 37, "inner_width": 17, "warmup": 1, "batch_size": 19, "learning_rate": 1e-2},
    "revise": {"hidden": 37, "text_hidden": 41, "width": 17, "batch_size": 19, "learning_rate": 1e-2},
    "jpose": {"text_hidden": 41, "width": 17, "batch_size": 19, "learning_rate": 1e-2},
    "cada_vae": EXPERT
    | {"latent": 13, "skeleton_encoder": 29, "text_encoder": 31, "skeleton_decoder": 37, "text_decoder": 23}
    | {"batch_size": 19, "learning_rate": 3e-3},
    "ca_vae": EXPERT | {"latent": 13, "cycles": 1, "batch_size": 19, "learning_rate": 1e-2},
    "synse": EXPERT | {"latent": 26, "cycles": 1, "batch_size": 19, "learning_rate": 1e-2},
    "sa_dvae": EXPERT | {"semantic": 23, "instance": 3, "cycles": 1, "batch_size": 19, "learning_rate": 1e-2},
    "star": {"queries": 13, "heads": 3, "text_hidden": 17, "batch_size": 19, "learning_rate": 0.1},
    "purls": PURLS,
    "purls_candidate": PURLS | {"candidates": 3},
    "purls_static": PURLS,
    "purls_global": PURLS,
}
"""Settings, but for the epochs, with which a method learns toy classes within seconds."""

LONG = {"smie": 40, "purls_global": 30, "ca_vae": 60, "synse": 60, "sa_dvae": 60}
"""Epochs until it has; 20 for the others."""

NAMES = [*METHODS, "scople"]


def made(name: str, epochs: int, classes: int = K, seed: int = 1) -> tuple[Method, Recipe]:
    """A method before training, and how it is trained."""
    if name == "scople":
        settings = ScopleSettings(
            epochs=epochs, batch_size=19, learning_rate=3e-3, training_query="candidate", text_weight=0.5
        )
        text = ConstantText.random([f"action {k}" for k in range(100)], E)
        model = build_scople(text, seed, feature_width=D, text_width=E)
        return Scople(settings, model), settings.recipe()
    settings = settings_of(name, SMALL[name] | lasting(name, epochs))
    lengths = interval_lengths(STEPS, intervals_of(name, settings))
    return build(name, settings, Sizes(D, E, classes, lengths), seed), settings.recipe()


def lasting(name: str, epochs: int) -> dict[str, int]:
    """The setting that makes a training so long; told in steps, as many as the passes over `N` samples have."""
    types = {each.name for each in fields(METHODS[name].settings)}
    return {"epochs": epochs} if "epochs" in types else {"cycle_steps": 3 * epochs} if "cycle_steps" in types else {}


def texts(classes: int = K, first: int = 0) -> ClassTexts:
    """Random texts of the classes `first` and following, the same for a class whoever asks."""
    names = tuple(f"action {k}" for k in range(first, first + classes))

    def embedded(field: str) -> torch.Tensor:
        rows = [torch.randn(E, generator=torch_generator(7, name, *([field] * (field != "name")))) for name in names]
        return torch.nn.functional.normalize(torch.stack(rows), dim=-1)

    return ClassTexts(names, {field: embedded(field) for field in FIELDS})


def noise(intervals: int, samples: int = N, classes: int = K) -> tuple[np.ndarray, np.ndarray]:
    """Features that tell nothing of their classes; not negative, as those of the backbone."""
    generator = numpy_generator(1, "noise")
    features = np.abs(generator.normal(size=(samples, intervals, JOINTS, D))).astype(np.float32)
    return features, generator.integers(classes, size=samples)


def separated(intervals: int, classes: int, samples: int) -> tuple[np.ndarray, np.ndarray]:
    """As many samples of each class around a mean of its own."""
    generator = numpy_generator(1, "separated")
    means = generator.normal(size=(classes, 1, JOINTS, D)) + 2 * generator.normal(size=(classes, 1, 1, D))
    targets = np.tile(np.arange(classes), samples)
    features = means[targets] + 0.3 * generator.normal(size=(len(targets), intervals, JOINTS, D))
    return np.maximum(features, 0).astype(np.float32), targets
