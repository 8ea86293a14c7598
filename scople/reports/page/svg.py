"""A matplotlib figure as a piece of the page: small, its text as text, its colours those of the page's theme."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from xml.etree import ElementTree

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from scople.reports.figures import FAINT, GATES, INK, SEEN, STYLES, UNSEEN

LINE, CARD = "#d9d9d9", "#fefefe"

THEME = {
    INK: "ink",
    FAINT: "faint",
    LINE: "line",
    CARD: "card",
    SEEN: "seen",
    UNSEEN: "unseen",
    STYLES["harmonic"]["color"]: "harmonic",
    **{style["color"]: gate for gate, style in GATES.items()},
}
"""What a figure is drawn with → the page's name of that colour, which has a light and a dark value."""

_SVG = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"
_DECIMALS = re.compile(r"(-?\d+\.\d\d)\d+")
_NAME_IN_USE = re.compile(r"url\(#([^)]+)\)")


@contextmanager
def drawing() -> Iterator[None]:
    """The style of every chart of the page; figures are made and turned into SVG inside of it."""
    axis = {f"{part}.color": FAINT for part in ("xtick", "ytick")}
    with rc_context(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "scople",
            "figure.facecolor": "none",
            "axes.facecolor": "none",
            "font.size": 9,
            "text.color": INK,
            "text.parse_math": False,
            "axes.edgecolor": LINE,
            "axes.labelcolor": FAINT,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": LINE,
            "grid.linewidth": 0.5,
            "xtick.major.size": 0,
            "ytick.major.size": 0,
            "legend.frameon": False,
            **axis,
        }
    ):
        yield


def inline(figure: Figure, name: str, alternative: str) -> Markup:
    """The figure as `<svg>` for the body of an HTML page.

    Args:
        figure: drawn inside of `drawing`.
        name: of the chart, unlike that of any other on the page: ids begin with it.
        alternative: what the chart shows, for who cannot see it.

    Returns:
        Markup whose colours are the page's, that scales with its place, and that names nothing outside of itself.
    """
    text = StringIO()
    FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None})
    root = ElementTree.fromstring(text.getvalue())
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag == f"{_SVG}style" or child.tag.endswith("metadata"):
                parent.remove(child)
    names = _names_in_use(root)
    renamed = {old: f"{name}-{number}" for number, old in enumerate(sorted(names), 1)}
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        _clean(element, renamed)
    width, height = (float(value) for value in root.get("viewBox", "0 0 0 0").split()[2:])
    for key in ("width", "height", "version"):
        root.attrib.pop(key, None)
    root.attrib |= {"role": "img", "aria-label": alternative, "style": f"max-width:{1.5 * width:.0f}px"}
    root.set("viewBox", f"0 0 {width:.4g} {height:.4g}")
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=False).replace("\n", ""))  # noqa: S704 (made here, escaped by ElementTree)


def _names_in_use(root: ElementTree.Element) -> set[str]:
    names = set()
    for element in root.iter():
        if link := element.get(_LINK, "").removeprefix("#"):
            names |= set() if link.startswith("data:") else {link}
        for value in element.attrib.values():
            names |= set(_NAME_IN_USE.findall(value))
    return names


def _clean(element: ElementTree.Element, renamed: dict[str, str]) -> None:
    """Keep of an element's attributes what the page needs, in its own names and colours."""
    attributes = {}
    for key, value in element.attrib.items():
        if key == "id":
            if value in renamed:
                attributes["id"] = renamed[value]
            continue
        if key == _LINK:
            attributes["href"] = f"#{renamed[value[1:]]}" if value.startswith("#") else value
            continue
        value = _NAME_IN_USE.sub(lambda match: f"url(#{renamed[match[1]]})", value)
        if key == "style":
            parts = [part.strip() for part in value.split(";")]
            parts = [re.sub(r"^font:.*?([\d.]+px).*$", r"font-size: \1", part) for part in parts]
            value = ";".join(part.replace(": ", ":") for part in parts if part and "font-family" not in part)
            for colour, word in THEME.items():
                value = value.replace(colour, f"var(--{word})")
        if key in ("d", "x", "y", "transform", "points"):
            value = _DECIMALS.sub(r"\1", value)
        attributes[key] = " ".join(value.split())
    element.attrib.clear()
    element.attrib.update(attributes)
    if element.tag != "text":
        element.text = element.text.strip() if element.text else None
    element.tail = None
