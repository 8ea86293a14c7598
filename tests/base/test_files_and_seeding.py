"""Atomic outputs and named generators."""

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

    with pytest.raises(ScopleError, match=r"file\.txt can not be written, the disk is full"):
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
