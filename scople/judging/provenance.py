"""The provenance of a metrics file: what it was made from, the number of samples, and the values of every repeat."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from scople.base.checkpoints import fingerprint
from scople.base.documents import read_document
from scople.base.params import Params
from scople.base.seeding import torch_generator
from scople.data.splits import Split
from scople.methods.fitting import score
from scople.methods.method import ClassTexts, Method

CODE = Path(__file__).parents[2]

EVALUATE = {
    "": ("evaluate", "dvc.yaml"),
    "ablations": ("ablation_evaluate", "ablations/dvc.yaml"),
    "baselines": ("baseline_evaluate", "baselines/dvc.yaml"),
}
"""Room of a pipeline (`scople.pipeline.layout.Layout`) → the stage that writes its metrics, and where it stands."""


def provenance(
    params: Params,
    room: str,
    words: Mapping[str, str],
    split: Split,
    candidates: Sequence[str],
    text_encoder: str,
    is_unseen: Sequence[bool],
    untrained: float,
    computed_by: Mapping[str, str],
    repeats: Mapping[int, Mapping[str, float]],
) -> dict[str, Any]:
    """The document that is written beside a flat metrics file.

    Args:
        params: the whole of params.yaml.
        room: of the pipeline, see `digest`.
        words: values of the templates in the stage's definition, see `digest`.
        split: the classes.
        candidates: class names that were scored, in the order of the scores' columns.
        text_encoder: digest of its weights, since a path may hold others tomorrow.
        is_unseen: whether each test sample's class is unseen.
        untrained: see `untrained_loss`.
        computed_by: see `scople.base.arithmetic.machine`.
        repeats: seed → metrics of that repeat.

    Returns:
        `test_samples` of seen and unseen classes, `chance` of ZSL in per cent, `texts` (a digest of the candidates),
        `text_encoder`, `untrained_loss`, `repeats`, `computed_by`, and `made_from`, see `digest`; with a backbone that
        was given, its file's digest and whether it may have learned unseen classes. It names no time, machine or
        commit, so the same code and settings give the same document.
    """
    unseen = int(sum(is_unseen))
    entry, given = params.splits.get(split.name), {}
    if entry is not None and entry.backbone_weights:
        given = {"backbone_weights": entry.backbone_digest, "backbone_saw_unseen": entry.backbone_saw_unseen}
    return {
        "test_samples": {"seen": len(is_unseen) - unseen, "unseen": unseen},
        "chance": round(100 / len(split.unseen), 4),
        "texts": fingerprint(list(candidates), {}),
        "text_encoder": text_encoder,
        "untrained_loss": round(untrained, 4),
        "repeats": {
            str(seed): {name: round(value, 4) for name, value in found.items()} for seed, found in repeats.items()
        },
        "computed_by": dict(computed_by),
        "made_from": digest(params, room, words),
    } | given


def untrained_loss(method: Method, texts: ClassTexts, sizes: Sequence[int], *, seed: int, **running: Any) -> float:
    """Cross-entropy in nats of a method before its training, on a normally distributed sample for each candidate.

    It depends on code, settings and texts; rounding changes only its last digits, whereas a training would amplify such
    differences. So any machine can detect a model that is not built or loaded correctly.

    Args:
        method: untrained.
        texts: of the candidates.
        sizes: shape "I V D" of one sample's features.
        seed: root seed of the samples.
        **running: as `scople.methods.fitting.score` takes it.
    """
    shape = (len(texts), *sizes)
    features = torch.randn(shape, generator=torch_generator(seed, "untrained loss")).numpy()
    scores = torch.from_numpy(score(method, features, texts, seed=seed, **running)).double()
    return F.cross_entropy(scores, torch.arange(len(texts))).item()


def digest(params: Params, room: str, words: Mapping[str, str]) -> str:
    """SHA-256 of exactly what makes DVC run `evaluate` again: its code, its settings and its inputs.

    Earlier stages count through the contents of the inputs. Where a stage evaluates several splits, those of the others
    do not count.

    Args:
        params: the whole of params.yaml.
        room: of the pipeline whose stage it is, one of `EVALUATE`.
        words: values of the templates, such as `key` or `item.split`.
    """
    name, path = EVALUATE[room]
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
    others = params.splits.keys() - {words.get("item.split", words.get("key"))}
    files = {}
    for place in map(filled, stage["deps"]):
        top = (CODE if place.startswith(("scople/", "stages/")) else Path()) / place
        found = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
        files |= {
            f"{place}/{file.relative_to(top)}": file
            for file in found
            if not {"__pycache__", *others} & {*file.parts, file.stem}
        }
    return fingerprint([name, settings], files)
