"""SCoPLe as a method among the others: the model of `scople.model`, unchanged, in their loop.

It has a text tower of its own and reads class names.
"""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from scople.methods.inputs import over_time
from scople.methods.method import ClassTexts, Method, Progress, Samples, Update
from scople.methods.recipe import Recipe, constant
from scople.model.losses import TrainingQuery, skeleton_to_text, text_to_skeleton, training_logits, weighted
from scople.model.scople import SCoPLe


@dataclass(frozen=True)
class ScopleSettings:
    """The training of SCoPLe: no schedule, no decay. Unstated: the last epoch is the result.

    Attributes:
        epochs: passes over the samples.
        batch_size: samples a step.
        learning_rate: of Adam.
        training_query: see `scople.model.losses.training_logits`.
        text_weight: see `scople.model.losses.weighted`.
        autocast: "bfloat16" lets torch compute embeddings and logits in bfloat16 where it considers that safe;
            parameters, losses and Adam stay in float32. With "none" everything is float32.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    training_query: TrainingQuery
    text_weight: float
    autocast: Literal["none", "bfloat16"] = "none"

    def recipe(self) -> Recipe:
        """Adam at a constant rate."""
        return Recipe(batch_size=self.batch_size, epochs=self.epochs, rate=constant(self.learning_rate))


class Scople(Method):
    """A SCoPLe with its training.

    Args:
        settings: of the training.
        model: as it stands before.
    """

    fields = ()
    tells_attention = True

    def __init__(self, settings: ScopleSettings, model: SCoPLe) -> None:
        super().__init__()
        self.settings, self.model = settings, model
        # A text without anything learned is embedded once.
        self.learns_text = any(each.requires_grad and each.numel() for each in model.text.parameters())

    def learned(self) -> SCoPLe:
        """The model alone, so that weights have the names that they have in it."""
        return self.model

    def begin(self, samples: Samples, texts: ClassTexts) -> None:
        """Tokens of the seen classes; their embeddings too, where nothing of these is learned."""
        self.tokens = self.model.text.tokenize(list(texts.names))
        with torch.no_grad():
            self.text = self.model.embed_text(self.tokens)

    def updates(
        self, samples: Samples, texts: ClassTexts, at: Progress, generator: torch.Generator
    ) -> Iterator[Update]:
        """Eq. 15-16."""
        features, device = over_time(samples.features), samples.features.device.type
        with torch.autocast(device, torch.bfloat16) if self.settings.autocast == "bfloat16" else nullcontext():
            text = self.model.embed_text(self.tokens) if self.learns_text else self.text
            logits, columns = training_logits(self.model, features, text, samples.targets, self.settings.training_query)
        logits = logits.float()
        terms = skeleton_to_text(logits, columns), text_to_skeleton(logits, columns)
        names = ("skeleton_to_text", "text_to_skeleton")
        loss = weighted(*terms, self.settings.text_weight)
        yield Update("model", loss, {name: term.detach() for name, term in zip(names, terms, strict=True)})
        self.model.bound_temperature()  # after the step

    @torch.no_grad()
    def prepare(
        self, texts: ClassTexts, generator: torch.Generator, samples: Samples | None = None
    ) -> Float[Tensor, "K E"]:
        """Embeddings of the candidates' names."""
        return self.model.embed_text(self.model.text.tokenize(list(texts.names)))

    def scores(self, features: Float[Tensor, "B I V D"], candidates: Float[Tensor, "K E"]) -> Float[Tensor, "B K"]:
        """Eq. 17-18."""
        return self.model.class_scores(over_time(features), candidates)

    def attention(self, features: Float[Tensor, "B I V D"], candidates: Float[Tensor, "K E"], row: int) -> Tensor:
        """Eq. 13, with the candidate's own text as query: first the joint prompts, then the joints."""
        return self.model.attention(over_time(features), candidates[row][None])[:, 0]
