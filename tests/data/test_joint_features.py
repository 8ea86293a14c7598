"""Features on disk: what a reader gets back, and which part it is refused."""

import numpy as np
import pytest

from scople.base.errors import ScopleError
from scople.data.joint_features import (
    TestFeatures,
    TestIntervals,
    TrainingFeatures,
    TrainingIntervals,
    interval_lengths,
    load_features,
)

N, I, V, D = 7, 3, 5, 11  # noqa: E741 - letters of the axes
KINDS = [TrainingFeatures, TestFeatures, TrainingIntervals, TestIntervals]


@pytest.mark.parametrize(
    ("steps", "intervals", "lengths"),
    [(75, 3, (25, 25, 25)), (4, 3, (1, 2, 1)), (5, 3, (2, 1, 2)), (3, 3, (1, 1, 1)), (4, 1, (4,))],
)
def test_interval_lengths(steps, intervals, lengths):
    assert interval_lengths(steps, intervals) == lengths


def test_every_interval_has_a_step():
    with pytest.raises(ScopleError, match="2 steps of time cannot be cut into 3 intervals: use more frames"):
        interval_lengths(2, 3)


def made(kind):
    rng = np.random.default_rng(1)
    labels = np.arange(N) % 3
    if kind in (TrainingIntervals, TestIntervals):
        features = rng.normal(size=(N, I, V, D)).astype(np.float32)
        return kind(features, labels, np.array([2, 1, 2]), backbone="b")
    return kind(rng.normal(size=(N, V, D)).astype(np.float32), labels, np.ones((N, 2), np.float32), backbone="b")


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_is_what_was_written(tmp_path, kind):
    path, written = tmp_path / "1.safetensors", made(kind)
    written.save(path, split="small")
    read = load_features(kind, path, split="small")
    assert type(read) is kind
    assert vars(read).keys() == vars(written).keys()
    for name, value in vars(written).items():
        np.testing.assert_array_equal(getattr(read, name), value, err_msg=name)
    with pytest.raises(ScopleError, match="is of split 'small', but split 'large' is needed: run"):
        load_features(kind, path, split="large")


@pytest.mark.parametrize("wanted", KINDS)
@pytest.mark.parametrize("written", KINDS)
def test_another_part_is_refused(tmp_path, written, wanted):
    if written is wanted:
        return
    path = tmp_path / "1.safetensors"
    made(written).save(path)
    with pytest.raises(ScopleError, match=f"is of kind '{written.kind}', but kind '{wanted.kind}' is needed: run"):
        load_features(wanted, path)


def test_what_is_not_finite_is_not_written(tmp_path):
    intervals = made(TrainingIntervals)
    intervals.features[3, 1, 4, 2] = np.inf
    with pytest.raises(ScopleError, match="^features of the training intervals for .* is not finite"):
        intervals.save(tmp_path / "1.safetensors")
    assert not list(tmp_path.iterdir())
