"""Metrics of all splits and repeats → the tables as the paper lays them out, per-class accuracies and controls."""

from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from scople.base.artefacts import load_sealed_json, load_table, save_json
from scople.base.documents import read_document
from scople.base.errors import ScopleError
from scople.base.files import whole
from scople.base.params import Params
from scople.judging.certainty import over_seeds
from scople.pipeline.layout import DATASETS, FIGURE3, Layout
from scople.pipeline.running import run
from scople.reports.tables import computed_by, figure3_means, flat_table, paper_table, scatter_table, summary, zsl_bars

TEXT_BACKBONES = {"minilm": "all-MiniLM-L6-v2", "clip": "CLIP-ViT-B/32"}
SYNTHETIC = "measured on synthetic recordings; not comparable with the paper's numbers"
RANDOM_SPLITS = {"smie": "random splits: SMIE's", "sa_dvae": "random splits: those that Flora calls SA-DVAE's"}
"""What `random_splits` says in the tables that average over such splits."""

OF_BACKBONE = {"epoch": int, "loss": float, "accuracy": float}
OF_MODEL = {"epoch": int, "loss": float}
POINTS = {"split": str, "setting": str, "value": int, "zsl": float}
REPEATS = {"split": str, "repeat": str, "seed": int, "zsl": float, "seen_candidates": float}
DIAGNOSTICS = {
    **dict.fromkeys(("split", "training_query", "quantity", "unit", "reference_is", "reading"), str),
    "value": float,
    "reference": float,
}
"""Columns of the tables that are read here, with their types."""


def main(params: Params, pipeline: str) -> str:
    """Gather what a pipeline, main or ablations, measured and write its tables."""
    layouts = read_document(DATASETS / "paper_tables" / "layout.yaml")
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
    printed = {name: pd.read_csv(DATASETS / "paper_tables" / f"{name}.csv") for name in layouts[pipeline]}
    tables = {}
    for name, layout in layouts[pipeline].items():
        both = ("entropy", "stacking") if pipeline == "main" else ()
        gates = dict.fromkeys((*both, params.method.gate))
        is_random = any(len(column["splits"]) > 1 for column in layout["columns"].values())
        tables[name] = paper_table(
            layout,
            printed[name],
            {(variant, gate): _repeats(evaluations[variant], gate) for variant in rows[name] for gate in gates},
            text_backbone=TEXT_BACKBONES[params.scale.text_encoder],
            note="; ".join(filter(None, [note, RANDOM_SPLITS[params.random_splits] if is_random else ""])),
            reference=_repeats(evaluations["scople"], params.method.gate) if pipeline == "ablations" else None,
        )
    for name in ("controls", "per_class"):
        details = [row for found in evaluations.values() for entry in found.values() for row in entry[name]]
        tables[name] = flat_table(details).assign(note=note)
    layout = Layout(params.profile, "" if pipeline == "main" else pipeline)
    measured = {split: over_seeds(entry["repeats"]) for split, entry in evaluations[params.variant].items()}
    if pipeline == "main":
        zsl = {split: metrics["zsl"] for split, metrics in measured.items()}
        chance = tables["controls"].groupby("split")["chance"].first().to_dict()
        tables["zsl"] = zsl_bars(layouts[pipeline], printed, zsl, chance).assign(note=note)
        tables["losses"] = flat_table([_losses(params, layout, split) for split in splits], decimals=4)
        save_json(summary(_groups(layouts[pipeline], splits), measured), layout.metrics("summary"))
        save_json(computed_by([layout.provenance(split) for split in splits]), layout.machine)
    else:
        points = pd.concat(
            load_table(layout.figure3(split, name), POINTS, again=f"run `python -m stages.figure3 {split} {name}`")
            for name in FIGURE3
            for split in splits
        )
        tables["figure3"] = points.assign(note=note)
        method = params.method
        usual = (method.prefix_length, method.layer_depth, method.joint_prompts)
        tables["figure3_means"] = figure3_means(points, dict(zip(FIGURE3, usual, strict=True))).assign(note=note)
        repeated = pd.concat(
            load_table(layout.scatter(split), REPEATS, again=f"run `python -m stages.scatter {split}`")
            for split in splits
        )
        tables["scatter"] = scatter_table(repeated).assign(note=note)
        tables["diagnostics"] = pd.concat(
            load_table(layout.diagnostics(split), DIAGNOSTICS, again=f"run `python -m stages.diagnostics {split}`")
            for split in splits
        ).assign(note=note)
    for name, table in tables.items():
        with whole(layout.tables / f"{name}.csv") as path:
            table.to_csv(path, index=False, lineterminator="\n")
    zsl = ", ".join(f"{split} {metrics['zsl']:.1f}" for split, metrics in measured.items())
    return f"{len(tables)} tables in {layout.tables}; ZSL of {params.variant}: {zsl}"


def _repeats(evaluations: dict[str, Any], gate: str) -> dict[str, list[dict[str, float]]]:
    """Split → metrics of each repeat under a gate."""
    return {split: [under[gate] for under in entry["gates"]] for split, entry in evaluations.items()}


def _groups(tables: dict[str, Any], splits: list[str]) -> dict[str, list[str]]:
    """The groups of splits whose means are in `summary.json`: the paper's fixed ones, its random ones, and all."""
    columns = {name: entry["splits"] for table in tables.values() for name, entry in table["columns"].items()}
    fixed = [found[0] for found in columns.values() if len(found) == 1]
    return {"fixed": fixed} | {name: found for name, found in columns.items() if len(found) > 1} | {"all": splits}


def _losses(params: Params, layout: Layout, split: str) -> dict[str, Any]:
    """Final losses of a split's trainings, as means over backbones and repeats."""
    again = f"run `python -m stages.pretrain {split}`"
    backbones = [
        load_table(layout.backbone_history(split, number), OF_BACKBONE, again=again).iloc[-1]
        for number in params.backbone_seeds
    ]
    repeats = [
        load_table(layout.history(split, seed), OF_MODEL, again=f"run `python -m stages.train {split} {seed}`").iloc[-1]
        for seed in params.seeds
    ]
    return {
        "split": split,
        "backbone_loss": float(np.mean([last["loss"] for last in backbones])),
        "backbone_accuracy": float(np.mean([last["accuracy"] for last in backbones])),
        "loss": float(np.mean([last["loss"] for last in repeats])),
    }


def _evaluation(params: Params, split: str, variant: str) -> dict[str, Any]:
    """The evaluation of a variant on a split.

    Raises:
        ScopleError: neither pipeline ran it.
    """
    path = Layout.of(params, "" if variant == params.variant else variant).evaluation(split)
    if not path.exists():
        raise ScopleError(
            f"{path} is missing: the tables need variant '{variant}', the root's pipeline ran '{params.variant}'; set "
            "`variant: scople` and run `dvc repro`, then `make ablations`."
        )
    again = f"run `python -m stages.evaluate {' '.join([split, '' if variant == params.variant else variant]).strip()}`"
    return load_sealed_json("evaluation", path, again=again, split=split, variant=variant)


if __name__ == "__main__":
    run(main)
