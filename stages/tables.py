"""Metrics of all splits and repeats → the tables as the paper lays them out, per-class accuracies and controls."""

from scople.base.artefacts import save_json
from scople.base.files import whole
from scople.base.params import Params
from scople.pipeline.layout import Layout
from scople.pipeline.running import run
from scople.reports.gathering import gather


def main(params: Params, pipeline: str) -> str:
    """Gather what a pipeline, main, ablations or baselines, measured and write its tables."""
    layout = Layout(params.profile, "" if pipeline == "main" else pipeline)
    found = gather(params, pipeline, layout)
    for name, table in found.tables.items():
        with whole(layout.tables / f"{name}.csv") as path:
            table.to_csv(path, index=False, lineterminator="\n")
    for path, document in found.documents.items():
        save_json(document, path)
    zsl = ", ".join(f"{split} {value:.1f}" for split, value in found.zsl.items())
    return f"{len(found.tables)} tables in {layout.tables}; ZSL of {params.variant}: {zsl}"


if __name__ == "__main__":
    run(main)
