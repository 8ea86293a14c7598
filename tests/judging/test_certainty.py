"""Means with standard errors, by plain loops."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scople.judging.certainty import Mean, mean_over_splits, paired_difference

numbers = st.lists(st.floats(0, 100), min_size=2, max_size=13)


@given(numbers)
def test_standard_error_by_plain_loops(values):
    mean = 0.0
    for value in values:
        mean += value / len(values)
    squares = 0.0
    for value in values:
        squares += (value - mean) ** 2
    found = mean_over_splits(values)
    assert found.value == pytest.approx(mean, abs=1e-9)
    assert found.error == pytest.approx(math.sqrt(squares / (len(values) - 1)) / math.sqrt(len(values)), abs=1e-9)
    assert found.splits == len(values)


def test_what_makes_a_split_hard_falls_out_of_a_paired_difference():
    first = {"easy": 90.0, "hard": 10.0, "only here": 50.0}
    second = {"hard": 13.0, "easy": 92.0, "only there": 1.0}
    found = paired_difference(first, second)
    assert found == Mean(2.5, 0.5, 2)
    assert found.error < mean_over_splits([90.0, 10.0]).error / 50


def test_one_split_establishes_nothing():
    found = mean_over_splits([7.0])
    assert math.isnan(found.error)
    assert not found.is_established


@pytest.mark.parametrize(
    ("value", "is_established"), [(0.0, False), (1.9, False), (-1.9, False), (2.1, True), (-2.1, True)]
)
def test_established_is_beyond_two_errors(value, is_established):
    assert Mean(value, 1.0, 5).is_established == is_established


def test_no_difference_at_all_is_none():
    assert not paired_difference({"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 2.0}).is_established
