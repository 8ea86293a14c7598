"""ReViSE: MMD, the penalty and the loss against loops; what every method owes."""

import math

import pytest
import torch
from toy_classes import CLASSES, build, stands_the_checks, toy_samples, toy_texts

from scople.methods.method import Progress, Samples
from scople.methods.revise import Revise, ReviseSettings, contraction, mmd
from scople.methods.sizes import Sizes

SMALL = ReviseSettings(hidden=23, text_hidden=19, width=11, learning_rate=1e-2)
START = Progress(0, 1, 0, 1)


def drawn(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def kernel(a: torch.Tensor, b: torch.Tensor) -> float:
    return math.exp(-32 * sum((x - y) ** 2 for x, y in zip(a.tolist(), b.tolist(), strict=True)))


def test_mmd_by_hand():
    found = mmd(torch.tensor([[0.0]]), torch.tensor([[0.1]]), torch.tensor([1.0]), 32.0)
    assert found.item() == pytest.approx(2 - 2 * math.exp(-0.32), rel=1e-6)
    assert found.item() == pytest.approx(0.547702, abs=1e-6)


def test_mmd_by_loops_over_the_pairs_of_the_batch():
    codes, classes, targets = 0.1 * drawn(5, 3), 0.1 * drawn(4, 3, seed=2), [3, 0, 3, 1, 3]
    total = 0.0
    for i in range(5):
        for j in range(5):
            g_i, g_j = classes[targets[i]], classes[targets[j]]
            total += kernel(codes[i], codes[j]) + kernel(g_i, g_j) - kernel(codes[i], g_j) - kernel(g_i, codes[j])
    counts = torch.tensor([1.0, 1.0, 0.0, 3.0], dtype=torch.float64)
    assert mmd(codes, classes, counts, 32.0).item() == pytest.approx(total / 25, rel=1e-10)


def test_mmd_of_equal_sets_is_zero_and_order_and_rotation_do_not_matter():
    codes, classes, counts = 0.1 * drawn(5, 3), 0.1 * drawn(5, 3, seed=2), torch.ones(5, dtype=torch.float64)
    assert mmd(codes, codes, counts, 32.0).item() == pytest.approx(0, abs=1e-12)
    found = mmd(codes, classes, counts, 32.0)
    torch.testing.assert_close(mmd(codes[[4, 2, 0, 1, 3]], classes[[1, 0, 4, 3, 2]], counts, 32.0), found)
    turn = torch.linalg.qr(drawn(3, 3, seed=3)).Q
    torch.testing.assert_close(mmd(codes @ turn, classes @ turn, counts, 32.0), found)


def test_contraction_is_the_norm_of_the_jacobian():
    layer = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.ReLU()).double()
    x = drawn(3, 5)
    jacobian = torch.func.vmap(torch.func.jacrev(layer))(x)
    torch.testing.assert_close(contraction(layer(x), layer[0].weight), jacobian.square().sum() / 3)


@pytest.mark.parametrize("weight", [0.0, 0.1])
def test_the_loss_of_a_batch_of_three_by_loops(weight):
    method = build(Revise, ReviseSettings(hidden=11, text_hidden=19, width=7, contraction=weight)).double()
    texts = toy_texts()
    texts.fields["name"] = texts.fields["name"].double()
    batch = Samples(toy_samples().features[[2, 0, 6]].double(), torch.tensor([2, 0, 2]))
    (update,) = method.updates(batch, texts, START, torch.Generator())

    x = [torch.log(1 + row.mean(dim=(0, 1))) for row in batch.features]
    h, g = [method.skeleton["encoder"](row) for row in x], [method.text["encoder"](row) for row in texts.fields["name"]]
    s, e = [method.skeleton["map"](row) for row in h], [method.text["map"](row) for row in g]
    own = batch.targets.tolist()
    expected = 0.0
    for b in range(3):
        for y in range(CLASSES):
            expected += max(0.0, (0.3 + s[b] @ e[y] - s[b] @ e[own[b]]).item()) / 3
        expected += (method.skeleton["decoder"](h[b]) - x[b]).square().mean().item() / 3
        expected += (method.text["decoder"](g[own[b]]) - texts.fields["name"][own[b]]).square().mean().item() / 3
        for j in range(3):
            cross = kernel(h[b], g[own[j]]) + kernel(g[own[b]], h[j])
            expected += (kernel(h[b], h[j]) + kernel(g[own[b]], g[own[j]]) - cross) / 9
        jacobian = torch.func.jacrev(method.skeleton["encoder"])(x[b])
        expected += weight * jacobian.square().sum().item() / 3
    assert update.loss.item() == pytest.approx(expected, rel=1e-6)
    assert update.loss.item() == pytest.approx(sum(term.item() for term in update.terms.values()))


def test_no_skeleton_is_input_zero():
    method = build(Revise, SMALL)
    assert (method.inputs(torch.zeros(2, 1, 5, 13)) == 0).all()


def test_only_the_text_half_decays():
    method = build(Revise, SMALL)
    skeleton, text = method.groups()["model"]
    assert (skeleton["weight_decay"], text["weight_decay"]) == (0.0, 1e-3)
    assert {id(p) for p in skeleton["params"]} == {id(p) for p in method.skeleton.parameters()}
    assert len(skeleton["params"]) + len(text["params"]) == len(list(method.parameters()))


def test_parameters_at_the_papers_scale():
    method = Revise(ReviseSettings(), Sizes(256, 512, 55))
    assert sum(p.numel() for p in method.parameters()) == 689_980


def test_it_owes_what_every_method_does():
    stands_the_checks(Revise, SMALL, steps=60)
