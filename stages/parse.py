"""Raw archives of one data set → its packed corpus."""

from scople.base.artefacts import save_sealed_json
from scople.base.params import Params
from scople.formats.datasets import DataSet, parse
from scople.formats.prepared import losses_of
from scople.pipeline.layout import DATASETS, Layout
from scople.pipeline.running import run


def main(params: Params, dataset: str) -> str:
    """Parse every recording, choose the bodies, pack the sequences, and tell the tables what the files had lost."""
    layout = Layout(params.profile)
    # Looked up first: a data set that params.yaml lacks has no files either.
    raw_folder = layout.raw(params.raw_folder_of(dataset))
    summary = parse(
        DataSet.load(DATASETS / f"{dataset}.yaml", params.datasets[dataset].source),
        raw_folder,
        layout.corpus(dataset),
        jobs=params.machine.jobs,
        max_broken=params.method.max_broken,
        body_choice=params.method.body_choice,
    )
    lost = losses_of(layout.corpus(dataset))
    save_sealed_json("origin", {"lost": lost}, layout.corpus_origin(dataset), dataset=dataset)
    strangers = f", {found} files are no recordings" if (found := summary.get("stranger")) else ""
    return f"{summary['parsed']} sequences packed, {summary['broken']} broken members{strangers}" + "".join(
        f"; {loss}" for loss in lost
    )


if __name__ == "__main__":
    run(main)
