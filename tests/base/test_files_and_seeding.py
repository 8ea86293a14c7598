"""Atomic outputs and named generators."""

import os
import shutil
import subprocess
import sys

import pytest
import torch

from scople.base.errors import ScopleError
from scople.base.files import whole
from scople.base.seeding import derive, numpy_generator, seeded, torch_generator


def test_output_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with whole(path) as beside:
        beside.write_text("one")
        assert not path.exists()
    assert path.read_text() == "one"

    def broken():
        with whole(path) as beside:
            beside.write_text("two")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert path.read_text() == "one"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_folder_takes_the_place_of_a_folder(tmp_path):
    path = tmp_path / "folder"
    for name in ("old", "new"):
        with whole(path) as beside:
            beside.mkdir()
            (beside / name).write_text(name)
    assert [p.name for p in path.iterdir()] == ["new"]


def test_a_full_disk_is_named_and_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "file.txt"
    path.write_text("one")

    def fill():
        with whole(path) as beside:
            beside.symlink_to("/dev/full")
            beside.write_text("two")

    with pytest.raises(ScopleError, match=r"file\.txt cannot be written, the disk is full"):
        fill()

    def fail():
        with whole(path) as beside:
            beside.write_text("two")
            raise RuntimeError("torch, numpy and safetensors do not say why")

    with pytest.raises(RuntimeError):
        fail()
    usage = shutil.disk_usage(tmp_path)._replace(free=4096)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(ScopleError, match="the disk is full"):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text() == "one"


def test_two_writers_of_one_output_do_not_meet(tmp_path):
    path = tmp_path / "folder"
    with whole(path) as first, whole(path) as second:
        for beside, content in ((first, "one"), (second, "two")):
            beside.mkdir()
            (beside / "file").write_text(content)
    assert (path / "file").read_text() == "one"  # it ended last
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


def test_what_a_killed_writer_left_is_removed_and_a_living_one_is_left_alone(tmp_path):
    code = (
        "import os, sys; from scople.base.files import whole\n"
        "with whole(sys.argv[1]) as path:\n    path.write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "file[1]"], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    with whole(tmp_path / "file[1]") as one:
        one.write_text("one")
        with whole(tmp_path / "file[1]") as two:
            two.write_text("two")
        assert one.read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["file[1]"]


@pytest.mark.parametrize("failing", [1, 2])
def test_an_old_folder_is_kept_until_the_new_one_stands(tmp_path, monkeypatch, failing):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old").touch()
    replace, calls = os.replace, []

    def fail(*places):
        calls.append(places)
        if len(calls) == failing:
            raise PermissionError(13, "Permission denied", str(path))
        replace(*places)

    def swap():
        with whole(path) as beside:
            beside.mkdir()

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(PermissionError):
        swap()
    assert [p.name for p in tmp_path.rglob("*")] == ["folder", "old"]


def test_a_link_to_a_folder_is_refused_before_any_work(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")
    (tmp_path / "broken").symlink_to("nowhere")
    with pytest.raises(ScopleError, match="link is a link to a folder"), whole(tmp_path / "link"):
        pytest.fail("work was done")
    with whole(tmp_path / "broken") as beside:
        beside.mkdir()
    assert not (tmp_path / "broken").is_symlink()


def test_named_generators_differ_and_repeat():
    assert derive(1, "a", 2) == derive(1, "a", 2)
    assert len({derive(1, "a"), derive(1, "b"), derive(2, "a"), derive(1, "a", 0)}) == 4
    assert numpy_generator(1, "x").random() == numpy_generator(1, "x").random()
    assert torch.equal(
        torch.rand(3, generator=torch_generator(1, "x")), torch.rand(3, generator=torch_generator(1, "x"))
    )


def test_seeds_do_not_depend_on_the_hash_seed():
    code = "from scople.base.seeding import derive; print(derive(7, 'pretrain', 'ntu60_55_5'))"
    seeds = {
        subprocess.run([sys.executable, "-c", code], env={"PYTHONHASHSEED": h}, capture_output=True, check=True).stdout
        for h in ("0", "1")
    }
    assert len(seeds) == 1


def test_seeded_block_leaves_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    with seeded(1, "init"):
        inside = torch.rand(1)
    assert torch.equal(torch.rand(1), expected)
    with seeded(1, "init"):
        assert torch.equal(torch.rand(1), inside)
