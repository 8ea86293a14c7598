"""Metric files of all splits → Tables 2 and 3 as the paper lays them out, per-class accuracies and controls."""

import json

import pandas as pd
import yaml

from scople.files import whole
from scople.params import Params
from scople.reporting import flat_table, paper_table
from stages.layout import DATASETS, Layout
from stages.running import run

TEXT_BACKBONES = {"minilm": "all-MiniLM-L6-v2", "clip": "CLIP-ViT-B/32"}
SYNTHETIC = "measured on synthetic recordings; not comparable with the paper's numbers"


def main(params: Params) -> str:
    """Gather what was measured and write the tables."""
    layout = Layout(params.profile)
    columns = yaml.safe_load((DATASETS / "paper_tables" / "layout.yaml").read_text(encoding="utf-8"))
    note = SYNTHETIC if params.profile == "demo" else ""
    measured = {
        variant: {split: json.loads(layout.metrics(split, variant).read_text()) for split in params.splits}
        for variant in params.variants
    }
    tables = {
        name: paper_table(
            columns[name],
            pd.read_csv(DATASETS / "paper_tables" / f"{name}.csv"),
            measured,
            {variant: columns["models"].get(variant, variant) for variant in params.variants},
            text_backbone=TEXT_BACKBONES[params.scale.text_encoder],
            note=note,
        )
        for name in ("table2", "table3")
    }
    details = [
        json.loads(layout.evaluation(split, variant).read_text())
        for variant in params.variants
        for split in params.splits
    ]
    tables["controls"] = flat_table([entry["controls"] for entry in details]).assign(note=note)
    tables["per_class"] = flat_table([row for entry in details for row in entry["per_class"]]).assign(note=note)
    for name, table in tables.items():
        with whole(layout.tables / f"{name}.csv") as path:
            table.to_csv(path, index=False, lineterminator="\n")
    zsl = ", ".join(f"{split} {metrics['zsl']:.1f}" for split, metrics in next(iter(measured.values())).items())
    return f"{len(tables)} tables in {layout.tables}; ZSL {zsl}"


if __name__ == "__main__":
    run(main)
