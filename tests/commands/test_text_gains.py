"""What `scople results` computes itself: the gain of another class text, from the metrics of single splits."""

import json
from dataclasses import replace

import pytest

from scople.base.params import load_params
from scople.commands.results import _gains
from scople.pipeline.layout import Layout


def write(layout, values):
    for split, zsl in values.items():
        path = layout.metrics(split)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"zsl": zsl, "harmonic": 2 * zsl}))
    (layout.metrics("summary")).write_text("{}")


def test_a_text_is_held_against_its_own_method_on_the_splits_of_both(root, tmp_path, monkeypatch):
    params = load_params(root / "params.yaml")
    variants = {
        "smie": {"method": "smie"},
        "smie_both": {"method": "smie", "class_text": "both"},
        "scople_both": {"class_text": "both"},
        "ridge_both": {"method": "ridge", "class_text": "both"},
        "narrow": {"layer_depth": 1},
    }
    monkeypatch.chdir(tmp_path)
    room = Layout("demo", "baselines")
    write(replace(room, variant="smie"), {"a": 40.0, "b": 50.0, "c": 70.0})
    write(replace(room, variant="smie_both"), {"a": 43.0, "b": 55.0})
    write(replace(room, variant="scople_both"), {"a": 30.0})
    write(Layout("demo"), {"a": 31.0, "b": 1.0})
    gains = _gains(replace(params, variants=variants), room)
    assert set(gains) == {"smie_both", "scople_both"}  # ridge was not run, the other has class names
    assert gains["smie_both"]["zsl"] == pytest.approx((4.0, 1.0, 2))
    assert gains["smie_both"]["harmonic"].value == 8.0
    assert gains["scople_both"]["zsl"][::2] == (-1.0, 1)
