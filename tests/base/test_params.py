"""params.yaml: strictness, ranges, and that the shipped file says what the issue of each key is."""

import dataclasses

import pytest
import yaml

from scople.base.errors import ScopleError
from scople.base.params import METHODS, MethodSettings, load_params
from scople.methods.registry import METHODS as REGISTRY
from scople.methods.registry import settings_of


@pytest.fixture
def document(root):
    return yaml.safe_load((root / "params.yaml").read_text())


def load(tmp_path, document):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(document))
    return load_params(path)


def test_shipped_file_is_valid_and_runs_thirteen_splits(root):
    params = load_params(root / "params.yaml")
    assert params.profile == "demo"
    assert len(params.splits) == 13
    assert (params.method.layer_depth, params.method.prefix_length, params.method.joint_prompts) == (3, 2, 3)


def test_paper_profile_is_the_published_recipe(root):
    paper = load_params(root / "params.yaml").profiles["paper"]
    assert (paper.text_encoder, paper.frames) == ("clip", 300)
    assert (paper.train.epochs, paper.train.batch_size, paper.train.learning_rate) == (100, 256, 1e-4)
    assert (paper.pretrain.width, paper.pretrain.epochs, paper.pretrain.milestones) == (64, 140, [60, 80, 100])


def test_profiles_have_the_same_keys(document):
    def keys(group):
        return {key: keys(value) for key, value in group.items()} if isinstance(group, dict) else None

    assert keys(document["profiles"]["demo"]) == keys(document["profiles"]["paper"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"layer_dept": 4}, ["layer_dept", "not known"]),
        ({"layer_depth": -1}, ["layer_depth", "-1", "at least 0"]),
        ({"layer_depth": 2.5}, ["layer_depth", "2.5", "int"]),
        ({"layer_depth": True}, ["layer_depth", "True", "int"]),
        ({"layer_depth": None}, ["layer_depth", "None"]),
        ({"text_weight": 1.5}, ["text_weight", "1.5", "at most 1"]),
        ({"temperature": 0}, ["temperature", "at least 0.01"]),
        ({"layer_depth": 7}, ["layer_depth", "7", "minilm", "6 layers"]),
        ({"alpha": float("inf")}, ["alpha", "inf", "finite"]),
        ({"variants": {"x": {"body_choice": "ctr"}}}, ["variant 'x'", "body_choice", "share"]),
        ({"variants": {"scople": {}, "deep": {"layer_depth": 9}}}, ["layer_depth", "deep", "9", "6 layers"]),
        ({"variant": "shallow"}, ["'shallow'", "known are ca_vae, cada_vae"]),
        ({"datasets": {"ntu60": {"raw": "ntu", "sources": "pyskl"}}}, ["sources", "not known"]),
        ({"datasets": {"ntu60": {"source": "pyskl"}}}, ["raw", "missing"]),
        ({"splits": {"a": {"dataset": "ntu60", "backbone_saw_unseen": True}}}, ["'a'", "has no backbone_weights"]),
        ({"splits": {"a": {"dataset": "ntu60", "backbone_digest": "0"}}}, ["'a'", "has no backbone_weights"]),
        (
            {"splits": {"a": {"dataset": "ntu60", "backbone_weights": "x.pt"}}, "repeat": "everything"},
            ["'a'", "set `repeat: training`"],
        ),
        ({"seeds": []}, ["seeds", "[]", "one or more"]),
        ({"seeds": [1, 1]}, ["seeds", "[1, 1]", "different"]),
        ({"repeat": "everything", "seeds": [1, 4]}, ["seed 4", "no backbone", "backbones.everything"]),
        ({"random_splits": "flora"}, ["random_splits", "flora", "smie, sa_dvae"]),
        ({"variants": {"x": {"random_splits": "smie"}}}, ["variant 'x'", "random_splits", "not known"]),
        ({"repeat": "all"}, ["repeat", "all", "training, everything"]),
        ({"backbones": {"training": [1, 2], "everything": [1]}}, ["backbones.training", "[1, 2]", "one number"]),
        ({"backbones": {"training": [1], "everything": [3, 3]}}, ["backbones.everything", "[3, 3]", "different"]),
        ({"temperature": float("nan")}, ["temperature", "nan"]),
        ({"gate": "fuzzy"}, ["gate", "fuzzy", "entropy"]),
        ({"profile": "lab"}, ["profile", "lab", "demo"]),
        ({"splits": {"x": {"dataset": "kinetics"}}}, ["kinetics", "ntu60"]),
        ({"variants": {"x": {"layer_dept": 1}}}, ["variant 'x'", "layer_dept"]),
        ({"method": {}}, ["method", "{}", "type str"]),
        ({"method": "smile"}, ["method", "'smile'", "one of scople, ridge"]),
        ({"class_text": "words"}, ["class_text", "'words'", "names, descriptions, both"]),
        ({"seen_source": "tail"}, ["seen_source", "'tail'", "own, head"]),
        ({"variants": {"x": {"method": "smie", "alpha": 1}}}, ["variant 'x'", "'alpha'", "smie does not read"]),
        ({"variants": {"x": {"settings": {"demo": {"epochs": 3}}}}}, ["variant 'x'", "scople does not read"]),
        ({"variants": {"x": {"method": "smie", "settings": 3}}}, ["settings of variant 'x' is 3", "group"]),
        (
            {"variants": {"x": {"method": "smie", "settings": {"dmo": {}}}}},
            ["variant 'x' has 'dmo'", "demo, msr, paper"],
        ),
        ({"variants": {"x": {"method": "smie", "settings": {"demo": 3}}}}, ["variant 'x': demo is 3", "group"]),
        ({"variants": {"x": {"method": "smie", "settings": {"demo": {"on": 3}}}}}, ["variant 'x'", "on is 3"]),
        ({"variants": {"x": {"method": "smie", "settings": {"demo": {"on": {"pku": 3}}}}}}, ["pku is 3", "group"]),
        ({"machine": 3}, ["machine", "group"]),
        ({"yes": 1, "foo": 2}, ["'foo'", "not known"]),
        ({"joint_prompts": 10**9}, ["joint_prompts", "1000000000", "at most 1000"]),
        ({"seed": 10**18 - 1, "phrase": 7 * 10**17}, ["phrase", "7" + 17 * "0", "str"]),
        ({"splits": {"../x": {"dataset": "ntu60"}}}, ["'../x'", "a name has"]),
        ({"profile": 1000 * "lab"}, ["lablabl...", "demo"]),
    ],
)
def test_bad_values_are_one_clear_sentence(tmp_path, document, change, words):
    with pytest.raises(ScopleError) as caught:
        load(tmp_path, document | change)
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith((".", ". "))
    for word in words:
        assert word in message


@pytest.mark.parametrize("key", [f.name for f in dataclasses.fields(MethodSettings)] + ["profile", "seed", "profiles"])
def test_every_key_is_required(tmp_path, document, key):
    del document[key]
    with pytest.raises(ScopleError, match=f"'{key}'.*missing"):
        load(tmp_path, document)


def test_variant_lays_its_settings_over_the_method(root):
    params = load_params(root / "params.yaml")
    bare = params.settings("no_prompts")
    assert (bare.text_prompting, bare.joint_prompts, bare.sampler) == ("none", 0, False)
    assert bare.temperature == params.method.temperature
    assert params.settings() == params.settings("scople") == params.method
    assert dataclasses.replace(params, variant="no_prompts").settings() == bare
    with pytest.raises(ScopleError, match="nonsense"):
        params.settings("nonsense")
    with pytest.raises(ScopleError, match="nowhere"):
        params.dataset_of("nowhere")


def test_the_methods_are_those_of_the_registry():
    assert set(METHODS) == {"scople", *REGISTRY}


def test_a_variants_own_settings_are_the_profiles_then_the_data_sets(tmp_path, document):
    groups = {"demo": {"epochs": 3, "warmup": 1, "on": {"pku": {"epochs": 5}}}, "paper": {"epochs": 7}}
    document["variants"]["x"] = {"method": "smie", "settings": groups}
    params = load(tmp_path, document)
    assert params.settings("x").method == "smie"
    assert params.own_settings("x", "ntu60") == {"epochs": 3, "warmup": 1}
    assert params.own_settings("x", "pku") == {"epochs": 5, "warmup": 1}
    paper = dataclasses.replace(params, profile="paper", variant="x")
    assert paper.own_settings("", "pku") == {"epochs": 7}
    assert params.own_settings("scople", "pku") == {}


@pytest.mark.parametrize("profile", ["demo", "paper"])
@pytest.mark.parametrize("dataset", ["ntu60", "ntu120", "pku"])
def test_shipped_variants_set_what_their_methods_have(root, profile, dataset):
    params = dataclasses.replace(load_params(root / "params.yaml"), profile=profile)
    others = {name: params.settings(name).method for name in params.variants}
    for variant, method in others.items():
        if method != "scople":
            settings_of(method, params.own_settings(variant, dataset)).recipe()
    assert set(others.values()) == set(METHODS)


@pytest.mark.parametrize(
    ("encoder", "depth", "words"),
    [
        ("clip:ViT-L-14", 12, None),
        (
            "clip:ViT-L-14",
            13,
            "is 13, but the text encoder clip:ViT-L-14 has 12 layers: choose 0 to 12",
        ),
        ("clip:ViT-H-14", 24, None),
        ("clip:ViT-L14", 3, "has no model 'ViT-L14' .*perhaps ViT-L-14"),
        ("word2vec", 3, "is 'word2vec', but must be clip, minilm, "),
        ("sbert:nowhere", 1000, None),  # preflight says that it is missing
    ],
)
def test_the_text_encoder_bounds_the_layers(tmp_path, document, encoder, depth, words):
    document["profiles"]["demo"]["text_encoder"] = encoder
    document |= {"layer_depth": depth, "variants": {"scople": {}}}
    if words is None:
        assert load(tmp_path, document).scale.text_encoder == encoder
    else:
        with pytest.raises(ScopleError, match=words):
            load(tmp_path, document)


def test_frames_are_a_multiple_of_four(tmp_path, document):
    document["profiles"]["paper"]["frames"] = 30
    with pytest.raises(ScopleError, match="frames of .*30.*multiple of 4"):
        load(tmp_path, document)


@pytest.mark.parametrize(
    ("group", "key", "value"),
    [
        ("profile", "frames", 8),
        ("profile", "frames", 100_000),
        ("pretrain", "width", 10**6),
        ("pretrain", "learning_rate", 1e30),
        ("train", "epochs", 10**9),
        ("train", "batch_size", 10**9),
        ("machine", "threads", 10**11),
        ("demo", "longest", 10**6),
    ],
)
def test_absurd_sizes_are_refused(tmp_path, document, group, key, value):
    profile = document["profiles"]["demo"]
    groups = document | {"profile": profile} | profile
    (document if group in document and group != "profile" else groups)[group][key] = value
    with pytest.raises(ScopleError, match=f"{key} of .*, but must be at (most|least)"):
        load(tmp_path, document)


def test_a_data_set_that_is_not_there_is_named(root):
    with pytest.raises(ScopleError, match="data set 'msr' is not in params.yaml; known are ntu60, ntu120, pku"):
        load_params(root / "params.yaml").raw_folder_of("msr")


def test_unreadable_file(tmp_path):
    with pytest.raises(ScopleError, match="not the project's folder, it has no .*none.yaml"):
        load_params(tmp_path / "none.yaml")
    (tmp_path / "broken.yaml").write_text("a: [1")
    with pytest.raises(ScopleError, match="cannot be read as YAML in line 1"):
        load_params(tmp_path / "broken.yaml")


def test_a_repeat_begins_with_the_training_or_with_the_backbone(root):
    params = load_params(root / "params.yaml")
    shared = dataclasses.replace(params, seeds=[1, 2, 3])
    assert shared.backbone_seeds == {1: params.seed}
    assert [shared.backbone_of(seed) for seed in ("1", 2, "3")] == [1, 1, 1]
    own = dataclasses.replace(shared, repeat="everything")
    assert own.backbone_seeds == {number: own.repeat_seed(number) for number in (1, 2, 3)}
    assert [own.backbone_of(seed) for seed in ("1", 2, "3")] == [1, 2, 3]


def test_repeats_have_seeds_of_their_own(root):
    params = load_params(root / "params.yaml")
    several = dataclasses.replace(params, seeds=[1, 2, 3])
    assert len({several.repeat_seed(number) for number in several.seeds}) == 3
    assert several.repeat_seed("1") == params.repeat_seed(1)
    assert dataclasses.replace(params, seed=params.seed + 1).repeat_seed(1) != params.repeat_seed(1)
    with pytest.raises(ScopleError, match="seed 2 is not one of seeds"):
        params.repeat_seed(2)
