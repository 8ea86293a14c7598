"""Calibrating the gates: what it may open, and what it gives."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from constant_text import FEATURE_WIDTH, JOINTS, ConstantText, build

from scople.base.errors import ScopleError
from scople.data.joint_features import TestFeatures, TrainingFeatures, load_features
from scople.data.splits import Split
from scople.judging.calibration import calibrate_gates

SPLIT = Split(name="small", seen=(0, 1, 3, 4, 5, 7), unseen=(2, 6), pseudo_unseen=(3, 5))
SETTINGS = {
    "gate_holdout": 0.3,
    "score_batch_size": 13,
    "seed": 1,
    "device": torch.device("cpu"),
    "epochs": 3,
    "batch_size": 17,
    "learning_rate": 1e-3,
    "autocast": "none",
    "training_query": "candidate",
    "text_weight": 0.5,
}


def names(labels):
    return [f"class {label}" for label in labels]


def features(kind, labels, seed=3):
    rng = np.random.default_rng(seed)
    return kind(
        features=rng.normal(size=(len(labels), JOINTS, FEATURE_WIDTH)).astype(np.float32),
        labels=labels,
        backbone_scores=np.zeros((len(labels), len(SPLIT.seen)), np.float32),
    )


def calibrate(training):
    text = ConstantText.random(names(range(8)))
    return calibrate_gates(build(text), training, SPLIT, names, **SETTINGS)


@pytest.fixture
def training():
    return features(TrainingFeatures, np.repeat(np.array(SPLIT.seen), 11))


def test_gives_every_gate_a_constant_and_repeats(training):
    gates = calibrate(training)
    assert set(gates) == {"entropy", "stacking", "none"}
    assert gates["none"]["threshold"] == 0
    for gate in ("entropy", "stacking"):
        assert gates[gate]["harmonic"] == max(gates[gate]["harmonic"], gates["none"]["harmonic"] - 1e-9)
        assert len(gates[gate]["thresholds"]) == len(gates[gate]["seen"]) == len(gates[gate]["unseen"])
    assert json.dumps(gates) == json.dumps(calibrate(training))


def test_model_never_learns_from_pseudo_unseen_samples(training, monkeypatch):
    learned = []
    from scople.judging import calibration

    real = calibration.fit

    def spy(model, features, targets, class_names, **settings):
        learned.append((features, class_names))
        return real(model, features, targets, class_names, **settings)

    monkeypatch.setattr(calibration, "fit", spy)
    calibrate(training)
    ((samples, class_names),) = learned
    assert class_names == names((0, 1, 4, 7))
    held_or_pseudo = len(training.labels) - len(samples)
    assert held_or_pseudo == 2 * 11 + 4 * 3  # both pseudo-unseen classes, and 30 % of 11 of each other class
    pseudo = training.features[np.isin(training.labels, SPLIT.pseudo_unseen)]
    assert not any((samples == sample).all(axis=(1, 2)).any() for sample in pseudo)


def test_refuses_test_features():
    test = features(TestFeatures, np.repeat(np.array(SPLIT.seen), 11))
    with pytest.raises(Exception, match="TestFeatures|TrainingFeatures"):
        calibrate(test)


def test_features_on_disk_keep_their_part(tmp_path, training):
    training.save(tmp_path / "training.safetensors")
    read = load_features(TrainingFeatures, tmp_path / "training.safetensors")
    assert np.array_equal(read.features, training.features)
    assert np.array_equal(read.labels, training.labels)
    (tmp_path / "damaged.safetensors").write_bytes((tmp_path / "training.safetensors").read_bytes()[:100])
    for name in ("damaged", "missing"):
        with pytest.raises(ScopleError, match=f"{name}.safetensors is {name}.*dvc repro features"):
            load_features(TrainingFeatures, tmp_path / f"{name}.safetensors")


def test_features_say_what_they_belong_to(tmp_path, training):
    path = tmp_path / "training.safetensors"
    replace(training, backbone="b").save(path, split="small", classes="c")
    assert load_features(TrainingFeatures, path, split="small", classes="c").backbone == "b"
    with pytest.raises(ScopleError, match="is of kind 'training features', but kind 'test features' is needed"):
        load_features(TestFeatures, path, split="small", classes="c")
    with pytest.raises(ScopleError, match="is of split 'small', but split 'large' is needed: run"):
        load_features(TrainingFeatures, path, split="large", classes="c")
    training.features[7, 1, 2] = np.nan
    with pytest.raises(ScopleError, match="^features of the training features for .* is not finite"):
        training.save(tmp_path / "more.safetensors")
    assert not (tmp_path / "more.safetensors").exists()
