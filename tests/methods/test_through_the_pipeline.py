"""Every method as the pipeline trains it, from files: what is written is the same whatever the unseen classes are."""

import json
import shutil

import numpy as np
import pytest
import yaml
from each_method import NAMES, SMALL, lasting
from safetensors.torch import load_file
from tiny_towers import tiny_minilm

from scople.base.params import load_params
from scople.base.seeding import numpy_generator, seeded
from scople.base.shapes import JOINTS
from scople.data.class_names import ClassEntry, load_classes, save_classes
from scople.data.joint_features import TrainingFeatures, TrainingIntervals
from scople.pipeline import training
from scople.pipeline.layout import Layout, identity, load_featured_problem

SPLIT, SAMPLES, D, CLASSES = "tiny_9_2", 5, 7, 11
UNSEEN = (3, 8)
GATES = {"entropy", "stacking", "none"}


def small_tower(scale):
    with seeded(1, "tower"):
        return tiny_minilm().float()


def prepare(root, place, unseen):
    """What stands on disk before a training: settings, class names, a split, descriptions, features of seen classes."""
    shutil.copytree(root / "datasets/descriptions", place / "datasets/descriptions")
    (place / "datasets/splits").mkdir()
    ids = [label + 1 for label in UNSEEN]
    (place / f"datasets/splits/{SPLIT}.yaml").write_text(f"unseen: {ids}\npseudo_unseen: [1, 6]\n")
    document = yaml.safe_load((root / "params.yaml").read_text())
    document |= {"datasets": {"tiny": {"raw": "tiny"}}, "splits": {SPLIT: {"dataset": "tiny"}}}
    own = {name: {"demo": SMALL[name] | lasting(name, 2)} for name in SMALL}
    document["variants"] = {"scople": {}} | {name: {"method": name, "settings": own[name]} for name in SMALL}
    document["profiles"]["demo"]["train"] |= {"epochs": 2, "batch_size": 19}
    document["machine"]["device"] = "cpu"
    (place / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    params, layout = load_params(place / "params.yaml"), Layout("demo")

    names = [entry.name for entry in load_classes(root / "datasets/classes/ntu60.csv")][:CLASSES]
    for label, name in zip(UNSEEN, unseen, strict=True):
        names[label] = name
    save_classes([ClassEntry(k + 1, name, False) for k, name in enumerate(names)], layout.classes(SPLIT))
    problem = identity(*load_featured_problem(params, SPLIT))
    labels = np.repeat([label for label in range(CLASSES) if label not in UNSEEN], SAMPLES).astype(np.int64)
    generator = numpy_generator(1, "features")
    features = np.abs(generator.normal(size=(len(labels), 3, JOINTS, D))).astype(np.float32)
    heads = generator.normal(size=(len(labels), CLASSES - len(UNSEEN))).astype(np.float32)
    joints = TrainingFeatures(features.mean(axis=1), labels, heads, "a backbone")
    joints.save(layout.features(SPLIT, "training", 1), **problem)
    intervals = TrainingIntervals(features, labels, np.array([1, 2, 1]), "a backbone")
    intervals.save(layout.intervals(SPLIT, "training", 1), **problem)
    return params


@pytest.mark.parametrize("name", NAMES)
def test_what_a_training_writes_is_the_same_whatever_the_unseen_classes_are(name, root, tmp_path, monkeypatch):
    """The names of the second run stand in no table of descriptions: looking one up would be an error."""
    monkeypatch.setattr(training, "build_tower", small_tower)
    written = []
    for number, unseen in enumerate((("cheer up", "kicking something"), ("ride a horse", "fly a kite"))):
        place = tmp_path / str(number)
        place.mkdir()
        monkeypatch.chdir(place)
        params = prepare(root, place, unseen)
        layout = Layout.of(params, name, "baselines")
        training.train_repeat(params, layout, SPLIT, "1")
        weights = {key: value.numpy().tobytes() for key, value in load_file(layout.model(SPLIT, 1)).items()}
        gates = {key: value for key, value in json.loads(layout.gates(SPLIT, 1).read_text()).items() if key in GATES}
        assert gates
        written.append((weights, gates, layout.history(SPLIT, 1).read_bytes()))
    assert written[0] == written[1]
