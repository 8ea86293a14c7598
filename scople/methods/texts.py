"""Classes → the frozen texts that methods read.

A field says which words of a class a method reads and how they are wrapped; it is embedded once for each set of classes
asked for, so the texts of seen classes are made without a look at any other.

| fields | words |
|---|---|
| `name` | the class's name, bare; see `ClassText` |
| `verb`, `noun` | of the data set's table, or by `split_name` |
| `head` .. `whole` | a description as it is written |
| `purls_*` | PURLS's sentences; hands with arms, legs with feet |
| `star_*` | STAR's "name,Part: description"; the torso stands for its hip |
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from scople.base.artefacts import load_table
from scople.base.documents import listed, quoted
from scople.base.errors import ScopleError
from scople.methods.method import ClassTexts
from scople.text.tower import TextTower

Encoder = Callable[[list[str]], Float[Tensor, "K E"]]

ClassText = Literal["names", "descriptions", "both"]
"""What `name` holds: the name; the description `whole`; or the mean of both embeddings, made unit again.

A method with a text tower of its own reads `ClassTexts.names`: the name, `whole`, or "name, whole" in one sentence.
"""

PARTS = ("head", "hands", "arms", "torso", "legs", "feet")
PHASES = ("beginning", "middle", "end")
DESCRIBED = (*PARTS, *PHASES, "whole")
WORDS = ("verb", "noun")

NO_NOUN = "#"

PARTICLES = set("up down on off out at in into from for to with away apart towards".split())
"""Words that belong to the verb before them."""


@dataclass(frozen=True)
class Wording:
    """What is written about one class.

    Attributes:
        name: as the data set gives it.
        verb: of the action.
        noun: of the action, or `NO_NOUN`.
        description: field → text; empty where nobody wrote one.
    """

    name: str
    verb: str
    noun: str
    description: dict[str, str] = field(default_factory=dict)


def _purls(kind: str, *parts: str) -> Callable[[Wording], str]:
    return lambda words: kind + "; ".join(words.description[part] for part in parts)


def _star(title: str, part: str) -> Callable[[Wording], str]:
    return lambda words: f"{words.name},{title}: {words.description[part]}"


_STAR = {
    f"star_{title.lower()}": _star(title, part)
    for title, part in zip(("Head", "Hand", "Arm", "Hip", "Leg", "Foot"), PARTS, strict=True)
}
_PURLS = {
    f"purls_{name}": _purls(f"A cropped video of people's {name} motions that ", *parts)
    for name, parts in {
        "head": ("head",),
        "hands": ("hands", "arms"),
        "torso": ("torso",),
        "legs": ("legs", "feet"),
    }.items()
} | {f"purls_{phase}": _purls("A trimmed video of the motion that ", phase) for phase in PHASES}
_PURLS["purls_whole"] = _purls("A video of people's motion that ", "whole")

STAR_FIELDS, PURLS_FIELDS = tuple(_STAR), tuple(_PURLS)

FIELDS: dict[str, Callable[[Wording], str]] = {
    "name": lambda words: words.name,
    "verb": lambda words: words.verb,
    "noun": lambda words: words.noun,
    **{name: _purls("", name) for name in DESCRIBED},
    **_PURLS,
    **_STAR,
}
"""Field → the string that is embedded."""


def class_texts(
    classes: Sequence[Wording], fields: Sequence[str], encode: Encoder, class_text: ClassText = "names"
) -> ClassTexts:
    """Embed some fields of some classes.

    Args:
        classes: in the order of the rows.
        fields: of `FIELDS`.
        encode: the frozen text encoder; equal strings of a field are encoded once.
        class_text: see `ClassText`.

    Raises:
        ScopleError: a class has no description and a field needs one, or two classes share both verb and noun and
            these two are asked for.
    """
    if {"verb", "noun"} <= set(fields):
        _tell_apart(classes)

    def embedded(name: str) -> Float[Tensor, "K E"]:
        strings = [_string(words, name) for words in classes]
        distinct = list(dict.fromkeys(strings))
        return F.normalize(encode(distinct), dim=-1)[[distinct.index(string) for string in strings]]

    made = {name: embedded(name) for name in fields}
    names = tuple(words.name for words in classes)
    if class_text != "names":
        whole = tuple(_string(words, "whole") for words in classes)
        if "name" in made:
            described = embedded("whole")
            is_both = class_text == "both"
            made["name"] = F.normalize(made["name"] + described, dim=-1) if is_both else described
        names = tuple(map(", ".join, zip(names, whole, strict=True))) if class_text == "both" else whole
    return ClassTexts(names, made)


def load_wordings(names: Sequence[str], descriptions: Path | None, verb_noun: Path | None) -> list[Wording]:
    """What is written about classes, found by their names.

    Args:
        names: of the classes.
        descriptions: table of `DESCRIBED`; None where there is none.
        verb_noun: table of verbs and nouns; without one, `split_name` says them.

    Raises:
        ScopleError: a table cannot be read, or a class is missing in it.
    """
    described = _rows(descriptions, DESCRIBED, names) if descriptions else {}
    parts_of_speech = _rows(verb_noun, WORDS, names) if verb_noun else {}
    wordings = []
    for name in names:
        verb, noun = parts_of_speech[name].values() if parts_of_speech else split_name(name)
        wordings.append(Wording(name, verb, noun, described.get(name, {})))
    return wordings


def find_table(folder: Path, dataset: str, names: Sequence[str], columns: Sequence[str]) -> Path | None:
    """The table that describes the classes of a data set: its own, or the first one that has all their names.

    Classes of the same name are described alike in all tables, so NTU-60 needs none beside that of NTU-120.

    Args:
        folder: of the tables.
        dataset: name of the data set.
        names: of classes.
        columns: texts that the tables hold beside the names, `DESCRIBED` or `WORDS`.

    Raises:
        ScopleError: a table cannot be read.
    """
    own = folder / f"{dataset}.csv"
    if own.exists():
        return own
    for path in sorted(folder.glob("*.csv")):
        if set(names) <= set(_table(path, columns)["name"]):
            return path
    return None


def split_name(name: str) -> tuple[str, str]:
    """Verb and noun of a name that no table holds.

    What stands in brackets, and a word after "/", is left out; the first word with the particles that follow is the
    verb, the rest without articles the noun.
    """
    first, *rest = re.sub(r"\(.*?\)|/\S*", " ", name).split() or [name]
    verb = [first]
    while rest and rest[0] in PARTICLES:
        verb.append(rest.pop(0))
    noun = " ".join(word for word in rest if word not in {"a", "an", "the"})
    return " ".join(verb), noun or NO_NOUN


def encoder_of(tower: TextTower) -> Encoder:
    """A frozen text encoder, as it is without prompts."""

    @torch.no_grad()
    def encode(texts: list[str]) -> Float[Tensor, "K E"]:
        tokens = tower.tokenize(texts)
        states = tower.enter(tower.embed(tokens.ids), tokens)
        for layer in range(tower.depth):
            states = tower.complete(layer, states, tower.attend(layer, states, tokens))
        return tower.finish(states, tokens)

    return encode


def _string(words: Wording, name: str) -> str:
    try:
        return FIELDS[name](words)
    except KeyError as error:
        raise ScopleError(
            f"class {quoted(words.name)} has no description {error}: give its data set a table in "
            "datasets/descriptions, or choose a method and class_text that read names only."
        ) from error


def _rows(path: Path, columns: Sequence[str], names: Sequence[str]) -> dict[str, dict[str, str]]:
    table = _table(path, columns)
    rows = {row["name"]: {column: row[column] for column in columns} for row in table.to_dict("records")}
    if missing := [name for name in names if name not in rows]:
        raise ScopleError(f"class {quoted(missing[0])} has no row in {path}: add one.")
    return rows


def _table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    return load_table(path, dict.fromkeys(("name", *columns), str), again="restore it, or add what is missing")


def _tell_apart(classes: Sequence[Wording]) -> None:
    found = {}
    for words in classes:
        other = found.setdefault((words.verb, words.noun), words.name)
        if other != words.name:
            raise ScopleError(
                f"classes {listed([other, words.name])} share the verb {quoted(words.verb)} and the noun "
                f"{quoted(words.noun)}: give their data set a table in datasets/descriptions/verb_noun."
            )
