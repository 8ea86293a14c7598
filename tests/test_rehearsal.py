"""`profile: paper` from archives to all four tables, as `benchmarks.rehearsal` shortens it, in one process.

CLIP has its 12 layers, 77 tokens and 49,408 words here, but an eighth of its width, because all tables together need
some 250 trainings. `python -m benchmarks.rehearsal` takes the real width.
"""

import json

import pandas as pd
import pytest

from benchmarks import rehearsal
from scople.base.params import load_params
from scople.pipeline.layout import FIGURE3
from scople.text import clip
from stages import (
    diagnostics,
    evaluate,
    features,
    figure3,
    figure3_picture,
    figures,
    parse,
    preflight,
    pretrain,
    scatter,
    tables,
    train,
)

FIXED = ("ntu60_55_5", "ntu60_48_12", "ntu120_110_10", "ntu120_96_24")
"""The splits of Tables 1, 2 and 4."""


@pytest.mark.slow
def test_the_whole_paper_in_small(tmp_path, monkeypatch):
    sizes = clip.clip_sizes("ViT-B-32") | {"width": 64, "heads": 1, "output_dim": 67}
    monkeypatch.setattr(clip, "clip_sizes", lambda model: sizes)
    rehearsal.prepare(tmp_path, jobs=1)
    monkeypatch.chdir(tmp_path)
    params = load_params()
    assert (params.profile, params.scale.frames, params.scale.text_encoder) == ("paper", 300, "clip")
    preflight.main(params)
    for name in params.datasets:
        assert ", 0 broken" in parse.main(params, name)
    for split in params.splits:
        pretrain.main(params, split)
        features.main(params, split)
        train.main(params, split, "1")
        evaluate.main(params, split)
    figures.main(params)
    tables.main(params, "main")

    for split in FIXED:
        for variant, changes in params.variants.items():
            if variant != params.variant and not {"method", "class_text"} & changes.keys():
                train.main(params, split, "1", variant)
                evaluate.main(params, split, variant)
        diagnostics.main(params, split)
        scatter.main(params, split)
        for setting in FIGURE3:
            figure3.main(params, split, setting)
    tables.main(params, "ablations")
    figure3_picture.main(params)

    results = tmp_path / "results/paper"
    measured = {
        name: pd.read_csv(results / folder / f"{name}.csv").query("source == 'measured'")
        for name, folder in (
            ("table1", "ablations/tables"),
            ("table2", "tables"),
            ("table3", "tables"),
            ("table4", "ablations/tables"),
        )
    }
    assert {name: len(table) for name, table in measured.items()} == {
        "table1": 4,
        "table2": 2,
        "table3": 2,
        "table4": 6,
    }
    for name, table in measured.items():
        numbers = table.filter(regex=r"\.(zsl|s|u|h)$")
        assert numbers.shape[1] == {"table1": 4, "table3": 12}.get(name, 16), name
        assert numbers.notna().all(axis=None), name
        assert numbers.map(lambda value: 0 <= value <= 100).all(axis=None), name
        assert not table["note"].astype(str).str.contains("synthetic").any(), name  # it is the profile that says so
    assert (measured["table2"]["text_backbone"] == "CLIP-ViT-B/32").all()
    for split in params.splits:
        known = json.loads((results / f"provenance/{split}.json").read_text())
        assert known, split
    assert len(list((results / "figures").iterdir())) > 0
