"""Methods by name, with their settings; a new one is a line in `METHODS`.

An entry names a frozen dataclass of settings, whose defaults are the published constants and whose `recipe()` says how
the method is trained, the class that is built from them, and what this name sets in them. SCoPLe is built where its own
settings are (`scople.pipeline.assembly`) and wrapped by `scople.methods.scople`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, get_origin, get_type_hints, runtime_checkable

from scople.base.documents import listed, quoted
from scople.base.errors import ScopleError
from scople.base.seeding import seeded
from scople.methods.cada_vae import CadaVae, CadaVaeSettings, CaVae
from scople.methods.jpose import Jpose, JposeSettings
from scople.methods.method import Method
from scople.methods.purls import Purls, PurlsSettings
from scople.methods.recipe import Recipe
from scople.methods.revise import Revise, ReviseSettings
from scople.methods.ridge import Ridge, RidgeSettings
from scople.methods.sa_dvae import SaDvae, SaDvaeSettings
from scople.methods.sizes import Sizes
from scople.methods.smie import Smie, SmieSettings
from scople.methods.star import Star, StarSettings
from scople.methods.synse import Synse, SynseSettings

MAY_BE_ZERO = {"candidates", "warmup", "milestones"}
"""Whole numbers among the settings that may be 0; the others are sizes and counts."""

ABOVE_ZERO = {"learning_rate", "expert_rate", "temperature", "score_temperature", "text_length"}
"""Numbers that may not: nothing is learned at a rate of 0, and nothing divided by 0."""

LARGEST = 1_000_000
"""Of whole numbers: what no machine can do is refused early."""


@runtime_checkable
class Settings(Protocol):
    """Frozen dataclass of one method's settings."""

    def recipe(self) -> Recipe:
        """How the method is trained."""


@dataclass(frozen=True)
class Entry:
    """One name.

    Attributes:
        settings: type of the settings.
        method: takes these and `Sizes`.
        fixed: settings that the name stands for.
    """

    settings: type
    method: type[Method]
    fixed: dict[str, Any] = field(default_factory=dict)


METHODS: dict[str, Entry] = {
    "ridge": Entry(RidgeSettings, Ridge),
    "revise": Entry(ReviseSettings, Revise),
    "jpose": Entry(JposeSettings, Jpose),
    "cada_vae": Entry(CadaVaeSettings, CadaVae),
    "ca_vae": Entry(SynseSettings, CaVae),
    "synse": Entry(SynseSettings, Synse),
    "smie": Entry(SmieSettings, Smie),
    "star": Entry(StarSettings, Star),
    "purls": Entry(PurlsSettings, Purls, {"query": "own"}),
    "purls_candidate": Entry(PurlsSettings, Purls, {"query": "candidate"}),
    "purls_static": Entry(PurlsSettings, Purls, {"query": "static"}),
    "purls_global": Entry(PurlsSettings, Purls, {"query": "global"}),
    "sa_dvae": Entry(SaDvaeSettings, SaDvae),
}


def settings_of(name: str, changes: Mapping[str, Any]) -> Settings:
    """Published settings of a method with some of them changed.

    Raises:
        ScopleError: no such method; a change is of no setting, of one that the name fixes, or has a value that it
            cannot have.
    """
    if name not in METHODS:
        raise ScopleError(f"method {quoted(name)} is not known: choose one of {listed(METHODS, 200)}.")
    entry = METHODS[name]
    types = get_type_hints(entry.settings)
    for key, value in changes.items():
        if key not in types or key in entry.fixed:
            free = [each for each in types if each not in entry.fixed]
            raise ScopleError(
                f"{quoted(key)} is no setting of the method {name}: choose among {listed(free, 300) or 'none'}."
            )
        if not _fits(key, value, types[key]):
            raise ScopleError(
                f"{key} of the method {name} is {quoted(value)}, but must be {_told(key, types[key])}: correct it."
            )
    held = {key: _held(value, types[key]) for key, value in changes.items()}
    return entry.settings(**held, **entry.fixed)


def intervals_of(name: str, settings: Settings) -> int:
    """How many intervals of time a method will read, before it is built for them."""
    return getattr(settings, "intervals", METHODS[name].method.intervals)


def build(name: str, settings: Settings, sizes: Sizes, seed: int) -> Method:
    """An untrained method; `seed` decides its start and nothing else.

    Args:
        name: of `METHODS`.
        settings: from `settings_of`.
        sizes: of features and texts.
        seed: root seed.

    Raises:
        ScopleError: settings that do not go together, or sizes for another number of intervals.
    """
    if len(sizes.lengths) != intervals_of(name, settings):
        raise ScopleError(
            f"The features have {len(sizes.lengths)} intervals of time, but the method {name} reads "
            f"{intervals_of(name, settings)}: give it features with as many."
        )
    with seeded(seed, "baseline", name):
        return METHODS[name].method(settings, sizes)


def _fits(key: str, value: Any, kind: Any) -> bool:
    """Whether a setting can have a value; numbers are finite and not negative."""
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    if get_origin(kind) is tuple:
        return isinstance(value, list | tuple) and all(_fits(key, each, get_args(kind)[0]) for each in value)
    if kind in (int, float) and isinstance(value, int | kind) and not isinstance(value, bool):
        if kind is int:
            return (key not in MAY_BE_ZERO) <= value <= LARGEST
        return math.isfinite(value) and (value > 0 if key in ABOVE_ZERO else value >= 0)
    return kind not in (int, float) and isinstance(value, kind)


def _held(value: Any, kind: Any) -> Any:
    """A value that fits, as the settings hold it: YAML knows no tuples, and `1` is a rate too."""
    return tuple(value) if isinstance(value, list) else float(value) if kind is float else value


def _told(key: str, kind: Any) -> str:
    if get_origin(kind) is Literal:
        return f"one of {', '.join(get_args(kind))}"
    if get_origin(kind) is tuple:
        return f"a list, each entry {_told(key, get_args(kind)[0])}"
    if kind is int:
        return f"a whole number from {int(key not in MAY_BE_ZERO)} to {LARGEST:,}"
    if kind is float:
        return f"a number {'above' if key in ABOVE_ZERO else 'from'} 0{'' if key in ABOVE_ZERO else ' on'}"
    return "true or false" if kind is bool else "text"
