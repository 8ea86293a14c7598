"""Shift-GCN (Cheng et al., CVPR 2020), joint stream: the frozen skeleton encoder of SCoPLe.

Ten blocks over a map of C channels, V joints, B sequences and T frames; a sequence is one person of one sample. The
published code (kchengiva/Shift-GCN, model/shift_gcn.py) keeps its maps as `B C T V`. Here they are `C V B T`: the
spatial shifts move whole rows of B T numbers, every linear map is one matrix product, and each batch norm, over
channels or over (channel, joint) pairs, reduces contiguous rows. Parameters keep their published names, in lower case.

Read `ShiftGCN.joint_features`, then `Block`, `GCN` and `TCN`; below them lie `rows` and `temporal_shift`.
"""

import math
import re
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scople.backbone.rows import (
    PointwiseConv,
    RowNorm,
    RowOrder,
    SharedNorm,
    batched_joint_convs,
    joint_convs,
    spatial_shift_in,
    spatial_shift_out,
)
from scople.backbone.temporal_shift import SHORT, PositionGradient, temporal_shift
from scople.base.errors import ScopleError
from scople.base.shapes import JOINTS, PERSONS

COORDINATES = 3

FRAMES_PER_STEP = 4
"""Two blocks have stride 2: four input frames make one frame of the last map."""


class ShiftGCN(nn.Module):
    """Joint-stream Shift-GCN: input norm `data_bn`, blocks `l1` to `l10`, classifier `fc`.

    Initialised as published: positions uniform in (-1, 1), masks 0, the GCN's linear weights N(0, 1/C_out), 1x1
    convolutions Kaiming normal over their outputs, `fc` N(0, 2/K). Departs: every batch norm starts at scale 1, whereas
    the authors' PyTorch 0.4.1 drew the scales of `gcn1.bn` and `tcn1.bn` from U(0, 1), its default at the time.

    Args:
        num_classes: K, rows of the classifier.
        width: channels of the first four blocks, doubled in the fifth and again in the eighth. The paper has 64.
        position_gradient: how the temporal positions learn, see `scople.backbone.temporal_shift`.
    """

    def __init__(self, num_classes: int, width: int = 64, position_gradient: PositionGradient = "sign") -> None:
        super().__init__()
        self.data_bn = SharedNorm(PERSONS * JOINTS * COORDINATES)
        self.l1 = Block(COORDINATES, width, position_gradient, residual=False)
        self.l2 = Block(width, width, position_gradient)
        self.l3 = Block(width, width, position_gradient)
        self.l4 = Block(width, width, position_gradient)
        self.l5 = Block(width, 2 * width, position_gradient, stride=2)
        self.l6 = Block(2 * width, 2 * width, position_gradient)
        self.l7 = Block(2 * width, 2 * width, position_gradient)
        self.l8 = Block(2 * width, 4 * width, position_gradient, stride=2)
        self.l9 = Block(4 * width, 4 * width, position_gradient)
        self.l10 = Block(4 * width, 4 * width, position_gradient)
        self.fc = nn.Linear(4 * width, num_classes)
        nn.init.normal_(self.fc.weight, 0, math.sqrt(2 / num_classes))

    @property
    def blocks(self) -> list["Block"]:
        """`l1` to `l10`."""
        return [getattr(self, f"l{i}") for i in range(1, 11)]

    def forward(self, x: Float[Tensor, "N C T V M"]) -> Float[Tensor, "N K"]:
        """Class logits, before the softmax: `classify(joint_features(x))`."""
        return self.classify(self.joint_features(x))

    def joint_features(self, x: Float[Tensor, "N C T V M"]) -> Float[Tensor, "N V D"]:
        """`joint_means(last_map(x))`: SCoPLe's G."""
        return joint_means(self.last_map(x))

    def last_map(self, x: Float[Tensor, "N C T V M"]) -> Float[Tensor, "D V B T_last"]:
        """What the last block says of every joint, D = 4 width; B runs over persons within samples, T_last = T / 4.

        Args:
            x: normalised sequences, metres; T a multiple of 4.

        Raises:
            ScopleError: T is not a positive multiple of 4.
        """
        frames = x.shape[2]
        if frames == 0 or frames % FRAMES_PER_STEP:
            raise ScopleError(
                f"Shift-GCN cannot take sequences of {frames} frames: it halves time twice, "
                f"so choose a positive multiple of {FRAMES_PER_STEP}."
            )
        h = self.normalise_input(x)
        for block in self.blocks:
            h = block(h)
        return h

    def classify(self, joint_features: Float[Tensor, "N V D"]) -> Float[Tensor, "N K"]:
        """Class logits from the mean over joints.

        The published code averages time and joints first and persons last: the same mean, up to rounding.
        """
        return self.fc(joint_features.mean(1))

    def normalise_input(self, x: Float[Tensor, "N C T V M"]) -> Float[Tensor, "C V B T"]:
        """Batch norm per (person, joint, coordinate); then the persons join the batch, B = N M."""
        n, c, t, v, m = x.shape
        x = self.data_bn(x.permute(0, 4, 3, 1, 2).reshape(n, m * v * c, t))
        return x.view(n, m, v, c, t).permute(3, 2, 0, 1, 4).flatten(2, 3).contiguous()

    @classmethod
    def from_published(
        cls, state_dict: Mapping[str, Tensor], position_gradient: PositionGradient = "sign"
    ) -> "ShiftGCN":
        """The network of a published checkpoint; every tensor is either copied or one of the three kinds left out.

        Left out are the batch counters; the index vectors of the spatial shifts, which must equal `spatial_shift_in`
        and `spatial_shift_out`; and the shifts along the joint axis, which must be negligible.

        Args:
            state_dict: of the official joint-stream model, names without the prefix `module.`.
            position_gradient: see `ShiftGCN`.

        Raises:
            ScopleError: a tensor is missing, unknown or of a wrong shape, or one left out has unexpected values.
        """
        if "fc.weight" not in state_dict:
            raise ScopleError(
                "The Shift-GCN checkpoint has no fc.weight; give the official model's state dict without `module.`."
            )
        num_classes, features = state_dict["fc.weight"].shape
        model = cls(num_classes, features // 4, position_gradient)
        published = {
            _own_name(name): _own_layout(name, tensor)
            for name, tensor in state_dict.items()
            if not _is_left_out(name, tensor)
        }
        own = model.state_dict()
        shapes = {name: tensor.shape for name, tensor in own.items() if not name.endswith(COUNTER)}
        differing = {name for name, _ in shapes.items() ^ {(n, tensor.shape) for n, tensor in published.items()}}
        if differing:
            raise ScopleError(
                f"{len(differing)} tensors of the Shift-GCN checkpoint are missing, unknown or of a wrong shape, "
                f"{min(differing)} among them; give the state dict of the official joint-stream model."
            )
        model.load_state_dict(own | published)
        return model


def joint_means(h: Float[Tensor, "D V B T"]) -> Float[Tensor, "N V D"]:
    """A last map, or some of its steps, averaged over time and persons.

    An absent person is an all-zero skeleton, which `data_bn` makes nonzero. It is part of the mean, as in the published
    code.
    """
    # D V (N M) T -> D V N M -> N V D
    return h.mean(-1).unflatten(-1, (-1, PERSONS)).mean(-1).permute(2, 1, 0)


class Block(nn.Module):
    """TCN_GCN_unit: relu(TCN(GCN(x)) + shortcut(x)); the shortcut is 0, x, or a strided 1x1 convolution."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        position_gradient: PositionGradient,
        *,
        stride: int = 1,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.gcn1 = GCN(in_channels, out_channels)
        self.tcn1 = TCN(out_channels, stride, position_gradient)
        self.stride = stride
        self.residual = projection(in_channels, out_channels) if residual else None

    def forward(self, x: Float[Tensor, "C V B T"]) -> Float[Tensor, "D V B T_out"]:
        """T_out = T // stride; the shortcut takes the even frames."""
        h = self.tcn1(self.gcn1(x))
        if self.residual is not None:
            h.add_(self.residual(x[..., :: self.stride]))
        return h.relu_()


class GCN(nn.Module):
    """Shift_gcn: relu(BN(S-((S+(x) (tanh(mask) + 1)) W + b)) + shortcut(x)), S+ and S- the spatial shifts."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.shift_in = RowOrder(spatial_shift_in(in_channels))
        self.feature_mask = nn.Parameter(torch.zeros(JOINTS, in_channels))
        self.linear_weight = nn.Parameter(
            torch.empty(in_channels, out_channels).normal_(0, math.sqrt(1 / out_channels))
        )
        self.linear_bias = nn.Parameter(torch.zeros(out_channels))
        self.shift_out = RowOrder(spatial_shift_out(out_channels))
        self.bn = RowNorm(out_channels * JOINTS)
        self.down = projection(in_channels, out_channels)

    def forward(self, x: Float[Tensor, "C V B T"]) -> Float[Tensor, "D V B T"]:
        """The mask is applied to the weights, one matrix a joint: this saves a pass over the map, forward and back."""
        h = self.shift_in(x.flatten(2).flatten(0, 1)).unflatten(0, (JOINTS, -1))  # V C (B T)
        weights = (self.feature_mask.tanh() + 1)[:, None] * self.linear_weight.T  # V D C
        # V D (B T); the joints' products one by one pay in large maps only.
        convs = joint_convs if x.shape[-1] > SHORT else batched_joint_convs
        h = convs(weights, h, self.linear_bias)
        h = self.shift_out(h.flatten(0, 1)).view(-1, *x.shape[1:])  # D V B T
        return self.bn(h).add_(self.down(x)).relu_()


class TCN(nn.Module):
    """Shift_tcn: BN2(shift_out(relu(conv(shift_in(BN(x)))))); only `shift_out` has the block's stride."""

    def __init__(self, channels: int, stride: int, position_gradient: PositionGradient) -> None:
        super().__init__()
        self.stride = stride
        self.position_gradient = position_gradient
        self.bn = RowNorm(channels)
        self.shift_in = nn.Parameter(torch.empty(channels).uniform_(-1, 1))
        self.temporal_linear = PointwiseConv(channels, channels)
        # As published: only this bias keeps PyTorch's default initialisation.
        nn.init.uniform_(self.temporal_linear.bias, -math.sqrt(1 / channels), math.sqrt(1 / channels))
        self.shift_out = nn.Parameter(torch.empty(channels).uniform_(-1, 1))
        self.bn2 = RowNorm(channels)

    def forward(self, x: Float[Tensor, "C V B T"]) -> Float[Tensor, "C V B T_out"]:
        """T_out = T // stride."""
        h = temporal_shift(self.bn(x), self.shift_in, 1, self.position_gradient)
        h = self.temporal_linear(h.flatten(1)).relu_().view_as(h)
        return self.bn2(temporal_shift(h, self.shift_out, self.stride, self.position_gradient))


class Projection(nn.Module):
    """A shortcut between maps of different depth: 1x1 convolution and batch norm."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = PointwiseConv(in_channels, out_channels)
        self.bn = RowNorm(out_channels)

    def forward(self, x: Float[Tensor, "C V B T"]) -> Float[Tensor, "D V B T"]:
        """Change the depth of a map."""
        return self.bn(self.conv(x.flatten(1)).view(-1, *x.shape[1:]))


def projection(in_channels: int, out_channels: int) -> nn.Module:
    """A `Projection`, or the identity if the depth does not change."""
    return nn.Identity() if in_channels == out_channels else Projection(in_channels, out_channels)


# --- The names and layouts of the published checkpoint -----------------------------------------------------------

COUNTER = "num_batches_tracked"
NEGLIGIBLE_SHIFT = 1e-6


def _is_left_out(name: str, tensor: Tensor) -> bool:
    """Whether a published tensor is left out; if so, its values are checked against what this code assumes."""
    if name.endswith(COUNTER):
        return True
    if name.endswith(".xpos"):
        if tensor.abs().max() >= NEGLIGIBLE_SHIFT:
            raise ScopleError(
                f"{name} of the Shift-GCN checkpoint shifts by {tensor.abs().max():.1e} joints; shifts along the "
                f"joint axis of {NEGLIGIBLE_SHIFT:.0e} or more are not implemented, as the paper has none."
            )
        return True
    if name.endswith((".gcn1.shift_in", ".gcn1.shift_out")):
        sign = 1 if name.endswith("shift_in") else -1
        channels = len(tensor) // JOINTS
        v, c = torch.arange(JOINTS)[:, None], torch.arange(channels)
        if not torch.equal(tensor.cpu(), ((v + sign * c) % JOINTS * channels + c).flatten()):
            raise ScopleError(
                f"{name} of the Shift-GCN checkpoint is not the published spatial shift; give the official weights."
            )
        return True
    return False


def _own_name(name: str) -> str:
    """E.g. l5.gcn1.Linear_weight -> l5.gcn1.linear_weight, tcn1.shift_in.ypos -> tcn1.shift_in."""
    name = name.replace("Linear_", "linear_").replace("Feature_Mask", "feature_mask")
    name = name.replace("down.0.", "down.conv.").replace("down.1.", "down.bn.")
    return name.removesuffix(".ypos")


def _own_layout(name: str, tensor: Tensor) -> Tensor:
    """Drop axes of size 1, and reorder the GCN's norms from joint-major (V C) to channel-major (C V) pairs."""
    if re.fullmatch(r"l\d+\.gcn1\.bn\.\w+", name):
        return tensor.unflatten(0, (JOINTS, -1)).T.flatten()
    if name.endswith((".Linear_bias", ".Feature_Mask")):
        return tensor.squeeze()
    return tensor.flatten(1) if tensor.ndim == 4 else tensor
