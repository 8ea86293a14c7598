"""Damage of every kind to settings files: a value or one short sentence, never another exception."""

import dataclasses
import math
import random
import re

import pytest

from scople.base.errors import ScopleError
from scople.base.params import load_params
from scople.data.class_names import load_classes, load_dataset_classes
from scople.data.splits import load_split
from scople.formats.datasets import DataSet

JUNK = "0 -1 -0 010 1e30 1.0e+400 .nan -.inf 0x_ 0b_ 1_0 1:30 2024-02-30 yes ~ 1000000000 a,b,c,d ../../x".split(" ")
JUNK += "!!bool$x !!float$x !!int$foo !!timestamp$x !!python/name:os.system ! &a *a &a$[*a] <<:$*a".replace(
    "$", " "
).split()
JUNK += [
    r'"\U00110000"',
    r'"\0"',
    r'"\uD800"',
    "'",
    '"',
    "#",
    "|",
    ">",
    "---",
    "...",
    "%YAML 9.9",
    "? [a]",
    "/dev/null",
]
JUNK += [9 * "{a: 1, a: 2}", "[1, [2], {3: 4}]", "yes: 1\nfoo: 2", "", "\t", "\x00", "\x1b[2J", "\u2028", "\u0663"]
JUNK += ["9" * 5000, "x" * 5000, "[" * 500, "{" * 500, "- " * 500]


def damaged(text, generator):
    for _ in range(generator.randint(1, 3)):
        junk, at = generator.choice(JUNK), generator.randrange(len(text) + 1)
        lines = text.split("\n")
        line = generator.randrange(len(lines))
        kind = generator.choice(["value", "value", "key", "insert", "span", "double", "drop", "move", "cut"])
        if kind == "value":
            lines[line] = re.sub(r"(: |,|- ).*$", lambda found, junk=junk: found[1] + junk, lines[line], count=1)
        elif kind == "key":
            lines[line] = re.sub(r"\w+", lambda _, junk=junk: junk, lines[line], count=1)
        elif kind == "double":
            lines.insert(generator.randrange(len(lines)), lines[line])
        elif kind == "drop":
            del lines[line]
        elif kind == "move":
            lines[line] = generator.choice(["", " ", "  ", "    "]) + lines[line].strip()
        if kind in ("insert", "span", "cut"):
            end = {"insert": at, "span": at + generator.randrange(20), "cut": len(text)}[kind]
            text = text[:at] + ("" if kind == "cut" else junk) + text[end:]
        else:
            text = "\n".join(lines)
    return text


def numbers(value):
    if isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from numbers(item)
    elif isinstance(value, float):
        yield value


def check_params(path):
    document = dataclasses.asdict(load_params(path))
    assert all(map(math.isfinite, numbers({key: document[key] for key in document if key != "variants"})))


def check_dataset(path):
    load_dataset_classes(path)
    DataSet.load(path)


def check_split(path):
    split = load_split(path, 60, 1)
    assert split.unseen
    assert not {*split.unseen} & {*split.seen}


def check_classes(path):
    assert all(isinstance(entry.two_person, bool) for entry in load_classes(path))


def sources(root):
    params = re.sub(r" *#.*", "", (root / "params.yaml").read_text())
    params = re.sub(r"\n+", "\n", re.sub(r"  paper:\n(    .*\n)+", "", params))  # a short file is a quick one
    others = params.index("  ridge:"), params.index("demo:\n")  # variants that name that profile
    params = params[: others[0]] + params[others[1] :]
    datasets = [(root / f"datasets/{name}.yaml").read_text() for name in ("ntu60", "pku")]
    splits = [(root / f"datasets/splits/{name}.yaml").read_text() for name in ("ntu60_55_5", "ntu60_55_5_r1")]
    lists = [(root / f"datasets/classes/{name}.csv").read_text() for name in ("msr", "pku")]
    return [([params], check_params), (datasets, check_dataset), (splits, check_split), (lists, check_classes)]


def attack(root, folder, count):
    """How many of the damaged files were refused."""
    generator = random.Random(7)
    (folder / "classes").symlink_to(root / "datasets/classes")
    (folder / "ntu_missing.txt").symlink_to(root / "datasets/ntu_missing.txt")
    every, refused, path = sources(root), 0, folder / "x.yaml"
    for texts, check in every:  # undamaged ones first
        for text in texts:
            path.write_text(text)
            check(path)
    for i in range(count):
        texts, check = every[i % len(every)]
        path.write_text(damaged(generator.choice(texts), generator), encoding="utf-8")
        try:
            check(path)
        except ScopleError as error:
            refused += 1
            sentence = str(error).replace(str(folder), "datasets")
            assert len(sentence) <= 300, sentence
            assert sentence.isprintable(), sentence
            assert sentence.endswith("."), sentence
    return refused


def test_damaged_settings(root, tmp_path):
    assert 200 < attack(root, tmp_path, 400) < 400


@pytest.mark.slow
def test_ten_thousand_damaged_settings(root, tmp_path):
    assert 5000 < attack(root, tmp_path, 10_000) < 10_000
