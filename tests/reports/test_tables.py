"""Tables: the paper's numbers stay as printed, measured ones are means over splits."""

import numpy as np
import pandas as pd
import pytest
import yaml

from scople.judging.certainty import over_seeds
from scople.reports.tables import (
    comparison_summary,
    comparison_table,
    figure3_means,
    paper_table,
    scatter_table,
    summary,
    zsl_bars,
)

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


def test_every_printed_row_of_tables_2_and_3_has_a_measured_one(root):
    """Also where the paper prints no S, U and H: the cells of SMIE and PURLS are filled by what was measured."""
    layouts = yaml.safe_load((root / "datasets/paper_tables/layout.yaml").read_text())["baselines"]
    for name, layout in layouts.items():
        printed = pd.read_csv(root / f"datasets/paper_tables/{name}.csv")
        splits = [split for column in layout["columns"].values() for split in column["splits"]]
        measured = {(variant, "entropy"): {split: [METRICS] for split in splits} for variant in layout["rows"]}
        about = {variant: {"class_text": variant[::-1], "seen_source": "own"} for variant in layout["rows"]}
        references = {"_ridge": {"entropy": measured["ridge", "entropy"]}}
        table = paper_table(
            layout, printed, measured, text_backbone="tower", note="synthetic", about=about, references=references
        )
        assert list(table)[:6] == ["model", "class_text", "seen_source", "text_backbone", "source", "gate"]
        by_source = {source: set(rows["model"]) for source, rows in table.groupby("source")}
        assert {model.removesuffix(" (ours)") for model in by_source["paper"]} <= by_source["measured"]
        rows = table[table["source"] == "measured"]
        assert (rows[[column for column in table if "." in column]] != "").all(axis=None)
        assert (rows["h_difference_ridge"] == "0.00").all()
        assert rows["class_text"].tolist() == [variant[::-1] for variant in layout["rows"]]
        assert (table.loc[table["source"] == "paper", "class_text"] == "").all()


def run(**zsl):
    return {split: [METRICS | {"zsl": value, "harmonic": value / 2}] for split, value in zsl.items()}


COMPARED = {
    ("scople", "entropy"): run(a=30.0, b=50.0, c=70.0),
    ("scople", "stacking"): run(a=31.0, b=51.0, c=71.0),
    ("ridge", "entropy"): run(a=29.0, b=45.0, c=61.0),
    ("ridge", "stacking"): run(a=0.0, b=0.0, c=0.0),
    ("smie_both", "entropy"): run(a=33.0, b=59.0),
    ("smie_both", "stacking"): run(a=31.0, b=51.0),
}
ABOUT = {name: {"model": name.upper(), "class_text": "names"} for name in ("scople", "ridge", "smie_both")}


@pytest.fixture
def comparison():
    groups = {"fixed": ["a", "b"], "random": ["c"], "all": ["a", "b", "c"]}
    chance = {"a": 20.0, "b": 10.0, "c": 6.0}
    references = {"scople": "_scople", "ridge": "_ridge"}
    return comparison_table(groups, COMPARED, chance, about=ABOUT, references=references, note="synthetic")


def test_comparison_pairs_every_method_with_two_others_under_the_same_gate(comparison):
    rows = comparison.set_index(["variant", "gate", "group"])
    assert len(rows) == 2 * 2 * 3 + 2  # of the third only the fixed splits, under both gates
    row = rows.loc["smie_both", "entropy", "fixed"]
    assert row[["model", "splits", "zsl", "zsl_se", "chance", "note"]].tolist() == [
        "SMIE_BOTH", 2, 46, 13, 15, "synthetic",
    ]  # fmt: skip
    assert row[["zsl_difference_scople", "zsl_difference_scople_se"]].tolist() == [6, 3]  # of 3 and 9
    assert row[["zsl_difference_ridge", "zsl_difference_ridge_se"]].tolist() == [9, 5]  # of 4 and 14
    assert row[["harmonic_difference_ridge", "harmonic_difference_ridge_se"]].tolist() == [4.5, 2.5]
    assert rows.loc[("smie_both", "stacking", "fixed"), "zsl_difference_scople"] == 0
    assert rows.loc[("scople", "stacking", "all"), "zsl_difference_ridge"] == 51
    assert np.isnan(rows.loc[("ridge", "entropy", "random"), "zsl_se"])  # one split


def test_comparison_has_the_columns_that_its_readers_know(comparison):
    both = [f"{metric}{end}" for metric in ("zsl", "seen", "unseen", "harmonic") for end in ("", "_se")]
    differences = [
        f"{metric}_difference_{other}{end}"
        for other in ("scople", "ridge")
        for metric in ("zsl", "harmonic")
        for end in ("", "_se")
    ]
    about = ["variant", "model", "class_text", "gate", "splits", "group"]
    assert list(comparison) == [*about, *both, "chance", *differences, "note"]


def test_summary_of_the_comparison_keeps_groups_of_splits_apart(comparison):
    found = comparison_summary(comparison, "entropy")
    assert len(found) == 14
    assert {name: value for name, value in found.items() if not name.startswith("scople")} == {
        "ridge_zsl_fixed": 37,
        "ridge_zsl_random": 61,
        "ridge_zsl_all": 45,
        "ridge_harmonic_fixed": 18.5,
        "ridge_harmonic_random": 30.5,
        "ridge_harmonic_all": 22.5,
        "smie_both_zsl_fixed": 46,
        "smie_both_harmonic_fixed": 23,
    }
