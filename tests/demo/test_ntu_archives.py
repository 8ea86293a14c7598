"""The synthetic NTU zips, read back with the project's parser."""

import hashlib
import re
import zipfile

import pytest

from scople.base.errors import ScopleError
from scople.data.class_names import ClassEntry, load_classes
from scople.demo import load_programs, write_ntu_archives
from scople.formats.ntu import parse_skeleton

TRAIN = (1, 2, 4, 5, 8, 45, 46, 47)
NAME = re.compile(r"nturgb\+d_skeletons/S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})\.skeleton")
FIRST, SECOND = "nturgbd_skeletons_s001_to_s017.zip", "nturgbd_skeletons_s018_to_s032.zip"


@pytest.fixture(scope="module")
def programs(root):
    return load_programs(root / "datasets" / "demo" / "programs.yaml")


@pytest.fixture(scope="module")
def classes(root):
    everything = load_classes(root / "datasets" / "classes" / "ntu120.csv")
    return [everything[label] for label in (0, 7, 54, 62, 111)]  # 55 and 112 are of two people


def _write(folder, classes, programs, **changed):
    given = {"train_subjects": TRAIN, "training_samples": 3, "test_samples": 2, "frames": (16, 23), "seed": 7}
    return write_ntu_archives(folder, classes, programs, **(given | {"jobs": 1} | changed))


def _digests(paths):
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]


@pytest.fixture(scope="module")
def written(tmp_path_factory, classes, programs):
    return _write(tmp_path_factory.mktemp("ntu"), classes, programs)


def test_each_zip_has_its_classes_setups_and_performers_on_both_sides(written):
    assert [path.name for path in written] == [FIRST, SECOND]
    for path, setups, performers, actions in zip(
        written, (range(1, 18), range(18, 33)), (range(1, 41), range(41, 107)), ({1, 8, 55}, {63, 112}), strict=True
    ):
        names = zipfile.ZipFile(path).namelist()
        assert names == sorted(set(names))
        fields = [tuple(map(int, NAME.fullmatch(name).groups())) for name in names]
        assert {action for *_, action in fields} == actions
        for action in actions:
            assert sum(p in TRAIN for _, _, p, _, a in fields if a == action) == 3
            assert sum(p not in TRAIN for _, _, p, _, a in fields if a == action) == 2
        assert all(s in setups and c in (1, 2, 3) and p in performers and r in (1, 2) for s, c, p, r, _ in fields)


def test_the_project_s_parser_reads_everything_and_finds_the_people(written):
    for path in written:
        archive = zipfile.ZipFile(path)
        for name in archive.namelist():
            recording = parse_skeleton(archive.read(name))
            people = 2 if int(NAME.fullmatch(name)[5]) in (55, 112) else 1
            present = [(recording.frame == t).sum() for t in range(recording.frames)]
            assert 16 <= recording.frames <= 23
            assert sorted(present)[len(present) // 2] == people


def test_bytes_depend_on_the_seed_alone(tmp_path, classes, programs, written):
    digests = _digests(written)
    assert _digests(_write(tmp_path / "two", classes[::-1], dict(reversed(programs.items())), jobs=2)) == digests
    other = _digests(_write(tmp_path / "other", classes, programs, seed=8))
    assert not set(digests) & set(other)


def test_a_recording_does_not_depend_on_the_others(tmp_path, classes, programs, written):
    (alone,) = _write(tmp_path, classes[1:2], programs)
    alone, together = zipfile.ZipFile(alone), zipfile.ZipFile(written[0])
    assert len(alone.namelist()) == 5
    assert all(alone.read(name) == together.read(name) for name in alone.namelist())


def test_names_to_skip_are_never_written(tmp_path, classes, programs, written):
    dropped = [name.split("/")[1].removesuffix(".skeleton") for name in zipfile.ZipFile(written[0]).namelist()]
    (path,) = _write(tmp_path, classes[:3], programs, skip=dropped)
    names = zipfile.ZipFile(path).namelist()
    assert len(names) == 15
    assert not [name for name in names if NAME.fullmatch(name) and name[19:39] in dropped]


def test_more_samples_than_combinations_are_refused(tmp_path, classes, programs):
    with pytest.raises(ScopleError, match="31 recordings of class 1 .* room for 30"):
        _write(tmp_path, classes, programs, training_samples=31)
    assert not list(tmp_path.iterdir())


def test_a_class_without_a_program_is_refused(tmp_path, programs):
    with pytest.raises(ScopleError, match="class 3, 'yodel', has no program"):
        _write(tmp_path, [ClassEntry(3, "yodel", False)], programs)
