"""Metrics against scikit-learn, worked cases and the bound U <= ZSL."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import accuracy_score, recall_score

from scople.base.errors import ScopleError
from scople.judging.gates import apply_gate
from scople.judging.metrics import accuracy, gzsl_metrics, harmonic_mean, per_class_accuracy, zsl_accuracy

NOBODY = np.empty(0, dtype=np.int64)


def test_accuracies_agree_with_scikit_learn():
    generator = np.random.default_rng(1)
    targets = generator.integers(7, size=211)
    predicted = np.where(generator.random(211) < 0.6, targets, generator.integers(7, size=211))
    assert accuracy(predicted, targets) == pytest.approx(100 * accuracy_score(targets, predicted))
    np.testing.assert_allclose(
        per_class_accuracy(predicted, targets, 7), 100 * recall_score(targets, predicted, average=None)
    )


def test_no_samples_have_no_accuracy():
    for measured in (lambda: accuracy(NOBODY, NOBODY), lambda: zsl_accuracy(np.empty((0, 3)), NOBODY)):
        with pytest.raises(ScopleError, match="0 samples, but needs at least 1"):
            measured()
    np.testing.assert_array_equal(
        per_class_accuracy(np.array([0, 2, 0]), np.array([0, 0, 2]), 4), [50, np.nan, 0, np.nan]
    )


@pytest.mark.parametrize(
    ("seen", "unseen", "expected"),
    [(60.0, 30.0, 40.0), (50.0, 50.0, 50.0), (0.0, 80.0, 0.0), (0.0, 0.0, 0.0), (float("nan"), 10.0, float("nan"))],
)
def test_harmonic_mean_by_hand(seen, unseen, expected):
    assert harmonic_mean(seen, unseen) == pytest.approx(expected, nan_ok=True)


def test_harmonic_mean_of_arrays_is_that_of_their_entries():
    np.testing.assert_allclose(harmonic_mean(np.array([60.0, 0.0]), np.array([30.0, 0.0])), [40.0, 0.0])


def test_gzsl_metrics_by_hand():
    metrics = gzsl_metrics(
        unseen_scores=np.array([[9, 1, 1], [1, 9, 1], [1, 9, 1], [9, 1, 1], [9, 1, 1]], dtype=np.float32),
        predicted_unseen=np.array([True, True, False, False, True]),
        predicted_targets=np.array([0, 1, 1, 4, 0]),
        is_unseen=np.array([True, True, True, False, False]),
        targets=np.array([0, 2, 1, 4, 0]),
    )
    # Sample 1 is the wrong unseen class; samples 2 and 4 have the right row on the wrong side of the gate.
    assert metrics["zsl"] == pytest.approx(200 / 3)
    assert metrics["unseen"] == pytest.approx(100 / 3)
    assert metrics["seen"] == pytest.approx(50)
    assert metrics["harmonic"] == pytest.approx(40)


@pytest.mark.parametrize(
    ("score", "is_unseen", "reason"),
    [(2.0, [True, True], "0 samples"), (2.0, [False, False], "0 samples"), (np.nan, [True, False], "not all finite")],
)
def test_no_metric_is_made_of_nothing(score, is_unseen, reason):
    with pytest.raises(ScopleError, match=reason):
        gzsl_metrics(
            unseen_scores=np.array([[score, 1.0], [2.0, 1.0]]),
            predicted_unseen=np.array([True, True]),
            predicted_targets=np.array([0, 0]),
            is_unseen=np.array(is_unseen),
            targets=np.array([0, 0]),
        )


def test_unseen_above_zsl_is_refused():
    # The published cells with U > ZSL come about like this: the gated answer is not made from the scores of ZSL.
    with pytest.raises(ScopleError, match=r"U is 66\.67 % and ZSL 33\.33 %, but .* predict from the scores"):
        gzsl_metrics(
            unseen_scores=np.array([[2.0, 1.0], [2.0, 1.0], [2.0, 1.0], [1.0, 2.0]]),
            predicted_unseen=np.array([True, True, True, False]),
            predicted_targets=np.array([0, 1, 0, 1]),
            is_unseen=np.array([True, True, True, False]),
            targets=np.array([0, 1, 1, 1]),
        )


@st.composite
def gzsl_problems(draw):
    samples, seen, unseen = (draw(st.integers(least, most)) for least, most in ((2, 23), (1, 7), (1, 5)))
    # Whole numbers, so that scores tie.
    scores = st.integers(-4, 4).map(float)
    is_unseen = draw(arrays(bool, samples).filter(lambda drawn: 0 < drawn.sum() < len(drawn)))
    drawn = draw(arrays(np.int64, samples, elements=st.integers(0, 34)))
    return {
        "seen_scores": draw(arrays(np.float32, (samples, seen), elements=scores)),
        "unseen_scores": draw(arrays(np.float32, (samples, unseen), elements=scores)),
        "is_unseen": is_unseen,
        "targets": np.where(is_unseen, drawn % unseen, drawn % seen),
    }


@settings(max_examples=150, derandomize=True, deadline=None)
@given(gzsl_problems(), st.sampled_from(["entropy", "stacking", "none"]), st.floats(-9, 9))
def test_unseen_never_exceeds_zsl(problem, gate, threshold):
    predicted = apply_gate(gate, problem["seen_scores"], problem["unseen_scores"], threshold)
    metrics = gzsl_metrics(
        unseen_scores=problem["unseen_scores"],
        predicted_unseen=predicted.is_unseen,
        predicted_targets=predicted.targets,
        is_unseen=problem["is_unseen"],
        targets=problem["targets"],
    )
    assert not metrics["unseen"] > metrics["zsl"]
    low, high = sorted((metrics["seen"], metrics["unseen"]))
    assert low - 1e-9 <= metrics["harmonic"] <= min(2 * low, high) + 1e-9
