"""Batches are those of PyTorch's loader with the same generator, kept or read, in one process or several."""

import pytest
import torch
from torch.utils.data import DataLoader, Dataset, RandomSampler, StackDataset

from scople.backbone import feeding
from scople.backbone.feeding import Feed, Order, is_kept
from scople.base.errors import ScopleError
from scople.base.seeding import torch_generator

SAMPLES, BATCH = 23, 7


class Numbered(Dataset):
    """Sequence i holds nothing but numbers from 100 i on; it counts how often it is read."""

    def __init__(self, samples=SAMPLES):
        self.samples, self.read = samples, 0

    def __len__(self):
        return self.samples

    def __getitem__(self, item):
        self.read += 1
        return 100.0 * item + torch.arange(30.0).view(3, 5, 1, 2)


TARGETS = torch.arange(SAMPLES) % 5


def order(samples=SAMPLES, batch_size=BATCH, **part):
    return Order(samples, batch_size, torch_generator(1, "order"), **part)


def expected(epochs, samples=SAMPLES, batch_size=BATCH):
    """PyTorch's own loader."""
    dataset = StackDataset(Numbered(samples), TARGETS[:samples])
    sampler = RandomSampler(dataset, generator=torch_generator(1, "order"))
    batches = DataLoader(dataset, batch_size, sampler=sampler, drop_last=True)
    return [batch for _ in range(epochs) for batch in batches]


def require_equal(found, wanted):
    assert len(found) == len(wanted)
    for (x, target), (same_x, same_target) in zip(found, wanted, strict=True):
        assert x.is_contiguous()
        assert torch.equal(x, same_x)
        assert torch.equal(target, same_target)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("largest", [2**30, 0])
@pytest.mark.parametrize("samples", [SAMPLES, 21])  # 21 is whole batches, and the generator has still to go on alike
def test_batches_are_those_of_pytorchs_loader(monkeypatch, largest, workers, samples):
    monkeypatch.setattr(feeding, "LARGEST_KEPT", largest)
    monkeypatch.setattr(feeding, "READ_TOGETHER", 11)
    sequences = Numbered(samples)
    feed = Feed(sequences, TARGETS[:samples], order(samples), "cpu", workers=workers)
    assert (feed.kept is not None) == (largest > 0)
    require_equal([batch for _ in range(3) for batch in feed], expected(3, samples))
    if largest and not workers:
        assert sequences.read == samples + 1  # each once, and the first to know its size


def test_the_parts_of_a_batch_make_the_whole():
    whole, parts = (
        order(batch_size=6).epoch(),
        [order(batch_size=6, part=part, parts=3).epoch() for part in range(3)],
    )
    assert whole.shape == (3, 6)
    assert torch.equal(torch.cat(parts, 1), whole)
    assert list(order(batch_size=6, part=1, parts=3)) == parts[1].tolist()


def test_parts_that_would_not_be_equal_are_refused():
    with pytest.raises(ScopleError, match="A batch of 7 samples cannot be shared equally among 2 processes"):
        order(parts=2)


def test_what_is_kept(monkeypatch):
    class Memory:
        available = 4 * 2**30

    monkeypatch.setattr(feeding.psutil, "virtual_memory", lambda: Memory)
    assert is_kept(2**30, "cpu")
    assert not is_kept(2**30 + 1, "cpu")
    Memory.available -= 1
    assert not is_kept(2**30, "cpu")


def test_what_is_kept_on_a_gpu(monkeypatch):
    """A quarter of what is free, with what PyTorch holds without using it, and only beside a step."""
    for name, value in (("mem_get_info", (70, 80)), ("memory_reserved", 19), ("memory_allocated", 9)):
        monkeypatch.setattr(torch.cuda, name, lambda _, value=value: value)
    assert is_kept(20, "cuda")
    assert not is_kept(21, "cuda")
    assert is_kept(20, "cuda", step=60)
    assert not is_kept(20, "cuda", step=61)


@pytest.mark.gpu
@pytest.mark.parametrize("share", [4, 10**9])
def test_batches_on_a_gpu(monkeypatch, share):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    monkeypatch.setattr(feeding, "SHARE", share)
    feed = Feed(Numbered(), TARGETS, order(), "cuda", workers=1)
    assert (feed.kept is not None) == (share == 4)
    found = [(x.cpu(), target.cpu()) for _ in range(3) for x, target in feed]
    require_equal(found, expected(3))
