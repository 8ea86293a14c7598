"""The parse stage as a whole: descriptions, the same bytes from every source, and bad members set aside."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import raw_files

from scople.base.errors import ScopleError
from scople.base.parallel import AHEAD, ordered_map
from scople.data.corpus import Corpus
from scople.formats.datasets import DataSet, parse

NTU = {
    "format": "ntu-skeleton",
    "archives": "[one.zip]",
    "classes": "classes.csv",
    "train_subjects": "[1, 3]",
    "missing": "missing.txt",
}
PKU = {
    "format": "pku-mmd",
    "skeletons": "skeletons",
    "labels": "labels",
    "subjects": "cross-subject.txt",
    "first_frame": "1",
    "classes": "classes.csv",
}


def describe(folder: Path, keys: dict[str, str]) -> Path:
    (folder / "classes.csv").write_text("id,label,two_person\n1,wave,0\n2,hug,1\n3,jump up,0\n")
    (folder / "missing.txt").write_text("S001C001P002R001A001\nS009C009P009R009A009\n")
    path = folder / "few.yaml"
    path.write_text("".join(f"{key}: {value}\n" for key, value in keys.items()))
    return path


@pytest.fixture
def ntu(tmp_path):
    return DataSet.load(describe(tmp_path, NTU))


def recordings(count: int, *, length: int = 3) -> dict[str, bytes]:
    """Small recordings of three classes and five subjects, from the same seed always."""
    generator = np.random.default_rng(7)
    files = {}
    for i in range(count):
        name = f"S{i // 15 + 1:03d}C001P{i // 3 % 5 + 1:03d}R001A{i % 3 + 1:03d}.skeleton"
        files[f"nturgb+d_skeletons/{name}"] = raw_files.skeleton_text(raw_files.one_body(generator, length))
    return files


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def report_of(folder: Path) -> list[dict[str, str]]:
    with open(folder / "parse_report.csv", newline="") as file:
        return list(csv.DictReader(file))


# Descriptions


def test_a_description_says_what_there_is_and_what_is_missing(tmp_path, ntu):
    assert ntu.name == "few"
    assert [entry.name for entry in ntu.classes] == ["wave", "hug", "jump up"]
    assert ntu.archive_names == ["one.zip"]
    assert ntu.missing_archives(tmp_path / "raw") == [tmp_path / "raw" / "one.zip"]
    raw_files.write_folder(tmp_path / "raw" / "one", {"a": b""})
    assert ntu.missing_archives(tmp_path / "raw") == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "kinetics"}, "'kinetics' .* neither ntu-skeleton nor pku-mmd"),
        ({"archive": "one.zip"}, "unknown key 'archive'"),
        ({"archives": None}, "lacks the key 'archives'"),
        ({"archives": "one.zip"}, "must be a list of str"),
        ({"archives": "[]"}, "must be a list of str"),
        ({"train_subjects": "[1, two]"}, "must be a list of int"),
        ({"train_subjects": "[yes]"}, "must be a list of int"),
        ({"classes": "7"}, "'classes' .* must be a text"),
        ({"classes": "nowhere.csv"}, "nowhere.csv"),
        ({"missing": "nowhere.txt"}, "nowhere.txt cannot be read"),
        ({"format": "[unclosed"}, "cannot be read as YAML"),
        ({"skeletons": "x"}, "unknown key 'skeletons'"),
        ({"train_subjects": "[0x1]"}, "must be a list of int"),
        ({"train_subjects": "[1]\ntrain_subjects: [2]"}, "the key 'train_subjects' is repeated"),
        ({"expected": "{recordings: 7, gigabytes: .inf}"}, "'expected' .* must be numbers"),
        ({"expected": "7"}, "'expected' .* is 7 and must be numbers"),
        ({"expected": "{missing: 7}"}, "'expected' .* must be numbers"),
        ({"expected": "{recordings: -7}"}, "'expected' .* must be numbers"),
        ({"expected": "{recordings: 7, files: 5}"}, "'expected' .* must be numbers"),
    ],
)
def test_a_wrong_description_is_refused(tmp_path, change, reason):
    keys = {key: value for key, value in (NTU | change).items() if value is not None}
    with pytest.raises(ScopleError, match=reason):
        DataSet.load(describe(tmp_path, keys))


def test_subjects_are_decimal_as_file_names_print_them(tmp_path):
    path = describe(tmp_path, NTU | {"train_subjects": "[001, 004, 010, 013]"})
    assert DataSet.load(path).recordings.train_subjects == {1, 4, 10, 13}


def test_the_missing_list_is_optional(tmp_path):
    path = describe(tmp_path, {key: value for key, value in NTU.items() if key != "missing"})
    assert DataSet.load(path).recordings.missing == frozenset()


def test_every_description_in_the_repository_loads(root):
    names = {
        path.stem: DataSet.load(path) for path in (root / "datasets").glob("*.yaml") if "format:" in path.read_text()
    }
    assert {"ntu60": 60, "ntu120": 120, "pku": 51}.items() <= {k: len(v.classes) for k, v in names.items()}.items()
    assert len(names["ntu60"].recordings.train_subjects) == 20
    assert len(names["ntu120"].recordings.train_subjects) == 53
    assert len(names["ntu120"].recordings.missing) == 535


# Good archives


def test_names_labels_and_parts_of_the_samples(tmp_path, ntu):
    raw_files.write_folder(tmp_path / "raw" / "one", recordings(23))
    summary = parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1)
    corpus = Corpus.open(tmp_path / "out")
    assert corpus.index["name"].is_monotonic_increasing
    row = corpus.index.set_index("name").loc["S002C001P002R001A002"]
    assert row.to_dict() == {
        "label": 1, "subject": 2, "camera": 1, "setup": 2, "replication": 1,
        "is_training": False, "frames": 3, "bodies": 1,
    }  # fmt: skip
    assert corpus.index["is_training"].tolist() == corpus.index["subject"].isin([1, 3]).tolist()
    assert "S001C001P002R001A001" not in corpus.index["name"].tolist()
    assert summary == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary == {
        "parsed": 22, "training": int(corpus.index["is_training"].sum()), "frames": 66, "broken": 0,
        "members": 23, "missing_list": 1, "outside_classes": 0,
    }  # fmt: skip


def test_the_same_bytes_from_zip_and_folder_in_any_order_with_any_number_of_processes(tmp_path, ntu):
    files = recordings(70) | {"nturgb+d_skeletons/foreign": b""}
    shuffled = {name: files[name] for name in np.random.default_rng(1).permutation(list(files)).tolist()}
    raw_files.write_zip(tmp_path / "sorted" / "one.zip", files)
    raw_files.write_zip(tmp_path / "shuffled" / "one.zip", shuffled)
    raw_files.write_folder(tmp_path / "unpacked" / "one", shuffled)
    found = []
    for source, jobs in (("sorted", 1), ("sorted", 2), ("shuffled", 2), ("unpacked", 1), ("unpacked", 3)):
        parse(ntu, tmp_path / source, tmp_path / "out", jobs=jobs, max_broken=0.1)
        found.append(files_of(tmp_path / "out"))
    assert all(each == found[0] for each in found)


def test_several_archives_make_one_corpus_sorted_by_name(tmp_path):
    files = recordings(9)
    raw_files.write_zip(tmp_path / "raw" / "one.zip", dict(list(files.items())[::2]))
    raw_files.write_zip(tmp_path / "raw" / "two.zip", dict(list(files.items())[1::2]))
    raw_files.write_zip(tmp_path / "raw" / "all.zip", files)
    for archives in ("[one.zip, two.zip]", "[two.zip, one.zip]", "[all.zip]"):
        dataset = DataSet.load(describe(tmp_path, NTU | {"archives": archives}))
        parse(dataset, tmp_path / "raw", tmp_path / archives, jobs=1)
    assert files_of(tmp_path / "[one.zip, two.zip]") == files_of(tmp_path / "[two.zip, one.zip]")
    assert files_of(tmp_path / "[one.zip, two.zip]") == files_of(tmp_path / "[all.zip]")


def test_classes_outside_the_list_are_left_out_unread(tmp_path, ntu):
    files = recordings(7) | {"S001C001P001R001A061.skeleton": b"junk", "S001C001P001R001A000.skeleton": b"junk"}
    raw_files.write_folder(tmp_path / "raw" / "one", files)
    summary = parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1)
    assert (summary["outside_classes"], summary["broken"], summary["parsed"]) == (2, 0, 6)


def test_both_body_choices_by_name(tmp_path, ntu):
    generator = np.random.default_rng(3)
    long, short = raw_files.walk(generator, 17), raw_files.walk(generator, 5)
    text = raw_files.skeleton_text([[(7, long[t])] + ([(9, short[t])] if t < 5 else []) for t in range(17)])
    raw_files.write_folder(tmp_path / "raw" / "one", {"S001C001P001R001A001.skeleton": text})
    bodies = {}
    for choice in ("energy", "ctr"):
        parse(ntu, tmp_path / "raw", tmp_path / choice, jobs=1, body_choice=choice)
        bodies[choice] = Corpus.open(tmp_path / choice).index["bodies"].item()
    assert bodies == {"energy": 2, "ctr": 1}
    with pytest.raises(ScopleError, match="'best' is none of energy, ctr"):
        parse(ntu, tmp_path / "raw", tmp_path / "out", body_choice="best")


# Bad archives


def test_an_archive_that_is_not_there(tmp_path, ntu):
    with pytest.raises(ScopleError, match="one.zip is missing: put one.zip there"):
        parse(ntu, tmp_path / "raw", tmp_path / "out")


def test_bad_members_are_set_aside_with_their_reasons(tmp_path, ntu):
    files = recordings(30)
    first = "nturgb+d_skeletons/S001C001P001R001A00"
    files[f"{first}1.skeleton"] = b""
    files[f"{first}2.skeleton"] = b"1\n0\n"
    files[f"{first}3.skeleton"] = files[f"{first}3.skeleton"][:-3]
    files["z/S001C001P003R001A001.skeleton"] = b"another of the same name"
    files["../S005C001P001R001A001.skeleton"] = b"1\n0\n"
    files["../S001C001P003R001A002.skeleton"] = b"must not stand in for the one with a sound path"
    files["readme.txt"] = b"not a skeleton"
    raw_files.write_zip(tmp_path / "raw" / "one.zip", files)
    summary = parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.3)
    assert (summary["members"], summary["parsed"], summary["broken"]) == (33, 26, 6)
    rows = {row["file"]: (row["line"], row["kind"], row["reason"]) for row in report_of(tmp_path / "out")}
    assert rows == {
        f"{first}1.skeleton": ("0", "broken", "the file ends where a frame count should stand"),
        f"{first}2.skeleton": ("0", "broken", "no frame has a body"),
        f"{first}3.skeleton": ("85", "broken", "a joint has 12 fields, here are 11"),
        "z/S001C001P003R001A001.skeleton": (
            "0", "broken", "a second file of this name; one/nturgb+d_skeletons/S001C001P003R001A001.skeleton is used",
        ),
        "../S005C001P001R001A001.skeleton": ("0", "broken", "its path leads out of the archive"),
        "../S001C001P003R001A002.skeleton": ("0", "broken", "its path leads out of the archive"),
        "readme.txt": ("0", "stranger", "no recording"),
    }  # fmt: skip


def test_a_file_name_in_no_known_encoding_can_be_reported(tmp_path, ntu):
    raw_files.write_folder(tmp_path / "raw" / "one", recordings(3))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/raw/one/\xff\n.skeleton")).touch()
    parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.5)
    assert [row["file"] for row in report_of(tmp_path / "out")] == ["\\udcff\\n.skeleton"]


@pytest.mark.parametrize(("broken", "passes"), [(2, True), (3, False)])
def test_more_broken_members_than_allowed_stop_before_anything_is_written(tmp_path, ntu, broken, passes):
    files = recordings(20)
    for name in list(files)[5 : 5 + broken]:
        files[name] = b"1\nx\n"
    raw_files.write_folder(tmp_path / "raw" / "one", files)
    raw_files.write_folder(tmp_path / "out", {"earlier": b"result"})
    if passes:
        assert parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.1)["broken"] == 2
    else:
        with pytest.raises(ScopleError, match="3 broken files among 20, .* line 2 .* max_broken is 0.1"):
            parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.1)
        assert files_of(tmp_path / "out") == {"earlier": b"result"}
        assert sorted(os.listdir(tmp_path)) == ["classes.csv", "few.yaml", "missing.txt", "out", "raw"]


def test_an_archive_without_any_sample_is_refused(tmp_path, ntu):
    (tmp_path / "raw" / "one").mkdir(parents=True)
    with pytest.raises(ScopleError, match="none of the 0 files"):
        parse(ntu, tmp_path / "raw", tmp_path / "out")


def test_strangers_are_named_and_stop_nothing(tmp_path, ntu):
    strangers = {".DS_Store": b"x", "Thumbs.db": b"x", "README.txt": b"x"}
    strangers["__MACOSX/nturgb+d_skeletons/._S001C001P001R001A001.skeleton"] = b"x"
    raw_files.write_zip(tmp_path / "raw" / "one.zip", recordings(5) | strangers)
    summary = parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.0)
    assert (summary["members"], summary["broken"], summary["stranger"]) == (5, 0, 4)
    assert {row["file"] for row in report_of(tmp_path / "out") if row["kind"] == "stranger"} == strangers.keys()


def test_what_looks_like_a_recording_is_no_stranger(tmp_path, ntu):
    odd = {"S001C001P001R001A001 (1).skeleton": b"x", "S001C001P001R001A001.txt": b"x"}
    raw_files.write_folder(tmp_path / "raw" / "one", recordings(5) | odd)
    assert parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.5)["broken"] == 2


def test_an_archive_beside_the_one_that_is_read_is_named(tmp_path, ntu):
    raw_files.write_zip(tmp_path / "raw" / "one.zip", recordings(3))
    raw_files.write_folder(tmp_path / "raw" / "one", recordings(6))
    assert parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1)["members"] == 3
    (row,) = report_of(tmp_path / "out")
    assert row == {"file": "one", "line": "0", "kind": "unused_archive", "reason": "one.zip is read instead"}


def test_a_sound_copy_stands_in_for_a_damaged_one(tmp_path):
    dataset = DataSet.load(describe(tmp_path, NTU | {"archives": "[one.zip, two.zip]"}))
    files = recordings(3)
    name = next(iter(files))
    raw_files.write_zip(tmp_path / "raw" / "one.zip", files | {name: b"1\nx\n"})
    raw_files.write_zip(tmp_path / "raw" / "two.zip", {name: files[name]})
    raw_files.write_zip(tmp_path / "good" / "one.zip", files)
    raw_files.write_zip(tmp_path / "good" / "two.zip", {})
    parse(dataset, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.3)
    parse(dataset, tmp_path / "good", tmp_path / "sound", jobs=1)
    for file in ("index.csv", "sequences.npy"):
        assert files_of(tmp_path / "out")[file] == files_of(tmp_path / "sound")[file]
    (row,) = report_of(tmp_path / "out")
    assert (row["line"], row["kind"]) == ("2", "broken")
    assert row["reason"].endswith(f"in one/{name}; two/{name} is used")


def test_nothing_from_outside_reaches_the_report_raw(tmp_path, ntu):
    raw_files.write_zip(tmp_path / "raw" / "one.zip", recordings(3) | {"\x1b[31mred" + "d" * 200 + ".skeleton": b""})
    parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.5)
    assert files_of(tmp_path / "out")["parse_report.csv"].replace(b"\n", b"").decode().isprintable()
    (row,) = report_of(tmp_path / "out")
    assert len(row["file"]) == 80
    raw_files.write_zip(tmp_path / "raw" / "one.zip", {"\x1b[31mred.skeleton": b""})
    with pytest.raises(ScopleError, match=r"the last \\x1b\[31mred\.skeleton"):
        parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1)


def test_coordinates_out_of_reach_are_noted_and_used(tmp_path, ntu):
    generator = np.random.default_rng(3)
    for distance, kinds in ((6, []), (90, ["far"])):
        text = raw_files.skeleton_text([[(7, joints)] for joints in raw_files.walk(generator, 3) + distance])
        raw_files.write_folder(tmp_path / "raw" / "one", {"S001C001P001R001A001.skeleton": text})
        assert parse(ntu, tmp_path / "raw", tmp_path / "out", jobs=1)["parsed"] == 1
        assert [row["kind"] for row in report_of(tmp_path / "out")] == kinds


# PKU-MMD


def test_a_cut_video_counts_as_broken(tmp_path, pku):
    folders = videos()
    lines = folders["skeletons"]["0043-L.txt"].splitlines(keepends=True)
    folders["labels"] = {"0043-L.txt": b"1,1,5,1\n2,11,15,1\n3,21,25,1\n"}
    folders["skeletons"] = {"0043-L.txt": b"".join(lines[:9])}
    write_videos(tmp_path / "raw", folders)
    with pytest.raises(ScopleError, match="2 of 3 instances lie outside its 9 frames"):
        parse(pku, tmp_path / "raw", tmp_path / "out", jobs=1)
    assert parse(pku, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.5)["parsed"] == 1


@pytest.fixture
def pku(tmp_path):
    return DataSet.load(describe(tmp_path, PKU))


def videos() -> dict[str, dict[str, bytes]]:
    generator = np.random.default_rng(5)
    texts = [
        raw_files.video_text(np.stack([raw_files.walk(generator, 31), bodies * raw_files.walk(generator, 31)]))
        for bodies in (0, 1, 1)
    ]
    return {
        "skeletons": {"0003-M.txt": texts[0], "0002-L.txt": texts[1], "0043-L.txt": texts[2]},
        "labels": {
            "0002-L.txt": b"3,1,10,2\n9,11,12,1\n2,25,20,1\n1,30,40,1\n1,32,40,1\n",
            "0003-M.txt": b"1,5,7,1\n",
            "0043-L.txt": b"1,1,2,1\n" * 20 + b"1,3,4,1\n",
        },
        ".": {"cross-subject.txt": b"training\n0002-L, 0043-L\ntest\n0003-M\n"},
    }


def write_videos(raw: Path, folders: dict[str, dict[str, bytes]]) -> None:
    for folder, files in folders.items():
        raw_files.write_folder(raw / folder, files)


def test_instances_of_videos(tmp_path, pku):
    write_videos(tmp_path / "raw", videos())
    summary = parse(pku, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.2)
    index = Corpus.open(tmp_path / "out").index
    rows = index[["name", "label", "camera", "setup", "replication", "is_training", "frames", "bodies"]]
    first, swapped, clipped, *of_43 = rows.values.tolist()
    assert first == ["0002-L-001", 2, 1, 2, 1, True, 10, 2]
    assert swapped == ["0002-L-003", 1, 1, 2, 3, True, 6, 2]
    assert clipped == ["0002-L-004", 0, 1, 2, 4, True, 2, 2]
    assert of_43[0] == ["0003-M-001", 0, 2, 3, 1, False, 3, 1]
    assert [row[0] for row in of_43[1:]] == ["0043-L-001"]
    assert (index["subject"] == 0).all()
    assert summary == {
        "parsed": 5, "training": 4, "frames": 43, "broken": 1, "members": 6,
        "clipped": 1, "known_bad": 1, "outside_classes": 1, "outside_video": 1, "repeated": 19, "swapped": 1,
    }  # fmt: skip
    rows = report_of(tmp_path / "out")
    assert rows[0]["reason"] == "1 of 5 instances lie outside its 31 frames"
    assert [(row["file"], row["line"], row["kind"]) for row in rows] == [
        ("0002-L.txt", "0", "broken"),
        ("0002-L.txt", "2", "outside_classes"),
        ("0002-L.txt", "3", "swapped"),
        ("0002-L.txt", "4", "clipped"),
        ("0002-L.txt", "5", "outside_video"),
        *(("0043-L.txt", str(line), "repeated") for line in range(2, 21)),
        ("0043-L.txt", "21", "known_bad"),
    ]


def test_videos_from_zips_give_the_same_bytes(tmp_path, pku):
    folders = videos()
    write_videos(tmp_path / "raw", folders)
    write_videos(tmp_path / "zips", {".": folders["."]})
    raw_files.write_zip(tmp_path / "zips" / "skeletons.zip", folders["skeletons"])
    raw_files.write_zip(tmp_path / "zips" / "labels.zip", folders["labels"])
    for raw in ("raw", "zips"):
        parse(pku, tmp_path / raw, tmp_path / f"from_{raw}", jobs=1, max_broken=0.2)
    assert files_of(tmp_path / "from_raw") == files_of(tmp_path / "from_zips")


def test_videos_that_cannot_be_used_are_set_aside(tmp_path, pku):
    folders = videos()
    skeletons, labels = folders["skeletons"], folders["labels"]
    skeletons |= {"0007-L.txt": b"", "0009-R.txt": skeletons["0002-L.txt"], "0010-R.txt": skeletons["0002-L.txt"]}
    skeletons |= {"0011-L.txt": b"0.5 " * 149 + b"\n", "0012-L.txt": skeletons["0002-L.txt"], "A10N08-L.txt": b""}
    labels |= {"0008-L.txt": b"", "0009-R.txt": b"1,1,2,1\n1;1;2;1\n", "0010-R.txt": b"1,1,2,1\n", "0011-L.txt": b""}
    folders["."] = {"cross-subject.txt": b"a\n0002-L,0043-L,0007-L,0009-R\nb\n0003-M,0008-L,0011-L\n"}
    write_videos(tmp_path / "raw", folders)
    summary = parse(pku, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.5)
    assert (summary["members"], summary["broken"], summary["parsed"]) == (16, 8, 5)
    broken = [
        (row["file"], row["line"], row["reason"]) for row in report_of(tmp_path / "out") if row["kind"] == "broken"
    ]
    assert broken == [
        ("0002-L.txt", "0", "1 of 5 instances lie outside its 31 frames"),
        ("0007-L.txt", "0", "has no label file"),
        ("0008-L.txt", "0", "has no skeleton file"),
        ("0009-R.txt", "2", "'1;1;2;1' is not class,start,end,confidence"),
        ("0010-R.txt", "0", "stands in neither list of cross-subject.txt"),
        ("0011-L.txt", "1", "a frame has 150 fields, here are 149"),
        ("0012-L.txt", "0", "has no label file"),
        ("A10N08-L.txt", "0", "the name is not of the form XXXX-V.txt, V one of L, M, R"),
    ]


def test_the_cross_subject_list_must_be_there(tmp_path, pku):
    folders = videos()
    write_videos(tmp_path / "raw", {name: folders[name] for name in ("skeletons", "labels")})
    with pytest.raises(ScopleError, match="cross-subject.txt is missing"):
        parse(pku, tmp_path / "raw", tmp_path / "out")


# Processes


class Counted(list):
    """Tasks that count how many were taken."""

    taken = 0

    def __iter__(self):
        for task in super().__iter__():
            self.taken += 1
            yield task


def test_results_come_in_order_and_few_tasks_are_given_out_ahead():
    tasks = Counted(range(-400, 0))
    results = ordered_map(abs, tasks, jobs=2)
    for done, result in enumerate(results, start=1):
        assert result == 401 - done
        assert tasks.taken < done + 2 * AHEAD
    assert done == 400


def test_a_killed_worker_is_told_in_one_sentence():
    with pytest.raises(ScopleError, match="one of 2 worker processes ended early"):
        list(ordered_map(os._exit, [3, 3], jobs=2))


def test_a_worker_killed_while_it_answers_is_told_in_one_sentence():
    half = "import os, pickle; os.write(1, pickle.dumps(bytes(1000))[:-50]); os._exit(3)"
    with pytest.raises(ScopleError, match="one of 2 worker processes ended early"):
        list(ordered_map(exec, [half, half], jobs=2))


def test_the_frame_base_of_the_labels_is_stated_and_moves_the_cut(tmp_path):
    write_videos(tmp_path / "raw", videos())
    sequences = {}
    for first_frame in ("0", "1"):
        dataset = DataSet.load(describe(tmp_path, PKU | {"first_frame": first_frame}))
        parse(dataset, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.2)
        sequences[first_frame] = np.array(Corpus.open(tmp_path / "out").sequence(0))
    assert [len(sequences[first_frame][0]) for first_frame in ("0", "1")] == [9, 10]  # frames 1..10, end out or in
    assert np.array_equal(sequences["0"], sequences["1"][:, 1:])


@pytest.mark.parametrize("value", ["2", "'1'", "true", "null"])
def test_the_frame_base_of_the_labels_is_0_or_1(tmp_path, value):
    with pytest.raises(ScopleError, match="first_frame.*must be 0 or 1"):
        DataSet.load(describe(tmp_path, PKU | {"first_frame": value}))
