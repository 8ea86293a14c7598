"""Two runs side by side, and the paper beside both."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from tabulate import SEPARATING_LINE, tabulate

from scople.judging.certainty import paired_difference

HEADINGS = {"zsl": "ZSL", "seen": "S", "unseen": "U", "harmonic": "H"}
"""Name in the metric files → the paper's heading, in the paper's order."""


def compare(
    first: Mapping[str, Mapping[str, float]],
    second: Mapping[str, Mapping[str, float]],
    means: Mapping[str, Sequence[str]],
    printed: Mapping[tuple[str, str], float],
) -> pd.DataFrame:
    """What two runs measured on the splits that both have.

    Args:
        first: split → metrics in per cent.
        second: likewise.
        means: name → splits whose mean is a row of its own; left out unless both runs have every one of them.
        printed: (split or name of a mean, heading of a metric) → the paper's number in per cent.

    Returns:
        Columns metric, split, first, second, difference (second - first), paper (NaN where it prints none), and
        `to_paper` (second - paper). Metrics in the paper's order; below each, the largest gain first.
    """
    common = [split for split in first if split in second]
    groups = {split: [split] for split in common}
    groups |= {name: splits for name, splits in means.items() if set(splits) <= set(common)}
    rows = [
        {
            "metric": heading,
            "split": name,
            "first": np.mean([first[split][metric] for split in splits]),
            "second": np.mean([second[split][metric] for split in splits]),
            "paper": printed.get((name, heading), np.nan),
        }
        for metric, heading in HEADINGS.items()
        for name, splits in groups.items()
    ]
    table = pd.DataFrame(rows, columns=["metric", "split", "first", "second", "paper"])
    table.insert(4, "difference", table["second"] - table["first"])
    table["to_paper"] = table["second"] - table["paper"]
    order = table["metric"].map(list(HEADINGS.values()).index)
    return table.iloc[np.lexsort((-table["difference"], order))].reset_index(drop=True)


def readable(table: pd.DataFrame, first: str, second: str, *, comparable: bool) -> str:
    """The table of `compare` as text, a block for each metric.

    Args:
        table: what `compare` gave.
        first: name of the first run.
        second: name of the second run.
        comparable: whether the runs may be compared with the paper; otherwise the difference to it is left out.
    """
    names = {"first": f"A: {first}", "second": f"B: {second}", "difference": "B - A", "to_paper": "B - paper"}
    shown = table if comparable else table.drop(columns="to_paper")
    lines = []
    for _, block in shown.astype(object).where(shown.notna(), None).groupby("metric", sort=False):
        lines += [SEPARATING_LINE, *block.to_numpy().tolist()]
    return tabulate(
        lines[1:],
        headers=[names.get(column, column) for column in shown],
        tablefmt="simple",
        floatfmt=["", "", *("+.2f" if column in ("difference", "to_paper") else ".2f" for column in shown.columns[2:])],
        missingval="-",
    )


def verdict(first: Mapping[str, Mapping[str, float]], second: Mapping[str, Mapping[str, float]]) -> str:
    """The paired mean difference of two runs over the splits that both have, metric by metric, and what it is worth.

    Args:
        first: split → metrics in per cent.
        second: likewise.
    """
    rows = []
    for metric, heading in HEADINGS.items():
        one, other = ({split: values[metric] for split, values in run.items()} for run in (first, second))
        found = paired_difference(one, other)
        if found.splits == 1:
            said = "one split has no standard error: nothing is established"
        elif found.is_established:
            said = "more than two standard errors"
        else:
            said = "within two standard errors: no difference is established"
        rows.append([heading, found.value, None if found.splits == 1 else found.error, found.splits, said])
    return tabulate(
        rows,
        headers=["metric", "mean B - A", "standard error", "splits", ""],
        tablefmt="simple",
        floatfmt=("", "+.2f", ".2f", "", ""),
        missingval="-",
    )
