"""A training killed after any epoch ends as if nothing had happened; checkpoints cost little and are never mixed up."""

import numpy as np
import pytest
import torch
from bare_scople import fit
from constant_text import ConstantText
from torch.utils.data import Dataset

from scople.backbone.pretraining import pretrain
from scople.base import checkpoints
from scople.base.checkpoints import Checkpoint, fingerprint
from scople.base.errors import ScopleError
from scople.base.seeding import seeded
from scople.base.shapes import JOINTS, PERSONS
from scople.model.scople import SCoPLe

EPOCHS, CLASSES, SAMPLES = 5, 3, 17


class Killed(BaseException):
    pass


class Sequences(Dataset):
    def __init__(self, values):
        self.values = values

    def __len__(self):
        return len(self.values)

    def __getitem__(self, item):
        return torch.from_numpy(self.values[item])


@pytest.fixture
def always_kept(monkeypatch):
    monkeypatch.setattr(checkpoints, "PAUSE", 0)


def pretrained(checkpoint=None, workers=0):
    rng = np.random.default_rng(1)
    sequences = Sequences(rng.normal(size=(SAMPLES, 3, 8, JOINTS, PERSONS)).astype(np.float32))
    model, history = pretrain(
        sequences,
        np.arange(SAMPLES) % CLASSES,
        CLASSES,
        width=2,
        epochs=EPOCHS,
        batch_size=7,
        learning_rate=0.1,
        milestones=[2, 4],
        position_gradient="sign",
        seed=1,
        device="cpu",
        workers=workers,
        checkpoint=checkpoint,
    )
    return model, history


def fitted(checkpoint=None):
    rng = np.random.default_rng(2)
    names = [f"class {k}" for k in range(CLASSES)]
    with seeded(1, "model"):
        model = SCoPLe(
            ConstantText.random(names, 13),
            text_width=13,
            feature_width=11,
            joint_prompts=2,
            joint_prompt_std=0.02,
            sampler=True,
            sampler_width=5,
            representation_width=7,
            sampler_query="raw",
            sampler_bias=False,
            token_norm=False,
            projection_hidden=19,
            similarity="cosine",
            temperature=0.07,
            learn_temperature=True,
        )
    history = fit(
        model,
        rng.normal(size=(SAMPLES, JOINTS, 11)).astype(np.float32),
        np.arange(SAMPLES) % CLASSES,
        names,
        epochs=EPOCHS,
        batch_size=7,
        learning_rate=0.01,
        training_query="candidate",
        text_weight=0.5,
        autocast="none",
        seed=1,
        device=torch.device("cpu"),
        checkpoint=checkpoint,
    )
    return model, history


def result(model, history):
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}, history


@pytest.mark.usefixtures("always_kept")
@pytest.mark.parametrize("train", [pretrained, fitted])
def test_killed_after_every_epoch_it_ends_with_the_same_bytes(train, tmp_path, monkeypatch):
    undisturbed = result(*train())
    path = tmp_path / "training.pt"
    save = Checkpoint.save

    def killed_after_it(self, *args, **kwargs):
        save(self, *args, **kwargs)
        raise Killed

    monkeypatch.setattr(Checkpoint, "save", killed_after_it)
    for epoch in range(1, EPOCHS + 1):
        with pytest.raises(Killed):
            train(Checkpoint(path))
        assert len(torch.load(path, weights_only=True)["history"]) == epoch
    monkeypatch.setattr(Checkpoint, "save", lambda *_, **__: pytest.fail("there was nothing left to train"))
    assert result(*train(Checkpoint(path))) == undisturbed


@pytest.mark.slow
@pytest.mark.usefixtures("always_kept")
@pytest.mark.parametrize("train", [pretrained, fitted])
def test_killed_within_an_epoch_it_ends_with_the_same_bytes(train, tmp_path, monkeypatch):
    undisturbed = result(*train())
    path = tmp_path / "training.pt"
    kinds = (torch.optim.SGD, torch.optim.Adam)
    steps = {kind: kind.step for kind in kinds}
    done = 0

    def killed_now_and_then(self, *args, **kwargs):
        nonlocal done
        steps[type(self)](self, *args, **kwargs)
        done += 1
        if done % 4 == 0:
            raise Killed

    for kind in kinds:
        monkeypatch.setattr(kind, "step", killed_now_and_then)
    for _ in range(20):
        try:
            trained = train(Checkpoint(path))
            break
        except Killed:
            continue
    assert done > 11
    assert result(*trained) == undisturbed


@pytest.mark.slow
@pytest.mark.usefixtures("always_kept")
def test_workers_do_not_change_what_a_resumed_training_gives(tmp_path):
    undisturbed = result(*pretrained())
    checkpoint = Checkpoint(tmp_path / "training.pt")
    save = checkpoint.save

    def killed(state, history, *, is_last):
        save(state, history, is_last=is_last)
        raise Killed

    checkpoint.save = killed
    with pytest.raises(Killed):
        pretrained(checkpoint, workers=1)
    assert result(*pretrained(Checkpoint(tmp_path / "training.pt"), workers=1)) == undisturbed


def test_writing_takes_one_per_cent_of_the_time(tmp_path, monkeypatch):
    now = 1000.0
    written = []

    class Clock:
        @staticmethod
        def monotonic():
            return now

    def save(state, file):
        nonlocal now
        now += 2  # seconds
        written.append(len(state["history"]))
        file.write(b"x")

    monkeypatch.setattr(checkpoints, "time", Clock)
    monkeypatch.setattr(torch, "save", save)
    checkpoint = Checkpoint(tmp_path / "training.pt")
    for epoch in range(1, 30):
        now += 11
        checkpoint.save({}, [{"epoch": k} for k in range(epoch)], is_last=epoch == 29)
    assert written == [1, 20, 29]  # 19 epochs of 11 seconds are the first 200 seconds; the last is always kept


def test_only_one_of_several_processes_writes(tmp_path):
    Checkpoint(tmp_path / "training.pt", writes=False).save({}, [], is_last=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "another document", "one bit", "folder"])
def test_a_damaged_checkpoint_gives_one_sentence(tmp_path, damage):
    path = tmp_path / "training.pt"
    Checkpoint(path).save({"order": torch.Generator().manual_seed(1)}, [{"epoch": 1}], is_last=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "folder":
        path.unlink()
        path.mkdir()
    elif damage == "another document":
        torch.save({}, path)
    else:
        path.write_bytes({"empty": b"", "text": b"no checkpoint", "cut": content[:-9], "one bit": content}[damage])
    with pytest.raises(ScopleError, match=r"training\.pt (is damaged|cannot be read): remove it"):
        Checkpoint(path).restore({})


def test_a_full_disk_leaves_the_checkpoint_before(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "training.pt")
    parts = {"order": torch.Generator().manual_seed(1)}
    checkpoint.save(parts, [{"epoch": 1}], is_last=True)
    before = (tmp_path / "training.pt").read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(ScopleError, match=r"training\.pt cannot be written, the disk is full: free"):
        checkpoint.save(parts, [{"epoch": 1}, {"epoch": 2}], is_last=True)
    assert [path.name for path in tmp_path.iterdir()] == ["training.pt"]
    assert (tmp_path / "training.pt").read_bytes() == before


def test_a_fingerprint_is_of_names_contents_and_settings(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("a")
    two.write_text("b")
    known = fingerprint({"x": 1, "y": [2]}, {"p": one, "q": two})
    assert fingerprint({"y": [2], "x": 1}, {"q": two, "p": one}) == known
    others = [
        fingerprint({"x": 1, "y": [3]}, {"p": one, "q": two}),
        fingerprint({"x": 1, "y": [2]}, {"p": two, "q": one}),
        fingerprint({"x": 1, "y": [2]}, {"p": one}),
    ]
    two.write_text("c")
    others.append(fingerprint({"x": 1, "y": [2]}, {"p": one, "q": two}))
    assert known not in others
    assert len(set(others)) == 4
