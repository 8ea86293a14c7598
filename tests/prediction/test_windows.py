"""Pieces of a long recording."""

import numpy as np
import pytest

from scople.prediction.windows import windows


def recording(frames):
    return np.arange(1, 1 + frames, dtype=np.float32)[None, :, None, None] * np.ones((1, 1, 25, 3), np.float32)


def spans(*words, frames):
    return [(piece.start, piece.end) for piece in windows(recording(frames), *words)]


def test_without_a_window_the_recording_is_one():
    assert spans(frames=101) == [(0, 101)]


def test_windows_begin_a_stride_apart_and_the_last_ends_with_the_recording():
    assert spans(3.0, 1.0, frames=150) == [(0, 90), (30, 120), (60, 150)]
    assert spans(3.0, 1.0, frames=157) == [(0, 90), (30, 120), (60, 150), (67, 157)]
    assert spans(1.0, None, frames=90) == [(0, 30), (30, 60), (60, 90)]


def test_a_shorter_recording_is_one_window():
    assert spans(3.0, 1.0, frames=89) == [(0, 89)]
    assert spans(3.0, 1.0, frames=90) == [(0, 90)]


def test_every_frame_is_in_a_window():
    for frames in range(1, 200, 7):
        covered = {frame for start, end in spans(1.1, 0.7, frames=frames) for frame in range(start, end)}
        assert covered == set(range(frames))


def test_a_window_is_a_view_of_its_frames_and_tells_its_seconds():
    piece = windows(recording(150), 3.0, 1.0)[1]
    assert piece.sequence[0, :, 0, 0].tolist() == list(range(31, 121))
    assert piece.seconds == pytest.approx((1.0, 4.0))


def test_a_window_with_nobody_is_left_out():
    sequence = recording(120)
    sequence[:, 30:60] = 0
    assert [piece.start for piece in windows(sequence, 1.0, 1.0)] == [0, 60, 90]
    assert windows(np.zeros_like(sequence)) == []
