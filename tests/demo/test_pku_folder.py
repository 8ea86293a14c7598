"""The synthetic PKU-MMD folder: videos, labels and lists agree."""

import numpy as np
import pytest

from scople.data.class_names import load_classes
from scople.demo import load_programs, write_pku

CLASSES = (0, 11, 32)  # giving something to other person (12) is of two people


@pytest.fixture(scope="module")
def programs(root):
    return load_programs(root / "datasets" / "demo" / "programs.yaml")


@pytest.fixture(scope="module")
def classes(root):
    everything = load_classes(root / "datasets" / "classes" / "pku.csv")
    return [everything[label] for label in CLASSES]


def _write(folder, classes, programs, **changed):
    given = {"training_samples": 7, "test_samples": 5, "frames": (17, 29), "seed": 3, "jobs": 1}
    return write_pku(folder, classes, programs, **(given | changed))


@pytest.fixture(scope="module")
def written(tmp_path_factory, classes, programs):
    return _write(tmp_path_factory.mktemp("pku") / "PKU-MMD", classes, programs)


def _contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _sides(folder):
    lines = (folder / "cross-subject.txt").read_text().splitlines()
    return lines[1].split(", "), lines[3].split(", ")


def test_the_list_names_every_video_once(written):
    training, test = _sides(written)
    skeletons, labels = (
        {path.stem for path in (written / name).iterdir()} for name in ("PKU_Skeleton_Renew", "Train_Label_PKU_final")
    )
    assert sorted(training + test) == sorted(skeletons) == sorted(labels)
    assert {name[-2:] for name in skeletons} <= {"-L", "-M", "-R"}


def test_labels_lie_in_the_video_apart_and_in_the_asked_numbers(written):
    for names, samples in zip(_sides(written), (7, 5), strict=True):
        counts = []
        for name in names:
            frames = len((written / "PKU_Skeleton_Renew" / f"{name}.txt").read_text().splitlines())
            rows = np.loadtxt(written / "Train_Label_PKU_final" / f"{name}.txt", delimiter=",", dtype=int, ndmin=2)
            label, start, end, confidence = rows.T
            assert len(rows) <= 10
            assert set(confidence) <= {1, 2}
            assert (start[0], end[-1]) > (12, 0)
            assert end[-1] + 12 <= frames
            assert ((start[1:] - end[:-1] > 12) & (start[1:] - end[:-1] <= 31)).all()
            assert ((end - start + 1 >= 17) & (end - start + 1 <= 29)).all()
            counts.extend(label)
        assert {label: counts.count(label) for label in set(counts)} == {1: samples, 12: samples, 33: samples}


def test_two_people_are_in_the_videos_of_two_person_classes_only(written):
    for path in (written / "PKU_Skeleton_Renew").iterdir():
        labels = np.loadtxt(written / "Train_Label_PKU_final" / path.name, delimiter=",", dtype=int, ndmin=2)[:, 0]
        second = np.loadtxt(path)[:, 75:].any(axis=1)
        assert set(labels) == {12} or 12 not in labels
        assert (second.mean() > 0.5) == (12 in labels)


def test_an_action_is_where_its_label_says(written):
    for path in (written / "PKU_Skeleton_Renew").iterdir():
        rows = np.loadtxt(written / "Train_Label_PKU_final" / path.name, delimiter=",", dtype=int, ndmin=2)
        height = np.loadtxt(path)[:, 1] - np.loadtxt(path)[:, 14 * 3 + 1]  # spine base over left ankle
        for number, start, end, _ in rows:
            if number == 33:  # sitting down
                assert height[start - 1] - height[end - 1] > 0.2


def test_bytes_depend_on_the_seed_alone(tmp_path, classes, programs, written):
    assert _contents(_write(tmp_path / "again", classes, programs)) == _contents(written)
    other = _contents(_write(tmp_path / "other", classes, programs, seed=4))
    assert not set(other.values()) & set(_contents(written).values())
