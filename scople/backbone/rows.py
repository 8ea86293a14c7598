"""Shift-GCN's operations on the rows of a `C V B T` map: linear maps, batch norms and the spatial shift.

A row is one (channel, joint) pair or one channel; its numbers are contiguous in memory.
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scople.backbone.processes import mean_over_processes, process_count
from scople.base.shapes import JOINTS


class PointwiseConv(nn.Module):
    """A 1x1 convolution with bias, as one matrix product over the rows of a map."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels).normal_(0, math.sqrt(2 / out_channels)))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Float[Tensor, "C L"]) -> Float[Tensor, "D L"]:
        """Mix the channels of each of the L = V B T points of a map."""
        return torch.addmm(self.bias[:, None], self.weight, x)


def batched_joint_convs(
    weights: Float[Tensor, "V D C"], x: Float[Tensor, "V C L"], bias: Float[Tensor, " D"]
) -> Float[Tensor, "V D L"]:
    """1x1 convolutions with one bias and weights of its own for each joint."""
    return torch.baddbmm(bias[:, None], weights, x)


def joint_convs(
    weights: Float[Tensor, "V D C"], x: Float[Tensor, "V C L"], bias: Float[Tensor, " D"]
) -> Float[Tensor, "V D L"]:
    """The same for large maps.

    A GPU computes all joints together. On a CPU they are products of two matrices, one after the other, which in
    portable arithmetic take 0.4 times as long as the batched product.
    """
    return batched_joint_convs(weights, x, bias) if x.is_cuda else _JointConvs.apply(weights.to(x.dtype), x, bias)


class _JointConvs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, weights: Tensor, x: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(weights, x)
        return _products(weights, x, bias[:, None])

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights, x = ctx.saved_tensors
        return _products(gradient, x.mT), _products(weights.mT, gradient), gradient.sum((0, 2))


def _products(
    a: Float[Tensor, "V I J"], b: Float[Tensor, "V J K"], added: Float[Tensor, "I 1"] | int = 0
) -> Float[Tensor, "V I K"]:
    products = a.new_empty(len(a), a.shape[1], b.shape[2])
    for place, each, other in zip(products, a, b, strict=True):
        torch.add(each @ other, added, out=place)
    return products


class SharedNorm(nn.BatchNorm1d):
    """Batch norm over a batch of which several processes each hold an equal part.

    torch's SyncBatchNorm works on GPUs only; this one also works on CPUs. With one process it is PyTorch's batch norm.
    """

    def forward(self, x: Float[Tensor, "N F L"]) -> Float[Tensor, "N F L"]:
        """Normalise feature by feature over samples and positions."""
        if not (self.training and process_count() > 1):
            return super().forward(x)
        wide = x.to(self.weight.dtype)
        mean = mean_over_processes(wide.mean((0, 2)))
        centred = wide - mean[:, None]
        variance = mean_over_processes(centred.square().mean((0, 2)))
        with torch.no_grad():
            size = process_count() * x.numel() // self.num_features
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * (size / (size - 1)), self.momentum)
        y = centred * (self.weight * (variance + self.eps).rsqrt())[:, None] + self.bias[:, None]
        return y.to(x.dtype)


class RowNorm(SharedNorm):
    """Batch norm of a `C V B T` map over channels (C features) or (channel, joint) pairs (C V features).

    One feature is one contiguous row of the map. In training, PyTorch's group norm with one row in each group computes
    the same, and on a CPU it is several times as fast as PyTorch's batch norm. Only the batch norm takes a bfloat16 map
    on every device; its statistics are float32, as the parameters are.
    """

    def forward(self, x: Float[Tensor, "C V B T"]) -> Float[Tensor, "C V B T"]:
        """Normalise by the rows' mean and variance in training, by the running ones in evaluation."""
        rows, size = self.num_features, x.numel() // self.num_features
        if not self.training or process_count() > 1 or x.dtype != self.weight.dtype:
            return super().forward(x.view(1, rows, size)).view_as(x)
        y, mean, inverse_deviation = torch.native_group_norm(x, self.weight, self.bias, 1, rows, size, rows, self.eps)
        with torch.no_grad():
            variance = inverse_deviation[0] ** -2 - self.eps
            self.running_mean.lerp_(mean[0], self.momentum)
            self.running_var.lerp_(variance * (size / (size - 1)), self.momentum)
        return y


class RowOrder(nn.Module):
    """Rows of a matrix in a fixed new order. The backward pass is the inverse order, so nothing is summed."""

    def __init__(self, order: Int[Tensor, " R"]) -> None:
        super().__init__()
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("inverse", order.argsort(), persistent=False)

    def forward(self, rows: Float[Tensor, "R L"]) -> Float[Tensor, "R L"]:
        """Row r of the result is row order[r] of `rows`."""
        return _Reorder.apply(rows, self.order, self.inverse)


class _Reorder(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, rows: Tensor, order: Tensor, inverse: Tensor) -> Tensor:
        ctx.save_for_backward(inverse)
        return rows.index_select(0, order)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (inverse,) = ctx.saved_tensors
        return gradient.index_select(0, inverse), None, None


def spatial_shift_in(channels: int) -> Int[Tensor, " R"]:
    """Rows of S+: out[v, c] = in[(v + c) mod V, c], from channel-major (C V) to joint-major (V C) rows."""
    v, c = torch.arange(JOINTS)[:, None], torch.arange(channels)
    return (c * JOINTS + (v + c) % JOINTS).flatten()


def spatial_shift_out(channels: int) -> Int[Tensor, " R"]:
    """Rows of S-: out[v, c] = in[(v - c) mod V, c], from joint-major (V C) to channel-major (C V) rows."""
    v, c = torch.arange(JOINTS), torch.arange(channels)[:, None]
    return ((v - c) % JOINTS * channels + c).flatten()
