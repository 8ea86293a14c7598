"""SA-DVAE (Li et al., ECCV 2024): a skeleton's latents have a semantic block, aligned with the text, and another.

The other, the instance block, is for what differs within a class. With v the pooled skeleton, c the unit embedding of
the class name, z_r and z_v samples of the skeleton's semantic and instance posterior, z_c one of the text's, D_x and
D_c decoders, Dis a discriminator with outputs in (0, 1), and x in [0, 1) how much of the cycle is done, the loss of a
batch is

    mse(v, D_x [z_r, z_v]) + mse(c, D_c z_c) + f_1 (KL_r + KL_v) + f_2 KL_c + f_2 mean Dis[z_r, z_v]
    + [x > 0.8] (mse(v, D_x [z_c, z_v]) + mse(c, D_c z_r))
    f_1 = max(0, 0.1 (x - 1000/1700) 1700/3000)     f_2 = max(0, 0.1 (x - 0.8) 1700/3000) from the third cycle on

and before it, at every `discriminator_every`-th step, that of the discriminator is

    f_2 (bce(Dis[z_r, z_v], 1) + bce(Dis[perm z_r, perm' z_v], 0) + the same two with z_c in place of z_r) / 4

with fresh noise, two independent permutations of the batch, and no gradient into the encoders. The total correlation of
the two blocks thus counts at most 0.0113, in the last fifth of cycles three to ten only. Encoders and decoders are
single linear layers, decoders end in a ReLU. The method decides by a linear classifier over the semantic latents, whose
logits end in a ReLU as published (`scople.methods.experts`).

The public code is pha123661/SA-DVAE. Departures from it, each with its reason:

- The last of ten cycles counts. There the cycle of the best accuracy on unseen test samples does: a leak.
- Scores of seen classes come from a classifier of the method's own. There they are the backbone's head.
- A cycle is a tenth of the training, however many passes that are. There it is one pass.
- The discriminator's turns are counted over the whole training. There the count starts anew with each cycle.

Published settings (ST-GCN features with CLIP texts; their rates come from a random search):

| | semantic | instance | learning_rate | batch_size | discriminator_every |
|---|---|---|---|---|---|
| NTU-60 | 224 | 16 | 3.596e-5 | 32 | 7 |
| NTU-120 | 176 | 20 | 7.361e-6 | 32 | 12 |
| PKU-MMD | 128 | 16 | 3.074e-5 | 64 | 2 |
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from scople.base.errors import ScopleError
from scople.methods.experts import Expert, ExpertSettings, fit_expert
from scople.methods.gaussian import Gaussian, GaussianEncoder, start_small
from scople.methods.inputs import pooled
from scople.methods.method import ClassTexts, Method, Progress, Samples, Update
from scople.methods.recipe import Recipe, constant
from scople.methods.schedules import in_cycle
from scople.methods.sizes import Sizes


@dataclass(frozen=True)
class SaDvaeSettings(ExpertSettings):
    """Published constants, those of NTU-60.

    Attributes:
        semantic: width of z_r.
        instance: width of z_v.
        discriminator_every: steps from one step of the discriminator to the next.
        learning_rate: of both Adams.
        batch_size: samples a step.
        cycles: how often the weights of the terms start anew.
        epochs: passes over the samples.
        expert_relu: as published.
    """

    semantic: int = 224
    instance: int = 16
    discriminator_every: int = 7
    learning_rate: float = 3.596e-5
    batch_size: int = 32
    cycles: int = 10
    epochs: int = 10
    expert_relu: bool = True

    def recipe(self) -> Recipe:
        """Adam at a constant rate, one for the discriminator and one for the rest."""
        return Recipe(batch_size=self.batch_size, epochs=self.epochs, rate=constant(self.learning_rate))


class SaDvae(Method):
    """The method, built from its settings.

    Args:
        settings: of the method.
        sizes: of features and texts.

    Raises:
        ScopleError: the discriminator never has its turn.
    """

    fits_candidates = True

    def __init__(self, settings: SaDvaeSettings, sizes: Sizes) -> None:
        super().__init__()
        if settings.discriminator_every < 1:
            raise ScopleError(f"discriminator_every is {settings.discriminator_every}: make it at least 1.")
        self.settings = settings
        semantic, latent = settings.semantic, settings.semantic + settings.instance
        self.skeleton_encoder = GaussianEncoder(sizes.feature_width, 0, latent)
        self.skeleton_decoder = nn.Sequential(nn.Linear(latent, sizes.feature_width), nn.ReLU())
        self.text_encoder = GaussianEncoder(sizes.text_width, 0, semantic)
        self.text_decoder = nn.Sequential(nn.Linear(semantic, sizes.text_width), nn.ReLU())
        self.discriminator = nn.Sequential(nn.Linear(latent, latent // 4), nn.ReLU(), nn.Linear(latent // 4, 1))
        self.apply(start_small)

    def groups(self) -> dict[str, list[dict[str, Any]]]:
        """Two optimisers: the discriminator's and that of the rest."""
        rest = [p for name, p in self.named_parameters() if not name.startswith("discriminator.")]
        return {"discriminator": [{"params": list(self.discriminator.parameters())}], "model": [{"params": rest}]}

    def encode(self, features: Float[Tensor, "B 1 V D"]) -> list[Gaussian]:
        """Posteriors of a skeleton: semantic, instance."""
        encoded = self.skeleton_encoder(pooled(features))
        return encoded.split([self.settings.semantic, self.settings.instance])

    def updates(
        self, samples: Samples, texts: ClassTexts, at: Progress, generator: torch.Generator
    ) -> Iterator[Update]:
        """The discriminator's update where it has its turn, then that of the rest."""
        f_1, f_2, cross = factors(*in_cycle(at, self.settings.cycles))
        v, c = pooled(samples.features), F.embedding(samples.targets, texts.fields["name"])
        semantic, instance = self.encode(samples.features)
        text = self.text_encoder(c)
        if (at.step + 1) % self.settings.discriminator_every == 0:
            loss = self.discriminator_loss(semantic.detach(), instance.detach(), text.detach(), generator)
            yield Update("discriminator", f_2 * loss, {"unscaled": loss.detach()})

        z_r, z_v, z_c = (posterior.sample(generator, self.settings.noise) for posterior in (semantic, instance, text))
        terms = {
            "skeleton_error": F.mse_loss(self.skeleton_decoder(torch.cat([z_r, z_v], dim=1)), v),
            "text_error": F.mse_loss(self.text_decoder(z_c), c),
            "kl_skeleton": (semantic.kl() + instance.kl()).mean(),
            "kl_text": text.kl().mean(),
            "correlation": self.discriminator(torch.cat([z_r, z_v], dim=1)).sigmoid().mean(),
            "cross": F.mse_loss(self.skeleton_decoder(torch.cat([z_c, z_v], dim=1)), v)
            + F.mse_loss(self.text_decoder(z_r), c),
        }
        loss = terms["skeleton_error"] + terms["text_error"]
        for name, weight in (("kl_skeleton", f_1), ("kl_text", f_2), ("correlation", f_2), ("cross", cross)):
            if weight:  # a term that does not count has no gradient to compute
                loss = loss + weight * terms[name]
        yield Update("model", loss, {name: term.detach() for name, term in terms.items()})

    def discriminator_loss(
        self, semantic: Gaussian, instance: Gaussian, text: Gaussian, generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """How badly pairs of latents are told from shuffled ones; 0.693 where nothing is learned."""
        losses = []
        for posterior in (semantic, text):
            z_r, z_v = (part.sample(generator, self.settings.noise) for part in (posterior, instance))
            shuffled = [part[torch.randperm(len(part), generator=generator).to(part.device)] for part in (z_r, z_v)]
            for latents, aim in (((z_r, z_v), 1.0), (shuffled, 0.0)):
                logits = self.discriminator(torch.cat(list(latents), dim=1))
                losses.append(F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, aim)))
        return sum(losses) / len(losses)

    def prepare(self, texts: ClassTexts, generator: torch.Generator, samples: Samples | None = None) -> Expert:
        """Fit the classifier of the candidates: to their samples where there are any, else to their texts."""
        with torch.no_grad():
            if samples is not None:
                posterior, targets = self.encode(samples.features)[0], samples.targets
            else:
                posterior = self.text_encoder(texts.fields["name"])
                targets = torch.arange(len(texts), device=posterior.mean.device)
        return fit_expert(
            [posterior],
            targets,
            texts.names,
            samples=self.settings.expert_samples if samples is None else self.settings.expert_seen_samples,
            settings=self.settings,
            generator=generator,
        )

    def scores(self, features: Float[Tensor, "B I V D"], candidates: Expert) -> Float[Tensor, "B K"]:
        """Log-probabilities by the mean of each skeleton's semantic posterior."""
        return candidates.scores(self.encode(features)[0].mean)


def factors(cycle: int, x: float) -> tuple[float, float, float]:
    """f_1, f_2 and the weight of the cross reconstruction.

    Args:
        cycle: from 0.
        x: how much of it is done, in [0, 1].
    """
    f_1 = max(0.0, 0.1 * (x - 1000 / 1700) * 1700 / 3000)
    f_2 = max(0.0, 0.1 * (x - 0.8) * 1700 / 3000) if cycle >= 2 else 0.0
    return f_1, f_2, float(x > 0.8)
