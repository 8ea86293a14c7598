"""Where a command may write: nothing but an older file is ever lost."""

import os
import stat
import threading
from pathlib import Path

import pytest

from scople.base.errors import ScopleError
from scople.commands import outputs
from scople.commands.outputs import check_place, is_stream, shown_path, write_text


def refusal(path, *words, **options) -> str:
    with pytest.raises(ScopleError) as caught:
        check_place("--out", path, *words, **options)
    sentence = str(caught.value)
    assert sentence.startswith(f"--out is {str(path)!r}"[:50])
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def pretend(monkeypatch, mode):
    """Whatever is asked for is there and of this kind."""
    kind = os.stat_result((mode | 0o666, *[0] * 9))
    monkeypatch.setattr(outputs.os, "stat", lambda path: kind)


def test_a_new_file_an_older_one_and_one_in_a_new_folder(tmp_path):
    (tmp_path / "old.csv").write_text("old")
    for name in ("new.csv", "old.csv", "a/b/new.csv"):
        check_place("--out", tmp_path / name)
    write_text("ü", tmp_path / "a/b/new.csv")
    assert (tmp_path / "a/b/new.csv").read_bytes() == "ü".encode()


def test_a_folder_and_a_link_to_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    for path in (tmp_path, tmp_path / "link"):
        assert "is a folder" in refusal(path)
    assert "is a folder" in refusal(Path(""))


def test_an_input_under_any_name(tmp_path):
    file, link = tmp_path / "self.npy", tmp_path / "link.npy"
    file.write_bytes(b"x")
    link.symlink_to(file)
    for path, read in ((file, file), (link, file), (file, link), (tmp_path / "no" / ".." / "self.npy", file)):
        assert "reads that file" in refusal(path, [read])


def test_a_place_in_a_file_and_in_a_folder_that_is_closed(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    assert "is no folder" in refusal(tmp_path / "file" / "a.csv")
    monkeypatch.setattr(outputs.os, "access", lambda path, mode: False)  # root may write everywhere
    assert "nothing can be written" in refusal(tmp_path / "new" / "a.csv")


def test_a_name_that_no_file_can_have():
    assert "cannot be a file" in refusal(Path(300 * "x"))


@pytest.mark.parametrize(("mode", "is_taken"), [(stat.S_IFCHR, True), (stat.S_IFIFO, True), (stat.S_IFBLK, False)])
def test_devices(tmp_path, monkeypatch, mode, is_taken):
    path = tmp_path / "device"
    pretend(monkeypatch, mode)
    assert is_stream(path) is is_taken
    assert "no plain file" in refusal(path, may_stream=False)
    if is_taken:
        check_place("--out", path)
    else:
        assert "no plain file" in refusal(path)


def test_a_pipe_stays_one(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()), daemon=True)
    reader.start()
    write_text("all of it", pipe)
    reader.join(10)
    assert got == ["all of it"]
    assert pipe.is_fifo()


def test_a_file_that_is_open_is_added_to(tmp_path, monkeypatch):
    path = tmp_path / "log"
    path.write_text("before, ")
    monkeypatch.setattr(outputs, "OPEN_FILES", (str(path),))  # as with `--out /dev/stdout >> log`
    check_place("--out", path)
    write_text("after", path)
    assert path.read_text() == "before, after"


def test_any_path_can_be_shown():
    assert shown_path(Path("a/ü.npy")) == "a/ü.npy"
    assert shown_path(Path(os.fsdecode(b"\xff\xfe.npy"))) == r"\xff\xfe.npy"
