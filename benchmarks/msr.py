"""Every method on real recordings: a copy of this repository that runs ten splits of MSR-Action3D.

    python -m benchmarks.msr ../msr FOLDER/msr_action3d.zip
    (cd ../msr && scople spread dvc.yaml baselines/dvc.yaml)
    python -m benchmarks.msr ../msr --keep

The first command makes the copy, in which `profile`, `datasets` and `splits` of `params.yaml` are MSR-Action3D's, as
docs/own-recordings.md says, and in which the tables have one column for it. It is a copy because `dvc.lock` and the
tables here belong to the data sets of the paper. The last command takes over the numbers, `results/msr/`: means,
standard errors and accuracies. Recordings, features, models and predictions stay in the copy.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import yaml

from benchmarks.rehearsal import ROOT, copy_repository
from scople.base.errors import ScopleError

PROFILE = DATASET = "msr"

KEPT = ("machine.json", "tables", "metrics", "baselines/tables", "baselines/metrics")
"""Files and folders below results/msr/ that hold numbers and nothing of a single recording."""


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
    params |= {"profile": PROFILE, "datasets": {DATASET: {"raw": DATASET}}}
    params |= {"splits": {name: {"dataset": DATASET} for name in splits}}
    _write(params, place / "params.yaml")

    raw = place / "data/raw" / PROFILE / DATASET
    raw.mkdir(parents=True)
    (raw / archive.name).symlink_to(archive.resolve())

    layouts = _read(place / "datasets/paper_tables/layout.yaml")
    column = {"msr_16_4": {"paper": ["MSR-Action3D", "16/4"], "splits": splits}}
    for pipeline in ("main", "baselines"):
        rows = {variant: name for table in layouts[pipeline].values() for variant, name in table["rows"].items()}
        layouts[pipeline] = {DATASET: {"rows": rows, "metrics": ["zsl", "s", "u", "h"], "columns": column}}
    _write(layouts, place / "datasets/paper_tables/layout.yaml")
    tables = place / "datasets/paper_tables"  # the paper has no number of this data set
    heading, _, _ = (tables / "table3.csv").read_text(encoding="utf-8").partition("\n")
    (tables / f"{DATASET}.csv").write_text(f"{heading}\n", encoding="utf-8")


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
            raise ScopleError(f"{found / name} is missing: run `scople spread dvc.yaml baselines/dvc.yaml` in {place}.")
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
    print(f"{call.folder} is ready: call `cd {call.folder} && scople spread dvc.yaml baselines/dvc.yaml`")


if __name__ == "__main__":
    try:
        main()
    except ScopleError as error:
        sys.exit(f"error: {error}")
