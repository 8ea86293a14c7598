"""The names of text encoders, and what their configurations say; no weight is read and no library is loaded.

| name | encoder |
|---|---|
| `clip` | CLIP ViT-B/32 with the activation of OpenAI's weights, the paper's |
| `clip:<model>` | the text half of a model of open_clip, by open_clip's name |
| `minilm` | all-MiniLM-L6-v2, whose weights come with a package |
| `sbert:<folder>` | a Sentence-BERT model in the folder layout of sentence-transformers |
"""

import difflib
import json
import os
import re
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from scople.base.documents import listed, quoted, read_text
from scople.base.errors import ScopleError

Kind = Literal["clip", "minilm", "sbert"]

PAPERS_CLIP = "ViT-B-32-quickgelu"
"""What open_clip calls the model that `clip` names."""

MINILM_LAYERS = 6

SIZES = ("context_length", "vocab_size", "width", "heads", "layers", "mlp_ratio")
"""Sizes of a text encoder in open_clip's configurations; any other entry makes it another kind of encoder."""


def parsed(name: str) -> tuple[Kind, str]:
    """The kind of an encoder, and its model: open_clip's name for it, or a folder.

    Raises:
        ScopleError: the name is of none of the four forms.
    """
    if name == "clip":
        return "clip", PAPERS_CLIP
    if name == "minilm":
        return "minilm", ""
    kind, _, model = name.partition(":")
    if kind == "clip" and model:
        return "clip", model
    if kind == "sbert" and model.strip():
        return "sbert", model
    raise ScopleError(
        f"the text encoder is {quoted(name)}, but must be clip, minilm, clip:<model of open_clip> or sbert:<folder>: "
        f"choose one{_nearest(name, ['clip', 'minilm', *(f'clip:{model}' for model in clip_models())])}."
    )


def check_name(name: str) -> None:
    """Refuse an encoder that this project cannot have; a folder is not looked at.

    Raises:
        ScopleError: as for `parsed`, or as for `clip_sizes`.
    """
    kind, model = parsed(name)
    if kind == "clip" and clip_models():
        clip_sizes(model)


def layers_of(name: str) -> int | None:
    """Layers of an encoder; None if its folder, or open_clip, is not there.

    Raises:
        ScopleError: as for `check_name`, or the folder's configuration is damaged.
    """
    kind, model = parsed(name)
    if kind == "minilm":
        return MINILM_LAYERS
    if kind == "clip":
        return clip_sizes(model)["layers"] if clip_models() else None
    folder = expanded(model)
    return folder_sizes(folder)["num_hidden_layers"] if (folder / "config.json").is_file() else None


def title_of(name: str, weights: str) -> str:
    """What tables call an encoder.

    Args:
        name: of the encoder.
        weights: `text_weights`; a tag of open_clip other than OpenAI's is named, a path is not.
    """
    kind, model = parsed(name)
    if kind == "minilm":
        return "all-MiniLM-L6-v2"
    if kind == "sbert":
        return Path(os.path.abspath(expanded(model))).name
    title = re.sub(r"^ViT-(\w+)-(\d+)(?:-(\d{3}))?$", _as_openai_writes, model.removesuffix("-quickgelu"))
    is_tag = re.fullmatch(r"[\w-]+", weights) and weights != "openai"
    return f"CLIP-{title}, {weights}" if is_tag else f"CLIP-{title}"


def expanded(path: str) -> Path:
    """A path of weights, in which `~` is one's home.

    Raises:
        ScopleError: `~` is of an unknown user.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ScopleError(f"{path} is of a user who has no home here: write the whole path.") from error


def clip_models() -> list[str]:
    """The models of open_clip; none if it is not installed."""
    return sorted(_clip_files())


def clip_config(model: str) -> dict[str, Any]:
    """What open_clip says of a model.

    Raises:
        ScopleError: open_clip has no such model.
    """
    models = _clip_files()
    if model not in models:
        raise ScopleError(
            f"open_clip has no model {quoted(model)} among its {len(models)}: correct the text encoder "
            f"clip:<model>{_nearest(model, models)}."
        )
    return json.loads(models[model].read_text(encoding="utf-8"))


def clip_sizes(model: str) -> dict[str, Any]:
    """Sizes of a model's text half, by the names that open_clip's `TextTransformer` has for them.

    Raises:
        ScopleError: open_clip has no such model, or its text half is not CLIP's transformer.
    """
    config = clip_config(model)
    text = config["text_cfg"]
    if other := sorted(key for key, value in text.items() if key not in SIZES and value):
        raise ScopleError(
            f"the text half of {model} is not CLIP's causal transformer with CLIP's words (its configuration has "
            f"{listed(other)}): choose another model of open_clip."
        )
    return {key: text[key] for key in SIZES if key in text} | {"output_dim": config["embed_dim"]}


def folder_sizes(folder: Path) -> dict[str, Any]:
    """The `config.json` of a Sentence-BERT model.

    Raises:
        ScopleError: it cannot be read, or lacks a size.
    """
    path = folder / "config.json"
    config = read_json(path)
    for key in ("num_hidden_layers", "hidden_size", "num_attention_heads", "intermediate_size", "vocab_size"):
        value = config.get(key) if isinstance(config, dict) else None
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ScopleError(f"{path} has the {key} {quoted(value)}, but it must be a number from 1: get it again.")
    return config


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        ScopleError: it cannot be read, or is no JSON.
    """
    text = read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ScopleError(f"{path} is no JSON ({type(error).__name__}): get it again.") from error


def _clip_files() -> dict[str, Path]:
    """Model of open_clip → its configuration; finding a package runs no code of it."""
    package = find_spec("open_clip")
    if package is None or package.origin is None:
        return {}
    return {path.stem: path for path in (Path(package.origin).parent / "model_configs").glob("*.json")}


def _as_openai_writes(found: re.Match) -> str:
    size, patch, pixels = found.groups()
    return f"ViT-{size}/{patch}" + (f"@{pixels}" if pixels else "")


def _nearest(name: str, names: Iterable[str]) -> str:
    lower = {each.lower(): each for each in names}
    near = difflib.get_close_matches(name.replace("/", "-").replace("@", "-").lower(), lower, n=3)
    return f", perhaps {listed(lower[each] for each in near)}" if near else ""
