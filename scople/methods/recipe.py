"""How a method is trained: its optimiser, rates, batches and length, apart from what it learns."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Int
from torch import Tensor

from scople.base.errors import ScopleError
from scople.methods.method import Progress

Rate = Callable[[Progress], float]
"""Learning rate of every optimiser at a step."""


def constant(rate: float) -> Rate:
    """The same rate at every step."""
    return lambda at: rate


def stepped(rate: float, milestones: tuple[int, ...], factor: float = 0.1) -> Rate:
    """`rate`, times `factor` from each of the milestones on; these are epochs, counted from 0."""
    return lambda at: rate * factor ** sum(at.epoch >= milestone for milestone in milestones)


def warmed_cosine(rate: float, warmup: int) -> Rate:
    """Rises from 0 in a straight line over `warmup` epochs, then falls along half a cosine to 0; one rate an epoch."""

    def at_epoch(at: Progress) -> float:
        if at.epoch < warmup:
            return rate * at.epoch / warmup
        # C libraries differ in the last bit of a cosine; rounded, it is the same on every CPU.
        falling = round(math.cos(math.pi * (at.epoch - warmup) / (at.epochs - warmup)), 12)
        return rate * (1 + falling) / 2

    return at_epoch


@dataclass(frozen=True)
class Recipe:
    """How to train; the same for all groups of a method but for what `Method.groups` says of a group itself.

    Attributes:
        batch_size: samples a step.
        epochs: passes over the samples. With neither epochs nor steps there is nothing to train.
        steps: length in steps instead; a row of the history then stands for as many steps as a pass has.
        rate: learning rate at a step.
        optimiser: "adam" (0.9, 0.999) or "sgd".
        amsgrad: of Adam.
        momentum: of SGD.
        nesterov: of SGD.
        decay: weight decay of the parameter groups that name no `weight_decay` of their own.
        draw: "epochs", every sample once a pass in a new order; or "independent", each batch anew from all samples.
        drop_last: whether a smaller batch at the end of a pass is left out.

    Raises:
        ScopleError: both epochs and steps are given, or the batches are empty.
    """

    batch_size: int
    epochs: int = 0
    steps: int = 0
    rate: Rate = constant(0.0)
    optimiser: Literal["adam", "sgd"] = "adam"
    amsgrad: bool = False
    momentum: float = 0.0
    nesterov: bool = False
    decay: float = 0.0
    draw: Literal["epochs", "independent"] = "epochs"
    drop_last: bool = False

    def __post_init__(self) -> None:
        if self.epochs and self.steps:
            raise ScopleError(f"A recipe has {self.epochs} epochs and {self.steps} steps: give one of the two.")
        if self.batch_size < 1:
            raise ScopleError(f"batch_size of a recipe is {self.batch_size}, but must be at least 1: make it larger.")

    def optimisers(self, groups: dict[str, list[dict[str, Any]]]) -> dict[str, torch.optim.Optimizer]:
        """One for each group of a method; the rate is set before every step."""
        if self.optimiser == "sgd":
            options = {"momentum": self.momentum, "nesterov": self.nesterov, "weight_decay": self.decay}
            return {name: torch.optim.SGD(held, lr=0.0, **options) for name, held in groups.items()}
        # The plain step takes square roots as the CPU's maker likes, see `scople.base.arithmetic`.
        options = {"betas": (0.9, 0.999), "amsgrad": self.amsgrad, "weight_decay": self.decay, "fused": True}
        return {name: torch.optim.Adam(held, lr=0.0, **options) for name, held in groups.items()}

    def lengths(self, samples: int, smallest: int) -> list[int]:
        """Steps of each epoch.

        Args:
            samples: of the training.
            smallest: see `scople.methods.method.Method`.

        Raises:
            ScopleError: the samples make no batch.
        """
        if not self.epochs and not self.steps:
            return []
        full, rest = divmod(samples, self.batch_size)
        whole = self.draw == "independent" or (not self.drop_last and rest >= smallest)
        a_pass = full + (rest > 0 and whole)
        if a_pass == 0 or min(samples, self.batch_size) < smallest:
            raise ScopleError(
                f"{samples} training samples make no batch of {self.batch_size}: make batch_size smaller, but at least "
                f"{smallest}."
            )
        if self.epochs:
            return [a_pass] * self.epochs
        epochs, rest = divmod(self.steps, a_pass)
        return [a_pass] * epochs + [rest] * (rest > 0)

    def batches(
        self, samples: int, steps: int, generator: torch.Generator, device: torch.device
    ) -> Iterator[Int[Tensor, " B"]]:
        """Rows of the samples in each batch of one epoch; all are drawn on the CPU and moved at once."""
        if self.draw == "independent":
            drawn = [torch.randperm(samples, generator=generator)[: self.batch_size].clone() for _ in range(steps)]
            yield from torch.stack(drawn).to(device)
        else:
            yield from torch.randperm(samples, generator=generator).to(device).split(self.batch_size)[:steps]
