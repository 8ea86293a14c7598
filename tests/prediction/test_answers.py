"""Labels best first."""

import numpy as np
import pytest

from scople.prediction.answers import Answer


def test_probabilities_are_the_softmax_best_first():
    scores = np.array([1.0, 3.0, -2.0], np.float32)
    answer = Answer.of(["a", "b", "c"], scores, is_seen=False)
    shares = {name: np.exp(score) for name, score in zip("abc", scores.astype(float), strict=True)}
    assert answer.labels == ("b", "a", "c")
    assert answer.scores.tolist() == [3.0, 1.0, -2.0]
    expected = [shares[name] / sum(shares.values()) for name in "bac"]
    np.testing.assert_allclose(answer.probabilities, expected, rtol=1e-12)
    assert answer.probabilities.sum() == pytest.approx(1, abs=1e-15)
    assert (answer.best, answer.margin, answer.chance) == ("b", expected[0] - expected[1], 1 / 3)


def test_of_equal_scores_the_first_is_best_as_with_argmax():
    scores = np.array([1, 2, 2], np.float32)
    answer = Answer.of(["a", "b", "c"], scores, is_seen=True)
    assert answer.labels[0] == "abc"[scores.argmax()]
    assert answer.margin == 0


def test_large_logits_do_not_overflow():
    answer = Answer.of(["a", "b"], np.array([-2000.0, 2000.0], np.float32), is_seen=False)
    assert answer.probabilities.tolist() == [1.0, 0.0]
