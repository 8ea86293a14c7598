"""ReViSE (Tsai et al., ICCV 2017), as it was run on skeletons: two autoencoders whose codes meet.

With x = log(1 + v) of the pooled skeleton v and c the unit embedding of the class name, an encoder takes each to a code
(h of x, g of c), a decoder back, and a map to an embedding (s of h, t of g). e_y is t of seen class y without gradient.
The loss is the sum, from the first step, of

    hinge          = (1/B) sum_b sum_y max(0, 0.3 + s_b . e_y - s_b . t_b)
    skeleton_error = mean over B x D of (decoder(h) - x)^2
    text_error     = mean over B x E of (decoder(g) - c)^2
    mmd            = mean over pairs of k(h_i, h_j) + k(g_i, g_j) - 2 k(h_i, g_j),  k(a, b) = exp(-32 ||a - b||^2)

A candidate's score is s . e_y. The public code is skelemoa/synse-zsl, revise/. Departures, each with its reason:

- A fixed number of epochs, a constant rate, the last epoch. There the rate, and the epoch that counts, follow the
  accuracy on unseen test samples: a leak.
- The contractive penalty is off. There it has no gradient, so it does nothing. `contraction` is the paper's form.
- The transductive step of the paper is left out, as there: it would see unlabelled test samples.
- Text terms are computed once for each class and weighted by the samples of the batch. The value is the same.
- The text side has two layers, whatever the text encoder. In their code it has one for word2vec.
- Scores of seen classes are the method's own. There they are the backbone's head.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from scople.methods.hinge import hinge
from scople.methods.inputs import pooled
from scople.methods.method import ClassTexts, Method, Progress, Samples, Update
from scople.methods.recipe import Recipe, constant
from scople.methods.sizes import Sizes


@dataclass(frozen=True)
class ReviseSettings:
    """Published constants.

    Attributes:
        hidden: width of the codes.
        text_hidden: width between a text and its code.
        width: of the embeddings that are compared.
        margin: of the hinge.
        kappa: of the kernel.
        contraction: weight of the contractive penalty; the paper's form is (1/B) sum_b ||dh_b / dx_b||^2.
        learning_rate: of Adam.
        text_decay: weight decay of the text half; the skeleton half has none.
        batch_size: samples a step; an epoch's last batch may be smaller.
        epochs: passes over the samples.
    """

    hidden: int = 100
    text_hidden: int = 512
    width: int = 50
    margin: float = 0.3
    kappa: float = 32.0
    contraction: float = 0.0
    learning_rate: float = 1e-4
    text_decay: float = 1e-3
    batch_size: int = 1024
    epochs: int = 300

    def recipe(self) -> Recipe:
        """Adam at a constant rate."""
        return Recipe(batch_size=self.batch_size, epochs=self.epochs, rate=constant(self.learning_rate))


class Revise(Method):
    """The method, built from its settings.

    Args:
        settings: of the method.
        sizes: of features and texts.
    """

    def __init__(self, settings: ReviseSettings, sizes: Sizes) -> None:
        super().__init__()
        self.settings = settings
        hidden, text_hidden, width = settings.hidden, settings.text_hidden, settings.width
        self.skeleton = nn.ModuleDict(
            {
                "encoder": nn.Sequential(nn.Linear(sizes.feature_width, hidden), nn.ReLU()),
                "decoder": nn.Sequential(nn.Linear(hidden, sizes.feature_width), nn.ReLU()),
                "map": nn.Sequential(nn.Linear(hidden, width), nn.Tanh()),
            }
        )
        self.text = nn.ModuleDict(
            {
                "encoder": nn.Sequential(
                    nn.Linear(sizes.text_width, text_hidden), nn.ReLU(), nn.Linear(text_hidden, hidden), nn.ReLU()
                ),
                "decoder": nn.Sequential(
                    nn.Linear(hidden, text_hidden), nn.ReLU(), nn.Linear(text_hidden, sizes.text_width), nn.ReLU()
                ),
                "map": nn.Sequential(nn.Linear(hidden, width), nn.Tanh()),
            }
        )

    def groups(self) -> dict[str, list[dict[str, Any]]]:
        """One optimiser; the text half decays."""
        return {
            "model": [
                {"params": list(self.skeleton.parameters()), "weight_decay": 0.0},
                {"params": list(self.text.parameters()), "weight_decay": self.settings.text_decay},
            ]
        }

    def inputs(self, features: Float[Tensor, "B 1 V D"]) -> Float[Tensor, "B D"]:
        """The skeleton's input x = log(1 + v).

        Features are means of ReLU outputs, so v has no negative entry; one would count as 0.
        """
        return pooled(features).relu().log1p()

    def updates(
        self, samples: Samples, texts: ClassTexts, at: Progress, generator: torch.Generator
    ) -> Iterator[Update]:
        """One update: the sum of the terms."""
        x, c = self.inputs(samples.features), texts.fields["name"]
        h, g = self.skeleton["encoder"](x), self.text["encoder"](c)
        s, t = self.skeleton["map"](h), self.text["map"](g)
        counts = torch.bincount(samples.targets, minlength=len(texts)).to(x.dtype)
        terms = {
            "hinge": hinge(s, F.embedding(samples.targets, t), t, self.settings.margin),
            "skeleton_error": F.mse_loss(self.skeleton["decoder"](h), x),
            "text_error": counts @ (self.text["decoder"](g) - c).square().mean(dim=1) / len(x),
            "mmd": mmd(h, g, counts, self.settings.kappa),
        }
        if self.settings.contraction:
            terms["contraction"] = self.settings.contraction * contraction(h, self.skeleton["encoder"][0].weight)
        yield Update("model", sum(terms.values()), {name: term.detach() for name, term in terms.items()})

    def prepare(
        self, texts: ClassTexts, generator: torch.Generator, samples: Samples | None = None
    ) -> Float[Tensor, "K Q"]:
        """Embedding e_y of each candidate."""
        with torch.no_grad():
            return self.text["map"](self.text["encoder"](texts.fields["name"]))

    def scores(self, features: Float[Tensor, "B I V D"], candidates: Float[Tensor, "K Q"]) -> Float[Tensor, "B K"]:
        """The products s . e_y."""
        return self.skeleton["map"](self.skeleton["encoder"](self.inputs(features))) @ candidates.T


def mmd(
    codes: Float[Tensor, "B H"], class_codes: Float[Tensor, "S H"], counts: Float[Tensor, " S"], kappa: float
) -> Float[Tensor, ""]:
    """Squared maximum mean discrepancy of a batch's skeleton codes and text codes, biased: the diagonal is in.

    Args:
        codes: h of each sample.
        class_codes: g of each class.
        counts: samples of each class, with the sum B: as often as its g occurs.
        kappa: of the kernel exp(-kappa ||a - b||^2).
    """
    share = counts / len(codes)
    own = _kernel(codes, codes, kappa).mean()
    return (
        own
        + share @ _kernel(class_codes, class_codes, kappa) @ share
        - 2 * (_kernel(codes, class_codes, kappa).mean(dim=0) @ share)
    )


def _kernel(a: Float[Tensor, "A H"], b: Float[Tensor, "B H"], kappa: float) -> Float[Tensor, "A B"]:
    squares = a.square().sum(dim=1, keepdim=True) + b.square().sum(dim=1) - 2 * a @ b.T
    return (-kappa * squares.clamp(min=0)).exp()  # rounding may leave a distance of 0 a little below it


def contraction(codes: Float[Tensor, "B H"], weight: Float[Tensor, "H D"]) -> Float[Tensor, ""]:
    """(1/B) sum_b ||dh_b / dx_b||^2, Frobenius, of h = relu(W x + b): rows of W where h is above 0.

    Args:
        codes: h.
        weight: W.
    """
    return (codes > 0).to(weight.dtype).mean(dim=0) @ weight.square().sum(dim=1)
