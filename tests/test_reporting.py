"""Tables: the paper's numbers stay as printed, measured ones are means over splits."""

import pandas as pd
import pytest
import yaml

from scople.reporting import paper_table

METRICS = {"zsl": 50.0, "seen": 60.0, "unseen": 30.0, "harmonic": 40.0}


@pytest.fixture
def layout(root):
    return yaml.safe_load((root / "datasets/paper_tables/layout.yaml").read_text())


def build(root, layout, table, measured):
    printed = pd.read_csv(root / f"datasets/paper_tables/{table}.csv")
    models = {"scople": "SCoPLe", "no_prompts": "SCoPLe w/o all prompts"}
    return paper_table(layout[table], printed, measured, models, text_backbone="tower", note="synthetic")


def test_paper_rows_are_printed_numbers(root, layout):
    table = build(root, layout, "table2", {}).set_index("model")
    assert table.loc["SCoPLe (ours)", "ntu60_48_12.zsl"] == "52.96"
    assert table.loc["SCoPLe (ours)", "ntu120_96_24.h"] == "52.23"
    assert table.loc["SMIE", "ntu60_55_5.s"] == ""
    assert set(table["source"]) == {"paper"}
    assert len(table) == 9


def test_columns_are_those_of_the_paper(root, layout):
    table = build(root, layout, "table3", {})
    assert list(table.columns) == (
        ["model", "text_backbone", "source"]
        + [
            f"{split}.{metric}"
            for split in ("ntu60_55_5_random", "ntu120_110_10_random", "pku_46_5_random")
            for metric in ("zsl", "s", "u", "h")
        ]
        + ["note"]
    )
    assert table.set_index("model").loc["SCoPLe (ours)", "ntu120_110_10_random.h"] == "54.08"


def test_measured_row_is_the_mean_over_its_splits(root, layout):
    metrics = {f"pku_46_5_r{i}": METRICS | {"zsl": 10.0 * i, "harmonic": 3.0 * i} for i in (1, 2, 3)}
    metrics["ntu60_55_5_r1"] = METRICS  # two of three are missing: no mean
    row = build(root, layout, "table3", {"scople": metrics}).iloc[-1]
    assert (row["model"], row["source"], row["note"]) == ("SCoPLe", "measured", "synthetic")
    assert row["pku_46_5_random.zsl"] == "20.00"
    assert row["pku_46_5_random.h"] == "6.00"  # the mean of H, not H of the means
    assert row["pku_46_5_random.s"] == "60.00"
    assert row["ntu60_55_5_random.zsl"] == ""
