"""What the tables must say of numbers whose recordings or backbone come from elsewhere."""

from collections.abc import Iterable

from scople.base.artefacts import load_sealed_json
from scople.base.params import Params
from scople.pipeline.layout import Layout


def origins(params: Params, splits: Iterable[str]) -> list[str]:
    """A sentence for each file of recordings that has lost something, and for each backbone that was given.

    Raises:
        ScopleError: the parse stage of a data set has not told.
    """
    layout, splits = Layout(params.profile), list(splits)
    found = []
    for dataset in dict.fromkeys(params.dataset_of(split) for split in splits):
        again = f"run `python -m stages.parse {dataset}`"
        told = load_sealed_json("origin", layout.corpus_origin(dataset), again=again, dataset=dataset)
        found += [f"{dataset}: {loss}" for loss in told["lost"]]
    for split in splits:
        if params.splits[split].backbone_weights:
            again = f"run `python -m stages.pretrain {split}`"
            told = load_sealed_json("given backbone", layout.backbone_origin(split), again=again, split=split)
            found.append(f"{split}: {told['note']}")
    return found
