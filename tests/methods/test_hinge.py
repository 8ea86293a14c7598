"""The hinge against loops and hand-made numbers."""

import pytest
import torch

from scople.methods.hinge import hinge

BATCH, CLASSES, WIDTH, MARGIN = 3, 5, 7, 0.3


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_by_hand():
    own = torch.tensor([[1.0, 0.0]])
    candidates = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert hinge(own, own, candidates, MARGIN).item() == pytest.approx(0.3)


def test_equal_candidates_count_the_margin_each():
    row = drawn(1, WIDTH, seed=1)
    loss = hinge(drawn(BATCH, WIDTH, seed=2), row.expand(BATCH, -1), row.expand(CLASSES, -1), MARGIN)
    assert loss.item() == pytest.approx(0.3 * CLASSES)


def test_by_loops_and_never_below_the_margin():
    skeletons, candidates = drawn(BATCH, WIDTH, seed=1), drawn(CLASSES, WIDTH, seed=2)
    targets = [4, 0, 4]
    total = 0.0
    for b in range(BATCH):
        for y in range(CLASSES):
            products = [sum(skeletons[b, q] * candidates[k, q] for q in range(WIDTH)) for k in (y, targets[b])]
            total += max(0.0, (MARGIN + products[0] - products[1]).item())
    assert hinge(skeletons, candidates[targets], candidates, MARGIN).item() == pytest.approx(total / BATCH, rel=1e-12)
    far = hinge(100 * candidates[targets], candidates[targets], candidates, MARGIN)
    assert far.item() >= MARGIN - 1e-12


def test_no_gradient_reaches_the_candidates():
    skeletons, candidates = drawn(BATCH, WIDTH, seed=1), drawn(CLASSES, WIDTH, seed=2).requires_grad_()
    own = drawn(BATCH, WIDTH, seed=3).requires_grad_()
    hinge(skeletons, own, candidates, MARGIN).backward()
    assert candidates.grad is None
    assert (own.grad != 0).any()
