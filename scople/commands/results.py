"""Write `docs/results.md` from `results/`, or check that it is up to date."""

import json
from pathlib import Path

import pandas as pd
import yaml

from scople.base.errors import ScopleError
from scople.base.files import whole
from scople.base.params import Params
from scople.pipeline.layout import DATASETS, FIGURE3, Layout
from scople.reports.results import results_page

PAGE = Path("docs/results.md")


def main(params: Params, check: str = "") -> str:
    """Write the page, or only check that it is up to date.

    Raises:
        ScopleError: a table is missing, or the page is not what the tables say.
    """
    page = build(params)
    if check:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page:
            raise ScopleError(f"{PAGE} is not what results/{params.profile} says: call `scople results`.")
        return f"{PAGE} is what results/{params.profile} says"
    with whole(PAGE) as path:
        path.write_text(page, encoding="utf-8")
    return f"{PAGE} from results/{params.profile}"


def build(params: Params) -> str:
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
