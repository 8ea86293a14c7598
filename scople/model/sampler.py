"""Adaptive visual representation sampler, eq. 11-14: a class's text selects the tokens of a skeleton that matter to it.

Queries come from the text embeddings F of the candidate classes, keys and values from a skeleton's J tokens [P^V; G]
(`scople.model.skeleton_prompts`). There is one head; all samples and candidates are computed together.
"""

from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def attention_weights(queries: Float[Tensor, "*B K H"], keys: Float[Tensor, "B J H"]) -> Float[Tensor, "B K J"]:
    """A = softmax(F_Q G_K^T / sqrt(h)), eq. 13.

    Args:
        queries: F_Q, one row for each candidate: "K H" for all samples, or "B K H" with separate ones for each sample.
        keys: G_K, one row for each token of a sample.

    Returns:
        Weight of token j for candidate k of sample b; sums to 1 over the tokens.
    """
    return (queries / keys.shape[-1] ** 0.5 @ keys.mT).softmax(-1)


class Sampler(nn.Module):
    """W_Q, W_K and W_V with eq. 11-13.

    Eq. 14, R = A G_V, is linear like the layer that follows it, so `scople.model.scople` computes the two together.

    Args:
        text_width: E, width of a text embedding.
        feature_width: D, width of a token.
        sampler_width: h, width of queries and keys.
        representation_width: d_R, width of values.
        sampler_query: Unstated: W_Q is applied to F "raw", as in eq. 11, or L2-normalised to "unit" length (as in
            azzh1/PURLS).
        sampler_bias: Unstated: whether the three maps have biases; eq. 11-12 show none.
    """

    def __init__(
        self,
        *,
        text_width: int,
        feature_width: int,
        sampler_width: int,
        representation_width: int,
        sampler_query: Literal["raw", "unit"],
        sampler_bias: bool,
    ) -> None:
        super().__init__()
        self.query = nn.Linear(text_width, sampler_width, bias=sampler_bias)
        self.key = nn.Linear(feature_width, sampler_width, bias=sampler_bias)
        self.value = nn.Linear(feature_width, representation_width, bias=sampler_bias)
        self.sampler_query = sampler_query

    def forward(self, tokens: Float[Tensor, "B J D"], text: Float[Tensor, "*B K E"]) -> Float[Tensor, "B K J"]:
        """Attention A of every candidate over the tokens of every sample, eq. 11-13.

        Args:
            tokens: [P^V; G].
            text: embeddings F of the candidates, any norm: "K E", or "B K E" if each sample has its own.

        Returns:
            Weights that sum to 1 over the tokens.
        """
        if self.sampler_query == "unit":
            text = F.normalize(text, dim=-1)
        return attention_weights(self.query(text), self.key(tokens))
