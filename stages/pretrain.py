"""Shift-GCN from scratch on one split: seen classes of training subjects, nothing else.

`torchrun --nproc_per_node 2 -m stages.pretrain SPLIT` shares each batch between two processes; `dvc repro` does the
same if params.yaml has `machine.processes: 2`.

Where params.yaml names `backbone_weights` for the split, these take the place of the training.
"""

import pandas as pd

from scople.backbone.processes import SharedTraining
from scople.backbone.shift_gcn import ShiftGCN
from scople.base.artefacts import save_sealed_json, save_tensors
from scople.base.checkpoints import History
from scople.base.files import whole
from scople.base.params import Params
from scople.data.class_names import ClassEntry
from scople.data.corpus import Corpus
from scople.data.splits import Split
from scople.pipeline.backbones import train_backbone
from scople.pipeline.given import examine_given, load_given
from scople.pipeline.layout import Layout, identity, load_problem
from scople.pipeline.resuming import resumable
from scople.pipeline.running import device, is_first_process, run, under_torchrun


def main(params: Params, split_name: str) -> str:
    """Train the backbone, or one for each repeat, and write weights and loss per epoch."""
    layout = Layout(params.profile)
    split, classes = load_problem(params, split_name)
    corpus = Corpus.open(layout.corpus(params.dataset_of(split_name)))
    if params.splits[split_name].backbone_weights:
        return take(params, corpus, split, classes)
    shared = SharedTraining(device(params)) if under_torchrun() else None
    with resumable(params, "pretrain", split_name, inputs=[layout.corpus(params.dataset_of(split_name))]) as checkpoint:
        for number, seed in params.backbone_seeds.items():
            backbone, history = train_backbone(
                params, corpus, split, seed, checkpoint=checkpoint(f"backbone {number}"), shared=shared
            )
            if is_first_process():
                save(layout, split, classes, number, backbone, history)
    last = history[-1]
    learned = f"loss {last['loss']:.3f}, accuracy {last['accuracy']:.1f} %"
    return f"{len(params.backbone_seeds)} backbones for {len(split.seen)} seen classes, {learned}"


def take(params: Params, corpus: Corpus, split: Split, classes: list[ClassEntry]) -> str:
    """Write the given weights in place of trained ones, and what the tables have to say of them."""
    if not is_first_process():
        return "the first process takes the given weights"
    layout, given = Layout(params.profile), load_given(params, split, len(classes))
    history = examine_given(params, corpus, split, given.network)
    for number in params.backbone_seeds:
        save(layout, split, classes, number, given.network, history)
    told = {"weights": given.digest, "classifier_rows": given.rows, "saw_unseen": given.saw_unseen, "note": given.note}
    save_sealed_json("given backbone", told, layout.backbone_origin(split.name), split=split.name)
    return f"weights {given.digest[:12]} taken, accuracy {history[-1]['accuracy']:.1f} % on the training part"


def save(
    layout: Layout, split: Split, classes: list[ClassEntry], number: int, backbone: ShiftGCN, history: History
) -> None:
    """Write a backbone and its history."""
    weights = layout.backbone(split.name, number)
    save_tensors("backbone", backbone.state_dict(), weights, **identity(split, classes))
    with whole(layout.backbone_history(split.name, number)) as path:
        pd.DataFrame(history).to_csv(path, index=False, lineterminator="\n")


if __name__ == "__main__":
    run(main, shares=True)
