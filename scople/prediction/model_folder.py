"""A trained model as a folder: weights (`model.safetensors`), what they need (`config.json`), a card (`README.md`).

The text encoder's weights are named with their digest and not copied. Nothing in the folder can run code when it is
loaded: tensors are safetensors, the rest is JSON, and both are sealed.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import Field, asdict, dataclass, fields
from pathlib import Path
from typing import Any, get_args

from torch import nn

from scople.backbone.shift_gcn import ShiftGCN
from scople.base.artefacts import NAME, content_digest, load_sealed_json, load_weights, save_sealed_json, save_tensors
from scople.base.documents import listed, quoted
from scople.base.encoders import parsed
from scople.base.errors import ScopleError
from scople.base.files import sha256, whole
from scople.base.params import MethodSettings
from scople.data.class_names import LONGEST
from scople.data.joints import JOINT_NAMES
from scople.judging.gates import Gate
from scople.model.scople import SCoPLe
from scople.pipeline.assembly import build_model
from scople.text.clip import has_tag
from scople.text.loading import BY_THEMSELVES, load_tower
from scople.text.tower import TextTower

FORMAT = 1
"""Of the folder; grows when an older release could not read a newer folder."""

KIND = "model folder"
WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
AGAIN = "get or export the model again"

Rule = tuple[str, Callable[[Any], bool]]
"""What a value of a config has to be: in words, and whether it is."""

Group = dict[str, Rule]
"""The same for each key of a group of values, `OTHERS` for keys that are not named."""

OTHERS = ""

TEXT: Rule = (
    f"a text of at most {LONGEST} characters that can be printed",
    lambda value: isinstance(value, str) and len(value) <= LONGEST and value.isprintable(),
)
YES_OR_NO: Rule = ("true or false", lambda value: isinstance(value, bool))


def model_place(profile: str, split: str) -> Path:
    """Where the stage `export` writes the model folder of a split; `dvc.yaml` names the same place."""
    return Path("work") / profile / "models" / split


@dataclass(frozen=True)
class ModelConfig:
    """Everything but the weights.

    Attributes:
        split: name of the split whose seen classes the model learned from.
        dataset: name of its data set.
        profile: of params.yaml.
        variant: of params.yaml.
        repeat: number of the training, one of `seeds`.
        is_synthetic: whether the demo wrote the recordings that it learned from.
        frames: T that a sequence is brought to.
        joints: names, in the order of the axis V.
        width: channels of the backbone's first blocks.
        method: settings of the method, names as in params.yaml.
        batches: samples at a time, `features` and `scores`; they change rounding only.
        text_encoder: `name`, and `digest` of its tensors; `weights`, where a tag of open_clip for them is to be known.
        seen: names of the classes that it learned from, in the order of the evaluation's candidates.
        unseen: names of those that it was tested on, likewise.
        thresholds: gate → the threshold that was chosen on pseudo-unseen classes.
        computed_by: device, arithmetic, release of torch and threads of the evaluation.
        versions: releases of the packages that made the folder.
        made_from: digest of the code, settings and inputs of its evaluation.
    """

    split: str
    dataset: str
    profile: str
    variant: str
    repeat: int
    is_synthetic: bool
    frames: int
    joints: list[str]
    width: int
    method: dict[str, Any]
    batches: dict[str, int]
    text_encoder: dict[str, str]
    seen: list[str]
    unseen: list[str]
    thresholds: dict[str, float]
    computed_by: dict[str, str]
    versions: dict[str, str]
    made_from: str


def save_model_folder(folder: Path, config: ModelConfig, backbone: ShiftGCN, model: SCoPLe, card: str) -> None:
    """Write the folder, whole or not at all; the same content gives the same bytes.

    Raises:
        ScopleError: a weight is not finite, or the disk is full.
    """
    with whole(folder) as beside:
        save_tensors(KIND, _joined(backbone, model).state_dict(), beside / WEIGHTS)
        document = {"format": FORMAT, "weights": sha256(beside / WEIGHTS), **asdict(config)}
        save_sealed_json(KIND, document, beside / CONFIG)
        (beside / CARD).write_text(card, encoding="utf-8")


def load_config(folder: Path) -> tuple[ModelConfig, str]:
    """The settings of a model folder, and the digest of the weights that belong to them.

    Raises:
        ScopleError: no such folder, or it is damaged, another project's, of a release that this one cannot read, or has
            a value that cannot be.
    """
    folder, path = Path(folder), Path(folder) / CONFIG
    if not folder.is_dir():
        raise ScopleError(f"there is no model folder {folder}: correct the path, or export the model.")
    if not path.is_file():
        raise ScopleError(f"{folder} is no model folder of this project, it has no {CONFIG}: give one that has.")
    _refuse_foreign(path)
    document = load_sealed_json(KIND, path, again=AGAIN)
    if document.get("format") != FORMAT:
        raise ScopleError(
            f"{path} has the format {quoted(document.get('format'))}, but this release reads {FORMAT}: {AGAIN}."
        )
    digest = document.get("weights")
    settings = {name: value for name, value in document.items() if name not in ("format", "weights")}
    for found, wanted in ((settings, ModelConfig), (settings.get("method"), MethodSettings)):
        names = {field.name for field in fields(wanted)}
        if not isinstance(found, dict) or found.keys() != names:
            differing = names ^ (found.keys() if isinstance(found, dict) else set())
            raise ScopleError(f"{path} has other settings than this release ({listed(sorted(differing))}): {AGAIN}.")
    for name, rule in _rules().items():
        _check(path, name, settings[name], rule)
    return ModelConfig(**settings), str(digest)


def load_parts(folder: Path, text_weights: str = "") -> tuple[ModelConfig, ShiftGCN, SCoPLe]:
    """Everything of a model folder, on the CPU and frozen.

    Args:
        folder: what `save_model_folder` wrote.
        text_weights: path of the text encoder's weights; without one, its published ones from where they always are.

    Raises:
        ScopleError: as for `load_config`; or the text encoder's weights are missing or others than those that the model
            was trained with.
    """
    config, digest = load_config(folder)
    path = Path(folder) / WEIGHTS
    if not path.is_file():
        raise ScopleError(f"{path} is missing: {AGAIN}.")
    if sha256(path) != digest:
        raise ScopleError(f"{path} is damaged, or belongs to another {CONFIG}: {AGAIN}.")
    encoder = config.text_encoder["name"]
    try:
        published = config.text_encoder.get("weights") or BY_THEMSELVES[parsed(encoder)[0]]
    except ScopleError as error:
        raise ScopleError(
            f"{folder} needs the text encoder {quoted(encoder)}, which this release does not have: get a newer one."
        ) from error
    tower = load_tower(encoder, text_weights or published)
    if (found := content_digest(tower.state_dict())) != config.text_encoder["digest"]:
        raise ScopleError(
            f"the text encoder's weights have the digest {found}, but {folder} was trained with "
            f"{quoted(config.text_encoder['digest'])}: give those weights."
        )
    backbone = ShiftGCN(len(config.seen), config.width)
    try:
        model = build_model(MethodSettings(**config.method), tower, backbone.fc.in_features, seed=0)
    except ScopleError as error:
        raise ScopleError(f"{folder} has settings that do not go together ({error}): {AGAIN}.") from error
    load_weights(_joined(backbone, model), KIND, path, again=AGAIN)
    return config, backbone.requires_grad_(False).eval(), model.requires_grad_(False).eval()


def described_encoder(name: str, weights: str, tower: TextTower) -> dict[str, str]:
    """What a config says of a text encoder: no path, as that is another one elsewhere."""
    is_tag = name.startswith("clip:") and has_tag(weights, parsed(name)[1])
    return {"name": name, "digest": content_digest(tower.state_dict())} | ({"weights": weights} if is_tag else {})


def _joined(backbone: ShiftGCN, model: SCoPLe) -> nn.ModuleDict:
    """Both under one roof, so that their weights have names of their own; the text encoder is in neither."""
    return nn.ModuleDict({"backbone": backbone, "scople": model})


def _rules() -> dict[str, Rule | Group]:
    """What each value of a config has to be: as the stage `export` writes it, in the bounds of `params.yaml`.

    The seal shows damage, but anybody can make one that fits to other values.
    """
    method = {setting.name: _rule_of(setting) for setting in fields(MethodSettings)}
    return {
        **dict.fromkeys(("split", "dataset", "profile", "variant", "made_from"), TEXT),
        "repeat": _whole(0, 10**18),
        "is_synthetic": YES_OR_NO,
        "frames": ("a multiple of 4 from 12 to 10000", lambda value: _whole(12, 10_000)[1](value) and not value % 4),
        "joints": ("this release's joints", lambda value: value == list(JOINT_NAMES)),
        "width": _whole(1, 1024),
        "method": method | {"method": _one_of("scople"), "class_text": _one_of("names")},
        "batches": {"features": _whole(1, 100_000), "scores": _whole(1, 100_000)},
        "text_encoder": {"name": TEXT, "digest": TEXT, OTHERS: TEXT},
        "seen": ("a list of one or more different names", lambda value: _are_names(value) and value != []),
        "unseen": ("a list of different names", _are_names),
        "thresholds": dict.fromkeys(get_args(Gate), _number(-sys.float_info.max, sys.float_info.max)),
        "computed_by": {"threads": _one_of(*map(str, range(1, 1025)), told="1 to 1024, as text"), OTHERS: TEXT},
        "versions": {OTHERS: TEXT},
    }


def _rule_of(setting: Field) -> Rule:
    """The bounds that `params.yaml` has for a setting."""
    bounds = setting.metadata
    if "choices" in bounds:
        return _one_of(*bounds["choices"])
    if "at_least" in bounds:
        return (_whole if setting.type is int else _number)(bounds["at_least"], bounds["at_most"])
    return YES_OR_NO if setting.type is bool else TEXT


def _check(path: Path, name: str, value: Any, rule: Rule | Group) -> None:
    """Refuse a value that breaks its rule, or a group of which a value does."""
    if isinstance(rule, tuple):
        wanted, is_good = rule
        if not is_good(value):
            raise ScopleError(f"{path} has {quoted(value)} as {name}, but needs {wanted} there: {AGAIN}.")
        return
    keys = rule.keys() - {OTHERS}
    if not isinstance(value, dict) or not keys <= value.keys() or (OTHERS not in rule and value.keys() != keys):
        with_keys = f" with {listed(sorted(keys))}" if keys else ""
        raise ScopleError(f"{path} has {quoted(value)} as {name}, but needs a group{with_keys} there: {AGAIN}.")
    for key, each in value.items():
        _check(path, f"{listed([key])} of {name}", each, rule[key if key in keys else OTHERS])


def _whole(low: int, high: int) -> Rule:
    return f"a whole number from {low} to {high}", lambda value: type(value) is int and low <= value <= high


def _number(low: int | float, high: int | float) -> Rule:
    return f"a number from {low:g} to {high:g}", lambda value: type(value) in (int, float) and low <= value <= high


def _one_of(*choices: str, told: str = "") -> Rule:
    return told or " or ".join(choices), lambda value: value in choices


def _are_names(value: Any) -> bool:
    """Whether it is a list of class names as `scople.data.class_names` takes them."""
    is_list = isinstance(value, list) and all(TEXT[1](name) and name.strip() for name in value)
    return is_list and len({*value}) == len(value)


def _refuse_foreign(path: Path) -> None:
    """A config.json that never had a seal was not written here; a damaged one still shows where its own was."""
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except (ValueError, RecursionError, OSError):
        return  # `load_sealed_json` says so
    if not isinstance(document, dict) or NAME not in document:
        raise ScopleError(f"{path.parent} holds a model of another project: give a folder that this project wrote.")
