"""What a reader needs to trust results: what they were made from and computed by, on how much, all repeats' values."""

import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from scople.base.arithmetic import why_not
from scople.base.checkpoints import fingerprint
from scople.base.documents import read_document
from scople.base.params import Params
from scople.data.splits import Split

CODE = Path(__file__).parents[2]

PORTABLE = "any x86-64 CPU with AVX2"
"""The device of portable results."""

TORCH = torch.__version__.partition("+")[0]
"""torch's release; what follows the plus sign names a build."""


def provenance(
    params: Params,
    words: Mapping[str, str],
    split: Split,
    is_unseen: Sequence[bool],
    repeats: Mapping[int, Mapping[str, float]],
) -> dict[str, Any]:
    """The document that lies beside a flat metrics file.

    Args:
        params: the whole of params.yaml.
        words: what stands for the templates of the stage's definition, see `digest`.
        split: the classes.
        is_unseen: of each test sample.
        repeats: seed → metrics of that repeat.

    Returns:
        `test_samples` of seen and unseen classes, `chance` of ZSL in per cent, `repeats`, `torch`, `arithmetic`, and
        `made_from`, see `digest`. No time, machine or commit: the same code and settings give the same document.
    """
    unseen = int(sum(is_unseen))
    return {
        "test_samples": {"seen": len(is_unseen) - unseen, "unseen": unseen},
        "chance": round(100 / len(split.unseen), 4),
        "repeats": {
            str(seed): {name: round(value, 4) for name, value in found.items()} for seed, found in repeats.items()
        },
        "torch": TORCH,
        "arithmetic": params.machine.arithmetic,
        "made_from": digest(params, words),
    }


def machine(params: Params, where: torch.device) -> dict[str, str]:
    """What decides the rounding of floating-point numbers: device, arithmetic, torch's release and threads.

    Args:
        params: the whole of params.yaml.
        where: the device that computes.
    """
    kind = params.machine.arithmetic
    if where.type == "cuda":
        computed_by = torch.cuda.get_device_name(where)
    elif kind == "portable" and not why_not():
        computed_by = PORTABLE
    else:
        computed_by = f"{_cpu()}, {torch.backends.cpu.get_cpu_capability()}"
    return {"device": computed_by, "arithmetic": kind, "torch": TORCH, "threads": str(params.machine.threads)}


def _cpu() -> str:
    """The CPU's name."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def digest(params: Params, words: Mapping[str, str]) -> str:
    """SHA-256 of just what makes DVC run `evaluate` again: its code, its settings and its inputs.

    What made the inputs is in it through their contents.

    Args:
        params: the whole of params.yaml.
        words: `key` for the root's stage, `item.split` and `item.variant` for an ablation's.
    """
    name, path = ("ablation_evaluate", "ablations/dvc.yaml") if "item.variant" in words else ("evaluate", "dvc.yaml")
    stage = read_document(CODE / path)["stages"][name]
    stage = stage.get("do", stage)
    document = asdict(params)
    document |= document.pop("method")

    def filled(text: str) -> str:
        return re.sub(r"\$\{(.+?)\}", lambda found: words.get(found[1]) or document[found[1]], text)

    settings = {}
    for key in map(filled, stage["params"]):
        value = document
        for part in key.split("."):
            value = value[part]
        settings[key] = value
    files = {}
    for place in map(filled, stage["deps"]):
        top = (CODE if place.startswith(("scople/", "stages/")) else Path()) / place
        found = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        files |= {f"{place}/{file.relative_to(top)}": file for file in found if "__pycache__" not in file.parts}
    return fingerprint([name, settings], files)
