"""Split files and partitions: invariants of the shipped ones, errors of broken ones."""

import csv

import numpy as np
import pytest
import yaml

from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.base.seeding import numpy_generator
from scople.data.class_names import load_classes
from scople.data.splits import (
    Split,
    calibration_partition,
    labels_of,
    load_split,
    partition,
    targets,
    task_targets,
)

PAPER_NAMES = {"ntu60": "NTU-60", "ntu120": "NTU-120", "pku": "PKU-MMD"}


def shipped(root):
    params = load_params(root / "params.yaml")
    for name, entry in params.splits.items():
        classes = len(load_classes(root / "datasets" / "classes" / f"{entry.dataset}.csv"))
        yield name, classes, load_split(root / "datasets" / "splits" / f"{name}.yaml", classes, params.seed)


def test_shipped_splits_are_disjoint_complete_and_of_the_size_in_their_name(root):
    names = []
    for name, classes, split in shipped(root):
        names.append(name)
        assert not set(split.seen) & set(split.unseen)
        assert set(split.seen) | set(split.unseen) == set(range(classes))
        seen, unseen = name.split("_")[1:3]
        assert (len(split.seen), len(split.unseen)) == (int(seen), int(unseen))
        assert set(split.pseudo_unseen) < set(split.seen)
        assert len(split.pseudo_unseen) == len(split.unseen)
    assert len(names) == 13


def test_pseudo_unseen_split_never_holds_a_really_unseen_class(root):
    for _, _, split in shipped(root):
        calibration = split.without_pseudo_unseen
        assert not set(split.unseen) & (set(calibration.seen) | set(calibration.unseen))
        assert not set(calibration.seen) & set(calibration.unseen)
        assert set(calibration.seen) | set(calibration.unseen) == set(split.seen)


def test_shipped_splits_agree_with_the_collected_sources(root, reference):
    with (reference / "splits.csv").open() as file:
        published = {(row["dataset"], row["split"]): row["unseen_ids"].split() for row in csv.DictReader(file)}
    for name, _, split in shipped(root):
        dataset, seen, unseen, *draw = name.split("_")
        key = f"{seen}/{unseen}" + (f" random {draw[0][1:]}" if draw else "")
        assert [str(label + 1) for label in split.unseen] == published[PAPER_NAMES[dataset], key]
        if not draw:
            gate = f"{key} gating-validation (pseudo-unseen, subset of the seen classes)"
            assert [str(label + 1) for label in split.pseudo_unseen] == published[PAPER_NAMES[dataset], gate]


def test_drawn_pseudo_unseen_classes_depend_on_the_seed_alone(root):
    path = root / "datasets" / "splits" / "pku_46_5_r1.yaml"
    assert load_split(path, 51, 1) == load_split(path, 51, 1)
    assert load_split(path, 51, 1).pseudo_unseen != load_split(path, 51, 2).pseudo_unseen


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"unseen": [2, 3], "seen": [1, 3, 4, 5, 6, 7]}, ["class 3", "both seen and unseen"]),
        ({"unseen": [2, 3], "pseudo_unseen": [3, 4]}, ["class 3", "pseudo_unseen but not seen"]),
        ({"unseen": [2, 2]}, ["class 2", "twice"]),
        ({"unseen": [12]}, ["class 12", "1 to 11"]),
        ({"unseen": [0]}, ["class 0", "1 to 11"]),
        ({"unseen": ["two"]}, ["two", "1 to 11"]),
        ({"unseen": []}, ["unseen", "list"]),
        ({"unseen": [1, 2, 3, 4, 5]}, ["6 seen", "at least 7"]),
        ({"unseen": [1], "pseudo_unseen": list(range(2, 11))}, ["left to train on"]),
        ({"unseen": [1], "unknown": [2]}, ["unknown", "not known"]),
        ({}, ["no unseen classes"]),
    ],
)
def test_broken_split_files(tmp_path, document, words):
    path = tmp_path / "broken.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ScopleError) as caught:
        load_split(path, 11, 1)
    for word in [*words, "broken.yaml"]:
        assert word in str(caught.value)


def test_ids_are_decimal_and_a_source_may_be_a_date(tmp_path):
    path = tmp_path / "few.yaml"
    path.write_text("unseen: [02, 010]\nunseen_source: 2024-02-30\n")
    assert load_split(path, 11, 1).unseen == (1, 9)
    path.write_text("unseen: [2]\nunseen: [3]\n")
    with pytest.raises(ScopleError, match="line 2: the key 'unseen' is repeated"):
        load_split(path, 11, 1)


@pytest.fixture
def small(tmp_path):
    (tmp_path / "small.yaml").write_text("unseen: [2, 5]")
    return load_split(tmp_path / "small.yaml", 7, 1)


def test_partition_gives_each_row_to_one_part(small):
    rng = np.random.default_rng(3)
    labels, is_training = rng.integers(0, 7, 211), rng.random(211) < 0.5
    parts = partition(small, labels, is_training)
    together = np.concatenate([parts.training, parts.test, parts.unused])
    assert sorted(together.tolist()) == list(range(211))
    assert set(labels[parts.training]) == set(small.seen)
    assert is_training[parts.training].all()
    assert not is_training[parts.test].any()
    assert set(labels[parts.unused]) == set(small.unseen)
    assert is_training[parts.unused].all()


def test_partition_reports_missing_samples(small):
    labels = np.arange(7)
    with pytest.raises(ScopleError, match="no training subject performs class 1"):
        partition(small, labels, np.zeros(7, bool))
    twice, is_training = np.tile(labels, 2), np.arange(14) < 7
    assert len(partition(small, twice, is_training).test) == 7
    with pytest.raises(ScopleError, match="no test subject performs class 5, which is unseen"):
        partition(small, twice, is_training | (twice == 4))
    with pytest.raises(ScopleError, match="no test subject performs a seen class"):
        partition(small, twice, is_training | ~np.isin(twice, small.unseen))


def test_features_without_a_task_are_refused(small):
    """Training features in the test features' place have no unseen class."""
    with pytest.raises(ScopleError, match="no test subject performs class 2, which is unseen"):
        task_targets(small, np.array(small.seen))


def test_targets_are_rows_among_the_candidates():
    assert targets(np.array([4, 2, 9, 4]), (2, 4, 9)).tolist() == [1, 0, 2, 1]
    with pytest.raises(ValueError, match="label 3"):
        targets(np.array([3]), (2, 4, 9))


def test_task_targets_and_labels_are_inverse(small):
    labels = np.random.default_rng(5).integers(0, 7, 53)
    is_unseen, rows = task_targets(small, labels)
    assert set(labels[is_unseen]) == set(small.unseen)
    assert rows[is_unseen].max() < len(small.unseen)
    assert rows[~is_unseen].max() < len(small.seen)
    assert np.array_equal(labels_of(small, is_unseen, rows), labels)


CHOSEN_MSR = [[1, 6, 13, 17], [2, 10, 14, 20], [4, 9, 15, 18]]
"""Unseen ids of msr_16_4_r1 to r3, which were chosen by hand before the others were drawn."""


def drawn_msr(seed):
    """Unseen ids of the others: shuffled until no split has a class twice; then each class is unseen twice over all."""
    left = sorted({*range(1, 21)} - {number for ids in CHOSEN_MSR for number in ids})
    generator = numpy_generator(seed, "msr_16_4")
    while True:
        order = generator.permutation([number for ids in CHOSEN_MSR for number in ids] + left + left)
        drawn = [sorted(ids) for ids in order.reshape(7, 4).tolist()]
        if all(len(set(ids)) == 4 for ids in drawn):
            return drawn


def test_ten_msr_splits_are_drawn_as_they_say(root):
    found = [yaml.safe_load((root / f"datasets/splits/msr_16_4_r{i}.yaml").read_text()) for i in range(1, 11)]
    unseen = [document["unseen"] for document in found]
    assert unseen == CHOSEN_MSR + drawn_msr(1)
    assert {number: sum(number in ids for ids in unseen) for number in range(1, 21)} == dict.fromkeys(range(1, 21), 2)
    assert len({tuple(ids) for ids in unseen}) == 10
    assert len(list((root / "datasets/splits").glob("msr_16_4_r*.yaml"))) == 10


def people(seed=5):
    """7 classes, 3 of them pseudo-unseen or unseen, by 11 subjects of which 3 are test subjects."""
    rng = np.random.default_rng(seed)
    labels, subjects = np.repeat(np.arange(7), 29), rng.integers(0, 11, 7 * 29)
    return labels, subjects, subjects < 8


CALIBRATED = Split(name="small", seen=(0, 1, 3, 4, 6), unseen=(2, 5), pseudo_unseen=(3, 6))


def test_calibration_holds_out_subjects_and_classes():
    labels, subjects, is_training = people()
    found = calibration_partition(CALIBRATED, labels, subjects, is_training, 0.25, 1)
    parts = (found.learned, found.held_out, found.pseudo_unseen)
    everything = np.concatenate(parts)
    assert len(set(everything.tolist())) == len(everything)
    training = partition(CALIBRATED, labels, is_training).training
    held = np.isin(subjects[training], subjects[found.held_out])
    is_known_person = np.isin(labels[training], CALIBRATED.pseudo_unseen) & ~held  # the backbone learned them
    assert sorted(everything) == training[~is_known_person].tolist()
    assert is_known_person.any()
    assert set(labels[found.learned]) == {0, 1, 4}  # every one of them
    assert set(labels[found.held_out]) <= {0, 1, 4}
    assert set(labels[found.pseudo_unseen]) == {3, 6}
    unknown = np.concatenate([found.held_out, found.pseudo_unseen])
    assert not set(subjects[found.learned]) & set(subjects[unknown])
    assert len(set(subjects[found.held_out])) == 2  # a quarter of 8
    assert set(subjects[everything]) == set(range(8))
    again = calibration_partition(CALIBRATED, labels, subjects, is_training, 0.25, 1)
    assert np.array_equal(again.held_out, found.held_out)
    others = (calibration_partition(CALIBRATED, labels, subjects, is_training, 0.25, seed) for seed in range(2, 9))
    assert any(set(subjects[other.held_out]) != set(subjects[found.held_out]) for other in others)


def test_calibration_without_subjects_says_so():
    labels, subjects, is_training = people()
    with pytest.raises(
        ScopleError, match="small has 1 training subject .* needs at least 2 .*PKU-MMD.* `seen_source: own"
    ):
        calibration_partition(CALIBRATED, labels, np.zeros_like(subjects), is_training, 0.25, 1)
    alone = np.where(labels == 1, 0, 1 + subjects % 2)  # one subject alone performs class 2
    missing = "without 1 of 3 training subjects nobody performs class 2: make gate_holdout smaller"
    idle = np.where(np.isin(labels, (3, 6)), 1 + subjects % 2, 0)  # two subjects perform pseudo-unseen classes only
    nothing = "the 1 held-out training subjects perform none of the remaining classes: make gate_holdout larger"
    apart = np.where(np.isin(labels, (3, 6)), 0, 1 + subjects % 3)  # one subject alone performs these
    unheard = "the 1 held-out training subjects perform none of the pseudo-unseen classes: make gate_holdout larger"
    for who, sentence in ((alone, missing), (idle, nothing), (apart, unheard)):
        said = {refusal(labels, who, is_training, seed) for seed in range(9)}
        assert f"split small: {sentence}, or take `seen_source: own`." in said


def refusal(labels, subjects, is_training, seed):
    try:
        calibration_partition(CALIBRATED, labels, subjects, is_training, 0.3, seed)
    except ScopleError as error:
        return str(error)
    return ""
