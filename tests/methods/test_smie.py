"""SMIE's equations against loops, and what the estimate converges to."""

import math

import numpy as np
import pytest
import torch
from each_method import noise, texts

from scople.base.seeding import numpy_generator
from scople.methods.fitting import fit
from scople.methods.method import Progress, Samples
from scople.methods.registry import build, settings_of
from scople.methods.sizes import Sizes
from scople.methods.smie import js_information

D, E, K, B = 7, 11, 5, 13


def small(**changes):
    settings = settings_of("smie", {"outer_width": 19, "inner_width": 17} | changes)
    return build("smie", settings, Sizes(D, E, K), 1)


def batch():
    features, targets = noise(1, B)
    return Samples(torch.tensor(features), torch.tensor(targets))


def plain(method, v, t):
    """D of one pair, of its concatenation."""
    centred = (v - v.mean()) / (v.var(correction=0) + 1e-5) ** 0.5
    hidden = (method.first.weight @ torch.cat([centred, t]) + method.first.bias).clamp_min(0)
    second, last = method.rest[1], method.rest[3]
    hidden = (second.weight @ hidden + second.bias).clamp_min(0)
    return (last.weight @ hidden + last.bias).squeeze()


def step(method, samples):
    (update,) = method.train().updates(samples, texts(), Progress(0, 1, 0, 1), torch.Generator())
    return update


def test_the_split_first_layer_is_the_concatenated_one():
    method, samples = small().eval(), batch()
    scores = method.scores(samples.features, texts())
    for b in range(B):
        for k in range(K):
            expected = plain(method, samples.features[b, 0].mean(dim=0), texts().fields["name"][k])
            torch.testing.assert_close(scores[b, k], expected, atol=1e-5, rtol=1e-4)


def test_loss_against_loops():
    method, samples = small(), batch()
    v, t = samples.features[:, 0].mean(dim=1), texts().fields["name"]
    true = false = 0.0
    for b in range(B):
        own = t[samples.targets[b]]
        true += math.log1p(math.exp(-plain(method, v[b], own).item())) / B
        false += math.log1p(math.exp(plain(method, v[(b + 1) % B], own).item())) / B
    assert step(method, samples).loss.item() == pytest.approx(true + false, rel=1e-5)


def test_a_discriminator_that_says_nothing_loses_2_ln_2():
    method = small()
    with torch.no_grad():
        method.rest[3].weight.zero_()
        method.rest[3].bias.zero_()
    assert step(method, batch()).loss.item() == pytest.approx(2 * math.log(2))


def test_the_norm_can_be_left_out_at_test_and_is_there_in_training():
    with_norm, without = small(), small(test_norm=False)
    samples = batch()
    assert torch.equal(step(with_norm, samples).loss, step(without, samples).loss)
    features = samples.features * 3 + 1
    candidates = texts()
    torch.testing.assert_close(
        with_norm.eval().scores(features, candidates),
        with_norm.scores(samples.features, candidates),
        atol=1e-4,
        rtol=1e-4,
    )
    assert not torch.allclose(without.eval().scores(features, candidates), without.scores(samples.features, candidates))


def test_published_sizes_and_rates():
    published = settings_of("smie", {})
    for width, count in {768: 1_574_913, 512: 1_312_769}.items():
        method = build("smie", published, Sizes(256, width, K), 1)
        assert sum(parameter.numel() for parameter in method.parameters()) == count
    rate = published.recipe().rate
    rates = [rate(Progress(0, 100, epoch, 100)) for epoch in (0, 1, 15, 99)]
    assert rates == pytest.approx([0, 1e-5 / 15, 1e-5, 1e-5 * (1 + math.cos(math.pi * 84 / 85)) / 2])


def test_a_table_converges_to_the_logarithm_of_the_ratio():
    counts = torch.tensor([[5, 1, 2], [1, 3, 1], [2, 1, 7]])
    total = counts.sum()
    apart = counts.sum(dim=1, keepdim=True) * counts.sum(dim=0)  # what independent pairs are drawn with, times total^2
    table = torch.zeros(3, 3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [table], max_iter=100, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )

    def loss():
        optimiser.zero_grad()
        value = -js_information(*(table.flatten().repeat_interleave(each.flatten()) for each in (counts, apart)))
        value.backward()
        return value

    optimiser.step(loss)
    torch.testing.assert_close(table.detach(), (counts * total / apart).double().log(), atol=1e-4, rtol=1e-4)


def test_shuffled_skeletons_leave_the_held_out_loss_at_its_floor():
    features, targets = noise(1, 211)
    method = small(epochs=40, warmup=1, learning_rate=1e-2, batch_size=53)
    shuffled = numpy_generator(1, "shuffle").permutation(features[:106])
    history = fit(
        method, method.settings.recipe(), shuffled, targets[:106], texts(), seed=1, device=torch.device("cpu")
    )
    assert history[-1]["loss"] < 2 * math.log(2) - 0.05  # it learns its samples by heart
    losses = []
    for k in range(53):
        pairing = numpy_generator(1, "pairing", k).permutation(targets[106:])
        losses.append(step(method, Samples(torch.tensor(features[106:]), torch.tensor(pairing))).loss.item())
    assert np.mean(losses) > 2 * math.log(2)
