"""The page of results: figures come from the tables, and words rank nothing that standard errors do not."""

import numpy as np
import pandas as pd
import pytest
import yaml

from scople.judging.certainty import Mean
from scople.reports import results
from scople.reports.tables import figure3_means, paper_table, scatter_table, summary, zsl_bars

SPLITS = ["ntu60_55_5", "ntu60_48_12", "ntu120_110_10", "ntu120_96_24"]
USUAL = {"prefix_length": 2, "layer_depth": 3}
NOTE = "measured on made-up numbers"


def metrics_of(generator, step=0.0):
    return {name: round(generator.uniform(20, 60) + step, 2) for name in ("zsl", "seen", "unseen", "harmonic")}


@pytest.fixture
def tables(root):
    """Tables as the stages write them, of numbers that were drawn; `coop` is 9 points below SCoPLe on every split."""
    generator = np.random.default_rng(1)
    layouts = yaml.safe_load((root / "datasets/paper_tables/layout.yaml").read_text())
    measured = {"scople": {split: [metrics_of(generator)] for split in SPLITS}}
    for variant in (
        "no_prompts",
        "coop",
        "maple",
        "no_skeleton_prompts",
        "no_text_prompts",
        "no_dual_stream",
        "no_sampler",
    ):
        lower = [9 + i * 0.1 if variant == "coop" else generator.normal(0, 5) for i in range(4)]
        measured[variant] = {
            split: [{name: value - less for name, value in measured["scople"][split][0].items()}]
            for split, less in zip(SPLITS, lower, strict=True)
        }
    ablations = {
        name: paper_table(
            layout,
            pd.read_csv(root / f"datasets/paper_tables/{name}.csv"),
            {(variant, "entropy"): measured[variant] for variant in layout["rows"]},
            text_backbone="tower",
            note=NOTE,
            reference=measured["scople"],
        )
        for name, layout in layouts["ablations"].items()
    }
    points = pd.DataFrame(
        [
            {"split": split, "setting": setting, "value": value, "zsl": generator.uniform(20, 60)}
            for setting in ("prefix_length", "layer_depth")
            for value in range(4)
            for split in SPLITS
        ]
    )
    ablations["figure3_means"] = figure3_means(points, USUAL)
    repeats = [
        {"split": split, "repeat": kind, "seed": seed, "zsl": generator.normal(40, wide), "seen_candidates": 60 + seed}
        for split in SPLITS
        for kind, wide in (("training", 2), ("everything", 8))
        for seed in (1, 2, 3)
    ]
    ablations["scatter"] = scatter_table(pd.DataFrame(repeats))
    ablations["diagnostics"] = pd.DataFrame(
        [
            {
                "split": split, "training_query": query, "quantity": quantity, "value": 12.345, "unit": "%",
                "reference": 0.5, "reference_is": "chance", "reading": "must be chance",
            }
            for split in SPLITS
            for query in ("candidate", "own")
            for quantity in ("harmonic_none", "zsl_texts_shuffled", "zsl")
        ]
    )  # fmt: skip
    of_gates = {
        f"{gate}_{name}": value
        for gate in ("entropy", "stacking")
        for name, value in {
            "harmonic": 30.0, "upper_bound_from_test_labels": 40.0, "percent_of_upper_bound": 75.0, "threshold": 1.5,
            "calibration_median_seen": 1.0, "calibration_median_unseen": 2.0,
            "test_median_seen": 1.75, "test_median_unseen": 2.25,
        }.items()
    }  # fmt: skip
    controls = pd.DataFrame(
        [
            {"split": split, "variant": "scople", "seed": 1, "chance": 20.0, "zsl": 50.0 + i, "zsl_shuffled": 20.1}
            | {"seen_candidates": 60.0, "backbone": 61.0 + (-1) ** i * 9}
            | of_gates
            | {"entropy_test_median_seen": 1.75 + i / 100, "note": NOTE}
            for i, split in enumerate(SPLITS)
        ]
    )
    flat = {split: found[0] for split, found in measured["scople"].items()}
    printed = {name: pd.read_csv(root / f"datasets/paper_tables/{name}.csv") for name in layouts["main"]}
    main = {
        "controls": controls,
        "metrics": pd.DataFrame([{"split": split} | found for split, found in flat.items()]),
        "losses": pd.DataFrame([{"split": split, "loss": 1.234} for split in SPLITS]),
        "zsl": zsl_bars(layouts["main"], printed, {s: m["zsl"] for s, m in flat.items()}, dict.fromkeys(SPLITS, 20.0)),
    }
    names = {name: layout["rows"] for name, layout in layouts["ablations"].items()}
    return summary({"fixed": SPLITS}, flat), main, {name: _as_read(table) for name, table in ablations.items()}, names


def _as_read(table):
    """Empty cells as `pd.read_csv` gives them."""
    return table.replace("", np.nan)


@pytest.fixture
def page(tables):
    samples = {split: {"seen": 550, "unseen": 50} for split in SPLITS}
    return results.results_page("results/demo", {"device": "portable"}, samples, *tables, USUAL)


def test_the_page_says_that_it_is_made_and_of_what(page):
    assert page.startswith("<!-- Made by `scople results`")
    assert "**Measured on made-up numbers.**" in page
    assert "nan" not in page.lower().replace("scenan", "")


def test_figures_are_those_of_the_tables(page, tables):
    means, main, _, _ = tables
    assert f"{means['zsl_fixed']:.1f} ± {means['zsl_fixed_se']:.1f}" in page
    zsl = main["metrics"].set_index("split").loc["ntu60_48_12", "zsl"]
    (row,) = [line for line in page.splitlines() if line.startswith("| ntu60_48_12 ") and "550 + 50" in line]
    assert f"| {zsl:.1f} " in row
    assert "| 1.23 " in row
    assert "52.96" not in page  # one decimal everywhere
    assert "from 1.00 to 1.77 nats for seen classes" in page
    assert "75.0" in page


def test_what_every_split_agrees_on_is_established_and_what_scatters_is_not(page):
    assert "ZSL less chance is +31.5 ± 0.6 points: established." in page
    assert "classifier is -1.0 ± 5.2 points: not established." in page
    (said,) = [line for line in page.splitlines() if line.startswith("ZSL: ")]
    assert "`coop` is 9.2 ± 0.1 points below `scople`" in said
    assert "No difference to `scople` is established for" in said


def test_rows_of_both_tables_that_are_one_model_are_one(page):
    assert page.count("| `no_prompts` ") == 1
    assert "| CLIP; SCoPLe w/o all prompts " in page


def test_the_value_of_all_other_runs_is_told_by_its_value_and_not_by_its_score(tables):
    means = tables[2]["figure3_means"]
    same = means.assign(zsl_difference=0.0, zsl_difference_se=0.0)
    table = results._figure3(same, USUAL)[0].splitlines()
    marked = [[cell.strip() for cell in line.split("|")[1:3]] for line in table if "this is it" in line]
    assert marked == [[setting, str(value)] for setting, value in USUAL.items()]


@pytest.mark.parametrize(("error", "ranks"), [(1.0, True), (1.6, False), (float("nan"), False)])
def test_nothing_is_ranked_within_two_standard_errors(error, ranks):
    said = results.established({"a row": Mean(-3.0, error, 4)}, "the rest")
    assert ("below" in said) == ranks
    assert ("No difference" in said) != ranks


def test_a_diagnostic_stands_beside_what_it_is_held_against(page):
    (row,) = [line for line in page.splitlines() if "`zsl_texts_shuffled`" in line and "| own" in line]
    assert row.count("12.3 (0.50)") == 4
    assert "harmonic_none" not in page


def test_without_the_ablations_the_page_says_how_to_get_them(tables):
    samples = {split: {"seen": 550, "unseen": 50} for split in SPLITS}
    means, main, _, names = tables
    assert "`make ablations` adds" in results.results_page("results/demo", {}, samples, means, main, {}, names, USUAL)
