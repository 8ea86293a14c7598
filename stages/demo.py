"""Synthetic recordings for `profile: demo`, as the data sets are distributed: two NTU zips and a PKU-MMD folder."""

from scople.base.documents import read_document
from scople.base.params import Params
from scople.data.class_names import load_dataset_classes
from scople.demo import load_programs, write_ntu_archives, write_pku
from scople.pipeline.layout import DATASETS, Layout
from scople.pipeline.running import run


def main(params: Params) -> str:
    """Write the archives that the parsers will read."""
    layout = Layout("demo")
    programs = load_programs(DATASETS / "demo" / "programs.yaml")
    ntu = read_document(DATASETS / "ntu120.yaml")
    size = {
        "training_samples": params.demo.training_samples,
        "test_samples": params.demo.test_samples,
        "frames": (params.demo.shortest, params.demo.longest),
        "seed": params.seed,
        "jobs": params.machine.jobs,
    }
    archives = write_ntu_archives(
        layout.raw("ntu"),
        load_dataset_classes(DATASETS / "ntu120.yaml"),
        programs,
        train_subjects=ntu["train_subjects"],
        skip=(DATASETS / ntu["missing"]).read_text().split(),
        **size,
    )
    folder = write_pku(layout.raw("pku"), load_dataset_classes(DATASETS / "pku.yaml"), programs, **size)
    return f"{', '.join(path.name for path in archives)} and {folder}, all synthetic"


if __name__ == "__main__":
    run(main)
