"""What is known of a profile → one HTML file. Only this module knows the template.

Nothing in the file is fetched: style and script stand in it, charts are SVG, recordings are numbers. It has no time and
no name of a machine, so the same parts give the same bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from scople.base.errors import ScopleError
from scople.data.joints import JOINT_NAMES, PARENTS
from scople.reports.page import charts, sortable
from scople.reports.page.moving import Recording
from scople.reports.page.svg import drawing, inline

LARGEST = 3_000_000
"""Bytes of a page."""

TABLES = {
    "table1": "Table 1: text prompts alone",
    "table2": "Table 2: fixed splits",
    "table3": "Table 3: means of random splits",
    "table4": "Table 4: what each part adds",
}
"""The paper's tables and what they are about."""

HEADINGS = {"zsl": "ZSL", "harmonic": "H"}
"""The metrics of the chart of means."""


@dataclass(frozen=True)
class Absent:
    """Stands where a part is not there.

    Attributes:
        what: the part, as the end of a sentence.
        why: what is missing.
        call: the command that makes it, or shows it.
    """

    what: str
    why: str
    call: str

    def __str__(self) -> str:
        return f"Left out: {self.what} ({self.why}). Call `{self.call}`."


@dataclass(frozen=True)
class Confusion:
    """Samples by true class (row) and predicted class (column), seen classes first."""

    counts: Int[np.ndarray, "K K"]
    names: Sequence[str]
    is_unseen: Bool[np.ndarray, " K"]


@dataclass(frozen=True)
class SplitParts:
    """What is known of one split.

    Attributes:
        name: of the split.
        gates: the curves that the thresholds were chosen from, see `scople.judging.calibration.calibrate_gates`.
        tested: gate → `seen` and `unseen` on the test part, per cent.
        confusion: under the gate of the run.
        looked_at: class → the joints that its name looks at.
        history: loss per epoch of SCoPLe.
        backbone_history: loss per epoch of its backbone.
        recordings: of test subjects.
    """

    name: str
    gates: Mapping[str, Mapping[str, Any]] | Absent
    tested: Mapping[str, Mapping[str, float]]
    confusion: Confusion | Absent
    looked_at: Mapping[str, str]
    history: pd.DataFrame | Absent
    backbone_history: pd.DataFrame | Absent
    recordings: Sequence[Recording] | Absent


@dataclass(frozen=True)
class Known:
    """What is known of a profile; `Absent` where its files are not there.

    Attributes:
        profile: its name.
        variant: the model.
        gate: of the run.
        note: what keeps the numbers from being compared with the paper's; empty where nothing does.
        notice: what to know before the recordings are passed on; empty where nothing is.
        metrics: a row a split: `split`, `zsl`, `seen`, `unseen`, `harmonic`, and `<metric>_std` over several repeats.
        provenance: split → the document beside its metrics.
        summary: means over groups of splits, see `scople.reports.tables.summary`.
        controls: the table of that name.
        losses: likewise.
        per_class: likewise.
        tables: name, as in `TABLES` → the table.
        figure3: means over splits, see `scople.reports.tables.figure3_means`.
        usual: setting of Figure 3 → its value in all other runs.
        diagnostics: the table of that name.
        splits: parts of each split.
        settings: of the method, and of the profile's scale.
        params: text of params.yaml.
        computed_by: what computed the results.
        made_with: commit and versions, where somebody asks for the page; a stage has none, its lock names its inputs.
    """

    profile: str
    variant: str
    gate: str
    note: str
    notice: str
    metrics: pd.DataFrame | Absent
    provenance: Mapping[str, Mapping[str, Any]]
    summary: Mapping[str, float] | Absent
    controls: pd.DataFrame | Absent
    losses: pd.DataFrame | Absent
    per_class: pd.DataFrame | Absent
    tables: Mapping[str, pd.DataFrame | Absent]
    figure3: pd.DataFrame | Absent
    usual: Mapping[str, int]
    diagnostics: pd.DataFrame | Absent
    splits: Sequence[SplitParts]
    settings: Mapping[str, object]
    params: str
    computed_by: Mapping[str, str] | Absent
    made_with: Mapping[str, str]


def page(known: Known) -> str:
    """The whole file.

    Raises:
        ScopleError: it would be larger than `LARGEST`.
    """
    with drawing():
        text = _template().render(
            known=known,
            headline=_headline(known),
            means=_means(known),
            every_split=_every_split(known),
            above_chance=known.controls if _absent(known.controls) else sortable.above_chance(known.controls),
            tables=[_paper_table(known, name, title) for name, title in TABLES.items()],
            splits=[_split(known, parts) for parts in known.splits],
            figure3=_figure3(known),
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


def _means(known: Known) -> list[Markup] | Absent:
    if _absent(known.metrics) or _absent(known.summary):
        return known.metrics if _absent(known.metrics) else known.summary
    chance = {split: float(document["chance"]) for split, document in known.provenance.items()}
    groups = [key.removeprefix("zsl_") for key in known.summary if key.startswith("zsl_") and not key.endswith("_se")]
    drawn = []
    for metric, heading in HEADINGS.items():
        rows = [
            {
                "name": row["split"],
                "is_group": False,
                "value": row[metric],
                "error": row.get(f"{metric}_std", np.nan),
                "chance": chance.get(row["split"], np.nan) if metric == "zsl" else np.nan,
            }
            for row in known.metrics.to_dict("records")
        ]
        rows += [
            {
                "name": f"mean of {group}",
                "is_group": True,
                "value": known.summary[f"{metric}_{group}"],
                "error": known.summary.get(f"{metric}_{group}_se", np.nan),
                "chance": np.nan,
            }
            for group in groups
        ]
        said = "; ".join(f"{row['name']} {row['value']:.1f}" for row in rows)
        figure = charts.whiskers(pd.DataFrame(rows), heading)
        drawn.append(inline(figure, f"means-{metric}", f"{heading} in per cent: {said}."))
    return drawn


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
        m: sortable.side_by_side(table, m, known.gate, f"{title.partition(':')[0]}, {sortable.METRICS[m]}, per cent") for m in metrics
    }
    return {"name": name, "title": title, "absent": None, "views": views}


def _split(known: Known, parts: SplitParts) -> dict[str, Any]:
    name = parts.name
    found: dict[str, Any] = {"name": name, "gates": parts.gates, "confusion": parts.confusion}
    if not _absent(parts.gates):
        found["gates"] = [_plane(parts), *(_thresholds(parts, gate) for gate in charts.GATES if gate in parts.gates)]
    mistaken = {}
    if not _absent(parts.confusion):
        counts = parts.confusion.counts
        right, total = int(counts.trace()), int(counts.sum())
        said = f"Confusion on {name}: {right} of {total} test samples lie on the diagonal; the table has each class."
        found["confusion"] = inline(charts.confusion(counts, parts.confusion.is_unseen), f"{name}-confusion", said)
        mistaken = charts.taken_for(counts, parts.confusion.names)
    found["classes"] = known.per_class
    if not _absent(known.per_class):
        own = known.per_class[known.per_class["split"] == name]
        found["classes"] = (
            sortable.classes(own, mistaken, parts.looked_at, f"Classes of {name}, under the gate")
            if len(own)
            else Absent("the classes", f"split {name} is not in the table of classes", "dvc repro tables")
        )
    terms = {
        "history": ("SCoPLe", {"loss": "loss", "skeleton_to_text": "skeleton to text", "text_to_skeleton": "text to skeleton"}),
        "backbone_history": ("backbone", {"loss": "loss"}),
    }
    for key, (what, columns) in terms.items():
        history = getattr(parts, key)
        if not _absent(history):
            first, last = history["loss"].iloc[[0, -1]]
            said = f"Loss of the {what} on {name}: {first:.2f} nats in epoch 1, {last:.2f} in epoch {len(history)}."
            history = inline(charts.training(history, columns), f"{name}-{key}", said)
        found[key] = history
    metrics = known.metrics
    found["metrics"] = {} if _absent(metrics) else _one(metrics, name)
    found["left_out"] = _left_out([found[key] for key in ("gates", "confusion", *terms)] + [parts.recordings])
    return found


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


def _plane(parts: SplitParts) -> Markup:
    said = "; ".join(
        f"{gate}: chosen at S {curve['seen'][k]:.0f}, U {curve['unseen'][k]:.0f}"
        + (f", tested S {parts.tested[gate]['seen']:.0f}, U {parts.tested[gate]['unseen']:.0f}" if gate in parts.tested else "")
        for gate, curve in parts.gates.items()
        if gate in charts.GATES
        for k in [curve["thresholds"].index(curve["threshold"])]
    )
    figure = charts.seen_unseen_plane(parts.gates, parts.tested)
    return inline(figure, f"{parts.name}-plane", f"S against U on {parts.name}, per cent. {said}.")


def _thresholds(parts: SplitParts, gate: str) -> Markup:
    curve = parts.gates[gate]
    said = (
        f"S, U and H over the threshold of the {charts.GATES[gate]['label']} on {parts.name}: "
        f"H is highest, {curve['harmonic']:.1f} %, at {curve['threshold']:.2f}."
    )
    return inline(charts.threshold_curves(gate, curve), f"{parts.name}-{gate}", said)


def _figure3(known: Known) -> list[Markup] | Absent:
    if _absent(known.figure3):
        return known.figure3
    drawn = []
    for setting, means in known.figure3.groupby("setting", sort=False):
        said = ", ".join(f"{row.value}: {row.zsl:.1f}" for row in means.itertuples())
        figure = charts.setting_curve(means, known.usual.get(setting))
        drawn.append(inline(figure, f"figure3-{setting}", f"ZSL in per cent against {setting}. {said}."))
    return drawn


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
