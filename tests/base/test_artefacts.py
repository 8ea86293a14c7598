"""Artefacts come back as they were written; of damaged bytes comes one sentence or the same thing."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

from scople.base.artefacts import (
    content_digest,
    load_flat_json,
    load_sealed_json,
    load_table,
    load_tensors,
    load_weights,
    save_json,
    save_sealed_json,
    save_tensors,
)
from scople.base.checkpoints import Checkpoint
from scople.base.errors import ScopleError
from scople.data.class_names import ClassEntry, load_classes, save_classes
from scople.data.corpus import Corpus
from scople.data.joint_features import TestFeatures, TrainingFeatures, load_features
from scople.data.joints import JOINT_NAMES
from scople.data.packing import write_corpus
from scople.data.samples import Sample
from scople.data.splits import Split
from scople.pipeline.layout import identity
from scople.reports.figures import load_attention

AGAIN = "run the stage"
PATH = Path("work/demo/thing")
LONGEST = 300


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def tensors():
    return {"b": torch.tensor([0.5, -2.0]), "a": torch.arange(6).reshape(2, 3), "empty": torch.empty(0, 3)}


def test_tensors_come_back_with_what_they_belong_to():
    save_tensors("model", tensors(), PATH, split="s", settings="x")
    found, described = load_tensors("model", PATH, again=AGAIN, split="s")
    assert {name: tensor.tolist() for name, tensor in found.items()} == {
        name: tensor.tolist() for name, tensor in tensors().items()
    }
    assert content_digest(found) == content_digest(tensors())
    assert (described["split"], described["settings"]) == ("s", "x")
    content = PATH.read_bytes()
    save_tensors("model", dict(reversed(tensors().items())), PATH, settings="x", split="s")
    assert PATH.read_bytes() == content


@pytest.mark.parametrize(
    ("kind", "belongs", "said"),
    [
        ("backbone", {"split": "s"}, "is of kind 'model', but kind 'backbone' is needed"),
        ("model", {"split": "other"}, "is of split 's', but split 'other' is needed"),
        ("model", {"seed": "1"}, "is of no seed, but seed '1' is needed"),
    ],
)
def test_what_belongs_to_something_else_is_refused(kind, belongs, said):
    save_tensors("model", tensors(), PATH, split="s")
    with pytest.raises(ScopleError, match=f"^{PATH} {said}: {AGAIN}.$"):
        load_tensors(kind, PATH, again=AGAIN, **belongs)
    save_sealed_json("model", {"x": 1}, PATH, split="s")
    with pytest.raises(ScopleError, match=f"^{PATH} {said}: {AGAIN}.$"):
        load_sealed_json(kind, PATH, again=AGAIN, **belongs)


def test_weights_of_another_form_are_refused():
    save_tensors("model", torch.nn.Linear(3, 5).state_dict(), PATH)
    load_weights(torch.nn.Linear(3, 5), "model", PATH, again=AGAIN)
    with pytest.raises(ScopleError, match=r"thing has weight as \(5, 3\), but the model has it as \(5, 2\): run"):
        load_weights(torch.nn.Linear(2, 5), "model", PATH, again=AGAIN)
    with pytest.raises(ScopleError, match=r"thing has bias as \(5,\), but the model has it as missing: run"):
        load_weights(torch.nn.Linear(3, 5, bias=False), "model", PATH, again=AGAIN)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nothing_that_is_not_finite_is_written(bad):
    with pytest.raises(ScopleError, match="^b of the model for work/demo/thing is not finite: lower"):
        save_tensors("model", tensors() | {"b": torch.tensor([1.0, bad])}, PATH)
    for save in (save_json, lambda document, path: save_sealed_json("gates", document, path)):
        with pytest.raises(ValueError, match="not JSON compliant"):
            save({"x": [bad]}, PATH)
    assert not any(path.is_file() for path in Path().rglob("*"))


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("{", float, "is no JSON"),
        ("[" * 100_000, float, "is no JSON"),
        ("[]", float, "no JSON object"),
        ("{}", float, "no JSON object"),
        ('{"zsl": NaN}', float, "has 'nan' as 'zsl', but needs a finite number"),
        ('{"zsl": 1e999}', float, "has 'inf' as 'zsl'"),
        ('{"zsl": true}', float, "has 'True' as 'zsl'"),
        ('{"zsl": "50"}', float, "has '50' as 'zsl'"),
        ('{"device": 5}', str, "has '5' as 'device', but needs text"),
    ],
)
def test_flat_json_of_another_form_is_refused(text, kind, said):
    with pytest.raises(ScopleError, match=f"^{PATH} {said}|^{PATH} holds {said}"):
        load_flat_json(text, kind, PATH, again=AGAIN)


def test_flat_json():
    assert load_flat_json('{"zsl": 50, "seen": 0.5}', float, PATH, again=AGAIN) == {"zsl": 50, "seen": 0.5}
    assert load_flat_json('{"torch": "2"}', str, PATH, again=AGAIN) == {"torch": "2"}


COLUMNS = {"label": str, "is_unseen": bool, "count": int, "loss": float}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is no table of the right form"),
        ("label,is_unseen,count,loss\n", "has no row"),
        ("label,is_unseen,count\na,True,1\n", "has no column 'loss'"),
        ("label,is_unseen,count,loss\na,True,1,nan\n", "is no table of the right form"),
        ("label,is_unseen,count,loss\na,True,1,1e999\n", "has a number that is not finite"),
        ("label,is_unseen,count,loss\na,True,1,\n", "is no table of the right form"),
        ("label,is_unseen,count,loss\na,True,1.5,1\n", "is no table of the right form"),
        ("label,is_unseen,count,loss\na,perhaps,1,1\n", "is no table of the right form"),
        ("label,is_unseen,count,loss,more\na,True,1,1,word\n", "is no table of the right form"),
        ("label,is_unseen,count,loss\na,True,1,1,1,1,1\nb,True,1,1\n", "is no table of the right form"),
    ],
)
def test_tables_of_another_form_are_refused(text, said):
    PATH.parent.mkdir(parents=True)
    PATH.write_text(text)
    with pytest.raises(ScopleError, match=f"^{PATH} {said}"):
        load_table(PATH, COLUMNS, again=AGAIN)


def test_tables_keep_words_and_gaps():
    PATH.parent.mkdir(parents=True)
    PATH.write_text("label,is_unseen,count,loss\nnull,True,3,0.5\nNA,False,4,\n")
    table = load_table(PATH, COLUMNS, again=AGAIN, gaps=True)
    assert table["label"].tolist() == ["null", "NA"]
    assert table["is_unseen"].tolist() == [True, False]
    assert table["loss"].isna().tolist() == [False, True]
    with pytest.raises(ScopleError, match="is missing: run the stage"):
        load_table(PATH.with_name("nothing"), COLUMNS, again=AGAIN)


# --- damage of every kind ----------------------------------------------------------------------------------------

CLASSES = [ClassEntry(k + 1, name, k == 2) for k, name in enumerate(["bow", "null", "hug", "wave", "fall"])]
SPLIT = Split(name="small", seen=(0, 2, 3), unseen=(1, 4), pseudo_unseen=(0,))


class Kind(NamedTuple):
    """A kind of artefact: how a sound one is written, and what a reader gets, in a form that can be compared.

    A table has no seal: of it every form is fine that the reader takes, as long as it is finite.
    """

    write: Callable[[], None]
    read: Callable[[], Any]
    files: tuple[Path, ...] = (PATH,)
    is_sealed: bool = True


def plain(tensors):
    return {name: (str(tensor.dtype), tensor.tolist()) for name, tensor in tensors.items()}


def write_features(kind=TestFeatures):
    rng = np.random.default_rng(1)
    parts = rng.normal(size=(4, 5, 3)).astype(np.float32), np.array([0, 1, 4, 2]), np.ones((4, 3), np.float32)
    kind(*parts, backbone="b").save(PATH, **identity(SPLIT, CLASSES))


def read_features():
    found = load_features(TestFeatures, PATH, **identity(SPLIT, CLASSES))
    return found.features.tolist(), found.labels.tolist(), found.backbone_scores.tolist(), found.backbone


def read_weights():
    model = torch.nn.Linear(3, 5)
    load_weights(model, "model", PATH, again=AGAIN, settings="x")
    return plain(model.state_dict())


GATES = {"entropy": {"threshold": 0.25, "thresholds": [0.1, 0.25]}, "none": {"threshold": 0.0, "thresholds": [0.0]}}


def write_model():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        save_tensors("model", torch.nn.Linear(3, 5).state_dict(), PATH, settings="x")


def write_small_corpus():
    rng = np.random.default_rng(1)
    write_corpus(
        PATH,
        [
            Sample(f"s{k}", k, 1, 1, 1, 1, k == 0, rng.normal(size=(1, 2 + k, 25, 3)).astype(np.float32))
            for k in range(3)
        ],
    )


def read_small_corpus():
    corpus = Corpus.open(PATH)
    return corpus.index.to_csv(), [corpus.sequence(row).tolist() for row in range(len(corpus))]


def write_checkpoint():
    parts = {"order": torch.Generator().manual_seed(1), "model": torch.nn.Linear(2, 2, bias=False)}
    torch.nn.init.ones_(parts["model"].weight)
    Checkpoint(PATH).save(parts, [{"epoch": 1, "loss": 0.5}], is_last=True)


def read_checkpoint():
    parts = {"order": torch.Generator(), "model": torch.nn.Linear(2, 2, bias=False)}
    history = Checkpoint(PATH).restore(parts)
    return history, parts["order"].get_state().tolist(), plain(parts["model"].state_dict())


def write_classes():
    """The class list has no seal: the features beside it know its names."""
    save_classes(CLASSES, PATH)
    save_tensors("test features", {}, PATH.with_name("features"), **identity(SPLIT, CLASSES))


def read_classes():
    classes = load_classes(PATH)
    features = PATH.with_name("features")
    load_tensors("test features", features, again=AGAIN, **identity(SPLIT, classes))
    return [entry.name for entry in classes]


def write_attention():
    table = pd.DataFrame(np.full((2, 26), 1 / 26), columns=["prompt 1", *JOINT_NAMES])
    table.insert(0, "is_unseen", [False, True])
    table.insert(0, "label", ["bow", "null"])
    PATH.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(PATH, index=False, float_format="%.6f")


def read_attention():
    table = load_attention(PATH, again=AGAIN)
    assert not np.isinf(table.select_dtypes("number").to_numpy()).any()
    return table.to_csv()


def write_history():
    PATH.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame([{"epoch": 1, "loss": 0.75}, {"epoch": 2, "loss": 0.5}]).to_csv(PATH, index=False)


def read_history():
    table = load_table(PATH, {"epoch": int, "loss": float}, again=AGAIN)
    assert np.isfinite(table.to_numpy(float)).all()
    return table.to_csv()


def read_metrics():
    found = load_flat_json(PATH.read_bytes(), float, PATH, again=AGAIN)
    assert np.isfinite([float(value) for value in found.values()]).all()
    return json.dumps(found)


KINDS = {
    "features": Kind(write_features, read_features),
    "model": Kind(write_model, read_weights),
    "gates": Kind(
        lambda: save_sealed_json("gates", GATES, PATH, split="small"),
        lambda: load_sealed_json("gates", PATH, again=AGAIN, split="small"),
    ),
    "evaluation": Kind(
        lambda: save_sealed_json("evaluation", {"gates": [GATES], "per_class": [{"accuracy": None}]}, PATH),
        lambda: load_sealed_json("evaluation", PATH, again=AGAIN),
    ),
    "corpus": Kind(
        write_small_corpus,
        read_small_corpus,
        tuple(PATH / name for name in ("index.csv", "sequences.npy", "digests.json")),
    ),
    "checkpoint": Kind(write_checkpoint, read_checkpoint),
    "classes": Kind(write_classes, read_classes),
    "attention": Kind(write_attention, read_attention, is_sealed=False),
    "history": Kind(write_history, read_history, is_sealed=False),
    "metrics": Kind(lambda: save_json({"zsl": 50.0, "seen": 33.25}, PATH), read_metrics, is_sealed=False),
}
JUNK = b"nan NaN Infinity 1e999 -1 0 {} [] null true 9999999999999999999999 1.5 \n , : { } [ ] \x00 \xff\xfe".split(
    b" "
) + [b"", b" ", b'"', b"9" * 400, b"[" * 2000, b"PK\x03\x04", b"\x93NUMPY\x01\x00"]


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A bit, a few bytes or a field of it changed, inserted, removed, swapped or repeated; or it is cut or empty."""
    start = int(rng.integers(len(content)))
    end = min(len(content), start + int(rng.integers(1, 40)))
    junk = JUNK[rng.integers(len(JUNK))]
    match int(rng.integers(8)):
        case 0:
            return content[:start] + bytes([content[start] ^ (1 << int(rng.integers(8)))]) + content[start + 1 :]
        case 1:
            return content[:start]
        case 2:
            return content[:start] + junk + content[start:]
        case 3:
            return content[:start] + content[end:]
        case 4:
            return content[:start] + content[start:end][::-1] + content[end:]
        case 5:
            return content[:end] + content[start:]
        case 6:
            fields = list(re.finditer(rb"[^\s,:{}\[\]]+", content))
            field = fields[rng.integers(len(fields))]
            return content[: field.start()] + junk + content[field.end() :]
        case _:
            return junk


def outcomes(kind: Kind, count: int) -> set[str]:
    """What came of so many damages."""
    kind.write()
    sound = kind.read()
    rng = np.random.default_rng(1)
    found = set()
    for number in range(count):
        path = kind.files[number % len(kind.files)]
        content = path.read_bytes()
        path.write_bytes(damaged(content, rng))
        sentence = ""
        try:
            got = kind.read()
        except ScopleError as error:
            sentence = str(error)
        assert len(sentence) <= LONGEST, sentence
        assert sentence.endswith(".") or not kind.is_sealed or got == sound
        found.add("refused" if sentence else "read")
        path.write_bytes(content)
    assert kind.read() == sound
    return found


@pytest.mark.parametrize("name", KINDS)
def test_damage_gives_one_sentence_or_the_same_thing(name):
    assert "refused" in outcomes(KINDS[name], 60)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_a_thousand_damages_give_one_sentence_or_the_same_thing(name):
    assert "refused" in outcomes(KINDS[name], 1000)


def test_the_other_part_of_the_features_is_no_damage_and_refused():
    write_features(TrainingFeatures)
    with pytest.raises(ScopleError, match="is of kind 'training features', but kind 'test features' is needed"):
        read_features()
