"""Write `docs/results.md` and the measured parts of `docs/comparison.md`, or check that they are up to date."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import yaml

from scople.base.artefacts import load_table
from scople.base.errors import ScopleError
from scople.base.files import whole
from scople.base.params import Params
from scople.judging.certainty import Mean, paired_difference
from scople.pipeline.layout import DATASETS, FIGURE3, Layout
from scople.reports import methods_page
from scople.reports.methods import COLUMNS, COMPARED
from scople.reports.results import results_page

PAGE, COMPARISON = Path("docs/results.md"), Path("docs/comparison.md")

REAL = "msr"
"""The profile of the real recordings on which the methods are compared, see `benchmarks.msr`."""

COSTS = Path("benchmarks/measured")
"""Where the tables of `benchmarks.methods` lie."""


def main(params: Params, check: str = "") -> str:
    """Write the pages, or only check that they are up to date.

    Raises:
        ScopleError: a table is missing, or a page is not what the tables say.
    """
    pages = build(params)
    names = " and ".join(path.as_posix() for path in pages)
    for path, text in pages.items():
        if not check:
            with whole(path) as beside:
                beside.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            raise ScopleError(f"{path} is not what results/ says: call `scople results`.")
    return f"{names} {'are what results/ says' if check else 'from results/'}"


def build(params: Params) -> dict[Path, str]:
    """Both pages; results are those of the profile of `params.yaml`.

    Raises:
        ScopleError: the pipeline has not written a table that a page needs.
    """
    return {PAGE: _results(params), COMPARISON: _comparison(params)}


def _comparison(params: Params) -> str:
    """The page of the methods with its measured parts; what was not run says so."""
    gate = params.method.gate
    profiles = {"real": Layout(REAL, "baselines"), "splits": Layout(params.profile, "baselines")}
    tables = {name: _compared(layout) for name, layout in profiles.items()}
    paper = {f"Table {n}": profiles["splits"].tables / f"table{n}.csv" for n in (2, 3)}
    devices = {path.stem.removeprefix("methods_"): pd.read_csv(path) for path in sorted(COSTS.glob("methods_*.csv"))}
    names = {"splits": "the paper's splits", "real": "MSR-Action3D"}
    leaks = {where: profiles[name].tables / "diagnostics.csv" for name, where in names.items()}
    parts = {
        "ahead": methods_page.ahead(tables["real"], gate, "real recordings (MSR-Action3D)"),
        **{
            name: _beside_picture(methods_page.comparison(tables[name], gate, _gains(params, layout)), layout)
            for name, layout in profiles.items()
        },
        "columns": methods_page.of_columns({name: pd.read_csv(p) for name, p in paper.items() if p.exists()}, gate),
        "leaks": methods_page.leaks({where: pd.read_csv(path) for where, path in leaks.items() if path.exists()}),
        "departures": methods_page.departures(),
        "costs": methods_page.costs(devices),
    }
    return methods_page.filled(_text(COMPARISON), parts)


def _compared(layout: Layout) -> pd.DataFrame | None:
    path = layout.tables / "comparison.csv"
    return load_table(path, COLUMNS, again="call `make baselines`", gaps=True) if path.exists() else None


def _gains(params: Params, layout: Layout) -> dict[str, dict[str, Mean]]:
    """Variant with other class texts → ZSL and H less those of its method with class names, on the splits of both."""
    gains = {}
    for variant, settings in params.variants.items():
        method = settings.get("method", "scople")
        if "class_text" not in settings or method not in ("scople", *params.variants):
            continue
        own = Layout(layout.profile) if method == "scople" else replace(layout, variant=method)
        described = _metrics(replace(layout, variant=variant))
        plain = _metrics(own)
        if splits := [split for split in described if split in plain]:
            gains[variant] = {
                metric: paired_difference(
                    *({split: found[split][metric] for split in splits} for found in (plain, described))
                )
                for metric in COMPARED
            }
    return gains


def _metrics(layout: Layout) -> dict[str, dict[str, float]]:
    """Split → metrics of a variant; nothing if it was not run."""
    paths = sorted(layout.metrics("*").parent.glob("*.json"))
    return {path.stem: json.loads(_text(path)) for path in paths if path.stem != "summary"}


def _beside_picture(text: str, layout: Layout) -> str:
    path = layout.figures / "comparison.png"
    return f"![ZSL and H of each method](../{path.as_posix()})\n\n{text}" if path.exists() else text


def _results(params: Params) -> str:
    """The page of the profile of `params.yaml`.

    Raises:
        ScopleError: the pipeline has not written a table that the page needs.
    """
    layout, ablations = Layout(params.profile), Layout(params.profile, "ablations")
    samples = {split: json.loads(_text(layout.provenance(split)))["test_samples"] for split in params.splits}
    metrics = [{"split": split} | json.loads(_text(layout.metrics(split))) for split in params.splits]
    tables = {name: _table(layout, name) for name in ("controls", "losses", "zsl")}
    layouts = yaml.safe_load((DATASETS / "paper_tables" / "layout.yaml").read_text(encoding="utf-8"))
    further = ("table1", "table4", "figure3_means", "scatter", "diagnostics")
    return results_page(
        layout.tables.parent.as_posix(),
        json.loads(_text(layout.machine)),
        samples,
        json.loads(_text(layout.metrics("summary"))),
        tables | {"metrics": pd.DataFrame(metrics)},
        {name: _table(ablations, name) for name in further} if ablations.tables.exists() else {},
        {name: table["rows"] for name, table in layouts["ablations"].items()},
        {name: getattr(params.method, name) for name in FIGURE3},
    )


def _table(layout: Layout, name: str) -> pd.DataFrame:
    path = layout.tables / f"{name}.csv"
    _text(path)
    return pd.read_csv(path)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ScopleError(
            f"{path} is missing and the page needs it: call `make repro` and `make ablations` first."
        ) from error
