"""What is known of a profile, read from `results/` and, where they are there, from `work/`; and its page made of it.

It stands in this room because it needs the places of files, the model and the reports.
"""

import json
import math
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scople.base.artefacts import load_flat_json, load_sealed_json, load_table
from scople.base.documents import read_text
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.pipeline.assembly import build_tower
from scople.pipeline.layout import FIGURE3, Layout
from scople.prediction.shown import recordings_of
from scople.reports.figures import load_attention
from scople.reports.page.document import TABLES, Absent, Confusion, Known, SplitParts, page
from scople.reports.page.moving import Recording, most_looked_at

MOST_RECORDINGS = 60
"""Of all splits together: what a page has room for."""

LICENSED = (
    "These are recordings of real people, under the licence of their data set. That of NTU RGB+D allows academic "
    "research only and no passing on: keep this page to yourself, and read the licence of any other data set first."
)
"""What stands above recordings that are not synthetic."""

PACKAGES = ("scople", "torch", "numpy", "pandas", "matplotlib")
"""What a page names the versions of."""

HISTORY = {"epoch": int, "loss": float}
PAPER = {"model": str, "text_backbone": str, "source": str, "gate": str, "note": str}
CONTROLS = {"split": str, "variant": str, "chance": float, "zsl": float, "note": str}
PER_CLASS = {"split": str, "variant": str, "id": int, "label": str, "is_unseen": bool, "accuracy": float, "note": str}
DIAGNOSTICS = dict.fromkeys(["split", "training_query", "quantity", "unit", "reference_is", "reading", "note"], str)
DIAGNOSTICS |= {"value": float, "reference": float}
"""Columns of the tables that are not numbers alone, with their types."""


def profile_page(params: Params, *, licensed: bool, made_with: Mapping[str, str] | None = None) -> str:
    """The page of the profile of `params.yaml`.

    Args:
        params: the whole of params.yaml.
        licensed: whether recordings that are not synthetic are shown as well.
        made_with: what the page says of the commit and of versions.

    Raises:
        ScopleError: nothing was measured, or a file is damaged.
    """
    return page(_Reading(params).known(licensed=licensed, made_with=made_with or {}))


def made_with() -> dict[str, str]:
    """The commit of the working tree, and the versions that decide what a page looks like."""
    found = {name: version(name) for name in PACKAGES}
    try:
        words = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        return {"commit": done.stdout.strip().replace("-dirty", ", with changes that are not committed")} | found
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "none, this is no git repository"} | found


class _Reading:
    """One pass over a profile's files."""

    def __init__(self, params: Params):
        self.params = params
        self.layout, self.ablations = Layout.of(params), Layout(params.profile, "ablations")
        self.repeat = params.seeds[0]

    def known(self, *, licensed: bool, made_with: Mapping[str, str]) -> Known:
        params, layout = self.params, self.layout
        documents = {split: self._json(layout.provenance(split)) for split in params.splits}
        documents = {split: document for split, document in documents.items() if document}
        metrics = self._metrics()
        tables = {
            name: self._table(room, name, PAPER, command)
            for name in TABLES
            for room, command in [
                (self.ablations, "make ablations") if name in ("table1", "table4") else (layout, "dvc repro")
            ]
        }
        if isinstance(metrics, Absent) and all(isinstance(table, Absent) for table in tables.values()):
            raise ScopleError(
                f"results/{params.profile} holds nothing that a page could show: call `dvc repro`, or set `profile`."
            )
        controls = self._table(layout, "controls", CONTROLS, "dvc repro")
        noted = [] if isinstance(controls, Absent) else [note for note in controls["note"].unique() if note]
        summary = self._flat(layout.metrics("summary"), float, "the means over splits")
        shows = self._shows(licensed)
        recordings = self._recordings(shows)
        synthetic = self._is_synthetic()
        scale = {
            f"{group}.{name}" if isinstance(value, Mapping) else group: setting
            for group, value in asdict(params.scale).items()
            for name, setting in (value.items() if isinstance(value, Mapping) else [("", value)])
        }
        settings = {"seed": params.seed, "seeds": params.seeds, "repeat": params.repeat}
        return Known(
            profile=params.profile,
            variant=params.variant,
            gate=params.settings().gate,
            note="; ".join(noted),
            notice="" if synthetic else LICENSED,
            metrics=metrics,
            provenance=documents,
            summary=summary,
            controls=controls,
            losses=self._table(layout, "losses", {"split": str, "loss": float}, "dvc repro"),
            per_class=self._table(layout, "per_class", PER_CLASS, "dvc repro"),
            tables=tables,
            figure3=self._table(self.ablations, "figure3_means", {"setting": str, "value": int, "note": str}, "make ablations"),
            usual={setting: getattr(params.method, setting) for setting in FIGURE3},
            diagnostics=self._table(self.ablations, "diagnostics", DIAGNOSTICS, "make ablations"),
            splits=[self._split(split, recordings[split]) for split in params.splits],
            settings=settings | asdict(params.settings()) | scale,
            params=read_text("params.yaml"),
            computed_by=self._flat(layout.machine, str, "what computed the results"),
            made_with=made_with,
        )

    def _metrics(self) -> pd.DataFrame | Absent:
        rows = []
        for split in self.params.splits:
            path = self.layout.metrics(split)
            if path.exists():
                again = f"run `dvc repro evaluate@{split}`"
                rows.append({"split": split} | load_flat_json(path.read_bytes(), float, path, again=again))
        return pd.DataFrame(rows) if rows else _absent(self.layout.metrics("*"), "the metrics", "dvc repro")

    def _table(self, layout: Layout, name: str, columns: Mapping[str, type], command: str) -> pd.DataFrame | Absent:
        path = layout.tables / f"{name}.csv"
        if not path.exists():
            return _absent(path, "this table", command)
        return load_table(path, columns, again=f"call `{command}`", gaps=True)

    def _flat(self, path: Path, kind: type, what: str) -> dict[str, Any] | Absent:
        if not path.exists():
            return _absent(path, what, "dvc repro")
        return load_flat_json(path.read_bytes(), kind, path, again="call `dvc repro`")

    def _json(self, path: Path) -> dict[str, Any]:
        if not path.exists():
            return {}
        try:
            document = json.loads(read_text(path))
            for name in ("test_samples", "chance", "texts", "made_from"):
                document[name]
            return document
        except (ValueError, RecursionError, LookupError, TypeError) as error:
            if isinstance(error, ScopleError):
                raise
            raise ScopleError(f"{path} is no provenance file: restore it, or run `dvc repro` again.") from error

    def _split(self, split: str, recordings: list[Recording] | Absent) -> SplitParts:
        layout, again = self.layout, f"dvc repro evaluate@{split}"
        gates = self._when(
            [layout.gates(split, self.repeat), layout.evaluation(split)],
            "the S–U curves",
            again,
            lambda: load_sealed_json("gates", layout.gates(split, self.repeat), again=f"run `{again}`", split=split),
        )
        tested = {}
        if not isinstance(gates, Absent):
            belongs = {"split": split, "variant": self.params.variant}
            details = load_sealed_json("evaluation", layout.evaluation(split), again=f"run `{again}`", **belongs)
            tested = details["gates"][0]
        confusion = self._when(
            [layout.predictions(split), layout.attention(split)], "the confusion", again, lambda: self._confusion(split)
        )
        looked_at = {}
        if not isinstance(confusion, Absent) and self.params.settings().sampler:
            looked_at = self._looked_at(split)
        trained = {
            "history": ("the training", layout.history(split, self.repeat)),
            "backbone_history": (
                "the backbone's training",
                layout.backbone_history(split, self.params.backbone_of(self.repeat)),
            ),
        }
        histories = {
            name: self._when(
                [path],
                what,
                again,
                lambda path=path: load_table(path, HISTORY, again=f"run `{again}`"),
            )
            for name, (what, path) in trained.items()
        }
        return SplitParts(
            name=split,
            gates=gates,
            tested=tested,
            confusion=confusion,
            looked_at=looked_at,
            recordings=recordings,
            **histories,
        )

    def _when(self, paths: list[Path], what: str, command: str, read: Callable[[], Any]) -> Any:
        lacking = [path for path in paths if not path.exists()]
        return _absent(lacking[0], what, command) if lacking else read()

    def _confusion(self, split: str) -> Confusion:
        path, again = self.layout.predictions(split), f"run `dvc repro evaluate@{split}`"
        attention = load_attention(self.layout.attention(split), again=again)
        names = attention["label"].tolist()
        pairs = load_table(path, {"actual": str, "predicted": str}, again=again)
        if strange := sorted({*pairs["actual"], *pairs["predicted"]} - {*names}):
            raise ScopleError(f"{path} has the class {strange[0][:40]!r}, which its attention lacks: {again}.")
        counts = pd.crosstab(pairs["actual"], pairs["predicted"]).reindex(index=names, columns=names, fill_value=0)
        is_unseen = attention["is_unseen"].to_numpy()
        order = np.argsort(is_unseen, kind="stable")
        return Confusion(
            counts.to_numpy()[np.ix_(order, order)], [names[k] for k in order], is_unseen[order]
        )

    def _looked_at(self, split: str) -> dict[str, str]:
        path, again = self.layout.attention(split), f"run `dvc repro evaluate@{split}`"
        attention = load_attention(path, again=again)
        weights = attention.drop(columns=["label", "is_unseen"]).to_numpy()
        known = ~np.isnan(weights).any(axis=1)
        return {
            name: most_looked_at(row)
            for name, row, is_known in zip(attention["label"], weights, known, strict=True)
            if is_known
        }

    def _is_synthetic(self) -> bool:
        raw = {self.params.raw_folder_of(self.params.dataset_of(split)) for split in self.params.splits}
        return all(self.layout.is_synthetic(folder) for folder in raw)

    def _shows(self, licensed: bool) -> dict[str, bool]:
        """Split → whether its recordings may be shown."""
        raw = {split: self.params.raw_folder_of(self.params.dataset_of(split)) for split in self.params.splits}
        return {split: licensed or self.layout.is_synthetic(folder) for split, folder in raw.items()}

    def _recordings(self, shows: Mapping[str, bool]) -> dict[str, list[Recording] | Absent]:
        params, layout = self.params, self.layout
        count = min(12, max(2, math.floor(MOST_RECORDINGS / len(params.splits))))
        found: dict[str, list[Recording] | Absent] = {}
        tower = None
        for split, is_shown in shows.items():
            needed = [
                layout.corpus(params.dataset_of(split)) / "digests.json",
                layout.classes(split),
                layout.features(split, "test", params.backbone_of(self.repeat)),
                layout.model(split, self.repeat),
                layout.gates(split, self.repeat),
            ]
            lacking = [path for path in needed if not path.exists()]
            if not is_shown:
                found[split] = Absent("recordings of real people", "nobody asked for them", "scople page --recordings")
            elif lacking:
                found[split] = _absent(lacking[0], "the recordings", f"dvc repro evaluate@{split}")
            else:
                tower = tower or build_tower(params.scale)
                found[split] = recordings_of(params, split, tower, count)
        return found


def _absent(path: Path, what: str, command: str) -> Absent:
    return Absent(what, f"there is no {path.as_posix()}", command)
