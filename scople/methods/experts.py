"""The classifier over latents with which CADA-VAE, SynSE and SA-DVAE decide: one linear layer for a set of classes.

It learns from samples of posteriors: of texts for unseen classes, which have no skeletons; of training skeletons for
seen ones. A test sample enters as the mean of its own posterior.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from scople.base.errors import ScopleError, printable
from scople.methods.gaussian import Gaussian, Noise


@dataclass(frozen=True)
class ExpertSettings:
    """How an expert is fitted; the constants of SynSE's and SA-DVAE's code. A method's settings extend them.

    Attributes:
        expert_samples: latents drawn for each class from the posterior of its text.
        expert_seen_samples: latents drawn for each seen class from the posteriors of its training skeletons, as many as
            CADA-VAE's.
        expert_steps: of Adam, each over all latents.
        expert_rate: of Adam.
        expert_relu: whether logits end in a ReLU, as published: a class with negative logits everywhere is dead.
        noise: of a sample, in training too.
    """

    expert_samples: int = 500
    expert_seen_samples: int = 200
    expert_steps: int = 300
    expert_rate: float = 1e-3
    expert_relu: bool = False
    noise: Noise = "shared"


@dataclass(frozen=True)
class Expert:
    """A fitted classifier: log-softmax of W z + b, or of its ReLU.

    Attributes:
        weight: W, one row a class.
        bias: b.
        relu: whether logits end in a ReLU.
    """

    weight: Float[Tensor, "K Z"]
    bias: Float[Tensor, " K"]
    relu: bool

    def logits(self, latents: Float[Tensor, "B Z"]) -> Float[Tensor, "B K"]:
        """What the softmax is taken of."""
        logits = F.linear(latents, self.weight, self.bias)
        return logits.relu() if self.relu else logits

    def scores(self, latents: Float[Tensor, "B Z"]) -> Float[Tensor, "B K"]:
        """Log-probability of each class."""
        return self.logits(latents).log_softmax(dim=1)


def fit_expert(
    posterior: Sequence[Gaussian],
    targets: Int[Tensor, " N"],
    names: Sequence[str],
    *,
    samples: int,
    settings: ExpertSettings,
    generator: torch.Generator,
) -> Expert:
    """Fit the expert of some classes by cross-entropy over samples of their posteriors.

    Classes are taken in the order of their names, so that the order of the candidates moves columns and nothing else.

    Args:
        posterior: blocks of dimensions, side by side the latents of N inputs; each block has noise of its own.
        targets: class of each input, a row of `names`.
        names: of the classes.
        samples: latents drawn for each class, each from an input drawn with replacement.
        settings: the fit.
        generator: source of every random number, on the CPU.

    Returns:
        The expert, its columns in the order of `names`.

    Raises:
        ScopleError: a class has no input, or no latent is to be drawn.
    """
    if samples < 1:
        raise ScopleError(f"A classifier is to be fitted to {samples} latents of each class: draw at least 1.")
    order = sorted(range(len(names)), key=names.__getitem__)
    inputs = []
    for row in order:
        own = (targets == row).nonzero().squeeze(1)
        if not len(own):
            raise ScopleError(
                f"The class '{printable(names[row])}' has no training sample for its classifier: it needs at least 1; "
                "leave the class out."
            )
        inputs.append(own[torch.randint(len(own), (samples,), generator=generator).to(own.device)])
    chosen = torch.cat(inputs)
    latents = torch.cat([block.rows(chosen).sample(generator, settings.noise) for block in posterior], dim=1).detach()
    columns = torch.arange(len(names), device=latents.device).repeat_interleave(samples)

    weight = torch.empty(len(names), latents.shape[1], dtype=latents.dtype)
    nn.init.xavier_uniform_(weight, gain=0.5, generator=generator)
    weight = weight.to(latents.device).requires_grad_()
    bias = torch.zeros(len(names), dtype=latents.dtype, device=latents.device, requires_grad=True)
    expert = Expert(weight, bias, settings.expert_relu)
    # The plain step takes square roots as the CPU's maker likes, see `scople.base.arithmetic`.
    optimiser = torch.optim.Adam([weight, bias], lr=settings.expert_rate, fused=True)
    with torch.enable_grad():  # whoever scores has turned gradients off
        for _ in range(settings.expert_steps):
            loss = F.cross_entropy(expert.logits(latents), columns)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    place = torch.tensor(order, device=weight.device).argsort()
    return Expert(weight.detach()[place], bias.detach()[place], settings.expert_relu)
