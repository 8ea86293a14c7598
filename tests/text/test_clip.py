"""The CLIP tower against open_clip itself."""

import csv
import hashlib
import os
import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tiny_towers import encode, tiny_clip_model

from scople.base.errors import ScopleError
from scople.model.language_prompts import LanguagePrompts
from scople.text import clip
from scople.text.clip import ClipTower
from scople.text.torchvision_operators import declare_torchvision_operators

NAMES = ["drink water", "stand up", "put something inside pocket / take out something from pocket", "jump up"]


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


SIZES = {"width": 64, "heads": 1, "layers": 2, "output_dim": 11}


@pytest.fixture
def small(monkeypatch):
    """A whole CLIP model of OpenAI's kind in small, its sizes being those that are asked for."""
    declare_torchvision_operators()
    import open_clip

    monkeypatch.setattr(clip, "SIZES", SIZES)
    vision = open_clip.CLIPVisionCfg(layers=1, width=64, image_size=4, patch_size=2)
    text = open_clip.CLIPTextCfg(layers=2, width=64, heads=1)
    return open_clip.CLIP(embed_dim=11, vision_cfg=vision, text_cfg=text, quick_gelu=True).eval()


def assert_encodes_as(tower: ClipTower, model: torch.nn.Module) -> None:
    from open_clip.tokenizer import tokenize

    with torch.no_grad():
        expected = model.encode_text(tokenize(NAMES))
    assert (tower.width, tower.depth, tower.output_width, tower.limit) == (64, 2, 11, 77)
    torch.testing.assert_close(encode(tower, NAMES), expected, rtol=1e-5, atol=1e-5)


def tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: values.contiguous() for name, values in model.state_dict().items()}


def test_weights_are_read_from_safetensors_with_quickgelu(tmp_path, small):
    save_file(tensors(small), tmp_path / "weights.safetensors")
    assert_encodes_as(ClipTower.pretrained(tmp_path / "weights.safetensors"), small)


class Archive(torch.nn.Module):
    """Holds the tensors that the file of OpenAI holds beside its programs."""

    def __init__(self, model: torch.nn.Module):
        super().__init__()
        for name in ("token_embedding", "transformer", "ln_final", "positional_embedding", "text_projection"):
            setattr(self, name, getattr(model, name))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.ln_final(x) @ self.text_projection + self.positional_embedding[0, 0]


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_an_archive_is_opened_only_if_its_digest_is_the_published_one(tmp_path, small, monkeypatch):
    path = tmp_path / "weights.pt"
    torch.jit.save(torch.jit.trace_module(Archive(small), {"forward": torch.zeros(1, 64)}), path)
    load = torch.jit.load
    monkeypatch.setattr(torch.jit, "load", lambda *_, **__: pytest.fail("it was opened"))
    with pytest.raises(ScopleError, match=f"have the SHA-256 .* and not {clip.SHA256}; get OpenAI's"):
        ClipTower.pretrained(path)
    monkeypatch.setattr(torch.jit, "load", load)
    monkeypatch.setattr(clip, "SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    assert_encodes_as(ClipTower.pretrained(path), small)


def test_other_weights_are_refused_in_one_sentence(tmp_path, small):
    path = tmp_path / "weights.safetensors"
    published = tensors(small)
    save_file(published | {"ln_final.weight": torch.zeros(63)}, path)
    with pytest.raises(ScopleError, match=r"not those of ViT-B/32: ln_final\.weight is \(63,\) and not \(64,\); give"):
        ClipTower.pretrained(path)
    del published["text_projection"]
    save_file(published, path)
    with pytest.raises(ScopleError, match="text_projection is missing"):
        ClipTower.pretrained(path)
    torch.save(published, tmp_path / "weights.pt")
    with pytest.raises(ScopleError, match=r"weights\.pt have the SHA-256"):
        ClipTower.pretrained(tmp_path / "weights.pt")


def test_missing_weights_give_one_sentence(tmp_path, monkeypatch):
    declare_torchvision_operators()
    import open_clip

    with pytest.raises(ScopleError, match=r"absent\.pt cannot be read .*put OpenAI.*its path as text_weights\.$"):
        ClipTower.pretrained(tmp_path / "absent.pt")
    (tmp_path / "broken.safetensors").write_bytes(b"not weights")
    with pytest.raises(ScopleError, match=r"broken\.safetensors are no safetensors file"):
        ClipTower.pretrained(tmp_path / "broken.safetensors")

    def offline(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(open_clip, "download_pretrained_from_url", offline)
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
