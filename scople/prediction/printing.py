"""Answers as a person reads them, as JSON and as CSV."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO

from tabulate import tabulate

from scople.prediction.answers import Answer
from scople.prediction.windows import Window


@dataclass(frozen=True)
class Row:
    """What is said of one window of one recording.

    Attributes:
        file: as the person named it.
        name: of the recording, see `scople.recordings.clips.Clip`.
        window: the piece of it.
        answer: what the model said.
        warnings: sentences: what was estimated, what does not look like a person.
    """

    file: str
    name: str
    window: Window
    answer: Answer
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """All that one call of `scople predict` found.

    Attributes:
        model: what answered: `folder`, `split`, `profile`.
        note: a line about the model that belongs to every answer; empty where there is none.
        warnings: sentences about the labels.
        rows: the answers, in the order of the files.
        failed: file → why it has no answer.
        top: labels shown of each answer.
        in_windows: whether recordings were cut into windows.
    """

    model: dict[str, str]
    note: str
    warnings: tuple[str, ...]
    rows: Sequence[Row]
    failed: dict[str, str]
    top: int
    in_windows: bool


def as_table(report: Report) -> str:
    """For a screen: a block for each recording; with windows, a table of times in it."""
    blocks = [f"warning: {warning}" for warning in report.warnings]
    for rows in _by_recording(report.rows):
        first = rows[0]
        lines = [first.name, _windowed(rows) if report.in_windows else _ranked(first.answer, report.top)]
        lines += [f"  warning: {warning}" for warning in first.warnings]
        lines += [f"  note: {report.note}"] if report.note else []
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n" if blocks else ""


def as_json(report: Report) -> str:
    """One document; probabilities are from 0 to 1, times in seconds."""
    document = {
        "model": report.model,
        "warnings": report.warnings,
        "answers": [_record(row, report) for row in report.rows],
        "failed": [{"file": file, "reason": reason} for file, reason in report.failed.items()],
    }
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(report: Report) -> str:
    """A line for each label that is shown, best first; warnings have semicolons between them."""
    text = StringIO()
    columns = ["file", "recording", "start", "end", "rank", "label", "probability", "margin", "chance", "chosen_from"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, "warnings", "note"])
    for row in report.rows:
        start, end = row.window.seconds
        answer, warnings = row.answer, "; ".join((*report.warnings, *row.warnings))
        for rank, (label, probability) in enumerate(_shown(answer, report.top), 1):
            described = [row.file, row.name, f"{start:.2f}", f"{end:.2f}", rank, label, f"{probability:.6f}"]
            judged = [f"{answer.margin:.6f}", f"{answer.chance:.6f}", _chosen_from(answer)]
            writer.writerow([*described, *judged, warnings, report.note])
    return text.getvalue()


FORMATS = {"table": as_table, "json": as_json, "csv": as_csv}
"""By the name of the option `--format`."""


def _shown(answer: Answer, top: int) -> list[tuple[str, float]]:
    return list(zip(answer.labels, answer.probabilities.tolist(), strict=True))[:top]


def _chosen_from(answer: Answer) -> str:
    return "seen classes" if answer.is_seen else "given labels"


def _by_recording(rows: Sequence[Row]) -> list[list[Row]]:
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        found.setdefault((row.file, row.name), []).append(row)
    return list(found.values())


def _ranked(answer: Answer, top: int) -> str:
    table = [(label, f"{100 * probability:.1f} %") for label, probability in _shown(answer, top)]
    left_out = len(answer.labels) - len(table)
    lines = tabulate(table, tablefmt="plain", colalign=("left", "right"), disable_numparse=True).splitlines()
    lines += [f"and {left_out} more"] if left_out else []
    lines += [
        f"margin {100 * answer.margin:.1f} points, chance {100 * answer.chance:.1f} %, of the {_chosen_from(answer)}"
    ]
    return "\n".join(f"  {line}" for line in lines)


def _windowed(rows: Sequence[Row]) -> str:
    table = []
    for row in rows:
        start, end = row.window.seconds
        best, *others = _shown(row.answer, 2)
        second = f"{others[0][0]} {100 * others[0][1]:.1f} %" if others else ""
        percents = [f"{100 * share:.1f} %" for share in (best[1], row.answer.chance)]
        table.append((f"{start:.1f}", f"{end:.1f}", best[0], *percents, second, _chosen_from(row.answer)))
    heads = ("from s", "to s", "best", "", "chance", "second", "of the")
    sides = ("right", "right", "left", "right", "right")
    text = tabulate(table, heads, tablefmt="simple", disable_numparse=True, colalign=sides)
    return "\n".join(f"  {line}" for line in text.splitlines())


def _record(row: Row, report: Report) -> dict[str, object]:
    start, end = row.window.seconds
    return {
        "file": row.file,
        "recording": row.name,
        "start": round(start, 4),
        "end": round(end, 4),
        "labels": [
            {"label": label, "probability": probability} for label, probability in _shown(row.answer, report.top)
        ],
        "margin": row.answer.margin,
        "chance": row.answer.chance,
        "chosen_from": _chosen_from(row.answer),
        "warnings": row.warnings,
        "note": report.note,
    }
