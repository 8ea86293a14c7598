"""The CLIP text tower (the paper's is ViT-B/32), from open_clip: pre-norm, causal; the end token gives the embedding.

Only the text half of a model is built. Its sizes are those of open_clip's configuration. Its activation is QuickGELU
where the configuration or the weights' tag says so, as for all of OpenAI's weights, and GELU otherwise.
"""

import os
import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import is_zipfile

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from scople.base.documents import listed
from scople.base.encoders import PAPERS_CLIP, clip_config, clip_sizes, expanded
from scople.base.errors import ScopleError
from scople.base.files import sha256
from scople.text.torchvision_operators import declare_torchvision_operators
from scople.text.tower import TextTower, Tokens, attention

DOWNLOADED = Path("~/.cache/clip")
"""Where open_clip keeps what it downloads from an address; from the Hub, it is the Hub's own cache."""


class ClipTower(TextTower):
    """The frozen text encoder of an open_clip model.

    A block maps x to r + FFN(LN r) with r = x + Att(LN x).

    Args:
        model: an open_clip `CLIP` or `TextTransformer`; its weights are shared, not copied.
    """

    causal = True

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        declare_torchvision_operators()
        from open_clip.tokenizer import SimpleTokenizer

        self._tokenizer = SimpleTokenizer()
        self.token_embedding = model.token_embedding
        self.positional_embedding = model.positional_embedding
        self.blocks = model.transformer.resblocks
        self.final_norm = model.ln_final
        self.projection = model.text_projection
        self.limit, self.width = self.positional_embedding.shape
        self.output_width = self.projection.shape[1]
        self.depth = len(self.blocks)
        self.freeze()

    @classmethod
    def pretrained(cls, weights: str | os.PathLike = "openai", model: str = PAPERS_CLIP) -> "ClipTower":
        """The text half of a model with its weights and the activation that they were trained with.

        Args:
            weights: a tag of open_clip, which downloads what belongs to it once; or the path of OpenAI's file, of
                another file that torch saved, or of the tensors as safetensors; under OpenAI's names.
            model: open_clip's name.

        Raises:
            ScopleError: the weights cannot be found or downloaded, or are not the published ones or not the model's.
        """
        found = _read(weights, model)
        with torch.device("meta"):  # spend no memory or time on weights that are replaced below
            built = text_half(model, weights)
        own = built.state_dict()
        for name, tensor in own.items():
            shape = tuple(found[name].shape) if isinstance(found.get(name), Tensor) else "missing"
            if shape != tuple(tensor.shape):
                raise ScopleError(
                    f"The CLIP weights {os.fspath(weights)!r} are not those of {model}: {name} is {shape} and not "
                    f"{tuple(tensor.shape)}; give weights of that model as text_weights."
                )
        built.load_state_dict({name: found[name].to(torch.float32, copy=True) for name in own}, assign=True)
        return cls(built)

    def encode(self, text: str) -> list[int]:
        """Byte-pair ids, with CLIP's start token before and its end token after them."""
        tokenizer = self._tokenizer
        return [tokenizer.sot_token_id, *tokenizer.encode(text), tokenizer.eot_token_id]

    def embed(self, ids: Int[Tensor, " N"]) -> Float[Tensor, "N W"]:
        """Word embeddings, without positions."""
        return self.token_embedding(ids)

    def enter(self, embeddings: Float[Tensor, "N W"], tokens: Tokens) -> Float[Tensor, "N W"]:
        """Add the position embeddings."""
        return embeddings + self.positional_embedding[tokens.positions]

    def attend(self, layer: int, states: Float[Tensor, "N W"], tokens: Tokens) -> Float[Tensor, "N W"]:
        """Att(LN x), output projection included."""
        block = self.blocks[layer]
        projected = F.linear(block.ln_1(states), block.attn.in_proj_weight, block.attn.in_proj_bias)
        return block.attn.out_proj(attention(projected, tokens, heads=block.attn.num_heads, causal=True))

    def complete(
        self, layer: int, states: Float[Tensor, "N W"], attended: Float[Tensor, "N W"]
    ) -> Float[Tensor, "N W"]:
        """With r = x + Att: r + FFN(LN r)."""
        block = self.blocks[layer]
        residual = states + attended
        return residual + block.mlp(block.ln_2(residual))

    def finish(self, states: Float[Tensor, "N W"], tokens: Tokens) -> Float[Tensor, "K E"]:
        """Final layer norm and projection of each text's end token, eq. 10."""
        ends = torch.cat([texts[:, -1] for texts in tokens.split(states)[1:]])
        return self.final_norm(ends[tokens.rank]) @ self.projection


def text_half(model: str, weights: str | os.PathLike = "openai") -> nn.Module:
    """open_clip's `TextTransformer` of a model, with random weights.

    Args:
        model: open_clip's name.
        weights: what will be loaded into it; a tag may decide the activation.

    Raises:
        ScopleError: open_clip has no such model, or its text half is not CLIP's transformer.
    """
    declare_torchvision_operators()
    from open_clip.transformer import QuickGELU, TextTransformer

    is_quick = clip_config(model).get("quick_gelu") or _tag(weights, model).get("quick_gelu")
    return TextTransformer(**clip_sizes(model), act_layer=QuickGELU if is_quick else nn.GELU)


def find_weights(weights: str | os.PathLike = "openai", model: str = PAPERS_CLIP) -> tuple[Path, bool]:
    """Find the file of a model's weights and check its digest where one is published; nothing is loaded or downloaded.

    A file that ends in `.pt` has to be OpenAI's if OpenAI published the model.

    Returns:
        The file; and whether its digest was checked. Without one, `ClipTower.pretrained` checks names and shapes.

    Raises:
        ScopleError: the file is missing, or is not the published one.
    """
    tag = _tag(weights, model)
    path = _cached(tag) if tag else expanded(weights)
    published = tag if tag or path.suffix != ".pt" else _tag("openai", model)
    expected = _digest(published.get("url", ""))
    try:
        digest = sha256(path) if expected or not path.is_file() else ""
    except OSError as error:
        raise ScopleError(
            f"The CLIP weights {path} cannot be read ({error.strerror}); put a file with the weights of {model} "
            f"anywhere and give its path as text_weights, or run once online with a tag of open_clip ({_tags(model)})."
        ) from error
    if not digest.startswith(expected):
        raise ScopleError(
            f"The CLIP weights {path} have the SHA-256 {digest} and not {expected}; get "
            f"{Path(published['url']).name} of {model} again."
        )
    return path, expected != ""


def _read(weights: str | os.PathLike, model: str) -> dict[str, Tensor]:
    """Tensors of a CLIP model by OpenAI's names, from a file that cannot run code of its own here."""
    if tag := _tag(weights, model):
        import open_clip

        try:
            open_clip.download_pretrained(tag, prefer_hf_hub=False)  # an address says the digest, the Hub does not
        except (OSError, RuntimeError) as error:
            raise ScopleError(
                f"The CLIP weights {os.fspath(weights)!r} of {model} cannot be loaded ({type(error).__name__}): go "
                "online once, or put a file with them anywhere and give its path as text_weights."
            ) from error
    path, is_published = find_weights(weights, model)
    try:
        if path.suffix == ".safetensors":
            tensors = load_file(path)
        elif is_published and "openaipublic" in (tag or _tag("openai", model))["url"]:
            # A TorchScript archive holds programs beside the tensors. `find_weights` has refused any file but OpenAI's.
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated", DeprecationWarning)
                tensors = torch.jit.load(path, map_location="cpu").state_dict()
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except SafetensorError as error:
        raise ScopleError(f"The CLIP weights {path} are no safetensors file ({error}): make it again.") from error
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        raise ScopleError(
            f"The CLIP weights {path} cannot be read as tensors alone ({type(error).__name__}): get the file again, or "
            "save its tensors as safetensors."
        ) from error
    return _text_tensors(tensors)


def _text_tensors(tensors: Any) -> dict[str, Tensor]:
    """Those of a text half, by OpenAI's names; what training wrapped around them is taken off."""
    if isinstance(tensors, dict) and isinstance(tensors.get("state_dict"), dict):
        tensors = tensors["state_dict"]
    if not isinstance(tensors, dict):
        return {}
    plain = {str(name).removeprefix("module."): tensor for name, tensor in tensors.items()}
    own = {name.removeprefix("text."): tensor for name, tensor in plain.items() if name.startswith("text.")}
    return own or plain


def has_tag(name: str, model: str) -> bool:
    """Whether open_clip has weights of that name for a model."""
    return bool(_tag(name, model))


def hub_name(name: str, model: str) -> str:
    """Where the weights that open_clip calls so are on the Hub; "" where it does not say."""
    return os.path.split(_tag(name, model).get("hf_hub", ""))[0]


def _tag(name: str | os.PathLike, model: str) -> dict[str, Any]:
    """What open_clip says of the weights that it calls so; empty where it has none."""
    declare_torchvision_operators()
    import open_clip

    return open_clip.get_pretrained_cfg(model, os.fspath(name))


def _tags(model: str) -> str:
    declare_torchvision_operators()
    import open_clip

    return listed(open_clip.list_pretrained_tags_by_model(model)) or "it has none for this model"


def _cached(tag: dict[str, Any]) -> Path:
    """Where the file of a tag is or would be, as open_clip looks for it: at its address first, else on the Hub."""
    if tag.get("url"):
        return (DOWNLOADED / Path(tag["url"]).name).expanduser()
    from huggingface_hub import try_to_load_from_cache
    from open_clip.constants import HF_SAFE_WEIGHTS_NAME, HF_WEIGHTS_NAME

    repository, name = os.path.split(tag["hf_hub"])
    name = name or HF_WEIGHTS_NAME
    safe = HF_SAFE_WEIGHTS_NAME if name == HF_WEIGHTS_NAME else str(Path(name).with_suffix(".safetensors"))
    for each in (safe, name):
        if isinstance(found := try_to_load_from_cache(repository, each), str):
            return Path(found)
    return Path(repository) / safe


def _digest(address: str) -> str:
    """SHA-256 of a download, or the beginning of it, where its address says it."""
    if "openaipublic" in address:
        return address.split("/")[-2]
    return Path(address).stem.rpartition("-")[2] if "mlfoundations" in address else ""
