"""STAR's folded attention against torch's own, its losses against loops."""

import math

import pytest
import torch
import torch.nn.functional as F
from each_method import noise
from each_method import texts as random_texts
from torch import nn

from scople.base.errors import ScopleError
from scople.methods.method import ClassTexts, Progress, Samples
from scople.methods.registry import build, settings_of
from scople.methods.sizes import Sizes
from scople.methods.star import PartAttention, Star, cosines
from scople.methods.texts import STAR_FIELDS

D, K, B, QUERIES, HEADS = 7, 5, 13, 11, 3
E = HEADS * 17  # torch's attention wants a multiple of its heads


def small(intervals=3, **changes):
    settings = settings_of(
        "star", {"queries": QUERIES, "heads": HEADS, "text_hidden": 19, "intervals": intervals} | changes
    )
    return build("star", settings, Sizes(D, E, K, (1,) * intervals), 1).double()


def texts(classes=K, first=0):
    """With the width of this module."""
    generator = torch.Generator().manual_seed(first)
    made = {
        name: F.normalize(torch.randn(classes, E, generator=generator, dtype=torch.float64), dim=-1)
        for name in ("name", *STAR_FIELDS)
    }
    return ClassTexts(tuple(map(str, range(classes))), made)


def batch(intervals=3):
    features, targets = noise(intervals, B)
    return Samples(torch.tensor(features).double(), torch.tensor(targets))


def plain(part, tokens):
    """One part, as the paper's layers stand one after the other."""
    attention = nn.MultiheadAttention(E, HEADS, kdim=D, vdim=D, batch_first=True).double()
    with torch.no_grad():
        attention.q_proj_weight.copy_(part.query.weight)
        attention.k_proj_weight.copy_(part.key.weight)
        attention.v_proj_weight.copy_(part.value.weight)
        keys_bias = torch.randn(E, dtype=torch.float64, generator=torch.Generator().manual_seed(3))  # changes nothing
        attention.in_proj_bias.copy_(torch.cat([part.query.bias, keys_bias, part.value.bias]))
        attention.out_proj.weight.copy_(part.out.weight)
        attention.out_proj.bias.copy_(part.out.bias)
    queries = part.queries.expand(len(tokens), -1, -1)
    attended, _ = attention(queries, tokens, tokens)
    e = part.second(F.relu(part.first(attended)))
    return torch.stack([(part.queries[i] @ part.bilinear) @ e[:, i].T for i in range(QUERIES)], dim=1)


@pytest.mark.parametrize("intervals", [3, 1])
def test_the_folded_form_is_the_plain_one(intervals):
    method, samples = small(intervals), batch(intervals)
    with torch.no_grad():
        for part in method.attentions:
            for linear in (part.query, part.value, part.out):  # which start at 0, where a forgotten one would not show
                linear.bias.normal_(generator=torch.Generator().manual_seed(1))
    for part, joints, found in zip(method.attentions, method.parts, method.part_scores(samples.features), strict=True):
        tokens = torch.stack([samples.features[:, i, v] for i in range(intervals) for v in joints], dim=1)
        torch.testing.assert_close(found, plain(part, tokens))


def test_gradients_of_the_folded_form_are_those_of_the_plain_one():
    part = small().attentions[0]
    tokens = batch().features[:, 0, :3]
    weights = torch.randn(B, QUERIES, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    names = ["queries", "first.weight", "second.weight", "bilinear"]
    held = [part.get_parameter(name) for name in names]
    folded = torch.autograd.grad((part(tokens) * weights).sum(), held)
    # The copies in `plain` carry no gradient: only what acts through the queries outside the attention is compared.
    unfolded = torch.autograd.grad((plain(part, tokens) * weights).sum(), held)
    for name, one, two in zip(names[1:], folded[1:], unfolded[1:], strict=True):
        torch.testing.assert_close(one, two, msg=name)


def test_a_part_does_not_know_the_order_of_its_tokens():
    part, tokens = small().attentions[0], batch().features[:, 0, :7]
    order = torch.randperm(7, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(part(tokens[:, order]), part(tokens))


@pytest.mark.parametrize(("classes", "lowest"), [(55, 2.117), (110, 2.757)])
def test_what_a_cross_entropy_of_bare_cosines_can_reach(classes, lowest):
    """Cosines are within -1 and 1: ln(1 + (K - 1) / e^2) if all are as they should be, ln K if none tells a thing."""
    targets = torch.arange(classes)
    perfect = 2 * torch.eye(classes) - 1
    assert F.cross_entropy(perfect, targets).item() == pytest.approx(math.log1p((classes - 1) * math.exp(-2)))
    assert F.cross_entropy(perfect, targets).item() == pytest.approx(lowest, abs=5e-4)
    axes = torch.eye(2 * classes)
    across = cosines(3 * axes[:classes], 7 * axes[classes:])
    assert F.cross_entropy(across, targets).item() == pytest.approx(math.log(classes))
    trained = cosines(torch.randn(classes, 3, generator=torch.Generator().manual_seed(1)), torch.eye(classes, 3))
    assert F.cross_entropy(trained, targets).item() > lowest


def test_losses_against_loops():
    method, samples, known = small().train(), batch(), texts()
    (update,) = method.updates(samples, known, Progress(0, 1, 0, 1), torch.Generator())
    parts = method.part_scores(samples.features)

    def mapped(layers, row):
        return layers[2](F.relu(layers[0](row)))

    def cosine(one, two):
        return (one @ two / (one @ one) ** 0.5 / (two @ two) ** 0.5).item()

    names = [mapped(method.name_map, 10 * row) for row in known.fields["name"]]
    whole = part_loss = semantic = 0.0
    for b in range(B):
        g = sum(each[b] for each in parts)
        values = [cosine(g, name) for name in names]
        whole += (math.log(sum(map(math.exp, values))) - values[samples.targets[b]]) / B
    for o, field in enumerate(STAR_FIELDS):
        described = [
            mapped(method.part_maps[o], 10 * row + method.prompts[o, y]) for y, row in enumerate(known.fields[field])
        ]
        for b in range(B):
            values = [cosine(parts[o][b], each) for each in described]
            part_loss += (math.log(sum(map(math.exp, values))) - values[samples.targets[b]]) / B / 6
        for y in range(K):
            values = [(described[y] @ name).item() for name in names]
            semantic += (math.log(sum(map(math.exp, values))) - values[y]) / K / 6
    found = {name: value.item() for name, value in update.terms.items()}
    assert found == pytest.approx({"global": whole, "part": part_loss, "semantic": semantic})
    assert update.loss.item() == pytest.approx(0.1 * whole + part_loss + 0.1 * semantic)


def test_scores_are_cosines_over_the_temperature_and_read_names_only():
    method, samples, candidates = small().eval(), batch(), texts(7, 11)
    scores = method.scores(samples.features, method.prepare(candidates, torch.Generator()))
    g = sum(method.part_scores(samples.features))
    torch.testing.assert_close(scores, cosines(g, method.of_names(candidates)) / 0.07)
    assert scores.abs().max() <= 1 / 0.07
    names_only = ClassTexts(candidates.names, {"name": candidates.fields["name"]})
    assert torch.equal(method.scores(samples.features, method.prepare(names_only, torch.Generator())), scores)


def test_every_weight_learns():
    method, samples = small().train(), batch()
    (update,) = method.updates(samples, texts(), Progress(0, 1, 0, 1), torch.Generator())
    update.loss.backward()
    for name, parameter in method.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_published_sizes():
    """22.4 million weights in use on NTU-60 with texts of width 768."""
    method = Star(settings_of("star", {}), Sizes(256, 768, 60, (25, 25, 25)))
    assert sum(parameter.numel() for parameter in method.parameters()) == pytest.approx(22.4e6, rel=0.005)


def test_heads_that_do_not_divide_the_width_are_rounded_up():
    part = PartAttention(feature_width=D, text_width=11, queries=5, heads=3)
    assert part.width == 4
    assert part(torch.ones(B, 2, D)).shape == (B, 5)


def test_features_of_other_intervals_are_refused():
    with pytest.raises(ScopleError, match="have 3 intervals of time, but the method star reads 1"):
        build("star", settings_of("star", {"intervals": 1}), Sizes(D, E, K, (1, 2, 1)), 1)


@pytest.mark.parametrize("setting", ["queries", "heads"])
def test_settings_that_cannot_be(setting):
    with pytest.raises(ScopleError, match=f"{setting} of the method star is 0, but must be a whole number from 1"):
        small(**{setting: 0})


def test_part_texts_are_those_of_the_field():
    """A text of one part moves the loss through that part's map and no other."""
    method, samples, known = small().train(), batch(), texts()
    changed = ClassTexts(known.names, known.fields | {"star_leg": known.fields["star_leg"].flip(0)})

    def gradients(of):
        method.zero_grad()
        (update,) = method.updates(samples, of, Progress(0, 1, 0, 1), torch.Generator())
        update.loss.backward()
        return [maps[0].weight.grad.clone() for maps in method.part_maps]

    moved = [not torch.equal(one, two) for one, two in zip(gradients(known), gradients(changed), strict=True)]
    assert moved == [False, False, False, False, True, False]
    assert set(STAR_FIELDS) <= set(random_texts().fields)
