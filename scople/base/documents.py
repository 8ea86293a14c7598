"""The one reader of YAML written by people, stricter than YAML itself, and how an error quotes a value.

A plain number is decimal (`004` is 4), a date or `12:30` is text, and a key is always text. Input that could be read
in two ways is refused: repeated keys, tags, numbers of many digits. So are files that are too long or too deep.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from scople.base.errors import ScopleError

LARGEST = 2**20
"""Most characters of a file; the longest one of this repository has 20,000."""

MOST_NODES = 50_000
"""Most values of a file; a value behind an alias counts each time the alias is used."""

DEEPEST = 20
"""Most groups and lists nested in each other."""

MOST_DIGITS = 18
"""Most digits of a whole number; more do not fit into 64 bits."""

WORDS = {word: True for word in ("yes", "true", "on")} | {word: False for word in ("no", "false", "off")}
WORDS |= {word: None for word in ("", "~", "null")}
"""Plain words with a meaning, in lower case."""

INTEGER = re.compile(r"[-+]?[0-9]+")
DECIMAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NO_NUMBER = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")

Events = Iterator[yaml.Event]


def quoted(value: object, longest: int = 80) -> str:
    """`value` as Python writes it, a text in quotation marks: on one line, cut to `longest` characters."""
    return _cut(repr(value), longest)


def listed(names: Iterable[object], longest: int = 80) -> str:
    """The names with commas between them, on one line, cut to `longest` characters."""
    return _cut(_on_one_line(", ".join(map(str, names))), longest)


def _on_one_line(text: str) -> str:
    return repr(text)[1:-1]


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def read_text(path: str | Path) -> str:
    """A text file as a whole.

    Raises:
        ScopleError: it cannot be read, is not UTF-8, or is longer than `LARGEST`.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read(LARGEST + 1)
    except UnicodeDecodeError as error:
        raise ScopleError(f"{path} cannot be read as text (byte {error.start} is not UTF-8): restore it.") from error
    except (OSError, ValueError) as error:  # a ValueError: the path holds a null character
        reason = getattr(error, "strerror", None) or error
        raise ScopleError(f"{listed([path], 150)} cannot be read ({reason}): restore it.") from error
    if len(text) > LARGEST:
        raise ScopleError(f"{path} has more than {LARGEST:,} characters: restore it.")
    return text


def read_document(path: str | Path) -> Any:
    """The value that a YAML file holds: dict, list, str, int, float, bool or None; every key is a str.

    Raises:
        ScopleError: it cannot be read, is not YAML, or is refused as described at the top of this module.
    """
    text = read_text(path)
    try:
        return _Reading(path).document(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        reason = listed([getattr(error, "problem", None) or getattr(error, "reason", "its form is another")])
        raise ScopleError(f"{path} cannot be read as YAML{where} ({reason}): correct it.") from error
    except (ValueError, OverflowError) as error:
        if isinstance(error, ScopleError):
            raise
        # From the scanner itself: a bad number after %YAML, or no character has the code after \U.
        raise ScopleError(f"{path} cannot be read as YAML ({listed([error])}): correct it.") from error


class _Reading:
    """One pass over a file's events."""

    def __init__(self, path: str | Path):
        self.path = path
        self.nodes = 0
        self.anchors: dict[str, tuple[Any, int]] = {}  # value and number of nodes

    def document(self, events: Events) -> Any:
        value = None
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                if self.nodes:
                    raise self.refusal(event, "a second document begins with '---'", "leave only one")
                value = self.value(events, next(events), 0)
        return value

    def value(self, events: Events, event: yaml.Event, depth: int) -> Any:
        """The value that begins with this event."""
        before = self.nodes
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self.refusal(event, f"nothing above is named &{quoted(event.anchor)}", "correct the name")
            value, nodes = self.anchors[event.anchor]
            self.count(event, nodes)
            return value
        if event.tag not in (None, "!"):
            raise self.refusal(event, f"the tag {quoted(event.tag)} is not read", "take it out")
        if depth > DEEPEST:
            raise self.refusal(event, f"there are more than {DEEPEST} nested levels", "make it flat")
        self.count(event, 1)
        if isinstance(event, yaml.ScalarEvent):
            value = self.scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(item := next(events), yaml.SequenceEndEvent):
                value.append(self.value(events, item, depth + 1))
        else:
            value = {}
            while not isinstance(key := next(events), yaml.MappingEndEvent):
                if not isinstance(key, yaml.ScalarEvent):
                    raise self.refusal(key, "a key is not a text", "correct it")
                if key.value in value:
                    raise self.refusal(key, f"the key {quoted(key.value)} is repeated", "leave only one")
                value[key.value] = self.value(events, next(events), depth + 1)
        if event.anchor:  # only now, so that no value can contain itself
            self.anchors[event.anchor] = value, self.nodes - before
        return value

    def scalar(self, event: yaml.ScalarEvent) -> Any:
        text = event.value
        if event.style:
            return text
        if text in (text.lower(), text.upper(), text.capitalize()) and text.lower() in WORDS:
            return WORDS[text.lower()]
        if INTEGER.fullmatch(text):
            if len(text.lstrip("+-0")) > MOST_DIGITS:
                raise self.refusal(event, f"a number has more than {MOST_DIGITS} digits", "make it smaller")
            return int(text)
        if DECIMAL.fullmatch(text):
            return float(text)
        if NO_NUMBER.fullmatch(text):
            return float(text.replace(".", ""))
        return text

    def count(self, event: yaml.Event, nodes: int) -> None:
        self.nodes += nodes
        if self.nodes > MOST_NODES:
            raise self.refusal(event, f"there are more than {MOST_NODES:,} values", "restore the file")

    def refusal(self, event: yaml.Event, what: str, advice: str) -> ScopleError:
        return ScopleError(f"{self.path}, line {event.start_mark.line + 1}: {what}: {advice}.")
