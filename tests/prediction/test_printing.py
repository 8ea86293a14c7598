"""The same answers as a table, as JSON and as CSV."""

import csv
import json
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest

from scople.prediction.answers import Answer
from scople.prediction.printing import Report, Row, as_csv, as_json, as_table
from scople.prediction.windows import windows

SEQUENCE = np.ones((1, 75, 25, 3), np.float32)


def row(file, scores, window=0, *, is_seen=False, warnings=()):
    labels = ["wave", "clap", 'sit "down", please'][: len(scores)]
    answer = Answer.of(labels, np.log(np.array(scores, np.float32)), is_seen=is_seen)
    return Row(f"folder/{file}", file, windows(SEQUENCE, 1.0, 1.0)[window], answer, tuple(warnings))


@pytest.fixture
def report():
    return Report(
        model={"folder": "work/x", "split": "x", "profile": "demo"},
        note="It is synthetic.",
        warnings=("'wave' is seen.",),
        rows=[row("a.npy", [0.2, 0.5, 0.3], warnings=["Short.", "Odd."]), row("ü.npy", [0.25, 0.75], is_seen=True)],
        failed={"bad.npy": "bad.npy is empty."},
        top=2,
        in_windows=False,
    )


def test_table(report):
    assert as_table(report) == (
        "warning: 'wave' is seen.\n\n"
        "a.npy\n"
        "  clap                50.0 %\n"
        '  sit "down", please  30.0 %\n'
        "  and 1 more\n"
        "  margin 20.0 points, chance 33.3 %, of the given labels\n"
        "  warning: Short.\n"
        "  warning: Odd.\n"
        "  note: It is synthetic.\n\n"
        "ü.npy\n"
        "  clap  75.0 %\n"
        "  wave  25.0 %\n"
        "  margin 50.0 points, chance 50.0 %, of the seen classes\n"
        "  note: It is synthetic.\n"
    )
    assert "note" not in as_table(replace(report, note=""))
    assert as_table(replace(report, rows=[], warnings=())) == ""


def test_table_of_times(report):
    rows = [row("a.npy", [0.2, 0.5, 0.3], 0), row("a.npy", [0.7, 0.2, 0.1], 1), row("b.npy", [0.4, 0.6], 0)]
    first, second = as_table(replace(report, rows=rows, warnings=(), in_windows=True)).split("\n\n")
    lines = [line.split() for line in first.splitlines()]
    assert lines[0] == ["a.npy"]
    assert lines[3][:6] == ["0.0", "1.0", "clap", "50.0", "%", "33.3"]
    assert lines[4][:6] == ["1.0", "2.0", "wave", "70.0", "%", "33.3"]
    assert lines[-1][0] == "note:"
    assert len(lines) == 6
    assert second.startswith("b.npy")


def test_json(report):
    document = json.loads(as_json(report))
    assert document["model"] == report.model
    assert document["failed"] == [{"file": "bad.npy", "reason": "bad.npy is empty."}]
    assert document["warnings"] == ["'wave' is seen."]
    first, second = document["answers"]
    assert (first["file"], first["recording"], first["start"], first["end"]) == ("folder/a.npy", "a.npy", 0, 1)
    assert [entry["label"] for entry in first["labels"]] == ["clap", 'sit "down", please']
    assert [entry["probability"] for entry in first["labels"]] == pytest.approx([0.5, 0.3])
    assert (first["margin"], first["chance"]) == pytest.approx((0.2, 1 / 3))
    assert first["warnings"] == ["Short.", "Odd."]
    assert first["note"] == second["note"] == "It is synthetic."
    assert second["chosen_from"] == "seen classes"


def test_csv(report):
    rows = list(csv.DictReader(StringIO(as_csv(report))))
    assert [(row["recording"], row["rank"], row["label"]) for row in rows] == [
        ("a.npy", "1", "clap"),
        ("a.npy", "2", 'sit "down", please'),
        ("ü.npy", "1", "clap"),
        ("ü.npy", "2", "wave"),
    ]
    assert [row["probability"] for row in rows] == ["0.500000", "0.300000", "0.750000", "0.250000"]
    assert rows[0]["warnings"] == "'wave' is seen.; Short.; Odd."
    assert {row["note"] for row in rows} == {"It is synthetic."}
    assert rows[0]["end"] == "1.00"
