"""Diagnostics of the fixed splits (those of Table 2) → one table."""

import pandas as pd
import yaml

from scople.errors import ScopleError
from scople.files import whole
from scople.params import Params
from stages.layout import DATASETS, Layout
from stages.running import run


def main(params: Params) -> str:
    """Put the splits' tables below each other."""
    layout = Layout(params.profile)
    columns = yaml.safe_load((DATASETS / "paper_tables" / "layout.yaml").read_text(encoding="utf-8"))["table2"]
    paths = [layout.diagnostics(split) for column in columns.values() for split in column["splits"]]
    for path in paths:
        if not path.is_file():
            raise ScopleError(f"{path} is missing: run `python -m stages.diagnostics {path.stem}` first.")
    table = pd.concat([pd.read_csv(path, dtype=str, keep_default_na=False) for path in paths])
    with whole(layout.diagnostics_table) as path:
        table.to_csv(path, index=False, lineterminator="\n")
    return f"{table['quantity'].nunique()} quantities of {len(paths)} splits in {layout.diagnostics_table}"


if __name__ == "__main__":
    run(main)
