"""Where a training stands within its cycles; loss weights of the VAEs of the SynSE family start anew with each."""

from scople.methods.method import Progress


def in_cycle(at: Progress, cycles: int, length: int = 1) -> tuple[int, float]:
    """The cycle, from 0, and how much of it is done, in [0, length).

    Published schedules count steps of a cycle of `length`. A cycle with another number of steps is stretched to it, so
    that the proportions stay.

    Args:
        at: where the training stands.
        cycles: equal parts of the training.
        length: what a whole cycle counts as.
    """
    cycle, rest = divmod(at.step * cycles, at.steps)
    return cycle, rest * length / at.steps  # one rounding only: step 1500 of 1900 is 1500.0
