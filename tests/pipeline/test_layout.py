"""Which file a split is read from, and that models of the two tellings of one name are never taken for each other."""

from dataclasses import replace

import pytest

from scople.base.params import load_params
from scople.pipeline.layout import identity, load_problem, split_file

FLORAS = {
    "ntu60_55_5": [[0, 8, 15, 28, 46], [15, 19, 23, 47, 50], [29, 37, 38, 45, 55]],
    "ntu120_110_10": [
        [0, 4, 6, 7, 24, 37, 54, 59, 97, 113],
        [63, 79, 86, 92, 98, 100, 103, 110, 111, 117],
        [9, 14, 17, 44, 60, 75, 81, 89, 108, 110],
    ],
    "pku_46_5": [[10, 19, 27, 38, 48], [0, 9, 17, 30, 42], [18, 24, 31, 43, 45]],
}
"""Unseen labels from 0, as cseeyangchen/Flora utils/utils.py has them under `sadave`."""

RANDOM = [f"{name}_r{i}" for name in FLORAS for i in (1, 2, 3)]


@pytest.fixture
def told(root, monkeypatch):
    """The params of each telling."""
    monkeypatch.chdir(root)
    return {name: replace(load_params(), random_splits=name) for name in ("smie", "sa_dvae")}


def test_the_committed_setting_is_smie(root):
    assert load_params(root / "params.yaml").random_splits == "smie"


def test_the_other_telling_is_floras_nine_lists_and_no_file_more(root, told):
    files = (root / "datasets/splits/sa_dvae").iterdir()
    assert sorted(path.name for path in files) == sorted(f"{name}.yaml" for name in RANDOM)
    for name, lists in FLORAS.items():
        for i, labels in enumerate(lists, 1):
            split, classes = load_problem(told["sa_dvae"], f"{name}_r{i}")
            assert split.name == f"{name}_r{i}"
            assert list(split.unseen) == labels
            assert set(split.seen) | set(split.unseen) == set(range(len(classes)))
            assert not set(split.seen) & set(split.unseen)
            assert set(split.pseudo_unseen) < set(split.seen)
            assert len(split.pseudo_unseen) == len(labels)


def test_no_list_of_one_telling_is_a_list_of_the_other(told):
    for name in RANDOM:
        dataset = name.rpartition("_")[0]
        others = [load_problem(told["smie"], f"{dataset}_r{i}")[0].unseen for i in (1, 2, 3)]
        assert load_problem(told["sa_dvae"], name)[0].unseen not in others


@pytest.mark.parametrize("name", RANDOM)
def test_the_two_tellings_of_a_name_have_different_lists_and_identities(told, name):
    smie, sa_dvae = (load_problem(params, name) for params in told.values())
    assert smie[0].unseen != sa_dvae[0].unseen
    assert identity(*smie)["split"] == identity(*sa_dvae)["split"] == name
    assert identity(*smie)["classes"] != identity(*sa_dvae)["classes"]


def test_a_split_that_is_told_in_one_way_is_the_same_under_both(told):
    fixed = [name for name in told["smie"].splits if name not in RANDOM]
    assert fixed
    for name in fixed:
        assert split_file(told["smie"], name) == split_file(told["sa_dvae"], name)
