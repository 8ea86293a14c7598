"""The temporal shift against plain loops and matrices, derivatives by differences, and the official kernel's values."""

import math

import numpy as np
import pytest
import torch

from scople.backbone.temporal_shift import SHORT, published_rule, temporal_shift


def slow_shift(x, positions, stride):
    """Out[t] = (1 - f) x[stride t + i] + f x[stride t + i + 1], one number at a time; x is `C V B T`."""
    channels, joints, batch, frames = x.shape
    out = np.zeros((channels, joints, batch, frames // stride))
    for c in range(channels):
        p = positions[c] + (0.5 if stride == 2 else 0.0)
        i = math.floor(p)
        f = p - i
        for t in range(frames // stride):
            for offset, weight in ((i, 1 - f), (i + 1, f)):
                if 0 <= stride * t + offset < frames:
                    out[c, :, :, t] += weight * x[c, :, :, stride * t + offset]
    return out


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [1, 11, 16, SHORT + 5])
def test_shift_equals_loops(stride, frames):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(7, 3, 5, frames, dtype=torch.float64, generator=generator)
    positions = torch.tensor([0.0, 0.25, -0.25, 2.0, -3.75, 9.6, -40.0], dtype=torch.float64)
    shifted = temporal_shift(x, positions, stride, "true")
    np.testing.assert_allclose(shifted, slow_shift(x.numpy(), positions.numpy(), stride), rtol=0, atol=1e-14)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [7, SHORT + 5])
def test_true_gradients(stride, frames):
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(5, 2, 3, frames, dtype=torch.float64, generator=generator, requires_grad=True)
    positions = torch.tensor([0.3, -0.3, 2.2, -8.6, 6.1], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, p: temporal_shift(x, p, stride, "true"), (x, positions))


def shift_by_matrices(x, positions, stride):
    """The product of every channel with a T x T_out matrix whose columns have 1 - f above f; torch derives the rest."""
    frames = x.shape[-1]
    positions = positions[:, None, None] + (0.5 if stride == 2 else 0.0)
    below = positions.detach().floor()
    offsets = torch.arange(frames)[:, None] - stride * torch.arange(frames // stride) - below
    matrices = (offsets == 0) * (1 - positions + below) + (offsets == 1) * (positions - below)
    return torch.einsum("cvbt,cts->cvbs", x, matrices)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("frames", [2, 11, SHORT, SHORT + 1, SHORT + 8])
def test_both_directions_equal_the_matrix_form(stride, frames):
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(8, 3, 5, frames, dtype=torch.float64, generator=generator, requires_grad=True)
    positions = [0.0, 1.5, 0.25, -0.25, 2.0, -3.75, 9.6, -40.0]  # whole, half, small, large and out of reach
    positions = torch.tensor(positions, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn(8, 3, 5, frames // stride, dtype=torch.float64, generator=generator)
    ours, theirs = temporal_shift(x, positions, stride, "true"), shift_by_matrices(x, positions, stride)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-13)
    for found, expected in zip(
        torch.autograd.grad(ours, (x, positions), upstream),
        torch.autograd.grad(theirs, (x, positions), upstream),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)


def test_published_rule_keeps_only_the_sign():
    positions = torch.tensor([0.3, -0.7, 5.0], requires_grad=True)
    same = published_rule(positions)
    torch.testing.assert_close(same, positions, rtol=0, atol=0)
    same.backward(torch.tensor([123.0, -1e-12, 0.0]))
    torch.testing.assert_close(positions.grad, torch.tensor([0.01, -0.01, 0.0001]), rtol=0, atol=0)


def test_half_precision_still_counts_frames():
    x = torch.zeros(1, 1, 1, 300, dtype=torch.bfloat16)
    x[..., 299] = 1
    shifted = temporal_shift(x, torch.tensor([2.0]), 1, "sign")
    assert shifted.dtype == torch.bfloat16
    assert shifted.nonzero()[:, 3].tolist() == [297]


@pytest.mark.realdata
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("case", range(10))
def test_golden_cases(golden, case, dtype):
    archive = np.load(golden / "shift_gcn" / "temporal_shift.npz")
    given = {
        key: archive[f"case{case}_{key}"] for key in archive if key.startswith(f"case{case}_") for key in [key[6:]]
    }

    def to_map(array):
        return torch.tensor(array).to(dtype).permute(1, 3, 0, 2).contiguous()  # n c t v -> c v n t

    stride = int(given["stride"])
    x, upstream = to_map(given["x"]).requires_grad_(), to_map(given["gout"])
    positions = torch.tensor(given["pos"]).to(dtype).requires_grad_()
    out = temporal_shift(x, positions, stride, "true")
    x_gradient, position_gradient = torch.autograd.grad(out, (x, positions), upstream)
    if given["exact"]:
        bounds = (0, 0, 0)
    else:
        bounds = (1e-12, 1e-12, 1e-12) if dtype == torch.float64 else (1e-6, 1e-6, 2e-5)
    for ours, key, bound in zip(
        (out.permute(2, 0, 3, 1), x_gradient.permute(2, 0, 3, 1), position_gradient),
        ("out", "gx", "gpos"),
        bounds,
        strict=True,
    ):
        np.testing.assert_allclose(ours.detach().numpy(), given[key], rtol=0, atol=bound, err_msg=key)

    by_sign = temporal_shift(x, positions, stride, "sign")
    x_by_sign, position_by_sign = torch.autograd.grad(by_sign, (x, positions), upstream)
    np.testing.assert_array_equal(x_by_sign, x_gradient)
    np.testing.assert_allclose(position_by_sign, given["gpos_official"], rtol=0, atol=1e-9)
