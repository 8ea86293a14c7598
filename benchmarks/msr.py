"""Every method on real recordings: a copy of this repository that runs ten splits of MSR-Action3D.

    python -m benchmarks.msr ../msr FOLDER/msr_action3d.zip
    (cd ../msr && scople spread tables baselines/dvc.yaml)
    python -m benchmarks.msr ../msr --keep

The first command makes the copy, in which `profile`, `datasets` and `splits` of `params.yaml` are MSR-Action3D's, as
docs/own-recordings.md says, and in which the tables have one column for it. It is a copy because `dvc.lock` and the
tables here belong to the data sets of the paper. The last command takes over the numbers, `results/msr/`: means,
standard errors and accuracies. Recordings, features, models and predictions stay in the copy.
"""

import argparse
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from benchmarks.rehearsal import ROOT, copy_repository
from scople.base.errors import ScopleError

PROFILE = DATASET = "msr"

KEPT = ("machine.json", "tables", "metrics", "baselines/tables", "baselines/metrics", "baselines/figures")
"""What below results/msr/ holds or shows means and accuracies, and nothing of a single recording."""


def prepare(place: Path, archive: Path) -> None:
    """Give a copy of the repository the settings, the archive and the tables of MSR-Action3D.

    Args:
        place: the copy.
        archive: msr_action3d.zip; a link to it is put into the copy.

    Raises:
        ScopleError: there is no such archive.
    """
    if not archive.is_file():
        raise ScopleError(f"there is no archive {archive}: name msr_action3d.zip, as datasets/msr.yaml describes it.")
    splits = sorted((path.stem for path in (place / "datasets/splits").glob("msr_16_4_r*.yaml")), key=_number)
    params = _read(place / "params.yaml")
    papers = list(params["splits"])
    params |= {"profile": PROFILE, "datasets": {DATASET: {"raw": DATASET}}}
    params |= {"splits": {name: {"dataset": DATASET} for name in splits}}
    _write(params, place / "params.yaml")

    raw = place / "data/raw" / PROFILE / DATASET
    raw.mkdir(parents=True)
    (raw / archive.name).symlink_to(archive.resolve())

    tables = place / "datasets/paper_tables"
    layouts = _read(tables / "layout.yaml")
    column = {"msr_16_4": {"paper": ["MSR-Action3D", "16/4"], "splits": splits}}
    rows = {variant: name for table in layouts["baselines"].values() for variant, name in table["rows"].items()}
    rows = {variant: name for variant, name in rows.items() if "seen_source" not in params["variants"][variant]}
    layouts["baselines"] = {DATASET: {"rows": rows, "metrics": ["zsl", "s", "u", "h"], "columns": column}}
    _write(layouts, tables / "layout.yaml")
    heading, _, _ = (tables / "table3.csv").read_text(encoding="utf-8").partition("\n")
    (tables / f"{DATASET}.csv").write_text(f"{heading}\n", encoding="utf-8")  # the paper has no number of it
    _write(_of_msr(_read(place / "baselines/dvc.yaml"), papers, rows, splits), place / "baselines/dvc.yaml")


def _of_msr(
    pipeline: dict[str, Any], papers: Sequence[str], rows: Mapping[str, str], splits: Sequence[str]
) -> dict[str, Any]:
    """The baselines' pipeline with other splits, without the variants that `rows` does not name.

    Left out are those whose seen scores are the backbone's, since they need backbones of their own.
    """
    pipeline["vars"] = [{"fixed": ",".join(splits)} if "fixed" in entry else entry for entry in pipeline["vars"]]
    stages = {}
    for name, stage in pipeline["stages"].items():
        if "foreach" in stage:  # the backbones that only those variants need
            continue
        if "matrix" in stage:
            stage["matrix"]["variant"] = [variant for variant in stage["matrix"]["variant"] if variant in rows]
            if not stage["matrix"]["variant"]:
                continue
        stage["deps"] = list(dict.fromkeys(chain(*(_renamed(place, papers, splits) for place in stage["deps"]))))
        made = (next(iter(out)) for out in stage["outs"])
        stage["outs"] = [
            {place.replace("table2.csv", f"{DATASET}.csv"): flags}
            for place, out in zip(made, stage["outs"], strict=True)
            for flags in out.values()
            if not place.endswith("table3.csv")
        ]
        stages[name] = stage
    return pipeline | {"stages": stages}


def _renamed(place: str, papers: Sequence[str], splits: Sequence[str]) -> list[str]:
    """A place that is of one of the paper's splits, for each of the others; any other place as it is."""
    of = [name for name in papers if re.search(rf"/{name}(/|\.|$)", place)]
    return [place.replace(of[0], split) for split in splits] if of else [place]


def keep(place: Path, results: Path) -> list[str]:
    """Copy the numbers of a finished run.

    Args:
        place: the copy of the repository.
        results: the folder `results` that gets them; its `msr` is replaced.

    Returns:
        What was copied, below `msr`.

    Raises:
        ScopleError: the run is not finished.
    """
    found = place / "results" / PROFILE
    for name in KEPT:
        if not (found / name).exists():
            raise ScopleError(f"{found / name} is missing: run `scople spread tables baselines/dvc.yaml` in {place}.")
    shutil.rmtree(results / PROFILE, ignore_errors=True)
    for name in KEPT:
        target = results / PROFILE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (found / name).is_dir() else shutil.copy)(found / name, target)
    return list(KEPT)


def _number(split: str) -> int:
    return int(split.rpartition("_r")[2])


def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _write(document: dict[str, Any], path: Path) -> None:
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def main() -> None:
    """Make the copy and say what to call in it, or take over its numbers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the copy")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("archive", type=Path, nargs="?", help="msr_action3d.zip; the copy is a new folder")
    what.add_argument("--keep", action="store_true", help="take over the numbers of the finished run")
    call = parser.parse_args()
    if call.keep:
        print(f"results/{PROFILE} has now {', '.join(keep(call.folder, ROOT / 'results'))}")
        return
    if call.folder.exists():
        raise ScopleError(f"{call.folder} is there already: name a new folder, or remove it.")
    call.folder.mkdir(parents=True)
    copy_repository(call.folder)
    prepare(call.folder, call.archive)
    print(f"{call.folder} is ready: call `cd {call.folder} && scople spread tables baselines/dvc.yaml`")


if __name__ == "__main__":
    try:
        main()
    except ScopleError as error:
        sys.exit(f"error: {error}")
