"""Class programs: which primitives make up an action, when they happen, and how they become a pose.

The programs are data (`datasets/demo/programs.yaml`), keyed by class name, so a class that NTU and PKU-MMD share has
the same motion in both.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from scople.base.documents import quoted, read_document
from scople.base.errors import ScopleError
from scople.data.class_names import ClassEntry
from scople.demo.body import CHANNELS, MAIN, OTHER, Build, Trunk, standing, trunk
from scople.demo.primitives import LANDMARKS, PRIMITIVES, Move

RAMP = 0.15
"""Longest time a hold takes to build up or to fade, as a fraction of the action."""

PEOPLE = ("actor", "partner", "both")


@dataclass(frozen=True)
class Step:
    """One primitive of a program.

    Attributes:
        do: name of the primitive.
        start: when it begins, as a fraction of the action; below 0, it has already begun when the action starts.
        end: when it ends, as a fraction of the action; above 1, it lasts beyond the action.
        repeats: cycles of a rhythm.
        size: factor on the primitive's length or angle.
        who: "actor", "partner" or "both".
    """

    do: str
    start: float = 0.1
    end: float = 0.9
    repeats: float = 1.0
    size: float = 1.0
    who: str = "actor"


Program = tuple[Step, ...]


def load_programs(path: Path) -> dict[str, Program]:
    """Read the class programs.

    Args:
        path: YAML file, class name → list of steps with the keys of `Step` (but `from` for start and `to` for end).

    Returns:
        Programs by class name.

    Raises:
        ScopleError: the file is unreadable or has another form, or a step has an unknown key, primitive or person, a
            value that should be a number and is not, or an end that is not after its start.
    """
    written = read_document(path)
    if not isinstance(written, dict):
        raise ScopleError(f"{path} must map class names to steps: write 'name:' and its steps below.")
    return {name: _program(name, steps) for name, steps in written.items()}


def require_programs(classes: Sequence[ClassEntry], programs: Mapping[str, Program]) -> None:
    """Raise ScopleError if one of the classes has no program."""
    for entry in classes:
        if entry.name not in programs:
            raise ScopleError(f"class {entry.number}, {entry.name!r}, has no program: add it to the programs' file.")


def _program(name: str, written: object) -> Program:
    if not isinstance(written, list) or not all(isinstance(step, dict) for step in written):
        raise ScopleError(f"program {quoted(name)} must be a list of steps: write each as '- {{do: ...}}'.")
    return tuple(_step(name, step) for step in written)


def _step(name: str, written: dict) -> Step:
    keys = {"do": "do", "from": "start", "to": "end", "repeats": "repeats", "size": "size", "who": "who"}
    if unknown := sorted(map(str, set(written) - set(keys))):
        raise ScopleError(
            f"program {quoted(name)} has a step with the key {quoted(unknown[0])}: the keys are {', '.join(keys)}."
        )
    if "do" not in written:
        raise ScopleError(f"program {quoted(name)} has a step without 'do': name its primitive there.")
    do, who = str(written["do"]), str(written.get("who", "actor"))
    if do not in PRIMITIVES:
        close = difflib.get_close_matches(do, PRIMITIVES, n=1, cutoff=0.0)[0]
        raise ScopleError(
            f"program {quoted(name)} uses the unknown primitive {quoted(do)}: the nearest one is {close!r}."
        )
    if who not in PEOPLE:
        raise ScopleError(f"program {quoted(name)} gives a step to {quoted(who)}: take one of {', '.join(PEOPLE)}.")
    numbers = {keys[key]: written[key] for key in ("from", "to", "repeats", "size") if key in written}
    for value in numbers.values():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ScopleError(f"program {quoted(name)} has {quoted(value)} where a number should stand: correct it.")
    step = Step(do, who=who, **{key: float(value) for key, value in numbers.items()})
    if step.start >= step.end:
        raise ScopleError(f"program {quoted(name)} has {step.do!r} from {step.start} to {step.end}: it must end later.")
    return step


def pose(
    program: Program, who: str, course: Float[np.ndarray, " T"], build: Build, *, amplitude: float, tempo: float
) -> Float[np.ndarray, "T 10 3"]:
    """The channels of one person during an action.

    Torso, head and feet move first. Then the hands aim at landmarks of the moved body, in the program's order.

    Args:
        program: steps of the class.
        who: "actor" or "partner".
        course: how much of the action has passed in each frame, 0..1.
        build: the body that has the landmarks.
        amplitude: factor on the size of every move that has no landmark.
        tempo: factor on the number of cycles, for rhythms of two or more cycles.

    Returns:
        Channels of each frame, in the order of `scople.demo.body.CHANNELS`.
    """
    posed = standing(build, len(course))
    upright = trunk(posed, build).shoulders
    moves = [(step, move) for step in program if step.who in (who, "both") for move in PRIMITIVES[step.do]]
    for step, move in moves:
        if not move.channel.endswith("hand"):
            posed[:, CHANNELS.index(move.channel)] += _course(step, move, course, tempo) * _by(move, step, amplitude)
    middle_line = trunk(posed, build)
    for side in ("main", "other"):  # a hand with nothing to do hangs from its shoulder
        posed[:, CHANNELS.index(f"{side} hand")] += middle_line.shoulders - upright
    for step, move in moves:
        if move.channel.endswith("hand"):
            hand = posed[:, CHANNELS.index(move.channel)]
            strength = _course(step, move, course, tempo)
            if move.landmark:
                hand += strength * (_landmark(move, posed, middle_line) - hand)
            else:
                hand += strength * _by(move, step, amplitude)
    return posed


def _course(step: Step, move: Move, course: Float[np.ndarray, " T"], tempo: float) -> Float[np.ndarray, "T 1"]:
    """Strength of a move in each frame: its shape under an envelope that rises and fades smoothly."""
    span = step.end - step.start
    passed = (course - step.start) / span
    if move.shape == "glide":
        return _smooth(passed)[:, None]
    ramp = min(RAMP, span / 2)
    envelope = _smooth((course - step.start) / ramp) * _smooth((step.end - course) / ramp)
    repeats = step.repeats * tempo if step.repeats >= 2 else step.repeats
    angle = 2 * np.pi * (repeats * np.clip(passed, 0.0, 1.0) + move.offset)
    wave = {
        "hold": np.ones_like(angle),
        "swing": np.sin(angle),
        "pulse": (1 - np.cos(angle)) / 2,
        "step": np.maximum(np.sin(angle), 0.0),
    }[move.shape]
    return (envelope * wave)[:, None]


def _by(move: Move, step: Step, amplitude: float) -> Float[np.ndarray, " 3"]:
    """What a move adds at full strength; the limb's "outward" is converted to "right"."""
    sided = move.channel.startswith("other") and not move.channel.endswith("grip")
    return step.size * amplitude * np.array(move.by) * np.array([OTHER if sided else MAIN, 1.0, 1.0])


def _landmark(move: Move, posed: Float[np.ndarray, "T 10 3"], middle_line: Trunk) -> Float[np.ndarray, "T 3"]:
    """Where the landmark of a hand's move is in each frame."""
    carrier, offset = LANDMARKS[move.landmark]
    side, opposite = ("main", "other") if move.channel.startswith("main") else ("other", "main")
    away = np.array(offset) * np.array([MAIN if side == "main" else OTHER, 1.0, 1.0])
    if carrier == "head":
        return middle_line.head + middle_line.head_axes @ away
    if carrier == "chest":
        return middle_line.shoulders + middle_line.chest_axes @ away
    if carrier == "ground":
        return np.broadcast_to(away, middle_line.head.shape)
    limb = {"foot": f"{side} foot", "opposite foot": f"{opposite} foot", "opposite hand": f"{opposite} hand"}[carrier]
    return posed[:, CHANNELS.index(limb)] + away


def _smooth(passed: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """0 before 0, 1 after 1, smooth between (3x² − 2x³)."""
    passed = np.clip(passed, 0.0, 1.0)
    return passed * passed * (3.0 - 2.0 * passed)
