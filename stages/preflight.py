"""Everything a run needs, checked before any work: archives, splits, weights, methods, the length of texts."""

import json

from scople.base.errors import ScopleError
from scople.base.files import whole
from scople.base.params import Params
from scople.formats.datasets import DataSet
from scople.pipeline.checking import check_methods
from scople.pipeline.given import load_given
from scople.pipeline.layout import DATASETS, Layout, load_problem
from scople.pipeline.running import run


def main(params: Params) -> str:
    """Stop in one sentence if something is missing; otherwise write down what will be used."""
    layout = Layout(params.profile)
    for name, entry in params.datasets.items():
        dataset = DataSet.load(DATASETS / f"{name}.yaml", entry.source)
        if not layout.is_synthetic(entry.raw):
            for path in dataset.missing_archives(layout.raw(entry.raw)):
                raise ScopleError(
                    f"{path} is missing: put {path.name} of {name} there as distributed, or take {name} and its "
                    "splits out of params.yaml."
                )
    check_methods(params)
    for split, entry in params.splits.items():
        if entry.backbone_weights:
            problem, classes = load_problem(params, split)
            load_given(params, problem, len(classes))
    # The file says nothing of what was found, so it re-runs no stage; each stage has its own dependencies.
    with whole(layout.preflight) as path:
        path.write_text(json.dumps({"profile": params.profile, "ready": True}) + "\n")
    return (
        f"{len(params.datasets)} data sets, {len(params.splits)} splits and the {params.scale.text_encoder} weights "
        "are in place"
    )


if __name__ == "__main__":
    run(main)
