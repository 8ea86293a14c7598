"""Metrics of all splits and repeats → the tables as the paper lays them out, per-class accuracies and controls."""

import json
from itertools import chain
from typing import Any

import pandas as pd
import yaml

from scople.errors import ScopleError
from scople.files import whole
from scople.params import Params
from scople.reporting import flat_table, over_seeds, paper_table
from stages.layout import DATASETS, FIGURE3, Layout
from stages.running import run

TEXT_BACKBONES = {"minilm": "all-MiniLM-L6-v2", "clip": "CLIP-ViT-B/32"}
SYNTHETIC = "measured on synthetic recordings; not comparable with the paper's numbers"


def main(params: Params, pipeline: str) -> str:
    """Gather what a pipeline, main or ablations, measured and write its tables."""
    layouts = yaml.safe_load((DATASETS / "paper_tables" / "layout.yaml").read_text(encoding="utf-8"))
    if pipeline not in layouts:
        raise ScopleError(f"pipeline '{pipeline}' has no tables; known are {', '.join(layouts)}: choose one of them.")
    note = SYNTHETIC if params.profile == "demo" else ""
    if pipeline == "main":
        splits = list(params.splits)
        rows = dict.fromkeys(layouts[pipeline], [params.variant])
    else:
        columns = [column for layout in layouts[pipeline].values() for column in layout["columns"].values()]
        splits = list(dict.fromkeys(split for column in columns for split in column["splits"]))
        rows = {name: list(layout["rows"]) for name, layout in layouts[pipeline].items()}
    evaluations = {
        variant: {split: _evaluation(params, split, variant) for split in splits}
        for variant in dict.fromkeys(chain(*rows.values()))
    }
    repeats = {
        variant: {split: entry["repeats"] for split, entry in found.items()} for variant, found in evaluations.items()
    }
    tables = {
        name: paper_table(
            layout,
            pd.read_csv(DATASETS / "paper_tables" / f"{name}.csv"),
            {variant: repeats[variant] for variant in rows[name]},
            text_backbone=TEXT_BACKBONES[params.scale.text_encoder],
            note=note,
        )
        for name, layout in layouts[pipeline].items()
    }
    for name in ("controls", "per_class"):
        details = [row for found in evaluations.values() for entry in found.values() for row in entry[name]]
        tables[name] = flat_table(details).assign(note=note)
    if pipeline == "ablations":
        panels = [pd.read_csv(Layout(params.profile, pipeline).figure3(setting)) for setting in FIGURE3]
        tables["figure3"] = pd.concat(panels).assign(note=note)
        found = [pd.read_csv(Layout(params.profile, pipeline).diagnostics(split)) for split in splits]
        tables["diagnostics"] = pd.concat(found).assign(note=note)
    folder = Layout(params.profile, "" if pipeline == "main" else pipeline).tables
    for name, table in tables.items():
        with whole(folder / f"{name}.csv") as path:
            table.to_csv(path, index=False, lineterminator="\n")
    zsl = ", ".join(f"{split} {over_seeds(found)['zsl']:.1f}" for split, found in repeats[params.variant].items())
    return f"{len(tables)} tables in {folder}; ZSL of {params.variant}: {zsl}"


def _evaluation(params: Params, split: str, variant: str) -> dict[str, Any]:
    """What a variant was measured to do on a split.

    Raises:
        ScopleError: neither pipeline ran it.
    """
    path = Layout.of(params, "" if variant == params.variant else variant).evaluation(split)
    if not path.exists():
        raise ScopleError(
            f"{path} is missing: the tables need variant '{variant}', the root's pipeline ran '{params.variant}'; set "
            "`variant: scople` and run `dvc repro`, then `make ablations`."
        )
    return json.loads(path.read_text())


if __name__ == "__main__":
    run(main)
