"""The stages on a corpus of a few classes: the whole chain, what may reach which stage, and what bad input meets."""

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from scople.base.artefacts import load_tensors
from scople.base.errors import ScopleError
from scople.base.files import sha256
from scople.base.params import load_params
from scople.commands import compare
from scople.data.class_names import load_classes
from scople.data.packing import seal_corpus
from scople.data.splits import load_split, partition
from scople.demo import load_programs, write_ntu_archives
from stages import (
    diagnostics,
    evaluate,
    export,
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

CLASSES = ["drink water", "kicking something", "jump up", "sitting down", "hand waving", "pickup", "clapping", "salute"]
SCALE = {
    "text_encoder": "minilm",
    "text_weights": "package",
    "frames": 16,
    "pretrain": {
        "width": 4,
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 0.1,
        "milestones": [1],
        "precision": "float32",
    },
    "features": {"batch_size": 16},
    "train": {"epochs": 2, "batch_size": 16, "learning_rate": 0.002, "autocast": "none"},
    "evaluate": {"batch_size": 16},
}
SPLIT = "tiny_6_2"
FIRST = "ntu60_55_5"


@pytest.fixture(scope="module")
def workplace(root, tmp_path_factory):
    """A folder like the repository's root, with one small data set of its own, described by files alone."""
    return make_workplace(root, tmp_path_factory.mktemp("workplace"))


def make_workplace(root, place, training_samples=4):
    """Fill an empty folder with it."""
    shutil.copytree(root / "datasets" / "paper_tables", place / "datasets" / "paper_tables")
    everything = {entry.name: entry for entry in load_classes(root / "datasets/classes/ntu60.csv")}
    chosen = [everything[name] for name in CLASSES]
    # The archives keep NTU's own class numbers; the tiny data set's list numbers them anew.
    programs = load_programs(root / "datasets/demo/programs.yaml")
    renumbered = [type(entry)(k + 1, entry.name, entry.two_person) for k, entry in enumerate(chosen)]
    write_ntu_archives(
        place / "data/raw/demo/tiny",
        renumbered,
        programs,
        train_subjects=[1, 2, 4, 5],
        training_samples=training_samples,
        test_samples=3,
        frames=(16, 24),
        seed=1,
        jobs=1,
    )
    lines = ["id,label,two_person"] + [f"{entry.number},{entry.name},0" for entry in renumbered]
    (place / "datasets/classes").mkdir()
    (place / "datasets/classes/tiny.csv").write_text("\n".join(lines) + "\n")
    (place / "datasets/tiny.yaml").write_text(
        "format: ntu-skeleton\narchives: [nturgbd_skeletons_s001_to_s017.zip]\n"
        "classes: classes/tiny.csv\ntrain_subjects: [1, 2, 4, 5]\n"
    )
    (place / "datasets/splits").mkdir()
    (place / f"datasets/splits/{SPLIT}.yaml").write_text("unseen: [3, 7]\n")
    document = yaml.safe_load((root / "params.yaml").read_text())
    document |= {"datasets": {"tiny": {"raw": "tiny"}}, "splits": {SPLIT: {"dataset": "tiny"}}}
    for variant in document["variants"].values():  # what they set for data sets that are not here
        variant.get("settings", {}).pop("paper", None)
    document["profiles"]["demo"] = SCALE
    document["machine"] |= {"jobs": 1, "device": "cpu"}
    (place / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    return place


def extract_features(params, dataset="tiny", split=SPLIT):
    preflight.main(params)
    parse.main(params, dataset)
    pretrain.main(params, split)
    features.main(params, split)


def train_and_evaluate(params, *variants, split=SPLIT):
    """The model of the root's pipeline, then ablations."""
    for variant in ("", *variants):
        for seed in params.seeds:
            train.main(params, split, str(seed), variant)
        evaluate.main(params, split, variant)


def run_chain():
    params = load_params()
    extract_features(params)
    train_and_evaluate(params)
    figures.main(params)
    return tables.main(params, "main")


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def inside(workplace, tmp_path, monkeypatch):
    """A fresh copy of the workplace, as the current folder."""
    place = tmp_path / "place"
    shutil.copytree(workplace, place)
    monkeypatch.chdir(place)
    return place


def test_whole_chain_repeats_to_the_byte(inside):
    assert "ZSL of scople: tiny_6_2" in run_chain()
    first = contents(inside / "work") | contents(inside / "results")
    shutil.rmtree(inside / "work")
    shutil.rmtree(inside / "results")
    run_chain()
    assert contents(inside / "work") | contents(inside / "results") == first
    metrics = json.loads((inside / f"results/demo/metrics/{SPLIT}.json").read_text())
    assert list(metrics) == ["zsl", "seen", "unseen", "harmonic"]
    assert metrics["unseen"] <= metrics["zsl"]
    checks = pd.read_csv(inside / "results/demo/tables/controls.csv")
    assert checks["chance"].tolist() == [50.0]
    assert checks["note"].str.contains("synthetic").all()
    table = pd.read_csv(inside / "results/demo/tables/table2.csv")
    measured = table[table["source"] == "measured"]
    assert measured[["model", "gate"]].to_numpy().tolist() == [["SCoPLe", "entropy"], ["SCoPLe", "stacking"]]
    assert measured["note"].str.contains("not comparable").all()
    assert not measured["note"].str.contains("random splits").any()
    random = pd.read_csv(inside / "results/demo/tables/table3.csv").query("source == 'measured'")
    assert random["note"].str.endswith("not comparable with the paper's numbers; random splits: SMIE's").all()
    pictures = sorted(path.name for path in (inside / "results/demo/figures").iterdir())
    assert pictures == [f"{SPLIT}_{name}.png" for name in ("attention_1", "confusion", "gates")]


def test_no_unseen_class_and_no_test_subject_reaches_a_training(inside):
    """Whatever stands in the rows that a training must not open, its result is the same to the byte."""
    params = load_params()
    preflight.main(params)
    parse.main(params, "tiny")

    def trained():
        pretrain.main(params, SPLIT)
        features.main(params, SPLIT)
        train.main(params, SPLIT, "1")
        test_part = (inside / f"work/demo/features/{SPLIT}/test/1.safetensors").read_bytes()
        trained = contents(inside / "work/demo/model") | contents(inside / "work/demo/backbone")
        return trained, test_part

    honest, honest_test = trained()
    corpus = inside / "work/demo/corpus/tiny"
    index = pd.read_csv(corpus / "index.csv")
    split = load_split(inside / f"datasets/splits/{SPLIT}.yaml", len(CLASSES), params.seed)
    opened = partition(split, index["label"].to_numpy(), index["is_training"].to_numpy()).training
    rows = np.load(corpus / "sequences.npy")
    ends = np.cumsum(index["frames"] * index["bodies"]).to_numpy()
    for row in set(range(len(index))) - set(opened.tolist()):
        start = ends[row] - index["frames"][row] * index["bodies"][row]
        rows[start : ends[row]] = np.random.default_rng(row).normal(size=(ends[row] - start, 25, 3))
    np.save(corpus / "sequences.npy", rows)
    seal_corpus(corpus)
    poisoned, poisoned_test = trained()
    assert poisoned == honest
    assert poisoned_test != honest_test  # the poison was real


@pytest.mark.slow
def test_pictures_show_what_was_scored(inside):
    params = load_params()
    extract_features(params)
    train_and_evaluate(params)
    folder = inside / "work/demo/evaluation"
    pairs = pd.read_csv(folder / f"{SPLIT}.predictions.csv")
    details = json.loads((folder / f"{SPLIT}.json").read_text())
    right = 100 * (pairs["actual"] == pairs["predicted"]).groupby(pairs["actual"]).mean()
    assert right.to_dict() == {row["label"]: pytest.approx(row["accuracy"]) for row in details["per_class"]}
    assert details["gates"][0]["entropy"] == details["repeats"][0]
    attention = pd.read_csv(folder / f"{SPLIT}.attention.csv").set_index(["label", "is_unseen"])
    assert {label for label, is_unseen in attention.index if is_unseen} == {CLASSES[2], CLASSES[6]}
    np.testing.assert_allclose(attention.sum(axis=1), 1, atol=1e-4)


@pytest.mark.slow
def test_compare_prints_variants_side_by_side(inside, capsys):
    for variant, zsl in (("metrics", 50.0), ("ablations/metrics/no_prompts", 40.0)):
        path = inside / f"results/demo/{variant}/{SPLIT}.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"zsl": zsl, "seen": 30.0, "unseen": 20.0, "harmonic": 24.0}))
    compare.main(load_params(), "no_prompts", "scople")
    printed = capsys.readouterr().out
    assert ["ZSL", SPLIT, "40.00", "50.00", "+10.00", "-"] in [line.split() for line in printed.splitlines()]
    assert "synthetic" in printed
    compare.main(load_params(), "workspace", "workspace")
    printed = capsys.readouterr().out
    assert "The same in both: scople, no_prompts." in printed
    assert "+0.00" not in printed
    subprocess.run(["git", "init", "-q"], cwd=inside, check=True)
    assert_one_sentence(call(inside, "scople", "compare", "scople", "nonsense"), "'nonsense'", "variant", "revision")
    assert_one_sentence(call(inside, "scople", "compare", "scople", "coop"), "'coop'", "dvc repro")


@pytest.mark.slow
def test_a_given_backbone_takes_the_place_of_the_training_and_every_table_says_so(inside, golden):
    state = torch.load(golden / "shift_gcn/ntu60_xsub.pt", weights_only=True)
    torch.save(state | {name: state[name][:8] for name in ("fc.weight", "fc.bias")}, "eight.pt")
    document = yaml.safe_load(Path("params.yaml").read_text())
    document["profiles"]["demo"]["pretrain"]["width"] = 64
    entry = {"dataset": "tiny", "backbone_weights": "eight.pt", "backbone_digest": sha256("eight.pt")}
    document["splits"][SPLIT] = entry
    Path("params.yaml").write_text(yaml.safe_dump(document))
    with pytest.raises(ScopleError, match="has 8 rows, more than the 6 seen classes"):
        preflight.main(load_params())
    entry["backbone_saw_unseen"] = True
    Path("params.yaml").write_text(yaml.safe_dump(document))
    run_chain()
    seen = [label for label in range(8) if label not in (2, 6)]
    weights, _ = load_tensors("backbone", Path(f"work/demo/backbone/{SPLIT}/1.safetensors"), again="")
    assert torch.equal(weights["fc.weight"], state["fc.weight"][seen])
    assert pd.read_csv(f"work/demo/history/backbone/{SPLIT}/1.csv")["epoch"].tolist() == [0]
    known = json.loads(Path(f"results/demo/provenance/{SPLIT}.json").read_text())
    assert (known["backbone_weights"], known["backbone_saw_unseen"]) == (entry["backbone_digest"], True)
    for name in ("controls", "per_class"):
        notes = pd.read_csv(f"results/demo/tables/{name}.csv")["note"].dropna()
        assert notes.str.contains("may have learned the unseen classes").any(), name


@pytest.mark.slow
def test_diagnostics_of_both_queries(inside):
    params = load_params()
    extract_features(params)
    diagnostics.main(params, SPLIT)
    table = pd.read_csv(inside / f"work/demo/ablations/diagnostics/{SPLIT}.csv")
    wide = table.pivot(index="training_query", columns="quantity", values="value")
    held_against = table.pivot(index="training_query", columns="quantity", values="reference")
    assert wide.index.tolist() == ["candidate", "own"]
    # ln of 6 classes; ln of the samples of a batch: 24 of them are one of 16 and one of 8.
    expected = [np.log(6), (16 * np.log(16) + 8 * np.log(8)) / 24]
    np.testing.assert_allclose(held_against["loss_trained_on_shuffled"], expected, atol=1e-4)
    assert wide["zsl_texts_shuffled"].tolist() == held_against["zsl"].tolist() == [50.0, 50.0]
    for gate in ("entropy", "stacking", "none"):
        assert (wide[f"unseen_{gate}"] <= wide["zsl"]).all()
        assert (wide[f"seen_{gate}"] <= wide["seen_candidates"]).all()


@pytest.mark.parametrize("variant", ["ridge", "smie", "star"])
def test_another_method_goes_the_same_way(root, inside, variant):
    """One that is solved without a step, one of the joint features, one of interval features and descriptions."""
    shutil.copytree(root / "datasets/descriptions", inside / "datasets/descriptions")
    document = yaml.safe_load((inside / "params.yaml").read_text())
    own = {"smie": {"epochs": 2}, "star": {"intervals": 3, "epochs": 2, "queries": 5, "batch_size": 8}}
    document["variants"][variant] = {"method": variant, "settings": {"demo": own.get(variant, {})}}
    (inside / "params.yaml").write_text(yaml.safe_dump(document | {"variant": variant}, sort_keys=False))
    assert f"ZSL of {variant}: {SPLIT}" in run_chain()
    assert pd.read_csv(inside / f"work/demo/evaluation/{SPLIT}.attention.csv")["head"].isna().all()
    losses = pd.read_csv(inside / "results/demo/tables/losses.csv")["loss"]
    assert losses.isna().all() == (variant == "ridge")
    with pytest.raises(ScopleError, match=f"a model folder takes the method scople .* is {variant}"):
        export.main(load_params(), SPLIT)


def test_a_methods_typo_stops_before_any_work(inside):
    document = yaml.safe_load((inside / "params.yaml").read_text())
    document["variants"]["smie"]["settings"]["demo"] = {"epoch": 3}
    (inside / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    assert "'epoch' is no setting of the method smie" in refusal(preflight.main)
    document["variants"]["smie"]["settings"] = {"demo": {"on": {"ntu06": {"epochs": 3}}}}
    (inside / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    assert "demo has the data set 'ntu06', which has no file" in refusal(preflight.main)


@pytest.mark.slow
def test_ablations_of_two_repeats(inside):
    change(inside, "params.yaml", "seeds:\n- 1\n", "seeds:\n- 1\n- 2\n")
    path = inside / "datasets/paper_tables/layout.yaml"
    pipelines = yaml.safe_load(path.read_text())
    for layout in pipelines["ablations"].values():
        layout["columns"] = {"tiny": {"paper": layout["columns"][FIRST]["paper"], "splits": [SPLIT]}}
    path.write_text(yaml.safe_dump(pipelines, sort_keys=False))
    for name in ("table1", "table4"):
        printed = pd.read_csv(inside / f"datasets/paper_tables/{name}.csv")
        printed[(printed["dataset"] == "NTU-60") & (printed["split"] == "55/5")].to_csv(
            inside / f"datasets/paper_tables/{name}.csv", index=False
        )
    params = load_params()
    extract_features(params)
    rows = dict.fromkeys(name for layout in pipelines["ablations"].values() for name in layout["rows"])
    train_and_evaluate(params, *(name for name in rows if name != "scople"))
    for setting in ("prefix_length", "layer_depth", "joint_prompts"):
        figure3.main(params, SPLIT, setting)
    diagnostics.main(params, SPLIT)
    scatter.main(params, SPLIT)
    tables.main(params, "ablations")
    folder = inside / "results/demo/ablations/tables"
    table = pd.read_csv(folder / "table4.csv").query("source == 'measured'")
    assert len(table) == 6
    assert table[["tiny.zsl", "tiny.h", "tiny.zsl_std", "tiny.h_std"]].notna().all(axis=None)
    metrics = json.loads((inside / f"results/demo/metrics/{SPLIT}.json").read_text())
    assert table.set_index("model").loc["SCoPLe (full)", "tiny.zsl_std"] == round(metrics["zsl_std"], 2)
    repeats = pd.read_csv(folder / "scatter.csv").set_index(["split", "repeat"])
    assert repeats.loc[[(SPLIT, "training"), (SPLIT, "everything")], "repeats"].tolist() == [3, 3]
    assert (repeats["zsl_std"] >= 0).all()
    panels = pd.read_csv(folder / "figure3.csv").groupby("setting")["value"].apply(list).to_dict()
    assert panels == {
        name: list(range(n)) for name, n in (("joint_prompts", 8), ("layer_depth", 7), ("prefix_length", 8))
    }
    # The value that params.yaml has anyway is the full model of Table 4.
    figure = pd.read_csv(folder / "figure3.csv").set_index(["setting", "value"])
    for setting in ("prefix_length", "layer_depth", "joint_prompts"):
        value = getattr(params.method, setting)
        assert figure.loc[(setting, value), "zsl"] == round(metrics["zsl"], 2)


@pytest.mark.slow
@pytest.mark.realdata
def test_own_recordings_of_real_people(root, real_data, tmp_path, monkeypatch):
    """MSR-Action3D from its zip to the tables, in a profile of its own, as docs/own-recordings.md says."""
    shutil.copytree(root / "datasets", tmp_path / "datasets")
    (tmp_path / "data/raw/own").mkdir(parents=True)
    (tmp_path / "data/raw/own/msr").symlink_to(real_data)
    document = yaml.safe_load((root / "params.yaml").read_text())
    document |= {"profile": "own", "datasets": {"msr": {"raw": "msr"}}, "splits": {"msr_16_4_r1": {"dataset": "msr"}}}
    document["profiles"]["own"] = SCALE
    document["machine"] |= {"jobs": 1, "device": "cpu"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    monkeypatch.chdir(tmp_path)
    params = load_params()
    extract_features(params, "msr", "msr_16_4_r1")
    summary = json.loads((tmp_path / "work/own/corpus/msr/summary.json").read_text())
    assert (summary["parsed"], summary["training"], summary["broken"]) == (566, 291, 0)
    train_and_evaluate(params, split="msr_16_4_r1")
    assert "msr_16_4_r1" in tables.main(params, "main")
    checks = pd.read_csv(tmp_path / "results/own/tables/controls.csv")
    assert (checks["chance"] == 25).all()
    assert checks["note"].isna().all()  # nothing here is synthetic
    per_class = pd.read_csv(tmp_path / "results/own/tables/per_class.csv")
    assert per_class.query("variant == 'scople' and is_unseen")["id"].tolist() == [1, 6, 13, 17]


def call(place, *words):
    return subprocess.run([sys.executable, "-m", *words], cwd=place, capture_output=True, text=True, check=False)


def assert_one_sentence(done, *words, code=1):
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def change(place, path, old, new):
    text = (place / path).read_text()
    assert old in text
    (place / path).write_text(text.replace(old, new))


def test_wrong_call(inside):
    assert_one_sentence(call(inside, "stages.pretrain"), "takes 1 names", "SPLIT_NAME", code=2)
    assert_one_sentence(call(inside, "stages.pretrain", "no_such_split"), "no_such_split", SPLIT)


def test_bad_params_stop_a_stage(inside):
    change(inside, "params.yaml", "layer_depth: 3", "layer_depth: -3")
    assert_one_sentence(call(inside, "stages.parse", "tiny"), "layer_depth", "-3", "at least 0")
    change(inside, "params.yaml", "layer_depth: -3", "layer_dept: 3")
    assert_one_sentence(call(inside, "stages.parse", "tiny"), "layer_dept", "not known")


def test_a_wrong_folder_and_an_unknown_data_set_are_said(inside):
    assert_one_sentence(call(inside, "stages.parse", "msr"), "data set 'msr'", "known are tiny")
    (inside / "params.yaml").unlink()
    assert_one_sentence(call(inside, "stages.parse", "tiny"), "this is not the project's folder")


@pytest.mark.slow
def test_a_long_class_name_stops_the_preflight(inside):
    change(inside, "datasets/classes/tiny.csv", f"3,{CLASSES[2]},", f"3,{600 * 'a '},")
    done = call(inside, "stages.preflight")
    assert_one_sentence(done, "class text 'A skeleton video for the action of a a", "reads at most 512", "shorten")
    assert len(done.stderr) <= 300
    assert not (inside / "work").exists()


def test_overlapping_split_stops_the_preflight(inside):
    (inside / f"datasets/splits/{SPLIT}.yaml").write_text("unseen: [3, 7]\nseen: [1, 2, 3, 4, 5]\n")
    assert_one_sentence(call(inside, "stages.preflight"), "class 3", "both seen and unseen")
    assert not (inside / "work").exists()


def test_missing_archive_stops_the_preflight_of_the_real_profile(inside):
    change(inside, "params.yaml", "profile: demo", "profile: paper")
    done = call(inside, "stages.preflight")
    assert_one_sentence(done, "data/raw/paper/tiny/nturgbd_skeletons_s001_to_s017.zip", "is missing", "put")
    assert not (inside / "work").exists()


@pytest.mark.slow
def test_missing_weights_stop_the_preflight_of_the_real_profile(inside):
    change(inside, "params.yaml", "profile: demo", "profile: paper")
    change(inside, "params.yaml", "text_weights: openai", "text_weights: nowhere/ViT-B-32.pt")
    shutil.copytree(inside / "data/raw/demo", inside / "data/raw/paper")
    assert_one_sentence(call(inside, "stages.preflight"), "nowhere/ViT-B-32.pt", "put")
    assert not (inside / "work").exists()


def break_member(place, mend):
    """Rewrite the archive with one member changed by `mend`; gives its name."""
    path = place / "data/raw/demo/tiny/nturgbd_skeletons_s001_to_s017.zip"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    broken = sorted(name for name in members if name.endswith(".skeleton"))[0]
    members[broken] = mend(members[broken])
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return Path(broken).name


@pytest.mark.parametrize(
    ("mend", "reason"),
    [
        (lambda text: text[: len(text) // 2], "line"),
        (lambda text: text.replace(b"\n25\n", b"\n24\n", 1).replace(b"\r\n25\r\n", b"\r\n24\r\n", 1), "24"),
    ],
    ids=["truncated", "wrong joint count"],
)
def test_broken_recording(inside, mend, reason):
    name = break_member(inside, mend)
    # 1 of 56 members is more than the default 1 %: nothing is written.
    assert_one_sentence(call(inside, "stages.parse", "tiny"), "1 broken", name, reason, "max_broken")
    assert not (inside / "work/demo/corpus/tiny").exists()
    # Within the bound it is set aside, with its name and the reason.
    change(inside, "params.yaml", "max_broken: 0.01", "max_broken: 0.05")
    done = call(inside, "stages.parse", "tiny")
    assert done.returncode == 0, done.stderr
    assert "55 sequences packed, 1 broken" in done.stdout
    report = (inside / "work/demo/corpus/tiny/parse_report.csv").read_text()
    assert name in report
    assert reason in report


def refusal(main, *words):
    with pytest.raises(ScopleError) as caught:
        main(load_params(), *words)
    assert len(str(caught.value)) <= 300
    return str(caught.value)


def test_no_wrong_number_from_the_files_of_something_else(inside):
    """Every stage compares what its inputs say with what it was called for."""
    params = load_params()
    extract_features(params)
    assert "coop" in (said := refusal(evaluate.main, SPLIT, "coop"))
    assert "is missing: run `python -m stages.train tiny_6_2 1 coop`" in said
    train.main(params, SPLIT, "1")
    features_of = inside / "work/demo/features" / SPLIT
    test_part, model = features_of / "test/1.safetensors", inside / f"work/demo/model/{SPLIT}/1.safetensors"
    gates = model.with_suffix(".gates.json")
    honest = {path: path.read_bytes() for path in (test_part, model, gates, features_of / "classes.csv")}

    shutil.copy(features_of / "training/1.safetensors", test_part)
    assert "kind 'test features' is needed: run `dvc repro features` again" in refusal(evaluate.main, SPLIT)
    test_part.write_bytes(honest[test_part])
    change(inside, "params.yaml", "layer_depth: 3", "layer_depth: 2")
    assert "is of settings" in refusal(evaluate.main, SPLIT)
    change(inside, "params.yaml", "layer_depth: 2", "layer_depth: 3")
    (features_of / "classes.csv").write_bytes(honest[features_of / "classes.csv"].replace(b"jump up", b"jump on"))
    assert "is of classes" in refusal(evaluate.main, SPLIT)
    (features_of / "classes.csv").write_bytes(honest[features_of / "classes.csv"])
    for content in (b"{}", b"[]", b"", honest[gates].replace(b"threshold", b"treshold", 1)):
        gates.write_bytes(content)
        assert "gates.json" in refusal(evaluate.main, SPLIT)
    gates.write_bytes(honest[gates])
    assert "zsl" in evaluate.main(params, SPLIT)

    evaluation = inside / f"work/demo/evaluation/{SPLIT}.json"
    evaluation.write_bytes(evaluation.read_bytes().replace(b"zsl", b"zsk", 1))
    assert f"is damaged, or not of the form that this release writes: run `python -m stages.evaluate {SPLIT}`" in (
        refusal(tables.main, "main")
    )
    assert "run `python -m stages.tables ablations`" in refusal(figure3_picture.main)


@pytest.mark.parametrize(("stage", "section"), [("pretrain", "backbone"), ("train", "method")])
def test_weights_that_the_last_step_spoils_are_no_result(inside, stage, section):
    """One epoch of one step: its loss is fine, the weights after it are not. No file may set such a rate."""
    params = load_params()
    scale = params.scale
    spoiling = replace(getattr(scale, stage), epochs=1, batch_size=999, learning_rate=1e38)
    params = replace(params, profiles=params.profiles | {"demo": replace(scale, **{stage: spoiling})})
    preflight.main(params)
    parse.main(params, "tiny")
    if stage == "train":
        pretrain.main(params, SPLIT)
        features.main(params, SPLIT)
    words = (SPLIT, "1") if stage == "train" else (SPLIT,)
    with pytest.raises(ScopleError) as caught:
        {"pretrain": pretrain, "train": train}[stage].main(params, *words)
    said = str(caught.value)
    assert f"of the {section} is not finite after epoch 1" in said
    assert not (inside / f"work/demo/{'model' if section == 'method' else section}").exists()


def test_an_unseen_class_without_a_test_sample_stops_the_backbone(inside):
    params = load_params()
    preflight.main(params)
    parse.main(params, "tiny")
    corpus = inside / "work/demo/corpus/tiny"
    index = pd.read_csv(corpus / "index.csv")
    index["is_training"] |= index["label"] == 6
    index.to_csv(corpus / "index.csv", index=False)
    assert "index.csv is not what the parse stage wrote" in refusal(pretrain.main, SPLIT)
    seal_corpus(corpus)
    assert "no test subject performs class 7, which is unseen" in refusal(pretrain.main, SPLIT)
