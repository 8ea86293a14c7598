"""What methods read of a sample: its features pooled, as tokens, or as means over parts of the body.

Intervals of time may differ in length (4 steps in three intervals are 1, 2 and 1, see
`scople.data.joint_features.interval_lengths`); their lengths are then the weights of every mean over time.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Parts = tuple[tuple[int, ...], ...]
"""Joints of each part of the body, see `scople.data.joints.JOINT_NAMES`."""

STAR_PARTS: Parts = (
    (2, 3, 20),
    (7, 11, 21, 22, 23, 24),
    (4, 5, 6, 8, 9, 10),
    (0, 1),
    (12, 13, 16, 17),
    (14, 15, 18, 19),
)
"""STAR's six: head, hands, arms, hips, legs, feet; each joint once (cseeyangchen/STAR)."""

PURLS_PARTS: Parts = (
    (2, 3, 4, 8, 20),
    (4, 5, 6, 7, 8, 9, 10, 11, 21, 22, 23, 24),
    (0, 1, 4, 8, 12, 16, 20),
    (0, 12, 13, 14, 15, 16, 17, 18, 19),
)
"""PURLS's four: head, hands, torso, legs; they share joints (azzh1/PURLS)."""


def over_time(features: Float[Tensor, "B I V D"], lengths: Sequence[int] = ()) -> Float[Tensor, "B V D"]:
    """Mean over time; intervals of equal length where none are given."""
    if not lengths:
        return features.mean(dim=1)
    weights = torch.tensor(lengths, dtype=features.dtype, device=features.device)
    return torch.einsum("bivd,i->bvd", features, weights / weights.sum())


def pooled(features: Float[Tensor, "B I V D"], lengths: Sequence[int] = ()) -> Float[Tensor, "B D"]:
    """Mean over time and joints: what the backbone's own classifier reads."""
    return over_time(features, lengths).mean(dim=1)


def unit(features: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
    """Every token with length 1; one of zeros stays so."""
    return F.normalize(features, dim=-1)


def part_means(features: Float[Tensor, "B I V D"], parts: Parts, lengths: Sequence[int] = ()) -> Float[Tensor, "B O D"]:
    """Mean over time and the joints of each of O parts."""
    joints = over_time(features, lengths)
    return torch.stack([joints[:, list(part)].mean(dim=1) for part in parts], dim=1)
