"""The CLIP text tower of the paper (ViT-B/32), from open_clip: pre-norm, causal; the end token gives the embedding."""

import os
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from scople.base.errors import ScopleError
from scople.base.files import sha256
from scople.text.torchvision_operators import declare_torchvision_operators
from scople.text.tower import TextTower, Tokens, attention

SHA256 = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
"""SHA-256 of OpenAI's ViT-B-32.pt; its download address contains it."""

DOWNLOADED = Path("~/.cache/clip/ViT-B-32.pt")
"""Where open_clip keeps what it downloads for "openai"."""

SIZES = {"width": 512, "heads": 8, "layers": 12, "output_dim": 512}
"""The text half of ViT-B/32; 77 tokens and 49,408 words are open_clip's defaults."""


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
    def pretrained(cls, weights: str | os.PathLike = "openai") -> "ClipTower":
        """ViT-B/32 with OpenAI's weights and the QuickGELU they were trained with.

        Args:
            weights: "openai" (open_clip downloads ViT-B-32.pt once), or the path of that file or of its tensors as
                safetensors, under OpenAI's names.

        Raises:
            ScopleError: the weights cannot be found or downloaded, or are not the published ones.
        """
        declare_torchvision_operators()
        from open_clip.transformer import QuickGELU, TextTransformer

        published = _read(weights)
        with torch.device("meta"):  # spend no memory or time on weights that are replaced below
            model = TextTransformer(**SIZES, act_layer=QuickGELU)
        own = model.state_dict()
        for name, tensor in own.items():
            found = tuple(published[name].shape) if name in published else "missing"
            if found != tuple(tensor.shape):
                raise ScopleError(
                    f"The CLIP weights {os.fspath(weights)!r} are not those of ViT-B/32: {name} is {found} and not "
                    f"{tuple(tensor.shape)}; give OpenAI's ViT-B-32.pt as text_weights."
                )
        model.load_state_dict({name: published[name].float() for name in own}, assign=True)
        return cls(model)

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


def find_weights(weights: str | os.PathLike = "openai") -> Path:
    """Find the file of OpenAI's weights and check its digest; nothing is loaded or downloaded.

    A safetensors file is not checked here, as no digest of one is published; `ClipTower.pretrained` checks its names
    and shapes.

    Raises:
        ScopleError: the file is missing, or is not the published one.
    """
    path = (DOWNLOADED if weights == "openai" else Path(weights)).expanduser()
    try:
        if path.suffix == ".safetensors" and path.is_file():
            return path
        digest = sha256(path)
    except OSError as error:
        raise ScopleError(
            f"The CLIP weights {path} cannot be read ({error.strerror}); run once online with text_weights openai, or "
            "put OpenAI's ViT-B-32.pt anywhere and give its path as text_weights."
        ) from error
    if digest != SHA256:
        raise ScopleError(
            f"The CLIP weights {path} have the SHA-256 {digest} and not {SHA256}; get OpenAI's ViT-B-32.pt again."
        )
    return path


def _read(weights: str | os.PathLike) -> dict[str, Tensor]:
    """Tensors of CLIP by OpenAI's names, from a file that cannot run code of its own here."""
    if weights == "openai":
        import open_clip

        try:
            open_clip.download_pretrained_from_url(open_clip.get_pretrained_url("ViT-B-32", "openai"))
        except (OSError, RuntimeError) as error:
            raise ScopleError(
                f"The CLIP ViT-B/32 weights 'openai' cannot be loaded ({type(error).__name__}): go online once, or put "
                "OpenAI's ViT-B-32.pt anywhere and give its path as text_weights."
            ) from error
    path = find_weights(weights)
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise ScopleError(f"The CLIP weights {path} are no safetensors file ({error}): make it again.") from error
    # A TorchScript archive holds programs beside the tensors. `find_weights` has refused any file but OpenAI's.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit.load` is deprecated", DeprecationWarning)
        return torch.jit.load(path, map_location="cpu").state_dict()
