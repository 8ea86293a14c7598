"""The latent classifier: what it separates, what its columns are, what it depends on."""

import pytest
import torch

from scople.base.errors import ScopleError
from scople.methods.experts import Expert, ExpertSettings, fit_expert
from scople.methods.gaussian import Gaussian

LATENT = 3
QUICK = ExpertSettings(expert_samples=11, expert_steps=50, expert_rate=0.05)


def points(*means: list[float]) -> Gaussian:
    """Gaussians with no variance."""
    mean = torch.tensor(means)
    return Gaussian(mean, torch.full_like(mean, -torch.inf))


def fit(posterior, targets, names, settings=QUICK) -> Expert:
    blocks = posterior if isinstance(posterior, list) else [posterior]
    generator = torch.Generator().manual_seed(5)
    options = {"samples": settings.expert_samples, "settings": settings, "generator": generator}
    return fit_expert(blocks, torch.tensor(targets), names, **options)


def test_two_points_are_separated_and_columns_follow_the_classes():
    ends = points([1.0, 0.0, 0.0], [-1.0, 0.0, 0.0])
    scores = fit(ends, [0, 1], ["b", "a"]).scores(ends.mean)
    assert scores.argmax(dim=1).tolist() == [0, 1]
    assert scores.diagonal().exp().min().item() > 0.9


def test_scores_are_log_probabilities_of_the_linear_layer():
    weight, bias = torch.tensor([[1.0, 2.0, 3.0], [0.0, -1.0, 1.0]]), torch.tensor([0.5, -4.0])
    z = torch.tensor([[1.0, 1.0, 1.0]])
    plain, cut = (Expert(weight, bias, relu).scores(z)[0] for relu in (False, True))
    torch.testing.assert_close(plain, torch.tensor([6.5, -4.0]).log_softmax(dim=0))
    torch.testing.assert_close(cut, torch.tensor([6.5, 0.0]).log_softmax(dim=0))


@pytest.mark.parametrize("relu", [False, True])
def test_the_order_of_the_candidates_moves_columns_and_nothing_else(relu):
    generator = torch.Generator().manual_seed(1)
    g = Gaussian(*(torch.randn(4, LATENT, generator=generator) for _ in range(2)))
    names, order = ["d", "a", "c", "b"], [2, 3, 1, 0]
    settings = ExpertSettings(expert_samples=11, expert_steps=20, expert_rate=0.05, expert_relu=relu)
    first = fit(g, [0, 1, 2, 3], names, settings)
    second = fit(g.rows(torch.tensor(order)), [0, 1, 2, 3], [names[k] for k in order], settings)
    assert torch.equal(second.weight, first.weight[order])
    assert torch.equal(second.bias, first.bias[order])


def test_it_is_what_adam_makes_of_the_cross_entropy_of_points():
    g = points([1.0, 2.0, 0.5], [-1.0, 0.3, 0.2])
    settings = ExpertSettings(expert_samples=1, expert_steps=3, expert_rate=0.01)
    expert = fit(g, [0, 1], ["a", "b"], settings)
    weight = torch.empty(2, LATENT)
    generator = torch.Generator().manual_seed(5)
    for _ in range(2):  # the choice of an input of each class
        torch.randint(1, (1,), generator=generator)
    torch.randn((2, 1), generator=generator)  # the noise
    torch.nn.init.xavier_uniform_(weight, gain=0.5, generator=generator)
    weight, bias = weight.double(), torch.zeros(2, dtype=torch.float64)
    moments = [[torch.zeros_like(p), torch.zeros_like(p)] for p in (weight, bias)]
    for step in range(1, 4):
        probabilities = (g.mean.double() @ weight.T + bias).softmax(dim=1)
        slope = (probabilities - torch.eye(2, dtype=torch.float64)) / 2
        for p, gradient, (m, v) in zip(
            (weight, bias), (slope.T @ g.mean.double(), slope.sum(dim=0)), moments, strict=True
        ):
            m.mul_(0.9).add_(0.1 * gradient)
            v.mul_(0.999).add_(0.001 * gradient**2)
            p -= 0.01 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)) ** 0.5 + 1e-8)
    torch.testing.assert_close(expert.weight.double(), weight, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(expert.bias.double(), bias, rtol=1e-4, atol=1e-5)


def test_samples_of_a_class_come_from_its_own_inputs():
    """Two inputs of class 0 lie on both sides of class 1: a classifier of the means alone could not exist."""
    g = points([4.0, 4.0, 0.0], [-4.0, 4.0, 0.0], [0.0, -4.0, 0.0])
    expert = fit(g, [0, 0, 1], ["a", "b"], ExpertSettings(expert_samples=23, expert_steps=200, expert_rate=0.05))
    assert expert.scores(g.mean).argmax(dim=1).tolist() == [0, 0, 1]


def test_blocks_have_noise_of_their_own():
    drawn = []

    class Spy(Gaussian):
        def sample(self, generator, noise):
            drawn.append(super().sample(generator, noise))
            return drawn[-1]

        def rows(self, rows):
            return Spy(self.mean[rows], self.log_variance[rows])

    blocks = [Spy(torch.zeros(2, 1), torch.zeros(2, 1)) for _ in range(2)]
    fit(blocks, [0, 1], ["a", "b"])
    noun, verb = drawn
    assert not torch.allclose(noun, verb)


def test_the_fit_needs_no_gradients_to_be_on_and_leaves_none():
    leaf = torch.randn(2, LATENT, generator=torch.Generator().manual_seed(1)).requires_grad_()
    with torch.no_grad():
        expert = fit(Gaussian(leaf, leaf), [0, 1], ["a", "b"])
    assert leaf.grad is None
    assert not expert.weight.requires_grad


def test_the_same_generator_gives_the_same_bytes():
    g = points([1.0, 2.0, 0.5], [-1.0, 0.3, 0.2])
    assert torch.equal(fit(g, [0, 1], ["a", "b"]).weight, fit(g, [0, 1], ["a", "b"]).weight)


def test_no_latents_are_refused():
    with pytest.raises(ScopleError, match="0 latents of each class: draw at least 1"):
        fit(points([1.0, 0.0, 0.0]), [0], ["a"], ExpertSettings(expert_samples=0))


def test_a_class_without_samples_is_refused():
    with pytest.raises(ScopleError, match="'b' has no training sample .* at least 1"):
        fit(points([1.0, 0.0, 0.0]), [0], ["a", "b"])
