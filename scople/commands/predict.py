"""Labels for anybody's recordings: files in, answers out, and a file that cannot be read costs one line."""

import json
import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch

from scople.base.arithmetic import MARK, settle
from scople.base.documents import listed, quoted
from scople.base.errors import ScopleError, printable
from scople.base.params import load_params
from scople.base.progress import progress
from scople.commands.outputs import check_place, shown_path, write_text
from scople.pipeline.running import told
from scople.prediction.card import SYNTHETIC
from scople.prediction.drawing import Seen, draw
from scople.prediction.labels import load_labels
from scople.prediction.model_folder import model_place
from scople.prediction.printing import FORMATS, Report, Row
from scople.prediction.recogniser import Recogniser
from scople.prediction.windows import Window, windows
from scople.recordings.clips import Clip, Reading, find_files, read_each
from scople.recordings.joint_maps import load_map
from scople.recordings.plausibility import FEWEST_FRAMES, doubts

DRAWN = (".gif", ".png")


@dataclass(frozen=True)
class Call:
    """The words and options of one call, as `scople predict --help` explains them."""

    files: list[str]
    labels: str
    model: str
    top: int
    template: str
    seen_too: bool
    window: float | None
    stride: float | None
    output: str
    out: Path | None
    drawing: Path | None
    device: str
    text_weights: str
    reading: Reading


@dataclass
class Found:
    """What has been found so far; `failed` has file → why it, or one of its recordings, has no answer."""

    rows: list[Row] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    clips: list[Clip] = field(default_factory=list)  # what a drawing needs: at most two
    noted: set[str] = field(default_factory=set)  # formats for which options were not used


def main(call: Call) -> int:
    """Answer, print, draw.

    Returns:
        The exit code: 0, or 1 if a file has no answer; 2 with one sentence if the call itself cannot be answered.
    """
    with told("predict"):
        try:
            files, texts, folder, recogniser = _prepared(call)
        except ScopleError as error:
            print(f"error: predict: {error}", file=sys.stderr)
            return 2
        config = recogniser.config
        found = Found()
        pieces = _pieces(files, call, recogniser, found)
        # So many at a time that every batch is a full one, as in the evaluation: the last digits depend on it.
        block = math.lcm(*config.batches.values())
        while part := list(islice(pieces, block)):
            answers = recogniser.predict([window.sequence for *_, window in part], texts, seen_too=call.seen_too)
            for (file, clip, said, window), answer in zip(part, answers, strict=True):
                found.rows.append(Row(file, clip.name, window, answer, said))
        warnings = tuple(
            f"{quoted(label)} is a seen class of this model: it was trained on it, so this is not zero-shot."
            for label in recogniser.seen_among(texts)
        )
        report = Report(
            model={"folder": shown_path(folder), "split": config.split, "profile": config.profile},
            note=SYNTHETIC if config.is_synthetic else "",
            warnings=warnings,
            rows=found.rows,
            failed=found.failed,
            top=call.top,
            in_windows=call.window is not None,
        )
        _write(FORMATS[call.output](report), call)
        if call.drawing:
            _draw(call, recogniser, texts, found, report.note)
        if silent := found.failed.keys() - {row.file for row in found.rows}:
            print(f"{len(silent)} of {len(files)} files have no answer.", file=sys.stderr)
        if partial := len(found.failed) - len(silent):
            print(f"{partial} of {len(files)} files have answers for some of their recordings only.", file=sys.stderr)
        return 1 if found.failed else 0


def find_model(model: str) -> Path:
    """The folder that `--model` means: a folder, or a split of the profile of params.yaml.

    Raises:
        ScopleError: there is none.
    """
    if Path(model).is_dir():
        return Path(model)
    if not Path("params.yaml").exists():
        raise ScopleError(
            f"there is no model folder {quoted(model)}, and a split can be named in the project's folder only: give "
            "the path of a model folder."
        )
    params = load_params()
    if model not in params.splits:
        raise ScopleError(
            f"the model {quoted(model)} is no folder and no split of params.yaml ({listed(params.splits)}): correct it."
        )
    folder = model_place(params.profile, model)
    if not folder.is_dir():
        raise ScopleError(f"{folder} is missing: run `dvc repro export@{model}`.")
    return folder


def _prepared(call: Call) -> tuple[list[Path], dict[str, str], Path, Recogniser]:
    """Everything that the call names, found and loaded before any recording is read.

    Raises:
        ScopleError: something of it cannot be used.
    """
    if call.stride is not None and call.window is None:
        raise ScopleError("--stride says how far apart windows begin, but there is no --window: give both.")
    if call.drawing and call.drawing.suffix.lower() not in DRAWN:
        raise ScopleError(f"--draw is {quoted(str(call.drawing))}, but must end in {' or '.join(DRAWN)}: rename it.")
    texts = load_labels(call.labels, call.template)
    load_map(call.reading.joints)  # a wrong one would cost every file a line
    files = find_files(call.files)
    if call.drawing and len(files) > 1:
        raise ScopleError(f"--draw draws one recording, but {len(files)} files are named: name one.")
    folder = find_model(call.model)
    _check_outputs(call, files, folder)
    recogniser = Recogniser.load(folder, device=call.device, text_weights=call.text_weights)
    settle("native" if os.environ.get(MARK) == "native" else "portable", int(recogniser.config.computed_by["threads"]))
    torch.use_deterministic_algorithms(True)
    recogniser.encode(texts)
    return files, texts, folder, recogniser


def _check_outputs(call: Call, files: Sequence[Path], folder: Path) -> None:
    """Raise `ScopleError` where `--out` or `--draw` would replace what is no older output, or cannot be written."""
    own = (call.labels, call.reading.joints, call.text_weights)
    inputs = [*files, *map(Path, own), *folder.rglob("*")]
    if call.out is not None:
        check_place("--out", call.out, inputs)
    if call.drawing:
        check_place("--draw", call.drawing, inputs, may_stream=False)
        if call.out is not None and os.path.realpath(call.out) == os.path.realpath(call.drawing):
            raise ScopleError(f"--out and --draw are both {quoted(str(call.out))}: name two files.")


def _pieces(
    files: Sequence[Path], call: Call, recogniser: Recogniser, found: Found
) -> Iterator[tuple[str, Clip, tuple[str, ...], Window]]:
    """File, recording, what is to be said of it, and window; what cannot be read is noted and said at once."""
    reading = Reading(**vars(call.reading) | {"body_choice": recogniser.config.method["body_choice"]})
    for path in progress(files, "recordings", unit="file"):
        file = shown_path(path)
        pieces, reasons = [], []
        try:
            for clip in read_each(path, reading):
                if isinstance(clip, ScopleError):
                    reasons.append(str(clip))
                    continue
                found.clips = [*found.clips, clip][:2]
                _note_unused(clip, reading, found)
                cut = windows(clip.sequence, call.window, call.stride)
                said = (*clip.estimated, *doubts(clip), *_short(clip, cut))
                pieces += [(file, clip, said, window) for window in cut]
            if not (pieces or reasons):
                raise ScopleError(f"nobody is seen in {printable(file, 150)}: record again.")
        except (ScopleError, OSError, MemoryError) as error:
            too_large = f"{printable(file, 150)} needs more memory than there is: cut it into shorter recordings."
            pieces, reasons = [], [too_large if isinstance(error, MemoryError) else str(error)]
        for reason in reasons:
            print(f"error: predict: {reason}", file=sys.stderr)
        if reasons:
            found.failed[file] = " ".join(reasons)
        yield from pieces


def _short(clip: Clip, cut: Sequence[Window]) -> list[str]:
    """What is to be said of windows in which nothing can happen; of a clip that is as short, `doubts` has said it."""
    frames = [window.end - window.start for window in cut[:1]]  # all have the same
    return [
        f"Its windows have {length} frames of 1/30 s, and fewer than {FEWEST_FRAMES} show no action: give a longer "
        "--window."
        for length in frames
        if length < FEWEST_FRAMES <= clip.sequence.shape[1]
    ]


def _note_unused(clip: Clip, reading: Reading, found: Found) -> None:
    """Say once for each format which of the options it leaves unused."""
    usual = Reading()
    unused = [f"--{name}" for name in ("joints", "unit", "up") if getattr(reading, name) != getattr(usual, name)]
    if unused and clip.fixed_by and clip.fixed_by not in found.noted:
        found.noted.add(clip.fixed_by)
        print(
            f"note: predict: joints, unit and axis of {clip.fixed_by} are the format's own, so it is read without "
            f"{' and '.join(unused)}.",
            file=sys.stderr,
        )


def _write(text: str, call: Call) -> None:
    if call.out is not None:
        write_text(text, call.out)
        return
    encoding = sys.stdout.encoding or "utf-8"
    shown = text.encode(encoding, "backslashreplace").decode(encoding)
    if shown != text and call.output == "json":  # which has an escape of its own
        shown = json.dumps(json.loads(text), indent=2) + "\n"
    print(shown, end="", flush=True)


def _draw(call: Call, recogniser: Recogniser, texts: dict[str, str], found: Found, note: str) -> None:
    """Draw the one recording that there is.

    Raises:
        ScopleError: there is none or more than one.
    """
    if len(found.clips) != 1 or not found.rows:
        count = "more than one" if len(found.clips) > 1 else "none"
        raise ScopleError(f"--draw draws one recording, but here is {count}: name one file.")
    seen = [
        Seen(row.window, row.answer, recogniser.attention([row.window.sequence], row.answer.best, texts)[0])
        for row in found.rows
    ]
    draw(found.clips[0].sequence, seen, call.drawing, note)
