"""Everything a run needs, checked before any work: the raw archives and the text encoder's weights."""

import json

from scople.errors import ScopleError
from scople.files import whole
from scople.params import Params
from stages.assembly import build_tower
from stages.layout import Layout, load_dataset, load_problem
from stages.running import run


def main(params: Params) -> str:
    """Stop in one sentence if something is missing; otherwise write down what will be used."""
    layout = Layout(params.profile)
    found = {}
    for name, entry in params.datasets.items():
        dataset = load_dataset(name)
        # The demo's recordings are written by its own stage, after this one.
        if params.profile != "demo":
            missing = dataset.missing_archives(layout.raw(entry.raw))
            if missing:
                raise ScopleError(
                    f"{missing[0]} is missing: put the {name} archives as distributed there, or take {name} and its "
                    "splits out of params.yaml."
                )
        found[name] = {"archives": dataset.archive_names, "classes": len(dataset.classes)}
    for split in params.splits:
        load_problem(params, split)
    tower = build_tower(params.scale)
    text = {"encoder": params.scale.text_encoder, "weights": params.scale.text_weights, "layers": tower.depth}
    document = {"profile": params.profile, "datasets": found, "text": text}
    with whole(layout.preflight) as path:
        path.write_text(json.dumps(document, indent=2) + "\n")
    return (
        f"{len(found)} data sets, {len(params.splits)} splits and the {params.scale.text_encoder} weights are in place"
    )


if __name__ == "__main__":
    run(main)
