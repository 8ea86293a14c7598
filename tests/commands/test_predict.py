"""`scople predict`: one command from files to answers, whatever is wrong with some of them."""

import csv
import json
import os
import pickle
import shutil
import threading
from io import StringIO

import numpy as np
import pytest
import tiny_model
from PIL import Image
from raw_files import skeleton_text
from typer.testing import CliRunner

from scople.base.artefacts import save_sealed_json
from scople.commands.cli import app
from scople.prediction.card import SYNTHETIC
from scople.prediction.model_folder import KIND
from scople.prediction.recogniser import Recogniser
from scople.recordings.clips import read_each

LABELS = "wave, clap, sit down"


@pytest.fixture(scope="module")
def folder(root, tmp_path_factory):
    return tiny_model.write_folder(tmp_path_factory.mktemp("models") / "tiny_3_2", tiny_model.make_parts(root))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with three recordings, as the current one; it is not the project's."""
    monkeypatch.chdir(tmp_path)
    for number, (frames, persons) in enumerate([(40, 1), (75, 2), (14, 1)], 1):
        np.save(tmp_path / f"take_{number}.npy", tiny_model.body(frames, number, persons))
    return tmp_path


@pytest.fixture
def predict(folder, place):
    def call(*words, labels=LABELS, model=folder):
        return CliRunner().invoke(app, ["predict", *words, "--labels", labels, "--model", str(model)])

    return call


def test_a_table_for_each_recording(predict):
    done = predict("take_1.npy", "take_2.npy")
    assert done.exit_code == 0, done.stderr
    assert done.stderr == ""
    blocks = done.stdout.split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == ["take_1.npy", "take_2.npy"]
    for block in blocks:
        assert all(label in block for label in LABELS.split(", "))
        assert "chance 33.3 %" in block
        assert f"note: {SYNTHETIC}" in block


def test_json_on_standard_output_is_one_document(predict):
    document = json.loads(predict("take_*.npy", "--format", "json", "--top", "3").stdout)
    assert [answer["recording"] for answer in document["answers"]] == ["take_1.npy", "take_2.npy", "take_3.npy"]
    for answer in document["answers"]:
        shares = [entry["probability"] for entry in answer["labels"]]
        assert sum(shares) == pytest.approx(1, abs=1e-12)
        assert shares == sorted(shares, reverse=True)
        assert answer["margin"] == pytest.approx(shares[0] - shares[1])
        assert answer["note"] == SYNTHETIC


def test_top_and_csv_and_out(predict, place):
    done = predict(".", "--format", "csv", "--top", "2", "--out", "answers.csv")
    assert (done.exit_code, done.stdout) == (0, "")
    rows = list(csv.DictReader(StringIO((place / "answers.csv").read_text())))
    assert [row["rank"] for row in rows] == 3 * ["1", "2"]


def test_options_that_a_format_does_not_need_are_named_once(predict, place):
    frames = [[(1, joints)] for joints in tiny_model.body(12, 1)[0]]
    for name in ("one.skeleton", "two.skeleton"):
        (place / name).write_bytes(skeleton_text(frames))
    done = predict("one.skeleton", "two.skeleton", "--unit", "mm", "--up", "z")
    assert done.exit_code == 0, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("note: predict: joints, unit and axis of NTU skeleton text are the format's own")
    assert line.endswith("without --unit and --up.")
    assert predict("one.skeleton", "--fps", "25").stderr == ""


def test_windows_are_a_table_of_times(predict):
    done = predict("take_2.npy", "--window", "1", "--stride", "0.5", "--format", "json")
    spans = [(answer["start"], answer["end"]) for answer in json.loads(done.stdout)["answers"]]
    assert spans == [(0, 1), (0.5, 1.5), (1, 2), (1.5, 2.5)]
    assert "from s" in predict("take_2.npy", "--window", "1").stdout


def test_windows_that_are_too_short_are_said(predict):
    said = "Its windows have 6 frames of 1/30 s"
    assert predict("take_1.npy", "--window", "0.2").stdout.count(said) == 1
    assert said not in predict("take_1.npy", "--window", "0.4").stdout


def test_the_gate_may_choose_a_seen_class(predict):
    """Every entropy of three classes is above or below 1 nat; both kinds are named."""
    document = json.loads(predict("take_*.npy", "--seen-too", "--format", "json").stdout)
    for answer in document["answers"]:
        candidates = tiny_model.SEEN if answer["chosen_from"] == "seen classes" else LABELS.split(", ")
        assert sorted(entry["label"] for entry in answer["labels"]) == sorted(candidates)


def test_a_label_that_is_a_seen_class_is_said(predict):
    done = predict("take_1.npy", labels="Jump up, clap")
    assert "warning: 'Jump up' is a seen class" in done.stdout
    assert "seen class" not in predict("take_1.npy").stdout


def test_a_description_that_is_a_seen_class_is_said(predict, place):
    (place / "labels.csv").write_text("label,description\nsip,drink water\nclap,clap both hands\n")
    done = predict("take_1.npy", labels="labels.csv")
    assert "warning: 'sip' is a seen class" in done.stdout
    assert done.stdout.count("seen class") == 1


def test_what_does_not_look_like_a_person_is_said(predict, place):
    np.save(place / "head_down.npy", tiny_model.body(9, 1) * np.array([1, -1, 1], np.float32))
    printed = predict("head_down.npy").stdout
    assert "below the pelvis" in printed
    assert "9 frames" in printed


def test_a_bad_file_costs_one_line_and_not_the_batch(predict, place):
    (place / "take_0.npy").write_bytes(b"not an array")
    np.save(place / "take_4.npy", np.zeros((30, 25, 3), np.float32))
    done = predict("take_*.npy", "--format", "json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert len(document["answers"]) == 3
    assert [entry["file"] for entry in document["failed"]] == ["take_0.npy", "take_4.npy"]
    first, second, last = done.stderr.splitlines()
    assert "take_0.npy" in first
    assert "take_4.npy" in second
    assert last == "2 of 5 files have no answer."
    assert "Traceback" not in done.stderr


def test_a_bad_recording_does_not_cost_the_others_of_its_file(predict, place):
    bodies = [tiny_model.body(20, number) for number in (1, 2, 3)]
    annotations = [{"keypoint": body} for body in (bodies[0], 0 * bodies[1], bodies[2])]
    (place / "three.pkl").write_bytes(pickle.dumps({"annotations": annotations}))
    done = predict("three.pkl", "take_1.npy", "--format", "json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert [answer["recording"] for answer in document["answers"]] == ["take_1.npy", "three.pkl 1", "three.pkl 3"]
    (failed,) = document["failed"]
    assert failed["file"] == "three.pkl"
    assert failed["reason"].startswith("three.pkl 2 cannot be used (no frame has a body)")
    first, last = done.stderr.splitlines()
    assert first == f"error: predict: {failed['reason']}"
    assert last == "1 of 2 files have answers for some of their recordings only."


def test_a_file_that_needs_too_much_memory_costs_one_line(predict, monkeypatch):
    def full(path, reading):
        if path.name == "take_2.npy":
            raise MemoryError
        return read_each(path, reading)

    monkeypatch.setattr("scople.commands.predict.read_each", full)
    done = predict("take_*.npy", "--format", "json")
    assert done.exit_code == 1
    assert [answer["recording"] for answer in json.loads(done.stdout)["answers"]] == ["take_1.npy", "take_3.npy"]
    assert done.stderr.splitlines()[0].startswith("error: predict: take_2.npy needs more memory")


def test_a_good_file_has_the_same_answer_beside_a_bad_one(predict, place):
    before = json.loads(predict("take_*.npy", "--format", "json").stdout)
    (place / "take_0.npy").write_bytes(b"not an array")
    assert json.loads(predict("take_*.npy", "--format", "json").stdout)["answers"] == before["answers"]


def test_an_animation_of_the_right_length(predict, place):
    done = predict("take_1.npy", "--draw", "out.gif")
    assert done.exit_code == 0, done.stderr
    with Image.open(place / "out.gif") as picture:
        assert (picture.format, picture.n_frames) == ("GIF", 14)  # 40 frames, every third


def test_a_still_picture(predict, place):
    assert predict("take_2.npy", "--draw", "out.png", "--window", "1").exit_code == 0
    with Image.open(place / "out.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["missing.npy"], "'missing.npy'"),
        (["take_1.npy", "--stride", "1"], "no --window"),
        (["take_1.npy", "--draw", "out.mp4"], "must end in .gif or .png"),
        (["take_*.npy", "--draw", "out.gif"], "3 files are named"),
        (["take_1.npy", "--template", "nothing"], "'nothing'"),
        (["take_1.npy", "--joints", "octopus8"], "octopus8"),
    ],
)
def test_a_call_that_cannot_be_answered(predict, place, words, said):
    done = predict(*words)
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: predict: ")
    assert said in line
    assert done.stdout == ""
    assert not list(place.glob("out.*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "kept"], "is a folder"),
        (["--draw", "kept.gif"], "is a folder"),
        (["--out", ""], "is a folder"),
        (["--out", "take_1.npy"], "reads that file"),
        (["--out", "link.npy"], "reads that file"),
        (["--out", "names.txt"], "reads that file"),
        (["--out", "model/config.json"], "reads that file"),
        (["--out", "take_2.npy/a.csv"], "is no folder"),
        (["--draw", "pipe.png"], "no plain file"),
        (["--out", "a.png", "--draw", "a.png"], "name two files"),
    ],
)
def test_a_place_where_something_would_be_lost(predict, place, folder, words, said, monkeypatch):
    """Nothing is lost, and nothing is computed first."""
    for name in ("kept", "kept.gif"):
        (place / name).mkdir()
        (place / name / "file").write_text("dear")
    (place / "link.npy").symlink_to("take_1.npy")
    (place / "names.txt").write_text("wave\nclap\n")
    (place / "model").symlink_to(folder)
    os.mkfifo(place / "pipe.png")
    monkeypatch.setattr(Recogniser, "load", None)
    before = {path: path.is_file() and path.read_bytes() for path in place.rglob("*")}
    done = predict("take_1.npy", *words, labels="names.txt")
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: predict: {words[-2] if len(words) == 2 else '--out and --draw'} ")
    assert said in line
    assert {path: path.is_file() and path.read_bytes() for path in place.rglob("*")} == before


def test_answers_go_into_a_pipe(predict, place):
    got = []
    os.mkfifo(place / "pipe")
    reader = threading.Thread(target=lambda: got.append((place / "pipe").read_text()), daemon=True)
    reader.start()
    assert predict("take_1.npy", "--out", "pipe").exit_code == 0
    reader.join(10)
    assert "chance 33.3 %" in got[0]
    assert (place / "pipe").is_fifo()


def test_labels_and_models_that_cannot_be_used(predict, root, monkeypatch):
    assert "leave nothing to choose" in (done := predict("take_1.npy", labels="wave")).stderr
    assert done.exit_code == 2
    assert "'wave' and 'Wave' alike" in (done := predict("take_1.npy", labels="wave, Wave")).stderr
    assert done.exit_code == 2
    assert "in the project's folder only" in (done := predict("take_1.npy", model="ntu60_55_5")).stderr
    assert done.exit_code == 2
    monkeypatch.chdir(root)
    assert "no folder and no split" in (done := predict("params.yaml", model="nonsense")).stderr
    assert done.exit_code == 2


@pytest.mark.parametrize(
    "words", [[], ["a.npy"], ["a.npy", "--labels", "a, b", "--top", "0"], ["a.npy", "--labels", "a, b", "--up", "x"]]
)
def test_a_wrong_call_exits_with_2(words):
    assert CliRunner().invoke(app, ["predict", *words]).exit_code == 2


@pytest.mark.parametrize("option", ["--fps", "--window", "--stride"])
@pytest.mark.parametrize("value", ["inf", "nan", "-inf", "1e300", "7201"])
def test_numbers_without_a_meaning_are_a_wrong_call(predict, option, value):
    done = predict("take_1.npy", option, value)
    assert done.exit_code == 2
    assert f"'{option}'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_file_name_that_is_no_text_is_shown_by_its_bytes(predict, place, form):
    os.rename(place / "take_1.npy", os.fsencode(place) + b"/\xff\xfe.npy")
    for words in ([], ["--out", "answers"]):
        done = predict(".", "--format", form, *words)
        assert done.exit_code == 0, done.stderr
        text = (place / "answers").read_text() if words else done.stdout
        if form == "json":
            assert r"\xff\xfe.npy" in [answer["file"] for answer in json.loads(text)["answers"]]
        elif form == "csv":
            assert r"\xff\xfe.npy" in [row["file"] for row in csv.DictReader(StringIO(text))]


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_labels_that_the_screen_lacks_are_escaped(folder, place, form):
    words = ["predict", "take_1.npy", "--labels", "grüßen, 😀", "--model", str(folder), "--format", form]
    done = CliRunner(charset="ascii").invoke(app, words)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.isascii()
    if form == "json":
        (answer,) = json.loads(done.stdout)["answers"]
        assert {entry["label"] for entry in answer["labels"]} == {"grüßen", "😀"}
    else:
        assert r"gr\xfc\xdfen" in done.stdout


def test_a_model_whose_values_cannot_be(predict, folder, tmp_path):
    """They were answered with nothing and exit code 0."""
    copy = shutil.copytree(folder, tmp_path / "copy")
    document = json.loads((copy / "config.json").read_text())
    del document["artefact"]
    save_sealed_json(KIND, document | {"batches": {"features": 0, "scores": 2}}, copy / "config.json")
    done = predict("take_1.npy", model=copy)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "has 0 as features of batches" in done.stderr


def test_many_files_are_answered_in_their_order(predict, place):
    for number in range(10, 23):  # more than two blocks of 6
        np.save(place / f"take_{number}.npy", tiny_model.body(12, number))
    document = json.loads(predict(*sorted(str(path) for path in place.glob("*.npy")), "--format", "json").stdout)
    assert [answer["file"] for answer in document["answers"]] == sorted(str(path) for path in place.glob("*.npy"))
