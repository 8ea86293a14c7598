"""`verify check` finds real faults, by bytes and by means, and takes other rounding for what it is.

Nine splits of eight classes: enough for a standard error, small enough for a test. A fault is put where it would be
in the code; the committed results come from the code without it.
"""

import json
import shutil
import subprocess
from itertools import combinations

import numpy as np
import pytest
import test_stages
import torch.nn.functional as F
import yaml
from test_stages import inside, workplace  # noqa: F401

from scople.base.arithmetic import settle
from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.commands import verify
from scople.data.class_names import names_of
from scople.data.splits import targets
from scople.model.scople import SCoPLe
from scople.pipeline import assembly, backbones, evaluation, training
from stages import evaluate, features, parse, preflight, pretrain, tables, train

pytestmark = pytest.mark.slow

SPLITS = {f"tiny_6_2_r{number}": list(pair) for number, pair in enumerate(list(combinations(range(1, 9), 2))[::3][:9])}
SCALE = test_stages.SCALE | {
    "pretrain": {
        "width": 4,
        "epochs": 16,
        "batch_size": 8,
        "learning_rate": 0.05,
        "milestones": [14],
        "precision": "float32",
    },
    "train": {"epochs": 4, "batch_size": 16, "learning_rate": 0.003, "autocast": "none"},
}
AUTHOR = ("-c", "user.name=a", "-c", "user.email=a@example.org")


@pytest.fixture(scope="module")
def committed(root, tmp_path_factory):
    """A repository whose committed results are those of the code as it is."""
    place = tmp_path_factory.mktemp("committed")
    test_stages.make_workplace(root, place, training_samples=14)
    document = yaml.safe_load((place / "params.yaml").read_text())
    document["splits"] = {name: {"dataset": "tiny"} for name in SPLITS}
    document["profiles"]["demo"] = SCALE
    document["machine"]["threads"] = 1  # on tensors this small a second one only waits
    (place / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    for name, unseen in SPLITS.items():
        (place / f"datasets/splits/{name}.yaml").write_text(f"unseen: {unseen}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        params = load_params()
        settle(params.machine.arithmetic, params.machine.threads)
        preflight.main(params)
        parse.main(params, "tiny")
        run(params)
        shutil.copytree("work", "committed_work")
        git("init", "-q")
        git("add", "results")
        git(*AUTHOR, "commit", "-qm", "results")
    return place


def run(params, begin="pretrain"):
    """From pre-training or from SCoPLe's training on."""
    for split in params.splits:
        if begin == "pretrain":
            pretrain.main(params, split)
            features.main(params, split)
        train.main(params, split, "1")
        evaluate.main(params, split)
    tables.main(params, "main")


def git(*words):
    subprocess.run(("git", *words), check=True, capture_output=True)


@pytest.fixture
def again(committed, monkeypatch):
    """Back to the committed results and what they were made from; gives the settings."""
    monkeypatch.chdir(committed)
    git("checkout", "-q", "results")
    shutil.rmtree("work")
    shutil.copytree("committed_work", "work")
    params = load_params()
    settle(params.machine.arithmetic, params.machine.threads)
    return params


def elsewhere(monkeypatch, params):
    """As if the results had been computed by another device than the committed ones."""
    monkeypatch.setattr(verify, "machine", lambda *_: {"device": "another", "arithmetic": "native"})
    return verify.check(params)


def without_sampler(patch):
    patch.setattr(assembly, "SCoPLe", lambda *words, **settings: SCoPLe(*words, **settings | {"sampler": False}))


def with_shuffled_labels(patch):
    """One in ten training labels belongs to another sample."""

    def shuffled(labels, seen):
        rows, generator = targets(labels, seen).copy(), np.random.default_rng(len(seen) + len(labels))
        some = generator.choice(len(rows), max(2, len(rows) // 10), replace=False)
        rows[some] = np.roll(rows[some], 1)
        return rows

    patch.setattr(backbones, "targets", shuffled)
    patch.setattr(training, "targets", shuffled)


def with_wrong_texts(patch):
    """The first two of the classes that are asked for have each other's name."""

    def swapped(classes, labels):
        first, second, *rest = names_of(classes, labels)
        return [second, first, *rest]

    patch.setattr(training, "names_of", swapped)
    patch.setattr(evaluation, "names_of", swapped)


@pytest.mark.parametrize(
    ("fault", "begin", "said"),
    [
        (without_sampler, "train", "before training"),
        (with_shuffled_labels, "pretrain", "standard errors"),
        (with_wrong_texts, "train", "no rounding can change it"),
    ],
)
def test_a_fault_is_found_by_bytes_and_by_means(again, monkeypatch, fault, begin, said):
    with monkeypatch.context() as patch:
        fault(patch)
        run(again, begin)
    with pytest.raises(ScopleError, match="files differ from the last commit although both"):
        verify.check(again)
    with pytest.raises(ScopleError, match=said):
        elsewhere(monkeypatch, again)


def test_other_rounding_is_no_fault(again, monkeypatch):
    """Products that are a ten-millionth off, as another device gives them, change bytes and no mean."""
    product = F.linear

    def roughly(*words):
        return product(*words) * (1 + 1e-7)

    with monkeypatch.context() as patch:
        patch.setattr(F, "linear", roughly)
        run(again)
    with pytest.raises(ScopleError, match="files differ"):
        verify.check(again)
    said = elsewhere(monkeypatch, again)
    assert "compared means over splits, not bytes" in said
    assert json.dumps(said).count("standard error") >= 7


def test_the_same_run_has_the_same_bytes(again):
    run(again, "train")
    assert "compared bytes" in verify.check(again)
