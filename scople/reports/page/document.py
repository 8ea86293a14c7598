"""What is known of a profile → one HTML file. Only this module knows the template.

Nothing in the file is fetched: style and script stand in it, charts are SVG, recordings are numbers. It has no time and
no name of a machine, so the same parts give the same bytes.
"""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from scople.base.errors import ScopleError
from scople.data.joints import JOINT_NAMES, PARENTS
from scople.reports.page import charts, drawn, sortable
from scople.reports.page.known import TABLES, Absent, Known, SplitParts
from scople.reports.page.svg import drawing

LARGEST = 3_000_000
"""Bytes of a page."""

TERMS = {"loss": "loss", "skeleton_to_text": "skeleton to text", "text_to_skeleton": "text to skeleton"}
"""Columns of SCoPLe's history → names in the legend."""


def page(known: Known) -> str:
    """The whole file.

    Raises:
        ScopleError: it would be larger than `LARGEST`.
    """
    with drawing():
        text = _template().render(
            known=known,
            headline=_headline(known),
            means=drawn.means(known),
            every_split=_every_split(known),
            above_chance=known.controls if _absent(known.controls) else sortable.above_chance(known.controls),
            tables=[_paper_table(known, name, title) for name, title in TABLES.items()],
            splits=[_split(known, parts, f"s{number}") for number, parts in enumerate(known.splits, 1)],
            figure3=drawn.figure3(known),
            settings={name: _said(value) for name, value in known.settings.items()},
            diagnostics=known.diagnostics if _absent(known.diagnostics) else sortable.diagnostics(known.diagnostics),
            digests=_digests(known),
            player=_player(known),
        )
    size = len(text.encode())
    if size > LARGEST:
        raise ScopleError(
            f"the page of profile {known.profile} would have {size:,} bytes, but may have at most {LARGEST:,}: take "
            "splits out of params.yaml, or leave the recordings out."
        )
    return text


@cache
def _template() -> Any:
    folder = files("scople.reports.page")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.tests["absent"] = _absent
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "separators": (",", ":")}
    environment.globals |= {
        name: Markup((folder / f"page.{name}").read_text(encoding="utf-8"))  # noqa: S704 (ours, not read from data)
        for name in ("css", "js")
    }
    return environment.from_string((folder / "page.html").read_text(encoding="utf-8"))


def _absent(part: object) -> bool:
    return isinstance(part, Absent)


def _headline(known: Known) -> list[tuple[str, str, str]]:
    """Name, value and what it is of, of the figures at the top."""
    if _absent(known.summary):
        return []
    group = "all" if "zsl_all" in known.summary else next(iter(known.summary)).removeprefix("zsl_")
    found = []
    for metric, heading in (("zsl", "ZSL"), ("seen", "S"), ("unseen", "U"), ("harmonic", "H")):
        error = known.summary.get(f"{metric}_{group}_se")
        found.append((heading, f"{known.summary[f'{metric}_{group}']:.1f}", "" if error is None else f"± {error:.1f}"))
    return found


def _every_split(known: Known) -> sortable.Table | Absent:
    for part in (known.metrics, known.controls, known.losses):
        if _absent(part):
            return part
    samples = {split: document["test_samples"] for split, document in known.provenance.items()}
    return sortable.every_split(known.metrics, samples, known.controls, known.losses)


def _paper_table(known: Known, name: str, title: str) -> dict[str, Any]:
    table = known.tables[name]
    if _absent(table):
        return {"name": name, "title": title, "absent": table}
    metrics = [m for m in sortable.METRICS if any(column.endswith(f".{m}") for column in table)]
    views = {
        m: sortable.side_by_side(table, m, known.gate, f"{title.partition(':')[0]}, {sortable.METRICS[m]}, per cent")
        for m in metrics
    }
    return {"name": name, "title": title, "absent": None, "views": views}


def _split(known: Known, parts: SplitParts, short: str) -> dict[str, Any]:
    """What the template shows of a split; `short` stands for its name in ids, where not every letter may."""
    name, what = parts.name, f"SCoPLe on {parts.name}"
    found = {
        "gates": drawn.gates(parts, short),
        "confusion": drawn.confusion(parts, short),
        "history": drawn.training(parts.history, what, TERMS, f"{short}-history"),
        "backbone_history": drawn.training(
            parts.backbone_history, f"the backbone of {name}", {"loss": "loss"}, f"{short}-backbone"
        ),
        "recordings": parts.recordings,
    }
    return found | {
        "name": name,
        "metrics": {} if _absent(known.metrics) else _one(known.metrics, name),
        "left_out": _left_out(list(found.values())),
        "classes": _classes(known, parts),
    }


def _classes(known: Known, parts: SplitParts) -> sortable.Table | Absent:
    if _absent(known.per_class):
        return known.per_class
    own = known.per_class[known.per_class["split"] == parts.name]
    if own.empty:
        return Absent("the classes", f"split {parts.name} is not in the table of classes", "dvc repro tables")
    confusion = parts.confusion
    mistaken = {} if _absent(confusion) else charts.taken_for(confusion.counts, confusion.names)
    return sortable.classes(own, mistaken, parts.looked_at, f"Classes of {parts.name}, under the gate")


def _left_out(parts: Sequence[object]) -> list[Absent]:
    """One sentence for all that the same command makes."""
    found: dict[str, Absent] = {}
    for part in parts:
        if _absent(part):
            known = found.get(part.call)
            found[part.call] = Absent(f"{known.what}, {part.what}", known.why, part.call) if known else part
    return list(found.values())


def _one(metrics: pd.DataFrame, split: str) -> dict[str, str]:
    rows = metrics[metrics["split"] == split]
    return {
        heading: f"{rows[metric].iloc[0]:.1f}"
        for metric, heading in (("zsl", "ZSL"), ("seen", "S"), ("unseen", "U"), ("harmonic", "H"))
        if len(rows)
    }


def _said(value: object) -> str:
    """A setting as params.yaml writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _digests(known: Known) -> sortable.Table | None:
    if not known.provenance:
        return None
    rows = [
        [split, float(document["chance"]), str(document["texts"]), str(document["made_from"])]
        for split, document in known.provenance.items()
    ]
    titles = ["split", "chance (%)", "digest of the class names", "digest of code and settings"]
    return sortable.plain(titles, rows, "What each split was made from")


def _player(known: Known) -> dict[str, Any]:
    recordings = {
        parts.name: [recording.packed() for recording in parts.recordings]
        for parts in known.splits
        if not _absent(parts.recordings) and parts.recordings
    }
    return {"joints": JOINT_NAMES, "parents": PARENTS.tolist(), "splits": recordings}
