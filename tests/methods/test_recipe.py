"""Rates, optimisers and batches, by numbers written by hand."""

import pytest
import torch

from scople.base.errors import ScopleError
from scople.methods.method import Progress
from scople.methods.recipe import Recipe, constant, stepped, warmed_cosine


def rates(schedule, epochs):
    return [schedule(Progress(step=3 * epoch, steps=3 * epochs, epoch=epoch, epochs=epochs)) for epoch in range(epochs)]


def test_schedules():
    assert rates(constant(0.7), 3) == [0.7] * 3
    assert rates(stepped(8.0, (1, 3), 0.5), 5) == [8.0, 4.0, 4.0, 2.0, 2.0]
    assert rates(warmed_cosine(2.0, 2), 6) == pytest.approx([0, 1, 2, 1 + 0.5**0.5, 1, 1 - 0.5**0.5])


def test_lengths():
    def lengths(samples, smallest=1, **settings):
        return Recipe(batch_size=7, **settings).lengths(samples, smallest)

    assert lengths(23, epochs=2) == [4, 4]
    assert lengths(23, epochs=2, drop_last=True) == [3, 3]
    assert lengths(22, epochs=1, smallest=2) == [3]
    assert lengths(21, epochs=1) == [3]
    assert lengths(23, steps=11) == [4, 4, 3]
    assert lengths(5, epochs=1) == [1]
    assert lengths(22, steps=5, draw="independent", smallest=2) == [4, 1]
    assert lengths(22) == []


@pytest.mark.parametrize(
    ("samples", "smallest", "settings"), [(5, 1, {"drop_last": True}), (1, 2, {}), (1, 2, {"draw": "independent"})]
)
def test_too_few_samples_are_refused(samples, smallest, settings):
    with pytest.raises(ScopleError, match=rf"{samples} training samples make no batch of 7: .* at least {smallest}"):
        Recipe(batch_size=7, epochs=1, **settings).lengths(samples, smallest)


def test_epochs_and_steps_together_are_refused():
    with pytest.raises(ScopleError, match="3 epochs and 5 steps: give one of the two"):
        Recipe(batch_size=7, epochs=3, steps=5)


def test_empty_batches_are_refused():
    with pytest.raises(ScopleError, match="batch_size of a recipe is 0, but must be at least 1"):
        Recipe(batch_size=0)


def test_a_pass_has_every_sample_once_in_a_new_order():
    generator = torch.Generator().manual_seed(1)
    recipe = Recipe(batch_size=7, epochs=1)
    first, second = (list(recipe.batches(23, 4, generator, torch.device("cpu"))) for _ in range(2))
    assert [len(batch) for batch in first] == [7, 7, 7, 2]
    assert sorted(torch.cat(first).tolist()) == list(range(23))
    assert torch.cat(first).tolist() != torch.cat(second).tolist()
    assert sum(map(len, recipe.batches(23, 3, generator, torch.device("cpu")))) == 21


def test_independent_batches_repeat_samples_between_them_and_not_within():
    recipe = Recipe(batch_size=7, steps=5, draw="independent")
    batches = list(recipe.batches(11, 5, torch.Generator().manual_seed(1), torch.device("cpu")))
    assert [len(set(batch.tolist())) for batch in batches] == [7] * 5
    assert set(batches[0].tolist()) & set(batches[1].tolist())


def test_optimisers_take_what_a_group_says_of_itself():
    one, two = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(5))
    groups = {"model": [{"params": [one]}, {"params": [two], "weight_decay": 0.5}], "other": [{"params": [two]}]}
    adam = Recipe(batch_size=7, amsgrad=True, decay=0.25).optimisers(groups)
    assert list(adam) == ["model", "other"]
    assert [group["weight_decay"] for group in adam["model"].param_groups] == [0.25, 0.5]
    assert all(group["amsgrad"] and group["fused"] for group in adam["model"].param_groups)
    sgd = Recipe(batch_size=7, optimiser="sgd", momentum=0.9, nesterov=True).optimisers(groups)["model"]
    assert isinstance(sgd, torch.optim.SGD)
    assert sgd.defaults["momentum"] == 0.9
    assert sgd.defaults["nesterov"]
