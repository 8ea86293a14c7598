"""The packed corpus: what is written comes back, ragged, and in one length when normalised."""

import dataclasses
import weakref

import numpy as np
import pandas as pd
import pytest
import torch

from scople.base.errors import ScopleError
from scople.data.corpus import Corpus, NormalisedSequences
from scople.data.packing import seal_corpus, write_corpus
from scople.data.samples import Note, Sample
from scople.data.skeletons import normalise

SHAPES = [(1, 5), (2, 3), (1, 1), (2, 7)]


def sequences() -> list[np.ndarray]:
    generator = np.random.default_rng(1)
    return [generator.normal(size=(*shape, 25, 3)).astype(np.float32) for shape in SHAPES]


def samples() -> list[Sample]:
    return [
        Sample(
            f"s{i}", label=i, subject=i + 11, camera=3, setup=2, replication=1, is_training=i == 1, sequence=sequence
        )
        for i, sequence in enumerate(sequences())
    ]


@pytest.fixture
def folder(tmp_path):
    write_corpus(tmp_path / "corpus", samples())
    return tmp_path / "corpus"


def test_what_is_written_comes_back(folder):
    corpus = Corpus.open(folder)
    assert len(corpus) == 4
    assert list(zip(corpus.index["bodies"], corpus.index["frames"], strict=True)) == SHAPES
    assert corpus.index["is_training"].tolist() == [False, True, False, False]
    assert corpus.index["subject"].tolist() == [11, 12, 13, 14]
    for row, sequence in enumerate(sequences()):
        np.testing.assert_array_equal(corpus.sequence(row), sequence)


def test_sequences_stay_on_disk_and_cannot_be_changed(folder):
    sequence = Corpus.open(folder).sequence(1)
    assert not sequence.flags.writeable
    assert not sequence.flags.owndata
    # Without this code, and without trusting the file:
    rows = np.load(folder / "sequences.npy", allow_pickle=False)
    assert rows.shape == (sum(bodies * frames for bodies, frames in SHAPES), 25, 3)


def test_a_failed_run_leaves_the_earlier_corpus(folder):
    def failing():
        yield samples()[0]
        raise ScopleError("stop")

    with pytest.raises(ScopleError, match="stop"):
        write_corpus(folder, failing())
    assert len(Corpus.open(folder)) == 4
    assert [path.name for path in folder.parent.iterdir()] == ["corpus"]


def test_never_more_than_two_samples_are_in_memory(tmp_path):
    written = []

    def passing():
        for sample in samples():
            sequence = sample.sequence.copy()
            written.append(weakref.ref(sequence))
            yield dataclasses.replace(sample, sequence=sequence)
            del sequence
            assert sum(reference() is not None for reference in written) == 1  # the one just written

    write_corpus(tmp_path / "corpus", passing())
    assert len(written) == 4


def test_the_report_is_sorted_and_counted(tmp_path):
    notes = [Note("b", 12, "swapped", "x"), Note("b", 2, "cropped", "y, z"), Note("a", 0, "broken", "w")]
    summary = write_corpus(tmp_path / "corpus", [notes[0], *samples(), *notes[1:], notes[0]], {"members": 9})
    text = (tmp_path / "corpus" / "parse_report.csv").read_text()
    assert text == 'file,line,kind,reason\na,0,broken,w\nb,2,cropped,"y, z"\nb,12,swapped,x\nb,12,swapped,x\n'
    assert summary == {
        "parsed": 4, "training": 1, "frames": 26, "broken": 1, "cropped": 1, "swapped": 2, "members": 9,
    }  # fmt: skip


def test_samples_out_of_order_are_a_fault_of_the_caller(tmp_path):
    with pytest.raises(ValueError, match="must be sorted"):
        write_corpus(tmp_path / "corpus", samples()[::-1])


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("index.csv", None, "index.csv cannot be read .*: run the parse stage"),
        ("sequences.npy", None, "sequences.npy cannot be read .*: run the parse stage"),
        ("index.csv", b"", "index.csv is not what the parse stage wrote"),
        ("sequences.npy", b"", "sequences.npy is not what the parse stage wrote"),
        ("sequences.npy", b"\x93NUMPY", "sequences.npy is not what the parse stage wrote"),
        ("digests.json", None, "digests.json is missing"),
        ("digests.json", b"{}", "digests.json is damaged"),
    ],
)
def test_a_damaged_corpus_is_refused(folder, name, content, reason):
    (folder / name).unlink() if content is None else (folder / name).write_bytes(content)
    with pytest.raises(ScopleError, match=reason):
        Corpus.open(folder)


def test_an_index_of_another_corpus_is_refused(folder):
    lines = (folder / "index.csv").read_text().splitlines()
    (folder / "index.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ScopleError, match="index.csv is not what the parse stage wrote"):
        Corpus.open(folder)
    seal_corpus(folder)
    with pytest.raises(ScopleError, match="do not fit"):
        Corpus.open(folder)


def test_shifted_frames_are_found(folder):
    """Two rows that take frames from one another leave the sum as it was."""
    index = pd.read_csv(folder / "index.csv")
    index["frames"] += [1, 0, -1, 0]
    index.to_csv(folder / "index.csv", index=False)
    with pytest.raises(ScopleError, match="index.csv is not what the parse stage wrote: run the parse stage again"):
        Corpus.open(folder)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [("label", -1, "negative label"), ("frames", -5, "without frames"), ("setup", None, "another form")],
)
def test_an_index_of_another_form_is_refused(folder, column, value, reason):
    index = pd.read_csv(folder / "index.csv")
    if value is None:
        index = index.drop(columns=column)
    else:
        index.loc[1, column] = value
    index.to_csv(folder / "index.csv", index=False)
    seal_corpus(folder)
    with pytest.raises(ScopleError, match=reason):
        Corpus.open(folder)


def test_an_npz_under_the_name_of_the_sequences_is_refused(folder):
    rows = np.load(folder / "sequences.npy", allow_pickle=False)
    with (folder / "sequences.npy").open("wb") as file:
        np.savez(file, rows)
    with pytest.raises(ScopleError, match="sequences.npy is not what the parse stage wrote"):
        Corpus.open(folder)


def test_normalised_sequences(folder):
    corpus = Corpus.open(folder)
    rows = np.array([3, 0, 1])
    items = NormalisedSequences(corpus, rows, 4)
    assert len(items) == 3
    for item, row in enumerate(rows):
        assert items[item].dtype == torch.float32
        np.testing.assert_array_equal(items[item].numpy(), normalise(corpus.sequence(int(row)), 4))
