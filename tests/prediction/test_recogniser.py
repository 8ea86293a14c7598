"""Sequences and labels in, answers out: by the pipeline's own steps, and one sentence for what cannot be."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from bare_scople import score
from tiny_model import SEEN, body

import scople
from scople.base.arithmetic import MARK, PORTABLE
from scople.base.errors import ScopleError
from scople.data.class_names import load_classes
from scople.data.skeletons import normalise
from scople.judging.gates import apply_gate
from scople.prediction.recogniser import Recogniser

LABELS = ["wave", "clap", "sit down", "kick", "bow"]


@pytest.fixture(scope="module")
def sequences():
    return [
        body(frames, number, persons) for number, (frames, persons) in enumerate([(7, 1), (31, 2), (12, 1), (97, 1)])
    ]


@pytest.fixture
def by_the_pipeline(parts, sequences):
    """Scores of the seen classes and of the labels, one batch of features after the other.

    Of each test anew: what a module shares is made before the number of threads is fixed.
    """
    config, backbone, model = parts
    x = torch.stack([torch.from_numpy(normalise(sequence, config.frames)) for sequence in sequences])
    with torch.no_grad():
        features = torch.cat([backbone.eval().joint_features(part) for part in x.split(3)]).numpy()
    return score(model, features, [*SEEN, *LABELS], batch_size=2, device=torch.device("cpu"))


def scores_of(answer):
    return dict(zip(answer.labels, answer.scores.tolist(), strict=True))


def test_answers_are_the_pipelines_scores_to_the_bit(recogniser, sequences, by_the_pipeline):
    answers = recogniser.predict(sequences, LABELS)
    for answer, row in zip(answers, by_the_pipeline[:, len(SEEN) :], strict=True):
        assert dict(zip(answer.labels, answer.scores.tolist(), strict=True)) == dict(
            zip(LABELS, row.tolist(), strict=True)
        )
        assert answer.best == LABELS[row.argmax()]
        assert answer.probabilities.sum() == pytest.approx(1, abs=1e-12)
        assert answer.chance == 0.2
        assert not answer.is_seen
        assert (np.diff(answer.probabilities) <= 0).all()


def test_the_gate_chooses_between_seen_classes_and_labels(recogniser, sequences, by_the_pipeline):
    seen_scores, scores = np.split(by_the_pipeline, [len(SEEN)], axis=1)
    values = {}
    for threshold in (-1.0, 99.0):
        recogniser.config.thresholds["entropy"] = threshold
        answers = recogniser.predict(sequences, LABELS, seen_too=True)
        chosen = apply_gate("entropy", seen_scores, scores, threshold)
        assert [answer.is_seen for answer in answers] == (~chosen.is_unseen).tolist()
        for answer, is_unseen, target in zip(answers, *chosen, strict=True):
            assert answer.best == (LABELS if is_unseen else SEEN)[target]
            assert answer.probabilities.sum() == pytest.approx(1, abs=1e-12)
        values[threshold] = {answer.is_seen for answer in answers}
    recogniser.config.thresholds["entropy"] = 1.0
    assert values == {-1.0: {False}, 99.0: {True}}


def test_a_recording_alone_has_the_same_answer_up_to_rounding(recogniser, sequences):
    together = recogniser.predict(sequences, LABELS)
    for sequence, answer in zip(sequences, together, strict=True):
        (alone,) = recogniser.predict([sequence], LABELS)
        assert alone.labels == answer.labels
        np.testing.assert_allclose(alone.scores, answer.scores, atol=1e-4)


def test_a_description_is_read_in_the_labels_place(recogniser, sequences):
    plain, described = (
        recogniser.predict(sequences, labels)[0]
        for labels in (["raise a hand", "clap"], {"wave": "raise a hand", "clap": "clap"})
    )
    rename = {"raise a hand": "wave"}
    assert tuple(rename.get(label, label) for label in plain.labels) == described.labels
    assert plain.scores.tolist() == described.scores.tolist()


def test_labels_are_encoded_once_for_a_list(folder, sequences):
    recogniser, calls = Recogniser.load(folder), []
    embed = recogniser._model.embed_text
    recogniser._model.embed_text = lambda tokens: calls.append(1) or embed(tokens)
    first = recogniser.predict(sequences, LABELS)
    again = recogniser.predict(sequences, LABELS)
    assert [a.scores.tolist() for a in first] == [a.scores.tolist() for a in again]
    assert len(calls) == 1
    recogniser.predict(sequences, LABELS[::-1])
    assert len(calls) == 2


def test_attention_is_that_of_the_label(recogniser, sequences, parts):
    looked = recogniser.attention(sequences, "clap", LABELS)
    assert looked.shape == (len(sequences), 3 + 25)
    np.testing.assert_allclose(looked.sum(axis=1), 1, rtol=1e-5)
    assert not np.allclose(looked, recogniser.attention(sequences, "kick", LABELS))
    assert recogniser.attention(sequences, SEEN[0], LABELS).shape == looked.shape


def test_seen_classes_among_the_labels(recogniser):
    assert recogniser.seen_among(["wave", "Jump Up", "hand waving"]) == ["Jump Up", "hand waving"]
    assert recogniser.seen_among(["wave", "drink  water", "Jump up."]) == ["drink  water", "Jump up."]
    described = {"sip": "Drink water", "jump up": "leave the floor", "wave": "wave", "clap": "both hands"}
    assert recogniser.seen_among(described) == ["sip", "jump up"]


@pytest.mark.parametrize(
    "labels",
    [
        ["clap", "wave", "Wave"],
        ["clap", "hand-wave", "hand - wave"],
        ["clap", "\u6325\u624b", "\u62cd\u624b"],
        {"clap": "clap", "one": "raise a hand", "other": "Raise a  hand"},
    ],
)
def test_labels_that_the_text_encoder_reads_alike(recogniser, labels):
    """They would have the same probability, whatever the recording."""
    with pytest.raises(ScopleError) as caught:
        recogniser.encode(labels)
    one, other = list(labels)[1:]
    assert f"{one!r} and {other!r} alike" in str(caught.value)
    recogniser.encode(["clap", one])


def test_names_of_data_sets_are_read_apart(recogniser, root):
    for path in sorted((root / "datasets/classes").glob("*.csv")):
        recogniser.encode([entry.name for entry in load_classes(path)])


def test_nothing_gives_nothing(recogniser):
    assert recogniser.predict([], LABELS) == []


@pytest.mark.parametrize(
    ("sequence", "words"),
    [
        (body(9, 1)[0], "(9, 25, 3)"),
        (body(9, 1)[:, :0], "frames"),
        (body(9, 1)[:, :, :24], "25 joints"),
        (np.repeat(body(9, 1), 3, axis=0), "1 or 2 persons"),
        (body(9, 1) * np.float32(1000), "beyond 100 metres"),
        (np.where(np.arange(3) == 1, np.nan, body(9, 1)), "no number"),
        (0 * body(9, 1), "nobody in it"),
    ],
)
def test_sequences_that_are_refused(recogniser, sequence, words):
    with pytest.raises(ScopleError, match="sequence 2 ") as caught:
        recogniser.predict([body(9, 2), sequence], LABELS)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ("wave, clap", "put each label into it"),
        (["wave"], "at least 2"),
        (["wave", "wave"], "given twice"),
        (["wave", ""], "1 to 2000"),
        (["wave", 600 * "la "], "reads at most 512"),
    ],
)
def test_labels_that_are_refused(recogniser, labels, words):
    with pytest.raises(ScopleError) as caught:
        recogniser.encode(labels)
    assert words in str(caught.value)


def test_a_device_that_there_is_not(folder, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ScopleError, match="no CUDA device"):
        Recogniser.load(folder, device="cuda")
    assert Recogniser.load(folder, device="auto").device.type == "cpu"


def test_load_is_the_door(folder, recogniser, sequences):
    with pytest.raises(ScopleError, match="'portabel', but must be native or portable"):
        scople.load(str(folder), arithmetic="portabel")
    loaded = scople.load(str(folder))
    assert [a.scores.tolist() for a in loaded.predict(sequences, LABELS)] == [
        a.scores.tolist() for a in recogniser.predict(sequences, LABELS)
    ]


def run_python(code, folder):
    """In a process that nobody has told how to compute."""
    told = {*PORTABLE, MARK}
    environment = {name: value for name, value in os.environ.items() if name not in told}
    words = [sys.executable, "-c", code, str(folder)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, check=False)


def test_importing_the_package_loads_nothing(folder):
    done = run_python(
        "import sys, scople; print(sorted({'torch', 'numpy', 'scople.prediction'} & {*sys.modules}))", folder
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.slow
def test_a_library_user_chooses_the_arithmetic(folder):
    """Portable: the process is changed, and only before NumPy. Native: it stays as it is."""
    code = (
        "import sys, os, scople\n{}"
        "from scople.base.errors import ScopleError\n"
        "try:\n    scople.load(sys.argv[1]{})\nexcept ScopleError as error:\n    sys.exit(str(error))\n"
        "import torch; print(os.environ.get('MKL_CBWR'), torch.get_num_threads())"
    )
    portable = ", arithmetic='portable'"
    done = run_python(code.format("", portable), folder)
    assert done.stdout == "COMPATIBLE 1\n", done.stderr
    late = run_python(code.format("import numpy\n", portable), folder)
    assert late.returncode == 1
    assert late.stderr.startswith("NumPy or torch was imported before portable arithmetic")
    done = run_python(code.format("import numpy\n", ""), folder)
    assert done.stdout.startswith("None "), done.stderr
