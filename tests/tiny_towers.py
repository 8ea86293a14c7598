"""Text towers of a few hundred random weights a layer, with the real tokenizers; sizes are distinct primes."""

import torch
from tokenizers import Tokenizer

from scople.text.clip import ClipTower
from scople.text.minilm import MiniLmTower, _package_folder
from scople.text.torchvision_operators import declare_torchvision_operators
from scople.text.tower import TextTower

HEADS, HEAD_WIDTH, INNER, DEPTH, OUTPUT = 3, 13, 41, 5, 11
WIDTH = HEADS * HEAD_WIDTH


def tiny_clip_model() -> torch.nn.Module:
    declare_torchvision_operators()
    from open_clip.transformer import QuickGELU, TextTransformer

    model = TextTransformer(
        width=WIDTH,
        heads=HEADS,
        layers=DEPTH,
        mlp_ratio=(INNER + 0.5) / WIDTH,
        output_dim=OUTPUT,
        act_layer=QuickGELU,
    )
    return _shaken(model)


def tiny_bert_model() -> torch.nn.Module:
    declare_torchvision_operators()
    from transformers.models.bert.modeling_bert import BertConfig, BertModel

    config = BertConfig(
        hidden_size=WIDTH,
        num_attention_heads=HEADS,
        num_hidden_layers=DEPTH,
        intermediate_size=INNER,
        max_position_embeddings=83,
    )
    return _shaken(BertModel(config, add_pooling_layer=False)).eval()


def tiny_clip() -> ClipTower:
    return ClipTower(tiny_clip_model()).double()


def tiny_minilm() -> MiniLmTower:
    tokenizer = Tokenizer.from_file(str(_package_folder() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return MiniLmTower(tiny_bert_model(), tokenizer).double()


def encode(tower: TextTower, texts: list[str]) -> torch.Tensor:
    """The frozen encoder, block by block, with nothing learned in it."""
    tokens = tower.tokenize(texts)
    states = tower.enter(tower.embed(tokens.ids), tokens)
    for layer in range(tower.depth):
        states = tower.complete(layer, states, tower.attend(layer, states, tokens))
    return tower.finish(states, tokens)


def _shaken(model: torch.nn.Module) -> torch.nn.Module:
    # Libraries start biases at 0 and norms at 1, where a forgotten one would not show.
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weights in model.parameters():
            weights.add_(0.2 * torch.randn(weights.shape, generator=generator))
    return model
