"""Skeleton-to-text embedding projection 𝒱: a two-layer perceptron from skeleton representations to text embeddings."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Projection(nn.Module):
    """V = tanh(W_2 silu(W_1 R + b_1) + b_2).

    Its two halves can be called separately: `inner` before the SiLU, `outer` from the SiLU on. As `inner` is linear, it
    can be applied before or after a weighted mean.

    Args:
        input_width: width of R (the paper's d_R).
        projection_hidden: width between the two layers (the paper's 512).
        text_width: E, width of a text embedding.
    """

    def __init__(self, *, input_width: int, projection_hidden: int, text_width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(input_width, projection_hidden)
        self.last = nn.Linear(projection_hidden, text_width)

    def outer(self, hidden: Float[Tensor, "B K hidden"]) -> Float[Tensor, "B K E"]:
        """Embedding V from the output of `inner`; every entry in (-1, 1)."""
        return self.last(F.silu(hidden)).tanh()

    def forward(self, representation: Float[Tensor, "B K R"]) -> Float[Tensor, "B K E"]:
        """Embedding V of each representation; every entry in (-1, 1)."""
        return self.outer(self.inner(representation))


def chained(inputs: Float[Tensor, "*N X"], first: nn.Linear, second: nn.Linear) -> Float[Tensor, "*N Z"]:
    """second(first(inputs)) as one linear map; faster if the inputs have many more rows than the maps."""
    bias = second.bias if first.bias is None else second(first.bias)
    return F.linear(inputs, second.weight @ first.weight, bias)
