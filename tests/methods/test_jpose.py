"""JPoSE: triplets and the loss against loops, words that are shared or empty; what every method owes."""

from dataclasses import replace

import pytest
import torch
from toy_classes import CLASSES, build, candidates, scored, stands_the_checks, toy_samples, toy_texts

from scople.methods.jpose import Jpose, JposeSettings, same_words, triplet
from scople.methods.method import ClassTexts, Progress, Samples
from scople.methods.sizes import Sizes

SMALL = JposeSettings(width=7, text_hidden=19, learning_rate=1e-2)
START = Progress(0, 1, 0, 1)
MARGIN, BATCH = 0.3, 5


def unit(*shape: int) -> torch.Tensor:
    rows = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return rows / rows.norm(dim=1, keepdim=True)


def sharing(words: list[int]) -> torch.Tensor:
    return torch.tensor([[a == b for b in words] for a in words])


def triplet_by_loops(s: torch.Tensor, words: list[int], pairs: str) -> float:
    total = 0.0
    for b in range(len(s)):
        own = [j for j in range(len(s)) if words[j] == words[b]]
        others = [j for j in range(len(s)) if words[j] != words[b]]
        positive = s[min(own, key=lambda j: (s[b] @ s[j]).item())]
        negative = s[max(others, key=lambda j: (s[b] @ s[j]).item())]
        for a in range(len(s)) if pairs == "all" else [b]:
            total += max(0.0, (MARGIN + s[a] @ negative - s[a] @ positive).item())
    return total / len(s)


@pytest.mark.parametrize("pairs", ["all", "matched"])
def test_triplets_by_loops(pairs):
    s, words = unit(BATCH, 7), [3, 0, 3, 1, 3]
    found = triplet(s, sharing(words), MARGIN, pairs)
    assert found.item() == pytest.approx(triplet_by_loops(s, words, pairs), rel=1e-12)


def test_triplets_of_equal_rows():
    s, same = unit(1, 7).expand(BATCH, -1), sharing([0, 0, 1, 1, 2])
    assert triplet(s, same, MARGIN, "all").item() == pytest.approx(0.3 * BATCH)
    assert triplet(s, same, MARGIN, "matched").item() == pytest.approx(0.3)


def test_one_word_makes_no_triplet():
    assert triplet(unit(BATCH, 7), sharing([2] * BATCH), MARGIN, "all").item() == 0


def test_positives_and_negatives_carry_no_gradient():
    """Of the matched form only the anchor b moves: its gradient is (n(b) - p(b)) / B where the hinge is open."""
    s, words = unit(BATCH, 7).requires_grad_(), [3, 0, 3, 1, 3]
    triplet(s, sharing(words), MARGIN, "matched").backward()
    for b in range(BATCH):
        own = [j for j in range(BATCH) if words[j] == words[b]]
        others = [j for j in range(BATCH) if words[j] != words[b]]
        positive = s[min(own, key=lambda j: (s[b] @ s[j]).item())]
        negative = s[max(others, key=lambda j: (s[b] @ s[j]).item())]
        is_open = MARGIN + s[b] @ negative - s[b] @ positive > 0
        torch.testing.assert_close(s.grad[b], (negative - positive).detach() / BATCH * is_open)


def test_words_are_shared_where_embeddings_are_equal():
    texts = toy_texts()  # wave hands, drink water, wave hat, throw water
    assert torch.equal(same_words(texts.fields["verb"]), sharing([0, 1, 0, 2]))
    assert torch.equal(same_words(texts.fields["noun"]), sharing([0, 1, 2, 1]))


@pytest.mark.parametrize("pairs", ["all", "matched"])
def test_the_loss_of_a_batch_of_three_by_loops(pairs):
    method = build(Jpose, replace(SMALL, pairs=pairs)).double()
    texts = ClassTexts(toy_texts().names, {name: e.double() for name, e in toy_texts().fields.items()})
    batch = Samples(toy_samples().features[[2, 0, 1]].double(), torch.tensor([2, 0, 1]))
    (update,) = method.updates(batch, texts, START, torch.Generator())

    def normed(row: torch.Tensor) -> torch.Tensor:
        return row / row.square().sum() ** 0.5

    s, t = {}, {}
    for part in ("verb", "noun"):
        s[part] = [normed(method.skeletons[part](normed(x.mean(dim=(0, 1))))) for x in batch.features]
        t[part] = [normed(method.words[part](c)) for c in texts.fields[part]]
    s["joint"] = [normed(method.joint["skeleton"](torch.cat(both))) for both in zip(s["verb"], s["noun"], strict=True)]
    t["joint"] = [normed(method.joint["text"](torch.cat(both))) for both in zip(t["verb"], t["noun"], strict=True)]
    expected = 0.0
    for space in ("verb", "noun", "joint"):
        for b, own in enumerate(batch.targets.tolist()):
            for y in range(CLASSES):
                expected += max(0.0, (MARGIN + s[space][b] @ t[space][y] - s[space][b] @ t[space][own]).item()) / 3
    expected += 0.01 * triplet_by_loops(torch.stack(s["verb"]), [0, 0, 1], pairs)
    expected += 0.01 * triplet_by_loops(torch.stack(s["noun"]), [2, 0, 1], pairs)
    assert update.loss.item() == pytest.approx(expected, rel=1e-6)


def test_scale_does_not_matter():
    method, texts, x = build(Jpose, SMALL), toy_texts(), toy_samples().features
    longer = ClassTexts(texts.names, {name: 5 * e for name, e in texts.fields.items()})
    torch.testing.assert_close(scored(method, 3 * x, longer), scored(method, x, texts), rtol=1e-5, atol=1e-5)


def test_scores_are_cosines_over_the_temperature():
    method, texts, x = build(Jpose, SMALL), toy_texts(), toy_samples().features
    scores = scored(method, x, texts)
    assert scores.abs().max().item() <= 1 / 0.07 + 1e-4
    joint = method.embed_skeletons(x)["joint"]
    cosine = torch.nn.functional.cosine_similarity(joint[:, None], candidates(method, texts)[None], dim=-1)
    torch.testing.assert_close(scores, cosine.detach() / 0.07, rtol=1e-5, atol=1e-5)


def test_candidates_with_the_same_words_have_the_same_score():
    method, texts = build(Jpose, SMALL), toy_texts().rows([0, 1, 0])
    scores = scored(method, toy_samples().features, texts)
    assert torch.equal(scores[:, 0], scores[:, 2])


def test_an_empty_word_embedding_leaves_loss_and_gradient_finite():
    method, texts = build(Jpose, SMALL), toy_texts()
    with torch.no_grad():
        method.words["noun"][2].weight.zero_()
        method.words["noun"][2].bias.fill_(-1)
    assert (method.embed_texts(texts)["noun"] == 0).all()
    (update,) = method.updates(toy_samples(), texts, START, torch.Generator())
    update.loss.backward()
    assert update.loss.isfinite()
    assert all(p.grad.isfinite().all() for p in method.parameters() if p.grad is not None)


def test_equal_parts_have_equal_hinges():
    method, texts = build(Jpose, SMALL), toy_texts()
    method.skeletons["noun"].load_state_dict(method.skeletons["verb"].state_dict())
    method.words["noun"].load_state_dict(method.words["verb"].state_dict())
    twice = ClassTexts(texts.names, {"verb": texts.fields["name"], "noun": texts.fields["name"]})
    (update,) = method.updates(toy_samples(), twice, START, torch.Generator())
    assert torch.equal(update.terms["hinge_verb"], update.terms["hinge_noun"])


def test_only_the_joint_layers_decay():
    method = build(Jpose, SMALL)
    parts, joint = method.groups()["model"]
    assert (parts["weight_decay"], joint["weight_decay"]) == (0.0, 1e-3)
    assert {id(p) for p in joint["params"]} == {id(p) for p in method.joint.parameters()}
    assert len(parts["params"]) + len(joint["params"]) == len(list(method.parameters()))


def test_parameters_at_the_papers_scale():
    method = Jpose(JposeSettings(), Sizes(256, 512, 55))
    assert sum(p.numel() for p in method.parameters()) == 612_412


def test_it_owes_what_every_method_does():
    stands_the_checks(Jpose, SMALL, steps=60)
