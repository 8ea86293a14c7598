"""Products at each precision: how far the golden logits are, what stays float32, and that the bytes repeat.

TF32 needs a GPU; a CPU imitates it by rounding what a product reads to TF32's 10 bits.
"""

import numpy as np
import pytest
import torch
from test_pretraining import RECIPE, Waving, weights
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from scople.backbone.precision import at_precision
from scople.backbone.pretraining import extract, pretrain
from scople.backbone.rows import RowNorm
from scople.backbone.shift_gcn import ShiftGCN
from scople.base.errors import ScopleError

GOLDEN = 1e-4
"""What float32 logits are held to, see `test_shift_gcn.test_golden_outputs`."""

LARGEST = {"tf32": 2e-3, "bfloat16": 3e-2}
"""Largest error of a logit over the largest logit."""


class Tf32Products(TorchDispatchMode):
    """Products within the block read their factors as a tensor core reads them in TF32."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        factors = {"mm": 2, "bmm": 2, "addmm": 3, "baddbmm": 3}.get(func.overloadpacket.__name__, 0)
        rounded = [nearest(each) if factors - 2 <= i < factors else each for i, each in enumerate(args)]
        return func(*rounded, **(kwargs or {}))


def nearest(x):
    """The nearest number with 10 bits of fraction."""
    mantissa, exponent = torch.frexp(x)
    return torch.ldexp((mantissa * 2**11).round() / 2**11, exponent)


def golden_logits(golden, dataset, context, device="cpu"):
    """Logits of 64 frames within a context, and the expected ones."""
    model = ShiftGCN.from_published(torch.load(golden / f"shift_gcn/{dataset}_xsub.pt", weights_only=True))
    model.eval().to(device)
    x = torch.tensor(np.load(golden / "shift_gcn/input.npz")["x"][:, :, :64], dtype=torch.float32, device=device)
    with torch.no_grad(), context:
        logits = model(x).float().cpu().numpy()
    return logits, np.load(golden / f"shift_gcn/expected_{dataset}_xsub.npz")["logits_t64"]


def require_near(found, expected, precision):
    error = np.abs(found - expected).max()
    assert GOLDEN < error < LARGEST[precision] * np.abs(expected).max()  # beyond the golden tolerance, and not far
    np.testing.assert_array_equal(found.argmax(1), expected.argmax(1))


def test_a_number_in_tf32():
    assert nearest(torch.tensor([1 + 2**-10, 1 + 2**-11 + 2**-20, 0.0, -3.0])).tolist() == [
        1 + 2**-10, 1 + 2**-10, 0.0, -3.0,
    ]  # fmt: skip


@pytest.mark.realdata
@pytest.mark.parametrize("dataset", ["ntu60", "ntu120"])
def test_golden_logits_in_tf32(golden, dataset):
    require_near(*golden_logits(golden, dataset, Tf32Products()), "tf32")


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("dataset", ["ntu60", "ntu120"])
def test_golden_logits_in_bfloat16(golden, dataset):
    with at_precision("bfloat16", "cpu") as forward_pass:
        require_near(*golden_logits(golden, dataset, forward_pass()), "bfloat16")


@pytest.mark.gpu
@pytest.mark.realdata
@pytest.mark.parametrize("dataset", ["ntu60", "ntu120"])
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_golden_logits_on_a_gpu(golden, dataset, precision):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    with at_precision(precision, "cuda") as forward_pass:
        found, expected = golden_logits(golden, dataset, forward_pass(), "cuda")
    if precision == "float32":
        np.testing.assert_allclose(found, expected, rtol=0, atol=GOLDEN)
    else:
        require_near(found, expected, precision)


def test_only_maps_are_bfloat16():
    """Parameters, gradients, running statistics, features and logits are float32."""
    model, x = ShiftGCN(num_classes=3, width=2), Waving(5)
    maps = {}
    for number, block in enumerate(model.blocks, 1):
        block.register_forward_hook(lambda _, __, h, number=number: maps.__setitem__(number, h.dtype))
    with at_precision("bfloat16", "cpu") as forward_pass:
        with forward_pass():
            logits = model(torch.stack([x[i] for i in range(5)]))
        nn.functional.cross_entropy(logits.float(), torch.arange(5) % 3).backward()
    assert set(maps.values()) == {torch.bfloat16}
    tensors = [*model.parameters(), *(each.grad for each in model.parameters()), *model.buffers()]
    assert {each.dtype for each in tensors} == {torch.float32, torch.int64}
    extracted = extract(model, x, batch_size=3, device="cpu", precision="bfloat16")
    assert {each.dtype for each in (extracted.features, extracted.intervals, extracted.logits)} == {np.dtype("float32")}
    exact = extract(model, x, batch_size=3, device="cpu")
    assert 0 < np.abs(extracted.features - exact.features).max() < 0.05 * np.abs(exact.features).max()


def test_statistics_of_a_bfloat16_map_are_those_of_its_numbers():
    """Large means, small deviations: in bfloat16 sums the variance would be lost."""
    norm, same = RowNorm(3), RowNorm(3)
    x = (8 + torch.randn(3, 5, 7, 11, generator=torch.Generator().manual_seed(1))).bfloat16()
    y = norm(x)
    expected = same(x.float())
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), expected, rtol=2**-8, atol=1e-3)
    torch.testing.assert_close(norm.running_mean, same.running_mean)
    torch.testing.assert_close(norm.running_var, same.running_var)


def test_bfloat16_repeats_and_learns_alike(monkeypatch):
    training, cross_entropy, types = Waving(19), nn.functional.cross_entropy, set()

    def seen(logits, target):
        types.add(logits.dtype)
        return cross_entropy(logits, target)

    monkeypatch.setattr(nn.functional, "cross_entropy", seen)
    trained = [
        pretrain(training, training.targets, 3, **RECIPE, precision=each)
        for each in ("bfloat16", "bfloat16", "float32")
    ]
    (first, history), (second, _), (other, exact) = trained
    assert weights(first) == weights(second)
    assert weights(first) != weights(other)
    assert types == {torch.float32}
    assert history[0]["loss"] == pytest.approx(exact[0]["loss"], rel=0.05)


def test_tf32_is_refused_where_there_is_none():
    training = Waving(9)
    for call in (
        lambda: pretrain(training, training.targets, 3, **RECIPE, precision="tf32"),
        lambda: extract(ShiftGCN(3, 2), training, 4, "cpu", "tf32"),
    ):
        with pytest.raises(ScopleError, match=r"precision is 'tf32', which a cpu device does not have: set it"):
            call()


def test_the_setting_of_torch_is_as_before():
    for before in (False, True):
        torch.backends.cuda.matmul.allow_tf32 = before
        with at_precision("tf32", "cuda"):
            assert torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cuda.matmul.allow_tf32 == before
        with at_precision("float32", "cuda"):
            assert not torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cuda.matmul.allow_tf32 == before
    torch.backends.cuda.matmul.allow_tf32 = False
