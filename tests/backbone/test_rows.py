"""Spatial shifts against plain loops, the row norm against PyTorch's batch norm."""

import numpy as np
import pytest
import torch
from torch import nn

from scople.backbone.rows import PointwiseConv, RowNorm, RowOrder, joint_convs, spatial_shift_in, spatial_shift_out
from scople.base.shapes import JOINTS


def slow_spatial_shift(h, sign):
    """Out[v, c] = h[(v + sign c) mod V, c], one row at a time; h is `V C L`."""
    out = np.empty_like(h)
    for v in range(h.shape[0]):
        for c in range(h.shape[1]):
            out[v, c] = h[(v + sign * c) % h.shape[0], c]
    return out


# More channels than joints: the cycle must close.
@pytest.mark.parametrize("channels", [3, 29])
def test_spatial_shifts_equal_loops(channels):
    joint_major = np.random.default_rng(1).normal(size=(JOINTS, channels, 7))
    channel_major = joint_major.transpose(1, 0, 2)

    rows = torch.tensor(channel_major.reshape(-1, 7).copy())
    shifted = RowOrder(spatial_shift_in(channels))(rows).view(JOINTS, channels, 7)
    np.testing.assert_array_equal(shifted, slow_spatial_shift(joint_major, +1))

    rows = torch.tensor(joint_major.reshape(-1, 7))
    shifted = RowOrder(spatial_shift_out(channels))(rows).view(channels, JOINTS, 7)
    np.testing.assert_array_equal(shifted, slow_spatial_shift(joint_major, -1).transpose(1, 0, 2))


def test_row_order_goes_back_in_the_gradient():
    rows = torch.randn(11, 3, dtype=torch.float64, requires_grad=True)
    order = torch.randperm(11, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(RowOrder(order), rows)


@pytest.mark.parametrize("per_joint", [False, True])
def test_row_norm_is_batch_norm(per_joint):
    channels, joints, batch, frames = 5, 3, 7, 11
    features = channels * joints if per_joint else channels
    ours, theirs = RowNorm(features).double(), nn.BatchNorm1d(features).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.normal_(generator=generator)
    theirs.load_state_dict(ours.state_dict())
    for step in range(3):
        x = 10 * step + torch.randn(channels, joints, batch, frames, dtype=torch.float64, generator=generator)
        x, same_x = x.clone().requires_grad_(), x.clone().requires_grad_()
        y, same_y = ours(x), theirs(same_x.view(1, features, -1)).view_as(x)
        torch.testing.assert_close(y, same_y)
        upstream = torch.randn(y.shape, dtype=torch.float64, generator=generator)
        gradients = torch.autograd.grad(y, (x, *ours.parameters()), upstream)
        torch.testing.assert_close(gradients, torch.autograd.grad(same_y, (same_x, *theirs.parameters()), upstream))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    x = torch.randn(channels, joints, batch, frames, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x.view(1, features, -1)).view_as(x))


def test_row_norm_of_constant_rows():
    norm = RowNorm(3)
    y = norm(torch.full((3, 2, 5, 7), 1000.0))
    torch.testing.assert_close(y, torch.zeros(3, 2, 5, 7), rtol=0, atol=1e-2)
    torch.testing.assert_close(norm.running_var, torch.full((3,), 0.9), rtol=0, atol=1e-6)


def test_joint_convs_are_a_batched_product():
    generator = torch.Generator().manual_seed(1)
    shapes = ((2, 5, 3), (2, 3, 7), (5,))  # V D C, V C L, D
    weights, x, bias = (
        torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True) for shape in shapes
    )
    torch.testing.assert_close(joint_convs(weights, x, bias), torch.baddbmm(bias[:, None], weights, x))
    assert torch.autograd.gradcheck(joint_convs, (weights, x, bias))


def test_pointwise_conv_is_a_convolution():
    conv = PointwiseConv(3, 5)
    nn.init.normal_(conv.bias)
    x = torch.randn(3, 2, 7, 11)  # C V B T
    expected = nn.functional.conv2d(x.permute(2, 0, 3, 1), conv.weight[:, :, None, None], conv.bias)
    torch.testing.assert_close(conv(x.flatten(1)).view(5, 2, 7, 11), expected.permute(1, 3, 0, 2))
