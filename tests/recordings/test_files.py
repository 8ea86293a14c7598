"""Which files are meant, in which order, and what cannot be read."""

import os
from pathlib import Path

import pytest

from scople.base.errors import ScopleError
from scople.recordings import files
from scople.recordings.files import find_files, format_of, read_content


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("b.npy", "a.skeleton", "deep/er/c.CSV", "0001-L.txt", "README.txt", ".hidden.npy", "deep/.git/x.npy"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "z.npy").write_bytes(b"1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*arguments):
    return [str(path) for path in find_files(list(arguments))]


def test_a_folder_gives_its_recordings(folder):
    names = ["0001-L.txt", "a.skeleton", "b.npy", "deep/er/c.CSV"]
    assert found(".") == names
    assert found(str(folder)) == [str(folder / name) for name in names]


def test_a_file_is_taken_as_it_is(folder):
    assert found("README.txt") == ["README.txt"]
    assert found(".hidden.npy") == [".hidden.npy"]


def test_patterns(folder):
    assert found("*.npy") == ["b.npy"]
    assert found("**/*.CSV") == ["deep/er/c.CSV"]
    (folder / "odd[1].npy").write_bytes(b"1")
    assert found("odd[1].npy") == ["odd[1].npy"]


def test_none_twice_and_sorted(folder):
    (folder / "link.npy").symlink_to("b.npy")
    assert found("b.npy", "a.skeleton", "./b.npy", str(folder / "b.npy"), "link.npy", "a*") == ["a.skeleton", "b.npy"]
    assert found("b.npy", "-", "-", "a.skeleton") == ["-", "a.skeleton", "b.npy"]


def test_a_pipe_in_a_folder_is_left_out(folder):
    os.mkfifo(folder / "pipe.npy")
    assert "pipe.npy" not in found(".")
    with pytest.raises(ScopleError, match="no plain file"):
        read_content(folder / "pipe.npy")


@pytest.mark.parametrize("argument", ["nothing.npy", "*.json", "", "a\0b", "x\x1b[31m", "[", "x" * 5000])
def test_what_names_nothing_gets_a_sentence(folder, argument):
    with pytest.raises(ScopleError) as caught:
        found(argument)
    assert str(caught.value).isprintable()


def test_what_cannot_be_read_gets_a_sentence(folder, monkeypatch):
    with pytest.raises(ScopleError, match="does not exist"):
        read_content(Path("gone.npy"))
    with pytest.raises(ScopleError, match="no plain file"):
        read_content(folder / "deep")
    monkeypatch.setattr(files, "LARGEST", 3)
    (folder / "b.npy").write_bytes(b"1234")
    with pytest.raises(ScopleError, match="has more than"):
        read_content(folder / "b.npy")


def test_the_suffix_promises_and_the_content_tells():
    assert format_of(Path("a.SKELETON"), b"hello") == "NTU skeleton text"
    assert format_of(Path("a.txt"), b"3\r\n1\r\n") == "NTU skeleton text"
    assert format_of(Path("a.txt"), b" 1.5 2.5\n") == "PKU-MMD skeleton text"
    assert format_of(Path("a.txt"), b"frame,joint\n") == "CSV table"
    assert format_of(Path("-"), b"\x80\x04K\x01.") == "pyskl pickle"
    assert format_of(Path("-"), b' \n[{"a": 1}]') == "MMPose JSON"
