"""Two runs side by side: what both have, in order, with the paper's value where there is one."""

import pytest

from scople.reports.comparison import compare, readable, verdict


def metrics(value):
    return {"zsl": value, "seen": value + 1, "unseen": value + 2, "harmonic": value + 3}


FIRST = {"one": metrics(10.0), "two": metrics(20.0), "three": metrics(30.0), "only here": metrics(1.0)}
SECOND = {"three": metrics(35.0), "one": metrics(9.0), "two": metrics(27.0), "only there": metrics(1.0)}
MEANS = {"both": ["two", "three"], "not whole": ["one", "only here"]}
PRINTED = {("one", "ZSL"): 50.0, ("both", "H"): 60.0}


@pytest.fixture
def table():
    return compare(FIRST, SECOND, MEANS, PRINTED)


def test_metrics_in_the_papers_order_and_the_largest_gain_first(table):
    assert table["metric"].tolist() == [metric for metric in ("ZSL", "S", "U", "H") for _ in range(4)]
    assert table["split"].tolist() == 4 * ["two", "both", "three", "one"]
    assert table["difference"].tolist() == 4 * [7.0, 6.0, 5.0, -1.0]


def test_means_are_over_their_splits(table):
    row = table.set_index(["metric", "split"]).loc[("U", "both")]
    assert (row["first"], row["second"]) == (27.0, 33.0)


def test_paper_stands_where_it_prints_a_number(table):
    found = table.dropna(subset="paper").set_index(["metric", "split"])
    assert found["paper"].to_dict() == {("ZSL", "one"): 50.0, ("H", "both"): 60.0}
    assert found["to_paper"].to_dict() == {("ZSL", "one"): -41.0, ("H", "both"): -26.0}


@pytest.mark.parametrize("comparable", [False, True])
def test_text_has_a_block_for_each_metric_and_no_false_comparison(table, comparable):
    lines = readable(table, "scople", "HEAD~1", comparable=comparable).splitlines()
    cells = [line.split() for line in lines if not line.startswith("-")]
    assert lines[0].split("  ")[-1].strip() == ("B - paper" if comparable else "paper")
    assert "A: scople" in lines[0]
    assert "B: HEAD~1" in lines[0]
    assert len(cells) == 1 + 16
    assert sum(set(line) <= {"-", " "} for line in lines) == 4  # under the heading and between the metrics
    assert cells[1] == ["ZSL", "two", "20.00", "27.00", "+7.00", "-"] + ["-"] * comparable
    assert cells[4] == ["ZSL", "one", "10.00", "9.00", "-1.00", "50.00"] + ["-41.00"] * comparable


def test_verdict_is_paired_and_said_in_words():
    """Differences of 5, -1 and 7: mean 3.67, standard error 2.40."""
    lines = verdict(FIRST, SECOND).splitlines()
    assert lines[2].split()[:4] == ["ZSL", "+3.67", "2.40", "3"]
    assert lines[2].endswith("within two standard errors: no difference is established")
    clear = {split: metrics(value["zsl"] + 5) for split, value in FIRST.items()}
    assert verdict(FIRST, clear).splitlines()[2].endswith("more than two standard errors")
    (line,) = [line for line in verdict({"one": FIRST["one"]}, SECOND).splitlines() if line.startswith("ZSL")]
    assert line.split()[:4] == ["ZSL", "-1.00", "-", "1"]
    assert "one split has no standard error" in line
