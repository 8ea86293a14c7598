"""Which rows of everything that was measured stand for the methods."""

import pandas as pd
import pytest

from scople.methods.registry import METHODS
from scople.reports.methods import ORDER, headline


def rows():
    """Every method twice over, in the wrong order, beside rows that stand for none."""
    own = {"class_text": "names", "seen_source": "model", "gate": "entropy", "group": "all"}
    plain = [own | {"variant": name, "method": name} for name in reversed(ORDER)]
    others = [
        own | {"variant": "smie_both", "method": "smie", "class_text": "both"},
        own | {"variant": "smie_head", "method": "smie", "seen_source": "head"},
        own | {"variant": "smie", "method": "smie", "gate": "stacking"},
        own | {"variant": "smie", "method": "smie", "group": "random"},
    ]
    return pd.DataFrame(others + plain)


def test_each_method_has_one_row_in_the_order_of_publication():
    assert headline(rows(), "entropy")["variant"].tolist() == ORDER


@pytest.mark.parametrize(("gate", "group"), [("stacking", "all"), ("entropy", "random")])
def test_gate_and_group_are_those_asked_for(gate, group):
    assert headline(rows(), gate, group)["variant"].tolist() == ["smie"]


def test_every_method_has_its_place():
    assert sorted(ORDER) == sorted([*METHODS, "scople"])
