"""The whole chain on a GPU: the same bytes twice."""

import os
import shutil
import subprocess
import sys

import pytest
import torch
import yaml
from test_stages import SPLIT, contents, make_workplace

from scople.backbone.temporal_shift import SHORT

FRAMES = 64
"""So that the first blocks shift their maps in the way of long ones, the others in the way of short ones."""

CHAIN = f"""
import os, stages, torch
from scople.base.arithmetic import settle
from scople.base.params import load_params
from stages import export
from test_stages import run_chain
params = load_params()
settle(params.machine.arithmetic, params.machine.threads)
torch.use_deterministic_algorithms(True)
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
run_chain()
export.main(params, {SPLIT!r})
"""
"""As the stages run when each is called, but in one process: starting one takes longer than its work here."""


def require_same_bytes_twice(root, place, device, precision):
    """In processes of their own: CUDA's products repeat only if asked before the first of them."""
    place = make_workplace(root, place)
    document = yaml.safe_load((place / "params.yaml").read_text())
    document["machine"]["device"] = device
    document["profiles"]["demo"]["frames"] = FRAMES
    document["profiles"]["demo"]["pretrain"]["precision"] = precision
    (place / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    found = []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", CHAIN],
            cwd=place,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found.append(contents(place / "work") | contents(place / "results"))
        for folder in ("work", "results"):  # nothing is taken up from the round before
            shutil.rmtree(place / folder)
    assert found[0].keys() == found[1].keys()
    assert [name for name, content in found[0].items() if content != found[1][name]] == []
    return found[0]


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "tf32", "bfloat16"])
def test_the_whole_chain_repeats_to_the_byte(root, tmp_path, precision):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    require_same_bytes_twice(root, tmp_path, "cuda", precision)


@pytest.mark.slow
def test_what_the_gpu_test_compares(root, tmp_path):
    """It runs on a CPU too, at a length that has both ways of the shift, and leaves nothing out."""
    assert FRAMES > SHORT >= FRAMES // 2
    names = require_same_bytes_twice(root, tmp_path, "cpu", "float32")
    for part in ("backbone", "features", "intervals", "model", "evaluation", "metrics", "tables", "figures", "models"):
        assert any(name.startswith(f"demo/{part}/") for name in names), part
