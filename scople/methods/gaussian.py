"""Gaussians with a diagonal covariance over a latent space, and the encoders that give one for each input.

CADA-VAE, SynSE and SA-DVAE share them, as their published code does.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

Noise = Literal["shared", "independent"]
"""Of the numbers that a sample is made with: one for all Z dimensions, or one for each (the papers' formula).

Published code of the whole family has one, so it is the default everywhere: every published number was made with it.
"""


@dataclass(frozen=True)
class Gaussian:
    """One Gaussian N(mean, exp(log_variance)) for each of B inputs, its Z dimensions independent.

    Attributes:
        mean: m.
        log_variance: l; minus infinity is a point.
    """

    mean: Float[Tensor, "B Z"]
    log_variance: Float[Tensor, "B Z"]

    def sample(self, generator: torch.Generator, noise: Noise) -> Float[Tensor, "B Z"]:
        """One sample m + exp(l / 2) eps of each, differentiable in m and l; `generator` is on the CPU."""
        shape = (len(self.mean), 1 if noise == "shared" else self.mean.shape[1])
        eps = torch.randn(shape, generator=generator, dtype=self.mean.dtype).to(self.mean.device)
        return self.mean + (self.log_variance / 2).exp() * eps

    def kl(self) -> Float[Tensor, " B"]:
        """Kullback-Leibler divergence from N(0, 1), in nats: 0.5 sum_z (m^2 + exp(l) - 1 - l)."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance).sum(dim=1)

    def distance(self, other: "Gaussian") -> Float[Tensor, " B"]:
        """2-Wasserstein distance, with its root; the gradient at distance 0 is 0."""
        means = self.mean - other.mean
        deviations = (self.log_variance / 2).exp() - (other.log_variance / 2).exp()
        return torch.linalg.vector_norm(torch.cat([means, deviations], dim=1), dim=1)

    def rows(self, rows: Int[Tensor, " rows"]) -> "Gaussian":
        """Those of some inputs, in the order asked for."""
        return Gaussian(self.mean[rows], self.log_variance[rows])

    def split(self, widths: list[int]) -> list["Gaussian"]:
        """Blocks of dimensions, whose widths sum to Z."""
        means, log_variances = self.mean.split(widths, dim=1), self.log_variance.split(widths, dim=1)
        return [Gaussian(*block) for block in zip(means, log_variances, strict=True)]

    def detach(self) -> "Gaussian":
        """The same without a gradient."""
        return Gaussian(self.mean.detach(), self.log_variance.detach())


def joined(blocks: list[Gaussian]) -> Gaussian:
    """Blocks of dimensions side by side: the inverse of `Gaussian.split`."""
    return Gaussian(torch.cat([b.mean for b in blocks], dim=1), torch.cat([b.log_variance for b in blocks], dim=1))


class GaussianEncoder(nn.Module):
    """Two linear heads, mean and log-variance, after one ReLU layer or none.

    Args:
        width: X, of the input.
        hidden: width of the ReLU layer; 0 for none.
        latent: Z.
    """

    def __init__(self, width: int, hidden: int, latent: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(width, hidden), nn.ReLU()) if hidden else nn.Identity()
        self.mean = nn.Linear(hidden or width, latent)
        self.log_variance = nn.Linear(hidden or width, latent)

    def forward(self, inputs: Float[Tensor, "B X"]) -> Gaussian:
        """The Gaussian of each input."""
        body = self.body(inputs)
        return Gaussian(self.mean(body), self.log_variance(body))


def start_small(module: nn.Module) -> None:
    """Xavier's uniform weights with gain 0.5 and no biases, for `nn.Module.apply`: how the whole family starts."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight, gain=0.5)
        nn.init.zeros_(module.bias)
