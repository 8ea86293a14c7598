"""JPoSE (Wray et al., ICCV 2019), as it was run on skeletons: one embedding for verbs, one for nouns, one for both.

With x the unit pooled skeleton, and unit embeddings of the class's verb and noun, each part p has s_p of the skeleton
and t_p of the word, both of unit length. The joint embedding of each modality is a layer over [verb, noun], of unit
length too. The loss, with all weights constant, is

    hinge_verb + hinge_noun + hinge_joint + 0.01 (triplet_verb + triplet_noun)
    hinge   = (1/B) sum_b sum_y max(0, 0.3 + s_b . e_y - s_b . t_b), y over all seen classes, e without gradient
    triplet = (1/B) sum_a sum_b max(0, 0.3 + s_a . n(b) - s_a . p(b))

where p(b) is the farthest sample of the batch with the word of b, n(b) the nearest with another word, both without
gradient. A candidate's score is the cosine of the joint embeddings over 0.07. Two candidates with the same verb and
noun have the same score.

The public code is skelemoa/synse-zsl, jpose/; the paper's own loss has other triplets and a text side too. Departures
from that code, each with its reason:

- A fixed number of epochs, a constant rate, the last epoch. There the rate, the stop and the epoch that counts follow
  the accuracy on unseen test samples: a leak. No number of epochs is published, so 200 is our choice.
- The cosine is divided by 0.07, since a softmax of bare cosines is flat and a gate of its entropy blind. The order of
  the candidates stays.
- A word whose embedding is all zero after its ReLU keeps that embedding. There it is divided by its length, 0.
- The text map has two layers, whatever the text encoder. In their code it has one for word2vec.
- Scores of seen classes are the method's own. There they are the backbone's head.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from scople.methods.hinge import hinge
from scople.methods.inputs import pooled
from scople.methods.method import ClassTexts, Method, Progress, Samples, Update
from scople.methods.recipe import Recipe, constant
from scople.methods.sizes import Sizes

PARTS = ("verb", "noun")


@dataclass(frozen=True)
class JposeSettings:
    """Published constants.

    Attributes:
        width: of the embeddings.
        text_hidden: width between a word and its embedding.
        margin: of the hinge and the triplets.
        triplet_weight: of the triplets.
        pairs: "all": the double sum above, as published. "matched": only a = b, which surely was meant.
        temperature: what cosines are divided by.
        learning_rate: of Adam.
        joint_decay: weight decay of the joint layers; the others have none.
        batch_size: samples a step; an epoch's last batch may be smaller.
        epochs: passes over the samples.
    """

    width: int = 50
    text_hidden: int = 512
    margin: float = 0.3
    triplet_weight: float = 0.01
    pairs: Literal["all", "matched"] = "all"
    temperature: float = 0.07
    learning_rate: float = 1e-4
    joint_decay: float = 1e-3
    batch_size: int = 1024
    epochs: int = 200

    def recipe(self) -> Recipe:
        """Adam at a constant rate."""
        return Recipe(batch_size=self.batch_size, epochs=self.epochs, rate=constant(self.learning_rate))


class Jpose(Method):
    """The method, built from its settings.

    Args:
        settings: of the method.
        sizes: of features and texts.
    """

    fields = PARTS

    def __init__(self, settings: JposeSettings, sizes: Sizes) -> None:
        super().__init__()
        self.settings = settings
        width, hidden = settings.width, settings.text_hidden
        self.skeletons = nn.ModuleDict(
            {part: nn.Sequential(nn.Linear(sizes.feature_width, width), nn.Tanh()) for part in PARTS}
        )
        self.words = nn.ModuleDict(
            {
                part: nn.Sequential(nn.Linear(sizes.text_width, hidden), nn.Tanh(), nn.Linear(hidden, width), nn.ReLU())
                for part in PARTS
            }
        )
        self.joint = nn.ModuleDict(
            {side: nn.Sequential(nn.Linear(2 * width, width), nn.Tanh()) for side in ("skeleton", "text")}
        )

    def groups(self) -> dict[str, list[dict[str, Any]]]:
        """One optimiser; the joint layers decay."""
        parts = [*self.skeletons.parameters(), *self.words.parameters()]
        return {
            "model": [
                {"params": parts, "weight_decay": 0.0},
                {"params": list(self.joint.parameters()), "weight_decay": self.settings.joint_decay},
            ]
        }

    def embed_skeletons(self, features: Float[Tensor, "B 1 V D"]) -> dict[str, Float[Tensor, "B Q"]]:
        """Embeddings s of each part, and the joint one."""
        x = F.normalize(pooled(features), dim=1)
        return self._with_joint({part: F.normalize(self.skeletons[part](x), dim=1) for part in PARTS}, "skeleton")

    def embed_texts(self, texts: ClassTexts) -> dict[str, Float[Tensor, "K Q"]]:
        """Embeddings t of each part, and the joint one."""
        units = {part: F.normalize(texts.fields[part], dim=1) for part in PARTS}
        return self._with_joint({part: F.normalize(self.words[part](units[part]), dim=1) for part in PARTS}, "text")

    def _with_joint(self, parts: dict[str, Float[Tensor, "B Q"]], side: str) -> dict[str, Float[Tensor, "B Q"]]:
        return {**parts, "joint": F.normalize(self.joint[side](torch.cat(list(parts.values()), dim=1)), dim=1)}

    def updates(
        self, samples: Samples, texts: ClassTexts, at: Progress, generator: torch.Generator
    ) -> Iterator[Update]:
        """One update: the sum of the hinges and the weighted triplets."""
        skeletons, classes, targets = self.embed_skeletons(samples.features), self.embed_texts(texts), samples.targets
        terms = {
            f"hinge_{space}": hinge(skeletons[space], F.embedding(targets, t), t, self.settings.margin)
            for space, t in classes.items()
        }
        for part in PARTS:
            same = same_words(texts.fields[part])[targets][:, targets]
            loss = triplet(skeletons[part], same, self.settings.margin, self.settings.pairs)
            terms[f"triplet_{part}"] = self.settings.triplet_weight * loss
        yield Update("model", sum(terms.values()), {name: term.detach() for name, term in terms.items()})

    def prepare(
        self, texts: ClassTexts, generator: torch.Generator, samples: Samples | None = None
    ) -> Float[Tensor, "K Q"]:
        """Joint embedding of each candidate."""
        with torch.no_grad():
            return self.embed_texts(texts)["joint"]

    def scores(self, features: Float[Tensor, "B I V D"], candidates: Float[Tensor, "K Q"]) -> Float[Tensor, "B K"]:
        """Cosine of the joint embeddings over the temperature."""
        return self.embed_skeletons(features)["joint"] @ candidates.T / self.settings.temperature


def same_words(words: Float[Tensor, "K E"]) -> Bool[Tensor, "K K"]:
    """Which classes share a word: their embeddings are equal, up to rounding."""
    unit = F.normalize(words, dim=1)
    return unit @ unit.T > 1 - 1e-5


def triplet(
    skeletons: Float[Tensor, "B Q"], same: Bool[Tensor, "B B"], margin: float, pairs: Literal["all", "matched"]
) -> Float[Tensor, ""]:
    """Hard triplets within the skeletons of a batch; 0 where all share one word.

    Args:
        skeletons: s, of unit length.
        same: which samples share a word.
        margin: by how much a sample with the same word has to be nearer.
        pairs: see `JposeSettings.pairs`.
    """
    if same.all():
        return skeletons.new_zeros(())
    fixed = skeletons.detach()
    products = fixed @ fixed.T
    positives = fixed[products.masked_fill(~same, torch.inf).argmin(dim=1)]
    negatives = fixed[products.masked_fill(same, -torch.inf).argmax(dim=1)]
    if pairs == "all":
        return (margin + skeletons @ (negatives - positives).T).relu().sum() / len(skeletons)
    return (margin + (skeletons * (negatives - positives)).sum(dim=1)).relu().mean()
