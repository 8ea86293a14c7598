"""What two variants, revisions or experiments measured, side by side; for people, not a stage of the pipeline."""

from pathlib import Path, PurePath

import pandas as pd
from dvc.scm import SCM, SCMError, resolve_rev
from scmrepo.exceptions import SCMError as GitError

from scople.base.artefacts import load_flat_json
from scople.base.documents import listed, quoted, read_document
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.pipeline.layout import DATASETS, Layout
from scople.reports.comparison import HEADINGS, compare, readable, verdict
from scople.reports.tables import OURS

Metrics = dict[str, dict[str, dict[str, float]]]
"""Variant → split → metrics in per cent."""


def main(params: Params, a: str, b: str) -> str:
    """Print the differences.

    A name is a variant of `params.yaml`, `workspace`, a git revision or an experiment; one that is both is the variant.
    Two variants are compared as they lie in the workspace, two revisions model by model, that of the root's pipeline
    (whatever its `variant` was) and then the ablations, and a variant with a revision by that variant.
    """
    first, second = _measured(params, a), _measured(params, b)
    if a in params.variants and b in params.variants:
        pairs = [(a, b)]
    else:
        shared = sorted(first.keys() & second.keys(), key=lambda variant: (variant != params.variant, variant))
        pairs = [(variant, variant) for variant in shared]
    pairs = [(one, other) for one, other in pairs if first[one].keys() & second[other].keys()]
    if not pairs:
        raise ScopleError(
            f"{quoted(a)} and {quoted(b)} measured no split of a variant in common: run the same splits for both."
        )
    means, printed = _paper()
    comparable = params.profile != "demo"
    same = [one for one, other in pairs if one == other and first[one] == second[other]]
    for one, other in pairs:
        if one in same:
            continue
        if one == other:
            print("model of the root's pipeline" if one == params.variant else f"variant {one}")
        print(readable(compare(first[one], second[other], means, printed), a, b, comparable=comparable), end="\n\n")
        print(verdict(first[one], second[other]), end="\n\n")
    if same:
        print(f"The same in both: {', '.join(same)}.")
    print(f"Per cent; below each metric the largest gain comes first. The paper's row is {OURS}, as printed.")
    if not comparable:
        print("A and B are of synthetic recordings and cannot be compared with the paper's numbers.")
    return f"{sum(len(first[one].keys() & second[other].keys()) for one, other in pairs)} splits compared"


def _measured(params: Params, name: str) -> Metrics:
    """Metrics of a variant alone, or of every variant at a revision, under the profile of `params.yaml`.

    Raises:
        ScopleError: no such variant nor revision, it measured nothing, or a metrics file is damaged.
    """
    main = Layout.of(params).metrics("*")
    if name in params.variants:
        patterns = [(main if name == params.variant else Layout.of(params, name).metrics("*")).as_posix()]
    else:
        patterns = [path.as_posix() for path in (main, Layout.of(params, "*").metrics("*"))]
    if name in params.variants or name == "workspace":
        texts = {path: path.read_bytes() for pattern in patterns for path in Path().glob(pattern)}
    else:
        try:
            git = SCM(".")
            # `^{commit}`: of a folder or a file, such as HEAD:README.md, git names an object as well.
            files = git.get_fs(git.resolve_rev(f"{resolve_rev(git, name)}^{{commit}}"))
        except (SCMError, GitError) as error:
            raise ScopleError(
                f"{quoted(name)} is neither a variant of params.yaml ({listed(params.variants)}) nor a git revision or "
                "an experiment: correct the name."
            ) from error
        texts = {PurePath(path): files.read_bytes(path) for pattern in patterns for path in files.glob(pattern)}
    if not any(path.stem != "summary" for path in texts):
        raise ScopleError(f"{quoted(name)} has no {patterns[0]}: run `dvc repro` for it.")
    found: Metrics = {}
    for path, text in sorted(texts.items()):
        if path.stem == "summary":  # of all splits
            continue
        variant = params.variant if PurePath(path).parent == main.parent else path.parent.name
        metrics = load_flat_json(text, float, path, again="restore it, or run `dvc repro` again")
        if lacking := HEADINGS.keys() - metrics.keys():
            raise ScopleError(f"{path} has no {min(lacking)}: restore it, or run `dvc repro` again.")
        found.setdefault(variant, {})[path.stem] = metrics
    return found


def _paper() -> tuple[dict[str, list[str]], dict[tuple[str, str], float]]:
    """Splits behind each column that averages several, and the paper's numbers by column and metric."""
    folder = DATASETS / "paper_tables"
    layout = read_document(folder / "layout.yaml")["main"]
    means, printed = {}, {}
    for table in ("table2", "table3"):
        rows = pd.read_csv(folder / f"{table}.csv").query("model == @OURS")
        for column, entry in layout[table]["columns"].items():
            dataset, split = entry["paper"]
            of_column = rows[(rows["dataset"] == dataset) & (rows["split"] == split)]
            printed |= {(column, row.metric): row.value for row in of_column.itertuples()}
            if len(entry["splits"]) > 1:
                means[column] = entry["splits"]
    return means, printed
