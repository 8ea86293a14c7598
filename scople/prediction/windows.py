"""A long recording as shorter pieces that each get an answer of their own."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

FRAMES_PER_SECOND = 30
"""Of every clip, see `scople.recordings.clips`."""


@dataclass(frozen=True)
class Window:
    """A piece of a recording.

    Attributes:
        start: its first frame, from 0.
        end: the frame after its last.
        sequence: a view of the recording's, metres.
    """

    start: int
    end: int
    sequence: Float32[np.ndarray, "M T V C"]

    @property
    def seconds(self) -> tuple[float, float]:
        """Where it begins and ends in the recording."""
        return self.start / FRAMES_PER_SECOND, self.end / FRAMES_PER_SECOND


def windows(
    sequence: Float32[np.ndarray, "M T V C"], window: float | None = None, stride: float | None = None
) -> list[Window]:
    """Cut a recording.

    The last window ends with the recording, so that nothing is left over; it may begin less than a stride after the one
    before. A window in which nobody is seen is left out.

    Args:
        sequence: metres, zeros where a person is absent.
        window: length in seconds; without one, the recording is one window. A shorter recording is one window, too.
        stride: seconds from one beginning to the next; a window's length without one.
    """
    frames = sequence.shape[1]
    length = min(frames, _frames(window)) if window else frames
    last = frames - length
    starts = [*range(0, last, _frames(stride or window)), last] if window else [0]
    cut = [Window(start, start + length, sequence[:, start : start + length]) for start in starts]
    return [piece for piece in cut if piece.sequence.any()]


def _frames(seconds: float) -> int:
    return max(1, round(seconds * FRAMES_PER_SECOND))
