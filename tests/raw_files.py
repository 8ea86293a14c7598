"""Small recordings in the real raw formats, made for a test."""

import zipfile
from pathlib import Path

import numpy as np

Body = tuple[int, np.ndarray]
"""Tracking id and joints (25, 3) in metres."""

FIRST_ID = 72057594037931101
"""The kind of number that a Kinect gives; float64 has no neighbour of it within 8."""

UNREAD = "277.419 191.8218 1036.233 519.1677 -0.2059419 0.05349901 0.9692109 -0.1239193 2"
"""The columns of a joint behind its coordinates."""


def skeleton_text(frames: list[list[Body]], line_end: str = "\n") -> bytes:
    """NTU `.skeleton` text."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body_id, joints in bodies:
            lines.append(f"{body_id} 0 1 1 1 1 0 0.02764709 0.05745083 2")
            lines.append(str(len(joints)))
            for x, y, z in joints:
                lines.append(f"{x:.7g} {y:.7g} {z:.7g} {UNREAD}")
    return (line_end.join(lines) + line_end).encode()


def walk(generator: np.random.Generator, length: int, *, speed: float = 0.05) -> np.ndarray:
    """A body that wanders: (length, 25, 3), metres, taller than wide, rounded as the text is."""
    pose = generator.normal(size=(25, 3)) * [0.1, 0.4, 0.1] + [0, 0, 3]
    steps = generator.normal(size=(length, 1, 3)) * speed
    jitter = generator.normal(size=(length, 25, 3)) * 0.01
    values = pose + steps.cumsum(axis=0) + jitter
    return np.array([float(f"{value:.7g}") for value in values.ravel()]).reshape(values.shape)


def one_body(generator: np.random.Generator, length: int) -> list[list[Body]]:
    """Frames of a recording with one person."""
    return [[(FIRST_ID, joints)] for joints in walk(generator, length)]


def video_text(persons: np.ndarray) -> bytes:
    """PKU-MMD skeleton text of persons (2, T, 25, 3)."""
    rows = persons.swapaxes(0, 1).reshape(persons.shape[1], -1)
    return "".join(" ".join(f"{value:.6f}" for value in row) + " \n" for row in rows).encode()


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    """A zip with members in the order of the dictionary."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED, 1)


def write_folder(path: Path, files: dict[str, bytes]) -> None:
    """A folder with the same members."""
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
