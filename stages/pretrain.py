"""Shift-GCN from scratch on one split: seen classes of training subjects, nothing else.

`torchrun --nproc_per_node 2 -m stages.pretrain SPLIT` shares each batch between two processes; `dvc repro` does the
same if params.yaml has `machine.processes: 2`.
"""

import pandas as pd

from scople.backbone.processes import SharedTraining
from scople.base.artefacts import save_tensors
from scople.base.files import whole
from scople.base.params import Params
from scople.data.corpus import Corpus
from scople.pipeline.backbones import train_backbone
from scople.pipeline.layout import Layout, identity, load_problem
from scople.pipeline.resuming import resumable
from scople.pipeline.running import device, is_first_process, run, under_torchrun


def main(params: Params, split_name: str) -> str:
    """Train the backbone, or one for each repeat, and write weights and loss per epoch."""
    layout = Layout(params.profile)
    split, classes = load_problem(params, split_name)
    corpus = Corpus.open(layout.corpus(params.dataset_of(split_name)))
    shared = SharedTraining(device(params)) if under_torchrun() else None
    with resumable(params, "pretrain", split_name, inputs=[layout.corpus(params.dataset_of(split_name))]) as checkpoint:
        for number, seed in params.backbone_seeds.items():
            backbone, history = train_backbone(
                params, corpus, split, seed, checkpoint=checkpoint(f"backbone {number}"), shared=shared
            )
            if is_first_process():
                weights = layout.backbone(split_name, number)
                save_tensors("backbone", backbone.state_dict(), weights, **identity(split, classes))
                with whole(layout.backbone_history(split_name, number)) as path:
                    pd.DataFrame(history).to_csv(path, index=False, lineterminator="\n")
    last = history[-1]
    learned = f"loss {last['loss']:.3f}, accuracy {last['accuracy']:.1f} %"
    return f"{len(params.backbone_seeds)} backbones for {len(split.seen)} seen classes, {learned}"


if __name__ == "__main__":
    run(main, shares=True)
