"""The loop: what it steps, when, at which rate, and what it refuses."""

import inspect
import math

import numpy as np
import pytest
import torch
from each_method import D, K, N, noise, texts
from torch import nn

from scople.base.errors import ScopleError
from scople.methods.fitting import fit, score
from scople.methods.method import Method, Samples, Update
from scople.methods.recipe import Recipe, constant

CPU = torch.device("cpu")


class TwoGroups(Method):
    """A model, and every third step before it a critic; both write down what they are told."""

    intervals = 2

    def __init__(self):
        super().__init__()
        self.weight, self.critic = nn.Parameter(torch.zeros(D)), nn.Parameter(torch.zeros(()))
        self.seen, self.drawn, self.critics = [], [], []
        self.begun = 0

    def groups(self):
        return {"model": [{"params": [self.weight]}], "critic": [{"params": [self.critic]}]}

    def begin(self, samples, texts):
        assert samples.features.shape == (N, 2, 25, D)
        self.begun += 1

    def updates(self, samples, texts, at, generator):
        assert self.training
        self.seen.append((at.step, at.steps, at.epoch, at.epochs, len(samples.targets), len(texts)))
        self.drawn.append(torch.rand((), generator=generator).item())
        if at.step % 3 == 0:
            yield Update("critic", self.critic + 0.0 * self.weight.sum())
        self.critics.append(self.critic.item())
        loss = samples.targets.double().mean().float() + 0 * self.weight.sum()
        yield Update("model", loss, {"size": torch.tensor(2.0)})

    def scores(self, features, candidates):
        return features.mean(dim=(1, 2, 3), keepdim=False).unsqueeze(1) * torch.arange(1.0, len(candidates) + 1)


def run(method, **changes):
    features, targets = noise(2)
    recipe = Recipe(**({"batch_size": 19, "epochs": 2, "rate": constant(0.5), "optimiser": "sgd"} | changes))
    return fit(method, recipe, features, targets, texts(), seed=1, device=CPU)


def test_a_training_is_told_of_no_other_texts_than_those_of_the_seen_classes():
    told = list(inspect.signature(fit).parameters)
    assert told == ["method", "recipe", "features", "targets", "texts", "seed", "device", "checkpoint"]


def test_every_update_is_stepped_before_the_next_is_computed():
    method = TwoGroups()
    history = run(method)
    assert method.begun == 1
    assert method.seen == [(step, 6, step // 3, 2, (19, 19, 15)[step % 3], K) for step in range(6)]
    assert method.critics == [-0.5] * 3 + [-1.0] * 3  # the model sees the critic after its step
    assert len(set(method.drawn)) == 6
    _, targets = noise(2)
    assert [row["epoch"] for row in history] == [1, 2]
    assert history[0]["loss"] == pytest.approx(targets.mean(), rel=1e-6)
    assert history[0]["size"] == 2
    assert [row["critic_loss"] for row in history] == [0.0, -0.5]


def test_a_group_that_was_not_stepped_has_no_mean():
    assert "critic_loss" not in run(TwoGroups(), epochs=0, steps=4, batch_size=53)[1]


def test_the_rate_is_that_of_the_step():
    method = TwoGroups()
    run(method, rate=lambda at: float(at.step == 3))
    assert method.critics == [0.0] * 3 + [-1.0] * 3


def test_another_number_of_intervals_is_refused():
    features, targets = noise(3)
    with pytest.raises(ScopleError, match="3 intervals of time, but TwoGroups reads 2"):
        fit(TwoGroups(), Recipe(batch_size=7), features, targets, texts(), seed=1, device=CPU)


def test_a_loss_that_is_not_finite_is_one_sentence():
    class Breaks(TwoGroups):
        def updates(self, samples, texts, at, generator):
            yield Update("critic", self.critic + math.nan)

    with pytest.raises(ScopleError, match=r"The training's critic_loss is nan in epoch 1 at learning rate 0.5: lower"):
        run(Breaks())


def test_weights_that_the_last_update_spoils_are_refused():
    class Breaks(TwoGroups):
        def updates(self, samples, texts, at, generator):
            yield Update("model", 3e38 * self.weight.sum())

    with pytest.raises(
        ScopleError, match="weight of the method is not finite after epoch 1 at learning rate 9.0: lower"
    ):
        run(Breaks(), rate=constant(9.0), epochs=1, batch_size=53)


def test_scores_are_made_in_batches_and_refused_when_not_finite():
    features, _ = noise(2)
    scores = score(TwoGroups(), features, texts(), batch_size=7, device=CPU, seed=1)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores[:, 2], 3 * features.mean(axis=(1, 2, 3)), rtol=1e-5)
    features[[3, 8]] = np.nan
    with pytest.raises(ScopleError, match="scores of 2 of 53 samples are not finite"):
        score(TwoGroups(), features, texts(), batch_size=7, device=CPU, seed=1)


def test_candidates_are_prepared_in_eval_mode_with_gradients_and_training_samples():
    class Prepares(TwoGroups):
        def prepare(self, texts, generator, samples=None):
            assert not self.training
            assert torch.is_grad_enabled()
            assert samples.targets.tolist() == [2, 0]
            return torch.rand(len(texts), generator=generator)

        def scores(self, features, candidates):
            assert not torch.is_grad_enabled()
            return candidates.expand(len(features), -1)

    features, _ = noise(2)
    samples = Samples(torch.tensor(features[:2]), torch.tensor([2, 0]))
    first, second, other = (
        score(Prepares(), features, texts(), batch_size=7, device=CPU, seed=seed, samples=samples) for seed in (1, 1, 2)
    )
    assert first.tobytes() == second.tobytes() != other.tobytes()
