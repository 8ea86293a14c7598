"""Tables: the paper's numbers stay as printed, measured ones are means over splits."""

import pandas as pd
import pytest
import yaml

from scople.reporting import over_seeds, paper_table

METRICS = {"zsl": 50.0, "seen": 60.0, "unseen": 30.0, "harmonic": 40.0}


@pytest.fixture
def layout(root):
    pipelines = yaml.safe_load((root / "datasets/paper_tables/layout.yaml").read_text())
    return pipelines["main"] | pipelines["ablations"]


def build(root, layout, table, measured):
    printed = pd.read_csv(root / f"datasets/paper_tables/{table}.csv")
    return paper_table(layout[table], printed, measured, text_backbone="tower", note="synthetic")


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
    metrics = {f"pku_46_5_r{i}": [METRICS | {"zsl": 10.0 * i, "harmonic": 3.0 * i}] for i in (1, 2, 3)}
    metrics["ntu60_55_5_r1"] = [METRICS]  # two of three are missing: no mean
    row = build(root, layout, "table3", {"scople": metrics}).iloc[-1]
    assert (row["model"], row["source"], row["note"]) == ("SCoPLe", "measured", "synthetic")
    assert row["pku_46_5_random.zsl"] == "20.00"
    assert row["pku_46_5_random.h"] == "6.00"  # the mean of H, not H of the means
    assert row["pku_46_5_random.s"] == "60.00"
    assert row["ntu60_55_5_random.zsl"] == ""


def test_several_repeats_give_deviations_of_the_mean_over_splits(root, layout):
    """Of each repeat first the mean over the splits; a deviation of single splits would be another number."""
    metrics = {f"pku_46_5_r{i}": [METRICS | {"zsl": zsl + 3 * i} for zsl in (10.0, 20.0, 60.0)] for i in (1, 2, 3)}
    table = build(root, layout, "table3", {"scople": metrics})
    row = table.iloc[-1]
    assert row["pku_46_5_random.zsl"] == "36.00"
    assert row["pku_46_5_random.zsl_std"] == "26.46"
    assert row["pku_46_5_random.s_std"] == "0.00"
    assert "ntu60_55_5_random.zsl_std" not in table.columns
    assert table.iloc[0]["pku_46_5_random.zsl_std"] == ""


def test_tables_1_and_4_name_their_measured_rows(root, layout):
    measured = {variant: {"ntu60_55_5": [METRICS]} for variant in layout["table1"]["rows"]}
    table1 = build(root, layout, "table1", measured)
    assert [column for column in table1.columns if "." in column] == [
        f"{name}.zsl" for name in layout["table1"]["columns"]
    ]
    printed = table1[table1["source"] == "paper"].set_index("model")
    assert printed.loc["CLIP-MaPLe", "ntu120_110_10.zsl"] == "66.45"
    assert table1[table1["source"] == "measured"]["model"].tolist() == ["CLIP", "CLIP-CoOp", "CLIP-MaPLe", "CLIP-DSLP"]
    table4 = build(root, layout, "table4", {"no_sampler": {"ntu60_55_5": [METRICS]}})
    assert table4.iloc[-1]["model"] == "SCoPLe w/ skel. prompts (no sampler)"
    assert set(layout["table4"]["rows"].values()) <= set(table4["model"])  # every row's name is one of the paper's


def test_over_seeds():
    assert over_seeds([{"zsl": 1 / 3}]) == {"zsl": 0.3333}
    assert over_seeds([{"zsl": 1.0}, {"zsl": 4.0}]) == {"zsl": 2.5, "zsl_std": 2.1213}
