"""A figure in the page keeps its numbers and texts, and takes the page's colours."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from scople.reports.figures import SEEN
from scople.reports.page.svg import THEME, drawing, inline


def drawn(name="one", label="a < b & $c$"):
    with drawing():
        figure = Figure(figsize=(3, 2))
        axes = figure.subplots()
        axes.plot([0, 1, 2], [1, 3, 2], "o-", color=SEEN, label=label)
        axes.legend()
        axes.imshow([[0, 1], [1, 0]], interpolation="none")
        return inline(figure, name, 'says "so" <now>')


def test_texts_are_texts_and_escaped():
    root = ElementTree.fromstring(drawn())
    assert "a < b & $c$" in [element.text for element in root.iter("text")]
    assert (root.get("role"), root.get("aria-label")) == ("img", 'says "so" <now>')


def test_colours_are_the_pages():
    svg = drawn()
    assert "stroke:var(--seen)" in svg
    for colour in THEME:
        assert colour not in svg


def test_ids_begin_with_the_charts_name_and_are_used():
    ids = {name: set(re.findall(r' id="([^"]+)"', drawn(name))) for name in ("one", "two")}
    assert all(ids.values())
    assert not ids["one"] & ids["two"]
    used = set(re.findall(r"url\(#([^)]+)\)", drawn())) | set(re.findall(r'href="#([^"]+)"', drawn()))
    assert used == ids["one"]


@pytest.mark.parametrize("word", ["http", "xmlns", "<style", "metadata", "font-family", "Matplotlib"])
def test_nothing_of_the_writer_is_left(word):
    assert word not in drawn()


def test_a_picture_lies_in_the_file():
    assert 'href="data:image/png;base64,' in drawn()
