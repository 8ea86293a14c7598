"""What the benchmarks hold the package to, and what they count."""

import numpy as np
import pytest
import torch

from benchmarks.limits import counted, peak_memory
from benchmarks.pretrain_step import part_of
from benchmarks.published_backbone import published_logits, shift_by_index
from scople.backbone.shift_gcn import ShiftGCN
from scople.backbone.temporal_shift import temporal_shift


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [2, 11, 16])
def test_the_published_shift_is_ours_in_both_directions(stride, frames):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(3, 7, frames, 5, dtype=torch.float64, generator=generator, requires_grad=True)
    positions = torch.tensor([0.0, 0.25, -0.25, 2.0, -3.75, 9.6, -40.0], dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(3, 7, frames // stride, 5, dtype=torch.float64, generator=generator)
    theirs = shift_by_index(x, positions, stride)
    ours = temporal_shift(x.permute(1, 3, 0, 2), positions, stride, "true").permute(2, 0, 3, 1)
    torch.testing.assert_close(theirs, ours)
    for found, expected in zip(
        torch.autograd.grad(theirs, (x, positions), upstream),
        torch.autograd.grad(ours, (x, positions), upstream),
        strict=True,
    ):
        torch.testing.assert_close(found, expected)


@pytest.mark.realdata
def test_the_published_formulation_has_the_golden_logits(golden):
    model = ShiftGCN.from_published(torch.load(golden / "shift_gcn/ntu60_xsub.pt", weights_only=True)).eval().double()
    x = torch.tensor(np.load(golden / "shift_gcn/input.npz")["x"][:, :, :64]).double()
    expected = np.load(golden / "shift_gcn/expected_ntu60_xsub.npz")["logits_t64"]
    with torch.no_grad():
        np.testing.assert_allclose(published_logits(model, x).numpy(), expected, rtol=0, atol=1e-6)


def test_operations_and_bytes_are_counted():
    a, b = torch.ones(70, 30), torch.ones(30, 110)
    gigaflop, gigabytes = counted(lambda: torch.mm(a, b).T.unsqueeze(0).add_(1.0))
    assert gigaflop == pytest.approx(2 * 70 * 30 * 110 / 1e9)
    read, product = 4 * (70 * 30 + 30 * 110), 4 * 70 * 110
    assert gigabytes == pytest.approx((read + product + 2 * product) / 1e9)  # the views are free, add_ reads and writes


def test_peak_memory_is_that_of_the_call():
    def call():
        return [torch.ones(5_000_000) for _ in range(3)]

    call()
    assert peak_memory(call, torch.device("cpu")) == pytest.approx(0.06, rel=0.3)


def test_parts_of_a_step():
    assert part_of("aten::mm") == part_of("aten::mkldnn_convolution") == "linear maps"
    assert part_of("aten::native_group_norm_backward") == "norms"
    assert part_of("aten::index_select") == "moves"
    assert part_of("aten::clamp_min_") == "element by element"
