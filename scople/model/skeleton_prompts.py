"""Joint prompts P^V: learned joint features in front of the real ones, [P^V; G] of eq. 12."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SkeletonPrompts(nn.Module):
    """Prepend P learned joint features to every sample's V joint features.

    A skeleton has J = P + V tokens: these prompts, then the joints in their own order.

    Args:
        joint_prompts: P, the paper's L_pv; 0 for none.
        feature_width: D, width of a joint feature.
        joint_prompt_std: standard deviation of the prompts at initialisation; 1 in the paper, N(0, 1).
    """

    def __init__(self, *, joint_prompts: int, feature_width: int, joint_prompt_std: float) -> None:
        super().__init__()
        self.prompts = nn.Parameter(joint_prompt_std * torch.randn(joint_prompts, feature_width))

    def forward(self, features: Float[Tensor, "B V D"]) -> Float[Tensor, "B J D"]:
        """[P^V; G] of every sample."""
        return torch.cat([self.prompts.expand(len(features), -1, -1), features], dim=1)
