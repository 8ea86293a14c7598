"""Uncertainty of a mean over splits: standard errors, and paired differences of two runs on the same splits."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd


class Mean(NamedTuple):
    """A mean with its standard error.

    Attributes:
        value: the mean.
        error: s / sqrt(n), where s is the sample standard deviation over the splits; NaN if there is only one split.
        splits: n.
    """

    value: float
    error: float
    splits: int

    @property
    def is_established(self) -> bool:
        """Whether the mean is more than two standard errors away from 0; false if there is no standard error."""
        return abs(self.value) > 2 * self.error


def mean_over_splits(values: Sequence[float]) -> Mean:
    """The mean over splits of one number.

    Args:
        values: the number on each split; at least one.
    """
    count = len(values)
    error = float(np.std(values, ddof=1) / np.sqrt(count)) if count > 1 else float("nan")
    return Mean(float(np.mean(values)), error, count)


def paired_difference(first: Mapping[str, float], second: Mapping[str, float]) -> Mean:
    """Mean of second - first over the splits that both have.

    If a split is hard for both runs, this cancels in the difference, so its standard error is usually smaller than
    those of the two means.

    Args:
        first: split → a number; at least one split must be in `second` too.
        second: split → the number of the other run.
    """
    return mean_over_splits([second[split] - first[split] for split in first if split in second])


def over_seeds(repeats: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each number over the repeats and, if there are several, its sample deviation as `<name>_std`."""
    table = pd.DataFrame(repeats)
    summary = {name: table[name].mean() for name in table}
    if len(repeats) > 1:
        summary |= {f"{name}_std": table[name].std() for name in table}
    return {name: round(float(value), 4) for name, value in summary.items()}
