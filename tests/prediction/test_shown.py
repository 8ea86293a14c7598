"""Recordings on the page are drawn without a look at success, and ranked as the evaluation ranked them."""

import numpy as np
import pytest

from scople.data.splits import Split
from scople.prediction.shown import MOST_RANKED, draw, rank

SPLIT = Split("x_5_2", seen=(0, 1, 2, 4, 5), unseen=(3, 6), pseudo_unseen=())
LABELS = np.repeat([6, 5, 4, 3, 2, 1, 0], 11)


@pytest.mark.parametrize(("count", "unseen", "seen"), [(2, 2, 1), (4, 2, 1), (12, 2, 3), (1, 1, 1)])
def test_drawn_samples_are_of_different_classes_unseen_ones_first(count, unseen, seen):
    rows = draw(SPLIT, LABELS, count, np.random.default_rng(1))
    labels = LABELS[rows].tolist()
    assert len(labels) == len(set(labels)) == unseen + seen
    assert set(labels[:unseen]) <= set(SPLIT.unseen)
    assert set(labels[unseen:]) <= set(SPLIT.seen)


def test_the_draw_depends_on_the_generator_alone():
    drawn = [draw(SPLIT, LABELS, 4, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2, 3, 4)]
    assert drawn[0] == drawn[1]
    assert len(set(map(tuple, drawn))) > 2


def test_ranks_are_by_score_with_the_softmax_of_all():
    scores = np.array([1.0, 3.0, 2.0, -1.0, 0.0, 0.5, 1000.0 - 997.5])
    found = rank(scores)
    assert found.rows.tolist() == [1, 6, 2, 0, 5]
    assert len(found.rows) == MOST_RANKED
    exact = np.exp(scores) / np.exp(scores).sum()
    np.testing.assert_allclose(found.probabilities, exact[found.rows])
    assert rank(np.array([2000.0, 0.0])).probabilities.tolist() == [1, 0]
