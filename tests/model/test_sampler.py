"""Eq. 11-13 against plain loops; the joint prompts."""

import math

import numpy as np
import pytest
import torch
from constant_text import FEATURE_WIDTH, JOINTS, TEXT_WIDTH

from scople.base.seeding import seeded
from scople.model.sampler import Sampler, attention_weights
from scople.model.skeleton_prompts import SkeletonPrompts

SAMPLES, CANDIDATES, WIDTH = 2, 23, 13


def sampler(**changes) -> Sampler:
    settings = {
        "text_width": TEXT_WIDTH,
        "feature_width": FEATURE_WIDTH,
        "sampler_width": WIDTH,
        "representation_width": 17,
        "sampler_query": "raw",
        "sampler_bias": False,
    }
    with seeded(1, "sampler"):
        return Sampler(**(settings | changes)).double()


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64)


def weights_by_loops(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Eq. 13, one number at a time; `queries` of one sample."""
    weights = np.empty((len(keys), len(queries), keys.shape[1]))
    for b, tokens in enumerate(keys):
        for k, query in enumerate(queries):
            products = [sum(q * t for q, t in zip(query, token, strict=True)) for token in tokens]
            powers = [math.exp(product / math.sqrt(len(query))) for product in products]
            for j, power in enumerate(powers):
                weights[b, k, j] = power / sum(powers)
    return weights


def test_attention_weights_are_equation_13():
    queries, keys = random(CANDIDATES, WIDTH), random(SAMPLES, JOINTS, WIDTH)
    np.testing.assert_allclose(
        attention_weights(queries, keys), weights_by_loops(queries.numpy(), keys.numpy()), atol=1e-12
    )


def test_each_sample_may_bring_its_own_candidates():
    model, tokens, text = sampler(), random(SAMPLES, JOINTS, FEATURE_WIDTH), random(SAMPLES, CANDIDATES, TEXT_WIDTH)
    apart = [model(tokens[b : b + 1], text[b]) for b in range(SAMPLES)]
    torch.testing.assert_close(model(tokens, text), torch.cat(apart))


@pytest.mark.parametrize("query", ["raw", "unit"])
def test_sampler_is_equations_11_to_13(query):
    model, tokens, text = sampler(sampler_query=query), random(SAMPLES, JOINTS, FEATURE_WIDTH), random(3, TEXT_WIDTH)
    rows = text.numpy()
    if query == "unit":
        rows = np.stack([row / math.sqrt(sum(entry**2 for entry in row)) for row in rows])
    expected = weights_by_loops(
        rows @ model.query.weight.detach().numpy().T, tokens.numpy() @ model.key.weight.detach().numpy().T
    )
    np.testing.assert_allclose(model(tokens, text).detach(), expected, atol=1e-12)


def test_biases_only_where_asked_for():
    assert [name for name, _ in sampler().named_parameters()] == ["query.weight", "key.weight", "value.weight"]
    assert len(list(sampler(sampler_bias=True).parameters())) == 6


def test_prompts_stand_before_the_joints():
    features = random(SAMPLES, JOINTS, FEATURE_WIDTH).float()
    with seeded(1, "prompts"):
        prompts = SkeletonPrompts(joint_prompts=3, feature_width=FEATURE_WIDTH, joint_prompt_std=1.0)
    tokens = prompts(features)
    for sample, row in zip(features, tokens, strict=True):
        torch.testing.assert_close(row[:3], prompts.prompts, rtol=0, atol=0)
        torch.testing.assert_close(row[3:], sample, rtol=0, atol=0)


def test_no_prompts_leave_the_joints_alone():
    features = random(SAMPLES, JOINTS, FEATURE_WIDTH).float()
    prompts = SkeletonPrompts(joint_prompts=0, feature_width=FEATURE_WIDTH, joint_prompt_std=1.0)
    torch.testing.assert_close(prompts(features), features, rtol=0, atol=0)


@pytest.mark.parametrize("std", [1.0, 0.02])
def test_prompts_start_with_the_stated_deviation(std):
    with seeded(1, "prompts"):
        prompts = SkeletonPrompts(joint_prompts=97, feature_width=101, joint_prompt_std=std).prompts
    assert prompts.std().item() == pytest.approx(std, rel=0.03)
    assert abs(prompts.mean().item()) < 0.03 * std
