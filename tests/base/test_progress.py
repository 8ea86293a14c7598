"""A log gets a line now and then; a terminal gets a bar."""

import sys

import pytest

from scople.base import progress as module
from scople.base.progress import progress


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass with each look at the clock are the caller's to set."""

    class Clock:
        now = 0.0

        @classmethod
        def monotonic(cls):
            return cls.now

    monkeypatch.setattr(module, "time", Clock)
    return Clock


def test_a_log_gets_plain_lines_at_a_pace(clock, capsys):
    for _ in progress(range(7), "training", unit="epoch"):
        clock.now += 13
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("|")[0].split(" [")[0] for line in lines] == ["training:  43% 3/7", "training:  86% 6/7"]
    assert lines[0].endswith("[00:39<00:52, 13.00s/epoch]")  # time so far, time left, rate
    assert "\r" not in "".join(lines)


def test_what_was_done_before_is_left_out_and_does_not_count_for_the_rate(clock, capsys):
    seen = []
    for item in progress(range(1, 8), "training", unit="epoch", done=4):
        seen.append(item)
        clock.now += 31
    assert seen == [5, 6, 7]
    assert capsys.readouterr().err.splitlines()[0] == "training:  71% 5/7 [00:31<01:02, 31.00s/epoch]"


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert list(progress(iter("abc"), "parse", total=3, unit="file")) == ["a", "b", "c"]
    assert "0/3" in capsys.readouterr().err
