"""The page's tables: what stands beside what, and what a column is sorted by."""

import math

import pandas as pd
import pytest
from hostile_profile import EVIL, IS_UNSEEN, NAMES, SPLIT, diagnostics, known, paper_table

from scople.reports.page import sortable
from scople.reports.page.sortable import Cell, Column


@pytest.mark.parametrize(
    ("text", "key", "hint"),
    [("84.10", 84.1, ""), ("-3.06 ± 1.59", -3.06, ""), ("+0.71", 0.71, ""), ("550 + 50", 600.0, "600")]
    + [("–", math.nan, ""), ("wave", "wave", "")],
)
def test_a_number_is_repeated_only_where_the_text_does_not_begin_with_it(text, key, hint):
    assert Cell(text, key).hint == hint


def test_paper_and_measured_stand_side_by_side():
    table = sortable.side_by_side(paper_table(), "zsl", "entropy", "caption")
    assert table.groups == [("", 1), (SPLIT, 2)]
    shown = [[cell.text for cell in row] for row in table.rows]
    assert shown == [["SCoPLe", "84.10", "46.00"], [EVIL, "50.00", "–"]]
    assert table.rows[0][0].below == "CLIP, here MiniLM"


def test_another_gate_has_a_row_of_its_own_where_it_matters():
    table = sortable.side_by_side(paper_table(), "h", "entropy", "caption")
    shown = [[cell.text for cell in row] for row in table.rows]
    assert shown == [
        ["SCoPLe", "70.00", "46.50"],
        ["SCoPLe, gate stacking", "–", "27.90"],
        [EVIL, "–", "–"],
    ]


def test_differences_to_the_full_model_have_their_errors():
    table = paper_table().assign(
        zsl_difference=[math.nan, -3.06, 1, math.nan], zsl_difference_se=[math.nan, 1.59, 1, 1]
    )
    rows = sortable.side_by_side(table, "zsl", "entropy", "caption").rows
    assert [row[-1].text for row in rows] == ["-3.06 ± 1.59", "–"]


def test_classes_with_their_mistakes():
    mistaken, looked = {"wave": [(EVIL, 30.0)]}, {EVIL: "head 2.0"}
    table = sortable.classes(known().per_class, mistaken, looked, "caption")
    assert [row[0].text for row in table.rows] == NAMES
    assert [row[2].text for row in table.rows] == ["unseen" if unseen else "seen" for unseen in IS_UNSEEN]
    assert [row[3].bar for row in table.rows] == [71.4, 0.0, None]
    assert [row[4].text for row in table.rows] == [f"{EVIL} (30 %)", "", ""]
    assert [row[5].text for row in table.rows] == ["", "head 2.0", ""]
    twice = pd.concat([known().per_class, known().per_class.assign(accuracy=[28.6, 1.0, 5.0])])
    assert [row[3].text for row in sortable.classes(twice, {}, {}, "caption").rows] == ["50.0", "0.5", "5.0"]


def test_diagnostics_keep_both_queries_of_a_quantity_together():
    table = sortable.diagnostics(diagnostics())
    shown = [[cell.text for cell in row] for row in table.rows]
    assert [row[:3] for row in shown] == [
        ["zsl", "candidate", "46.0"],
        ["zsl", "own", "46.0"],
        ["oracle", "candidate", "–"],
        ["oracle", "own", "–"],
    ]
    assert table.rows[0][2].below == "20.0"
    assert EVIL in table.rows[0][0].below


def test_every_split_has_its_controls_and_one_without_is_left_out():
    parts = known()
    metrics = pd.concat([parts.metrics, parts.metrics.assign(split="new")])
    samples = {SPLIT: {"seen": 14, "unseen": 7}}
    table = sortable.every_split(metrics, samples, parts.controls, parts.losses)
    (row,) = table.rows
    shown = [cell.text for cell in row]
    assert shown == [SPLIT, "14 + 7", "100.0", "46.0", "40.0", "30.0", "34.3", "99.0", "60.0", "50.0", "2.50"]
    assert len(row) == len(table.columns)


def test_above_chance_says_what_is_established():
    controls = pd.DataFrame({"split": ["a", "b"], "zsl": [40.0, 44.0], "chance": [10.0, 10.0]})
    assert "+32.0 ± 2.0 points: established" in sortable.above_chance(controls)
    assert "not established" in sortable.above_chance(controls.assign(chance=[40.0, 43.0]))
    assert "no standard error" in sortable.above_chance(controls[:1])


def test_plain_columns():
    table = sortable.plain(["a", "b"], [["x", 1.0], ["y", 2.5]], "caption")
    assert table.columns == [Column("a", False), Column("b", True)]
    assert [row[1].text for row in table.rows] == ["1.0", "2.5"]
    assert table.groups == []
