"""Mean attention of a class is over its own samples with its own text, one batch at a time."""

import numpy as np
import pytest
import torch
from bare_scople import wrapped
from constant_text import FEATURE_WIDTH, JOINTS, ConstantText, build, names

from scople.data.joints import JOINT_NAMES
from scople.judging.attention import attention_by_class, attention_table
from scople.methods.method import ClassTexts
from scople.methods.ridge import Ridge, RidgeSettings
from scople.methods.sizes import Sizes

CLASSES, SAMPLES = 3, 23
CPU = torch.device("cpu")


def problem(**changes):
    generator = np.random.default_rng(1)
    features = generator.normal(size=(SAMPLES, JOINTS, FEATURE_WIDTH)).astype(np.float32)
    return build(ConstantText.random(names(CLASSES)), **changes), features, generator.integers(CLASSES, size=SAMPLES)


def attend(model, features, targets):
    texts = ClassTexts(tuple(names(CLASSES)), {})
    return attention_by_class(wrapped(model), features[:, None], targets, texts, batch_size=5, device=CPU, seed=1)


def test_a_method_that_tells_no_attention_has_none():
    method = Ridge(RidgeSettings(), Sizes(FEATURE_WIDTH, 2, CLASSES))
    _, features, targets = problem()
    texts = ClassTexts(tuple(names(CLASSES)), {})
    got = attention_by_class(method, features[:, None], targets, texts, batch_size=5, device=CPU, seed=1)
    assert got.shape == (CLASSES, JOINTS)
    assert np.isnan(got).all()


def test_mean_is_over_own_samples_with_own_text():
    model, features, targets = problem()
    got = attend(model, features, targets)
    with torch.no_grad():
        text = model.embed_text(model.text.tokenize(names(CLASSES)))
        everything = model.attention(torch.tensor(features), text).numpy()
    for k in range(CLASSES):
        own = [everything[n, k] for n in range(SAMPLES) if targets[n] == k]
        np.testing.assert_allclose(got[k], np.mean(own, axis=0), rtol=1e-5)
    assert np.ptp(got, axis=0).max() > 1e-3  # the classes do look at different tokens
    np.testing.assert_allclose(got.sum(axis=1), 1, rtol=1e-5)


def test_a_batch_of_attention_at_most_is_held(monkeypatch):
    model, features, targets = problem()
    asked, attention = [], model.attention

    def watched(part, text):
        asked.append((len(part), len(text)))
        return attention(part, text)

    monkeypatch.setattr(model, "attention", watched)
    attend(model, features, targets)
    assert max(samples for samples, _ in asked) <= 5
    assert {queries for _, queries in asked} == {1}
    assert sum(samples for samples, _ in asked) == SAMPLES


def test_a_class_without_samples_has_no_attention():
    model, features, targets = problem()
    got = attend(model, features, targets)
    few = attend(model, features[targets != 1], targets[targets != 1])
    assert np.isnan(few[1]).all()
    np.testing.assert_array_equal(few[[0, 2]], got[[0, 2]])


@pytest.mark.parametrize("joint_prompts", [0, 2])
def test_table_names_prompts_and_joints(joint_prompts):
    weights = np.random.default_rng(1).random((3, joint_prompts + len(JOINT_NAMES)))
    table = attention_table(weights, ["a", "b", "c"], np.array([False, False, True]))
    prompts = [f"prompt {k + 1}" for k in range(joint_prompts)]
    assert list(table) == ["label", "is_unseen", *prompts, *JOINT_NAMES]
    assert table["label"].tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(table.drop(columns=["label", "is_unseen"]), weights)
