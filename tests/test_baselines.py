"""The stages of the baselines on a corpus of a few classes, up to tables with a row for every method."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from test_stages import CLASSES, SPLIT, change, contents, extract_features, make_workplace, train_and_evaluate

from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.data.joint_features import CalibrationFeatures, load_features
from scople.data.splits import calibration_partition, load_split
from scople.pipeline import training
from stages import calibration_backbone, comparison_picture, evaluate_splits, query_leak, tables, train_splits

VARIANTS = ("ridge", "revise", "revise_head", "purls", "purls_candidate")


@pytest.fixture(scope="module")
def ready(root, tmp_path_factory):
    """A workplace whose root pipeline has run, with few methods and little training."""
    # So many that the held-out subjects perform a pseudo-unseen class, and the others every remaining one.
    place = make_workplace(root, tmp_path_factory.mktemp("baselines"), training_samples=12)
    shutil.copytree(root / "datasets/descriptions", place / "datasets/descriptions")
    document = yaml.safe_load((place / "params.yaml").read_text())
    little = {"demo": {"epochs": 2, "learning_rate": 0.001}}
    document["variants"] = {"scople": {}} | {
        name: document["variants"][name] | ({} if name == "ridge" else {"settings": little}) for name in VARIANTS
    }
    (place / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    path = place / "datasets/paper_tables/layout.yaml"
    layouts = yaml.safe_load(path.read_text())
    for name, layout in layouts["baselines"].items():
        column = next(iter(layout["columns"].values()))
        layout["columns"] = {"tiny": column | {"splits": [SPLIT]}} if name == "table2" else {}
        layout["rows"] = {
            variant: layout["rows"][variant] for variant in layout["rows"] if variant in (*VARIANTS, "scople")
        }
    del layouts["baselines"]["table3"]
    path.write_text(yaml.safe_dump(layouts, sort_keys=False))
    printed = pd.read_csv(place / "datasets/paper_tables/table2.csv")
    printed.query("dataset == 'NTU-60' and split == '55/5'").to_csv(
        place / "datasets/paper_tables/table2.csv", index=False
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        extract_features(load_params())
        train_and_evaluate(load_params())
    return place


@pytest.fixture
def inside(ready, tmp_path, monkeypatch):
    place = tmp_path / "place"
    shutil.copytree(ready, place)
    monkeypatch.chdir(place)
    return place


@pytest.mark.slow
def test_every_method_to_the_tables_and_to_the_byte(inside):
    params = load_params()

    def run_all():
        calibration_backbone.main(params, SPLIT)
        for variant in VARIANTS:
            assert f"{SPLIT} 1: " in train_splits.main(params, variant)
            assert f"{SPLIT}: zsl" in evaluate_splits.main(params, variant)
        assert "oracle_query_leak of purls" in query_leak.main(params)
        assert "ZSL of scople" in tables.main(params, "baselines")
        assert comparison_picture.main(params).startswith("5 methods in ")
        return contents(inside / "work/demo/baselines") | contents(inside / "results/demo/baselines")

    first = run_all()
    shutil.rmtree(inside / "work/demo/baselines")
    shutil.rmtree(inside / "results/demo/baselines")
    assert run_all() == first
    assert not (inside / ".resume/train_splits/variant purls").exists()

    folder = inside / "results/demo/baselines/tables"
    table = pd.read_csv(folder / "table2.csv").query("source == 'measured'").set_index(["variant", "gate"])
    assert len(table) == 2 * 6
    assert (table["text_backbone"] == "all-MiniLM-L6-v2").all()
    assert table.loc[("purls", "entropy"), "class_text"] == "descriptions"
    assert table.loc[("revise_head", "entropy"), ["model", "seen_source"]].tolist() == ["ReViSE", "head"]
    assert table.loc[("scople", "stacking"), ["zsl_difference_scople", "h_difference_scople"]].tolist() == [0, 0]
    metrics = {
        name: json.loads((inside / f"results/demo/baselines/metrics/{name}/{SPLIT}.json").read_text())
        for name in VARIANTS
    }
    assert metrics["revise_head"]["zsl"] == metrics["revise"]["zsl"]  # the same model, other scores of seen classes
    assert all(found["unseen"] <= found["zsl"] for found in metrics.values())
    compared = pd.read_csv(folder / "comparison.csv")
    assert set(compared["group"]) == {"fixed", "all"}
    checks = pd.read_csv(folder / "controls.csv").set_index("variant")
    assert checks.loc["revise_head", "seen_candidates"] == checks.loc["revise_head", "backbone"]
    leaks = pd.read_csv(folder / "diagnostics.csv").set_index(["variant", "quantity"])
    assert "A LEAK and no result" in leaks.loc[("purls", "oracle_query_leak"), "reading"]
    assert leaks.loc[("purls", "zsl"), "value"] == metrics["purls"]["zsl"]
    summary = json.loads((inside / "results/demo/baselines/metrics/summary.json").read_text())
    assert summary["purls_harmonic_fixed"] == metrics["purls"]["harmonic"]


def refusal(main, *words):
    with pytest.raises(ScopleError) as caught:
        main(load_params(), *words)
    assert len(str(caught.value)) <= 300
    return str(caught.value)


def test_head_without_its_calibration_is_refused(inside):
    said = refusal(train_splits.main, "revise_head")
    assert f"work/demo/baselines/calibration/{SPLIT}/1.safetensors is missing: `seen_source: head` has no sound" in said
    assert "run `dvc repro baselines/dvc.yaml:calibration_backbone`" in said
    path = inside / f"work/demo/baselines/calibration/{SPLIT}/1.safetensors"
    path.parent.mkdir(parents=True)
    shutil.copy(inside / f"work/demo/features/{SPLIT}/training/1.safetensors", path)
    assert "is of kind 'training features', but kind 'calibration features' is needed" in refusal(
        train_splits.main, "revise_head"
    )
    change(inside, "params.yaml", "method: purls_candidate", "method: purls_candidate\n    seen_source: head")
    assert "the method purls_candidate reads 3 intervals of time" in refusal(train_splits.main, "purls_candidate")
    assert not (inside / "work/demo/baselines/model").exists()


def test_calibration_backbone_knows_neither_classes_nor_subjects(inside):
    params = load_params()
    calibration_backbone.main(params, SPLIT)
    path = inside / f"work/demo/baselines/calibration/{SPLIT}/1.safetensors"
    found = load_features(CalibrationFeatures, path, split=SPLIT)
    split = load_split(inside / f"datasets/splits/{SPLIT}.yaml", len(CLASSES), params.seed)
    assert set(found.labels) == set(split.seen)
    assert set(found.labels[found.is_learned]) == set(split.without_pseudo_unseen.seen)
    assert found.backbone_scores.shape == (len(found.labels), len(split.without_pseudo_unseen.seen))
    index = pd.read_csv(inside / "work/demo/corpus/tiny/index.csv")
    columns = (index[name].to_numpy() for name in ("label", "subject", "is_training"))
    rows = calibration_partition(split, *columns, params.method.gate_holdout, params.seed)
    unknown = np.concatenate([rows.held_out, rows.pseudo_unseen])
    assert not set(index["subject"][rows.learned]) & set(index["subject"][unknown])
    opened = np.sort(np.concatenate([rows.learned, unknown]))
    assert found.labels.tolist() == index["label"][opened].tolist()
    assert found.is_learned.tolist() == np.isin(opened, rows.learned).tolist()


def test_a_given_backbone_has_no_calibration_of_its_classifier(inside):
    change(
        inside, "params.yaml", f"  {SPLIT}:\n", f"  {SPLIT}:\n    backbone_weights: x.pt\n    backbone_digest: '1'\n"
    )
    assert "and no backbone without the pseudo-unseen classes can be made of these" in refusal(
        calibration_backbone.main, SPLIT
    )


def test_without_a_model_nothing_is_evaluated(inside):
    assert "no model of variant 'ridge' is there: run `python -m stages.train_splits ridge`" in refusal(
        evaluate_splits.main, "ridge"
    )


def test_a_killed_training_of_several_takes_up_what_was_finished(inside, monkeypatch):
    change(inside, "params.yaml", "seeds:\n- 1\n", "seeds:\n- 1\n- 2\n")
    params, model = load_params(), inside / "work/demo/baselines/model"
    train_splits.main(params, "revise", SPLIT)
    undisturbed = contents(model)
    shutil.rmtree(model)  # as DVC does before it runs a stage
    real, trained = training.fit, []

    def killed(*given, **settings):
        trained.append(settings["checkpoint"].path.stem)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return real(*given, **settings)

    monkeypatch.setattr(training, "fit", killed)
    with pytest.raises(KeyboardInterrupt) as caught:
        train_splits.main(params, "revise")
    names = [f"{SPLIT} {part}" for part in ("1 training", "1 gates", "2 training")]
    assert trained == names
    assert caught.value.__notes__ == [f"called again, it goes on after epoch 2 of {names[1]} and epoch 2 of {names[0]}"]
    monkeypatch.setattr(training, "fit", real)
    train_splits.main(params, "revise")
    assert contents(model) == undisturbed
    assert not any((inside / ".resume").rglob("*.pt"))
