"""A folder gives back what was put into it, or one sentence."""

import json
import shutil
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file
from tiny_towers import tiny_clip

from scople.base.artefacts import load_tensors, save_sealed_json, save_tensors
from scople.base.errors import ScopleError
from scople.prediction.model_folder import KIND, described_encoder, load_config, load_parts, save_model_folder
from scople.text.minilm import _package_folder


@pytest.fixture
def copy(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "copy")


def refusal(folder):
    with pytest.raises(ScopleError) as caught:
        load_parts(folder)
    said = str(caught.value)
    assert len(said) < 400
    assert "\n" not in said
    return said


def resealed(folder, **changes):
    """Change what the settings say, with a seal that fits."""
    document = json.loads((folder / "config.json").read_text())
    del document["artefact"]
    save_sealed_json(KIND, document | changes, folder / "config.json")


def test_what_was_put_in_comes_out(folder, parts):
    config, backbone, model = parts
    found, loaded_backbone, loaded_model = load_parts(folder)
    assert found == config
    for made, loaded in ((backbone, loaded_backbone), (model, loaded_model)):
        assert made.state_dict().keys() == loaded.state_dict().keys()
        assert all(torch.equal(tensor, loaded.state_dict()[name]) for name, tensor in made.state_dict().items())
        assert not loaded.training
        assert not any(weights.requires_grad for weights in loaded.parameters())


def test_a_folder_is_the_same_to_the_byte_whenever_it_is_written(folder, parts, tmp_path):
    again = tmp_path / "again"
    save_model_folder(again, *parts, (folder / "README.md").read_text())
    assert sorted(path.name for path in again.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert all((again / path.name).read_bytes() == path.read_bytes() for path in folder.iterdir())


def test_the_text_encoder_is_named_and_not_copied(folder):
    tensors, _ = load_tensors(KIND, folder / "model.safetensors", again="")
    assert {name.split(".")[0] for name in tensors} == {"backbone", "scople"}
    assert (folder / "model.safetensors").stat().st_size < 5e6
    assert json.loads((folder / "config.json").read_text())["text_encoder"]["name"] == "minilm"


def test_a_tag_of_open_clip_is_kept_and_a_path_is_not():
    tower = tiny_clip()
    assert described_encoder("clip:ViT-L-14", "laion2b_s32b_b82k", tower)["weights"] == "laion2b_s32b_b82k"
    for name, weights in (("clip:ViT-L-14", "a/file.bin"), ("clip", "openai"), ("sbert:a/folder", "folder")):
        assert described_encoder(name, weights, tower).keys() == {"name", "digest"}


def test_a_sentence_bert_may_lie_elsewhere_than_where_it_was_trained(copy):
    encoder = json.loads((copy / "config.json").read_text())["text_encoder"]
    resealed(copy, text_encoder=encoder | {"name": "sbert:nowhere/minilm"})
    assert load_parts(copy, str(_package_folder()))[0].text_encoder["name"] == "sbert:nowhere/minilm"
    assert "no folder nowhere/minilm" in refusal(copy)


def test_weights_that_are_not_finite_are_not_written(parts, tmp_path):
    config, backbone, model = parts
    backbone = deepcopy(backbone)
    with torch.no_grad():
        backbone.fc.bias[0] = torch.nan
    with pytest.raises(ScopleError, match="not finite"):
        save_model_folder(tmp_path / "broken", config, backbone, model, "")
    assert not (tmp_path / "broken").exists()


def test_no_folder(tmp_path):
    assert "there is no model folder" in refusal(tmp_path / "nowhere")
    assert "it has no config.json" in refusal(tmp_path)
    (tmp_path / "config.json").mkdir()
    assert "it has no config.json" in refusal(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize(
    "damage", [lambda b: b[:-7], lambda b: b"", lambda b: b[:-3] + b"x" + b[-2:], lambda b: b + b" "]
)
def test_a_damaged_file(copy, name, damage):
    path = copy / name
    path.write_bytes(damage(path.read_bytes()))
    said = refusal(copy)
    assert name in said
    assert "damaged" in said or "cannot be read" in said


def test_missing_weights(copy):
    (copy / "model.safetensors").unlink()
    assert "model.safetensors is missing" in refusal(copy)


@pytest.mark.parametrize("config", ['{"model_type": "bert", "hidden_size": 3}', "[1, 2]", "3", '{"artefact": 3}'])
def test_another_projects_folder(tmp_path, config):
    (tmp_path / "config.json").write_text(config)
    save_file({"weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    said = refusal(tmp_path)
    assert "another project" in said or "damaged" in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "has the format 2, but this release reads 1"),
        ({"more": 1}, "has other settings than this release (more)"),
        ({"method": {"phrase": "x"}}, "has other settings than this release"),
        ({"method": None}, "has other settings than this release"),
        ({"joints": ["nose"]}, "has ['nose'] as joints, but needs this release's joints"),
        ({"thresholds": {"entropy": 1.0}}, "needs a group with entropy, none, stacking"),
        ({"text_encoder": {"name": "bert", "digest": "0"}}, "needs the text encoder 'bert'"),
        ({"text_encoder": {"name": "minilm", "digest": "0"}}, "was trained with '0'"),
        ({"width": 5}, "has backbone."),
        ({"seen": ["a", "b"]}, "has backbone.fc."),
        ({"weights": "0"}, "belongs to another config.json"),
    ],
)
def test_settings_that_do_not_fit(copy, changes, words):
    resealed(copy, **changes)
    assert words in refusal(copy)


def changed(name, key, value):
    """One value of a group, beside its others."""
    return lambda document: document[name] | {key: value}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("batches", {}, "a group with features, scores"),
        ("batches", "many", "a group with features, scores"),
        ("batches", {"features": 1, "scores": 1, "more": 1}, "a group with features, scores"),
        ("batches", changed("batches", "features", 0), "has 0 as features of batches"),
        ("batches", changed("batches", "scores", True), "has True as scores of batches"),
        ("frames", 0, "a multiple of 4 from 12 to 10000"),
        ("frames", 13, "a multiple of 4"),
        ("frames", 10**6, "a multiple of 4"),
        ("width", 0, "a whole number from 1 to 1024"),
        ("width", "4", "has '4' as width"),
        ("repeat", -1, "as repeat"),
        ("is_synthetic", "no", "true or false"),
        ("split", 7, "a text of at most 2000"),
        ("profile", "a\x1b[31m", "that can be printed"),
        ("seen", [], "a list of one or more different names"),
        ("seen", ["a", "a", "b"], "a list of one or more different names"),
        ("seen", "abc", "a list of one or more"),
        ("seen", ["a", 3, "b"], "a list of one or more"),
        ("unseen", [" "], "a list of different names"),
        ("computed_by", {}, "a group with threads"),
        ("computed_by", changed("computed_by", "threads", "0"), "1 to 1024, as text"),
        ("computed_by", changed("computed_by", "threads", "x"), "1 to 1024, as text"),
        ("computed_by", changed("computed_by", "threads", 2), "1 to 1024, as text"),
        ("computed_by", changed("computed_by", "device", None), "has None as device of computed_by"),
        ("versions", {"scople": 1}, "has 1 as scople of versions"),
        ("made_from", None, "as made_from"),
        ("thresholds", changed("thresholds", "entropy", "low"), "has 'low' as entropy of thresholds"),
        ("thresholds", changed("thresholds", "none", 10**400), "as none of thresholds"),
        ("thresholds", "high", "as thresholds"),
        ("text_encoder", {}, "a group with digest, name"),
        ("text_encoder", {"name": ["minilm"], "digest": "0"}, "as name of text_encoder"),
        ("text_encoder", changed("text_encoder", "weights", 3), "as weights of text_encoder"),
        ("method", changed("method", "gate", "zzz"), "needs entropy or stacking or none"),
        ("method", changed("method", "method", "ridge"), "has 'ridge' as method of method, but needs scople"),
        ("method", changed("method", "class_text", "both"), "needs names"),
        ("method", changed("method", "phrase", None), "as phrase of method"),
        ("method", changed("method", "sampler", 1), "true or false"),
        ("method", changed("method", "sampler_width", 10**9), "a whole number from 1 to 10000"),
        ("method", changed("method", "alpha", "x"), "a number from -1000 to 1000"),
        ("method", changed("method", "layer_depth", 7), "that do not go together (layer_depth is 7"),
    ],
)
def test_values_that_cannot_be_have_one_sentence_though_the_seal_fits(copy, name, value, words):
    document = json.loads((copy / "config.json").read_text())
    resealed(copy, **{name: value(document) if callable(value) else value})
    said = refusal(copy)
    assert words in said
    assert said.endswith(": get or export the model again.")


def test_settings_of_another_kind(copy):
    document = json.loads((copy / "config.json").read_text())
    del document["artefact"]
    save_sealed_json("gates", document, copy / "config.json")
    assert "is of kind 'gates'" in refusal(copy)


def test_weights_of_another_folder(copy, parts):
    config, backbone, model = parts
    tensors = {name: tensor + 1 for name, tensor in model.state_dict().items()}
    save_tensors(KIND, tensors, copy / "model.safetensors")
    assert "belongs to another config.json" in refusal(copy)


def test_settings_are_read_without_the_weights(copy, parts):
    (copy / "model.safetensors").unlink()
    config, _ = load_config(copy)
    assert config == parts[0]
    assert replace(config, frames=16) != config


def test_the_text_encoders_weights_may_lie_elsewhere(folder, tmp_path):
    place = shutil.copytree(_package_folder(), tmp_path / "minilm")
    assert load_parts(folder, str(place))[0] == load_config(folder)[0]
    with pytest.raises(ScopleError, match="MiniLM weights"):
        load_parts(folder, str(tmp_path / "nowhere"))
