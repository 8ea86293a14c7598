"""The assembled model against the printed equations, and that no label can reach a score."""

import inspect
import math
import types

import numpy as np
import pytest
import torch
from constant_text import FEATURE_WIDTH, JOINTS, TEXT_WIDTH, ConstantText, build, names

import scople.methods.scople
import scople.model.projection
import scople.model.sampler
import scople.model.scople
import scople.model.skeleton_prompts
from scople.base.errors import ScopleError
from scople.model.scople import LARGEST_SCALE

SAMPLES, CLASSES = 2, 23


def problem(classes: int = CLASSES, **changes):
    model = build(ConstantText.random(names(classes)), **changes).double()
    generator = torch.Generator().manual_seed(3)
    features = torch.randn(SAMPLES, JOINTS, FEATURE_WIDTH, generator=generator, dtype=torch.float64)
    return model, features, model.text.table.detach()


def literal_scores(model, features, text) -> np.ndarray:
    """Eq. 11-14, 𝒱 and the cosine of eq. 17-18 for one sample and one candidate at a time, in their printed order."""
    matrices = {name: value.detach().numpy() for name, value in model.named_parameters()}
    scores = np.empty((len(features), len(text)))
    for b, joints in enumerate(features.numpy()):
        tokens = np.concatenate([matrices["skeleton_prompts.prompts"], joints])
        keys = tokens @ matrices["sampler.key.weight"].T + matrices.get("sampler.key.bias", 0)
        values = tokens @ matrices["sampler.value.weight"].T + matrices.get("sampler.value.bias", 0)
        for k, query in enumerate(text.numpy()):
            asked = query @ matrices["sampler.query.weight"].T + matrices.get("sampler.query.bias", 0)
            power = np.exp(asked @ keys.T / math.sqrt(13))
            sampled = power / power.sum() @ values
            hidden = sampled @ matrices["projection.inner.weight"].T + matrices["projection.inner.bias"]
            hidden = hidden / (1 + np.exp(-hidden))
            skeleton = np.tanh(hidden @ matrices["projection.last.weight"].T + matrices["projection.last.bias"])
            product = skeleton @ query
            if model.similarity == "cosine":
                product /= np.linalg.norm(skeleton) * np.linalg.norm(query)
            scores[b, k] = product * math.exp(matrices["logit_scale"])
    return scores


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize("bias", [False, True])
def test_class_scores_are_the_printed_equations(similarity, bias):
    model, features, text = problem(similarity=similarity, sampler_bias=bias)
    np.testing.assert_allclose(
        model.class_scores(features, text).detach(), literal_scores(model, features, text), rtol=1e-10
    )


def test_every_candidate_has_its_own_embedding():
    model, features, text = problem()
    skeletons = model.embed_skeletons(features, text)
    assert skeletons.shape == (SAMPLES, CLASSES, TEXT_WIDTH)
    assert skeletons.std(dim=1).min() > 1e-4


def test_candidates_of_each_sample_are_its_rows_among_common_candidates():
    model, features, text = problem()
    common = model.embed_skeletons(features, text)
    own = model.embed_skeletons(features, text[[4, 9], None])
    torch.testing.assert_close(own[:, 0], common[[0, 1], [4, 9]])


@pytest.mark.parametrize("joint_prompts", [0, 3])
def test_without_a_sampler_the_mean_token_is_projected(joint_prompts):
    model, features, text = problem(sampler=False, joint_prompts=joint_prompts)
    tokens = [torch.cat([model.skeleton_prompts.prompts, sample]) for sample in features]
    mean = torch.stack([sum(sample) / len(sample) for sample in tokens])
    skeletons = model.embed_skeletons(features, text)
    torch.testing.assert_close(skeletons, model.projection(mean[:, None]))
    expected = torch.cosine_similarity(skeletons, text, dim=-1) * model.logit_scale.exp()
    torch.testing.assert_close(model.class_scores(features, text), expected)


def test_without_prompts_and_sampler_the_order_of_the_joints_is_nothing():
    model, features, text = problem(sampler=False, joint_prompts=0)
    torch.testing.assert_close(model.class_scores(features.flip(1), text), model.class_scores(features, text))


def test_token_norm_makes_the_length_of_a_joint_feature_irrelevant():
    lengths = torch.arange(1.0, JOINTS + 1, dtype=torch.float64)[:, None]
    for token_norm in (True, False):
        model, features, text = problem(token_norm=token_norm)
        same = torch.allclose(model.class_scores(lengths * features, text), model.class_scores(features, text))
        assert same == token_norm


def test_attention_is_what_the_embeddings_are_made_with():
    model, features, text = problem()
    weights = model.attention(features, text)
    tokens = torch.stack([torch.cat([model.skeleton_prompts.prompts, sample]) for sample in features])
    sampled = torch.einsum("bkj,bjr->bkr", weights, model.sampler.value(tokens))
    torch.testing.assert_close(model.projection(sampled), model.embed_skeletons(features, text))


def test_attention_without_a_sampler_is_even():
    model, features, text = problem(sampler=False)
    weights = model.attention(features, text)
    torch.testing.assert_close(weights, torch.full_like(weights, 1 / 8))
    assert weights.shape == (SAMPLES, CLASSES, 3 + JOINTS)


@pytest.mark.parametrize("sampler", [True, False])
def test_permuting_the_candidates_permutes_the_columns_and_nothing_else(sampler):
    model, features, text = problem(sampler=sampler)
    order = torch.randperm(CLASSES, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        model.class_scores(features, text[order]), model.class_scores(features, text)[:, order], rtol=1e-12, atol=1e-12
    )


def test_a_class_score_does_not_depend_on_the_other_candidates():
    model, features, text = problem()
    alone = torch.cat([model.class_scores(features, text[k : k + 1]) for k in range(CLASSES)], dim=1)
    torch.testing.assert_close(model.class_scores(features, text), alone, rtol=1e-12, atol=1e-12)


def test_nothing_that_scores_takes_a_label():
    modules = [scople.model.scople, scople.model.sampler, scople.model.projection, scople.model.skeleton_prompts]
    functions = [scople.methods.scople.Scople.scores]
    for module in modules:
        for thing in vars(module).values():
            if getattr(thing, "__module__", None) == module.__name__:
                parts = vars(thing).values() if inspect.isclass(thing) else [thing]
                functions += [part for part in parts if isinstance(part, types.FunctionType)]
    assert len(functions) > 10
    for function in functions:
        for name in inspect.signature(function).parameters:
            assert not any(word in name for word in ("label", "target", "truth", "class_id")), (function, name)


def test_temperature_is_bounded_as_in_clip():
    model, features, text = problem(temperature=0.01)
    with torch.no_grad():
        model.logit_scale.add_(1.0)
    model.bound_temperature()
    assert model.logit_scale.exp().item() == pytest.approx(LARGEST_SCALE, rel=1e-6)
    with pytest.raises(ScopleError, match=r"temperature is 0.001, but must be at least 0.01"):
        problem(temperature=0.001)


def test_a_fixed_temperature_does_not_train():
    assert not problem(learn_temperature=False)[0].logit_scale.requires_grad


def test_the_same_seed_starts_the_same():
    first, second = (build(ConstantText.random(names(3)), seed=5).state_dict() for _ in range(2))
    other = build(ConstantText.random(names(3)), seed=6).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["projection.inner.weight"], other["projection.inner.weight"])
