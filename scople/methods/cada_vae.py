"""CADA-VAE (Schonfeld et al., CVPR 2019), and CA-VAE, which is what skeleton papers ran under that name.

Both are `scople.methods.vae.AlignedVAE` with the class name as the one text part.

**CADA-VAE** scales each dimension of the pooled skeleton to [0, 1] by the training samples, has hidden layers and
linear ends, and sums L1 errors, KL and W over the batch. At epoch e of 100 the loss is

    skeleton_error + text_error + beta (kl_skeleton + kl_text) + gamma cross + delta align
    beta = 0.25 min(1, e / 93)    gamma = 2.37 clip((e - 21) / 54, 0, 1)    delta = 8.13 clip((e - 6) / 16, 0, 1)

The public code is the authors', edgarschnfld/CADA-VAE-PyTorch. Departures from it, each with its reason:

- A sample's deviation is exp(l / 2). In their code it is exp(l), at odds with its own KL.
- It decides by the two linear classifiers of `scople.methods.experts`, so that all VAEs are alike and seen and unseen
  scores stay apart for the gates. There one classifier is for all classes, and the number of its passes differs from
  data set to data set.
- Skeletons have 256 dimensions in place of an image's 2048, so the skeleton's error weighs 8 times less against the
  other terms. The constants stay: nothing is tuned on a test set.

**CA-VAE** is a row of its own, since published skeleton numbers named CADA-VAE are of this kind: skelemoa/synse-zsl
gives the alignment the constant weight 0. It has single linear layers, raw skeletons, decoders that end in a ReLU, and
mean squared errors. With i the step of a cycle of 1,900 the loss is

    skeleton_error + text_error + b kl_skeleton + [i > 1500] (b kl_text + cross)    b = max(0, (i - 1000) / 30000)

It departs from that code as `scople.methods.synse` does, for the same reasons. Its latent width is 100 for NTU-60 and
200 for NTU-120; for PKU-MMD none is published.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from scople.methods.experts import ExpertSettings
from scople.methods.method import ClassTexts, Progress, Samples
from scople.methods.recipe import Recipe, constant
from scople.methods.schedules import in_cycle
from scople.methods.sizes import Sizes
from scople.methods.synse import Synse
from scople.methods.vae import AlignedVAE, Hidden, Weights


@dataclass(frozen=True)
class CadaVaeSettings(ExpertSettings):
    """Published constants.

    Attributes:
        latent: Z.
        skeleton_encoder: width of its ReLU layer.
        text_encoder: the same.
        skeleton_decoder: the same.
        text_decoder: the same.
        beta: last weight of the KL terms.
        gamma: last weight of the cross reconstruction.
        delta: last weight of the alignment.
        learning_rate: of Adam.
        batch_size: samples a step.
        epochs: of as many steps as the samples fill batches; the weights of the terms rise over 100 of them, or over as
            many as there are.
    """

    latent: int = 64
    skeleton_encoder: int = 1560
    text_encoder: int = 1450
    skeleton_decoder: int = 1660
    text_decoder: int = 665
    beta: float = 0.25
    gamma: float = 2.37
    delta: float = 8.13
    learning_rate: float = 1.5e-4
    batch_size: int = 50
    epochs: int = 100

    def recipe(self) -> Recipe:
        """Adam with amsgrad at a constant rate; each batch is drawn anew from all samples."""
        return Recipe(
            batch_size=self.batch_size,
            epochs=self.epochs,
            rate=constant(self.learning_rate),
            amsgrad=True,
            draw="independent",
        )


class CadaVae(AlignedVAE):
    """CADA-VAE as its authors published it.

    Args:
        settings: of the method.
        sizes: of features and texts.
    """

    def __init__(self, settings: CadaVaeSettings, sizes: Sizes) -> None:
        super().__init__(
            sizes,
            parts=("name",),
            latent=settings.latent,
            hidden=Hidden(
                settings.skeleton_encoder, settings.text_encoder, settings.skeleton_decoder, settings.text_decoder
            ),
            relu_ends=False,
            sums=True,
            settings=settings,
        )
        self.register_buffer("lowest", torch.zeros(sizes.feature_width))
        self.register_buffer("span", torch.ones(sizes.feature_width))

    def begin(self, samples: Samples, texts: ClassTexts) -> None:
        """Learn the scale of each dimension of the training samples; one that is constant becomes 0."""
        pooled = super().inputs(samples.features)
        lowest, highest = pooled.aminmax(dim=0)
        self.lowest.copy_(lowest)
        self.span.copy_(torch.where(highest > lowest, highest - lowest, 1))

    def inputs(self, features: Float[Tensor, "B 1 V D"]) -> Float[Tensor, "B D"]:
        """The mean of the joint features, in [0, 1] for training samples."""
        return (super().inputs(features) - self.lowest) / self.span

    def weights(self, at: Progress) -> Weights:
        """beta, gamma and delta at an epoch."""
        e = 100 * at.epoch / at.epochs
        beta = self.settings.beta * min(1.0, e / 93)
        return Weights(
            kl_skeleton=beta,
            kl_text=beta,
            cross=self.settings.gamma * min(1.0, max(0.0, (e - 21) / 54)),
            align=self.settings.delta * min(1.0, max(0.0, (e - 6) / 16)),
        )


class CaVae(Synse):
    """CADA-VAE as skeleton papers ran it: SynSE with one part, and another weight of the text's KL."""

    fields = ("name",)

    def weights(self, at: Progress) -> Weights:
        """The weights at a step of a cycle."""
        _, i = in_cycle(at, self.cycles, 1900)
        late, kl = i > 1500, max(0.0, (i - 1000) / 30000)
        return Weights(kl_skeleton=kl, kl_text=kl if late else 0.0, cross=float(late))
