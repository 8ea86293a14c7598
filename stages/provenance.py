"""What a reader needs to trust a metrics file: from what it was made, on how much, and every repeat's own values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import yaml

from scople.checkpoints import fingerprint
from scople.data.splits import Split
from scople.params import Params

CODE = Path(__file__).parents[1]


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
        "torch": torch.__version__,
        "arithmetic": params.machine.arithmetic,
        "made_from": digest(params, words),
    }


def digest(params: Params, words: Mapping[str, str]) -> str:
    """SHA-256 of just what makes DVC run `evaluate` again: its code, its settings and its inputs.

    What made the inputs is in it through their contents.

    Args:
        params: the whole of params.yaml.
        words: `key` for the root's stage, `item.split` and `item.variant` for an ablation's.
    """
    name, path = ("ablation_evaluate", "ablations/dvc.yaml") if "item.variant" in words else ("evaluate", "dvc.yaml")
    stage = yaml.safe_load((CODE / path).read_text(encoding="utf-8"))["stages"][name]
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
