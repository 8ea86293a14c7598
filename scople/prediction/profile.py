"""What is known of a profile, read from `results/` and, where they are there, from `work/`; and its page made of it.

It stands in this room because it needs the places of files, the model and the reports.
"""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from scople.base.artefacts import load_flat_json, load_table
from scople.base.documents import read_text
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.pipeline.assembly import require_names
from scople.pipeline.layout import FIGURE3, Layout
from scople.prediction.shown import all_recordings
from scople.prediction.split_parts import split_parts, when
from scople.reports.page.document import page
from scople.reports.page.known import TABLES, Absent, Known

LICENSED = (
    "These are recordings of real people, under the licence of their data set. That of NTU RGB+D allows academic "
    "research only and no passing on: keep this page to yourself, and read the licence of any other data set first."
)
"""What stands above recordings that are not synthetic."""

PACKAGES = ("scople", "torch", "numpy", "pandas", "matplotlib")
"""What a page names the versions of."""

PROVENANCE = {"test_samples": dict, "chance": int | float, "texts": str, "made_from": str}
"""What the page takes from the document beside a metrics file."""

PAPER = dict.fromkeys(("model", "text_backbone", "source", "gate", "note"), str)
COLUMNS = {
    "controls": {"split": str, "variant": str, "chance": float, "zsl": float, "note": str},
    "losses": {"split": str, "loss": float},
    "per_class": {"split": str, "variant": str, "id": int, "label": str, "is_unseen": bool, "accuracy": float}
    | {"note": str},
    "figure3_means": {"setting": str, "value": int, "zsl": float, "zsl_difference_se": float, "note": str},
    "diagnostics": dict.fromkeys(("split", "training_query", "quantity", "unit", "reference_is"), str)
    | {"reading": str, "note": str, "value": float, "reference": float},
    **dict.fromkeys(TABLES, PAPER),
}
"""Table → its columns that have to be there, with their types."""

ABLATIONS = ("table1", "table4", "figure3_means", "diagnostics")
"""Tables that `make ablations` makes."""


def profile_page(params: Params, *, licensed: bool, made_with: Mapping[str, str] | None = None) -> str:
    """The page of the profile of `params.yaml`.

    Args:
        params: the whole of params.yaml.
        licensed: whether recordings that are not synthetic are shown as well.
        made_with: what the page says of the commit and of versions.

    Raises:
        ScopleError: the variant is another method than SCoPLe, nothing was measured, a file is damaged, or the page
            would be too large.
    """
    layout = Layout.of(params)
    require_names(params.settings(), "the page")
    tables = {name: _table(params, name) for name in COLUMNS}
    metrics, provenance = _metrics(params)
    if all(isinstance(part, Absent) for part in (metrics, *tables.values())):
        raise ScopleError(
            f"results/{params.profile} holds nothing that a page could show: call `dvc repro`, or set another profile."
        )
    controls = tables["controls"]
    notes = [] if isinstance(controls, Absent) else [note for note in controls["note"].unique() if note]
    recordings = all_recordings(params, licensed=licensed)
    return page(
        Known(
            profile=params.profile,
            variant=params.variant,
            gate=params.settings().gate,
            note="; ".join(notes),
            notice="" if is_synthetic(params) else LICENSED,
            metrics=metrics,
            provenance=provenance,
            summary=_flat(layout.metrics("summary"), float, "the means over splits"),
            controls=controls,
            losses=tables["losses"],
            per_class=tables["per_class"],
            tables={name: tables[name] for name in TABLES},
            figure3=tables["figure3_means"],
            usual={setting: getattr(params.method, setting) for setting in FIGURE3},
            diagnostics=tables["diagnostics"],
            splits=[split_parts(params, split, recordings[split]) for split in params.splits],
            settings=_settings(params),
            params=read_text("params.yaml"),
            computed_by=_flat(layout.machine, str, "what computed the results"),
            made_with=made_with or {},
        )
    )


def made_with() -> dict[str, str]:
    """The commit of the working tree, and the versions of what a page is made with."""
    found = {name: version(name) for name in PACKAGES}
    words = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return {"commit": "none: this is no git repository"} | found
    return {"commit": said.replace("-dirty", ", with changes that are not committed")} | found


def is_synthetic(params: Params) -> bool:
    """Whether the demo has written all recordings of the profile."""
    raw = {params.raw_folder_of(params.dataset_of(split)) for split in params.splits}
    return all(Layout(params.profile).is_synthetic(folder) for folder in raw)


def _metrics(params: Params) -> tuple[pd.DataFrame | Absent, dict[str, dict[str, Any]]]:
    """A row for each split that was evaluated, and the document beside each row's file."""
    layout, rows, documents = Layout.of(params), [], {}
    for split in params.splits:
        path, again = layout.metrics(split), f"run `dvc repro evaluate@{split}`"
        if path.exists():
            rows.append({"split": split} | load_flat_json(path.read_bytes(), float, path, again=again))
            documents[split] = _provenance(layout.provenance(split), again)
    if rows:
        return pd.DataFrame(rows), documents
    return Absent("the metrics", f"there is no {layout.metrics('*').as_posix()}", "dvc repro"), {}


def _provenance(path: Path, again: str) -> dict[str, Any]:
    try:
        document = json.loads(read_text(path))
        if all(isinstance(document[name], kind) for name, kind in PROVENANCE.items()):
            return document
    except (ValueError, RecursionError, LookupError, TypeError) as error:
        if isinstance(error, ScopleError):
            raise
    raise ScopleError(f"{path} does not say {', '.join(PROVENANCE)}: restore it, or {again}.")


def _table(params: Params, name: str) -> pd.DataFrame | Absent:
    is_ablation = name in ABLATIONS
    path = Layout(params.profile, "ablations" if is_ablation else "").tables / f"{name}.csv"
    command = "make ablations" if is_ablation else "dvc repro"
    return when(
        "this table",
        [path],
        command,
        lambda: load_table(path, COLUMNS[name], again=f"restore it, or call `{command}`", gaps=True),
    )


def _flat(path: Path, kind: type, what: str) -> dict[str, Any] | Absent:
    again = "restore it, or call `dvc repro`"
    return when(what, [path], "dvc repro", lambda: load_flat_json(path.read_bytes(), kind, path, again=again))


def _settings(params: Params) -> dict[str, object]:
    """What decides the results, by the names of params.yaml."""
    found: dict[str, object] = {"seed": params.seed, "seeds": params.seeds, "repeat": params.repeat}
    found |= asdict(params.settings())
    for name, value in asdict(params.scale).items():
        found |= {f"{name}.{key}": entry for key, entry in value.items()} if isinstance(value, dict) else {name: value}
    return found
