"""Time of the text side's training step (forward and backward) beside the plain way of computing it.

`plain_embeddings` is the definition of right, which the tests hold the package to: eq. 1-10 on the encoder's own
modules, every class padded to 77 tokens, both streams through every token. Run it from the repository's root as

    python -m benchmarks.text_step

It uses the first 55 and 110 class names of NTU RGB+D 120, MiniLM's own weights, and random ones in the shapes of CLIP
ViT-B/32, which take the same time as OpenAI's. Both ways take turns, so that a pair of times shares what else the
machine does; each line prints the medians over the pairs, the median of the pairs' ratios and the least and largest.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from scople.data.class_names import load_classes
from scople.model.language_prompts import LanguagePrompts
from scople.text.clip import ClipTower
from scople.text.minilm import MiniLmTower
from scople.text.torchvision_operators import declare_torchvision_operators

LENGTH = 77


def plain_embeddings(prompts: LanguagePrompts, class_names: list[str]) -> Tensor:
    """Text embeddings "K E" by eq. 1-10, on the device of the tower."""
    tower = prompts.tower
    texts = [tower.encode(f"{prompts.phrase} {name}") for name in class_names]
    ids = torch.tensor([text + [0] * (LENGTH - len(text)) for text in texts], device=tower.device)
    ends = torch.tensor([len(text) for text in texts], device=tower.device)
    real = torch.arange(LENGTH, device=tower.device) < ends[:, None]
    visible = real[:, None, :].expand(-1, LENGTH, -1)
    if tower.causal:
        visible = visible & torch.ones(LENGTH, LENGTH, dtype=torch.bool, device=tower.device).tril()
    words = tower.embed(ids.flatten()).unflatten(0, ids.shape)
    mask = torch.zeros(visible.shape, dtype=words.dtype, device=tower.device).masked_fill(~visible, float("-inf"))
    attend, complete = _clip_halves(tower, mask) if tower.causal else _bert_halves(tower, mask)

    def enter(words: Tensor) -> Tensor:
        if tower.causal:
            return words + tower.positional_embedding[:LENGTH]
        return tower.first_norm(words + tower.positional_embedding.weight[:LENGTH] + tower.segment_embedding.weight[0])

    prompted = enter(words if prompts.prefix is None else _decorated(words, prompts.prefix))
    original = prompted if prompts.prefix_streams == "both" else enter(words)
    for layer in range(tower.depth):
        if prompts.first_own_layer <= layer < prompts.layer_depth:
            prompted = _decorated(prompted, prompts.prompts[layer - prompts.first_own_layer])
        aggregated = prompted
        if prompts.alpha is not None and layer < prompts.layer_depth:
            attended = attend(layer, original)
            original = complete(layer, original, attended)
            alpha = prompts.alpha[layer]
            aggregated = (1 - alpha) * prompted + alpha * attended
        residual = aggregated if prompts.prompted_residual == "aggregated" else prompted
        prompted = complete(layer, residual, attend(layer, aggregated))
    if tower.causal:
        return tower.final_norm(prompted)[torch.arange(len(ids), device=tower.device), ends - 1] @ tower.projection
    return (prompted * real[..., None]).sum(1) / ends[:, None]


def _decorated(states: Tensor, prompts: Tensor) -> Tensor:
    copies = prompts.expand(len(states), -1, -1)
    return torch.cat([states[:, :1], copies, states[:, 1 + len(prompts) :]], dim=1)


def _clip_halves(tower: ClipTower, mask: Tensor) -> tuple[Callable, Callable]:
    def attend(layer: int, states: Tensor) -> Tensor:
        block = tower.blocks[layer]
        by_head = mask.repeat_interleave(block.attn.num_heads, 0)
        return block.attention(block.ln_1(states), attn_mask=by_head)

    def complete(layer: int, states: Tensor, attended: Tensor) -> Tensor:
        residual = states + attended
        return residual + tower.blocks[layer].mlp(tower.blocks[layer].ln_2(residual))

    return attend, complete


def _bert_halves(tower: MiniLmTower, mask: Tensor) -> tuple[Callable, Callable]:
    def attend(layer: int, states: Tensor) -> Tensor:
        block = tower.blocks[layer].attention
        return block.output.dense(block.self(states, mask[:, None])[0])

    def complete(layer: int, states: Tensor, attended: Tensor) -> Tensor:
        block = tower.blocks[layer]
        return block.feed_forward_chunk(block.attention.output.LayerNorm(states + attended))

    return attend, complete


def random_clip() -> ClipTower:
    """The shapes of CLIP ViT-B/32's text tower, with random weights."""
    declare_torchvision_operators()
    from open_clip.transformer import QuickGELU, TextTransformer

    return ClipTower(TextTransformer(act_layer=QuickGELU))


def _milliseconds(embeddings: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    embeddings().sum().backward()
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    names = [entry.name for entry in load_classes("datasets/classes/ntu120.csv")]
    print(f"{'tower':8}{'classes':>8}{'tokens':>8}{'ours ms':>10}{'plain ms':>10}{'ratio':>7}   least-largest")
    for label, tower in (("clip", random_clip()), ("minilm", MiniLmTower.pretrained())):
        prompts = LanguagePrompts(
            tower,
            text_prompting="dual",
            phrase="A skeleton video for the action of",
            prefix_length=2,
            layer_depth=3,
            alpha=0.5,
            prompt_std=1.0,
            prefix_streams="both",
            layer_prompts="after_first",
            prompted_residual="aggregated",
            generator=torch.Generator().manual_seed(0),
        )
        plain_embeddings(prompts, names[:2]).sum().backward()  # what is done once only
        for classes in (55, 110):
            tokens = prompts.tokenize(names[:classes])
            ours = functools.partial(prompts, tokens)
            plain = functools.partial(plain_embeddings, prompts, names[:classes])
            _milliseconds(ours)
            pairs = [(_milliseconds(ours), _milliseconds(plain)) for _ in range(arguments.pairs)]
            times = map(statistics.median, zip(*pairs, strict=True))
            ratios = [slow / fast for fast, slow in pairs]
            print(
                f"{label:8}{classes:8}{len(tokens.ids):8}" + "".join(f"{each:10.0f}" for each in times),
                f"{statistics.median(ratios):6.1f}   {min(ratios):.1f}-{max(ratios):.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
