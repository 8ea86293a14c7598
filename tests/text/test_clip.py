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
from scople.text.loading import load_tower, random_tower
from scople.text.torchvision_operators import declare_torchvision_operators

NAMES = ["drink water", "stand up", "put something inside pocket / take out something from pocket", "jump up"]


SHA256 = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
"""Of OpenAI's ViT-B-32.pt, as its download address says."""


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


@pytest.fixture
def small(monkeypatch):
    """A whole CLIP model of OpenAI's kind in small, its sizes being those that are asked for."""
    declare_torchvision_operators()
    import open_clip

    sizes = {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2, "output_dim": 11}
    monkeypatch.setattr(clip, "clip_sizes", lambda model: sizes)
    vision = open_clip.CLIPVisionCfg(layers=1, width=64, image_size=4, patch_size=2)
    text = open_clip.CLIPTextCfg(layers=2, width=64, heads=1)
    return open_clip.CLIP(embed_dim=11, vision_cfg=vision, text_cfg=text, quick_gelu=True).eval()


def assert_encodes_as(tower: ClipTower, model: torch.nn.Module, sizes: tuple[int, ...] = (64, 2, 11, 77)) -> None:
    from open_clip.tokenizer import tokenize

    with torch.no_grad():
        expected = model.encode_text(tokenize(NAMES, context_length=sizes[3]))
    assert (tower.width, tower.depth, tower.output_width, tower.limit) == sizes
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
    with pytest.raises(ScopleError, match=f"have the SHA-256 .* and not {SHA256}; get ViT-B-32.pt of ViT-B-32-quick"):
        ClipTower.pretrained(path)
    monkeypatch.setattr(torch.jit, "load", load)
    monkeypatch.setattr(clip, "_digest", lambda address: hashlib.sha256(path.read_bytes()).hexdigest())
    assert_encodes_as(ClipTower.pretrained(path), small)


def test_other_weights_are_refused_in_one_sentence(tmp_path, small):
    path = tmp_path / "weights.safetensors"
    published = tensors(small)
    save_file(published | {"ln_final.weight": torch.zeros(63)}, path)
    with pytest.raises(ScopleError, match=r"not those of ViT-B-32-quickgelu: ln_final\.weight is \(63,\) and not"):
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

    with pytest.raises(ScopleError, match=r"absent\.pt cannot be read .*its path as text_weights, or .* \(openai, "):
        ClipTower.pretrained(tmp_path / "absent.pt")
    (tmp_path / "broken.safetensors").write_bytes(b"not weights")
    with pytest.raises(ScopleError, match=r"broken\.safetensors are no safetensors file"):
        ClipTower.pretrained(tmp_path / "broken.safetensors")

    def offline(*_, **__):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr(open_clip, "download_pretrained", offline)
    with pytest.raises(ScopleError, match="'openai' of ViT-B-32-quickgelu cannot be loaded"):
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


def real_shapes(model: str, **changes: object) -> torch.nn.Module:
    """open_clip's whole model of that name with random weights, but with an image half of next to nothing."""
    declare_torchvision_operators()
    import open_clip

    config = open_clip.get_model_config(model)
    vision = open_clip.CLIPVisionCfg(layers=1, width=64, image_size=4, patch_size=2)
    text = open_clip.CLIPTextCfg(**config["text_cfg"])
    build = open_clip.CustomTextCLIP if config.get("custom_text") else open_clip.CLIP
    is_quick = config.get("quick_gelu", False)
    return build(config["embed_dim"], vision, text, **{"quick_gelu": is_quick} | changes).eval()


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("ViT-L-14", (768, 12, 768, 77)),
        ("ViT-L-14-336-quickgelu", (768, 12, 768, 77)),
        ("ViT-B-16", (512, 12, 512, 77)),
        ("ViT-S-32-alt", (256, 10, 256, 77)),
        ("PE-Core-T-16-384", (512, 12, 512, 32)),
    ],
)
def test_models_of_open_clip_are_encoded_as_it_does_in_their_own_shapes(tmp_path, model, sizes):
    theirs = real_shapes(model)
    save_file(tensors(theirs), tmp_path / "weights.safetensors")
    assert_encodes_as(load_tower(f"clip:{model}", str(tmp_path / "weights.safetensors")), theirs, sizes)
    drawn = random_tower(f"clip:{model}", "openai")
    assert (drawn.width, drawn.depth, drawn.output_width, drawn.limit) == sizes


def test_tensors_that_torch_saved_are_read_without_what_else_a_pickle_may_hold(tmp_path, small):
    wrapped = {f"module.{name}": values for name, values in tensors(small).items()}
    torch.save({"epoch": 3, "state_dict": wrapped}, tmp_path / "weights.bin")
    assert_encodes_as(ClipTower.pretrained(tmp_path / "weights.bin", "ViT-L-14-quickgelu"), small)
    torch.save(wrapped, tmp_path / "own.pt")  # OpenAI has published no ViT-H
    assert_encodes_as(ClipTower.pretrained(tmp_path / "own.pt", "ViT-H-14-quickgelu"), small)
    torch.save({"state_dict": hashlib.sha256}, tmp_path / "bad.bin")
    with pytest.raises(ScopleError, match=r"bad\.bin cannot be read as tensors alone \(UnpicklingError\)"):
        ClipTower.pretrained(tmp_path / "bad.bin", "ViT-L-14")
    (tmp_path / "half.bin").write_bytes((tmp_path / "weights.bin").read_bytes()[:1000])
    with pytest.raises(ScopleError, match=r"half\.bin cannot be read as tensors alone"):
        ClipTower.pretrained(tmp_path / "half.bin", "ViT-L-14")


def test_a_tag_decides_the_activation(monkeypatch):
    declare_torchvision_operators()
    from open_clip.transformer import QuickGELU

    sizes = {"width": 7, "heads": 1, "layers": 1, "vocab_size": 5, "output_dim": 3}
    monkeypatch.setattr(clip, "clip_sizes", lambda model: sizes)
    for model, weights, is_quick in (
        ("ViT-L-14", "openai", True),
        ("ViT-L-14", "laion2b_s32b_b82k", False),
        ("ViT-B-32", "laion400m-e32", True),
        ("ViT-L-14", "a/file.safetensors", False),
        ("ViT-L-14-quickgelu", "a/file.safetensors", True),
    ):
        (block,) = clip.text_half(model, weights).transformer.resblocks
        assert isinstance(block.mlp.gelu, QuickGELU) == is_quick, (model, weights)


def test_openais_digests_are_those_of_the_download_addresses(tmp_path, monkeypatch):
    declare_torchvision_operators()
    import open_clip

    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".cache/clip").mkdir(parents=True)
    for model, file in {
        "ViT-L-14": "ViT-L-14.pt",
        "ViT-L-14-336": "ViT-L-14-336px.pt",
        "ViT-B-16": "ViT-B-16.pt",
    }.items():
        (tmp_path / ".cache/clip" / file).write_bytes(b"half a download")
        published = open_clip.get_pretrained_url(model, "openai").split("/")[-2]
        assert len(published) == 64
        for weights in ("openai", tmp_path / ".cache/clip" / file):
            with pytest.raises(
                ScopleError, match=rf"have the SHA-256 \w+ and not {published}; get {file} of {model} again"
            ):
                clip.find_weights(weights, model)


def test_a_file_of_the_hub_is_found_in_its_cache(tmp_path, monkeypatch):
    import huggingface_hub

    place = tmp_path / "open_clip_model.safetensors"
    place.touch()
    asked = []

    def cached(repository, name):
        asked.append((repository, name))
        return str(place) if name.endswith(".safetensors") else None

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", cached)
    assert clip.find_weights("laion2b_s34b_b79k", "ViT-B-32") == (place, False)
    assert asked == [("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "open_clip_model.safetensors")]
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    with pytest.raises(ScopleError, match=r"laion/CLIP-ViT-B-32-laion2B-s34B-b79K/\S+ cannot be read"):
        clip.find_weights("laion2b_s34b_b79k", "ViT-B-32")


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
