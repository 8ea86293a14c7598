"""The sizes that a method is built for."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """What the data decide of a method's shape.

    Attributes:
        feature_width: D.
        text_width: E.
        classes: K, seen classes.
        lengths: steps of time in each of the intervals that the method reads, see
            `scople.data.joint_features.interval_lengths`.
    """

    feature_width: int
    text_width: int
    classes: int
    lengths: tuple[int, ...] = (1,)
