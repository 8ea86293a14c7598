"""How sure a mean over splits is: standard errors, and differences of two runs on the same splits."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd


class Mean(NamedTuple):
    """A mean with its standard error.

    Attributes:
        value: the mean.
        error: s / sqrt(n), s the sample deviation over the splits; NaN where there is one split only.
        splits: n.
    """

    value: float
    error: float
    splits: int

    @property
    def is_established(self) -> bool:
        """Whether it is further from 0 than two standard errors; never where there is no standard error."""
        return abs(self.value) > 2 * self.error


def mean_over_splits(values: Sequence[float]) -> Mean:
    """The mean of one number a split.

    Args:
        values: at least one.
    """
    count = len(values)
    error = float(np.std(values, ddof=1) / np.sqrt(count)) if count > 1 else float("nan")
    return Mean(float(np.mean(values)), error, count)


def paired_difference(first: Mapping[str, float], second: Mapping[str, float]) -> Mean:
    """Mean of second - first over the splits that both have.

    What makes a split hard for both falls out of the difference, so its standard error is smaller than those of the
    two means.

    Args:
        first: split → a number, with at least one split that `second` has.
        second: likewise.
    """
    return mean_over_splits([second[split] - first[split] for split in first if split in second])


def over_seeds(repeats: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of each number over the repeats, and its sample deviation as `<name>_std` where there are several."""
    table = pd.DataFrame(repeats)
    summary = {name: table[name].mean() for name in table}
    if len(repeats) > 1:
        summary |= {f"{name}_std": table[name].std() for name in table}
    return {name: round(float(value), 4) for name, value in summary.items()}
