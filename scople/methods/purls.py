"""PURLS: eight texts of a class, each asking which joints and times matter to it (Zhu et al., CVPR 2024).

A sample's tokens x_j, one for each of three intervals and 25 joints, have length 1. For the text t_u of each slot
u (head, hands, torso, legs, beginning, middle, end, whole)

    r_u = sum_j A_uj x_j,    A_u = softmax_j((W_Q t_u) . (W_K x_j) / (2 sqrt(150)))
    [V_1 .. V_8] = tanh(W_2 drop(BN(silu(W_1 drop(BN([r_1 .. r_8])) + b_1))) + b_2)
    score(x, k) = tau_whole V_whole(x, T_k) . t_{k,whole}

Its two heads of 150, averaged before the softmax, are one of 300 with that scale. V is not normalised, texts are.

`query` says whose texts ask in training:

- "own", as published: those of the sample's own class, L = sum_u CE(tau_u V_u T_u^T) + CE(its transpose) over the texts
  of the batch, samples of one class being each other's negatives. The label reaches the loss through the query: L
  falls even if skeletons are shuffled. At test each candidate is a query, as the score above says.
- "candidate": training does what testing does. L = sum_u CE over `candidates` classes, the own one and others drawn
  anew for every sample, of tau_u V_u(x, T_k) . t_{k,u}.
- "static": nobody; r are means over four parts, three intervals and all (the row "static partitioning" of its
  supplement), L as for "own".
- "global": the whole mean with the whole text only, L as for "own" (its row "global description only").

Departures from the published code (azzh1/PURLS):

- At test the query of every candidate in place of the true class's, and so in all that is reported.
- Constant rate and the last epoch; there the loss on test subjects decides both.
- The plain sum of the slots, which is the released setting; learned weights of positive losses run below 0.
- A batch of one sample is left out, as its statistics say nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from scople.base.errors import ScopleError
from scople.methods.inputs import PURLS_PARTS, Parts, over_time, part_means, unit
from scople.methods.method import ClassTexts, Method, Progress, Samples, Update
from scople.methods.recipe import Recipe, constant
from scople.methods.sizes import Sizes
from scople.methods.texts import PURLS_FIELDS

START = 2.659
"""Of tau: ln(1 / 0.07), taken without exp."""


@dataclass(frozen=True)
class PurlsSettings:
    """As published.

    Attributes:
        query: see the module.
        candidates: classes that a sample is compared with under "candidate"; 0 = all.
        attention_width: of queries and keys, both heads together.
        hidden_width: between W_1 and W_2.
        dropout: share of entries that are dropped.
        epochs: passes over the samples.
        batch_size: samples a step.
        learning_rate: of Adam.
    """

    query: Literal["own", "candidate", "static", "global"] = "own"
    candidates: int = 16
    attention_width: int = 300
    hidden_width: int = 1024
    dropout: float = 0.5
    epochs: int = 100
    batch_size: int = 256
    learning_rate: float = 1e-4

    def recipe(self) -> Recipe:
        """Adam at a constant rate."""
        return Recipe(batch_size=self.batch_size, epochs=self.epochs, rate=constant(self.learning_rate))


class Purls(Method):
    """See the module.

    Args:
        settings: of the method.
        sizes: of features and texts.
        parts: joints of each part of the body, for "static".

    Raises:
        ScopleError: `candidates` is 1, or `dropout` is 1 or more.
    """

    intervals = 3
    smallest_batch = 2

    def __init__(self, settings: PurlsSettings, sizes: Sizes, parts: Parts = PURLS_PARTS) -> None:
        super().__init__()
        if settings.candidates == 1:
            raise ScopleError("candidates of purls is 1, but must be 0 or at least 2: correct it.")
        if settings.dropout >= 1:
            raise ScopleError(f"dropout of purls is {settings.dropout}, but must be below 1: make it smaller.")
        self.settings, self.lengths, self.parts = settings, sizes.lengths, parts
        self.fields = PURLS_FIELDS[-1:] if settings.query == "global" else PURLS_FIELDS
        slots, self.text_width = len(self.fields), sizes.text_width
        self.asks = settings.query in ("own", "candidate")
        if self.asks:
            self.query = nn.Linear(sizes.text_width, settings.attention_width, bias=False)
            self.key = nn.Linear(sizes.feature_width, settings.attention_width, bias=False)
        self.first_norm = nn.BatchNorm1d(slots * sizes.feature_width)
        self.first = nn.Linear(slots * sizes.feature_width, settings.hidden_width)
        self.second_norm = nn.BatchNorm1d(settings.hidden_width)
        self.second = nn.Linear(settings.hidden_width, slots * sizes.text_width)
        for linear in (each for each in self.children() if isinstance(each, nn.Linear)):
            nn.init.kaiming_uniform_(linear.weight)
        self.scale = nn.Parameter(torch.full((slots,), START))

    def updates(
        self, samples: Samples, texts: ClassTexts, at: Progress, generator: torch.Generator
    ) -> Iterator[Update]:
        """L of the module's docstring; its terms are the slots."""
        text = self.slots(texts)
        own = text[samples.targets]
        if self.settings.query == "candidate":
            rows = drawn_candidates(samples.targets, len(texts), self.settings.candidates, generator)
            asked = text[rows]  # "B C U E"
            skeletons = self.embed(self.attend(samples.features, asked), generator)
            logits = self.scale * (skeletons * asked).sum(dim=-1)  # "B C U"
            first = torch.zeros(len(rows), dtype=torch.long, device=rows.device)
            terms = [F.cross_entropy(each, first) for each in logits.unbind(dim=-1)]
        else:
            looked = self.attend(samples.features, own.unsqueeze(1)) if self.asks else self.means(samples.features)
            skeletons = self.embed(looked, generator).squeeze(1)
            terms = pair_contrasts(skeletons, own, self.scale)
        yield Update("model", sum(terms), {name: each.detach() for name, each in zip(self.fields, terms, strict=True)})

    def prepare(
        self, texts: ClassTexts, generator: torch.Generator, samples: Samples | None = None
    ) -> Float[Tensor, "K U E"]:
        """The candidates' texts."""
        return self.slots(texts)

    def scores(self, features: Float[Tensor, "B I V D"], candidates: Float[Tensor, "K U E"]) -> Float[Tensor, "B K"]:
        """Products of the whole slot, each with the V that its own candidate asked for."""
        looked = self.attend(features, candidates.unsqueeze(0)) if self.asks else self.means(features)
        return self.scale[-1] * (self.embed_whole(looked) * candidates[:, -1]).sum(dim=-1)

    def slots(self, texts: ClassTexts) -> Float[Tensor, "K U E"]:
        """The texts of every slot, in the order of `fields`."""
        return torch.stack([texts.fields[name] for name in self.fields], dim=1)

    def attend(self, features: Float[Tensor, "B I V D"], text: Float[Tensor, "_B C U E"]) -> Float[Tensor, "B C UD"]:
        """[r_1 .. r_8] of every sample for each of C classes that ask; all samples' own, or one row for all."""
        tokens = unit(features).flatten(1, 2)
        queries = self.query(text).flatten(1, 2) / (2 * (self.settings.attention_width / 2) ** 0.5)
        weights = (queries @ self.key(tokens).mT).softmax(dim=-1)
        return (weights @ tokens).unflatten(1, text.shape[1:3]).flatten(2)

    def means(self, features: Float[Tensor, "B I V D"]) -> Float[Tensor, "B 1 UD"]:
        """[r_1 .. r_8] without a query, or r_8 alone."""
        tokens = unit(features)
        whole = over_time(tokens, self.lengths).mean(dim=1, keepdim=True)
        if self.settings.query == "global":
            return whole
        of_parts, of_intervals = part_means(tokens, self.parts, self.lengths), tokens.mean(dim=2)
        return torch.cat([of_parts, of_intervals, whole], dim=1).flatten(1).unsqueeze(1)

    def embed(self, looked: Float[Tensor, "B C UD"], generator: torch.Generator) -> Float[Tensor, "B C U E"]:
        """V of every slot, in training."""
        hidden = self.first(dropped(self.first_norm(looked.flatten(0, 1)), self.settings.dropout, generator))
        hidden = self.second(dropped(self.second_norm(F.silu(hidden)), self.settings.dropout, generator))
        return hidden.tanh().unflatten(0, looked.shape[:2]).unflatten(-1, (-1, self.text_width))

    def embed_whole(self, looked: Float[Tensor, "B C UD"]) -> Float[Tensor, "B C E"]:
        """V of the whole slot, at test; the other slots of the last layer are not needed."""
        hidden = self.second_norm(F.silu(self.first(self.first_norm(looked.flatten(0, 1)))))
        last = slice(-self.text_width, None)
        return F.linear(hidden, self.second.weight[last], self.second.bias[last]).tanh().unflatten(0, looked.shape[:2])


def pair_contrasts(
    skeletons: Float[Tensor, "B U E"], own: Float[Tensor, "B U E"], scale: Float[Tensor, " U"]
) -> list[Float[Tensor, ""]]:
    """Each sample among the batch's texts plus each text among the batch's samples, for every slot."""
    columns = torch.arange(len(own), device=own.device)
    logits = [tau * V @ T.T for tau, V, T in zip(scale, skeletons.unbind(1), own.unbind(1), strict=True)]
    return [F.cross_entropy(each, columns) + F.cross_entropy(each.T, columns) for each in logits]


def drawn_candidates(
    targets: Int[Tensor, " B"], classes: int, candidates: int, generator: torch.Generator
) -> Int[Tensor, "B C"]:
    """Rows of the classes that each sample is compared with: its own first, then others without repetition.

    Args:
        targets: row of each sample's class.
        classes: how many there are.
        candidates: C; 0, or more than there are, for all.
        generator: on the CPU.
    """
    order = torch.rand(len(targets), classes, generator=generator).to(targets.device)
    order = order.scatter(1, targets.unsqueeze(1), -1.0)
    return order.argsort(dim=1)[:, : candidates or classes]


def dropped(values: Float[Tensor, "B X"], share: float, generator: torch.Generator) -> Float[Tensor, "B X"]:
    """Dropout whose choice comes from a generator that was handed in."""
    seed = torch.randint(2**62, (), generator=generator).item()
    on_device = torch.Generator(values.device).manual_seed(seed)
    kept = torch.rand(values.shape, generator=on_device, device=values.device) >= share
    return values * kept / (1 - share)
