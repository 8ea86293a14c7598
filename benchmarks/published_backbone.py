"""Shift-GCN's forward pass as it was published, in plain PyTorch: `B C T V` maps, moved by index.

The spatial shift is one `index_select` over the (joint, channel) pairs, the linear map one product for all joints, and
the temporal shift reads two frames for each number, in both directions, as the CUDA extension does
(kchengiva/Shift-GCN, model/shift_gcn.py and model/Temporal_shift/cuda). The parameters are those of a
`scople.backbone.shift_gcn.ShiftGCN`, so that both compute the same.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from scople.backbone.shift_gcn import GCN, TCN, ShiftGCN
from scople.base.shapes import JOINTS


def published_logits(model: ShiftGCN, x: Float[Tensor, "N C T V M"]) -> Float[Tensor, "N K"]:
    """Class logits of `model` in its mode, training or evaluation; running statistics stay as they are."""
    n, c, t, v, m = x.shape
    h = _norm(model.data_bn, x.permute(0, 4, 3, 1, 2).reshape(n, m * v * c, t))
    h = h.view(n, m, v, c, t).permute(0, 1, 3, 4, 2).reshape(n * m, c, t, v)
    for block in model.blocks:
        y = _tcn(block.tcn1, _gcn(block.gcn1, h))
        h = torch.relu(y if block.residual is None else y + _changed(block.residual, h[:, :, :: block.stride]))
    return model.fc(h.view(n, m, h.shape[1], -1).mean(3).mean(1))


def shift_by_index(
    x: Float[Tensor, "B C T V"], positions: Float[Tensor, " C"], stride: int
) -> Float[Tensor, "B C T_out V"]:
    """`scople.backbone.temporal_shift.temporal_shift` by reading two frames for each number that is written."""
    return _TemporalShift.apply(x, positions, stride)


class _TemporalShift(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, positions: Tensor, stride: int) -> Tensor:
        places = positions[:, None] + (0.5 if stride == 2 else 0.0)
        below = places.floor()
        fraction = (places - below)[:, :, None]
        first = stride * torch.arange(x.shape[2] // stride, device=x.device) + below.long()
        early, late = _frames(x, first), _frames(x, first + 1)
        ctx.save_for_backward(x, positions)
        ctx.stride = stride
        return (1 - fraction) * early + fraction * late

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, gradient: Tensor) -> tuple[Tensor, Tensor, None]:
        (x, positions), stride = ctx.saved_tensors, ctx.stride
        places = positions[:, None] + (0.5 if stride == 2 else 0.0)
        below = places.floor()
        fraction = (places - below)[:, :, None]
        first = stride * torch.arange(x.shape[2] // stride, device=x.device) + below.long()
        slope = (gradient * (_frames(x, first + 1) - _frames(x, first))).sum((0, 2, 3))
        # Frame u was read by t = (u - i) / stride with 1 - f, and by t = (u - i - 1) / stride with f.
        written = torch.arange(x.shape[2], device=x.device) - below.long()
        parts = []
        for offset in (written, written - 1):
            source = torch.where(offset % stride == 0, offset // stride, -1)
            parts.append(_frames(gradient, source))
        return (1 - fraction) * parts[0] + fraction * parts[1], slope, None


def _frames(x: Float[Tensor, "B C T V"], places: Int[Tensor, "C S"]) -> Float[Tensor, "B C S V"]:
    """The frames that each channel asks for; 0 outside of the sequence."""
    inside = (places >= 0) & (places < x.shape[2])
    where = places.clamp(0, x.shape[2] - 1)[None, :, :, None].expand(len(x), -1, -1, x.shape[3])
    return x.gather(2, where) * inside[:, :, None]


def _gcn(unit: GCN, h: Float[Tensor, "B C T V"]) -> Float[Tensor, "B D T V"]:
    b, c, t, v = h.shape
    y = h.permute(0, 2, 3, 1).reshape(b * t, v * c).index_select(1, _pairs(c, +1, h.device))
    y = y.view(b * t, v, c) * (torch.tanh(unit.feature_mask) + 1)
    y = torch.einsum("nwc,cd->nwd", y, unit.linear_weight) + unit.linear_bias
    depth = y.shape[2]
    y = y.reshape(b * t, v * depth).index_select(1, _pairs(depth, -1, h.device))
    # Ours keeps these features channel by channel, the published norm joint by joint.
    weight, bias, mean, variance = (
        each.view(depth, JOINTS).T.flatten()
        for each in (unit.bn.weight, unit.bn.bias, unit.bn.running_mean, unit.bn.running_var)
    )
    y = nn.functional.batch_norm(y, mean, variance, weight, bias, training=unit.training, eps=unit.bn.eps)
    return torch.relu(y.view(b, t, v, depth).permute(0, 3, 1, 2) + _changed(unit.down, h))


def _tcn(unit: TCN, h: Float[Tensor, "B C T V"]) -> Float[Tensor, "B C T_out V"]:
    h = shift_by_index(_norm(unit.bn, h), unit.shift_in, 1)
    h = torch.relu(_conv(unit.temporal_linear, h))
    return _norm(unit.bn2, shift_by_index(h, unit.shift_out, unit.stride))


def _pairs(channels: int, sign: int, device: torch.device) -> Int[Tensor, " R"]:
    """The published index vectors: pair (v, c) comes from joint v + c (shift in) or v - c (shift out)."""
    v, c = torch.arange(JOINTS, device=device)[:, None], torch.arange(channels, device=device)
    return ((v + sign * c) % JOINTS * channels + c).flatten()


def _norm(bn: nn.BatchNorm1d, h: Float[Tensor, "B C ..."]) -> Float[Tensor, "B C ..."]:
    mean, variance = bn.running_mean.clone(), bn.running_var.clone()  # a training step would move them
    return nn.functional.batch_norm(h, mean, variance, bn.weight, bn.bias, training=bn.training, eps=bn.eps)


def _conv(pointwise: nn.Module, h: Float[Tensor, "B C T V"]) -> Float[Tensor, "B D T V"]:
    return nn.functional.conv2d(h, pointwise.weight[:, :, None, None], pointwise.bias)


def _changed(projection: nn.Module, h: Float[Tensor, "B C T V"]) -> Float[Tensor, "B D T V"]:
    return h if isinstance(projection, nn.Identity) else _norm(projection.bn, _conv(projection.conv, h))
