"""What the tables say of recordings and backbones that come from elsewhere."""

from dataclasses import replace

import pytest

from scople.base.artefacts import save_sealed_json
from scople.base.errors import ScopleError
from scople.base.params import SplitEntry, load_params
from scople.pipeline.layout import Layout
from scople.pipeline.origins import origins


def test_losses_of_the_data_sets_and_backbones_of_these_splits_alone(root, tmp_path, monkeypatch):
    params = load_params(root / "params.yaml")
    splits = params.splits | {"ntu60_55_5": SplitEntry("ntu60", backbone_weights="x.pt", backbone_digest="0")}
    params = replace(params, splits=splits)
    layout = Layout(params.profile)
    monkeypatch.chdir(tmp_path)
    for dataset, lost in (("ntu60", ["x.pkl has something"]), ("ntu120", []), ("pku", ["y has another thing"])):
        save_sealed_json("origin", {"lost": lost}, layout.corpus_origin(dataset), dataset=dataset)
    told = {"note": "the backbone was not trained here"}
    save_sealed_json("given backbone", told, layout.backbone_origin("ntu60_55_5"), split="ntu60_55_5")
    assert origins(params, ["ntu60_48_12", "ntu120_110_10"]) == ["ntu60: x.pkl has something"]
    assert origins(params, ["ntu60_55_5", "ntu60_48_12"]) == [
        "ntu60: x.pkl has something",
        "ntu60_55_5: the backbone was not trained here",
    ]
    layout.corpus_origin("pku").unlink()
    with pytest.raises(ScopleError, match=r"run `python -m stages.parse pku`"):
        origins(params, ["pku_46_5_r1"])
