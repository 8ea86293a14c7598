"""Gates by their definition, thresholds against trying them all, and what a threshold may be chosen on."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy

from scople.base.errors import ScopleError
from scople.data.joint_features import TestFeatures, TrainingFeatures
from scople.data.splits import Split
from scople.judging.gates import (
    PseudoUnseenScores,
    apply_gate,
    choose_threshold,
    highest_harmonic,
    hold_out,
    log_shares,
    unseenness,
)
from scople.judging.metrics import gzsl_metrics

SPLIT = Split(name="toy_5_2", seen=(0, 2, 3, 5, 6), unseen=(1, 4), pseudo_unseen=(2, 6))


def random_scores(samples: int = 53) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(2)
    return (5 * generator.normal(size=(samples, k)).astype(np.float32) for k in (7, 3))


def softmax(scores: np.ndarray) -> np.ndarray:
    powers = np.exp(scores.astype(np.float64))
    return powers / powers.sum(axis=1, keepdims=True)


def test_entropy_gate_is_the_entropy_of_the_seen_softmax():
    seen, unseen = random_scores()
    values = unseenness("entropy", seen, unseen)
    np.testing.assert_allclose(values, entropy(softmax(seen), axis=1), rtol=1e-10)
    assert unseenness("entropy", np.zeros((1, 7)), np.zeros((1, 3)))[0] == pytest.approx(math.log(7))


def test_log_shares_are_the_logs_of_a_softmax():
    shares = np.exp(log_shares(np.array([[1000.0, 1000.0 + np.log(3), -1e4], [0.0, 0.0, 0.0]])))
    np.testing.assert_allclose(shares, [[1 / 4, 3 / 4, 0], [1 / 3, 1 / 3, 1 / 3]], atol=1e-12)


def test_entropy_of_a_certain_sample_is_zero():
    assert unseenness("entropy", np.array([[1e4, 0.0, -1e4]]), np.zeros((1, 2)))[0] == 0


@pytest.mark.parametrize("constant", [-2.5, 0.0, 3.5])
def test_stacking_takes_minus_the_threshold_off_the_seen_scores(constant):
    seen, unseen = random_scores()
    predicted = apply_gate("stacking", seen, unseen, -constant)
    joint = np.concatenate([seen - constant, unseen], axis=1).argmax(axis=1)
    np.testing.assert_array_equal(np.where(predicted.is_unseen, 7, 0) + predicted.targets, joint)


def test_no_gate_is_the_best_of_all_candidates():
    seen, unseen = random_scores()
    predicted = apply_gate("none", seen, unseen, 0.0)
    joint = np.concatenate([seen, unseen], axis=1).argmax(axis=1)
    np.testing.assert_array_equal(np.where(predicted.is_unseen, 7, 0) + predicted.targets, joint)


@st.composite
def pseudo_unseen(draw):
    seen, unseen = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    is_unseen = np.array([True, False] + draw(st.lists(st.booleans(), max_size=15)))
    samples = len(is_unseen)
    whole = st.integers(-3, 3).map(float)  # so that values tie
    drawn = draw(arrays(np.int64, samples, elements=st.integers(0, 14)))
    return PseudoUnseenScores(
        seen_scores=draw(arrays(np.float32, (samples, seen), elements=whole)),
        unseen_scores=draw(arrays(np.float32, (samples, unseen), elements=whole)),
        is_unseen=is_unseen,
        targets=np.where(is_unseen, drawn % unseen, drawn % seen),
    )


def measured(gate: str, scores: PseudoUnseenScores, threshold: float) -> tuple[float, float, float]:
    predicted = apply_gate(gate, scores.seen_scores, scores.unseen_scores, threshold)
    metrics = gzsl_metrics(
        unseen_scores=scores.unseen_scores,
        predicted_unseen=predicted.is_unseen,
        predicted_targets=predicted.targets,
        is_unseen=scores.is_unseen,
        targets=scores.targets,
    )
    return metrics["seen"], metrics["unseen"], metrics["harmonic"]


@settings(max_examples=150, derandomize=True, deadline=None)
@given(pseudo_unseen(), st.sampled_from(["entropy", "stacking", "none"]), st.floats(-8, 8))
def test_no_threshold_is_better_than_the_chosen_one(scores, gate, other):
    threshold, curve = choose_threshold(gate, scores)
    by_trying = [measured(gate, scores, value) for value in curve.thresholds]
    np.testing.assert_allclose(np.stack([curve.seen, curve.unseen, curve.harmonic], axis=1), by_trying, atol=1e-9)
    arrays_of = {name: getattr(scores, name) for name in ("seen_scores", "unseen_scores", "is_unseen", "targets")}
    bound = highest_harmonic(gate, **arrays_of)
    assert bound == pytest.approx(max(harmonic for _, _, harmonic in by_trying))
    assert gate == "none" or bound >= measured(gate, scores, other)[2] - 1e-9
    chosen = measured(gate, scores, threshold)[2]
    assert chosen == pytest.approx(curve.harmonic.max())
    if gate == "none":
        assert threshold == 0
    else:
        assert chosen >= measured(gate, scores, other)[2] - 1e-9
        assert curve.unseen[-1] == curve.seen[0] == 0  # the curve runs from all unseen to all seen
        assert (np.diff(curve.seen) >= 0).all()
        assert (np.diff(curve.unseen) <= 0).all()


def test_threshold_between_two_clear_groups_is_halfway():
    scores = PseudoUnseenScores(
        seen_scores=np.array([[4.0, 0.0], [6.0, 0.0], [1.0, 0.0]]),
        unseen_scores=np.zeros((3, 1)),
        is_unseen=np.array([False, False, True]),
        targets=np.array([0, 0, 0]),
    )
    threshold, curve = choose_threshold("stacking", scores)
    assert threshold == -2.5
    assert curve.harmonic.max() == 100


def features(kind: type, labels: list[int]):
    count = len(labels)
    return kind(
        features=np.zeros((count, 5, 3), dtype=np.float32),
        labels=np.array(labels),
        backbone_scores=np.zeros((count, 5), dtype=np.float32),
    )


def calibration(kind: type, labels: list[int], rows: list[int]) -> PseudoUnseenScores:
    return PseudoUnseenScores.of(
        features(kind, labels),
        np.array(rows),
        SPLIT,
        seen_scores=np.zeros((len(rows), 3), dtype=np.float32),
        unseen_scores=np.zeros((len(rows), 2), dtype=np.float32),
    )


def test_targets_are_rows_among_the_calibrations_own_candidates():
    scores = calibration(TrainingFeatures, [0, 2, 3, 5, 6, 6], [5, 3, 1, 0, 2])
    assert scores.is_unseen.tolist() == [True, False, True, False, False]
    assert scores.targets.tolist() == [1, 2, 0, 0, 1]


def test_a_gate_is_never_chosen_on_the_test_part():
    with pytest.raises(ScopleError, match="calibrated on TestFeatures, only on TrainingFeatures"):
        # past the check of annotations, which only tests have
        PseudoUnseenScores.of.__func__.__wrapped__(
            PseudoUnseenScores,
            features(TestFeatures, [0, 2]),
            np.array([0, 1]),
            SPLIT,
            seen_scores=np.zeros((2, 3), dtype=np.float32),
            unseen_scores=np.zeros((2, 2), dtype=np.float32),
        )


def test_a_gate_is_never_chosen_on_a_class_that_is_not_seen():
    with pytest.raises(ScopleError, match="calibrated on class 5, which is not a seen class of toy_5_2"):
        calibration(TrainingFeatures, [0, 2, 4], [0, 1, 2])


@pytest.mark.parametrize(("labels", "missing"), [([0, 3], "pseudo-unseen"), ([2, 6], "remaining seen")])
def test_both_kinds_of_samples_are_needed(labels, missing):
    with pytest.raises(ScopleError, match=f"calibrated on 0 samples of {missing} classes"):
        calibration(TrainingFeatures, labels, [0, 1])


def test_hold_out_takes_its_share_of_every_class():
    targets = np.repeat([0, 1, 2, 3, 4], [1, 2, 3, 13, 29])
    held = hold_out(targets, 0.2, np.random.default_rng(1))
    assert np.bincount(targets[held], minlength=5).tolist() == [0, 1, 1, 3, 6]
    assert (held == hold_out(targets, 0.2, np.random.default_rng(1))).all()
    assert (held != hold_out(targets, 0.2, np.random.default_rng(2))).any()


def test_hold_out_leaves_a_sample_of_every_class():
    targets = np.repeat([0, 1, 2], [1, 2, 7])
    assert np.bincount(targets[~hold_out(targets, 0.99, np.random.default_rng(1))]).tolist() == [1, 1, 1]
