"""The CLIP tower against open_clip itself."""

import csv
import os
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_towers import tiny_clip_model

from scople.errors import ScopleError
from scople.model.language_prompts import LanguagePrompts
from scople.text.clip import ClipTower
from scople.text.torchvision_operators import declare_torchvision_operators

# OpenAI's file is a TorchScript archive, which open_clip can only read this way.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:DeprecationWarning")

NAMES = ["drink water", "stand up", "put something inside pocket / take out something from pocket", "jump up"]


def encode(tower: ClipTower, texts: list[str]) -> torch.Tensor:
    tokens = tower.tokenize(texts)
    states = tower.enter(tower.embed(tokens.ids), tokens)
    for layer in range(tower.depth):
        states = tower.complete(layer, states, tower.attend(layer, states, tokens))
    return tower.finish(states, tokens)


def test_the_texts_are_encoded_as_open_clip_does_with_77_tokens():
    model = tiny_clip_model()
    tower = ClipTower(model)
    from open_clip.tokenizer import tokenize

    with torch.no_grad():
        expected = model(tokenize(NAMES))
    torch.testing.assert_close(encode(tower, NAMES), expected, rtol=1e-5, atol=1e-5)


def test_no_weight_is_trainable():
    tower = ClipTower(tiny_clip_model())
    assert not any(weights.requires_grad for weights in tower.parameters())
    assert not tower.training


def test_weights_are_read_from_a_file_with_quickgelu(tmp_path):
    declare_torchvision_operators()
    import open_clip

    vision = open_clip.CLIPVisionCfg(layers=1, width=64, image_size=4, patch_size=2)
    text = open_clip.CLIPTextCfg(layers=2, width=64, heads=1)
    model = open_clip.CLIP(embed_dim=11, vision_cfg=vision, text_cfg=text, quick_gelu=True).eval()
    weights = {name: values for name, values in model.state_dict().items() if name != "logit_bias"}
    torch.save(weights, tmp_path / "weights.pt")

    tower = ClipTower.pretrained(tmp_path / "weights.pt")
    with torch.no_grad():
        expected = model.encode_text(open_clip.tokenize(NAMES))
    assert (tower.width, tower.depth, tower.output_width, tower.limit) == (64, 2, 11, 77)
    # OpenAI's weights were kept in half precision, and open_clip rounds to it on loading.
    torch.testing.assert_close(encode(tower, NAMES), expected, rtol=1e-2, atol=2e-3)


def test_missing_weights_give_one_sentence(tmp_path, monkeypatch):
    declare_torchvision_operators()
    import open_clip

    with pytest.raises(ScopleError, match=r"absent\.pt.*cannot be loaded.*put OpenAI.*its path as text_weights\.$"):
        ClipTower.pretrained(tmp_path / "absent.pt")
    (tmp_path / "broken.pt").write_bytes(b"not weights")
    with pytest.raises(ScopleError, match=r"broken\.pt.*cannot be loaded"):
        ClipTower.pretrained(tmp_path / "broken.pt")

    def offline(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(open_clip, "load_openai_model", offline)
    with pytest.raises(ScopleError, match="'openai' cannot be loaded"):
        ClipTower.pretrained()


@pytest.mark.parametrize("quick_gelu", [True, False])
def test_with_no_prompts_class_texts_are_open_clips_encode_text(quick_gelu):
    declare_torchvision_operators()
    import open_clip

    vision = open_clip.CLIPVisionCfg(layers=1, width=64, image_size=4, patch_size=2)
    text = open_clip.CLIPTextCfg(layers=5, width=39, heads=3)
    model = open_clip.CLIP(embed_dim=11, vision_cfg=vision, text_cfg=text, quick_gelu=quick_gelu).double().eval()
    prompts = LanguagePrompts(
        ClipTower(model),
        text_prompting="none",
        phrase="A skeleton video for the action of",
        prefix_length=2,
        layer_depth=3,
        alpha=0.5,
        prompt_std=1.0,
        prefix_streams="both",
        layer_prompts="after_first",
        prompted_residual="aggregated",
        generator=torch.Generator(),
    )
    with torch.no_grad():
        expected = model.encode_text(open_clip.tokenize([f"{prompts.phrase} {name}" for name in NAMES]))
    torch.testing.assert_close(prompts(prompts.tokenize(NAMES)), expected, rtol=0, atol=1e-12)


@pytest.mark.realdata
def test_openai_weights_give_the_published_label_features(real_data, reference):
    weights = Path(os.environ.get("SCOPLE_CLIP_WEIGHTS", Path.home() / ".cache/clip/ViT-B-32.pt"))
    if not weights.is_file():  # where open_clip keeps them; a test does not go online
        pytest.skip(f"no CLIP weights at {weights}; set SCOPLE_CLIP_WEIGHTS to the path of OpenAI's ViT-B-32.pt")
    tower = ClipTower.pretrained(weights)
    with (reference / "classes_ntu120.csv").open() as rows:
        names = [row["label"] for row in csv.DictReader(rows)]
    expected = np.load(real_data / "clip_vitb32_label_features_ntu120.npy")
    found = encode(tower, names).numpy()
    cosine = (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosine.min() > 0.999
