"""Dual-stream language prompting, eq. 1-10: learned prompts in the layers of a frozen text encoder.

Two streams start from the embeddings E_0 of "<phrase> <class name>", in which the prefix prompt P_0 replaces the
phrase's first tokens. In each of the first S layers, the original stream (eq. 1-3) passes through the frozen block
unchanged. The prompted stream (eq. 4-8) receives that layer's prompt and is mixed with the original stream's attention.
Only the prompted stream continues through the rest of the encoder (eq. 9-10).
"""

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from scople.base.errors import ScopleError
from scople.text.tower import TextTower, Tokens


class LanguagePrompts(nn.Module):
    """Learned prompts for a frozen text tower. Class names are an input: seen and unseen classes use the same prompts.

    The tower is neither in `parameters()` nor in `state_dict()`, but `.to(...)` and `.double()` apply to it too.

    Args:
        tower: frozen text encoder.
        text_prompting: "none", the frozen encoder with the plain phrase; "context", P_0 only (CoOp); "layers", P_0
            and layer prompts in a single stream (MaPLe's text side: eq. 4 and 6-8 without 1-3 and 5); "dual", SCoPLe.
        phrase: words before the class name.
        prefix_length: L_P, tokens of P_0 and of every layer prompt; they come right after the start token.
        layer_depth: S, number of prompted layers.
        alpha: initial value of every alpha_s. Unstated: one unconstrained scalar per prompted layer.
        prompt_std: standard deviation of the layer prompts at initialisation; 1 in the paper.
        prefix_streams: Unstated: P_0 enters "both" streams, as E_0 in eq. 1 and 4 implies, or only the "prompted" one.
        layer_prompts: Unstated: layer 1 uses P_0 and each of the layers 2..S has its own prompt ("after_first", as in
            MaPLe), or each of the S layers has its own ("every").
        prompted_residual: Unstated: the residual of eq. 7 is the "aggregated" E'' or the "decorated" E'.
        generator: draws the initial layer prompts.

    Raises:
        ScopleError: `prefix_length` exceeds the phrase's tokens, or `layer_depth` the tower's layers.
    """

    def __init__(
        self,
        tower: TextTower,
        *,
        text_prompting: Literal["none", "context", "layers", "dual"],
        phrase: str,
        prefix_length: int,
        layer_depth: int,
        alpha: float,
        prompt_std: float,
        prefix_streams: Literal["both", "prompted"],
        layer_prompts: Literal["after_first", "every"],
        prompted_residual: Literal["aggregated", "decorated"],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        words = tower.encode(phrase)[1:-1]
        if not 0 <= prefix_length <= len(words):
            raise ScopleError(
                f"prefix_length is {prefix_length} and the phrase {phrase!r} has {len(words)} tokens; "
                f"choose 0 to {len(words)}."
            )
        if not 0 <= layer_depth <= tower.depth:
            raise ScopleError(
                f"layer_depth is {layer_depth} and the text encoder has {tower.depth} layers; "
                f"choose 0 to {tower.depth}."
            )
        self._tower = (tower,)  # in a tuple, so that its weights do not become this module's
        self.phrase = phrase
        self.prefix_streams = prefix_streams
        self.prefix_length = prefix_length
        self.prompted_residual = prompted_residual
        self.layer_depth = layer_depth if text_prompting in ("layers", "dual") else 0
        self.first_own_layer = 1 if layer_prompts == "after_first" else 0

        self.register_parameter("prefix", None)
        self.register_parameter("prompts", None)
        self.register_parameter("alpha", None)
        if text_prompting != "none":
            replaced = torch.tensor(words[:prefix_length], dtype=torch.long, device=tower.device)
            self.prefix = nn.Parameter(tower.embed(replaced))
        if self.layer_depth > self.first_own_layer:
            shape = (self.layer_depth - self.first_own_layer, prefix_length, tower.width)
            self.prompts = nn.Parameter(prompt_std * torch.randn(shape, generator=generator))
        if text_prompting == "dual" and self.layer_depth > 0:
            self.alpha = nn.Parameter(torch.full((self.layer_depth,), float(alpha)))

    @property
    def tower(self) -> TextTower:
        """The frozen text encoder."""
        return self._tower[0]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "LanguagePrompts":
        # .to(), .cuda() and .double() call this; the tower is not a submodule, so it is passed on explicitly.
        self.tower._apply(fn, recurse)
        return super()._apply(fn, recurse)

    def tokenize(self, class_names: list[str]) -> Tokens:
        """Tokens of "<phrase> <class name>", in the order of the candidates.

        Raises:
            ScopleError: there is no name, or one is too long for the text encoder.
        """
        return self.tower.tokenize([f"{self.phrase} {name}" for name in class_names], prompts=self.prefix_length)

    def forward(self, tokens: Tokens) -> Float[Tensor, "K E"]:
        """Text embeddings F of the candidate classes.

        Args:
            tokens: the candidates, from `tokenize`.

        Returns:
            One row for each candidate, in their order; any norm.
        """
        tower = self.tower
        words = tower.embed(tokens.ids)
        prompted = tower.enter(_with_prompts(words, self.prefix, tokens), tokens)
        original = prompted if self.prefix_streams == "both" else tower.enter(words, tokens)
        for layer in range(self.layer_depth):
            if layer >= self.first_own_layer:
                prompted = _with_prompts(prompted, self.prompts[layer - self.first_own_layer], tokens)  # eq. 4
            aggregated = prompted
            if self.alpha is not None:
                attended = tower.attend(layer, original, tokens)  # eq. 1
                aggregated = torch.lerp(prompted, attended.to(prompted.dtype), self.alpha[layer])  # eq. 5
                if layer + 1 < self.layer_depth:  # nothing reads the state after layer S
                    original = tower.complete(layer, original, attended)  # eq. 2-3
            residual = aggregated if self.prompted_residual == "aggregated" else prompted
            prompted = tower.complete(layer, residual, tower.attend(layer, aggregated, tokens))  # eq. 6-8
        for layer in range(self.layer_depth, tower.depth):
            prompted = tower.complete(layer, prompted, tower.attend(layer, prompted, tokens))  # eq. 9
        return tower.finish(prompted, tokens)  # eq. 10


def _with_prompts(
    states: Float[Tensor, "N W"], prompts: Float[Tensor, "P W"] | None, tokens: Tokens
) -> Float[Tensor, "N W"]:
    """`states` with the prompts at the positions 1 to P of every text; position 0 is the start token."""
    if prompts is None or len(prompts) == 0:  # an empty parameter would make frozen states require gradients
        return states
    # Not by indexing: its gradient is summed in an order that depends on the threads.
    return states.index_copy(0, tokens.prompted, F.embedding(tokens.positions[tokens.prompted] - 1, prompts))
