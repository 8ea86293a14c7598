"""Writing the packed corpus: ragged sequences and their index.

A folder of five files, all readable without this code:

- `sequences.npy` (rows, 25, 3) float32: metres, camera space. Rows are ordered by sample, then by person,
  then by frame; only real frames and real persons.
- `index.csv`: one line per sample, sorted by name; the sample has `frames * bodies` rows above.
- `parse_report.csv`: what was set aside or changed, with file, line and reason.
- `summary.json`: counts.
- `digests.json`: SHA-256 of the first two, so that they are read only as they were written together.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from scople.base.artefacts import save_sealed_json
from scople.base.files import sha256, whole
from scople.base.shapes import JOINTS
from scople.data.samples import BROKEN, Note, Sample

INDEX = {
    "name": str,
    "label": np.int64,
    "subject": np.int64,
    "camera": np.int64,
    "setup": np.int64,
    "replication": np.int64,
    "is_training": np.bool_,
    "frames": np.int64,
    "bodies": np.int64,
}
"""Columns of the index and their types; all but the last two are fields of `Sample`."""

TOGETHER = ("index.csv", "sequences.npy")


def write_corpus(
    folder: str | Path, outcomes: Iterable[Sample | Note], counts: Mapping[str, int] | None = None
) -> dict[str, int]:
    """Pack samples as they come; never more than one of them is held in memory.

    Args:
        folder: where to; what it held before is replaced once everything is written.
        outcomes: samples, sorted by name, and notes.
        counts: more entries for the summary.

    Returns:
        The summary: samples parsed, how many of them are for training, their frames (a frame with two persons
        counts twice), and the number of notes of each kind.
    """
    *described, _, _ = INDEX
    index: list[tuple] = []
    notes: list[Note] = []
    rows = training = 0
    with whole(folder) as partial:
        partial.mkdir()
        with open(partial / "sequences.npy", "wb") as file:
            _write_header(file, 0)
            for outcome in outcomes:
                if isinstance(outcome, Note):
                    notes.append(outcome)
                    continue
                if index and outcome.name <= index[-1][0]:
                    raise ValueError(f"sample {outcome.name} comes after {index[-1][0]}; they must be sorted")
                bodies, frames = outcome.sequence.shape[:2]
                index.append((*(getattr(outcome, column) for column in described), frames, bodies))
                rows += bodies * frames
                training += outcome.is_training
                file.write(np.ascontiguousarray(outcome.sequence, "<f4").data)
            file.seek(0)
            _write_header(file, rows)
        kinds = Counter({BROKEN: 0}) + Counter(note.kind for note in notes)
        summary = {"parsed": len(index), "training": training, "frames": rows, BROKEN: kinds.pop(BROKEN, 0)}
        summary |= dict(sorted(kinds.items())) | dict(counts or {})
        _write_csv(partial / "index.csv", INDEX, index)
        report = ((note.file, note.line, note.kind, note.reason) for note in sorted(notes))
        _write_csv(partial / "parse_report.csv", ("file", "line", "kind", "reason"), report)
        (partial / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        seal_corpus(partial)
    return summary


def seal_corpus(folder: Path) -> None:
    """Write the digests of the files that are read together."""
    save_sealed_json("corpus", {name: sha256(folder / name) for name in TOGETHER}, folder / "digests.json")


def _write_header(file: BinaryIO, rows: int) -> None:
    """NumPy's header leaves room for the number of rows to grow, so that it can be overwritten."""
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, JOINTS, 3)}
    np.lib.format.write_array_header_1_0(file, header)


def _write_csv(path: Path, columns: Iterable[str], rows: Iterable[tuple]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
