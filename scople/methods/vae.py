"""Variational autoencoders of a skeleton and of the text of its class, aligned: CADA-VAE, CA-VAE and SynSE are one.

The text has n parts (the class name, or its noun and its verb). Each part has an encoder and a decoder of its own and a
block of Z / n of the skeleton's Z latent dimensions. With x the skeleton, c_p the parts, D decoders, z samples of the
posteriors and rho the error of a reconstruction, the terms of the loss are

    skeleton_error = rho(D_x z_x, x)                   text_error = sum_p rho(D_p z_p, c_p)
    kl_skeleton    = KL_x                              kl_text    = sum_p KL_p
    cross          = rho(D_x [z_1 ... z_n], x) + sum_p rho(D_p (block p of z_x), c_p)
    align          = W(posterior of x, posteriors of the parts side by side)

The reconstructions count 1, the other terms as much as the method's `weights` say.
"""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from scople.base.errors import ScopleError
from scople.methods.experts import Expert, ExpertSettings, fit_expert
from scople.methods.gaussian import GaussianEncoder, joined, start_small
from scople.methods.inputs import pooled
from scople.methods.method import ClassTexts, Method, Progress, Samples, Update
from scople.methods.sizes import Sizes


@dataclass(frozen=True)
class Hidden:
    """Widths of the ReLU layers between the ends; 0 for none."""

    skeleton_encoder: int = 0
    text_encoder: int = 0
    skeleton_decoder: int = 0
    text_decoder: int = 0


@dataclass(frozen=True)
class Weights:
    """How much the terms of the loss count at a step, beside the reconstructions."""

    kl_skeleton: float
    kl_text: float
    cross: float
    align: float = 0.0


class AlignedVAE(Method):
    """What the three methods share; a method adds its `weights`.

    Args:
        sizes: of features and texts.
        parts: text fields, in the order of their blocks of latent dimensions.
        latent: Z.
        hidden: ReLU layers.
        relu_ends: whether decoders end in a ReLU.
        sums: True: rho is the L1 distance, and every term is summed over the batch. False: rho is the mean squared
            error over batch and dimensions, and KL and W are means over the batch.
        settings: of noise and classifier.

    Raises:
        ScopleError: Z is no multiple of the number of parts.
    """

    fits_candidates = True

    def __init__(
        self,
        sizes: Sizes,
        *,
        parts: tuple[str, ...],
        latent: int,
        hidden: Hidden,
        relu_ends: bool,
        sums: bool,
        settings: ExpertSettings,
    ) -> None:
        super().__init__()
        if latent % len(parts):
            raise ScopleError(
                f"The latent width is {latent}: it has to be a multiple of {len(parts)}, the number of text parts."
            )
        self.fields = parts
        self.block, self.sums, self.settings = latent // len(parts), sums, settings
        self.skeleton_encoder = GaussianEncoder(sizes.feature_width, hidden.skeleton_encoder, latent)
        self.skeleton_decoder = _decoder(latent, hidden.skeleton_decoder, sizes.feature_width, relu_ends)
        self.text_encoders = nn.ModuleList(
            GaussianEncoder(sizes.text_width, hidden.text_encoder, self.block) for _ in parts
        )
        self.text_decoders = nn.ModuleList(
            _decoder(self.block, hidden.text_decoder, sizes.text_width, relu_ends) for _ in parts
        )
        self.apply(start_small)

    @abstractmethod
    def weights(self, at: Progress) -> Weights:
        """How much the terms count at a step."""

    def inputs(self, features: Float[Tensor, "B 1 V D"]) -> Float[Tensor, "B D"]:
        """x: the mean of the joint features."""
        return pooled(features)

    def terms(
        self, skeletons: Float[Tensor, "B D"], texts: list[Float[Tensor, "B E"]], generator: torch.Generator
    ) -> dict[str, Float[Tensor, ""]]:
        """Every term of the loss of a batch.

        Args:
            skeletons: x, as `inputs` gives it.
            texts: c_p for each part, of each sample's class.
            generator: of the noise, on the CPU; x first, then the parts in their order.
        """
        skeleton = self.skeleton_encoder(skeletons)
        parts = [encoder(text) for encoder, text in zip(self.text_encoders, texts, strict=True)]
        z = skeleton.sample(generator, self.settings.noise)
        z_parts = [part.sample(generator, self.settings.noise) for part in parts]
        decoded = list(zip(self.text_decoders, z_parts, z.split(self.block, dim=1), texts, strict=True))
        return {
            "skeleton_error": self._error(self.skeleton_decoder(z), skeletons),
            "text_error": sum(self._error(decode(own), text) for decode, own, _, text in decoded),
            "kl_skeleton": self._over_batch(skeleton.kl()),
            "kl_text": sum(self._over_batch(part.kl()) for part in parts),
            "cross": self._error(self.skeleton_decoder(torch.cat(z_parts, dim=1)), skeletons)
            + sum(self._error(decode(other), text) for decode, _, other, text in decoded),
            "align": self._over_batch(skeleton.distance(joined(parts))),
        }

    def updates(
        self, samples: Samples, texts: ClassTexts, at: Progress, generator: torch.Generator
    ) -> Iterator[Update]:
        """One update: the reconstructions and the weighted terms."""
        own = [F.embedding(samples.targets, texts.fields[part]) for part in self.fields]
        terms = self.terms(self.inputs(samples.features), own, generator)
        loss = terms["skeleton_error"] + terms["text_error"]
        for name, weight in vars(self.weights(at)).items():
            if weight:  # a term that does not count has no gradient to compute
                loss = loss + weight * terms[name]
        yield Update("model", loss, {name: term.detach() for name, term in terms.items()})

    def prepare(self, texts: ClassTexts, generator: torch.Generator, samples: Samples | None = None) -> Expert:
        """Fit the classifier of the candidates: to their samples where there are any, else to their texts."""
        with torch.no_grad():
            if samples is not None:
                posterior, targets = [self.skeleton_encoder(self.inputs(samples.features))], samples.targets
            else:
                embeddings = [texts.fields[part] for part in self.fields]
                posterior = [encoder(rows) for encoder, rows in zip(self.text_encoders, embeddings, strict=True)]
                targets = torch.arange(len(texts), device=embeddings[0].device)
        return fit_expert(
            posterior,
            targets,
            texts.names,
            samples=self.settings.expert_samples if samples is None else self.settings.expert_seen_samples,
            settings=self.settings,
            generator=generator,
        )

    def scores(self, features: Float[Tensor, "B I V D"], candidates: Expert) -> Float[Tensor, "B K"]:
        """Log-probabilities by the mean of each skeleton's posterior."""
        return candidates.scores(self.skeleton_encoder(self.inputs(features)).mean)

    def _error(self, output: Float[Tensor, "B X"], aim: Float[Tensor, "B X"]) -> Float[Tensor, ""]:
        return (output - aim).abs().sum() if self.sums else F.mse_loss(output, aim)

    def _over_batch(self, values: Float[Tensor, " B"]) -> Float[Tensor, ""]:
        return values.sum() if self.sums else values.mean()


def _decoder(latent: int, hidden: int, width: int, relu_end: bool) -> nn.Sequential:
    layers = [nn.Linear(latent, hidden), nn.ReLU()] if hidden else []
    return nn.Sequential(*layers, nn.Linear(hidden or latent, width), *([nn.ReLU()] if relu_end else []))
