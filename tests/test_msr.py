"""The copy in which `benchmarks.msr` runs real recordings, and what is taken over from it."""

import re
import subprocess

import pandas as pd
import pytest
import yaml

from benchmarks import msr
from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.pipeline.layout import Layout, load_problem


@pytest.fixture
def copy(root, tmp_path):
    """A prepared copy, with an archive that is none."""
    archive = tmp_path / "msr_action3d.zip"
    archive.write_bytes(b"recordings")
    place = tmp_path / "copy"
    msr.copy_repository(place)
    msr.prepare(place, archive)
    return place


def test_the_copy_runs_ten_splits_of_msr_and_nothing_else(root, copy, monkeypatch):
    params = load_params(copy / "params.yaml")
    here = yaml.safe_load((root / "params.yaml").read_text())
    there = yaml.safe_load((copy / "params.yaml").read_text())
    assert {key for key in here if here[key] != there[key]} == {"profile", "datasets", "splits"}
    assert list(params.splits) == [f"msr_16_4_r{i}" for i in range(1, 11)]
    monkeypatch.chdir(copy)
    assert all(len(load_problem(params, split)[1]) == 20 for split in params.splits)
    folder = Layout(params.profile).raw(params.raw_folder_of("msr"))
    archives = yaml.safe_load((root / "datasets/msr.yaml").read_text())["archives"]
    assert [path.name for path in folder.iterdir()] == archives
    ignored = subprocess.run(["git", "status", "--porcelain", "--ignored", "data"], capture_output=True, text=True)
    assert ignored.stdout.split() == ["!!", "data/"]


def test_its_tables_have_one_column_and_every_variant_whose_scores_are_its_own(root, copy):
    here, there = (yaml.safe_load((top / "datasets/paper_tables/layout.yaml").read_text()) for top in (root, copy))
    assert there["main"] == here["main"]
    (table,) = there["baselines"].values()
    everything = {variant for entry in here["baselines"].values() for variant in entry["rows"]}
    assert everything - table["rows"].keys() == {name for name in everything if name.endswith("_head")}
    ((name, column),) = table["columns"].items()
    assert (name, len(column["splits"])) == ("msr_16_4", 10)
    printed = pd.read_csv(copy / "datasets/paper_tables/msr.csv")
    assert list(printed) == list(pd.read_csv(root / "datasets/paper_tables/table3.csv"))
    assert printed.empty


def test_its_baselines_read_its_splits_and_no_other(copy):
    pipeline = yaml.safe_load((copy / "baselines/dvc.yaml").read_text())
    layout = yaml.safe_load((copy / "datasets/paper_tables/layout.yaml").read_text())
    splits = layout["baselines"]["msr"]["columns"]["msr_16_4"]["splits"]
    trained = [
        variant
        for name, stage in pipeline["stages"].items()
        if "train" in name
        for variant in stage["matrix"]["variant"]
    ]
    assert {*trained, "scople"} == layout["baselines"]["msr"]["rows"].keys()
    assert pipeline["stages"]["baseline_evaluate"]["matrix"]["variant"] == trained
    assert {"fixed": ",".join(splits)} in pipeline["vars"]
    for stage in pipeline["stages"].values():
        assert not [place for place in stage["deps"] if re.search(r"(ntu60|ntu120|pku)_", place)]
        per_split = [place for place in stage["deps"] if re.search(r"features/msr_16_4_r\d+/training", place)]
        assert "train" not in stage["cmd"] or len(per_split) == 10
    made = [place for out in pipeline["stages"]["baseline_tables"]["outs"] for place in out]
    assert "results/${profile}/baselines/tables/msr.csv" in made
    assert not [place for place in made if "table" in place.rpartition("/")[2]]


def test_every_method_has_settings_for_msr(root):
    """Published ones are for a hundred times as many recordings; none may be taken by having been forgotten."""
    params = load_params(root / "params.yaml")
    own = {name for name, entry in params.variants.items() if "demo" in entry.get("settings", {})}
    assert own
    assert {name for name, entry in params.variants.items() if "msr" in entry.get("settings", {})} == own


def test_only_numbers_are_taken_over(copy, tmp_path):
    made = copy / "results/msr"
    for name in ("machine.json", "tables/a.csv", "metrics/a.json", "baselines/tables/comparison.csv"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    with pytest.raises(ScopleError, match=r"baselines/metrics is missing: run `scople spread"):
        msr.keep(copy, tmp_path / "results")
    assert not (tmp_path / "results").exists()
    for name in ("baselines/metrics/a.json", "baselines/figures/comparison.png", "figures/attention.png"):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    (tmp_path / "results/msr/tables").mkdir(parents=True)
    (tmp_path / "results/msr/tables/old.csv").write_text("old")
    msr.keep(copy, tmp_path / "results")
    kept = tmp_path / "results/msr"
    assert sorted(str(path.relative_to(kept)) for path in kept.rglob("*.*")) == [
        "baselines/figures/comparison.png", "baselines/metrics/a.json", "baselines/tables/comparison.csv",
        "machine.json", "metrics/a.json", "tables/a.csv",
    ]  # fmt: skip


def test_an_archive_that_is_not_there_is_one_sentence(copy, tmp_path):
    with pytest.raises(ScopleError, match="there is no archive .*none.zip: name msr_action3d.zip"):
        msr.prepare(copy, tmp_path / "none.zip")
