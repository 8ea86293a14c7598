"""The measured parts of `docs/comparison.md`: tables and sentences between markers, the rest of the page is written.

A part stands between `<!-- made by scople results: NAME -->` and `<!-- NAME ends -->`.
"""

import inspect
import re
import sys
from collections.abc import Mapping
from typing import Any

import pandas as pd

from scople.base.errors import ScopleError
from scople.judging.certainty import Mean
from scople.methods.registry import METHODS
from scople.reports.methods import COMPARED, headline
from scople.reports.results import GATES, by_chance, established, markdown, plain, signed

PART = re.compile(r"(<!-- made by scople results: (\w+) -->\n).*?(<!-- \2 ends -->)", re.S)

DEPARTURES = re.compile(r"Departures.*\n(?:.+\n)*\n((?:- .*\n(?:  .*\n)*)+)")
"""The list in a docstring, below a sentence that begins or ends with this word."""

NOT_RUN = "Not run yet."

A_DAY = 24 * 60
"""Minutes."""


def filled(text: str, parts: Mapping[str, str]) -> str:
    """A page with its measured parts put in.

    Raises:
        ScopleError: the page has no place for a part, or a place for a part that is not there.
    """
    places = [name for _, name, _ in PART.findall(text)]
    if sorted(places) != sorted(parts):
        raise ScopleError(
            f"The page has places for {', '.join(places) or 'nothing'}, but {', '.join(parts)} are to be put in: "
            "restore its markers."
        )
    return PART.sub(lambda found: f"{found[1]}\n{parts[found[2]]}\n\n{found[3]}", text)


def ahead(table: pd.DataFrame | None, gate: str, where: str) -> str:
    """Whether SCoPLe's ZSL is above that of every other method, in one paragraph.

    Args:
        table: see `scople.reports.methods.COLUMNS`; None if it was not measured.
        gate: of the rows.
        where: on which recordings, as it stands after "on".
    """
    if table is None:
        return f"**Whether SCoPLe is ahead on {where} is not known.** The methods have not been run there yet."
    rows = headline(table, gate)
    others = rows[rows["method"] != "scople"]
    (scople,) = rows[rows["method"] == "scople"].to_dict("records")
    found = _differences(others, "zsl", "scople")
    is_ahead = all(each.is_established and each.value < 0 for each in found.values())
    higher = sum(each.value > 0 for each in found.values())
    said = (
        f"**SCoPLe is {'' if is_ahead else 'not '}ahead on {where}** (means over {scople['splits']} splits): its ZSL "
        f"is {plain(_mean(scople, 'zsl'))} %, by chance it would be {scople['chance']:.1f}. "
    )
    if not is_ahead:
        said += f"{higher} of the {len(others)} other methods {'has' if higher == 1 else 'have'} a higher mean. "
    rest = _further(table, gate)
    texts = rest[(rest["seen_source"] == "own") & (rest["zsl"] > scople["zsl"])].sort_values("zsl", ascending=False)
    if len(texts):
        named = ", ".join(f"`{row['variant']}` {row['zsl']:.1f}" for row in texts.to_dict("records"))
        sure = [f"`{r['variant']}`" for r in texts.to_dict("records") if _difference(r, "zsl", "scople").is_established]
        said += f"With other class texts, so have: {named}; established for {', '.join(sure) or 'none of them'}. "
    return said + established(found, "SCoPLe")


def comparison(table: pd.DataFrame | None, gate: str, gains: Mapping[str, Mapping[str, Mean]] | None = None) -> str:
    """The methods side by side, then what else was measured of them.

    Args:
        table: see `scople.reports.methods.COLUMNS`; None if it was not measured.
        gate: of GZSL.
        gains: variant with other class texts → "zsl" and "harmonic", less those of its method with class names.
    """
    if table is None:
        return NOT_RUN
    rows = headline(table, gate)
    further = {name: headline(table, name).set_index("method") for name in GATES if name != gate}
    lines = [
        [
            row["model"],
            row["class_text"],
            plain(_mean(row, "zsl")),
            " / ".join(f"{row[metric]:.1f}" for metric in ("seen", "unseen", "harmonic")),
            *(_cell(other, row["method"], "harmonic") for other in further.values()),
            *("" if row["method"] == name else signed(_difference(row, "zsl", name)) for name in ("scople", "ridge")),
            "" if row["method"] == "scople" else signed(_difference(row, "harmonic", "scople")),
        ]
        for row in rows.to_dict("records")
    ]
    titles = ["method", "class text", "ZSL", f"S / U / H, {GATES[gate]}", *(f"H, {GATES[name]}" for name in further)]
    titles += ["ZSL less SCoPLe's", "ZSL less ridge's", "H less SCoPLe's"]
    others, beside = rows[rows["method"] != "scople"], rows[rows["method"] != "ridge"]
    parts = [
        *(f"**{text[:1].upper()}{text[1:]}.**" for text in table["note"].unique() if text),
        markdown(lines, titles),
        f"Means over {rows['splits'].max()} splits, ± one standard error over the splits; differences are paired. ZSL "
        f"by chance is {rows['chance'].iloc[0]:.1f}.",
        f"ZSL: {established(_differences(others, 'zsl', 'scople'), 'SCoPLe')}",
        f"H: {established(_differences(others, 'harmonic', 'scople'), 'SCoPLe')}",
        f"ZSL beside the control: {established(_differences(beside, 'zsl', 'ridge'), 'ridge regression')}",
        by_chance(2 * len(others) + len(beside)),
    ]
    rest = _further(table, gate)
    if len(rest):
        differences = {f"`{row['variant']}`": row for row in rest.to_dict("records")}
        parts += [
            "Other class texts, and seen scores from the backbone's own classifier (`head`), some on fewer splits:",
            markdown(
                [
                    [
                        name,
                        row["class_text"],
                        row["seen_source"],
                        row["splits"],
                        plain(_mean(row, "zsl")),
                        " / ".join(f"{row[metric]:.1f}" for metric in ("seen", "unseen", "harmonic")),
                        *(signed(_difference(row, metric, "scople")) for metric in COMPARED),
                    ]
                    for name, row in differences.items()
                ],
                ["variant", "class text", "seen scores", "splits", "ZSL", "S / U / H", "ZSL less SCoPLe's"]
                + ["H less SCoPLe's"],
            ),
            *(
                f"{title}: "
                + established({name: _difference(row, metric, "scople") for name, row in differences.items()}, "SCoPLe")
                for title, metric in zip(("ZSL", "H"), COMPARED, strict=True)
            ),
            by_chance(2 * len(rest)),
        ]
    if gains:
        parts += [
            "What another class text changes: each method less itself with class names.",
            markdown(
                [
                    [f"`{variant}`", gain["zsl"].splits, *(signed(gain[metric]) for metric in COMPARED)]
                    for variant, gain in gains.items()
                ],
                ["variant", "splits", "gain in ZSL", "gain in H"],
            ),
        ]
    return "\n\n".join(parts)


def leaks(tables: Mapping[str, pd.DataFrame]) -> str:
    """What PURLS would score if the text of the true class asked, a mean over the splits for each quantity.

    Args:
        tables: recordings, as they stand after "on" → their diagnostics; empty if they were not measured.
    """
    parts = []
    for where, table in tables.items():
        rows, spreads = [], []
        for (variant, quantity), group in table.groupby(["variant", "quantity"], sort=False):
            first, value, reference = group.iloc[0], group["value"].mean(), group["reference"].mean()
            shown = "{:.1f}" if first["unit"] == "%" else "{:.4f}"
            rows.append(
                [f"`{variant}`", f"`{quantity}`", shown.format(value), shown.format(reference)]
                + [first["reference_is"], first["reading"]]
            )
            if quantity == "spread_over_candidates":
                spreads.append(f"{100 * value / reference:.2g} % (`{variant}`)")
        titles = ["variant", "quantity", "mean over splits", "reference", "the reference is", "how it is read"]
        parts += [f"On {where}:", markdown(rows, titles)]
        if spreads:
            parts.append(
                f"There, what a sample's embedding varies with the candidate that asks is {', '.join(spreads)} of what "
                "it varies with the sample. Where this is small, the query hardly matters, and neither does the leak."
            )
    return "\n\n".join(parts) or NOT_RUN


def of_columns(tables: Mapping[str, pd.DataFrame], gate: str) -> str:
    """The measured rows of Tables 2 and 3: ZSL, with H in brackets.

    Args:
        tables: title → a table of `scople.reports.tables.paper_table`; empty if they were not measured.
        gate: of the rows.
    """
    parts = []
    for title, table in tables.items():
        measured = table[(table["source"] == "measured") & (table["gate"] == gate)]
        columns = [name.removesuffix(".zsl") for name in table if name.endswith(".zsl")]
        lines = [
            [row["model"], row.get("class_text", ""), row.get("seen_source", "")]
            + [f"{row[f'{name}.zsl']:.1f} ({row[f'{name}.h']:.1f})" for name in columns]
            for row in measured.to_dict("records")
        ]
        parts += [
            f"{title}, measured rows, ZSL (H):",
            markdown(lines, ["method", "class text", "seen scores", *columns]),
        ]
    return "\n\n".join(parts) or NOT_RUN


def departures() -> str:
    """What every method does otherwise than its published code, from the docstrings of `scople.methods`."""
    modules = dict.fromkeys(entry.method.__module__ for entry in METHODS.values())
    parts = []
    for module in modules:
        title, _, text = inspect.cleandoc(sys.modules[module].__doc__ or "").partition("\n")
        if found := DEPARTURES.search(f"{text}\n"):
            path = f"{module.replace('.', '/')}.py"
            parts += [f"**{title.rstrip('.:')}** ([`{path}`](../{path})):", found[1].rstrip()]
    return "\n\n".join(parts)


def costs(tables: Mapping[str, pd.DataFrame]) -> str:
    """What each method costs at the paper's scale.

    Args:
        tables: device, "cpu" or "cuda" → a table of `benchmarks.methods`.
    """
    if "cpu" not in tables:
        return "They have not been measured yet: `python -m benchmarks.methods` does it."
    cpu = tables["cpu"]
    cuda = {row["method"]: row for row in tables["cuda"].to_dict("records")} if "cuda" in tables else {}
    lines = []
    for row in cpu.to_dict("records"):
        split = _a_split(row)
        line = [
            f"`{row['method']}`",
            f"{row['parameters'] / 1e6:.2f}",
            f"{row['steps']} x {row['batch_size']}" if row["steps"] else "none",
            f"{row['seconds_per_step']:.3f}" if row["steps"] else "",
            _time(split),
            _time(13 * split),
            f"{row['gigaflop'] * row['steps'] / 1e6:.2g}",
            _time(row["counted_minutes"]),
        ]
        if cuda:
            line.append(_time(_a_split(cuda[row["method"]])) if row["method"] in cuda else "")
        lines.append([*line, f"{row['device_gigabytes']:.1f}"])
    titles = ["method", "million parameters", "steps x batch", "s a step, one core", "a split", "13 such splits"]
    titles += ["PFLOP a training, counted", "a training on a GPU, counted"]
    titles += ["a split, GPU, measured"] if cuda else []
    said = "" if cuda else " **Nothing in this table was measured on a GPU.**"
    slow = [f"`{row['method']}`" for row in cpu.to_dict("records") if 13 * _a_split(row) > 2 * A_DAY]
    parts = [
        markdown(lines, [*titles, "GB on the device"]),
        f"A split is two trainings, one of them for the gates, and the scoring of all test samples.{said}",
        f"Two cores need more than a day for 13 such splits of: {', '.join(slow) or 'none'}.",
    ]
    return "\n\n".join(parts)


def _a_split(row: Mapping[str, Any]) -> float:
    return 2 * row["training_minutes"] + row["scoring_minutes"]


def _time(minutes: float) -> str:
    if minutes < 1:
        return "under 1 min"
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.0f} h" if minutes < 2 * A_DAY else f"{minutes / A_DAY:.0f} days"


def _mean(row: Mapping[str, Any], metric: str) -> Mean:
    return Mean(row[metric], row[f"{metric}_se"], row["splits"])


def _difference(row: Mapping[str, Any], metric: str, reference: str) -> Mean:
    return _mean(row, f"{metric}_difference_{reference}")


def _differences(rows: pd.DataFrame, metric: str, reference: str) -> dict[str, Mean]:
    return {row["model"]: _difference(row, metric, reference) for row in rows.to_dict("records")}


def _further(table: pd.DataFrame, gate: str) -> pd.DataFrame:
    """Rows of the variants that do not stand for a method, each on the most splits that it was run on."""
    rest = table[(table["gate"] == gate) & (table["variant"] != table["method"])]
    return rest.sort_values("splits", kind="stable").drop_duplicates("variant", keep="last").sort_index()


def _cell(rows: pd.DataFrame, method: str, metric: str) -> str:
    return f"{rows.loc[method, metric]:.1f}" if method in rows.index else ""
