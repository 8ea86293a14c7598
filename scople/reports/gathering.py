"""Metrics of all splits and repeats → the tables as the paper lays them out, per-class accuracies and controls."""

from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from scople.base.artefacts import load_sealed_json, load_table
from scople.base.documents import read_document
from scople.base.encoders import title_of
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.judging.certainty import over_seeds
from scople.pipeline.layout import DATASETS, FIGURE3, Layout
from scople.pipeline.origins import origins
from scople.reports.tables import (
    comparison_summary,
    comparison_table,
    computed_by,
    figure3_means,
    flat_table,
    paper_table,
    scatter_table,
    summary,
    zsl_bars,
)

SYNTHETIC = "measured on synthetic recordings; not comparable with the paper's numbers"
RANDOM_SPLITS = {"smie": "random splits: SMIE's", "sa_dvae": "random splits: those that Flora calls SA-DVAE's"}
"""What `random_splits` says in the tables that average over such splits."""

OTHER_TEXTS = {
    "jpose": "verbs and nouns",
    "synse": "verbs and nouns",
    "star": "names and descriptions",
    **dict.fromkeys(("purls", "purls_candidate", "purls_static", "purls_global"), "descriptions"),
}
"""Method → what it reads of a class where `class_text` does not say so."""

OF_BACKBONE = {"epoch": int, "loss": float, "accuracy": float}
OF_MODEL = {"epoch": int, "loss": float}
POINTS = {"split": str, "setting": str, "value": int, "zsl": float}
REPEATS = {"split": str, "repeat": str, "seed": int, "zsl": float, "seen_candidates": float}
DIAGNOSTICS = {
    **dict.fromkeys(("split", "training_query", "quantity", "unit", "reference_is", "reading"), str),
    "value": float,
    "reference": float,
}
LEAKS = {name: DIAGNOSTICS.get(name, str) for name in ("variant", *DIAGNOSTICS) if name != "training_query"}
"""Columns of the tables that are read here, with their types."""

Evaluations = dict[str, dict[str, dict[str, Any]]]
"""Variant → split → what the evaluation wrote."""


class Gathered(NamedTuple):
    """What a pipeline measured.

    Attributes:
        tables: name → table.
        documents: path → numbers or words for a document in git.
        zsl: split → ZSL of the root pipeline's variant in per cent.
    """

    tables: dict[str, pd.DataFrame]
    documents: dict[Path, dict[str, Any]]
    zsl: dict[str, float]


def gather(params: Params, pipeline: str, layout: Layout) -> Gathered:
    """Read what a pipeline measured and lay it out.

    Args:
        params: the whole of params.yaml.
        pipeline: main, ablations or baselines.
        layout: of that pipeline.

    Raises:
        ScopleError: there is no such pipeline, or it was not run to its end.
    """
    layouts = read_document(DATASETS / "paper_tables" / "layout.yaml")
    gathering = {"main": _of_main, "ablations": _of_ablations, "baselines": _of_baselines}
    if pipeline not in gathering:
        raise ScopleError(f"pipeline '{pipeline}' has no tables; known are {', '.join(gathering)}: choose one of them.")
    return gathering[pipeline](params, layouts[pipeline], layout)


def _of_main(params: Params, layouts: dict[str, Any], layout: Layout) -> Gathered:
    """Tables 2 and 3 with the variant of the root's pipeline."""
    note, splits = _note(params), list(params.splits)
    evaluations = _evaluations(params, layout, {params.variant: splits})
    measured, gates = _means(evaluations[params.variant]), _both_gates(params)
    tables = {
        name: _paper_table(params, name, entry, _under(evaluations, [params.variant], gates))
        for name, entry in layouts.items()
    }
    tables |= {name: _details(evaluations, name).assign(note=note) for name in ("controls", "per_class")}
    zsl = _zsl(params, evaluations)
    printed = {name: _printed(name) for name in layouts}
    tables["zsl"] = zsl_bars(layouts, printed, zsl, _chance(tables["controls"])).assign(note=note)
    tables["losses"] = flat_table([_losses(params, layout, split) for split in splits], decimals=4)
    documents = {
        layout.metrics("summary"): summary(_groups(layouts, splits), measured),
        layout.machine: computed_by([layout.provenance(split) for split in splits]),
    }
    return Gathered(tables, documents, zsl)


def _of_ablations(params: Params, layouts: dict[str, Any], layout: Layout) -> Gathered:
    """Tables 1 and 4, Figure 3, the scatter of repeats and the diagnostics."""
    note, gates = _note(params), [params.method.gate]
    splits = list(dict.fromkeys(chain(*(_columns_splits(entry) for entry in layouts.values()))))
    variants = list(dict.fromkeys(chain(*(entry["rows"] for entry in layouts.values()))))
    evaluations = _evaluations(params, layout, dict.fromkeys(variants, splits))
    references = {"": {gate: _repeats(evaluations["scople"], gate) for gate in gates}}
    tables = {
        name: _paper_table(params, name, entry, _under(evaluations, entry["rows"], gates), references=references)
        for name, entry in layouts.items()
    }
    tables |= {name: _details(evaluations, name).assign(note=note) for name in ("controls", "per_class")}
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
        load_table(layout.scatter(split), REPEATS, again=f"run `python -m stages.scatter {split}`") for split in splits
    )
    tables["scatter"] = scatter_table(repeated).assign(note=note)
    tables["diagnostics"] = pd.concat(
        load_table(layout.diagnostics(split), DIAGNOSTICS, again=f"run `python -m stages.diagnostics {split}`")
        for split in splits
    ).assign(note=note)
    return Gathered(tables, {}, _zsl(params, evaluations))


def _of_baselines(params: Params, layouts: dict[str, Any], layout: Layout) -> Gathered:
    """Tables 2 and 3 with a row for every method, and their comparison; a table's rows say which splits were run."""
    note, gates = _note(params), _both_gates(params)
    names = {variant: model for entry in layouts.values() for variant, model in entry["rows"].items()}
    splits = {
        variant: [split for entry in layouts.values() if variant in entry["rows"] for split in _columns_splits(entry)]
        for variant in names
    }
    evaluations = _evaluations(params, layout, splits)
    about = {variant: _told(params, variant) for variant in names}
    references = {
        f"_{each}": {gate: _repeats(evaluations[each], gate) for gate in gates} for each in ("scople", "ridge")
    }
    tables = {
        name: _paper_table(
            params,
            name,
            entry,
            _under(evaluations, entry["rows"], gates),
            about={variant: {"variant": variant, **about[variant]} for variant in entry["rows"]},
            references=references,
        )
        for name, entry in layouts.items()
    }
    tables["controls"] = _details(evaluations, "controls").assign(note=note)
    tables["comparison"] = comparison_table(
        _comparison_groups(layouts, splits["scople"]),
        _under(evaluations, names, gates),
        _chance(tables["controls"]),
        about={variant: {"model": names[variant], **about[variant]} for variant in names},
        references={"scople": "_scople", "ridge": "_ridge"},
        note=note,
    )
    leak = layout.diagnostics("query_leak")
    tables["diagnostics"] = load_table(leak, LEAKS, again="run `python -m stages.query_leak`").assign(note=note)
    documents = {layout.metrics("summary"): comparison_summary(tables["comparison"], params.method.gate)}
    return Gathered(tables, documents, _zsl(params, evaluations))


def _told(params: Params, variant: str) -> dict[str, str]:
    """What the rows of a variant say of it."""
    method = params.settings(variant)
    texts = OTHER_TEXTS.get(method.method, method.class_text)
    return {"method": method.method, "class_text": texts, "seen_source": method.seen_source}


def _note(params: Params) -> str:
    return "; ".join([SYNTHETIC] * (params.profile == "demo") + origins(params, params.splits))


def _both_gates(params: Params) -> list[str]:
    return list(dict.fromkeys(("entropy", "stacking", params.method.gate)))


def _columns_splits(layout: dict[str, Any]) -> list[str]:
    return [split for column in layout["columns"].values() for split in column["splits"]]


def _printed(table: str) -> pd.DataFrame:
    return pd.read_csv(DATASETS / "paper_tables" / f"{table}.csv")


def _paper_table(
    params: Params, name: str, layout: dict[str, Any], measured: dict[tuple[str, str], Any], **more: Any
) -> pd.DataFrame:
    told = RANDOM_SPLITS[params.random_splits] if layout.get("told_in_two_ways") else ""
    return paper_table(
        layout,
        _printed(name),
        measured,
        text_backbone=title_of(params.scale.text_encoder, params.scale.text_weights),
        note="; ".join(filter(None, [_note(params), told])),
        **more,
    )


def _evaluations(params: Params, layout: Layout, splits: dict[str, list[str]]) -> Evaluations:
    return {
        variant: {split: _evaluation(params, layout, split, variant) for split in found}
        for variant, found in splits.items()
    }


def _under(evaluations: Evaluations, variants: Iterable[str], gates: list[str]) -> dict[tuple[str, str], Any]:
    """(variant, gate) → split → metrics of each repeat."""
    return {(variant, gate): _repeats(evaluations[variant], gate) for variant in variants for gate in gates}


def _repeats(evaluations: dict[str, Any], gate: str) -> dict[str, list[dict[str, float]]]:
    """Split → metrics of each repeat under a gate."""
    return {split: [under[gate] for under in entry["gates"]] for split, entry in evaluations.items()}


def _means(evaluations: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Split → means over the repeats under the gate of the run."""
    return {split: over_seeds(entry["repeats"]) for split, entry in evaluations.items()}


def _zsl(params: Params, evaluations: Evaluations) -> dict[str, float]:
    return {split: metrics["zsl"] for split, metrics in _means(evaluations[params.variant]).items()}


def _details(evaluations: Evaluations, name: str) -> pd.DataFrame:
    return flat_table([row for found in evaluations.values() for entry in found.values() for row in entry[name]])


def _chance(controls: pd.DataFrame) -> dict[str, float]:
    return controls.groupby("split")["chance"].first().to_dict()


def _comparison_groups(tables: dict[str, Any], splits: list[str]) -> dict[str, list[str]]:
    """The groups of splits whose means are compared: the paper's fixed ones, its random ones, and all."""
    fixed = _groups(tables, splits)["fixed"]
    return {"fixed": fixed, "random": [split for split in splits if split not in fixed], "all": splits}


def _groups(tables: dict[str, Any], splits: list[str]) -> dict[str, list[str]]:
    """The groups of splits whose means are in `summary.json`: the paper's fixed ones, its random ones, and all."""
    columns = {name: entry["splits"] for table in tables.values() for name, entry in table["columns"].items()}
    fixed = [found[0] for found in columns.values() if len(found) == 1]
    return {"fixed": fixed} | {name: found for name, found in columns.items() if len(found) > 1} | {"all": splits}


def _losses(params: Params, layout: Layout, split: str) -> dict[str, Any]:
    """Final losses of a split's trainings, as means over backbones and repeats; NaN for a method without steps."""
    again = f"run `python -m stages.pretrain {split}`"
    backbones = [
        load_table(layout.backbone_history(split, number), OF_BACKBONE, again=again).iloc[-1]
        for number in params.backbone_seeds
    ]
    again = f"run `python -m stages.train {split}"
    repeats = [
        load_table(layout.history(split, seed), OF_MODEL, again=f"{again} {seed}`", gaps=True, may_be_empty=True)
        for seed in params.seeds
    ]
    return {
        "split": split,
        "backbone_loss": float(np.mean([last["loss"] for last in backbones])),
        "backbone_accuracy": float(np.mean([last["accuracy"] for last in backbones])),
        "loss": float(np.mean([table["loss"].iloc[-1] if len(table) else np.nan for table in repeats])),
    }


def _evaluation(params: Params, layout: Layout, split: str, variant: str) -> dict[str, Any]:
    """The evaluation of a variant on a split: of the root's pipeline, or of the one whose tables are made.

    Raises:
        ScopleError: neither pipeline ran it.
    """
    is_root = variant == params.variant
    path = Layout(params.profile, *(() if is_root else (layout.room, variant))).evaluation(split)
    if not path.exists():
        raise ScopleError(
            f"{path} is missing: the tables need variant '{variant}', the root's pipeline ran '{params.variant}'; set "
            f"`variant: scople` and run `dvc repro`, then `make {layout.room or 'repro'}`."
        )
    again = f"run `python -m stages.evaluate {' '.join([split, '' if is_root else variant]).strip()}`"
    if layout.room == "baselines" and not is_root:
        again = f"run `python -m stages.evaluate_splits {variant}`"
    return load_sealed_json("evaluation", path, again=again, split=split, variant=variant)
