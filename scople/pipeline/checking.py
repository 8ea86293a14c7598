"""What can be known of a run's methods before any of them is trained: their settings, texts and the length of these."""

import torch
from jaxtyping import Float
from torch import Tensor

from scople.base.documents import quoted
from scople.base.errors import ScopleError
from scople.base.params import Params
from scople.pipeline.assembly import Assembly, build_tower
from scople.pipeline.layout import DATASETS, load_problem


def check_methods(params: Params) -> None:
    """Build the method of every variant once for every data set of the run's splits; encode nothing.

    The texts of the variant that runs are looked at, and class names below every phrase. Descriptions that only another
    variant needs may be missing.

    Raises:
        ScopleError: a variant names a data set that there is not, or sets what its method cannot have; or a text is
            missing or too long for the text encoder.
    """
    tower = build_tower(params.scale)

    def read(strings: list[str]) -> Float[Tensor, "K 1"]:
        tower.tokenize(strings)
        return torch.ones(len(strings), 1)

    # Every name of a data set, unseen ones as well: one that is too long must not wait for the evaluation.
    problems = {params.dataset_of(split): load_problem(params, split)[1] for split in params.splits}
    names = {dataset: [entry.name for entry in classes] for dataset, classes in problems.items()}
    for variant, changes in params.variants.items():
        for profile, group in changes.get("settings", {}).items():
            for dataset in group.get("on", {}):
                if not (DATASETS / f"{dataset}.yaml").exists():
                    raise ScopleError(
                        f"settings of variant {quoted(variant)}: {profile} has the data set {quoted(dataset)}, which "
                        f"has no file in {DATASETS}: correct its name."
                    )
        for dataset, classes in names.items():
            assembly = Assembly.of(params, variant, dataset, tower)
            method = assembly.build(4, (1,) * assembly.intervals, 2, params.seed)
            is_plain = assembly.settings.method == "scople" and assembly.settings.class_text == "names"
            if is_plain or variant == params.variant:
                texts = assembly.texts(method, classes, read)
                if assembly.settings.method == "scople":
                    tower.tokenize([f"{assembly.settings.phrase} {text}" for text in texts.names])
