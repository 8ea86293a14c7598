"""The training logits and both terms against plain loops."""

import math

import numpy as np
import pytest
import torch
from constant_text import FEATURE_WIDTH, JOINTS, ConstantText, build, names

from scople.model.losses import skeleton_to_text, text_to_skeleton, training_logits, weighted

SAMPLES, CLASSES = 13, 5
TARGETS = torch.tensor([0, 3, 3, 0, 4, 3, 0, 3, 4, 0, 0, 3, 4])  # classes 1 and 2 are absent


def random_logits() -> torch.Tensor:
    return 3 * torch.randn(SAMPLES, CLASSES, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def problem(**changes):
    model = build(ConstantText.random(names(CLASSES)), **changes).double()
    features = torch.randn(
        SAMPLES, JOINTS, FEATURE_WIDTH, generator=torch.Generator().manual_seed(2), dtype=torch.float64
    )
    return model, features, model.text.table.detach()


def test_skeleton_to_text_by_loops():
    logits = random_logits().numpy()
    total = 0.0
    for row, target in zip(logits, TARGETS.tolist(), strict=True):
        total -= row[target] - math.log(sum(math.exp(value) for value in row))
    assert skeleton_to_text(random_logits(), TARGETS).item() == pytest.approx(total / SAMPLES, rel=1e-12)


def test_text_to_skeleton_by_loops():
    logits = random_logits().numpy()
    terms = []
    for column in range(CLASSES):
        members = [i for i in range(SAMPLES) if TARGETS[i] == column]
        if members:
            log_sum = math.log(sum(math.exp(logits[i, column]) for i in range(SAMPLES)))
            terms.append(-sum(logits[i, column] - log_sum for i in members) / len(members))
    assert len(terms) == 3
    assert text_to_skeleton(random_logits(), TARGETS).item() == pytest.approx(np.mean(terms), rel=1e-12)


def test_terms_are_the_log_of_the_choices_where_nothing_is_known():
    logits = torch.zeros(SAMPLES, CLASSES)
    assert skeleton_to_text(logits, TARGETS).item() == pytest.approx(math.log(CLASSES), rel=1e-6)
    assert text_to_skeleton(logits, TARGETS).item() == pytest.approx(math.log(SAMPLES), rel=1e-6)


def test_text_weight_is_the_weight_of_the_second_term():
    assert weighted(torch.tensor(2.0), torch.tensor(7.0), 0.3).item() == pytest.approx(0.7 * 2 + 0.3 * 7)


def test_candidate_logits_are_what_testing_computes():
    model, features, text = problem()
    logits, columns = training_logits(model, features, text, TARGETS, "candidate")
    torch.testing.assert_close(logits, model.class_scores(features, text), rtol=0, atol=0)
    assert columns is TARGETS


@pytest.mark.parametrize("sampler", [True, False])
def test_own_logits_are_equations_15_and_16_pair_by_pair(sampler):
    model, features, text = problem(sampler=sampler)
    logits, columns = training_logits(model, features, text, TARGETS, "own")
    expected = torch.empty(SAMPLES, SAMPLES, dtype=torch.float64)
    for i in range(SAMPLES):
        skeleton = model.embed_skeletons(features[i : i + 1], text[TARGETS[i]][None])[0, 0]
        for j in range(SAMPLES):
            other = text[TARGETS[j]]
            expected[i, j] = skeleton @ other / (skeleton.norm() * other.norm()) / 0.07
    torch.testing.assert_close(logits, expected, rtol=1e-6, atol=1e-6)  # the scale starts as a float32
    assert columns.tolist() == list(range(SAMPLES))


def test_own_terms_are_plain_cross_entropies_over_the_pairs():
    model, features, text = problem()
    logits, columns = training_logits(model, features, text, TARGETS, "own")
    pairs = torch.arange(SAMPLES)
    cross_entropy = torch.nn.functional.cross_entropy
    torch.testing.assert_close(skeleton_to_text(logits, columns), cross_entropy(logits, pairs))
    torch.testing.assert_close(text_to_skeleton(logits, columns), cross_entropy(logits.T, pairs))


@pytest.mark.parametrize("query", ["candidate", "own"])
def test_gradients_reach_every_parameter(query):
    model, features, _ = problem()
    text = model.text.table.detach().requires_grad_()
    logits, columns = training_logits(model, features, text, TARGETS, query)
    weighted(skeleton_to_text(logits, columns), text_to_skeleton(logits, columns), 0.5).backward()
    for name, parameter in [*model.named_parameters(), ("text", text)]:
        if name != "text.table":
            assert parameter.grad.abs().max() > 1e-9, name
