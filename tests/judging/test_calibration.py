"""Calibrating the gates: what it may open, and what it gives."""

import json
from dataclasses import replace

import numpy as np
import pytest
from constant_text import FEATURE_WIDTH, JOINTS

from scople.base.errors import ScopleError
from scople.data.joint_features import CalibrationFeatures, TestFeatures, TrainingFeatures, load_features
from scople.data.splits import Split
from scople.judging.calibration import calibrate_gates, calibrate_gates_of_head

SPLIT = Split(name="small", seen=(0, 1, 3, 4, 5, 7), unseen=(2, 6), pseudo_unseen=(3, 5))
SETTINGS = {"gate_holdout": 0.3, "seed": 1}


def features(kind, labels, seed=3):
    rng = np.random.default_rng(seed)
    return kind(
        features=rng.normal(size=(len(labels), JOINTS, FEATURE_WIDTH)).astype(np.float32),
        labels=labels,
        backbone_scores=np.zeros((len(labels), len(SPLIT.seen)), np.float32),
    )


def trial_on(training):
    """A way to train that tells classes by the means of their samples, and how often and on what it was asked."""
    asked = []

    def trial(split, learned, judged):
        asked.append((split, learned, judged))
        means = {label: training.features[learned][training.labels[learned] == label].mean(0) for label in split.seen}
        means |= {label: means[split.seen[0]] + label for label in split.unseen}
        scores = [
            [-np.square(sample - means[k]).sum() for k in split.seen + split.unseen]
            for sample in training.features[judged]
        ]
        return np.split(np.array(scores), [len(split.seen)], axis=1)

    return trial, asked


def calibrate(training):
    return calibrate_gates(trial_on(training)[0], training, SPLIT, **SETTINGS)


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


def test_nothing_learns_from_pseudo_unseen_samples_and_all_others_are_judged(training):
    trial, asked = trial_on(training)
    calibrate_gates(trial, training, SPLIT, **SETTINGS)
    ((split, learned, judged),) = asked
    assert (split.seen, split.unseen) == ((0, 1, 4, 7), (3, 5))
    assert set(training.labels[learned]) == set(split.seen)
    assert sorted([*learned, *judged]) == list(range(len(training.labels)))
    assert len(judged) == 2 * 11 + 4 * 3  # both pseudo-unseen classes, and 30 % of 11 of each other class


def test_a_gate_that_tells_them_apart_gets_a_threshold_between_them(training):
    def trial(split, learned, judged):
        is_unseen = np.isin(training.labels[judged], split.unseen)
        seen = np.zeros((len(judged), len(split.seen)))
        for row, label in enumerate(training.labels[judged]):
            if label in split.seen:
                seen[row, split.seen.index(label)] = 9
        unseen = (training.labels[judged][:, None] == np.array(split.unseen)) - 1.0
        return seen, np.where(is_unseen[:, None], unseen, -1)

    gates = calibrate_gates(trial, training, SPLIT, **SETTINGS)
    assert gates["entropy"]["harmonic"] == 100
    assert gates["entropy"]["median_seen"] < gates["entropy"]["threshold"] < gates["entropy"]["median_unseen"]


@pytest.mark.parametrize(("head", "method"), [(30.0, 0.0), (-5.0, 7.0)])
def test_the_heads_and_the_methods_scales_move_no_threshold(training, head, method):
    """A softmax does not change when a number is added to all of its logits, so no gate may."""
    known = training.labels
    learned = np.isin(known, SPLIT.pseudo_unseen, invert=True) & (np.arange(len(known)) % 11 > 3)
    logits = np.random.default_rng(5).normal(size=(len(known), len(SPLIT.seen) - len(SPLIT.pseudo_unseen)))
    trial, _ = trial_on(training)

    def moved(*asked):
        seen, unseen = trial(*asked)
        return seen, unseen + method

    def chosen(trial, logits):
        scores = logits.astype(np.float32)
        calibration = CalibrationFeatures(training.features, known, scores, is_learned=learned)
        gates = calibrate_gates_of_head(trial, calibration, SPLIT)
        return [gates[gate]["threshold"] for gate in ("entropy", "stacking", "none")]

    assert chosen(moved, logits + head) == pytest.approx(chosen(trial, logits), abs=1e-5)


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
