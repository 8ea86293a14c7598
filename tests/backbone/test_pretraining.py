"""The recipe: what is decayed, what is dropped, what repeats, and that it learns."""

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from scople.backbone.feeding import Feed, Order
from scople.backbone.pretraining import extract, load_backbone, parameter_groups, pretrain, train_epoch
from scople.backbone.shift_gcn import ShiftGCN
from scople.base import progress
from scople.base.artefacts import save_tensors
from scople.base.errors import ScopleError
from scople.base.seeding import seeded
from scople.base.shapes import JOINTS, PERSONS

RECIPE = {
    "width": 2,
    "epochs": 2,
    "batch_size": 8,
    "learning_rate": 0.1,
    "milestones": [1],
    "position_gradient": "sign",
    "seed": 3,
    "device": "cpu",
}


class Waving(Dataset):
    """Class k moves the joints of the first person along axis k."""

    def __init__(self, samples, classes=3, frames=20):
        rng = np.random.default_rng(1)
        self.targets = np.arange(samples) % classes
        self.sequences = rng.normal(scale=0.1, size=(samples, 3, frames, JOINTS, PERSONS)).astype(np.float32)
        wave = np.sin(np.arange(frames)[:, None] + np.arange(JOINTS))
        for sequence, target in zip(self.sequences, self.targets, strict=True):
            sequence[target, :, :, 0] += wave * rng.uniform(0.5, 1.5)

    def __len__(self):
        return len(self.sequences)

    def __getitem__(self, i):
        return torch.from_numpy(self.sequences[i])


@pytest.mark.slow
def test_learns_what_can_be_separated():
    training = Waving(48)
    longer = RECIPE | {"width": 4, "epochs": 16, "milestones": [10]}
    model, history = pretrain(training, training.targets, 3, **longer)
    assert history[-1]["loss"] < history[0]["loss"] / 4
    assert history[-1]["accuracy"] > 90
    found = extract(model, training, batch_size=7, device="cpu")
    assert found.features.shape == (48, JOINTS, 16)
    assert (found.logits.argmax(1) == training.targets).mean() > 0.9


def test_history_says_what_was_done():
    training = Waving(19)
    _, history = pretrain(training, training.targets, 3, **RECIPE)
    assert [row["epoch"] for row in history] == [1, 2]
    assert [row["learning_rate"] for row in history] == pytest.approx([0.1, 0.01])
    # Two whole batches of 8: accuracies are sixteenths.
    assert all(row["accuracy"] * 16 / 100 == pytest.approx(round(row["accuracy"] * 16 / 100)) for row in history)


def weights(model):
    return {name: tensor.numpy().tobytes() for name, tensor in model.state_dict().items()}


def test_same_seed_same_bytes():
    training = Waving(19)
    models = [pretrain(training, training.targets, 3, **RECIPE) for _ in range(2)]
    assert weights(models[0][0]) == weights(models[1][0])
    assert models[0][1] == models[1][1]
    other, _ = pretrain(training, training.targets, 3, **(RECIPE | {"seed": 4}))
    assert weights(other) != weights(models[0][0])


def test_nothing_else_draws_from_the_global_generator():
    training = Waving(9)
    before = torch.get_rng_state()
    pretrain(training, training.targets, 3, **RECIPE)
    assert torch.equal(torch.get_rng_state(), before)


def test_workers_do_not_change_the_result():
    training = Waving(9)
    alone, _ = pretrain(training, training.targets, 3, **RECIPE)
    helped, _ = pretrain(training, training.targets, 3, **RECIPE, workers=1)
    assert weights(alone) == weights(helped)


def test_few_samples_make_one_batch():
    training = Waving(5)
    start, _ = pretrain(training, training.targets, 3, **(RECIPE | {"learning_rate": 1e-30}))
    model, history = pretrain(training, training.targets, 3, **RECIPE)
    assert len(history) == 2
    assert weights(start)["fc.weight"] != weights(model)["fc.weight"]


def test_a_long_epoch_says_what_is_left_of_it(monkeypatch, capsys):
    monkeypatch.setattr(progress, "PACE", 0)
    training = Waving(19)
    pretrain(training, training.targets, 3, **RECIPE)
    lines = [line.split(" [")[0] for line in capsys.readouterr().err.splitlines()]
    assert "Shift-GCN, epoch 2:  50% 1/2" in lines
    assert "Shift-GCN:  50% 1/2" in lines


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode")
def test_no_step_waits_for_the_host_or_the_host_for_a_step():
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    # The first blocks' maps are shifted in the way of long ones, the others in the way of short ones.
    training, device = Waving(19, frames=40), torch.device("cuda")
    with seeded(1, "test"):
        model = ShiftGCN(num_classes=3, width=2).to(device).train()
    optimiser = torch.optim.SGD(parameter_groups(model), 0.1, momentum=0.9, nesterov=True)
    feed = Feed(training, torch.tensor(training.targets), Order(19, 8, torch.Generator()), device)

    def guarded():
        """Any wait is an error from the second batch on, until the epoch's numbers are read."""
        for number, batch in enumerate(feed):
            torch.cuda.set_sync_debug_mode("error" if number else "default")
            yield batch
        torch.cuda.set_sync_debug_mode("default")

    try:
        for precision in ("float32", "bfloat16"):
            train_epoch(model, guarded(), optimiser, device, precision)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_weight_decay_groups():
    model = ShiftGCN(num_classes=3, width=2)
    decay = {id(p): group["weight_decay"] for group in parameter_groups(model) for p in group["params"]}
    named = dict(model.named_parameters())
    assert decay.keys() == {id(p) for p in named.values()}
    by_name = {name: decay[id(p)] for name, p in named.items()}
    assert {n for n, d in by_name.items() if d == 1e-3} == {f"l{i}.gcn1.linear_weight" for i in range(1, 11)}
    assert {n for n, d in by_name.items() if d == 0} == {f"l{i}.gcn1.feature_mask" for i in range(1, 11)}
    assert {d for d in by_name.values()} == {1e-3, 1e-4, 0}


def test_a_loss_that_is_no_number_stops_the_training():
    training = Waving(9)
    training.sequences[4, 0, 0, 0, 0] = np.nan
    with pytest.raises(ScopleError, match=r"loss is nan after epoch 1.*0\.1"):
        pretrain(training, training.targets, 3, **RECIPE)


def test_no_sequences():
    with pytest.raises(ScopleError, match="0 sequences"):
        pretrain(Waving(0), np.empty(0, dtype=np.int64), 3, **RECIPE)


def test_features_do_not_depend_on_the_batch():
    with seeded(1, "test"):
        model = ShiftGCN(num_classes=5, width=2)
    sequences = Waving(11)
    found = extract(model, sequences, batch_size=11, device="cpu")
    one_by_one = extract(model, sequences, batch_size=3, device="cpu")
    for name in ("features", "intervals", "logits"):
        np.testing.assert_allclose(getattr(found, name), getattr(one_by_one, name), rtol=1e-5, atol=1e-6)
    weight, bias = model.fc.weight.detach().numpy(), model.fc.bias.detach().numpy()
    np.testing.assert_allclose(found.logits, found.features.mean(1) @ weight.T + bias, rtol=1e-5)


def test_interval_features_equal_loops():
    with seeded(1, "test"):
        model = ShiftGCN(num_classes=5, width=2).eval()
    sequences = Waving(7)
    found = extract(model, sequences, batch_size=3, device="cpu")
    assert found.lengths == (2, 1, 2)
    with torch.no_grad():
        last = model.last_map(torch.from_numpy(sequences.sequences)).numpy().reshape(8, JOINTS, 7, PERSONS, 5)
    for n in range(7):
        for i, (start, end) in enumerate([(0, 2), (2, 3), (3, 5)]):
            total = np.zeros((8, JOINTS))
            for m in range(PERSONS):
                for t in range(start, end):
                    total += last[:, :, n, m, t]
            np.testing.assert_allclose(found.intervals[n, i], total.T / (PERSONS * (end - start)), rtol=1e-5, atol=1e-6)
    weighted = np.einsum("nivd,i->nvd", found.intervals.astype(np.float64), np.array(found.lengths) / 5)
    np.testing.assert_allclose(weighted, found.features, rtol=1e-5, atol=1e-6)


def test_every_interval_needs_a_step():
    with pytest.raises(ScopleError, match="2 steps of time cannot be cut into 3 intervals: use more frames"):
        extract(ShiftGCN(num_classes=3, width=2), Waving(2, frames=8), batch_size=2, device="cpu")


def test_backbone_survives_its_file(tmp_path):
    training = Waving(9)
    model, _ = pretrain(training, training.targets, 3, **RECIPE)
    save_tensors("backbone", model.state_dict(), tmp_path / "backbone.safetensors")
    loaded = load_backbone(tmp_path / "backbone.safetensors", num_classes=3, width=2)
    for ours, theirs in zip(
        extract(loaded, training, batch_size=4, device="cpu"),
        extract(model, training, batch_size=4, device="cpu"),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


@pytest.mark.parametrize("size", [{"num_classes": 4, "width": 2}, {"num_classes": 3, "width": 3}])
def test_backbone_of_another_size_is_refused(tmp_path, size):
    save_tensors("backbone", ShiftGCN(num_classes=3, width=2).state_dict(), tmp_path / "backbone.safetensors")
    with pytest.raises(ScopleError, match="dvc repro pretrain"):
        load_backbone(tmp_path / "backbone.safetensors", **size)


@pytest.mark.parametrize("content", [None, b"not a safetensors file"])
def test_missing_or_damaged_backbone(tmp_path, content):
    path = tmp_path / "backbone.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ScopleError, match=r"backbone\.safetensors"):
        load_backbone(path, num_classes=3, width=2)
