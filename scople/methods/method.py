"""What every method of zero-shot recognition offers, so that one loop trains all of them and one judge scores them.

A method reads frozen features of a sample, one for each interval of time and joint, and frozen texts of classes. It
knows of no gate, no split, no file. Training sees seen classes and their texts only; scoring never sees a label.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


@dataclass(frozen=True)
class ClassTexts:
    """Frozen texts of K classes.

    Attributes:
        names: class names, in the order of the rows.
        fields: text field (`name`, `verb`, `noun`, `whole`, `head`, …) → its embeddings "K E", rows of unit length.
    """

    names: tuple[str, ...]
    fields: dict[str, Float[Tensor, "K E"]]

    def rows(self, rows: list[int]) -> "ClassTexts":
        """The texts of some of the classes, in the order asked for."""
        return ClassTexts(tuple(self.names[row] for row in rows), {name: e[rows] for name, e in self.fields.items()})

    def to(self, device: torch.device) -> "ClassTexts":
        """The same texts on another device."""
        return ClassTexts(self.names, {name: embedded.to(device) for name, embedded in self.fields.items()})

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Samples:
    """Features with the rows of their classes among some texts; a method never sees those of test subjects here.

    Attributes:
        features: of each sample, one for each of I intervals of time and V joints.
        targets: row of each sample's class.
    """

    features: Float[Tensor, "N I V D"]
    targets: Int[Tensor, " N"]

    def to(self, device: torch.device) -> "Samples":
        """The same samples on another device."""
        return Samples(self.features.to(device), self.targets.to(device))


@dataclass(frozen=True)
class Progress:
    """Where a training stands: `step` of `steps`, counted from 0 over the whole training, in `epoch` of `epochs`.

    Epochs are counted from 0 too.
    """

    step: int
    steps: int
    epoch: int
    epochs: int


@dataclass(frozen=True)
class Update:
    """One step of one optimiser.

    Attributes:
        group: which of `Method.groups` it moves.
        loss: what is minimised.
        terms: parts of the loss, for the history; detached.
    """

    group: str
    loss: Float[Tensor, ""]
    terms: dict[str, Float[Tensor, ""]] = field(default_factory=dict)


class Method(nn.Module, ABC):
    """A method of zero-shot recognition.

    Weights start from torch's global generator: build within `scople.base.seeding.seeded`.

    Attributes:
        intervals: I, how many intervals of time it reads; 1 is the mean over time.
        fields: text fields it reads.
        smallest_batch: a batch with fewer samples is left out (batch statistics, or pairs within a batch, need two).
        fits_candidates: whether `prepare` fits a classifier of the candidates; seen ones are then prepared apart from
            unseen ones, with their training samples.
        tells_attention: whether there is an `attention`.
    """

    intervals: int = 1
    fields: tuple[str, ...] = ("name",)
    smallest_batch: int = 1
    fits_candidates: bool = False
    tells_attention: bool = False

    def learned(self) -> nn.Module:
        """What is kept of a training: the module whose `state_dict` is saved and loaded."""
        return self

    def groups(self) -> dict[str, list[dict[str, Any]]]:
        """Name of each optimiser → its parameter groups, as `torch.optim` takes them."""
        return {"model": [{"params": [p for p in self.parameters() if p.requires_grad]}]}

    def begin(self, samples: Samples, texts: ClassTexts) -> None:  # noqa: B027 - most methods have nothing to fit
        """Fit what is no matter of gradients (the scaling of an input), once, before the first step."""

    @abstractmethod
    def updates(
        self, samples: Samples, texts: ClassTexts, at: Progress, generator: torch.Generator
    ) -> Iterator[Update]:
        """Losses of one batch, one after the other: each is stepped before the next is computed.

        Args:
            samples: the batch; targets are rows of `texts`.
            texts: of all seen classes.
            at: where the training stands.
            generator: source of every random number, on the CPU.
        """

    def prepare(self, texts: ClassTexts, generator: torch.Generator, samples: Samples | None = None) -> Any:
        """What `scores` needs of a set of candidate classes; the texts themselves for most methods.

        Args:
            texts: of the candidates, seen or unseen.
            generator: source of random numbers, on the CPU.
            samples: training samples of these candidates, where they are seen classes; targets are rows of `texts`.
        """
        return texts

    @abstractmethod
    def scores(self, features: Float[Tensor, "B I V D"], candidates: Any) -> Float[Tensor, "B K"]:
        """Scores of every sample for every candidate, the larger the likelier; a softmax over them makes sense.

        A sample's row depends on that sample and the candidates only.

        Args:
            features: of the samples.
            candidates: what `prepare` returned.
        """

    def attention(self, features: Float[Tensor, "B I V D"], candidates: Any, row: int) -> Float[Tensor, "B J"]:
        """How much a candidate looks at each token of a sample: prompts, then the joints. For inspection only.

        Args:
            features: of the samples.
            candidates: what `prepare` returned.
            row: of the candidate.

        Returns:
            Weights that sum to 1 over the tokens.
        """
        raise NotImplementedError
