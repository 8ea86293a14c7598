"""The tables under `results/` as one readable page, `docs/results.md`. No figure on it is typed by hand.

Standard errors decide what the sentences say: a difference of more than two of them is called established, and nothing
else is ranked.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from tabulate import tabulate

from scople.judging.certainty import Mean, mean_over_splits, paired_difference

GATES = {"entropy": "entropy (the paper's)", "stacking": "calibrated stacking"}

HEADINGS = {"zsl": "ZSL", "seen": "S", "unseen": "U", "harmonic": "H"}

CHOSEN = [
    "zsl", "zsl_skeletons_shuffled", "zsl_texts_shuffled", "oracle_query_leak", "oracle_query_leak_skeletons_shuffled",
    "spread_over_candidates", "seen_candidates", "held_out_loss_trained_on_shuffled", "zsl_plain_label",
]  # fmt: skip
"""The diagnostics on the page, by name in `scople.judging.diagnostics.QUANTITIES`; the file has all of them."""


def results_page(
    folder: str,
    machine: Mapping[str, str],
    samples: Mapping[str, Mapping[str, int]],
    summary: Mapping[str, float],
    main: Mapping[str, pd.DataFrame],
    ablations: Mapping[str, pd.DataFrame],
    names: Mapping[str, Mapping[str, str]],
    usual: Mapping[str, int],
) -> str:
    """The whole page in Markdown.

    Args:
        folder: where the tables lie, `results/<profile>`.
        machine: what computed them.
        samples: split → number of test samples of `seen` and of `unseen` classes.
        summary: means over groups of splits, see `scople.reports.tables.summary`.
        main: tables of the root's pipeline by file name: controls, losses, zsl; and `metrics`, a row a split.
        ablations: those of the ablations: table1, table4, figure3_means, scatter, diagnostics; may be empty.
        names: ablations' table → variant → name of its row.
        usual: setting of Figure 3 → its value in `params.yaml`.
    """
    controls = by_split(main["controls"])
    note = main["controls"]["note"].dropna().unique().tolist()
    parts = [
        f"<!-- Made by `scople results` from {folder}/. Do not edit: call it again. -->",
        "# Results",
        *(f"**{text[:1].upper()}{text[1:]}.**" for text in note),
        "Numbers are per cent unless a table says otherwise. ± is one standard error over the splits. A difference is "
        "called established if it is more than two standard errors. Computed on: "
        + ", ".join(f"{name} {value}" for name, value in machine.items())
        + f". The numbers come from the tables in [`{folder}/tables/`](../{folder}/tables).",
        "## Every split",
        *_splits(controls, samples, main),
        "## Means",
        _means(summary),
        "## Beside the paper",
        _beside(main["zsl"]),
        "## The gate",
        *_gates(controls),
    ]
    if ablations:
        parts += [
            "## Rows of Tables 1 and 4",
            *_variants(ablations, names),
            "## Figure 3: how many prompts, how deep",
            *_figure3(ablations["figure3_means"], usual),
            "## How far repeats lie apart",
            *_scatter(ablations["scatter"]),
            "## Does the training look at the skeletons?",
            *_diagnostics(ablations["diagnostics"]),
        ]
    else:
        parts.append("`make ablations` adds the rows of Tables 1 and 4, Figure 3, the scatter and the diagnostics.")
    return "\n\n".join(parts) + "\n"


def by_split(controls: pd.DataFrame) -> pd.DataFrame:
    """Means over the repeats of every split, splits in their order."""
    return controls.groupby("split", sort=False).mean(numeric_only=True)


def _splits(
    controls: pd.DataFrame, samples: Mapping[str, Mapping[str, int]], main: Mapping[str, pd.DataFrame]
) -> list[str]:
    per_split = main["metrics"].set_index("split")
    losses = main["losses"].set_index("split")
    rows = [
        [
            split,
            f"{samples[split]['seen']} + {samples[split]['unseen']}",
            f"{row['chance']:.1f}",
            f"{per_split.loc[split, 'zsl']:.1f}",
            " / ".join(f"{per_split.loc[split, metric]:.1f}" for metric in ("seen", "unseen", "harmonic")),
            f"{row['zsl_shuffled']:.1f}",
            f"{row['seen_candidates']:.1f}",
            f"{row['backbone']:.1f}",
            f"{losses.loc[split, 'loss']:.2f}",
        ]
        for split, row in controls.iterrows()
    ]
    titles = ["split", "test samples, seen + unseen", "chance", "ZSL", "S / U / H", "ZSL, skeletons shuffled"]
    titles += ["seen samples, SCoPLe", "seen samples, backbone", "last training loss"]
    over = mean_over_splits((controls["zsl"] - controls["chance"]).tolist())
    beside = paired_difference(controls["backbone"].to_dict(), controls["seen_candidates"].to_dict())
    return [
        markdown(rows, titles),
        "*Seen samples*: accuracy on the test samples of seen classes, without a gate and with only the seen classes "
        "as candidates; once by SCoPLe, once by the backbone's own classifier. *Skeletons shuffled*: ZSL when each "
        "test sample gets the skeleton of another one; it must be at chance. *Last training loss*: SCoPLe's.",
        f"Over {over.splits} splits, ZSL less chance is {signed(over)} points: {verdict(over)}. On seen samples, "
        f"SCoPLe less the backbone's own classifier is {signed(beside)} points: {verdict(beside)}.",
    ]


def _means(summary: Mapping[str, float]) -> str:
    groups = [key.removeprefix("zsl_") for key in summary if key.startswith("zsl_") and not key.endswith("_se")]
    rows = [[group, *(_summed(summary, metric, group) for metric in HEADINGS)] for group in groups]
    return markdown(rows, ["splits", *HEADINGS.values()])


def _summed(summary: Mapping[str, float], metric: str, group: str) -> str:
    error = summary.get(f"{metric}_{group}_se", float("nan"))
    return f"{summary[f'{metric}_{group}']:.1f}" + ("" if np.isnan(error) else f" ± {error:.1f}")


def _beside(bars: pd.DataFrame) -> str:
    wide = bars.pivot(index="column", columns="source", values="zsl").reindex(bars["column"].unique())
    rows = [
        [column, *(f"{row[source]:.1f}" for source in ("chance", "measured", "paper"))]
        for column, row in wide.iterrows()
    ]
    return markdown(rows, ["ZSL of", "chance", "measured here", "printed in the paper"])


def _gates(controls: pd.DataFrame) -> list[str]:
    rows, shares = [], {}
    for gate, name in GATES.items():
        values = {key: controls[f"{gate}_{key}"] for key in ("harmonic", "upper_bound_from_test_labels")}
        shares[gate] = mean_over_splits(controls[f"{gate}_percent_of_upper_bound"].tolist())
        rows.append(
            [name, *(plain(mean_over_splits(found.tolist())) for found in values.values()), plain(shares[gate])]
        )
    difference = paired_difference(controls["entropy_harmonic"].to_dict(), controls["stacking_harmonic"].to_dict())
    medians = {
        (part, kind): float(np.median(controls[f"entropy_{part}_median_{kind}"]))
        for part in ("calibration", "test")
        for kind in ("seen", "unseen")
    }
    risen = {
        kind: paired_difference(
            controls[f"entropy_calibration_median_{kind}"].to_dict(), controls[f"entropy_test_median_{kind}"].to_dict()
        )
        for kind in ("seen", "unseen")
    }
    said = {kind: f"{signed(found, 2)} nats, {verdict(found)}" for kind, found in risen.items()}
    return [
        markdown(
            rows, ["gate", "H", "H of the best threshold (uses test labels, not a result)", "share of it reached"]
        ),
        f"H under stacking less H under the entropy gate: {signed(difference)} points over {difference.splits} "
        f"splits: {verdict(difference)}.",
        "The threshold is chosen on samples of training subjects. The backbone was trained on these subjects, but not "
        "on the test subjects. From training to test subjects, the median entropy goes from "
        f"{medians['calibration', 'seen']:.2f} to {medians['test', 'seen']:.2f} nats for seen classes (paired: "
        f"{said['seen']}) and from {medians['calibration', 'unseen']:.2f} to {medians['test', 'unseen']:.2f} nats for "
        f"unseen ones (paired: {said['unseen']}). "
        + (
            "So the chosen threshold is too low for test subjects: it calls more of their seen samples unseen than it "
            "did in the calibration."
            if risen["seen"].is_established and risen["seen"].value > 0
            else "No rise for seen classes is established, so the change of subjects does not explain why the chosen "
            "threshold is worse than the best one."
        ),
    ]


def _variants(tables: Mapping[str, pd.DataFrame], names: Mapping[str, Mapping[str, str]]) -> list[str]:
    measured: dict[str, dict[str, Any]] = {}  # rows of both tables that are the same model are one
    for table in ("table1", "table4"):
        variants = {name: variant for variant, name in names[table].items()}
        for row in tables[table].query("source == 'measured'").to_dict("records"):
            entry = measured.setdefault(variants[row["model"]], {"names": []})
            entry |= row
            entry["names"].append(row["model"])
    columns = [name.removesuffix(".zsl") for name in tables["table4"] if name.endswith(".zsl")]
    rows, found = [], {"ZSL": {}, "H": {}}
    for variant, row in measured.items():
        cells = []
        for column in columns:
            zsl, harmonic = float(row[f"{column}.zsl"]), float(row.get(f"{column}.h", "nan"))
            cells.append(f"{zsl:.1f}" + ("" if np.isnan(harmonic) else f" ({harmonic:.1f})"))
        for heading, suffix in (("ZSL", "zsl"), ("H", "h")):
            difference = (float(row.get(f"{suffix}_difference{end}", "nan")) for end in ("", "_se"))
            value = Mean(*difference, int(row["splits"]))
            cells.append("" if np.isnan(value.value) else signed(value))
            if not np.isnan(value.value) and variant != "scople":
                found[heading][f"`{variant}`"] = value
        rows.append(["; ".join(row["names"]), f"`{variant}`", *cells])
    return [
        markdown(rows, ["row", "variant", *columns, "ZSL less the full model's", "H less the full model's"]),
        "ZSL, with H in brackets if the row is in Table 4. Differences to `scople`, the full model, are paired over "
        f"{int(measured['scople']['splits'])} splits.",
        *(f"{heading}: {established(values, '`scople`')}" for heading, values in found.items() if values),
        by_chance(sum(map(len, found.values()))),
    ]


def _figure3(means: pd.DataFrame, usual: Mapping[str, int]) -> list[str]:
    rows, found = [], {}
    for row in means.to_dict("records"):
        difference = Mean(row["zsl_difference"], row["zsl_difference_se"], int(row["splits"]))
        is_usual = row["value"] == usual[row["setting"]]
        rows.append(
            [
                row["setting"],
                row["value"],
                plain(Mean(row["zsl"], row["zsl_se"], int(row["splits"]))),
                "this is it" if is_usual else signed(difference),
            ]
        )
        if not is_usual:
            found[f"`{row['setting']}` {row['value']}"] = difference
    return [
        markdown(rows, ["setting", "value", "ZSL", "less the ZSL at the value in `params.yaml`"]),
        f"Over {int(means['splits'].iloc[0])} splits. {established(found, 'the values in `params.yaml`')}",
        by_chance(len(found)),
    ]


def _scatter(scatter: pd.DataFrame) -> list[str]:
    pooled = scatter.query("split == 'pooled'").set_index("repeat")
    names = {"training": "SCoPLe's training, one backbone", "everything": "everything, a backbone of its own"}
    rows = [
        [
            name,
            int(pooled.loc[kind, "repeats"]),
            *(f"{pooled.loc[kind, column]:.1f}" for column in ("zsl_std", "seen_candidates_std")),
        ]
        for kind, name in names.items()
    ]
    share = 100 * (pooled.loc["training", "zsl_std"] / pooled.loc["everything", "zsl_std"]) ** 2
    return [
        markdown(rows, ["repeats start at", "repeats", "deviation of ZSL", "deviation on seen samples"]),
        "Standard deviations over the repeats, in points, as the root mean square over the splits. Repeating only "
        f"SCoPLe's training gives {share:.0f} % of the variance in ZSL that repeating everything gives.",
    ]


def _diagnostics(table: pd.DataFrame) -> list[str]:
    splits = table["split"].unique().tolist()
    rows = []
    for (quantity, query), group in table.groupby(["quantity", "training_query"], sort=False):
        if quantity in CHOSEN:
            cells = group.set_index("split")
            values = [f"{_short(cells.loc[s, 'value'])} ({_short(cells.loc[s, 'reference'])})" for s in splits]
            rows.append((CHOSEN.index(quantity), [f"`{quantity}`", query, *values, group["reference_is"].iloc[0]]))
    rows.sort(key=lambda row: row[0])
    readings = table[table["quantity"].isin(CHOSEN)].drop_duplicates("quantity").set_index("quantity")["reading"]
    legend = [f"- `{quantity}`: {readings[quantity]}." for quantity in CHOSEN if quantity in readings]
    return [
        markdown([row for _, row in rows], ["quantity", "training query", *splits, "in brackets"]),
        "\n".join(legend),
    ]


def established(found: Mapping[str, Mean], reference: str) -> str:
    """Which differences are established, in words; the others are named together, in no order of size.

    If none is established, none is named.
    """
    sure = [
        f"{name} is {abs(value.value):.1f} ± {value.error:.1f} points "
        f"{'above' if value.value > 0 else 'below'} {reference}"
        for name, value in found.items()
        if value.is_established
    ]
    open_ones = [name for name, value in found.items() if not value.is_established]
    if not sure:
        return f"No difference to {reference} is established."
    said = f"{'; '.join(sure)}. "
    if open_ones:
        said += f"No difference to {reference} is established for {', '.join(open_ones)}."
    return said.strip()


def by_chance(comparisons: int) -> str:
    """How many of so many comparisons would look established where there is nothing."""
    return (
        f"These are {comparisons} comparisons. Even if none of the changes had an effect, about one in twenty would be "
        "more than two standard errors; with few splits, more than that."
    )


def verdict(found: Mean) -> str:
    """Whether a difference is established, in words."""
    return "established" if found.is_established else "not established"


def signed(found: Mean, decimals: int = 1) -> str:
    """A difference with its sign and its standard error, where it has one."""
    return f"{found.value:+.{decimals}f}" + ("" if np.isnan(found.error) else f" ± {found.error:.{decimals}f}")


def plain(found: Mean) -> str:
    """A value with its standard error."""
    return signed(found).lstrip("+")


def _short(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def markdown(rows: list[list[Any]], titles: list[str]) -> str:
    """A table in Markdown, every cell as it is."""
    return tabulate(rows, headers=titles, tablefmt="pipe", disable_numparse=True)
