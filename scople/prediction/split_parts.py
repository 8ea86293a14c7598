"""What is known of one split, read from `work/` where it is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scople.base.artefacts import load_sealed_json, load_table
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.pipeline.layout import Layout
from scople.reports.figures import load_attention
from scople.reports.page.known import Absent, Confusion, SplitParts
from scople.reports.page.moving import Recording, most_looked_at

HISTORY = {"epoch": int, "loss": float}


def split_parts(params: Params, split: str, recordings: list[Recording] | Absent) -> SplitParts:
    """Curves and confusion of the first repeat's model and of all repeats' predictions.

    Args:
        params: the whole of params.yaml.
        split: its name.
        recordings: of the split.

    Raises:
        ScopleError: a file is damaged, or belongs to something else.
    """
    layout, repeat, command = Layout.of(params), params.seeds[0], f"dvc repro evaluate@{split}"
    gates, evaluation = layout.gates(split, repeat), layout.evaluation(split)
    predictions, attention = layout.predictions(split), layout.attention(split)
    history, backbone = layout.history(split, repeat), layout.backbone_history(split, params.backbone_of(repeat))
    again = f"run `{command}`"

    def tested() -> dict[str, dict[str, float]]:
        belongs = {"split": split, "variant": params.variant}
        return load_sealed_json("evaluation", evaluation, again=again, **belongs)["gates"][0]

    def curves(path: Path) -> pd.DataFrame:
        return load_table(path, HISTORY, again=again)

    looks = attention.exists() and params.settings().sampler  # without a sampler all joints count alike
    return SplitParts(
        name=split,
        gates=when(
            "the S–U curves", [gates], command, lambda: load_sealed_json("gates", gates, again=again, split=split)
        ),
        tested=tested() if evaluation.exists() else {},
        confusion=when(
            "the confusion", [predictions, attention], command, lambda: _confusion(predictions, attention, again)
        ),
        looked_at=_looked_at(attention, again) if looks else {},
        history=when("the training of SCoPLe", [history], command, lambda: curves(history)),
        backbone_history=when("the training of the backbone", [backbone], command, lambda: curves(backbone)),
        recordings=recordings,
    )


def when(what: str, paths: list[Path], command: str, read: Callable[[], Any]) -> Any:
    """What `read` gives if all of its files are there; otherwise what is absent, and the command that makes it."""
    for path in paths:
        if not path.exists():
            return Absent(what, f"there is no {path.as_posix()}", command)
    return read()


def _confusion(predictions: Path, attention: Path, again: str) -> Confusion:
    candidates = load_attention(attention, again=again)
    names, is_unseen = candidates["label"].tolist(), candidates["is_unseen"].to_numpy()
    pairs = load_table(predictions, {"actual": str, "predicted": str}, again=again)
    if strange := sorted({*pairs["actual"], *pairs["predicted"]} - {*names}):
        raise ScopleError(f"{predictions} has the class {strange[0][:40]!r}, which its attention lacks: {again}.")
    order = np.argsort(is_unseen, kind="stable")
    names = [names[k] for k in order]
    counts = pd.crosstab(pairs["actual"], pairs["predicted"]).reindex(index=names, columns=names, fill_value=0)
    return Confusion(counts.to_numpy(), names, is_unseen[order])


def _looked_at(path: Path, again: str) -> dict[str, str]:
    attention = load_attention(path, again=again)
    weights = attention.drop(columns=["label", "is_unseen"]).to_numpy()
    is_known = ~np.isnan(weights).any(axis=1)  # a class without samples looks at nothing
    return {
        name: most_looked_at(row) for name, row in zip(attention["label"][is_known], weights[is_known], strict=True)
    }
