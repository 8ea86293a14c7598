"""What the operating system refuses becomes one sentence, whatever the stage."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

STAGE = """
import sys
import torch
from scople.pipeline import running
from scople.base.errors import ScopleError

def main(params, deed):
    return deeds[deed]()

def refuse():
    raise ScopleError("the value 7 is too large: lower it.")

def fault():
    raise OSError("a fault of this code")

def without_memory():
    raise torch.OutOfMemoryError("CUDA out of memory.")

deeds = {
    "write": lambda: open("params.yaml/file", "w"), "refuse": refuse, "fault": fault, "nothing": lambda: "done",
    "long": lambda: open("no" * 100_000), "memory": without_memory,
}
running.run(main, shares=True)
"""


@pytest.fixture
def call(root, tmp_path):
    """Run a stage that does one thing; its exit code and what it said on standard error."""
    (tmp_path / "stages").mkdir()
    shutil.copy(root / "stages/__init__.py", tmp_path / "stages")
    (tmp_path / "stages/odd.py").write_text(STAGE)

    def run(deed, *, processes=1, stdout=subprocess.DEVNULL):
        text = (root / "params.yaml").read_text().replace("\n  processes: 1", f"\n  processes: {processes}")
        assert f"processes: {processes}" in text
        (tmp_path / "params.yaml").write_text(text)
        environment = os.environ | {"PYTHONPATH": str(root)}
        command = [sys.executable, "-m", "stages.odd", deed]
        done = subprocess.run(
            command, stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment, check=False
        )
        return done.returncode, done.stderr

    return run


def test_a_place_that_cannot_be_used_is_named(call):
    sentence = "error: odd: params.yaml/file cannot be used (Not a directory): correct that and run it again.\n"
    assert call("write") == (1, sentence)
    code, said = call("long")
    assert code == 1
    assert len(said) < 300


def test_a_gpu_without_enough_memory_is_one_sentence(call):
    code, said = call("memory")
    assert (code, said.count("\n")) == (1, 1)
    assert "the memory of the GPU does not suffice: lower batch_size" in said


def test_a_fault_of_the_code_keeps_its_traceback(call):
    assert "Traceback" in call("fault")[1]


def test_standard_output_that_cannot_be_written(call):
    with Path("/dev/full").open("w") as full:
        code, said = call("nothing", stdout=full)
    assert (code, said.count("\n")) == (1, 1)
    assert "its output cannot be used (No space left" in said
    reading, writing = os.pipe()
    os.close(reading)
    code, said = call("nothing", stdout=writing)
    os.close(writing)
    assert (code, said.count("\n")) == (1, 1)
    assert "its output cannot be used (Broken pipe" in said


@pytest.mark.slow
def test_two_processes_say_an_error_once(call):
    assert call("refuse", processes=2) == (1, "error: odd: the value 7 is too large: lower it.\n")
    assert call("nothing", processes=2) == (0, "")
    code, said = call("fault", processes=2)
    assert code == 1
    assert "a fault of this code" in said
