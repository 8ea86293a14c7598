"""What the readers of raw files return: samples, and notes about everything that is not a plain sample."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from scople.base.errors import ScopleError
from scople.base.errors import printable as printable

BROKEN = "broken"
"""The kind of a `Note` about a member that gave no sample or lost some; `max_broken` counts these."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One recording of one action, bodies chosen, in metres in the camera's frame of reference.

    `label` counts from 0. `subject`, `camera`, `setup` and `replication` are as in the file's name; what a data
    set does not tell is 0 (see `scople.formats.pku` for what stands there instead).
    """

    name: str
    label: int
    subject: int
    camera: int
    setup: int
    replication: int
    is_training: bool
    sequence: Float32[np.ndarray, "M T V C"]


@dataclass(frozen=True, slots=True, order=True)
class Note:
    """One row of the parse report: what was found in which file at which line (from 1; 0: the file as a whole)."""

    file: str
    line: int
    kind: str
    reason: str


class BadMember(ScopleError):
    """A raw file that cannot be used; it is set aside and the run goes on.

    Args:
        reason: what is wrong with it.
        line: where, from 1; 0 for the file as a whole.
    """

    def __init__(self, reason: str, line: int = 0):
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.reason = reason
        self.line = line
