"""KL, distance and samples against hand-made numbers, loops and torch.distributions."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from scople.methods.gaussian import Gaussian, GaussianEncoder, joined, start_small

BATCH, LATENT = 5, 7


def gaussian(seed: int = 1) -> Gaussian:
    generator = torch.Generator().manual_seed(seed)
    return Gaussian(*(torch.randn(BATCH, LATENT, generator=generator, dtype=torch.float64) for _ in range(2)))


def one(mean: list[float], variance: list[float]) -> Gaussian:
    return Gaussian(torch.tensor([mean]), torch.tensor([variance]).log())


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def test_kl_by_hand():
    assert one([1.0, 0.0], [1.0, 1.0]).kl().item() == pytest.approx(0.5)
    assert one([0.0], [4.0]).kl().item() == pytest.approx(0.806853, abs=1e-6)
    assert one([0.0, 0.0, 0.0], [4.0, 4.0, 4.0]).kl().item() == pytest.approx(3 * 0.806853, abs=1e-5)


def test_kl_is_that_of_torch_and_zero_at_the_standard_normal_only():
    g = gaussian()
    torch_says = kl_divergence(Normal(g.mean, (g.log_variance / 2).exp()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(g.kl(), torch_says)
    assert (g.kl() > 0).all()
    assert one([0.0, 0.0], [1.0, 1.0]).kl().item() == 0


def test_distance_by_hand():
    assert one([3.0, 0.0], [2.0, 5.0]).distance(one([0.0, 4.0], [2.0, 5.0])).item() == pytest.approx(5)
    assert one([7.0], [1.0]).distance(one([7.0], [9.0])).item() == pytest.approx(2)


def test_distance_by_loops_and_symmetric():
    a, b = gaussian(1), gaussian(2)
    for i in range(BATCH):
        total = 0.0
        for z in range(LATENT):
            total += (a.mean[i, z] - b.mean[i, z]).item() ** 2
            total += (math.exp(a.log_variance[i, z] / 2) - math.exp(b.log_variance[i, z] / 2)) ** 2
        assert a.distance(b)[i].item() == pytest.approx(math.sqrt(total), rel=1e-12)
    assert torch.equal(a.distance(b), b.distance(a))


def test_equal_pairs_are_at_distance_zero_with_a_finite_gradient():
    leaf = gaussian().mean.requires_grad_()
    g = Gaussian(leaf, leaf * 2)
    distance = g.distance(g.detach())
    distance.sum().backward()
    assert (distance == 0).all()
    assert leaf.grad.isfinite().all()


def test_a_sample_without_variance_is_the_mean():
    g = Gaussian(gaussian().mean, torch.full((BATCH, LATENT), -torch.inf, dtype=torch.float64))
    for noise in ("shared", "independent"):
        assert torch.equal(g.sample(seeded(), noise), g.mean)


def test_shared_noise_is_one_number_a_sample():
    g = gaussian()
    eps = (g.sample(seeded(), "shared") - g.mean) / (g.log_variance / 2).exp()
    torch.testing.assert_close(eps, eps[:, :1].expand_as(eps))
    assert len(set(eps[:, 0].tolist())) == BATCH


def test_independent_noise_has_the_mean_and_variance_of_the_gaussian():
    g = Gaussian(torch.full((20011, 2), 3.0), torch.full((20011, 2), math.log(4)))
    z = g.sample(seeded(), "independent")
    assert z.mean().item() == pytest.approx(3, abs=0.05)
    assert z.std().item() == pytest.approx(2, abs=0.05)
    assert abs(torch.corrcoef(z.T)[0, 1].item()) < 0.03


def test_blocks_are_split_and_joined():
    g = gaussian()
    small, large = g.split([2, 5])
    assert torch.equal(small.mean, g.mean[:, :2])
    assert torch.equal(large.log_variance, g.log_variance[:, 2:])
    assert torch.equal(joined([small, large]).log_variance, g.log_variance)
    assert torch.equal(g.rows(torch.tensor([3, 0])).mean, g.mean[[3, 0]])


@pytest.mark.parametrize("hidden", [0, 11])
def test_the_encoder_is_linear_heads_after_one_layer_or_none(hidden):
    encoder = GaussianEncoder(3, hidden, LATENT).apply(start_small).double()
    x = torch.randn(BATCH, 3, generator=seeded(), dtype=torch.float64)
    body = x
    if hidden:
        layer = encoder.body[0]
        body = (x @ layer.weight.T).clamp(min=0)
    torch.testing.assert_close(encoder(x).mean, body @ encoder.mean.weight.T)
    torch.testing.assert_close(encoder(x).log_variance, body @ encoder.log_variance.weight.T)


def test_layers_start_within_half_of_xaviers_bound():
    layer = nn.Linear(31, 37).apply(start_small)
    bound = 0.5 * math.sqrt(6 / (31 + 37))
    assert 0.95 * bound < layer.weight.abs().max().item() <= bound
    assert (layer.bias == 0).all()
