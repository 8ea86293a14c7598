"""The stages on a GPU: the same bytes twice."""

import os
import subprocess
import sys

import pytest
import torch
import yaml
from test_stages import SPLIT, contents, make_workplace


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_all_stages_repeat_to_the_byte(root, tmp_path, precision):
    """In processes of their own: CUDA's products repeat only if asked before the first of them."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    place = make_workplace(root, tmp_path)
    document = yaml.safe_load((place / "params.yaml").read_text())
    document["machine"]["device"] = "cuda"
    document["profiles"]["demo"]["pretrain"]["precision"] = precision
    (place / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    stages = [["preflight"], ["parse", "tiny"], *([name, SPLIT] for name in ("pretrain", "features"))]
    stages += [["train", SPLIT, "1"], ["evaluate", SPLIT]]
    found = []
    for _ in range(2):
        for name, *words in stages:
            done = subprocess.run(
                [sys.executable, "-m", f"stages.{name}", *words],
                cwd=place,
                env=os.environ | {"PYTHONPATH": str(root)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
        found.append(contents(place / "work"))
    assert found[0].keys() == found[1].keys()
    assert [name for name, content in found[0].items() if content != found[1][name]] == []
