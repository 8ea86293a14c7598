"""SMIE: a discriminator that tells true pairs of skeleton and text from false ones (Zhou et al., ACM MM 2023).

With LN the layer norm without weights, v a pooled feature and l_y the unit text of class y,

    D(v, l) = w . ReLU(W_2 ReLU(W_1 [LN(v); l] + b_1) + b_2) + b
    E_J = -mean_i softplus(-D(v_i, l_{y_i})),    E_M = mean_i softplus(D(v_{(i+1) mod B}, l_{y_i}))
    L = E_M - E_J

which is the negative Jensen-Shannon estimate of the mutual information; false pairs are the batch's skeletons shifted
by one, those of the same class among them. The score of a candidate is D itself: where L is smallest, D is the
logarithm of p(v, l) / (p(v) p(l)), so a softmax over the candidates is their posterior with equal priors.

Departures from the published code (YujieOuO/SMIE):

- LN at test as in training; its test leaves LN out. `test_norm: false` is its way.
- The last epoch; it reports the best of 100 on unseen test samples.
- No temporal term: there too it exists only for ST-GCN, as it needs features of masked sequences.
- W_1 acts on skeletons and texts apart, and on each text once; the sum is the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from scople.methods.inputs import pooled
from scople.methods.method import ClassTexts, Method, Progress, Samples, Update
from scople.methods.recipe import Recipe, warmed_cosine
from scople.methods.sizes import Sizes


@dataclass(frozen=True)
class SmieSettings:
    """As published.

    Attributes:
        outer_width: of the hidden layer next to the input.
        inner_width: of the one after it.
        test_norm: whether LN acts at test.
        epochs: passes over the samples.
        warmup: epochs in which the rate rises.
        batch_size: samples a step.
        learning_rate: the highest, of Adam.
    """

    outer_width: int = 1024
    inner_width: int = 512
    test_norm: bool = True
    epochs: int = 100
    warmup: int = 15
    batch_size: int = 128
    learning_rate: float = 1e-5

    def recipe(self) -> Recipe:
        """Adam, one rate an epoch."""
        return Recipe(
            batch_size=self.batch_size, epochs=self.epochs, rate=warmed_cosine(self.learning_rate, self.warmup)
        )


class Smie(Method):
    """See the module.

    Args:
        settings: of the method.
        sizes: of features and texts.
    """

    smallest_batch = 2  # a false pair needs a second skeleton

    def __init__(self, settings: SmieSettings, sizes: Sizes) -> None:
        super().__init__()
        self.settings = settings
        self.width = sizes.feature_width
        self.first = nn.Linear(sizes.feature_width + sizes.text_width, settings.outer_width)
        self.rest = nn.Sequential(
            nn.ReLU(),
            nn.Linear(settings.outer_width, settings.inner_width),
            nn.ReLU(),
            nn.Linear(settings.inner_width, 1),
        )

    def updates(
        self, samples: Samples, texts: ClassTexts, at: Progress, generator: torch.Generator
    ) -> Iterator[Update]:
        """L of the module's docstring."""
        skeletons = self.of_skeletons(pooled(samples.features))
        own = F.embedding(samples.targets, self.of_texts(texts.fields["name"]))  # its gradient has a fixed order
        true = self.rest(skeletons + own).squeeze(-1)
        false = self.rest(skeletons.roll(-1, 0) + own).squeeze(-1)
        yield Update("model", -js_information(true, false))

    def scores(self, features: Float[Tensor, "B I V D"], candidates: ClassTexts) -> Float[Tensor, "B K"]:
        """D of every sample and candidate."""
        skeletons = self.of_skeletons(pooled(features))
        return self.rest(skeletons.unsqueeze(1) + self.of_texts(candidates.fields["name"])).squeeze(-1)

    def of_skeletons(self, features: Float[Tensor, "B D"]) -> Float[Tensor, "B outer"]:
        """The skeleton's share of the first layer."""
        if self.training or self.settings.test_norm:
            features = F.layer_norm(features, features.shape[-1:])
        return F.linear(features, self.first.weight[:, : self.width])

    def of_texts(self, texts: Float[Tensor, "K E"]) -> Float[Tensor, "K outer"]:
        """The text's share of the first layer, with the bias."""
        return F.linear(texts, self.first.weight[:, self.width :], self.first.bias)


def js_information(true: Float[Tensor, " B"], false: Float[Tensor, " _B"]) -> Float[Tensor, ""]:
    """Jensen-Shannon estimate of the mutual information, E_J - E_M.

    Args:
        true: D of true pairs.
        false: D of false pairs.
    """
    return -F.softplus(-true).mean() - F.softplus(false).mean()
