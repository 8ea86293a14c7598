"""Eq. 1-10 against the same equations in loops over texts, heads and tokens, and what prompts may never do."""

import importlib.util
import itertools
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_towers import DEPTH, HEAD_WIDTH, HEADS, WIDTH, encode, tiny_clip, tiny_minilm

from scople.base.errors import ScopleError
from scople.model.language_prompts import LanguagePrompts, _with_prompts
from scople.text.tower import TextTower, Tokens

NAMES = ["jump up", "walk", "drop", "put on a shoe", "sit down", "put on a hat/cap", "walk towards each other"]
SETTINGS = {
    "text_prompting": "dual",
    "phrase": "A skeleton video for the action of",
    "prefix_length": 2,
    "layer_depth": 3,
    "alpha": 0.5,
    "prompt_std": 1.0,
    "prefix_streams": "both",
    "layer_prompts": "after_first",
    "prompted_residual": "aggregated",
}


@pytest.fixture(autouse=True)
def _one_thread(_two_threads):
    """Matrices this small gain nothing from a second thread, and wait for it where the machine is busy."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def plain_embeddings(root: Path) -> Callable[[LanguagePrompts, list[str]], torch.Tensor]:
    """What benchmarks/text_step.py measures the package against."""
    spec = importlib.util.spec_from_file_location("text_step", root / "benchmarks" / "text_step.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    return benchmark.plain_embeddings


@pytest.fixture(scope="module", params=[tiny_clip, tiny_minilm], ids=["pre-norm causal", "post-norm"])
def tower(request) -> TextTower:
    return request.param()


def build(tower: TextTower, seed: int = 3, **changes) -> LanguagePrompts:
    generator = torch.Generator().manual_seed(seed)
    prompts = LanguagePrompts(tower, **{**SETTINGS, **changes}, generator=generator).double()
    with torch.no_grad():  # away from the start, where all alphas are the same
        if prompts.alpha is not None:
            prompts.alpha += 0.3 * torch.randn(prompts.alpha.shape, generator=generator).double()
        if prompts.prefix is not None:
            prompts.prefix += 0.3 * torch.randn(prompts.prefix.shape, generator=generator).double()
    return prompts


# The equations once more, in loops.


def norm(layer: torch.nn.LayerNorm, states: np.ndarray) -> np.ndarray:
    rows = [(row - row.mean()) / math.sqrt(row.var() + layer.eps) for row in states]
    return np.stack(rows) * layer.weight.numpy() + layer.bias.numpy()


def linear(layer: torch.nn.Linear, states: np.ndarray) -> np.ndarray:
    return states @ layer.weight.numpy().T + layer.bias.numpy()


def heads_mixed(q: np.ndarray, k: np.ndarray, v: np.ndarray, causal: bool) -> np.ndarray:
    mixed = np.zeros_like(q)
    for head in range(HEADS):
        part = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
        for here in range(len(q)):
            seen = range(here + 1) if causal else range(len(q))
            weights = np.array([math.exp(q[here, part] @ k[there, part] / math.sqrt(HEAD_WIDTH)) for there in seen])
            for weight, there in zip(weights / weights.sum(), seen, strict=True):
                mixed[here, part] += weight * v[there, part]
    return mixed


def attend(tower: TextTower, layer: int, states: np.ndarray) -> np.ndarray:
    block = tower.blocks[layer]
    if tower.causal:
        weight, bias = block.attn.in_proj_weight.numpy(), block.attn.in_proj_bias.numpy()
        q, k, v = np.split(norm(block.ln_1, states) @ weight.T + bias, 3, axis=1)
        return linear(block.attn.out_proj, heads_mixed(q, k, v, causal=True))
    own = block.attention.self
    q, k, v = (linear(part, states) for part in (own.query, own.key, own.value))
    return linear(block.attention.output.dense, heads_mixed(q, k, v, causal=False))


def complete(tower: TextTower, layer: int, states: np.ndarray, attended: np.ndarray) -> np.ndarray:
    block = tower.blocks[layer]
    if tower.causal:
        residual = states + attended
        inner = linear(block.mlp.c_fc, norm(block.ln_2, residual))
        return residual + linear(block.mlp.c_proj, inner / (1 + np.exp(-1.702 * inner)))  # QuickGELU
    residual = norm(block.attention.output.LayerNorm, states + attended)
    inner = linear(block.intermediate.dense, residual)
    inner = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))  # GELU
    return norm(block.output.LayerNorm, residual + linear(block.output.dense, inner))


def enter(tower: TextTower, words: np.ndarray) -> np.ndarray:
    if tower.causal:
        return words + tower.positional_embedding.numpy()[: len(words)]
    places = tower.positional_embedding.weight.numpy()[: len(words)] + tower.segment_embedding.weight.numpy()[0]
    return norm(tower.first_norm, words + places)


def with_prompts(states: np.ndarray, prompts: np.ndarray) -> np.ndarray:
    return np.concatenate([states[:1], prompts, states[1 + len(prompts) :]])


def loops(prompts: LanguagePrompts, name: str, settings: dict) -> np.ndarray:
    tower, mode = prompts.tower, settings["text_prompting"]
    words = tower.embed(torch.tensor(tower.encode(f"{prompts.phrase} {name}"))).numpy()
    depth = settings["layer_depth"] if mode in ("layers", "dual") else 0
    e_0 = words if mode == "none" else with_prompts(words, prompts.prefix.detach().numpy())
    second = enter(tower, e_0)
    first = enter(tower, e_0 if settings["prefix_streams"] == "both" else words)
    own = iter(() if prompts.prompts is None else prompts.prompts.detach().numpy())
    for layer in range(depth):
        if layer > 0 or settings["layer_prompts"] == "every":
            second = with_prompts(second, next(own))  # 4
        decorated = aggregated = second
        if mode == "dual":
            alpha = prompts.alpha[layer].item()
            attended = attend(tower, layer, first)  # 1
            first = complete(tower, layer, first, attended)  # 2, 3
            aggregated = (1 - alpha) * decorated + alpha * attended  # 5
        attended = attend(tower, layer, aggregated)  # 6
        residual = aggregated if settings["prompted_residual"] == "aggregated" else decorated
        second = complete(tower, layer, residual, attended)  # 7, 8
    for layer in range(depth, tower.depth):
        second = complete(tower, layer, second, attend(tower, layer, second))  # 9
    if tower.causal:
        return norm(tower.final_norm, second[-1:])[0] @ tower.projection.numpy()  # 10
    return second.mean(0)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"prefix_streams": "prompted"},
        {"layer_prompts": "every", "prefix_length": 1},
        {"prompted_residual": "decorated"},
        {"text_prompting": "layers"},
        {"text_prompting": "layers", "layer_prompts": "every", "layer_depth": DEPTH},
        {"text_prompting": "context", "prefix_length": 7},
        {"text_prompting": "none"},
        {"prefix_length": 0},
    ],
    ids=lambda changes: " ".join(map(str, changes.values())) or "paper",
)
def test_equations_1_to_10_equal_loops(tower, changes):
    prompts = build(tower, **changes)
    found = prompts(prompts.tokenize(NAMES)).detach().numpy()
    expected = np.stack([loops(prompts, name, {**SETTINGS, **changes}) for name in NAMES])
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


READINGS = [
    {"text_prompting": "none"},
    {"text_prompting": "context"},
    {"text_prompting": "context", "prefix_length": 7},
    *(
        {"text_prompting": "layers", "layer_prompts": layer_prompts, "layer_depth": depth}
        for layer_prompts, depth in itertools.product(["after_first", "every"], [0, 1, 3, DEPTH])
    ),
    *(
        {"prefix_streams": streams, "layer_prompts": layer_prompts, "layer_depth": depth, "prefix_length": length}
        for streams, layer_prompts, depth, length in itertools.product(
            ["both", "prompted"], ["after_first", "every"], [0, 1, 3, DEPTH], [0, 2]
        )
    ),
    {"prompted_residual": "decorated"},
]


@pytest.mark.parametrize("changes", READINGS, ids=lambda changes: " ".join(map(str, changes.values())))
def test_nothing_is_lost_by_cutting_and_sharing(tower, plain_embeddings, changes):
    prompts = build(tower, **changes)
    found = prompts(prompts.tokenize(NAMES))
    expected = plain_embeddings(prompts, NAMES)  # 77 tokens for every class
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-11)
    weights = torch.randn(found.shape, generator=torch.Generator().manual_seed(1)).double()
    learned = [parameter for parameter in prompts.parameters() if parameter.numel()]
    assert found.requires_grad == bool(learned)
    if learned:
        ours, plain = (
            torch.autograd.grad((text * weights).sum(), learned, materialize_grads=True) for text in (found, expected)
        )
        torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-10)


def test_every_entry_of_every_prompt_matters(tower, plain_embeddings):
    prompts = build(tower)
    for text in (prompts(prompts.tokenize(NAMES)), plain_embeddings(prompts, NAMES)):
        assert all(slope.abs().min() > 0 for slope in torch.autograd.grad(text.square().sum(), prompts.parameters()))


@pytest.mark.parametrize(
    ("changes", "learning"),
    [({}, 3), ({"prefix_streams": "prompted"}, 0), ({"prefix_length": 0}, 0), ({"text_prompting": "layers"}, None)],
    ids=["paper", "prompted", "no prefix", "one stream"],
)
def test_the_original_stream_goes_as_deep_as_the_prompts_and_learns_only_with_them(
    tower, monkeypatch, changes, learning
):
    prompts = build(tower, **changes)
    asked, completed = [], []
    attend, complete = tower.attend, tower.complete
    monkeypatch.setattr(tower, "attend", lambda n, x, t: (asked.append((n, x.requires_grad)), attend(n, x, t))[1])
    monkeypatch.setattr(tower, "complete", lambda n, x, a: (completed.append(n), complete(n, x, a))[1])
    prompts(prompts.tokenize(NAMES))
    if learning is None:
        assert [layer for layer, _ in asked] == completed == list(range(DEPTH))
        return
    # Both streams in the layers 0 to 2, of which the original ends with the attention of the last; then one stream.
    assert [layer for layer, _ in asked] == [0, 0, 1, 1, 2, 2, *range(3, DEPTH)]
    assert completed == [0, 0, 1, 1, 2, *range(3, DEPTH)]
    assert sum(learns for _, learns in asked[:6:2]) == learning


def test_a_frozen_text_keeps_nothing_for_a_backward_pass(tower):
    kept = []
    for mode in ("none", "dual"):
        prompts = build(tower, text_prompting=mode)
        kept.append([])
        with torch.autograd.graph.saved_tensors_hooks(kept[-1].append, lambda saved: saved):
            prompts(prompts.tokenize(NAMES))
    assert not kept[0]
    assert kept[1]


def test_gradients_are_the_slopes(tower):
    prompts = build(tower)
    tokens = prompts.tokenize(NAMES)
    names, start = zip(*((name, values.detach()) for name, values in prompts.named_parameters()), strict=True)
    generator = torch.Generator().manual_seed(5)
    directions = [torch.randn(values.shape, generator=generator).double() for values in start]

    def loss(step: float) -> torch.Tensor:
        moved = {name: v + step * d for name, v, d in zip(names, start, directions, strict=True)}
        return torch.func.functional_call(prompts, moved, (tokens,)).square().sum()

    prompts(tokens).square().sum().backward()
    slope = sum((p.grad * d).sum() for p, d in zip(prompts.parameters(), directions, strict=True))
    torch.testing.assert_close(slope, (loss(1e-6) - loss(-1e-6)) / 2e-6, rtol=1e-5, atol=0)


def test_reordering_classes_reorders_rows_only(tower):
    prompts = build(tower)
    order = [4, 0, 6, 2]
    everything = prompts(prompts.tokenize(NAMES))
    some = prompts(prompts.tokenize([NAMES[k] for k in order]))
    torch.testing.assert_close(some, everything[order], rtol=0, atol=1e-11)


@pytest.mark.parametrize("alone", NAMES[:2])
def test_one_class_is_encoded_as_among_others(tower, alone):
    prompts = build(tower)
    found = prompts(prompts.tokenize([alone]))
    torch.testing.assert_close(found[0], prompts(prompts.tokenize(NAMES))[NAMES.index(alone)], rtol=0, atol=1e-11)


def test_training_moves_every_prompt_and_nothing_of_the_tower(tower):
    prompts = build(tower)
    tokens = prompts.tokenize(NAMES)
    before = {name: values.clone() for name, values in tower.state_dict().items()}
    start = {name: values.clone() for name, values in prompts.state_dict().items()}
    assert {name: tuple(values.shape) for name, values in start.items()} == {
        "prefix": (2, WIDTH),
        "prompts": (2, 2, WIDTH),
        "alpha": (3,),
    }
    assert sum(weights.numel() for weights in prompts.parameters()) == 3 * 2 * WIDTH + 3

    optimiser = torch.optim.Adam(prompts.parameters(), lr=0.01)
    prompts(tokens).square().sum().backward()
    optimiser.step()
    assert all(torch.equal(values, before[name]) for name, values in tower.state_dict().items())
    assert all(weights.grad is None for weights in tower.parameters())
    assert all((values != start[name]).all() for name, values in prompts.state_dict().items())


def test_a_prompt_collects_its_gradient_in_one_order():
    torch.set_num_threads(2)
    generator = torch.Generator().manual_seed(0)
    tokens = Tokens.arrange([[5, 1, 2, 9]] * 1009, share=False, prompts=2)
    prompts = torch.randn(2, 383, generator=generator, requires_grad=True)
    states, slopes = (torch.randn(4 * 1009, 383, generator=generator) for _ in range(2))
    first, *others = (
        torch.autograd.grad(_with_prompts(states, prompts, tokens), prompts, slopes)[0] for _ in range(11)
    )
    assert all(torch.equal(first, other) for other in others)


def test_prompts_start_as_stated(tower):
    fresh = LanguagePrompts(
        tower, **{**SETTINGS, "layer_prompts": "every", "prompt_std": 0.02}, generator=torch.Generator().manual_seed(0)
    )
    again = build(tower, seed=0, layer_prompts="every", prompt_std=0.02)
    words = torch.tensor(tower.encode("a skeleton")[1:-1])
    assert torch.equal(fresh.prefix, tower.embed(words))
    assert torch.equal(fresh.alpha, torch.full((3,), 0.5))
    assert fresh.prompts.shape == (3, 2, WIDTH)
    assert 0.015 < fresh.prompts.std() < 0.025
    assert torch.equal(fresh.prompts.double(), again.prompts)


def test_an_untrained_context_is_the_plain_phrase(tower):
    context = LanguagePrompts(
        tower, **{**SETTINGS, "text_prompting": "context", "prefix_length": 5}, generator=torch.Generator()
    )
    plain = build(tower, text_prompting="none")
    tokens = plain.tokenize(NAMES)
    assert not list(plain.parameters())
    torch.testing.assert_close(context(tokens), plain(tokens), rtol=0, atol=1e-12)


def test_without_weight_the_dual_stream_is_single(tower):
    dual, single = build(tower), build(tower, text_prompting="layers")
    with torch.no_grad():
        dual.alpha.zero_()
        dual.prefix.copy_(single.prefix)
        dual.prompts.copy_(single.prompts)
    tokens = dual.tokenize(NAMES)
    torch.testing.assert_close(dual(tokens), single(tokens), rtol=0, atol=1e-12)


def test_without_prompted_layers_only_the_context_is_left(tower):
    dual, context = build(tower, layer_depth=0), build(tower, text_prompting="context")
    assert [name for name, _ in dual.named_parameters()] == ["prefix"]
    tokens = dual.tokenize(NAMES)
    with torch.no_grad():
        context.prefix.copy_(dual.prefix)
    assert torch.equal(dual(tokens), context(tokens))


def test_prompts_of_no_length_can_be_trained(tower):
    prompts = build(tower, prefix_length=0)
    optimiser = torch.optim.Adam(prompts.parameters(), lr=0.01)
    start = prompts.alpha.detach().clone()
    prompts(prompts.tokenize(NAMES)).square().sum().backward()
    optimiser.step()
    assert (prompts.alpha != start).all()


def test_the_tower_moves_along():
    tower = tiny_clip()
    prompts = build(tower)
    prompts.float()
    assert {weights.dtype for weights in tower.parameters()} == {torch.float32}
    assert prompts(prompts.tokenize(NAMES)).dtype == torch.float32
    assert "tower" not in " ".join(prompts.state_dict())


@pytest.mark.gpu
def test_the_tower_moves_to_a_gpu(tower):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    prompts = build(tower)
    expected = prompts(prompts.tokenize(NAMES))
    prompts.cuda()
    found = prompts(prompts.tokenize(NAMES)).cpu()
    prompts.cpu()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"prefix_length": 8}, "prefix_length is 8 and the phrase .* has 7 tokens; choose 0 to 7."),
        ({"prefix_length": -1}, "prefix_length is -1"),
        ({"layer_depth": DEPTH + 1}, "layer_depth is 6 and the text encoder has 5 layers; choose 0 to 5."),
        ({"layer_depth": -1}, "layer_depth is -1"),
    ],
)
def test_impossible_sizes_are_refused(tower, changes, sentence):
    with pytest.raises(ScopleError, match=sentence):
        build(tower, **changes)


def test_without_a_phrase_the_text_is_the_bare_name(tower):
    prompts = build(tower, phrase="", prefix_length=0, text_prompting="none")
    assert torch.equal(prompts(prompts.tokenize(NAMES)), encode(tower, NAMES))
