"""The layout of the tokens, and attention over it."""

import numpy as np
import pytest
import torch
from tiny_towers import tiny_clip, tiny_minilm

from scople.base.errors import ScopleError
from scople.text.tower import Tokens, attention

TEXTS = [[5, 1, 2, 7, 9], [5, 1, 2, 9], [5, 1, 2, 7, 3, 4, 9], [5, 1, 2, 8, 9]]


def test_a_common_beginning_is_stored_once():
    tokens = Tokens.arrange(TEXTS, share=True)
    assert tokens.ids.tolist() == [5, 1, 2] + [9] + [7, 9] + [8, 9] + [7, 3, 4, 9]
    assert tokens.positions.tolist() == [0, 1, 2] + [3] + [3, 4] + [3, 4] + [3, 4, 5, 6]
    assert tokens.shared == 3
    assert tokens.groups == ((1, 1), (2, 2), (1, 4))
    assert tokens.rank.tolist() == [1, 0, 3, 2]


def test_a_tower_that_looks_ahead_shares_nothing():
    tokens = Tokens.arrange(TEXTS, share=False)
    assert tokens.shared == 0
    assert tokens.groups == ((1, 4), (2, 5), (1, 7))
    assert tokens.ids.tolist() == TEXTS[1] + TEXTS[0] + TEXTS[3] + TEXTS[2]


@pytest.mark.parametrize("texts", [[[5, 1, 9]], [[5, 1, 9], [5, 1, 9]]], ids=["one", "twins"])
def test_every_text_keeps_its_end_token(texts):
    tokens = Tokens.arrange(texts, share=True)
    assert tokens.shared == 2
    assert tokens.groups == ((len(texts), 1),)


def test_split_finds_each_text_again():
    for share in (True, False):
        tokens = Tokens.arrange(TEXTS, share=share)
        beginning, *blocks = tokens.split(tokens.ids[:, None].double())
        texts = [beginning[0, :, 0].tolist() + text[:, 0].tolist() for block in blocks for text in block]
        assert [texts[rank] for rank in tokens.rank] == TEXTS


@pytest.mark.parametrize("causal", [True, False])
def test_attention_equals_loops_over_texts_heads_and_tokens(causal):
    heads, width = 3, 13
    tokens = Tokens.arrange(TEXTS, share=causal)
    rows = len(tokens.ids)
    projected = torch.randn(rows, 3 * heads * width, generator=torch.Generator().manual_seed(1)).double()
    found = attention(projected, tokens, heads=heads, causal=causal).numpy()

    q, k, v = projected.numpy().reshape(rows, 3, heads, width).transpose(1, 0, 2, 3)
    beginning, *blocks = tokens.split(torch.arange(rows)[:, None].double())
    for text in (text for block in blocks for text in block):
        places = torch.cat([beginning[0], text]).long().flatten().tolist()
        for here, row in enumerate(places):
            seen = places[: here + 1] if causal else places
            for head in range(heads):
                weights = np.array([np.exp(q[row, head] @ k[other, head] / width**0.5) for other in seen])
                expected = sum(w * v[other, head] for w, other in zip(weights / weights.sum(), seen, strict=True))
                np.testing.assert_allclose(found[row, head * width : (head + 1) * width], expected, atol=1e-12)


@pytest.mark.parametrize("build", [tiny_clip, tiny_minilm])
def test_bad_texts_are_named(build):
    tower = build()
    with pytest.raises(ScopleError, match="0 class names"):
        tower.tokenize([])
    with pytest.raises(ScopleError, match=rf"'jump jump.*has 102 tokens .* at most {tower.limit};"):
        tower.tokenize(["sit", "jump " * 100])
