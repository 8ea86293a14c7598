"""The page is whole, valid and closed: no name breaks out of it, nothing is fetched, what is absent is said."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hostile_profile import EVIL, GONE, NAMES, SPLIT, known, nothing, parts, recording

from scople.base.errors import ScopleError
from scople.reports.page import document
from scople.reports.page.document import page
from scople.reports.page.known import Absent

EMPTY = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"}
"""Elements that HTML knows no end of."""


class Reading(HTMLParser):
    """Elements with their attributes, texts by element, and whether every one that began has ended."""

    def __init__(self, text):
        super().__init__()
        self.open, self.found, self.texts = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.found.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def attributes(self, name):
        return [attributes[name] for _, attributes in self.found if name in attributes]


@pytest.fixture(scope="module")
def text():
    return page(known())


@pytest.fixture(scope="module")
def reading(text):
    return Reading(text)


def test_it_is_a_document_whose_elements_all_end(text, reading):
    assert text.startswith("<!DOCTYPE html>")
    assert reading.open == []
    assert {tag for tag, _ in reading.found} >= {"html", "title", "main", "nav", "table", "svg", "canvas"}


def test_ids_are_unique_and_what_names_one_finds_it(reading):
    ids = reading.attributes("id")
    assert len(ids) == len(set(ids))
    named = [value for name in ("aria-labelledby", "for") for value in reading.attributes(name)]
    named += [value[1:] for value in reading.attributes("href") if value.startswith("#")]
    for _, attributes in reading.found:
        named += re.findall(r"url\(#([^)]+)\)", " ".join(filter(None, attributes.values())))
    assert len(named) > 20
    assert set(named) <= set(ids)


def test_no_name_breaks_out(text, reading):
    assert EVIL not in text
    assert sum(tag == "script" for tag, _ in reading.found) == 2  # the data and the page's own
    assert "b" not in {tag for tag, attributes in reading.found if "bold" in str(attributes)}
    texts = "".join(sum(reading.texts.values(), []))
    assert texts.count(EVIL) > 5
    data = json.loads("".join(reading.texts["script"]).split('"use strict"')[0])
    assert [entry["label"] for entry in data["splits"][SPLIT][0]["ranked"]] == NAMES


def test_nothing_leaves_the_file(text, reading):
    for name in ("src", "srcset", "action", "poster", "xlink:href"):
        assert reading.attributes(name) == []
    for value in reading.attributes("href"):
        assert value.startswith(("#", "data:image/png;base64,")), value[:40]
    assert not {tag for tag, _ in reading.found} & {"link", "iframe", "object", "embed", "base", "form"}
    assert re.findall(r"url\((?!#)", text) == []
    assert "@import" not in text
    assert re.findall(r"(?<![\w/])(?:https?:)?//[\w.]+\.\w", text) == []
    (policy,) = [a["content"] for tag, a in reading.found if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    for word in ("fetch(", "XMLHttpRequest", "import(", "WebSocket"):
        assert word not in text


def test_everything_is_labelled(reading):
    for tag, attributes in reading.found:
        if tag in ("svg", "canvas"):
            assert attributes["role"] == "img"
            assert len(attributes["aria-label"]) > 10
        if attributes.get("class") == "scroll":
            assert attributes["tabindex"] == "0"
            assert attributes["aria-label"]
    assert all(value in ("col", "row", "colgroup") for value in reading.attributes("scope"))


def test_numbers_on_it_are_those_it_was_given(text):
    row = re.search(r"<tr><th[^>]*>SCoPLe<small>CLIP, here MiniLM</small></th>(.*?)</tr>", text).group(1)
    assert re.findall(r">([^<]+)</td>", row) == ["84.10", "46.00"]
    tiles = re.search(r'<dl class="tiles">(.*?)</dl>', text, re.S).group(1)
    assert re.findall(r"<dd>([\d.]+)<small>(.*?)</small>", tiles)[0] == ("40.0", "± 2.0")


def test_absent_parts_are_said_once_and_the_rest_is_whole():
    text = page(nothing())
    reading = Reading(text)
    assert reading.open == []
    assert f"Left out: {GONE.what} ({GONE.why}). Call <code>{GONE.call}</code>." in text
    assert text.count("Left out: a, a, a, a, a (b). Call <code>c d</code>.") == 1
    assert "canvas" not in {tag for tag, _ in reading.found}
    assert not re.search(r"<h3>[^<]*</h3>\s*<h3>", text)  # no heading without anything below it
    assert page(known(per_class=known().per_class.assign(split="other"))).count("not in the table of classes") == 1


def test_licensed_recordings_stand_below_their_notice(text):
    assert "keep this page" not in text
    assert "keep this page to yourself" in page(known(notice="keep this page to yourself"))


def test_the_same_parts_give_the_same_bytes(text):
    assert page(known()) == text


def test_what_it_weighs_has_a_bound(monkeypatch):
    many = [recording(frames=300) for _ in range(5)]
    monkeypatch.setattr(document, "LARGEST", 100_000)
    with pytest.raises(ScopleError, match="may have at most 100,000"):
        page(known(splits=[parts(recordings=many)]))


def test_a_split_of_one_epoch_and_no_second_gate():
    alone = parts(
        gates={"entropy": parts().gates["entropy"], "none": {"threshold": 0.0}},
        history=parts().history[:1],
        backbone_history=Absent("x", "y", "z"),
    )
    text = page(known(splits=[alone], settings={"a": np.nan}))
    assert "in epoch 1." in text
    assert text.count("Over the threshold") == 1
