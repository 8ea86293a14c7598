"""The measured parts of the page that compares the methods: what they say follows from the tables, and nothing else."""

import re

import numpy as np
import pandas as pd
import pytest

from scople.base.errors import ScopleError
from scople.judging.certainty import Mean
from scople.methods.registry import METHODS
from scople.reports import methods_page
from scople.reports.methods import COLUMNS, ORDER

GATES = ("entropy", "stacking")


def made_up(differences, error=1.0, note="measured on made-up numbers"):
    """`comparison.csv` with SCoPLe's ZSL at 40 and that of the other methods so many points above it."""
    rows = []
    for method in ORDER:
        less = differences.get(method, 0.0 if method == "scople" else -9.0)
        for gate in GATES:
            row = dict.fromkeys(COLUMNS, 1.25) | {"variant": method, "method": method, "model": f"the {method}"}
            row |= {
                "gate": gate,
                "group": "all",
                "splits": 13,
                "class_text": "names",
                "seen_source": "own",
                "note": note,
            }
            row |= {"zsl": 40 + less, "chance": 14.3, "harmonic": 23.0 if gate == "entropy" else 29.0}
            row |= {f"{metric}_difference_scople": less for metric in ("zsl", "harmonic")}
            row |= {f"{metric}_difference_scople_se": error for metric in ("zsl", "harmonic")}
            rows.append(row)
    head = rows[-1] | {"variant": "smie_head", "method": "smie", "seen_source": "head", "gate": "entropy", "zsl": 33.3}
    rows += [head | {"group": "fixed", "splits": 4}, rows[0] | {"group": "fixed", "splits": 4, "zsl": 77.7}]
    return pd.DataFrame(rows)[list(COLUMNS)]


def cells(text, start):
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {start} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_parts_come_between_their_marks_and_nothing_else_changes():
    text = "a\n<!-- made by scople results: one -->\nold\n<!-- one ends -->\nb\n"
    filled = methods_page.filled(text, {"one": "new \\1 $"})
    assert filled == "a\n<!-- made by scople results: one -->\n\nnew \\1 $\n\n<!-- one ends -->\nb\n"
    assert methods_page.filled(filled, {"one": "new \\1 $"}) == filled
    for parts in ({}, {"two": ""}, {"one": "", "two": ""}):
        with pytest.raises(ScopleError, match="places for one, but"):
            methods_page.filled(text, parts)


@pytest.mark.parametrize(
    ("differences", "error", "is_ahead", "higher"),
    [({}, 1.0, True, 0), ({"smie": 2.0}, 1.5, False, 1), ({"smie": -2.0}, 1.5, False, 0), ({}, np.nan, False, 0)],
)
def test_scople_is_ahead_only_if_that_is_established_for_every_other_method(differences, error, is_ahead, higher):
    said = methods_page.ahead(made_up(differences, error), "entropy", "some recordings")
    assert said.startswith(f"**SCoPLe is {'' if is_ahead else 'not '}ahead on some recordings**")
    assert "its ZSL is 40.0 ± 1.2 %, by chance it would be 14.3." in said
    assert "class texts" not in said  # 33.3, with the backbone's scores, is lower
    assert is_ahead or f"{higher} of the 13 other methods {'has' if higher == 1 else 'have'} a higher mean." in said


def test_what_was_not_run_is_not_known():
    assert "is not known" in methods_page.ahead(None, "entropy", "some recordings")
    assert methods_page.comparison(None, "entropy") == methods_page.leaks({}) == methods_page.of_columns({}, "entropy")


def test_each_method_has_one_row_and_each_difference_its_sign():
    page = methods_page.comparison(made_up({"smie": 7.0}), "entropy")
    assert "**Measured on made-up numbers.**" in page
    row = cells(page, "the smie")
    assert row[2:5] == ["47.0 ± 1.2", "1.2 / 1.2 / 23.0", "29.0"]
    assert row[5] == "+7.0 ± 1.0"
    assert "the smie is 7.0 ± 1.0 points above SCoPLe" in page
    assert "the purls is 9.0 ± 1.0 points below SCoPLe" in page
    assert cells(page, "the scople")[5] == cells(page, "the ridge")[6] == ""
    assert [cells(page, f"the {method}")[0] for method in ORDER] == [f"the {method}" for method in ORDER]
    further = cells(page, "`smie_head`")
    assert further[2:5] == ["head", "4", "33.3 ± 1.2"]
    assert "77.7" not in page  # fewer splits than there are


def described(zsl):
    table = made_up({"smie": -1.0})
    own = table[(table["variant"] == "smie") & (table["gate"] == "entropy") & (table["group"] == "all")]
    return pd.concat([table, own.assign(variant="smie_both", class_text="both", zsl=zsl)], ignore_index=True)


@pytest.mark.parametrize(("zsl", "is_named"), [(41.0, True), (40.0, False)])
def test_other_class_texts_that_are_higher_are_named_beside_the_methods(zsl, is_named):
    said = methods_page.ahead(described(zsl), "entropy", "some recordings")
    assert ("With other class texts, so have: `smie_both` 41.0; established for none of them. " in said) == is_named


def test_what_a_text_gains_is_a_method_less_itself():
    gains = {"smie_both": {"zsl": Mean(3.25, 1.0, 4), "harmonic": Mean(-0.75, 2.0, 4)}}
    page = methods_page.comparison(described(41.0), "entropy", gains)
    *_, table = page.split("each method less itself with class names.")
    assert cells(table, "`smie_both`") == ["`smie_both`", "4", "+3.2 ± 1.0", "-0.8 ± 2.0"]
    assert "These are 4 comparisons" in page  # of the second table: two rows, ZSL and H
    assert "less itself" not in methods_page.comparison(described(41.0), "entropy")


def test_real_recordings_are_not_called_otherwise():
    assert "Measured" not in methods_page.comparison(made_up({}, note=""), "entropy").split("Means over")[0]


def test_tables_of_the_paper_show_what_was_measured_under_one_gate():
    row = {
        "model": "SMIE",
        "class_text": "names",
        "seen_source": "own",
        "gate": "entropy",
        "source": "measured",
        "a.zsl": 41.21,
        "a.h": 23.45,
        "b.zsl": 1.0,
        "b.h": 2.0,
    }
    table = pd.DataFrame([row | {"source": "paper", "a.zsl": 99.9}, row, row | {"gate": "stacking", "a.h": 98.7}])
    page = methods_page.of_columns({"Table 2": table}, "entropy")
    assert cells(page, "SMIE") == ["SMIE", "names", "own", "41.2 (23.4)", "1.0 (2.0)"]


def test_leaks_are_means_over_splits():
    row = {"variant": "purls", "quantity": "oracle_query_leak", "reference_is": "zsl", "reading": "A LEAK", "unit": "%"}
    spread = row | {
        "variant": "purls_static",
        "quantity": "spread_over_candidates",
        "unit": "",
        "value": 0.002,
        "reference": 0.8,
    }
    table = pd.DataFrame([row | {"value": value, "reference": 20.0} for value in (40.0, 90.0)] + [spread])
    page = methods_page.leaks({"some recordings": table})
    assert page.startswith("On some recordings:")
    assert "| 0.0020" in page
    assert "is 0.25 % (`purls_static`) of what it varies with the sample" in page
    assert cells(page, "`purls`") == [
        "`purls`",
        "`oracle_query_leak`",
        "65.0",
        "20.0",
        "zsl",
        "A LEAK",
    ]


def test_departures_of_every_method_with_published_code_are_listed():
    page = methods_page.departures()
    listed = re.findall(r"`scople/methods/(\w+)\.py`", page)
    assert listed == ["revise", "jpose", "cada_vae", "synse", "smie", "star", "purls", "sa_dvae"]
    assert {entry.method.__module__.rpartition(".")[2] for entry in METHODS.values()} <= {*listed, "ridge"}
    assert page.count("\n- ") >= 4 * len(listed) - 2
    assert "At test the query of every candidate in place of the true class's" in page
    assert "Published settings" not in page  # which comes after a list


def costs(device, **changes):
    row = {"method": "smie", "device": device, "parameters": 1_310_000, "batch_size": 128, "steps": 45_200}
    row |= {"seconds_per_step": 0.02, "training_minutes": 15.0, "scoring_minutes": 3.0, "gigaflop": 1.5}
    row |= {"counted_minutes": 0.4, "device_gigabytes": 1.52}
    return pd.DataFrame([row | changes])


def test_costs_of_a_split_are_two_trainings_and_the_scoring():
    page = methods_page.costs({"cpu": costs("cpu")})
    row = cells(page, "`smie`")
    assert row[1:] == ["1.31", "45200 x 128", "0.020", "33 min", "7 h", "0.068", "under 1 min", "1.5"]
    assert "Nothing" in page.rsplit("**", 2)[1]
    measured = methods_page.costs({"cpu": costs("cpu"), "cuda": costs("cuda", training_minutes=90.0)})
    assert cells(measured, "`smie`")[8] == "3 h"
    assert "**" not in measured


@pytest.mark.parametrize(("minutes", "fits"), [(110, True), (111, False)])
def test_what_two_cores_do_within_a_day(minutes, fits):
    page = methods_page.costs({"cpu": costs("cpu", training_minutes=minutes, scoring_minutes=0.0)})
    assert page.endswith("splits of: none." if fits else "splits of: `smie`.")


def test_without_a_measurement_there_are_no_costs():
    assert "not been measured" in methods_page.costs({})
