"""The control: closed forms against loops."""

import numpy as np
import pytest
import torch
from each_method import noise, texts

from scople.base.seeding import numpy_generator
from scople.methods.fitting import fit, score
from scople.methods.method import ClassTexts
from scople.methods.ridge import PENALTIES, Ridge, RidgeSettings, left_out_error
from scople.methods.sizes import Sizes

D, E, K = 7, 11, 5
CPU = torch.device("cpu")


def fitted(features, targets, candidates):
    method = Ridge(RidgeSettings(), Sizes(features.shape[-1], E, len(candidates)))
    assert fit(method, RidgeSettings().recipe(), features, targets, candidates, seed=1, device=CPU) == []
    return method


def regression(text, means, penalty):
    """The solution of the normal equations, with the texts' width in place of their number."""
    text_mean, mean = text.mean(axis=0), means.mean(axis=0)
    centred = text - text_mean
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(text.shape[1]), centred.T @ (means - mean))
    return lambda row: mean + (row - text_mean) @ weights


def problem():
    generator = numpy_generator(1, "ridge")
    return generator.normal(size=(K, E)), generator.normal(size=(K, D))


@pytest.mark.parametrize("penalty", [0.01, 1.0, 100.0])
def test_the_error_without_each_class_in_turn(penalty):
    text, means = problem()
    expected = 0.0
    for k in range(K):
        others = np.arange(K) != k
        expected += np.square(means[k] - regression(text[others], means[others], penalty)(text[k])).sum()
    centred = text - text.mean(axis=0), means - means.mean(axis=0)
    assert left_out_error(*centred, penalty) == pytest.approx(expected)


def test_scores_are_gaussians_around_the_means_of_the_regression():
    features, targets = noise(1)
    candidates = texts()
    scores = score(fitted(features, targets, candidates), features, texts(3, 11), batch_size=7, device=CPU, seed=1)
    samples = features[:, 0].mean(axis=1, dtype=np.float64)
    means = np.stack([samples[targets == k].mean(axis=0) for k in range(K)])
    text = candidates.fields["name"].double().numpy()
    centred = text - text.mean(axis=0), means - means.mean(axis=0)
    penalty = PENALTIES[int(np.argmin([left_out_error(*centred, each) for each in PENALTIES]))]
    predict = regression(text, means, penalty)
    variance = np.square(samples - means[targets]).mean()
    for k, row in enumerate(texts(3, 11).fields["name"].double().numpy()):
        expected = -np.square(samples - predict(row)).sum(axis=1) / (2 * variance)
        np.testing.assert_allclose(scores[:, k], expected, rtol=1e-5)


def test_a_seen_class_without_samples_says_nothing():
    features, targets = noise(1)
    targets[targets == 2] = 3
    with_it = fitted(features, targets, texts())
    without = texts().rows([0, 1, 3, 4])
    assert torch.equal(with_it.weights, fitted(features, np.array([0, 1, 9, 2, 3])[targets], without).weights)


def test_unseen_classes_are_recognised_where_texts_tell_means():
    generator = numpy_generator(1, "linear")
    text = generator.normal(size=(31 + 7, E))
    text /= np.linalg.norm(text, axis=1, keepdims=True)
    means = text @ generator.normal(size=(E, D)) * 5
    targets = np.repeat(np.arange(38), 3)
    features = (means[targets] + 0.1 * generator.normal(size=(len(targets), D)))[:, None, None].astype(np.float32)
    both = ClassTexts(tuple(map(str, range(38))), {"name": torch.tensor(text, dtype=torch.float32)})
    is_seen = targets < 31
    method = fitted(features[is_seen], targets[is_seen], both.rows(list(range(31))))
    scores = score(method, features[~is_seen], both.rows(list(range(31, 38))), batch_size=97, device=CPU, seed=1)
    assert (scores.argmax(axis=1) + 31 == targets[~is_seen]).all()


def test_samples_without_scatter_give_finite_scores():
    features, targets = noise(1)
    features[:] = 0.5
    scores = score(fitted(features, targets, texts()), features + 1e-12, texts(), batch_size=7, device=CPU, seed=1)
    assert np.isfinite(scores).all()
