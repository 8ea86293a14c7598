"""`params.yaml` as typed, checked values. An unknown key, a missing key or a value out of range is an error.

Plain dataclasses and a few checks: a validation library would neither improve the sentences nor shorten this file.
"""

import dataclasses
import math
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scople.base.documents import listed, quoted, read_document
from scople.base.encoders import check_name, layers_of
from scople.base.errors import ScopleError
from scople.base.seeding import derive

NAME = re.compile(r"[^\W_][\w.+-]{0,59}")
"""Names of data sets, splits, variants and profiles; folders and files have these names too."""

METHODS = ("scople", "ridge", "revise", "jpose", "cada_vae", "ca_vae", "synse", "smie", "star")
METHODS += ("purls", "purls_candidate", "purls_static", "purls_global", "sa_dvae")
"""Names of the methods; those of `scople.methods.registry`, which lies above this room, and SCoPLe's."""

SHARED_BY_VARIANTS = {"body_choice", "position_gradient", "max_broken"}
"""Settings that act in stages which run once for all variants."""

OF_EVERY_METHOD = {"method", "class_text", "seen_source", "gate", "gate_holdout"}
"""Settings that are not SCoPLe's alone."""


def above(low: int | float, high: int | float) -> Any:
    """A number in (low, high]."""
    return field(metadata={"above": low, "at_most": high})


def between(low: int | float, high: int | float) -> Any:
    """A number in [low, high]. Upper bounds are generous: they refuse early what no machine can do."""
    return field(metadata={"at_least": low, "at_most": high})


def one_of(*choices: str) -> Any:
    """One of a few words."""
    return field(metadata={"choices": choices})


@dataclass(frozen=True)
class MethodSettings:
    """The settings of the method; `params.yaml` says what each means and which are readings of the paper."""

    method: str = one_of(*METHODS)
    class_text: str = one_of("names", "descriptions", "both")
    seen_source: str = one_of("own", "head")
    body_choice: str = one_of("energy", "ctr")
    position_gradient: str = one_of("sign", "true")
    phrase: str
    text_prompting: str = one_of("dual", "layers", "context", "none")
    prefix_length: int = between(0, 1000)
    layer_depth: int = between(0, 1000)
    layer_prompts: str = one_of("after_first", "every")
    prefix_streams: str = one_of("both", "prompted")
    prompted_residual: str = one_of("aggregated", "decorated")
    alpha: float = between(-1000, 1000)
    prompt_std: float = between(0, 1000)
    joint_prompt_std: float = between(0, 1000)
    joint_prompts: int = between(0, 1000)
    sampler: bool
    sampler_width: int = between(1, 10_000)
    representation_width: int = between(1, 10_000)
    sampler_query: str = one_of("raw", "unit")
    sampler_bias: bool
    token_norm: bool
    projection_hidden: int = between(1, 10_000)
    training_query: str = one_of("candidate", "own")
    similarity: str = one_of("cosine", "dot")
    temperature: float = between(0.01, 1000)
    learn_temperature: bool
    text_weight: float = between(0, 1)
    gate: str = one_of("entropy", "stacking", "none")
    gate_holdout: float = between(0.01, 0.9)
    max_broken: float = between(0, 1)


@dataclass(frozen=True)
class Pretrain:
    """Scale of the backbone's pre-training."""

    width: int = between(1, 1024)
    epochs: int = between(1, 100_000)
    batch_size: int = between(2, 100_000)
    learning_rate: float = above(0, 10)
    milestones: list[int]
    precision: str = one_of("float32", "tf32", "bfloat16")


@dataclass(frozen=True)
class Batches:
    """Scale of a stage that only runs a model."""

    batch_size: int = between(1, 100_000)


@dataclass(frozen=True)
class Train:
    """Scale of SCoPLe's training."""

    epochs: int = between(1, 100_000)
    batch_size: int = between(2, 100_000)
    learning_rate: float = above(0, 10)
    autocast: str = one_of("none", "bfloat16")


@dataclass(frozen=True)
class Profile:
    """Everything that differs between `demo` and `paper`."""

    text_encoder: str = field(metadata={"check": check_name})
    text_weights: str
    # Four frames make a step of the backbone's last map, and each of three intervals needs one.
    frames: int = field(metadata={"at_least": 12, "at_most": 10_000, "multiple_of": 4})
    pretrain: Pretrain
    features: Batches
    train: Train
    evaluate: Batches


@dataclass(frozen=True)
class Demo:
    """Size of the synthetic recordings."""

    training_samples: int = between(2, 10_000)
    test_samples: int = between(1, 10_000)
    shortest: int = between(16, 10_000)
    longest: int = between(16, 10_000)


@dataclass(frozen=True)
class Backbones:
    """Numbers of a split's backbones for each value of `repeat`."""

    training: list[int]
    everything: list[int]


@dataclass(frozen=True)
class Machine:
    """Settings of speed; they change no result beyond its rounding."""

    arithmetic: str = one_of("portable", "native")
    jobs: int = between(0, 1024)
    threads: int = between(1, 1024)
    device: str = one_of("auto", "cpu", "cuda")
    workers: int = between(0, 1024)
    processes: int = between(1, 1024)


@dataclass(frozen=True)
class RawFolder:
    """Folder of a data set's archives below data/raw/<profile>/, and which of its description's sources lies there."""

    raw: str
    source: str = ""


@dataclass(frozen=True)
class SplitEntry:
    """Which data set a split divides, and a backbone that takes the place of its pre-training.

    Attributes:
        dataset: name of the data set.
        backbone_weights: path of a published Shift-GCN checkpoint; empty to train a backbone.
        backbone_digest: the SHA-256 of that file.
        backbone_saw_unseen: whether that backbone may have learned classes that this split calls unseen.
    """

    dataset: str
    backbone_weights: str = ""
    backbone_digest: str = ""
    backbone_saw_unseen: bool = False


@dataclass(frozen=True)
class Params:
    """The whole file; `method` holds its top-level settings before a variant changes them."""

    profile: str
    variant: str
    seed: int = between(0, 10**18)
    seeds: list[int]
    repeat: str = one_of("training", "everything")
    backbones: Backbones
    method: MethodSettings
    datasets: dict[str, RawFolder]
    splits: dict[str, SplitEntry]
    random_splits: str = one_of("smie", "sa_dvae")
    variants: dict[str, dict[str, Any]]
    demo: Demo
    machine: Machine
    profiles: dict[str, Profile]

    @property
    def scale(self) -> Profile:
        """The active profile."""
        return self.profiles[self.profile]

    def settings(self, variant: str = "") -> MethodSettings:
        """The method's settings with the changes of a variant; without a name, of the variant in `params.yaml`.

        Raises:
            ScopleError: no such variant, or it sets something that is not a setting of the method.
        """
        name = variant or self.variant
        changes = dict(_entry(self.variants, "variant", name))
        if "settings" in changes:
            self._check_own(name, changes.pop("settings"))
        settings = self.changed(changes, f"variant {quoted(name)}")
        if settings.method == "scople" and "settings" in self.variants[name]:
            raise ScopleError(
                f"variant {quoted(name)} has a group 'settings', which the method scople does not read: let its "
                "settings stand in the variant itself."
            )
        return settings

    def own_settings(self, variant: str, dataset: str) -> dict[str, Any]:
        """What a variant changes in the published settings of its method, under the active profile on a data set.

        Args:
            variant: its name; without one, the variant in `params.yaml`.
            dataset: its name; its changes come after the profile's own.
        """
        group = self.variants[variant or self.variant].get("settings", {}).get(self.profile, {})
        own = {key: value for key, value in group.items() if key != "on"}
        return own | group.get("on", {}).get(dataset, {})

    def _check_own(self, variant: str, groups: Any) -> None:
        """The form of `settings`; what a method has of settings is known in `scople.methods.registry`."""
        what = f"settings of variant {quoted(variant)}"
        for profile, group in _group(groups, what).items():
            if profile not in self.profiles:
                raise ScopleError(
                    f"{what} has {quoted(profile)}, but a profile is one of {listed(self.profiles)}: put what it sets "
                    "below one of them."
                )
            for dataset, changes in _group(_group(group, f"{what}: {profile}").get("on", {}), f"{what}: on").items():
                _group(changes, f"{what}: {listed([dataset])}")

    def changed(self, changes: dict[str, Any], what: str) -> MethodSettings:
        """The method's settings with some of them changed; `what` names the changes in an error.

        Raises:
            ScopleError: a change is not to a setting of the method, is to one that all variants share, or is out of
                range.
        """
        for key in sorted(SHARED_BY_VARIANTS & changes.keys()):
            raise ScopleError(f"{what} sets '{key}', which all variants share: set it at the top level.")
        method = _build(MethodSettings, dataclasses.asdict(self.method) | changes, what)
        if method.method != "scople" and (foreign := sorted(changes.keys() - OF_EVERY_METHOD)):
            raise ScopleError(
                f"{what} sets '{foreign[0]}', which the method {method.method} does not read: take it out, or set "
                "`method: scople`."
            )
        encoder = self.scale.text_encoder
        layers = layers_of(encoder)
        if layers is not None and method.layer_depth > layers:
            raise ScopleError(
                f"layer_depth of {what} is {method.layer_depth}, but the text encoder {encoder} has {layers} layers: "
                f"choose 0 to {layers}."
            )
        return method

    @property
    def backbone_seeds(self) -> dict[int, int]:
        """Number of each backbone of a split → its root seed: one backbone for all repeats, or one for each."""
        if self.repeat == "training":
            return {self.backbones.training[0]: self.seed}
        return {number: derive(self.seed, "repeat", str(number)) for number in self.backbones.everything}

    def backbone_of(self, repeat: int | str) -> int:
        """Number of the backbone that a repeat uses; `repeat` is one of `seeds`."""
        return int(repeat) if self.repeat == "everything" else self.backbones.training[0]

    def repeat_seed(self, number: int | str) -> int:
        """Root seed of one repeat of a method's training; `number` is one of `seeds`.

        Raises:
            ScopleError: no such repeat.
        """
        if str(number) not in map(str, self.seeds):
            raise ScopleError(
                f"seed {listed([number])} is not one of seeds ({listed(self.seeds)}) in params.yaml: "
                "add it or correct it."
            )
        return derive(self.seed, "repeat", str(number))

    def dataset_of(self, split: str) -> str:
        """Name of the data set that a split divides.

        Raises:
            ScopleError: no such split.
        """
        return _entry(self.splits, "split", split).dataset

    def raw_folder_of(self, dataset: str) -> str:
        """Folder of a data set's archives below data/raw/<profile>/.

        Raises:
            ScopleError: no such data set.
        """
        return _entry(self.datasets, "data set", dataset).raw


def _entry(entries: dict[str, Any], what: str, name: str) -> Any:
    if name not in entries:
        raise ScopleError(
            f"{what} {quoted(name)} is not in params.yaml; known are {listed(entries)}: "
            "add it there or correct the name."
        )
    return entries[name]


def _group(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScopleError(f"{where} is {quoted(value)}, but must be a group of settings: correct it.")
    return value


def load_params(path: str | Path = "params.yaml") -> Params:
    """Read and check a parameter file.

    Raises:
        ScopleError: an unreadable file, an unknown or missing key, a value of the wrong kind or out of range.
    """
    if not Path(path).exists():
        raise ScopleError(f"this is not the project's folder, it has no {path}: run it where {path} lies.")
    document = read_document(path)
    if not isinstance(document, dict):
        raise ScopleError(f"{path} holds no mapping of settings: restore it.")
    settings = {f.name for f in dataclasses.fields(MethodSettings)}
    method = {key: value for key, value in document.items() if key in settings}
    rest = {key: value for key, value in document.items() if key not in settings}
    known = {f.name for f in dataclasses.fields(Params)} - {"method"}
    if strange := sorted(set(rest) - known):  # first, because a misspelt key is also a missing one
        raise ScopleError(f"key {quoted(strange[0])} of {path} is not known: remove it or correct its name.")
    params = _build(Params, rest | {"method": _build(MethodSettings, method, str(path))}, str(path))
    _check_names(params, path)
    return params


def _check_names(params: Params, path: str | Path) -> None:
    if params.profile not in params.profiles:
        raise ScopleError(
            f"profile {quoted(params.profile)} in {path} is not one of {listed(params.profiles)}: choose one of them."
        )
    for split, entry in params.splits.items():
        if entry.dataset not in params.datasets:
            raise ScopleError(
                f"split '{split}' in {path} names the data set {quoted(entry.dataset)}, which is not one of "
                f"{listed(params.datasets)}: add it under datasets or correct the name."
            )
        _check_backbone(split, entry, params, path)
    for name in (*params.variants, params.variant):
        params.settings(name)
    lists = {"seeds": params.seeds, "backbones.everything": params.backbones.everything}
    for name, numbers in lists.items():
        if not numbers or len(set(numbers)) < len(numbers) or min(numbers) < 0:
            raise ScopleError(
                f"{name} in {path} is {quoted(numbers)}, but must list one or more different numbers from 0 on."
            )
    if len(params.backbones.training) != 1 or params.backbones.training[0] < 0:
        raise ScopleError(
            f"backbones.training in {path} is {quoted(params.backbones.training)}, but must list one number "
            "from 0 on: one backbone serves every repeat."
        )
    if params.repeat == "everything" and (without := set(params.seeds) - set(params.backbones.everything)):
        raise ScopleError(
            f"seed {min(without)} in {path} has no backbone: add it to backbones.everything, or set `repeat: training`."
        )
    if params.demo.longest < params.demo.shortest:
        raise ScopleError(
            f"demo.longest in {path} is {params.demo.longest}, but must be at least demo.shortest "
            f"({params.demo.shortest}): make it larger."
        )


def _check_backbone(split: str, entry: SplitEntry, params: Params, path: str | Path) -> None:
    if not entry.backbone_weights and (entry.backbone_digest or entry.backbone_saw_unseen):
        raise ScopleError(
            f"split '{split}' in {path} has no backbone_weights, so backbone_digest and backbone_saw_unseen have no "
            "meaning: name the weights or take the keys out."
        )
    if entry.backbone_weights and params.repeat == "everything":
        raise ScopleError(
            f"split '{split}' in {path} has one backbone_weights, but `repeat: everything` needs a backbone for each "
            "repeat: set `repeat: training`."
        )


def _build(kind: Any, value: Any, where: str) -> Any:
    """`value` as an instance of `kind` (a dataclass, dict, list or scalar type), checked all the way down."""
    if dataclasses.is_dataclass(kind) and isinstance(value, kind):
        return value
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin is dict and isinstance(value, dict):
        for name in value:
            if not NAME.fullmatch(name):
                raise ScopleError(
                    f"{where} has the name {quoted(name)}, but a name has 1 to 60 letters, digits and any of _.+-, a "
                    "letter or digit first: correct it."
                )
        return {name: _build(arguments[1], item, f"{where}: {name}") for name, item in value.items()}
    if origin is list and isinstance(value, list):
        return [_build(arguments[0], item, where) for item in value]
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    plain = kind if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) else None
    if plain is not None and isinstance(value, plain) and not (plain is not bool and isinstance(value, bool)):
        return value
    name = getattr(plain, "__name__", str(kind))
    raise ScopleError(f"{where} is {quoted(value)}, but must be a value of type {name}: correct it.")


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:
    _group(value, where)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for key in value:
        if key not in fields:
            raise ScopleError(f"key {quoted(key)} of {where} is not known: remove it or correct its name.")
    for key, f in fields.items():
        if key not in value and f.default is dataclasses.MISSING:
            raise ScopleError(f"key '{key}' of {where} is missing: add it.")
    built = {}
    for key in value:
        f = fields[key]
        built[key] = _build(f.type, value[key], f"{where}: {key}")
        _check_range(built[key], f.metadata, f"{key} of {where}")
    return kind(**built)


def _check_range(value: Any, bounds: Mapping[str, Any], what: str) -> None:
    if "choices" in bounds and value not in bounds["choices"]:
        raise ScopleError(f"{what} is {quoted(value)}, but must be one of {', '.join(bounds['choices'])}: choose one.")
    if "check" in bounds:
        bounds["check"](value)
    if isinstance(value, float) and not math.isfinite(value):
        raise ScopleError(f"{what} is {value}, but must be a finite number: correct it.")
    if "multiple_of" in bounds and value % bounds["multiple_of"]:
        raise ScopleError(f"{what} is {value}, but must be a multiple of {bounds['multiple_of']}: round it.")
    if "at_least" in bounds and not value >= bounds["at_least"]:
        raise ScopleError(f"{what} is {value}, but must be at least {bounds['at_least']}: make it larger.")
    if "at_most" in bounds and not value <= bounds["at_most"]:
        raise ScopleError(f"{what} is {value}, but must be at most {bounds['at_most']}: make it smaller.")
    if "above" in bounds and not value > bounds["above"]:
        raise ScopleError(f"{what} is {value}, but must be above {bounds['above']}: make it larger.")
