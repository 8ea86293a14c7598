"""Methods by name: which there are, and which settings they take."""

import dataclasses

import pytest
import torch
from each_method import SMALL

from scople.base.errors import ScopleError
from scople.methods.registry import METHODS, Settings, build, intervals_of, settings_of
from scople.methods.sizes import Sizes

SIZES = Sizes(7, 11, 5)


def test_every_method_is_in_the_common_tests():
    assert set(SMALL) == set(METHODS)


@pytest.mark.parametrize("name", METHODS)
def test_published_settings(name):
    settings = settings_of(name, {})
    assert isinstance(settings, Settings)
    assert settings == METHODS[name].settings(**METHODS[name].fixed)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.epochs = 3
    assert intervals_of(name, settings) in (1, 3)


def test_the_name_decides_the_start_and_the_seed_does():
    small = settings_of("smie", {"outer_width": 13})
    first, second, other = (build("smie", small, SIZES, seed).first.weight for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_list_of_yaml_becomes_a_tuple_and_a_whole_number_a_rate():
    settings = settings_of("star", {"milestones": [3, 5], "learning_rate": 1})
    assert settings.milestones == (3, 5)
    assert settings.learning_rate == 1
    assert isinstance(settings.learning_rate, float)


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("smile", {}, "method 'smile' is not known: choose one of ridge, revise"),
        ("smie", {"epoch": 3}, "'epoch' is no setting of the method smie: choose among outer_width"),
        ("purls", {"query": "candidate"}, "'query' is no setting of the method purls"),
        ("ridge", {"epochs": 3}, "'epochs' is no setting of the method ridge: choose among none"),
        ("smie", {"epochs": 2.5}, "epochs of the method smie is 2.5, but must be a whole number from 1 to 1,000,000"),
        ("smie", {"epochs": 0}, "epochs of the method smie is 0, but must be a whole number from 1 to"),
        ("smie", {"inner_width": 0}, "inner_width of the method smie is 0, but must be a whole number from 1 to"),
        ("purls", {"batch_size": 0}, "batch_size of the method purls is 0"),
        ("star", {"queries": 10**9}, "queries of the method star is 1000000000"),
        ("smie", {"learning_rate": 0}, "learning_rate of the method smie is 0, but must be a number above 0"),
        ("smie", {"epochs": True}, "epochs of the method smie is True, but must be a whole number"),
        ("smie", {"learning_rate": -1.0}, "learning_rate of the method smie is -1.0, but must be a number above 0"),
        ("smie", {"learning_rate": float("nan")}, "learning_rate of the method smie is nan"),
        ("smie", {"test_norm": 1}, "test_norm of the method smie is 1, but must be true or false"),
        ("star", {"milestones": [3, 0.5]}, r"must be a list, each entry a whole number from 0 to"),
    ],
)
def test_what_is_refused(name, changes, said):
    with pytest.raises(ScopleError, match=said):
        settings_of(name, changes)


@pytest.mark.parametrize(
    ("name", "changes"),
    [("smie", {"warmup": 0}), ("purls", {"candidates": 0, "dropout": 0}), ("star", {"milestones": [0], "decay": 0})],
)
def test_what_may_be_zero(name, changes):
    assert all(getattr(settings_of(name, changes), key) in (0, (0,)) for key in changes)
