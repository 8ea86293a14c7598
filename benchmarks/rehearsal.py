"""A rehearsal of the whole paper, shortened: a copy of this repository in which `profile: paper` runs in minutes.

    python -m benchmarks.rehearsal ../rehearsal
    cd ../rehearsal && dvc repro && dvc repro ablations/dvc.yaml

The folder gets the archives of all three data sets in their real structure, all 13 splits, 300 frames, and a file with
random weights in the shapes of CLIP ViT-B/32. Shortened are the recordings (synthetic, of a few classes), the classes
of each split (its own unseen ones and a few seen ones), the backbone's width, and the epochs. So nothing that comes out
means anything; what counts is that all of it comes out. `tests/test_rehearsal.py` runs the same in one process, with a
narrower text encoder.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml
from safetensors.torch import save_file

from scople.base.encoders import PAPERS_CLIP
from scople.base.errors import ScopleError
from scople.base.seeding import seeded
from scople.data.class_names import load_dataset_classes
from scople.demo import load_programs, write_ntu_archives, write_pku
from scople.text import clip

ROOT = Path(__file__).resolve().parents[1]

SEEN = {"ntu60": [1, 9, 23, 27, 43, 58], "ntu120": [1, 23, 43, 64, 80, 97], "pku": [1, 6, 13, 23, 34, 46]}
"""Data set → ids that its splits may train on; where one of them is unseen in a split, it stays so there."""

UNSEEN = 2
"""Unseen classes of a split; so many of its seen ones calibrate the gate."""

SCALE = {
    "pretrain": {"width": 4, "epochs": 1, "batch_size": 8, "milestones": []},
    "features": {"batch_size": 8},
    "train": {"epochs": 1},
}
"""What is changed in the profile; all else stands as in `params.yaml`."""

SAMPLES = {"training_samples": 4, "test_samples": 2, "frames": (60, 150)}
"""Recordings of a class, and the frames of one."""


def prepare(place: Path, jobs: int = 0, scale: Mapping[str, Mapping] = SCALE) -> None:
    """Fill a folder with data sets, splits, settings, archives and text weights; `datasets` is copied into it.

    Args:
        place: the folder; it has no `datasets` or `data` yet.
        jobs: processes that write archives; 0 = all cores.
        scale: what is changed in the profile.
    """
    shutil.copytree(ROOT / "datasets", place / "datasets", dirs_exist_ok=True)
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    needed: dict[str, set[int]] = {name: set() for name in params["datasets"]}
    for name, entry in params["splits"].items():
        path = place / f"datasets/splits/{name}.yaml"
        unseen = sorted(yaml.safe_load(path.read_text(encoding="utf-8"))["unseen"][:UNSEEN])
        seen = [number for number in SEEN[entry["dataset"]] if number not in unseen]
        path.write_text(f"unseen: {unseen}\nseen: {seen}\n", encoding="utf-8")
        needed[entry["dataset"]] |= {*unseen, *seen}
    _write_archives(place, needed, params["seed"], jobs)

    weights = place / "clip.safetensors"
    with seeded(params["seed"], "rehearsal"):
        model = clip.text_half(PAPERS_CLIP)
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, weights)
    profile = params["profiles"]["paper"]
    for section, changes in scale.items():
        profile[section] |= changes
    profile["text_weights"] = weights.name
    params |= {"profile": "paper"}
    (place / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False), encoding="utf-8")


def _write_archives(place: Path, needed: dict[str, set[int]], seed: int, jobs: int) -> None:
    """Both NTU zips, with the classes that splits of either NTU data set need, and PKU-MMD's folders."""
    programs = load_programs(ROOT / "datasets/demo/programs.yaml")
    size = SAMPLES | {"seed": seed, "jobs": jobs}
    ntu = yaml.safe_load((ROOT / "datasets/ntu120.yaml").read_text(encoding="utf-8"))
    everything = load_dataset_classes(ROOT / "datasets/ntu120.yaml")
    write_ntu_archives(
        place / "data/raw/paper/ntu",
        [entry for entry in everything if entry.number in needed["ntu60"] | needed["ntu120"]],
        programs,
        train_subjects=ntu["train_subjects"],
        skip=(ROOT / "datasets" / ntu["missing"]).read_text(encoding="utf-8").split(),
        **size,
    )
    everything = load_dataset_classes(ROOT / "datasets/pku.yaml")
    write_pku(
        place / "data/raw/paper/pku", [entry for entry in everything if entry.number in needed["pku"]], programs, **size
    )


def copy_repository(place: Path) -> None:
    """The tracked files in a git repository of their own, with one commit; DVC needs one."""
    names = subprocess.check_output(["git", "ls-files"], cwd=ROOT, text=True).splitlines()
    for name in names:
        # Locks and results belong to other settings.
        if (ROOT / name).is_file() and not name.startswith("results/") and Path(name).name != "dvc.lock":
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
    author = ("-c", "user.name=rehearsal", "-c", "user.email=rehearsal@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*author, "commit", "-qm", "rehearsal")):
        subprocess.run(["git", *words], cwd=place, check=True)


def main() -> None:
    """Make the folder and say what to call in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new folder")
    place = parser.parse_args().folder
    if place.exists():
        raise ScopleError(f"{place} is there already: name a new folder, or remove it.")
    place.mkdir(parents=True)
    copy_repository(place)
    prepare(place)
    print(f"{place} is ready: call `cd {place} && dvc repro && dvc repro ablations/dvc.yaml`")


if __name__ == "__main__":
    try:
        main()
    except ScopleError as error:
        sys.exit(f"error: {error}")
