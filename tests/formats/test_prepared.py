"""Recordings as pyskl and CTR-GCN prepare them: the same samples as from the raw files, and what was lost."""

import io
import pickle
import re
import zipfile
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import raw_files

from scople.base.errors import ScopleError
from scople.data.corpus import Corpus
from scople.data.skeletons import BODY_CHOICES
from scople.formats import ntu, prepared
from scople.formats.datasets import DataSet, parse
from scople.formats.prepared import losses_of
from scople.formats.safe_pickle import PackedArray

CLASSES = ("wave", "hug", "jump up")
TRAIN_SUBJECTS = (1, 3)


def describe(folder, source=""):
    """The data set of raw files, and the same as others prepare it."""
    lines = "".join(f"{number},{name},0\n" for number, name in enumerate(CLASSES, 1))
    (folder / "classes.csv").write_text("id,label,two_person\n" + lines)
    (folder / "missing.txt").write_text("S001C001P005R001A001\n")
    (folder / "few.yaml").write_text(
        "format: ntu-skeleton\narchives: [one.zip]\nclasses: classes.csv\n"
        "train_subjects: [1, 3]\nmissing: missing.txt\n"
        "sources:\n"
        "  pyskl: {format: pyskl, file: few.pkl, training: xsub_train}\n"
        "  ctr-npz: {format: ctr-npz, file: few.npz, expected: {recordings: 17, training: 13}}\n"
    )
    return DataSet.load(folder / "few.yaml", source)


def write_raw(folder, count=23):
    """Recordings of one or two persons, some with an empty frame, and every third with a short-lived body."""
    generator = np.random.default_rng(7)
    texts = {}
    for i in range(count):
        length = 13 + i % 5
        bodies = [raw_files.walk(generator, length) for _ in range(1 + i % 2)]
        frames = [[(raw_files.FIRST_ID + k, body[frame]) for k, body in enumerate(bodies)] for frame in range(length)]
        if i % 3 == 0:
            frames[5].append((raw_files.FIRST_ID + 7, generator.normal(size=(25, 3))))
        name = f"S{i // 15 + 1:03d}C001P{i // 3 % 5 + 1:03d}R001A{i % 3 + 1:03d}"
        texts[name] = raw_files.skeleton_text(frames)
    raw_files.write_folder(folder / "one", {f"{name}.skeleton": text for name, text in texts.items()})
    return texts


def chosen(texts, choice="ctr"):
    """Name → persons (M,T,V,C), as whoever makes such a file chooses them."""
    return {name: BODY_CHOICES[choice](ntu.parse_skeleton(text)) for name, text in texts.items()}


def annotation(name, array, **more):
    return {
        "frame_dir": name, "label": int(name[-3:]) - 1, "keypoint": array, "total_frames": array.shape[1],
    } | more  # fmt: skip


def pyskl(bodies, dtype=np.float32, **more):
    """The document of a pickle; its order is not that of the names."""
    names = sorted(bodies, reverse=True)
    lists = {
        "xsub_train": [name for name in names if int(name[9:12]) in TRAIN_SUBJECTS],
        "xsub_val": [name for name in names if int(name[9:12]) not in TRAIN_SUBJECTS],
    }
    return {"split": lists, "annotations": [annotation(name, bodies[name].astype(dtype), **more) for name in names]}


def write_pickle(folder, document, protocol=2):
    folder.mkdir(exist_ok=True)
    (folder / "few.pkl").write_bytes(pickle.dumps(document, protocol))


def ctr(bodies, frames=31, dtype=np.float32, copied=False):
    """The arrays of an archive: bodies moved by the first spine, zeros to the end, labels one-hot."""
    arrays = {}
    for part, is_training in (("train", True), ("test", False)):
        names = [name for name in sorted(bodies) if (int(name[9:12]) in TRAIN_SUBJECTS) == is_training]
        x = np.zeros((len(names), frames, 2, 25, 3), dtype)
        for row, name in enumerate(names):
            moved = bodies[name] - bodies[name][0, 0, 1]
            moved[~bodies[name].any(axis=(2, 3))] = 0
            x[row, : moved.shape[1], : len(moved)] = moved.swapaxes(0, 1)
            if copied and len(moved) == 1:
                x[row, :, 1] = x[row, :, 0]
        arrays[f"x_{part}"] = x.reshape(len(names), frames, 150)
        arrays[f"y_{part}"] = np.eye(len(CLASSES))[[int(name[-3:]) - 1 for name in names]]
    return arrays


def write_npz(folder, arrays, save=np.savez):
    folder.mkdir(exist_ok=True)
    save(folder / "few.npz", **arrays)


def corpus_bytes(folder):
    return {name: (folder / name).read_bytes() for name in ("index.csv", "sequences.npy")}


def report(folder):
    return pd.read_csv(folder / "parse_report.csv", keep_default_na=False).set_index("kind")


# pyskl


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_float32_annotations_give_the_corpus_of_the_raw_files(tmp_path, protocol):
    texts = write_raw(tmp_path / "raw")
    plain = parse(describe(tmp_path), tmp_path / "raw", tmp_path / "plain", jobs=1, body_choice="ctr")
    write_pickle(tmp_path / "raw", pyskl(chosen(texts)), protocol)
    summary = parse(describe(tmp_path, "pyskl"), tmp_path / "raw", tmp_path / "out", jobs=1)
    assert corpus_bytes(tmp_path / "out") == corpus_bytes(tmp_path / "plain")
    assert (summary["parsed"], summary["missing_list"]) == (plain["parsed"], plain["missing_list"]) == (22, 1)
    assert losses_of(tmp_path / "plain") == []
    assert losses_of(tmp_path / "out") == [
        "few.pkl has bodies chosen when the file was made, whatever body_choice says"
    ]


def test_two_processes_give_the_same_bytes(tmp_path):
    texts = write_raw(tmp_path / "raw", 71)
    write_pickle(tmp_path / "raw", pyskl(chosen(texts)), 4)
    for jobs in (1, 2):
        parse(describe(tmp_path, "pyskl"), tmp_path / "raw", tmp_path / str(jobs), jobs=jobs)
    assert corpus_bytes(tmp_path / "1") == corpus_bytes(tmp_path / "2")


def test_rounding_is_found_in_either_precision(tmp_path):
    bodies = chosen(write_raw(tmp_path / "raw"))
    for place, dtype in (("half", np.float16), ("single", np.float32)):
        rounded = {name: body.astype(np.float16) for name, body in bodies.items()}
        write_pickle(tmp_path / "raw", pyskl(rounded, dtype))
        summary = parse(describe(tmp_path, "pyskl"), tmp_path / "raw", tmp_path / place, jobs=1)
        assert summary["rounded"] == 22
        assert "coordinates rounded to half precision" in losses_of(tmp_path / place)[0]
    assert corpus_bytes(tmp_path / "half") == corpus_bytes(tmp_path / "single")
    corpus = Corpus.open(tmp_path / "half")
    body = bodies[corpus.index["name"][3]]
    np.testing.assert_allclose(corpus.sequence(3), body, atol=2e-3)


def test_a_list_of_the_file_can_tell_the_training_part(tmp_path):
    names = [f"clip-{number}" for number in (5, 3, 2)]
    generator = np.random.default_rng(1)
    entries = [
        annotation("x001", raw_files.walk(generator, 5)[None], frame_dir=name, label=number)
        for number, name in enumerate(names)
    ]
    write_pickle(tmp_path / "raw", {"split": {"mine": names[:2]}, "annotations": entries})
    describe(tmp_path)
    (tmp_path / "own.yaml").write_text("format: pyskl\nfile: few.pkl\nclasses: classes.csv\ntraining: mine\n")
    parse(DataSet.load(tmp_path / "own.yaml"), tmp_path / "raw", tmp_path / "out", jobs=1)
    index = Corpus.open(tmp_path / "out").index
    assert index["name"].tolist() == sorted(names)
    assert index["label"].tolist() == [2, 1, 0]
    assert index["is_training"].tolist() == [False, True, True]
    assert index["subject"].tolist() == [0, 0, 0]
    (tmp_path / "own.yaml").write_text("format: pyskl\nfile: few.pkl\nclasses: classes.csv\ntraining: yours\n")
    with pytest.raises(ScopleError, match="no list 'yours', it has mine"):
        parse(DataSet.load(tmp_path / "own.yaml"), tmp_path / "raw", tmp_path / "out", jobs=1)


def test_a_list_that_contradicts_the_subjects_is_noted(tmp_path):
    document = pyskl(chosen(write_raw(tmp_path / "raw")))
    document["split"]["xsub_train"] = document["split"]["xsub_train"][2:]
    write_pickle(tmp_path / "raw", document)
    parse(describe(tmp_path, "pyskl"), tmp_path / "raw", tmp_path / "out", jobs=1)
    assert report(tmp_path / "out").loc["division", "reason"].startswith("2 recordings have another part")
    assert "another division" in losses_of(tmp_path / "out")[0]


def test_padding_that_total_frames_tells_is_cut(tmp_path):
    bodies = chosen(write_raw(tmp_path / "raw"))
    document = pyskl(bodies)
    write_pickle(tmp_path / "raw", document)
    parse(describe(tmp_path, "pyskl"), tmp_path / "raw", tmp_path / "plain", jobs=1)
    for entry in document["annotations"]:
        entry["keypoint"] = np.pad(entry["keypoint"], ((0, 0), (0, 3), (0, 0), (0, 0)))
    write_pickle(tmp_path / "raw", document)
    summary = parse(describe(tmp_path, "pyskl"), tmp_path / "raw", tmp_path / "out", jobs=1)
    assert summary["padded"] == 22
    assert corpus_bytes(tmp_path / "out") == corpus_bytes(tmp_path / "plain")


def nan_at(array):
    array = array.copy()
    array[0, 2, 3, 1] = np.nan
    return array


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda entry: {"label": entry["label"] + 1}, "its name says"),
        (lambda entry: {"label": "x"}, "no whole number"),
        (lambda entry: {"label": 10**5000}, "no whole number"),
        (lambda entry: {"frame_dir": nested(60)}, "frame_dir is of the type tuple"),
        (lambda entry: {"frame_dir": 10**5000}, "frame_dir is of the type int"),
        (lambda entry: {"frame_dir": "clip"}, "not of the form"),
        (lambda entry: {"frame_dir": "a\nb"}, "no name of 1 to 200"),
        (lambda entry: {"keypoint": [1, 2]}, "is no array"),
        (lambda entry: {"keypoint": entry["keypoint"][..., :2]}, "it has the shape"),
        (lambda entry: {"keypoint": entry["keypoint"][:, :, :17]}, "it has the shape"),
        (lambda entry: {"keypoint": np.zeros_like(entry["keypoint"])}, "no frame has a body"),
        (lambda entry: {"keypoint": nan_at(entry["keypoint"])}, "a coordinate is nan m"),
        (lambda entry: {"keypoint": 1000 * entry["keypoint"]}, "beyond 100 m"),
        (lambda entry: {"keypoint": entry["keypoint"].astype(np.int64)}, "no floating point"),
        (lambda entry: {"total_frames": 2}, "total_frames is 2"),
    ],
)
def test_a_broken_annotation_is_set_aside(tmp_path, change, reason):
    document = pyskl(chosen(write_raw(tmp_path / "raw")))
    document["annotations"][7] |= change(document["annotations"][7])
    write_pickle(tmp_path / "raw", document)
    summary = parse(describe(tmp_path, "pyskl"), tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.1)
    assert (summary["parsed"], summary["broken"]) == (21, 1)
    assert reason in report(tmp_path / "out").loc["broken", "reason"]


def test_a_second_annotation_of_a_name_is_broken(tmp_path):
    document = pyskl(chosen(write_raw(tmp_path / "raw")))
    document["annotations"].append(dict(document["annotations"][3]))
    write_pickle(tmp_path / "raw", document)
    summary = parse(describe(tmp_path, "pyskl"), tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.1)
    assert (summary["parsed"], summary["broken"]) == (22, 1)
    assert "a second recording" in report(tmp_path / "out").loc["broken", "reason"]


def nested(levels):
    """A tuple that doubles with each level: its text would fill any memory."""
    value = ()
    for _ in range(levels):
        value = (value, value)
    return value


def test_an_array_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(prepared, "MOST_FRAMES", 40)
    document = pyskl(chosen(write_raw(tmp_path / "raw")))
    document["annotations"][7]["keypoint"] = np.zeros((1, 41, 25, 3), np.float32)
    write_pickle(tmp_path / "raw", document)
    read = []
    whole = PackedArray.array
    monkeypatch.setattr(PackedArray, "array", lambda self, *file: read.append(self.shape) or whole(self, *file))
    parse(describe(tmp_path, "pyskl"), tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.1)
    assert "it has 41 frames, not 1 to 40" in report(tmp_path / "out").loc["broken", "reason"]
    assert len([shape for shape in read if len(shape) == 4]) == 21
    assert (1, 41, 25, 3) not in read


def test_a_list_that_is_not_asked_for_costs_nothing(tmp_path):
    document = pyskl(chosen(write_raw(tmp_path / "raw")))
    document["split"] |= {number: document["split"]["xsub_val"] for number in (10**5000, 7)}
    write_pickle(tmp_path / "raw", document)
    assert parse(describe(tmp_path, "pyskl"), tmp_path / "raw", tmp_path / "out", jobs=1)["parsed"] == 22


class Hostile:
    def __reduce__(self):
        return io.open, ("/dev/null",)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps({"annotations": [Hostile()]}, 2), "it asks for .*open"),
        (pickle.dumps({"annotations": [Hostile()]}, 4), "it asks for .*open"),
        (pickle.dumps([1, 2], 4), "it has no list 'annotations'"),
        (pickle.dumps({"annotations": {}}, 4), "it has no list 'annotations'"),
        (pickle.dumps({"annotations": [], "split": [1]}, 4), "'split' is no dictionary"),
        (pickle.dumps({"annotations": [b"x" * 5000]}, 4)[:3000], "it (ends within an array|is no whole pickle)"),
        (pickle.dumps({"annotations": [b"x" * 5000]}, 2)[:3000], "it (ends within an array|is no whole pickle)"),
        (b"\x80\x04\x95" + (2**40).to_bytes(8, "little"), "it has a frame of 1099511627776 bytes"),
        (b"\x80\x04\x8e" + (2**62).to_bytes(8, "little") + b"x", "it ends within an array"),
        (b"\x80\x02\x8b" + (2**31 - 1).to_bytes(4, "little") + b"x", "it has more than 268435456 bytes"),
        (b"", "it is no whole pickle"),
        (b"no pickle at all", "it asks for the code"),
    ],
)
def test_a_pickle_that_is_none_is_refused(tmp_path, content, reason):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "few.pkl").write_bytes(content)
    with pytest.raises(ScopleError, match=rf"few.pkl is no readable pyskl file \({reason}") as error:
        parse(describe(tmp_path, "pyskl"), tmp_path / "raw", tmp_path / "out", jobs=1)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("protocol", [2, 4])
def test_damage_is_one_sentence_or_a_note(tmp_path, protocol):
    """Bytes of the file are changed; whatever is read of it then, nothing but a `ScopleError` is raised."""
    content = pickle.dumps(pyskl(chosen(write_raw(tmp_path / "raw", 7))), protocol)
    generator = np.random.default_rng(3)
    dataset, refused = describe(tmp_path, "pyskl"), 0
    for _ in range(150):
        damaged = bytearray(content)
        for place in generator.integers(0, len(content), 5):
            damaged[place] = generator.integers(256)
        heads = [found.start() for found in re.finditer(b"frame_dir|keypoint|S00", content)]
        damaged[heads[generator.integers(len(heads))] - generator.integers(1, 9)] = generator.integers(256)
        (tmp_path / "raw" / "few.pkl").write_bytes(damaged)
        try:
            parse(dataset, tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.5)
        except ScopleError:
            refused += 1
    assert refused > 50


# CTR-GCN


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8"])
def test_an_archive_gives_the_moved_sequences(tmp_path, save, dtype):
    bodies = chosen(write_raw(tmp_path / "raw"))
    write_npz(tmp_path / "raw", ctr(bodies, dtype=dtype), save)
    summary = parse(describe(tmp_path, "ctr-npz"), tmp_path / "raw", tmp_path / "out", jobs=2)
    corpus = Corpus.open(tmp_path / "out")
    assert len(corpus) == summary["parsed"] == len(bodies)
    assert summary["centred"] == summary["padded"] == len(bodies)
    assert all(a < b for a, b in pairwise(corpus.index["name"]))
    parts = [[name for name in sorted(bodies) if (int(name[9:12]) in TRAIN_SUBJECTS) == part] for part in (False, True)]
    assert corpus.index["is_training"].tolist() == [False] * len(parts[0]) + [True] * len(parts[1])
    for row, name in enumerate(parts[0] + parts[1]):
        assert corpus.index["label"][row] == int(name[-3:]) - 1
        body = bodies[name]
        moved = np.where(body.any(axis=(2, 3), keepdims=True), body - body[0, 0, 1], 0)
        np.testing.assert_array_equal(corpus.sequence(row), moved)
    (lost,) = losses_of(tmp_path / "out")
    for word in ("moved to the origin", "no names", "bodies chosen", "another division"):
        assert word in lost
    assert report(tmp_path / "out").loc["division", "reason"] == (
        f"x_train has {len(parts[1])} recordings, the description's protocol has 13"
    )


def test_a_second_body_that_copies_the_first_is_left_out(tmp_path):
    bodies = chosen(write_raw(tmp_path / "raw"))
    write_npz(tmp_path / "raw", ctr(bodies))
    parse(describe(tmp_path, "ctr-npz"), tmp_path / "raw", tmp_path / "plain", jobs=1)
    write_npz(tmp_path / "raw", ctr(bodies, copied=True))
    summary = parse(describe(tmp_path, "ctr-npz"), tmp_path / "raw", tmp_path / "out", jobs=1)
    assert summary["copied"] == sum(len(body) == 1 for body in bodies.values()) > 0
    assert corpus_bytes(tmp_path / "out") == corpus_bytes(tmp_path / "plain")


def few_tasks(monkeypatch):
    monkeypatch.setattr("scople.formats.ctr_npz.TASK_BYTES", 60_000)


def test_several_tasks_give_the_same_bytes_in_any_order(tmp_path, monkeypatch):
    write_npz(tmp_path / "raw", ctr(chosen(write_raw(tmp_path / "raw"))), np.savez_compressed)
    dataset = describe(tmp_path, "ctr-npz")
    parse(dataset, tmp_path / "raw", tmp_path / "plain", jobs=1)
    few_tasks(monkeypatch)
    parse(dataset, tmp_path / "raw", tmp_path / "out", jobs=2)
    assert corpus_bytes(tmp_path / "out") == corpus_bytes(tmp_path / "plain")
    plan = dataset.recordings.plan(tmp_path / "raw", classes=3, body_choice="energy")
    assert len(plan.tasks) > 5
    corpus = Corpus.open(tmp_path / "out")
    rows = {name: row for row, name in enumerate(corpus.index["name"])}
    for task in (plan.tasks[4], plan.tasks[1], plan.tasks[-1], plan.tasks[0]):
        last = plan.read(task)[-1]
        assert last.name == f"{task.part}_{task.start + len(task.labels) - 1:06d}"
        np.testing.assert_array_equal(last.sequence, corpus.sequence(rows[last.name]))


def test_an_empty_recording_is_broken(tmp_path):
    arrays = ctr(chosen(write_raw(tmp_path / "raw")))
    arrays["x_test"][3] = 0
    write_npz(tmp_path / "raw", arrays)
    summary = parse(describe(tmp_path, "ctr-npz"), tmp_path / "raw", tmp_path / "out", jobs=1, max_broken=0.1)
    assert summary["broken"] == 1
    assert report(tmp_path / "out").loc["broken", "file"] == "test_000003"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda a: {"x_train": a["x_train"][:-1]}, "x_train has 10 rows and y_train 11"),
        (lambda a: {"x_train": a["x_train"][..., :75]}, "x_train has the shape"),
        (lambda a: {"x_train": np.asfortranarray(a["x_train"])}, "in Fortran order"),
        (lambda a: {"x_test": a["x_test"].astype(int)}, "type int64, not float in C order"),
        (lambda a: {"x_test": a["x_test"].astype(object)}, "pickled objects"),
        (lambda a: {"y_test": a["y_test"][:, :2]}, "y_test has 2 columns, the class list has 3"),
        (lambda a: {"y_train": a["y_train"] * 0}, "row 0 of y_train is not one-hot"),
        (lambda a: {"y_train": a["y_train"].argmax(axis=1)}, "y_train has the shape"),
        (lambda a: {"y_test": None}, "it has no y_test"),
    ],
)
def test_an_archive_of_another_form_is_refused(tmp_path, change, reason):
    arrays = ctr(chosen(write_raw(tmp_path / "raw")))
    arrays = {name: array for name, array in (arrays | change(arrays)).items() if array is not None}
    write_npz(tmp_path / "raw", arrays)
    with pytest.raises(ScopleError, match=rf"few.npz is no readable CTR-GCN archive \(.*{reason}"):
        parse(describe(tmp_path, "ctr-npz"), tmp_path / "raw", tmp_path / "out", jobs=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_flipped_byte_is_found_by_the_sum(tmp_path, save):
    write_npz(tmp_path / "raw", ctr(chosen(write_raw(tmp_path / "raw"))), save)
    path = tmp_path / "raw" / "few.npz"
    with zipfile.ZipFile(path) as archive:
        place = archive.getinfo("x_train.npy").header_offset + 5000
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(ScopleError, match=r"few.npz is no readable CTR-GCN archive \((Bad CRC|Error)"):
        parse(describe(tmp_path, "ctr-npz"), tmp_path / "raw", tmp_path / "out", jobs=1)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_sum_that_differs_is_found_at_the_end(tmp_path, save):
    write_npz(tmp_path / "raw", ctr(chosen(write_raw(tmp_path / "raw"))), save)
    path = tmp_path / "raw" / "few.npz"
    with zipfile.ZipFile(path) as archive:
        right = archive.getinfo("x_train.npy").CRC.to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(right, right[::-1]))
    with pytest.raises(ScopleError, match=r"few.npz is no readable CTR-GCN archive \(Bad CRC"):
        parse(describe(tmp_path, "ctr-npz"), tmp_path / "raw", tmp_path / "out", jobs=1)
    assert not (tmp_path / "out").exists()


def test_a_cut_archive_is_refused(tmp_path):
    write_npz(tmp_path / "raw", ctr(chosen(write_raw(tmp_path / "raw"))))
    path = tmp_path / "raw" / "few.npz"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ScopleError, match="no readable CTR-GCN archive"):
        parse(describe(tmp_path, "ctr-npz"), tmp_path / "raw", tmp_path / "out", jobs=1)


# Descriptions


def test_a_source_that_is_not_offered_is_refused(tmp_path):
    with pytest.raises(ScopleError, match="no source 'npz', it offers pyskl, ctr-npz"):
        describe(tmp_path, "npz")


def test_a_missing_file_is_named(tmp_path):
    (tmp_path / "raw").mkdir()
    for source, name in (("pyskl", "few.pkl"), ("ctr-npz", "few.npz")):
        dataset = describe(tmp_path, source)
        assert [path.name for path in dataset.missing_archives(tmp_path / "raw")] == [name]


@pytest.mark.parametrize("name", ["ntu60", "ntu120"])
def test_the_repository_offers_both_sources(root, name):
    pickled, archive = (DataSet.load(root / f"datasets/{name}.yaml", source) for source in ("pyskl", "ctr-npz"))
    plain = DataSet.load(root / f"datasets/{name}.yaml")
    assert pickled.recordings.train_subjects == plain.recordings.train_subjects
    assert pickled.recordings.missing == plain.recordings.missing
    usable = plain.expected.recordings - plain.expected.missing
    assert usable == pickled.expected.recordings == archive.expected.recordings
    assert archive.recordings.training == archive.expected.training == {"ntu60": 40_091, "ntu120": 63_026}[name]
