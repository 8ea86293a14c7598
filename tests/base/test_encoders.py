"""Names of text encoders, and what is known of them without their weights."""

import json

import pytest

from scople.base import encoders
from scople.base.encoders import check_name, clip_models, clip_sizes, layers_of, parsed, title_of
from scople.base.errors import ScopleError
from scople.text.loading import load_tower
from scople.text.torchvision_operators import declare_torchvision_operators


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("clpi", r"is 'clpi', but must be clip, minilm, clip:<model of open_clip> or sbert:<folder>: .*perhaps clip"),
        ("bert", "is 'bert', but"),
        ("", "is '', but"),
        ("clip:", "is 'clip:', but"),
        ("sbert:", "is 'sbert:', but"),
        ("minilm:folder", "is 'minilm:folder', but"),
        ("ViT-L-14", "is 'ViT-L-14', but .*perhaps clip:ViT-L-14"),
        ("clip:ViT-L/14", r"has no model 'ViT-L/14' .*, perhaps ViT-L-14, "),
        ("clip:vit-l-14@336px", r"has no model .*, perhaps ViT-L-14-336"),
        ("clip:../ViT-L-14", "has no model '../ViT-L-14'"),
        ("clip:zzz", r"has no model 'zzz' among its \d+: correct the text encoder clip:<model>\.$"),
        (
            "clip:ViT-B-16-SigLIP",
            "ViT-B-16-SigLIP is not CLIP's causal transformer .*hf_tokenizer_name, no_causal_mask",
        ),
        ("clip:roberta-ViT-B-32", "is not CLIP's causal transformer .*hf_model_name"),
        ("clip:coca_ViT-L-14", "is not CLIP's causal transformer .*embed_cls"),
        ("clip:MobileCLIP-S1", r"is not CLIP's causal transformer .*has no_causal_mask\)"),
    ],
)
def test_other_names_are_refused_in_one_sentence(name, words):
    with pytest.raises(ScopleError, match=words) as caught:
        check_name(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "weights"), [("sbert:~nobody0/x", "folder"), ("sbert:x", "~nobody0/x"), ("clip", "~nobody0/x.pt")]
)
def test_the_home_of_nobody_is_refused_in_one_sentence(name, weights):
    with pytest.raises(ScopleError, match="~nobody0/x.* is of a user who has no home here"):
        load_tower(name, weights)


def test_a_folder_is_called_by_the_name_that_was_given(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "store").mkdir()
    (tmp_path / "all-mpnet").symlink_to("store")
    (tmp_path / "store/config.json").write_text(json.dumps(dict.fromkeys(SIZES_OF_BERT, 7)))
    assert title_of(f"sbert:{tmp_path}/all-mpnet", "folder") == title_of("sbert:~/all-mpnet", "folder") == "all-mpnet"
    assert layers_of("sbert:~/all-mpnet") == 7


SIZES_OF_BERT = ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size")


def test_every_other_model_of_open_clip_is_one_that_it_builds_with_those_sizes():
    declare_torchvision_operators()
    import open_clip

    assert clip_models() == sorted(open_clip.list_models())
    plain = 0
    for model in clip_models():
        try:
            sizes = clip_sizes(model)
        except ScopleError:
            continue
        plain += 1
        usual = open_clip.CLIPTextCfg()
        text = open_clip.CLIPTextCfg(**open_clip.get_model_config(model)["text_cfg"])
        same = {key: sizes.get(key, getattr(usual, key)) for key in encoders.SIZES}
        assert {key: getattr(text, key) for key in encoders.SIZES} == same, model
        kept = ("no_causal_mask", "pool_type", "proj_type", "proj_bias", "embed_cls", "norm_kwargs", "act_kwargs")
        assert {key: getattr(text, key) for key in kept} == {key: getattr(usual, key) for key in kept}, model
    assert plain > 70


def test_layers_are_known_before_the_weights(tmp_path, monkeypatch):
    assert layers_of("clip") == layers_of("clip:ViT-L-14-336") == 12
    assert layers_of("clip:ViT-H-14") == 24
    assert layers_of("minilm") == load_tower("minilm", "package").depth == 6
    assert layers_of(f"sbert:{tmp_path}") is None  # whoever loads it says that it is not there
    sizes = dict.fromkeys(("hidden_size", "num_attention_heads", "intermediate_size", "vocab_size"), 3)
    (tmp_path / "config.json").write_text(json.dumps(sizes | {"num_hidden_layers": 17}))
    assert layers_of(f"sbert:{tmp_path}") == 17
    (tmp_path / "config.json").write_text(json.dumps(sizes | {"num_hidden_layers": True}))
    with pytest.raises(ScopleError, match=r"config\.json has the num_hidden_layers True, but"):
        layers_of(f"sbert:{tmp_path}")
    monkeypatch.setattr(encoders, "find_spec", lambda name: None)
    check_name("clip:ViT-L-14")
    assert layers_of("clip:ViT-L-14") is None


def test_tables_name_them(tmp_path):
    titles = {
        ("minilm", "package"): "all-MiniLM-L6-v2",
        ("clip", "openai"): "CLIP-ViT-B/32",
        ("clip", "folder/ViT-B-32.pt"): "CLIP-ViT-B/32",
        ("clip:ViT-B-16", "openai"): "CLIP-ViT-B/16",
        ("clip:ViT-L-14-quickgelu", "openai"): "CLIP-ViT-L/14",
        ("clip:ViT-L-14-336", "openai"): "CLIP-ViT-L/14@336",
        ("clip:ViT-L-14", "laion2b_s32b_b82k"): "CLIP-ViT-L/14, laion2b_s32b_b82k",
        ("clip:RN50x4", "openai"): "CLIP-RN50x4",
        ("clip:ViT-S-32-alt", "weights.bin"): "CLIP-ViT-S-32-alt",
        ("sbert:models/all-distilroberta-v1/", "folder"): "all-distilroberta-v1",
        (f"sbert:{tmp_path}/x/..", "folder"): tmp_path.name,
    }
    assert {key: title_of(*key) for key in titles} == titles


def test_names_are_taken_apart():
    assert parsed("clip") == ("clip", "ViT-B-32-quickgelu")
    assert parsed("clip:ViT-L-14") == ("clip", "ViT-L-14")
    assert parsed("sbert:C:/models") == ("sbert", "C:/models")
    assert parsed("minilm") == ("minilm", "")
