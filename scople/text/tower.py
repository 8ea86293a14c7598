"""The interface of a frozen text encoder that takes prompts in each of its layers.

The equations of the text side (`scople.model.language_prompts`) act on token states and call the two halves of a
tower's block: `attend`, the attention output alone (the paper's Att, eq. 1 and 6), and `complete`, the rest of the
block (eq. 2-3 and 7-8). Each tower decides where its layer norms are (pre-norm CLIP, post-norm BERT).

No token is computed twice, and there is no padding. The states of all classes are one matrix "N W" with a row for each
token. In a causal tower, all texts share one copy of their common beginning (start token, prompts, phrase), as no later
token changes it. Texts of the same length are adjacent, so that attention is a plain batch. `Tokens` describes the
rows. The embeddings are those of texts padded to the full length, up to rounding.
"""

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from scople.base.documents import quoted
from scople.base.errors import ScopleError


@dataclass(frozen=True)
class Tokens:
    """The tokens of K texts: first their shared beginning, then the rest of each text, in order of length.

    Attributes:
        ids: vocabulary id of each row.
        positions: position of each row in its own text, from 0 (the start token).
        shared: number of leading rows that belong to every text.
        groups: (texts, tokens per text) of each run of texts of the same length, without the shared tokens.
        rank: place of the k-th text in the order of length.
        prompted: rows at the prompt positions, which are 1 to the number of prompts. They are found once, here, as
            the host would wait for the device each time it learns how many there are.
    """

    ids: Int[Tensor, " N"]
    positions: Int[Tensor, " N"]
    shared: int
    groups: tuple[tuple[int, int], ...]
    rank: Int[Tensor, " K"]
    prompted: Int[Tensor, " rows"]

    @classmethod
    def arrange(cls, texts: list[list[int]], *, share: bool, prompts: int = 0) -> "Tokens":
        """Lay out the token ids of each text.

        Args:
            texts: vocabulary ids, start and end token included.
            share: store the common beginning once; correct only if no token sees a later one.
            prompts: P, number of prompt positions right after the start token.
        """
        # The last token is never shared: a causal tower's embedding is read there.
        shared = len(os.path.commonprefix([ids[:-1] for ids in texts])) if share else 0
        order = sorted(range(len(texts)), key=lambda k: len(texts[k]))
        ids, positions = texts[0][:shared], list(range(shared))
        for k in order:
            ids = ids + texts[k][shared:]
            positions.extend(range(shared, len(texts[k])))
        lengths = [len(ids) - shared for ids in texts]
        return cls(
            ids=torch.tensor(ids),
            positions=torch.tensor(positions),
            shared=shared,
            groups=tuple((lengths.count(length), length) for length in sorted(set(lengths))),
            rank=torch.tensor(order).argsort(),
            prompted=torch.tensor([row for row, p in enumerate(positions) if 1 <= p <= prompts], dtype=torch.long),
        )

    def to(self, device: torch.device | str) -> "Tokens":
        """The same tokens on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("ids", "positions", "rank", "prompted")}
        return replace(self, **moved)

    def split(self, rows: Float[Tensor, "N ..."]) -> list[Float[Tensor, "_texts _length ..."]]:
        """Views of the rows: the shared ones (as one text, perhaps without tokens), then a block for each length."""
        blocks = ((1, self.shared), *self.groups)
        runs = rows.split([texts * length for texts, length in blocks])
        return [run.unflatten(0, block) for run, block in zip(runs, blocks, strict=True)]


class TextTower(nn.Module, ABC):
    """A frozen transformer text encoder whose layers can be run one by one.

    Attributes:
        width: W, width of a token's state.
        depth: number of blocks.
        output_width: E, width of an embedding.
        limit: largest number of tokens in a text, start and end token included.
        causal: whether a token sees only itself and the tokens before it.
    """

    width: int
    depth: int
    output_width: int
    limit: int
    causal: bool

    @abstractmethod
    def encode(self, text: str) -> list[int]:
        """Vocabulary ids of one text, start and end token included; not truncated."""

    @abstractmethod
    def embed(self, ids: Int[Tensor, " N"]) -> Float[Tensor, "N W"]:
        """Word embeddings, without positions."""

    @abstractmethod
    def enter(self, embeddings: Float[Tensor, "N W"], tokens: Tokens) -> Float[Tensor, "N W"]:
        """States before the first block, from word embeddings or the prompts that replace them."""

    @abstractmethod
    def attend(self, layer: int, states: Float[Tensor, "N W"], tokens: Tokens) -> Float[Tensor, "N W"]:
        """Attention output of a block (counted from 0), before the residual is added: the paper's Att."""

    @abstractmethod
    def complete(
        self, layer: int, states: Float[Tensor, "N W"], attended: Float[Tensor, "N W"]
    ) -> Float[Tensor, "N W"]:
        """The rest of a block: the residual around the attention, the feed-forward network and the layer norms."""

    @abstractmethod
    def finish(self, states: Float[Tensor, "N W"], tokens: Tokens) -> Float[Tensor, "K E"]:
        """Embeddings from the states after the last block, in the order of the texts; any norm."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def tokenize(self, texts: list[str], *, prompts: int = 0) -> Tokens:
        """Tokens of the texts, on the tower's device.

        Args:
            texts: one for each candidate, in their order.
            prompts: P, number of prompt positions right after the start token.

        Raises:
            ScopleError: there is no text, or one is longer than `limit`.
        """
        if not texts:
            raise ScopleError("There are 0 class names to tokenize; give at least 1.")
        encoded = [self.encode(text) for text in texts]
        for text, ids in zip(texts, encoded, strict=True):
            if len(ids) > self.limit:
                raise ScopleError(
                    f"The class text {quoted(text)} has {len(ids)} tokens and the text encoder reads at most "
                    f"{self.limit}; shorten the class name or the phrase."
                )
        return Tokens.arrange(encoded, share=self.causal, prompts=prompts).to(self.device)

    def freeze(self) -> None:
        """Exclude all weights from training; every constructor ends with this call."""
        self.requires_grad_(False).eval()


def attention(
    projected: Float[Tensor, "N three_W"], tokens: Tokens, *, heads: int, causal: bool
) -> Float[Tensor, "N W"]:
    """Multi-head scaled dot-product attention of every token within its own text.

    Args:
        projected: queries, keys and values, concatenated; each of them is its heads, concatenated.
        tokens: which rows make up a text.
        heads: number of heads.
        causal: whether a token sees only itself and the tokens before it.

    Returns:
        The heads, concatenated, before the output projection.
    """
    beginning, *texts = tokens.split(projected.unflatten(-1, (3, heads, -1)))
    attended = []
    for block in (beginning, *texts) if tokens.shared else texts:
        queries, keys_values = block.split((1, 2), dim=2)
        if tokens.shared and block is not beginning:
            before = beginning[:, :, 1:].expand(len(block), -1, -1, -1, -1)
            keys_values = torch.cat([before, keys_values], dim=1)
        queries, keys, values = queries.squeeze(2), *keys_values.unbind(2)
        mask = None
        if causal:  # the queries are the last of the tokens that they may see
            asking, seen = queries.shape[1], keys.shape[1]
            mask = torch.ones(asking, seen, dtype=torch.bool, device=keys.device).tril(seen - asking)
        by_head = (rows.transpose(1, 2) for rows in (queries, keys, values))
        heads_out = F.scaled_dot_product_attention(*by_head, attn_mask=mask)
        attended.append(heads_out.transpose(1, 2).flatten(0, 1).flatten(1))
    return torch.cat(attended)
