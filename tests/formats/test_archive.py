"""Members of zips and folders, and members that must not be read."""

import os
import socket
import stat
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import raw_files

from scople.base.errors import ScopleError
from scople.data.samples import BadMember
from scople.formats import archive
from scople.formats.archive import find_archive, list_members

FILES = {"b/two.txt": b"2" * 1000, "a.txt": b"", "b/one.txt": np.random.default_rng(1).bytes(3000)}


def contents(path) -> dict[str, bytes]:
    return {member.path: member.read() for member in list_members(path)}


def fault_of(path) -> str:
    (member,) = list_members(path)
    with pytest.raises(BadMember) as caught:
        member.read()
    assert member.fault in ("", caught.value.reason)
    return caught.value.reason


@pytest.mark.parametrize("order", [1, -1])
def test_zip_and_folder_hold_the_same_in_the_same_order(tmp_path, order):
    raw_files.write_zip(tmp_path / "x.zip", dict(list(FILES.items())[::order]))
    raw_files.write_folder(tmp_path / "x", FILES)
    assert list(contents(tmp_path / "x.zip").items()) == sorted(FILES.items())
    assert list(contents(tmp_path / "x").items()) == sorted(FILES.items())
    assert [member.name for member in list_members(tmp_path / "x")] == ["a.txt", "one.txt", "two.txt"]


def test_stored_members_and_a_zip_behind_other_bytes(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_STORED) as file:
        file.writestr("a/", b"")
        file.writestr("a/b.txt", b"content")
    (tmp_path / "y.zip").write_bytes(b"something in front" + (tmp_path / "x.zip").read_bytes())
    assert contents(tmp_path / "x.zip") == contents(tmp_path / "y.zip") == {"a/b.txt": b"content"}


@pytest.mark.parametrize("name", ["../a.txt", "b/../../a.txt", "/a.txt", "\\a.txt", "C:\\a.txt", "b\\..\\..\\a.txt"])
def test_a_path_out_of_the_zip(tmp_path, name):
    raw_files.write_zip(tmp_path / "x.zip", {name: b"1"})
    assert fault_of(tmp_path / "x.zip") == "its path leads out of the archive"


def test_an_encrypted_member(tmp_path):
    raw_files.write_zip(tmp_path / "x.zip", {"a.txt": b"1"})
    data = bytearray((tmp_path / "x.zip").read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "x.zip").write_bytes(data)
    assert fault_of(tmp_path / "x.zip") == "encrypted"


def test_a_member_without_a_name_is_listed(tmp_path):
    raw_files.write_zip(tmp_path / "x.zip", {"": b"1", "a.txt": b"2"})
    assert contents(tmp_path / "x.zip") == {"": b"1", "a.txt": b"2"}


def test_a_link_and_an_odd_method_in_a_zip(tmp_path):
    link = zipfile.ZipInfo("a.txt")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr(link, b"/etc/passwd")
    assert fault_of(tmp_path / "x.zip") == "a symbolic link"
    with zipfile.ZipFile(tmp_path / "y.zip", "w", zipfile.ZIP_LZMA) as file:
        file.writestr("a.txt", b"1")
    assert "method 14" in fault_of(tmp_path / "y.zip")


@pytest.mark.parametrize("where", ["header", "content", "end"])
def test_a_damaged_member_leaves_the_others_readable(tmp_path, where):
    raw_files.write_zip(tmp_path / "x.zip", {"a.txt": FILES["b/one.txt"], "b.txt": b"fine"})
    data = bytearray((tmp_path / "x.zip").read_bytes())
    data[{"header": 1, "content": 1500, "end": 3000}[where]] ^= 0xFF
    (tmp_path / "x.zip").write_bytes(data)
    damaged, fine = list_members(tmp_path / "x.zip")
    assert fine.read() == b"fine"
    with pytest.raises(BadMember, match="damaged in the zip"):
        damaged.read()


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "LARGEST_MEMBER", 10_000)
    raw_files.write_zip(tmp_path / "x.zip", {"a.txt": bytes(10_001)})
    raw_files.write_folder(tmp_path / "x", {"a.txt": bytes(10_001)})
    assert fault_of(tmp_path / "x.zip") == fault_of(tmp_path / "x") == "10001 bytes, more than 10000"


def test_a_member_that_lies_about_its_size_is_not_unpacked_further(tmp_path):
    raw_files.write_zip(tmp_path / "x.zip", {"a.txt": bytes(10_000)})
    data = (tmp_path / "x.zip").read_bytes()
    (tmp_path / "x.zip").write_bytes(data.replace((10_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    assert "checksum" in fault_of(tmp_path / "x.zip")


@pytest.mark.parametrize("data", [b"", b"no zip at all", b"PK\x05\x06" + bytes(10)])
def test_what_is_no_zip_is_refused_as_a_whole(tmp_path, data):
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(ScopleError, match="no readable zip"):
        list_members(tmp_path / "x.zip")


def test_links_out_of_a_folder(tmp_path):
    raw_files.write_folder(tmp_path / "outside", {"a.txt": b"secret"})
    raw_files.write_folder(tmp_path / "x", {"a.txt": b"1"})
    os.symlink(tmp_path / "outside" / "a.txt", tmp_path / "x" / "file.txt")
    os.symlink(tmp_path / "outside", tmp_path / "x" / "folder")
    os.symlink(tmp_path / "nowhere", tmp_path / "x" / "broken")
    os.symlink("a.txt", tmp_path / "x" / "inside.txt")
    faults = {member.path: member.fault for member in list_members(tmp_path / "x")}
    out = "a symbolic link out of the folder"
    assert faults == {"a.txt": "", "file.txt": out, "folder": out, "broken": out, "inside.txt": ""}


def test_a_folder_that_is_a_link_itself_may_be_used(tmp_path):
    raw_files.write_folder(tmp_path / "x", FILES)
    os.symlink(tmp_path / "x", tmp_path / "y")
    assert contents(tmp_path / "y") == FILES


def test_what_is_no_file_is_not_opened(tmp_path):
    (tmp_path / "x").mkdir()
    os.mkfifo(tmp_path / "x" / "a.txt")
    assert fault_of(tmp_path / "x") == "not a file"


def test_a_name_that_is_not_utf8_costs_nothing_else(tmp_path):
    raw_files.write_zip(tmp_path / "x.zip", {"\u00e9/a.txt": b"1", "\u00e8.txt": b"2", "b.txt": b"3"})
    data = (tmp_path / "x.zip").read_bytes()
    (tmp_path / "x.zip").write_bytes(data.replace("\u00e9".encode(), b"\xff\xfe"))
    members = {member.path: member.read() for member in list_members(tmp_path / "x.zip")}
    assert members == {b"\xff\xfe".decode("cp437") + "/a.txt": b"1", "\u00e8.txt": b"2", "b.txt": b"3"}
    assert all(member.shown.isascii() for member in list_members(tmp_path / "x.zip"))


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_what_is_no_archive_at_all_is_refused_at_once(tmp_path, kind):
    if kind == "pipe":
        os.mkfifo(tmp_path / "x.zip")
    else:
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(os.path.relpath(tmp_path / "x.zip"))
    with pytest.raises(ScopleError, match=r"x\.zip is neither a zip nor a folder"):
        list_members(tmp_path / "x.zip")


def test_an_archive_is_found_as_zip_or_as_folder(tmp_path):
    assert find_archive(tmp_path, "x.zip") is None
    (tmp_path / "x").mkdir()
    assert find_archive(tmp_path, "x.zip") == find_archive(tmp_path, "x") == tmp_path / "x"
    (tmp_path / "x.zip").touch()
    assert find_archive(tmp_path, "x.zip") == tmp_path / "x.zip"
    assert find_archive(tmp_path, "x") == tmp_path / "x"


@pytest.mark.parametrize("header", [2**63, 2**62, 1000])
def test_a_place_beyond_the_archive_is_damage(tmp_path, header):
    """What a damaged zip64 entry may say."""
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("one.txt", "1")
    (member,) = list_members(path)
    with pytest.raises(BadMember, match="its place is beyond the archive's end"):
        replace(member, place=replace(member.place, header=header)).read()
