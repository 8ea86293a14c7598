"""Damage of every kind to a small file of each format: clips or one sentence, never anything else, and no code is run.

300 damaged files of each format are tried in a run; for more: `SCOPLE_FUZZ=10000 pytest tests/recordings`.
"""

import os
import sys
import tracemalloc

import numpy as np
import pytest
import shared_recordings as made

from scople.base.errors import ScopleError
from scople.data.skeletons import normalise
from scople.recordings.clips import Clip, Reading, read_clips

MUTATIONS = int(os.environ.get("SCOPLE_FUZZ", 300))
FILES = made.small_files()
RUNNING = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "exec", "ctypes.dlopen")


def damaged(content: bytes, generator: np.random.Generator) -> bytes:
    """One to three times: cut off, bytes replaced, removed, repeated, or a piece moved."""
    for _ in range(generator.integers(1, 4)):
        start, end = sorted(generator.integers(0, len(content) + 1, size=2).tolist())
        end = min(end, start + int(generator.integers(1, 40)))
        kind = generator.integers(7)
        if kind == 0:
            content = content[:start]
        elif kind == 1:
            content = content[:start] + generator.bytes(end - start) + content[end:]
        elif kind == 2:
            content = content[:start] + content[end:]
        elif kind == 3:
            content = content[:end] + content[start:]
        elif kind == 4 and start < len(content):
            content = (
                content[:start] + bytes([content[start] ^ (1 << int(generator.integers(8)))]) + content[start + 1 :]
            )
        elif kind == 5:
            content = content[:start] + bytes(generator.choice(list(b'-9.e,"[]{}\n\x00\xff()\x85R'), 3)) + content[end:]
        else:
            place = int(generator.integers(0, len(content) + 1))
            content = content[:place] + content[start:end] + content[place:]
    return content


def outcome(path, content: bytes, reading: Reading) -> list[Clip] | str:
    """Clips or the sentence; everything else that is raised fails the test."""
    path.write_bytes(content)
    try:
        return read_clips(path, reading)
    except ScopleError as error:
        return str(error)


@pytest.mark.parametrize("name", FILES)
def test_damage_gives_clips_or_a_sentence(tmp_path, name, recwarn):
    generator = np.random.default_rng(7)
    outcomes = []
    for number in range(MUTATIONS):
        content = damaged(FILES[name], generator)
        result = outcome(tmp_path / name, content, Reading(allow_2d=bool(number % 2)))
        outcomes.append(type(result))
        if isinstance(result, str):
            assert result.isprintable(), content
            continue
        for clip in result:
            assert clip.sequence.dtype == np.float32
            assert clip.sequence.shape[2:] == (25, 3)
            assert np.isfinite(clip.sequence).all()
            assert clip.sequence.any()
            assert np.isfinite(normalise(clip.sequence, 5)).all()
    # Damage that always or never breaks a file would prove nothing; a zip has a checksum that sees all of it.
    assert set(outcomes) == ({str} if name == "a.npz" else {str, list})
    assert not recwarn.list


@pytest.mark.parametrize("name", FILES)
def test_every_cut_gives_a_sentence(tmp_path, name):
    content = FILES[name]
    is_by_lines = name.endswith((".csv", ".txt"))  # a table that is cut between two lines is a table
    for length in range(0, len(content), max(1, len(content) // 50)):
        result = outcome(tmp_path / name, content[:length], Reading())
        assert isinstance(result, str) or is_by_lines


def test_random_bytes_under_any_name(tmp_path):
    generator = np.random.default_rng(11)
    for name in FILES:
        for _ in range(MUTATIONS // 10):
            assert isinstance(outcome(tmp_path / name, generator.bytes(int(generator.integers(200))), Reading()), str)
    for start in (b"", b"\x80\x04", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"[{", b"frame,"):
        for _ in range(MUTATIONS // 10):
            content = start + generator.bytes(int(generator.integers(200)))
            assert isinstance(outcome(tmp_path / "x", content, Reading()), str)


def test_no_damage_runs_code(tmp_path):
    """Python itself tells of everything that starts a program or runs text (`sys.addaudithook`)."""
    events, is_listening = [], [False]
    sys.addaudithook(lambda event, _: events.append(event) if is_listening[0] and event in RUNNING else None)
    generator = np.random.default_rng(13)
    path = tmp_path / "a.pkl"
    for _ in range(MUTATIONS):
        content = damaged(FILES["a.pkl"], generator)
        is_listening[0] = True
        outcome(path, content, Reading())
        is_listening[0] = False
    assert events == []
    is_listening[0] = True
    os.system("true")
    is_listening[0] = False
    assert events == ["os.system"]


def test_no_damage_makes_memory_soar(tmp_path):
    generator = np.random.default_rng(17)
    peaks = []
    tracemalloc.start()
    try:
        for name, content in FILES.items():
            path = tmp_path / name
            for _ in range(10):
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                outcome(path, damaged(content, generator), Reading())
                peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    # The files have at most 20 kB. The largest is left out: into one measurement falls what Python loads meanwhile.
    assert sorted(peaks)[-2] < 2**22
