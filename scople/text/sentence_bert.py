"""Sentence-BERT: a post-norm BERT or RoBERTa, its tokens pooled, from a folder in the layout of sentence-transformers.

| file | what it must say |
|---|---|
| `config.json` | `model_type` bert or roberta, `hidden_act` gelu, absolute positions; the sizes |
| `modules.json` | a transformer, a pooling, and perhaps a normalisation, which cosine similarity does anyway |
| `1_Pooling/config.json` | the mean over the tokens, or the first token |
| `tokenizer.json` | or `vocab.txt` with `tokenizer_config.json`, for BERT |
| `model.safetensors` | the weights; files that torch has pickled are not read |

Departs: a text longer than `max_seq_length` is not cut; what the positions cannot hold is refused.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from scople.base.documents import listed, quoted
from scople.base.encoders import folder_sizes, read_json
from scople.base.errors import ScopleError
from scople.text.torchvision_operators import declare_torchvision_operators
from scople.text.tower import TextTower, Tokens, attention

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Pooling = Literal["mean", "first"]

WEIGHTS = "model.safetensors"

MODES = {"mean_tokens": "mean", "cls_token": "first", "mean": "mean", "cls": "first"}
"""What sentence-transformers calls the poolings, before its release 6 and since."""


class SentenceBertTower(TextTower):
    """Frozen BERT encoder whose embedding is pooled from the tokens.

    A block maps x to LN(r + FFN r) with r = LN(x + Att x).

    Args:
        model: a transformers `BertModel` or `RobertaModel`; its weights are shared, except those of the joined
            projections.
        tokenizer: adds the start and end token; does not pad or truncate.
        pooling: the mean over a text's tokens, or its first token.
    """

    causal = False

    def __init__(self, model: nn.Module, tokenizer: "Tokenizer", pooling: Pooling = "mean") -> None:
        super().__init__()
        self._tokenizer = tokenizer
        self._pooling = pooling
        # RoBERTa counts positions from the one after that of its padding.
        self._first_position = model.config.pad_token_id + 1 if model.config.model_type == "roberta" else 0
        self.word_embedding = model.embeddings.word_embeddings
        self.positional_embedding = model.embeddings.position_embeddings
        self.segment_embedding = model.embeddings.token_type_embeddings
        self.first_norm = model.embeddings.LayerNorm
        self.blocks = model.encoder.layer
        self.in_projections = nn.ModuleList(_joined(block.attention.self) for block in self.blocks)
        self.heads = model.config.num_attention_heads
        positions, self.width = self.positional_embedding.weight.shape
        self.limit = positions - self._first_position
        self.output_width = self.width
        self.depth = len(self.blocks)
        self.freeze()

    @classmethod
    def from_folder(cls, folder: str | os.PathLike, pooling: Pooling | None = None) -> "SentenceBertTower":
        """The model of a folder.

        Args:
            folder: in the layout of sentence-transformers.
            pooling: of a folder that does not say it.

        Raises:
            ScopleError: a file is missing or damaged, or the model is of a kind that this tower is not.
        """
        folder = Path(folder)
        pooling = pooling or pooling_of(folder)
        declare_torchvision_operators()
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        with torch.device("meta"):  # spend no memory or time on weights that are replaced below
            model = bert(folder)
        path = find_weights(folder)
        try:
            found = load_file(path)
        except SafetensorError as error:
            raise ScopleError(f"The weights {path} are no safetensors file ({error}): get it again.") from error
        own = model.state_dict()
        for name, tensor in own.items():
            shape = tuple(found[name].shape) if name in found else "missing"
            if shape != tuple(tensor.shape):
                raise ScopleError(
                    f"The weights {path} are not those that {folder / 'config.json'} describes: {name} is {shape} and "
                    f"not {tuple(tensor.shape)}; get the folder again."
                )
        model.load_state_dict({name: found[name].float() for name in own}, assign=True)
        return cls(model, tokenizer_of(folder, model.config.vocab_size), pooling)

    def encode(self, text: str) -> list[int]:
        """Ids of the word pieces, with the start token before and the end token after them."""
        return self._tokenizer.encode(text).ids

    def embed(self, ids: Int[Tensor, " N"]) -> Float[Tensor, "N W"]:
        """Word embeddings, without positions."""
        return self.word_embedding(ids)

    def enter(self, embeddings: Float[Tensor, "N W"], tokens: Tokens) -> Float[Tensor, "N W"]:
        """Add the embeddings of position and first segment, then apply the layer norm."""
        positions = self.positional_embedding(tokens.positions + self._first_position)
        places = positions + self.segment_embedding.weight[0]
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
        """Each text's pooled tokens, not normalised as in sentence-transformers; cosine similarity does that."""
        texts = tokens.split(states)[1:]
        pooled = torch.cat([each.mean(1) if self._pooling == "mean" else each[:, 0] for each in texts])
        return pooled[tokens.rank]


def bert(folder: Path) -> nn.Module:
    """Transformers' model of a folder's `config.json`, with random weights.

    Raises:
        ScopleError: the file is missing or damaged, or describes a model that `SentenceBertTower` is not.
    """
    declare_torchvision_operators()
    from huggingface_hub.errors import StrictDataclassError
    from transformers.models.bert.modeling_bert import BertConfig, BertModel

    path, config = folder / "config.json", folder_sizes(folder)
    if "pad_token_id" in config and config["pad_token_id"] is None:
        raise ScopleError(f"{path} has no pad_token_id, so positions cannot be counted: get it again.")
    allowed: dict[str, tuple[Any, ...]] = {
        "model_type": ("bert", "roberta"),
        "hidden_act": ("gelu",),
        "position_embedding_type": ("absolute", None),
        "is_decoder": (False, None),
        "add_cross_attention": (False, None),
    }
    for key, values in allowed.items():
        if config.get(key) not in values:
            raise ScopleError(
                f"{path} has the {key} {quoted(config.get(key))}, but this text encoder is known with "
                f"{listed(values[:2])} only: choose another model."
            )
    try:
        if config["model_type"] == "bert":
            return BertModel(BertConfig.from_json_file(path), add_pooling_layer=False).eval()
        from transformers.models.roberta.modeling_roberta import RobertaConfig, RobertaModel

        return RobertaModel(RobertaConfig.from_json_file(path), add_pooling_layer=False).eval()
    except (TypeError, ValueError, RuntimeError, AssertionError, StrictDataclassError) as error:
        raise ScopleError(f"{path} describes no model ({listed([error])}): get it again.") from error


def pooling_of(folder: Path) -> Pooling:
    """How a folder's model pools its tokens.

    Raises:
        ScopleError: a file is missing or damaged, or the folder has other modules or another pooling.
    """
    if not folder.is_dir():
        raise ScopleError(
            f"There is no folder {folder} with a Sentence-BERT model: correct the text encoder's name, or give the "
            "folder as text_weights."
        )
    path = folder / "modules.json"
    modules = read_json(path)
    try:
        kinds = [module["type"].rpartition(".")[2] for module in modules]
        places = [module["path"] for module in modules]
    except (TypeError, KeyError, AttributeError) as error:
        raise ScopleError(f"{path} lists no modules with `type` and `path`: get it again.") from error
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]) or places[0] not in ("", "."):
        raise ScopleError(
            f"{path} has the modules {listed(kinds)}, but a transformer in the folder itself, a pooling and perhaps a "
            "normalisation are what is known here: choose another model."
        )
    path = folder / str(places[1]) / "config.json"
    config = read_json(path)
    said = [config["pooling_mode"]] if isinstance(config, dict) and "pooling_mode" in config else []
    if isinstance(config, dict) and not said:
        said = [key.removeprefix("pooling_mode_") for key, value in config.items() if "pooling_mode_" in key and value]
    modes = [MODES.get(each) for each in map(str, said)]
    if len(modes) != 1 or modes[0] not in get_args(Pooling):
        raise ScopleError(
            f"{path} pools by {listed(said) or 'nothing'}, but the mean over the tokens or the first token is what is "
            "known here: choose another model."
        )
    return modes[0]


def tokenizer_of(folder: Path, words: int) -> "Tokenizer":
    """The tokenizer of a folder, which neither pads nor cuts.

    Args:
        folder: with `tokenizer.json`, or with `vocab.txt` and perhaps `tokenizer_config.json`.
        words: rows of the word embedding.

    Raises:
        ScopleError: there is none, it is damaged, or it does not fit the model.
    """
    from tokenizers import BertWordPieceTokenizer, Tokenizer

    whole, pieces = folder / "tokenizer.json", folder / "vocab.txt"
    path = whole if whole.is_file() or not pieces.is_file() else pieces
    if not path.is_file():
        raise ScopleError(f"{folder} has neither tokenizer.json nor vocab.txt: get the folder again.")
    try:
        if path == whole:
            tokenizer = Tokenizer.from_file(str(path))
        else:
            said = read_json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
            options = {"lowercase": "do_lower_case", "handle_chinese_chars": "tokenize_chinese_chars"}
            tokenizer = BertWordPieceTokenizer(
                str(path),
                strip_accents=said.get("strip_accents"),
                **{ours: bool(said.get(theirs, True)) for ours, theirs in options.items()},
            )
        tokenizer.no_padding()
        tokenizer.no_truncation()
        empty = tokenizer.encode("").ids
    except Exception as error:  # what the compiled tokenizers raise has no class of its own
        raise ScopleError(f"{path} is no tokenizer ({listed([error])}): get it again.") from error
    largest = max(tokenizer.get_vocab().values(), default=-1)
    if len(empty) != 2 or largest >= words:
        raise ScopleError(
            f"{path} adds {len(empty)} tokens to a text and has ids to {largest}, but the model wants a start and an "
            f"end token and has ids to {words - 1}: get the folder again."
        )
    return tokenizer


def find_weights(folder: Path) -> Path:
    """The file of a folder's weights; nothing is loaded.

    Raises:
        ScopleError: it is missing.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        pickled = sorted(each.name for each in folder.glob("*.bin"))
        raise ScopleError(
            f"{path} is missing"
            + (f" and {pickled[0]} is pickled, which can run code: save it as safetensors." if pickled else ": get it.")
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
