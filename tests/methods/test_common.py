"""What holds for every method, whatever it computes."""

import inspect
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from each_method import LONG, NAMES, K, N, made, noise, separated, texts

import scople.methods
from scople.base import checkpoints
from scople.base.checkpoints import Checkpoint
from scople.base.seeding import numpy_generator
from scople.methods.fitting import fit, score

CPU = torch.device("cpu")

pytestmark = pytest.mark.parametrize("name", NAMES)


def trained(name, features=None, targets=None, *, epochs=3, seed=1, classes=K, checkpoint=None, method=None):
    method = method or made(name, epochs, classes, seed)[0]
    recipe = made(name, epochs, classes, seed)[1]
    if features is None:
        features, targets = noise(method.intervals)
    history = fit(method, recipe, features, targets, texts(classes), seed=seed, device=CPU, checkpoint=checkpoint)
    return method, history


def scored(method, features, candidates, batch_size=97):
    return score(method, features, candidates, batch_size=batch_size, device=CPU, seed=1)


def as_bytes(method):
    return {name: value.numpy().tobytes() for name, value in method.state_dict().items()}


def test_scores_move_with_the_candidates(name):
    method, _ = trained(name)
    features, _ = noise(method.intervals)
    order = [3, 0, 4, 1, 2]
    plain, moved = scored(method, features, texts()), scored(method, features, texts().rows(order))
    assert plain.shape == (N, K)
    assert plain.std(axis=1).min() > 1e-4
    np.testing.assert_allclose(moved, plain[:, order], atol=1e-5, rtol=1e-4)


def test_a_row_does_not_depend_on_the_other_samples(name):
    method, _ = trained(name)
    features, _ = noise(method.intervals)
    whole = scored(method, features, texts())
    np.testing.assert_allclose(scored(method, features, texts(), batch_size=1), whole, atol=1e-5, rtol=1e-4)
    np.testing.assert_allclose(scored(method, features[[17, 3, 29]], texts()), whole[[17, 3, 29]], atol=1e-5, rtol=1e-4)


def test_the_same_seed_gives_the_same_bytes(name):
    first, second, other = trained(name), trained(name), trained(name, seed=2)
    assert first[1] == second[1]
    assert as_bytes(first[0]) == as_bytes(second[0])
    features, _ = noise(first[0].intervals)
    assert scored(first[0], features, texts()).tobytes() == scored(second[0], features, texts()).tobytes()
    assert (as_bytes(first[0]) == as_bytes(other[0])) == (name == "ridge")  # which draws nothing


def test_unseen_texts_leave_no_trace_in_a_training(name):
    """A method that has scored other candidates before it is trained ends with the same bytes whatever these were."""
    ends = []
    for first in (11, 31):
        method, _ = made(name, 3)
        scored(method, noise(method.intervals)[0], texts(7, first))
        ends.append(as_bytes(trained(name, method=method)[0]))
    assert ends[0] == ends[1] == as_bytes(trained(name)[0])


def test_scoring_changes_no_weight(name):
    method, _ = trained(name)
    before = as_bytes(method)
    scored(method, noise(method.intervals)[0], texts(7, 11))
    assert as_bytes(method) == before


def test_a_training_that_was_killed_ends_with_the_same_bytes(name, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "PAUSE", 0)
    undisturbed, history = trained(name)

    class Killed(BaseException):
        pass

    class Kills(Checkpoint):
        def save(self, parts, history, *, is_last):
            super().save(parts, history, is_last=is_last)
            if len(history) == 2:
                raise Killed

    if history:
        with pytest.raises(Killed):
            trained(name, checkpoint=Kills(tmp_path / "checkpoint.pt"))
    resumed, again = trained(name, checkpoint=Checkpoint(tmp_path / "checkpoint.pt"))
    assert again == history
    assert as_bytes(resumed) == as_bytes(undisturbed)


@pytest.mark.slow
def test_classes_that_lie_apart_are_told_from_each_other_and_shuffled_samples_are_not(name):
    intervals = made(name, 1)[0].intervals
    features, targets = separated(intervals, classes=4, samples=29)
    held_out = np.arange(len(targets)) >= 4 * 17
    method, _ = trained(name, features[~held_out], targets[~held_out], classes=4, epochs=LONG.get(name, 20))
    named = scored(method, features[held_out], texts(4)).argmax(axis=1)
    assert (named == targets[held_out]).all()
    shuffled = numpy_generator(1, "shuffled").permutation(features[held_out])
    accuracy = (scored(method, shuffled, texts(4)).argmax(axis=1) == targets[held_out]).mean()
    assert accuracy == pytest.approx(1 / 4, abs=0.19)  # three deviations of 48 draws


@pytest.mark.slow
def test_nothing_is_learned_from_shuffled_skeletons(name):
    """The same samples in their own order are the control: without it, a method that learns nothing would pass."""
    classes, learned = 7, 7 * 17
    features, targets = separated(made(name, 1)[0].intervals, classes, samples=34)
    right = np.arange(len(targets))
    shuffled = right.copy()
    shuffled[:learned] = numpy_generator(1, "shuffled").permutation(learned)
    found = {}
    for order in (right, shuffled):
        method, _ = trained(
            name, features[order][:learned], targets[:learned], classes=classes, epochs=LONG.get(name, 20)
        )
        named = scored(method, features[learned:], texts(classes)).argmax(axis=1)
        found[order is shuffled] = (named == targets[learned:]).mean()
    assert found[False] > 0.4
    assert found[True] < 0.35  # chance is 1/7; 17 samples of a class go the same way, so that this scatters


def test_no_function_that_scores_is_told_a_label(name):
    method, _ = made(name, 1)
    modules = [import_module(f"scople.methods.{path.stem}") for path in Path(scople.methods.__path__[0]).glob("*.py")]
    functions = [method.scores, method.prepare, score]
    functions += [
        each for module in modules for found, each in inspect.getmembers(module, callable) if "score" in found
    ]
    for function in functions:
        for parameter in inspect.signature(function).parameters:
            assert "label" not in parameter, function
            assert "target" not in parameter, function
