"""What a trained method belongs to: the settings that it reads, and no others."""

from dataclasses import replace

import pytest

from scople.base.params import load_params
from scople.pipeline.assembly import Assembly, build_tower

PROBLEM = {"split": "ntu60_55_5", "classes": "abc"}


@pytest.fixture(scope="module")
def params(root):
    return load_params(root / "params.yaml")


@pytest.fixture(scope="module")
def tower(params):
    return build_tower(params.scale)


@pytest.mark.parametrize(
    ("variant", "setting", "value", "is_another"),
    [
        ("scople", "prefix_length", 5, True),
        ("scople", "gate_holdout", 0.3, True),
        ("scople", "gate", "none", False),
        ("revise", "prefix_length", 5, False),
        ("revise", "temperature", 0.3, False),
        ("revise", "gate", "none", False),
        ("revise", "gate_holdout", 0.3, True),
        ("revise", "class_text", "both", True),
    ],
)
def test_a_model_is_another_one_after_a_change_of_what_it_reads(params, tower, variant, setting, value, is_another):
    changed = replace(params, method=replace(params.method, **{setting: value}))
    before, after = (
        Assembly.of(found, variant, "ntu60", tower).identity(found, 1, PROBLEM, "weights")
        for found in (params, changed)
    )
    assert (before != after) == is_another
