"""The temporal shift of Shift-GCN (Cheng et al., CVPR 2020, section 3.3): every channel has its own shift in time.

Channel c reads its sequence `positions[c]` frames later. This is a learned real number, so the shift interpolates
linearly between two frames; outside the sequence there are zeros. There are two ways to compute this, each quicker on
its own side of `SHORT`. In long sequences the T frames of a result lie between T + 1 frames of the sequence, which are
gathered once; the gradient is gathered in the same way instead of being added up where it belongs. In short ones the
shift of a channel is a product with a banded T x T matrix, so all channels are one batched product. Both are
deterministic in both directions on any device, and the host never waits for an index.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from scople.backbone.processes import mean_over_processes

SHORT = 32
"""Frames up to which products with T x T matrices are as quick as gathering. On a CPU they take 0.8 to 1.1 of its time
at 16 frames, 1.2 to 2.8 times of it at 64 and ten to twenty times at 300."""

PositionGradient = Literal["true", "sign"]
"""How positions learn: by the derivative of the loss, or by the rule of the published kernel (`published_rule`)."""


def temporal_shift(
    x: Float[Tensor, "C V B T"],
    positions: Float[Tensor, " C"],
    stride: Literal[1, 2],
    position_gradient: PositionGradient,
) -> Float[Tensor, "C V B T_out"]:
    """Shift every channel in time: out[t] = (1 - f) x[stride t + i] + f x[stride t + i + 1], i = floor(p), f = p - i.

    p is the channel's position; with stride 2 it is half a frame more, as in kchengiva/Shift-GCN,
    model/Temporal_shift/cuda/shift.py. x is zero outside its T frames.

    Args:
        x: a map; a channel's sequences of all joints V and persons B have the same shift.
        positions: frames, any real number.
        stride: 1 keeps the T frames, 2 yields T // 2.
        position_gradient: "true" is the derivative (from the right where a position is a whole number); "sign" is
            `published_rule`. The gradient of `x` is the true one in both cases.

    Returns:
        The shifted map, in the type of `x`; T_out = T // stride.
    """
    if position_gradient == "sign":
        positions = published_rule(positions)
    # Half precision cannot represent every frame number.
    positions = positions.to(torch.promote_types(torch.promote_types(positions.dtype, x.dtype), torch.float32))
    if x.shape[-1] > SHORT:
        return _Shift.apply(x, positions, stride)
    shifted = torch.bmm(x.flatten(1, 2), shift_matrices(positions, x.shape[-1], stride, x.dtype))
    return shifted.unflatten(1, x.shape[1:3])


def shift_matrices(
    positions: Float[Tensor, " C"], frames: int, stride: int, dtype: torch.dtype
) -> Float[Tensor, "C T T_out"]:
    """The matrix S of every channel, such that x S is the shifted x; each column has two entries, 1 - f above f."""
    positions = positions[:, None, None] + (0.5 if stride == 2 else 0.0)
    below = positions.detach().floor()
    fraction = positions - below
    reads = torch.arange(frames, dtype=positions.dtype, device=positions.device)[:, None]
    writes = torch.arange(frames // stride, dtype=positions.dtype, device=positions.device)
    offsets = reads - stride * writes - below
    return ((offsets == 0) * (1 - fraction) + (offsets == 1) * fraction).to(dtype)


class _Shift(torch.autograd.Function):
    """The shift of long sequences and its derivatives."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, positions: Tensor, stride: int) -> Tensor:
        positions = positions + (0.5 if stride == 2 else 0.0)
        below = positions.floor()
        fraction = (positions - below).to(x.dtype)[:, None, None, None]
        ctx.save_for_backward(x, below, fraction)
        ctx.stride = stride
        steps = x.shape[-1] // stride
        reads = _read(x, below[:, None] + torch.arange(stride * (steps - 1) + 2, device=x.device))
        return reads[..., :-1:stride].lerp(reads[..., 1::stride], fraction)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        x, below, fraction = ctx.saved_tensors
        # Frame u was read with 1 - f for t = (u - i) / stride, and with f for t = (u - i - 1) / stride.
        frames = torch.arange(x.shape[-1] + 2 - ctx.stride, device=x.device) - below[:, None]
        if ctx.stride == 1:
            reads = _read(gradient, frames - 1)
            early, late = reads[..., 1:], reads[..., :-1]
            of_x, slope = early.lerp(late, fraction), late - early  # by u, so the difference of x is not needed
        else:
            reads = _read(gradient, (frames / 2).floor())
            is_early = (frames % 2 == 0)[:, None, None]
            of_x = reads * torch.where(is_early, 1 - fraction, fraction)
            slope = reads * torch.where(is_early, -1, 1)
        return of_x, slope.mul_(x).sum((1, 2, 3), dtype=below.dtype), None


def _read(x: Float[Tensor, "C V B T"], places: Float[Tensor, "C S"]) -> Float[Tensor, "C V B S"]:
    """The frames that each channel asks for, whole numbers; 0 outside of the sequence."""
    last = x.shape[-1] - 1
    inside = ((places >= 0) & (places <= last)).to(x.dtype)
    where = places.clamp(0, last).long()[:, None, None].expand(-1, *x.shape[1:3], -1)
    return x.gather(-1, where).mul_(inside[:, None, None])


def published_rule(positions: Float[Tensor, " C"]) -> Float[Tensor, " C"]:
    """`positions` unchanged; their gradient g becomes 0.01 sign(g), or 0.0001 where g is exactly 0.

    This is the backward pass of kchengiva/Shift-GCN, model/Temporal_shift/cuda/shift_cuda_kernel.cu: positions move
    at a constant rate, however large the loss is. If several replicas share a batch, the published code sums their
    +-0.01. Here the rule acts on the gradient of the whole batch, for any number of processes.
    """
    return _PublishedRule.apply(positions)


class _PublishedRule(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, positions: Tensor) -> Tensor:
        return positions.view_as(positions)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> Tensor:
        gradient = mean_over_processes(gradient)
        return torch.where(gradient == 0, 0.0001, 0.01 * gradient.sign())
