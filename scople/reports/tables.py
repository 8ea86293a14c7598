"""The paper's tables from the metrics of every repeat: printed and measured values, in the same columns."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from scople.base.errors import ScopleError
from scople.judging.certainty import mean_over_splits, over_seeds, paired_difference

HEADINGS = {"zsl": "ZSL", "s": "S", "u": "U", "h": "H"}
"""Column suffix → the paper's heading."""

METRICS = {"zsl": "zsl", "s": "seen", "u": "unseen", "h": "harmonic"}
"""Column suffix → name in the metric files."""

OURS = "SCoPLe (ours)"
"""The method's row in the paper's tables."""

Repeats = Mapping[str, Sequence[Mapping[str, float]]]
"""Split → the metrics of each repeat, in per cent."""


def paper_table(
    layout: Mapping[str, Any],
    printed: pd.DataFrame,
    measured: Mapping[tuple[str, str], Repeats],
    *,
    text_backbone: str,
    note: str,
    about: Mapping[str, Mapping[str, str]] | None = None,
    references: Mapping[str, Mapping[str, Repeats]] | None = None,
) -> pd.DataFrame:
    """One table: the paper's rows, then a measured row for each variant and gate.

    Args:
        layout: one table of `layout.yaml`: `columns`, name → `paper` (data set and split as the paper names them) and
            `splits` (to average); `metrics`, the column suffixes; `rows`, variant → name of its row.
        printed: the paper's numbers in long form: columns dataset, split, model, text_backbone, metric, value; a value
            is missing if the paper prints none.
        measured: (variant, gate) → split → metrics of each repeat. A variant that the layout does not name keeps its
            own name.
        text_backbone: name of the text encoder of the measured rows.
        note: what a reader of a measured row must know; empty if the row can be compared with the paper.
        about: variant → what else its rows say, in columns after the model's name; the same columns for all of them.
        references: ending of the columns → gate → the run with which every row under this gate is compared.

    Returns:
        Columns model, those of `about`, text_backbone, source (paper | measured), gate (of a measured row);
        <column>.zsl, .s, .u, .h (per cent, two decimals as text, empty if there is none), the same with `_std` if there
        are several repeats; note. For each reference, these come before the note: zsl_difference and h_difference with
        its ending, the paired mean difference to it over the splits in percentage points, each with its standard error
        `_se`; and the number of splits.
    """
    about, references = about or {}, references or {}
    rows = _printed_rows(layout, printed)
    rows += [
        {
            "model": layout["rows"].get(variant, variant),
            "text_backbone": text_backbone,
            "source": "measured",
            "gate": gate,
            "note": note,
        }
        | about.get(variant, {})
        | _measured_cells(layout, splits)
        | _difference_cells(layout, {ending: runs[gate] for ending, runs in references.items()}, splits)
        for (variant, gate), splits in measured.items()
    ]
    named = [f"{column}.{suffix}" for column in layout["columns"] for suffix in layout["metrics"]]
    found = {column for row in rows for column in row}
    cells = [column for name in named for column in (name, f"{name}_std") if column == name or column in found]
    compared = [
        f"{suffix}_difference{ending}{end}"
        for ending in references
        for suffix in layout["metrics"]
        for end in ("", "_se")
    ]
    cells += [column for column in (*compared, "splits") if column in found]
    further = list(dict.fromkeys(column for entry in about.values() for column in entry))
    columns = ["model", *further, "text_backbone", "source", "gate", *cells, "note"]
    return pd.DataFrame([{column: row.get(column, "") for column in columns} for row in rows])


def _difference_cells(
    layout: Mapping[str, Any], references: Mapping[str, Repeats], measured: Repeats
) -> dict[str, str]:
    """Paired differences in ZSL and H to each reference, over those of the table's splits that both runs have."""
    splits = {split for entry in layout["columns"].values() for split in entry["splits"]}
    cells = {}
    for ending, reference in references.items():
        for suffix in ("zsl", "h"):
            if suffix in layout["metrics"]:
                first, second = (_of_splits(run, METRICS[suffix], splits) for run in (reference, measured))
                if first.keys() & second.keys():
                    found = paired_difference(first, second)
                    cells[f"{suffix}_difference{ending}"] = two_decimals(found.value)
                    cells[f"{suffix}_difference{ending}_se"] = two_decimals(found.error)
                    cells["splits"] = str(found.splits)
    return cells


def _of_splits(run: Repeats, metric: str, splits: Collection[str]) -> dict[str, float]:
    """Split → the mean of a metric over its repeats, of some splits."""
    return {split: over_seeds(found)[metric] for split, found in run.items() if split in splits}


def comparison_table(
    groups: Mapping[str, Sequence[str]],
    measured: Mapping[tuple[str, str], Repeats],
    chance: Mapping[str, float],
    *,
    about: Mapping[str, Mapping[str, str]],
    references: Mapping[str, str],
    note: str,
) -> pd.DataFrame:
    """One row for each variant, gate and group of splits: means, and paired differences to some variants.

    Args:
        groups: name → its splits; a variant has no row for a group of which it was run on another part than the whole.
        measured: (variant, gate) → split → metrics of each repeat.
        chance: split → 100 / number of unseen classes.
        about: variant → what else its rows say, in columns after the variant.
        references: variant → ending of the columns with the differences to it, under the same gate.
        note: what a reader of a row must know; empty if it can be compared with published numbers.

    Returns:
        Columns variant, those of `about`, gate, splits (their number), group; `zsl`, `seen`, `unseen`, `harmonic` (per
        cent), each with its standard error over the splits `_se`; chance (per cent); for each reference
        `zsl_difference<ending>` and `harmonic_difference<ending>` (percentage points) with `_se`; note. Four decimals.
    """
    rows = []
    for (variant, gate), run in measured.items():
        for group, splits in groups.items():
            if not splits or not set(splits) <= run.keys():
                continue
            row = {"variant": variant, **about[variant], "gate": gate, "splits": len(splits), "group": group}
            for metric in METRICS.values():
                mean = mean_over_splits(list(_of_splits(run, metric, splits).values()))
                row |= {metric: mean.value, f"{metric}_se": mean.error}
            row["chance"] = float(np.mean([chance[split] for split in splits]))
            for reference, ending in references.items():
                for metric in ("zsl", "harmonic"):
                    first, second = (_of_splits(each, metric, splits) for each in (measured[reference, gate], run))
                    found = paired_difference(first, second)
                    row |= {
                        f"{metric}_difference{ending}": found.value,
                        f"{metric}_difference{ending}_se": found.error,
                    }
            rows.append(row | {"note": note})
    return flat_table(rows, decimals=4)


def comparison_summary(comparison: pd.DataFrame, gate: str) -> dict[str, float]:
    """ZSL and H of every variant under a gate, from `comparison_table`.

    Returns:
        `<variant>_zsl_<group>` and `<variant>_harmonic_<group>` for every group of splits that the variant has.
    """
    rows = comparison[comparison["gate"] == gate]
    return {
        f"{row.variant}_{metric}_{row.group}": float(getattr(row, metric))
        for row in rows.itertuples()
        for metric in ("zsl", "harmonic")
    }


def computed_by(documents: Sequence[Path]) -> dict[str, str]:
    """What computed several metrics files, read from the documents beside them; if they differ, all values are joined.

    Raises:
        ScopleError: a document is missing or has another form.
    """
    said: dict[str, list[str]] = {}
    for path in documents:
        try:
            for name, value in json.loads(path.read_text(encoding="utf-8"))["computed_by"].items():
                said.setdefault(name, []).append(str(value)[:80])
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise ScopleError(f"{path} does not say what computed its metrics: run `dvc repro` again.") from error
    return {name: " and ".join(dict.fromkeys(values)) for name, values in said.items()}


def summary(groups: Mapping[str, Sequence[str]], measured: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Means over groups of splits, each with its standard error over the splits.

    Args:
        groups: name → its splits; a group is left out if one of its splits was not measured.
        measured: split → metrics in per cent.

    Returns:
        `<metric>_<group>` and, for a group of several splits, `<metric>_<group>_se`; four decimals.
    """
    found = {}
    for name, splits in groups.items():
        if splits and set(splits) <= measured.keys():
            for metric in METRICS.values():
                mean = mean_over_splits([measured[split][metric] for split in splits])
                found[f"{metric}_{name}"] = round(mean.value, 4)
                if mean.splits > 1:
                    found[f"{metric}_{name}_se"] = round(mean.error, 4)
    return found


def zsl_bars(
    layouts: Mapping[str, Mapping[str, Any]],
    printed: Mapping[str, pd.DataFrame],
    measured: Mapping[str, float],
    chance: Mapping[str, float],
) -> pd.DataFrame:
    """Measured ZSL, chance and the paper's ZSL for each column of the tables, for a bar plot.

    Args:
        layouts: table → its layout, as for `paper_table`.
        printed: table → the paper's numbers, as for `paper_table`.
        measured: split → ZSL in per cent.
        chance: split → 100 / number of unseen classes.

    Returns:
        Columns column, source (chance | measured | paper), zsl (per cent, the mean over the column's splits, two
        decimals). A column is left out if one of its splits was not run.
    """
    rows = []
    for name, layout in layouts.items():
        rows_of_ours = printed[name].query("model == @OURS and metric == 'ZSL'")
        papers = rows_of_ours.set_index(["dataset", "split"])["value"]
        for column, entry in layout["columns"].items():
            if set(entry["splits"]) <= measured.keys():
                bars = {
                    "chance": np.mean([chance[split] for split in entry["splits"]]),
                    "measured": np.mean([measured[split] for split in entry["splits"]]),
                    "paper": papers[tuple(entry["paper"])],
                }
                rows += [{"column": column, "source": source, "zsl": zsl} for source, zsl in bars.items()]
    return flat_table(rows)


def figure3_means(points: pd.DataFrame, chosen: Mapping[str, int]) -> pd.DataFrame:
    """Mean ZSL over all splits of Figure 3, and its difference to the ZSL at the chosen value of each setting.

    Args:
        points: columns split, setting, value, zsl.
        chosen: setting → its value in all other runs.

    Returns:
        Columns setting, value, zsl, zsl_se (standard error over the splits), zsl_difference (paired mean difference to
        the chosen value, percentage points), zsl_difference_se, splits; numbers rounded to two decimals.
    """
    rows = []
    for (setting, value), group in points.groupby(["setting", "value"], sort=False):
        by_split = group.set_index("split")["zsl"].to_dict()
        usual = points[(points["setting"] == setting) & (points["value"] == chosen[setting])]
        mean = mean_over_splits(list(by_split.values()))
        found = paired_difference(usual.set_index("split")["zsl"].to_dict(), by_split)
        rows.append(
            {
                "setting": setting,
                "value": value,
                "zsl": mean.value,
                "zsl_se": mean.error,
                "zsl_difference": found.value,
                "zsl_difference_se": found.error,
                "splits": found.splits,
            }
        )
    return flat_table(rows)


def scatter_table(repeats: pd.DataFrame) -> pd.DataFrame:
    """How much repeats differ, for each kind of repeat (only the training, or everything).

    Args:
        repeats: columns split, repeat (training | everything), seed, and metrics in per cent.

    Returns:
        Columns split, repeat, repeats (their number), and for each metric the mean and `_std`, the sample deviation
        over the repeats. The last rows, split `pooled`, have the mean and the root mean square deviation of the splits.
    """
    metrics = [column for column in repeats if column not in ("split", "repeat", "seed")]
    rows = []
    for (split, kind), group in repeats.groupby(["split", "repeat"], sort=False):
        row = {"split": split, "repeat": kind, "repeats": len(group)}
        for metric in metrics:
            row |= {metric: group[metric].mean(), f"{metric}_std": group[metric].std()}
        rows.append(row)
    table = pd.DataFrame(rows)
    for kind, group in table.groupby("repeat", sort=False):
        row = {"split": "pooled", "repeat": kind, "repeats": int(group["repeats"].sum())}
        for metric in metrics:
            row |= {metric: group[metric].mean(), f"{metric}_std": np.sqrt((group[f"{metric}_std"] ** 2).mean())}
        rows.append(row)
    return flat_table(rows)


def _printed_rows(layout: Mapping[str, Any], printed: pd.DataFrame) -> list[dict[str, str]]:
    names = {tuple(entry["paper"]): column for column, entry in layout["columns"].items()}
    suffixes = {HEADINGS[suffix]: suffix for suffix in layout["metrics"]}
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for entry in printed[printed["metric"].isin(suffixes)].itertuples():
        row = rows.setdefault(
            (entry.model, entry.text_backbone),
            {"model": entry.model, "text_backbone": entry.text_backbone, "source": "paper"},
        )
        row[f"{names[entry.dataset, entry.split]}.{suffixes[entry.metric]}"] = two_decimals(entry.value)
    return list(rows.values())


def _measured_cells(layout: Mapping[str, Any], measured: Repeats) -> dict[str, str]:
    """Mean over the splits of each column, then over the repeats; empty unless all of its splits were run."""
    cells = {}
    for column, entry in layout["columns"].items():
        if not all(split in measured for split in entry["splits"]):
            continue
        for suffix in layout["metrics"]:
            repeats = zip(*(measured[split] for split in entry["splits"]), strict=True)
            means = [{suffix: np.mean([metrics[METRICS[suffix]] for metrics in splits])} for splits in repeats]
            cells |= {f"{column}.{name}": two_decimals(value) for name, value in over_seeds(means).items()}
    return cells


def two_decimals(value: float) -> str:
    """A percentage as the paper prints it; empty for a missing one."""
    return "" if np.isnan(value) else f"{value:.2f}"


def flat_table(rows: Sequence[Mapping[str, Any]], decimals: int = 2) -> pd.DataFrame:
    """Rows with the same keys as a table, numbers rounded."""
    return pd.DataFrame(rows).round(decimals)
