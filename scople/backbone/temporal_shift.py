"""The temporal shift of Shift-GCN (Cheng et al., CVPR 2020, section 3.3): every channel has its own shift in time.

Channel c reads its sequence `positions[c]` frames later. This is a learned real number, so the shift interpolates
linearly between two frames; outside the sequence there are zeros. For each channel it is a product with a banded
matrix, so all channels are one batched matrix product. This is deterministic in both directions on any device, and the
host never waits for an index.
"""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from scople.backbone.processes import mean_over_processes

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
    matrices = shift_matrices(positions, x.shape[-1], stride, x.dtype)
    shifted = torch.bmm(x.flatten(1, 2), matrices)
    return shifted.unflatten(1, x.shape[1:3])


def shift_matrices(
    positions: Float[Tensor, " C"], frames: int, stride: int, dtype: torch.dtype
) -> Float[Tensor, "C T T_out"]:
    """The matrix S of every channel, such that x S is the shifted x; each column has two entries, 1 - f above f.

    Positions are converted to at least float32 before anything is added to them, as half precision cannot represent
    every frame number.
    """
    wide = torch.promote_types(torch.promote_types(positions.dtype, dtype), torch.float32)
    positions = positions.to(wide)[:, None, None] + (0.5 if stride == 2 else 0.0)
    below = positions.detach().floor()
    fraction = positions - below
    reads = torch.arange(frames, dtype=wide, device=positions.device)[:, None]
    writes = torch.arange(frames // stride, dtype=wide, device=positions.device)
    offsets = reads - stride * writes - below
    return ((offsets == 0) * (1 - fraction) + (offsets == 1) * fraction).to(dtype)


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
