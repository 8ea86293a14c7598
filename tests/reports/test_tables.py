"""Tables: the paper's numbers stay as printed, measured ones are means over splits."""

import pandas as pd
import pytest
import yaml

from scople.judging.certainty import over_seeds
from scople.reports.tables import figure3_means, paper_table, scatter_table, summary, zsl_bars

METRICS = {"zsl": 50.0, "seen": 60.0, "unseen": 30.0, "harmonic": 40.0}


@pytest.fixture
def layout(root):
    pipelines = yaml.safe_load((root / "datasets/paper_tables/layout.yaml").read_text())
    return pipelines["main"] | pipelines["ablations"]


def build(root, layout, table, measured, reference=None):
    printed = pd.read_csv(root / f"datasets/paper_tables/{table}.csv")
    measured = {(variant, "entropy"): splits for variant, splits in measured.items()}
    references = {"": {"entropy": reference}} if reference else None
    return paper_table(layout[table], printed, measured, text_backbone="tower", note="synthetic", references=references)


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
        ["model", "text_backbone", "source", "gate"]
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
    assert (row["model"], row["source"], row["gate"], row["note"]) == ("SCoPLe", "measured", "entropy", "synthetic")
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


def test_a_reference_gives_paired_differences_over_the_shared_splits(root, layout):
    """Differences of 1, 4 and 7 in ZSL: mean 4, deviation 3, error 3 / sqrt(3); the fourth split is missing."""
    names = ("ntu60_55_5", "ntu60_48_12", "ntu120_110_10", "ntu120_96_24")
    reference = {name: [METRICS | {"zsl": 10.0 * k}, METRICS | {"zsl": 10.0 * k + 2}] for k, name in enumerate(names)}
    coop = {name: [METRICS | {"zsl": 10.0 * k + 1 + 1 + 3 * k, "harmonic": 45.0}] for k, name in enumerate(names[:3])}
    table = build(root, layout, "table4", {"no_sampler": coop}, reference)
    row = table.iloc[-1]
    assert [row[f"zsl_difference{end}"] for end in ("", "_se")] == ["4.00", "1.73"]
    assert [row[f"h_difference{end}"] for end in ("", "_se")] == ["5.00", "0.00"]
    assert row["splits"] == "3"
    assert table.iloc[0]["zsl_difference"] == ""
    only_zsl = build(root, layout, "table1", {"coop": coop}, reference)
    assert [column for column in only_zsl if "difference" in column] == ["zsl_difference", "zsl_difference_se"]


def test_one_split_has_a_difference_and_no_error(root, layout):
    row = build(root, layout, "table4", {"coop": {"ntu60_55_5": [METRICS]}}, {"ntu60_55_5": [METRICS]}).iloc[-1]
    assert (row["zsl_difference"], row["zsl_difference_se"], row["splits"]) == ("0.00", "", "1")


def test_summary_is_flat_with_errors_over_splits():
    measured = {name: METRICS | {"zsl": zsl} for name, zsl in (("a", 10.0), ("b", 20.0), ("c", 60.0))}
    found = summary({"fixed": ["a"], "random": ["a", "b", "c"], "cut": ["a", "gone"], "none": []}, measured)
    assert found["zsl_fixed"] == 10
    assert "zsl_fixed_se" not in found
    assert (found["zsl_random"], found["zsl_random_se"]) == (30, 15.2753)  # deviation 26.458 over the root of 3
    assert (found["harmonic_random"], found["harmonic_random_se"]) == (40, 0)
    assert not [name for name in found if "cut" in name or "none" in name]


def test_figure3_means_are_paired_with_the_chosen_value():
    rows = [("a", 0, 10.0), ("a", 2, 13.0), ("b", 0, 40.0), ("b", 2, 41.0)]
    points = pd.DataFrame([{"split": s, "setting": "prefix_length", "value": v, "zsl": zsl} for s, v, zsl in rows])
    table = figure3_means(points, {"prefix_length": 2}).set_index("value")
    assert table.loc[0, ["zsl", "zsl_se", "zsl_difference", "zsl_difference_se", "splits"]].tolist() == [
        25,
        15,
        -2,
        1,
        2,
    ]
    assert table.loc[2, ["zsl", "zsl_difference", "zsl_difference_se"]].tolist() == [27, 0, 0]


def test_scatter_pools_variances_not_deviations():
    rows = [(s, k, z) for s, k, zs in (("a", "training", (1, 3)), ("b", "training", (1, 8))) for z in zs]
    table = scatter_table(pd.DataFrame(rows, columns=["split", "repeat", "zsl"]).assign(seed=1))
    assert table["split"].tolist() == ["a", "b", "pooled"]
    assert table["repeats"].tolist() == [2, 2, 4]
    assert table["zsl"].tolist() == [2, 4.5, 3.25]
    assert table["zsl_std"].tolist() == [1.41, 4.95, 3.64]  # the root of (2 + 24.5) / 2


def test_bars_of_zsl_are_means_of_the_column_beside_what_the_paper_prints(root, layout):
    layouts = {name: layout[name] for name in ("table2", "table3")}
    printed = {name: pd.read_csv(root / f"datasets/paper_tables/{name}.csv") for name in layouts}
    measured = {
        "ntu60_48_12": 31.0,
        "pku_46_5_r1": 40.0,
        "pku_46_5_r2": 50.0,
        "pku_46_5_r3": 66.0,
        "ntu60_55_5_r1": 1.0,
    }
    chance = {split: 20.0 for split in measured} | {"ntu60_48_12": 100 / 12}
    bars = zsl_bars(layouts, printed, measured, chance)
    assert bars.to_numpy().tolist() == [
        ["ntu60_48_12", "chance", 8.33],
        ["ntu60_48_12", "measured", 31.0],
        ["ntu60_48_12", "paper", 52.96],
        ["pku_46_5_random", "chance", 20.0],
        ["pku_46_5_random", "measured", 52.0],
        ["pku_46_5_random", "paper", 71.41],
    ]
