"""A profile whose names try to break out of the page, with every part made by hand."""

import numpy as np
import pandas as pd

from scople.data.joints import JOINT_NAMES
from scople.reports.page.known import Absent, Confusion, Known, SplitParts
from scople.reports.page.moving import Ranked, Recording

EVIL = '</script><script>alert("1")</script>'
NAMES = ["wave", EVIL, "cost $5 & <b>bold</b>"]
IS_UNSEEN = np.array([False, False, True])
SPLIT = "tiny_2_1"
GONE = Absent("this table", "there is no results/x.csv", "dvc repro")


def gates():
    curve = {"thresholds": [0.5, 1.0, 1.5], "seen": [0.0, 20.0, 60.0], "unseen": [40.0, 30.0, 0.0]}
    return {
        "entropy": curve | {"threshold": 1.0, "harmonic": 24.0},
        "stacking": curve | {"threshold": 0.5, "harmonic": 0},
    }


def recording(bodies=2, frames=7, prompts=3):
    random = np.random.default_rng(1)
    attention = random.random(prompts + len(JOINT_NAMES))
    ranked = [Ranked(name, 0.5, attention / attention.sum()) for name in NAMES]
    sequence = random.normal(size=(bodies, frames, len(JOINT_NAMES), 3))
    return Recording("S001", EVIL, True, sequence, ranked, NAMES[2], True, 3)


def parts(**changes):
    history = pd.DataFrame({"epoch": [1, 2, 3], "loss": [3.0, 2.0, 1.0]})
    return SplitParts(
        **{
            "name": SPLIT,
            "gates": gates(),
            "tested": {"entropy": {"seen": 10.0, "unseen": 20.0}},
            "confusion": Confusion(np.array([[5, 2, 0], [1, 0, 6], [0, 0, 0]]), NAMES, IS_UNSEEN),
            "looked_at": {EVIL: "head 2.0"},
            "history": history.assign(skeleton_to_text=1.0, text_to_skeleton=2.0),
            "backbone_history": history,
            "recordings": [recording(), recording(bodies=1)],
        }
        | changes
    )


def paper_table():
    rows = [
        ("SCoPLe (ours)", "CLIP", "paper", "", 84.1, 70.0),
        ("SCoPLe", "MiniLM", "measured", "entropy", 46.0, 46.5),
        ("SCoPLe", "MiniLM", "measured", "stacking", 46.0, 27.9),
        (EVIL, "CLIP", "paper", "", 50.0, np.nan),
    ]
    columns = ["model", "text_backbone", "source", "gate", f"{SPLIT}.zsl", f"{SPLIT}.h"]
    return pd.DataFrame(rows, columns=columns).assign(note="")


def diagnostics():
    rows = [
        (SPLIT, query, quantity, value, "%", 20.0, "chance", EVIL, "")
        for query in ("candidate", "own")
        for quantity, value in (("zsl", 46.0), ("oracle", np.nan))
    ]
    columns = ["split", "training_query", "quantity", "value", "unit", "reference", "reference_is", "reading", "note"]
    return pd.DataFrame(rows, columns=columns)


def known(**changes):
    controls = {"zsl": [46.0], "chance": [100.0], "zsl_shuffled": [99.0], "seen_candidates": [60.0], "backbone": [50.0]}
    per_class = {"id": [1, 2, 3], "label": NAMES, "is_unseen": IS_UNSEEN, "accuracy": [71.4, 0.0, np.nan], "note": ""}
    document = {"test_samples": {"seen": 14, "unseen": 7}, "chance": 100.0, "texts": "abc", "made_from": "def"}
    figure3 = {"setting": "layer_depth", "value": [1, 2], "zsl": [40.0, 46.0], "zsl_difference_se": [3.0, 0.0]}
    metrics = {"split": [SPLIT], "zsl": [46.0], "seen": [40.0], "unseen": [30.0], "harmonic": [34.3]}
    return Known(
        **{
            "profile": "demo",
            "variant": "scople",
            "gate": "entropy",
            "note": f"measured on {EVIL}",
            "notice": "",
            "metrics": pd.DataFrame(metrics),
            "provenance": {SPLIT: document},
            "summary": {f"{m}_all": 40.0 for m in ("zsl", "seen", "unseen", "harmonic")} | {"zsl_all_se": 2.0},
            "controls": pd.DataFrame({"split": [SPLIT], "note": ""} | controls),
            "losses": pd.DataFrame({"split": [SPLIT], "loss": [2.5]}),
            "per_class": pd.DataFrame({"split": SPLIT} | per_class),
            "tables": dict.fromkeys(("table1", "table2", "table3", "table4"), paper_table()),
            "figure3": pd.DataFrame(figure3),
            "usual": {"layer_depth": 2},
            "diagnostics": diagnostics(),
            "splits": [parts()],
            "settings": {"phrase": EVIL, "sampler": True, "seeds": [1, 2]},
            "params": f"phrase: {EVIL}\n",
            "computed_by": {"device": "any"},
            "made_with": {"commit": "abc"},
        }
        | changes
    )


def nothing():
    """Only the metrics of one split are there."""
    absent = dict.fromkeys(
        ("summary", "controls", "losses", "per_class", "figure3", "diagnostics", "computed_by"), GONE
    )
    made = dict.fromkeys(("gates", "confusion", "history", "backbone_history", "recordings"), Absent("a", "b", "c d"))
    return known(
        **absent,
        tables=dict.fromkeys(("table1", "table2", "table3", "table4"), GONE),
        splits=[parts(**made, tested={}, looked_at={})],
    )
