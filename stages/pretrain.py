"""Shift-GCN from scratch on one split: seen classes of training subjects, nothing else.

`torchrun --nproc_per_node 2 -m stages.pretrain SPLIT` shares each batch among two processes; `dvc repro` does the same
where params.yaml has `machine.processes: 2`.
"""

from typing import Any

import pandas as pd
from safetensors.torch import save_file

from scople.backbone.pretraining import pretrain
from scople.backbone.processes import SharedTraining
from scople.backbone.shift_gcn import ShiftGCN
from scople.checkpoints import History
from scople.data.corpus import Corpus, NormalisedSequences
from scople.data.splits import Split, partition, targets
from scople.files import whole
from scople.params import Params
from stages.layout import Layout, load_problem
from stages.resuming import resumable
from stages.running import device, is_first_process, run, under_torchrun


def main(params: Params, split_name: str) -> str:
    """Train the backbone, or one for each repeat, and write weights and loss per epoch."""
    layout = Layout(params.profile)
    split, _ = load_problem(params, split_name)
    corpus = Corpus.open(layout.corpus(params.dataset_of(split_name)))
    shared = SharedTraining(device(params)) if under_torchrun() else None
    with resumable(params, "pretrain", split_name, inputs=[layout.corpus(params.dataset_of(split_name))]) as checkpoint:
        for number, seed in params.backbone_seeds.items():
            backbone, history = train_backbone(
                params, corpus, split, seed, checkpoint=checkpoint(f"backbone {number}"), shared=shared
            )
            if is_first_process():
                with whole(layout.backbone(split_name, number)) as path:
                    save_file(backbone.state_dict(), path)
                with whole(layout.backbone_history(split_name, number)) as path:
                    pd.DataFrame(history).to_csv(path, index=False, lineterminator="\n")
    last = history[-1]
    learned = f"loss {last['loss']:.3f}, accuracy {last['accuracy']:.1f} %"
    return f"{len(params.backbone_seeds)} backbones for {len(split.seen)} seen classes, {learned}"


def train_backbone(params: Params, corpus: Corpus, split: Split, seed: int, **running: Any) -> tuple[ShiftGCN, History]:
    """One backbone on the seen classes of training subjects, from its root seed; `running` as `pretrain` takes it."""
    scale, labels = params.scale, corpus.index["label"].to_numpy()
    rows = partition(split, labels, corpus.index["is_training"].to_numpy()).training
    return pretrain(
        NormalisedSequences(corpus, rows, scale.frames),
        targets(labels[rows], split.seen),
        len(split.seen),
        width=scale.pretrain.width,
        epochs=scale.pretrain.epochs,
        batch_size=scale.pretrain.batch_size,
        learning_rate=scale.pretrain.learning_rate,
        milestones=scale.pretrain.milestones,
        position_gradient=params.method.position_gradient,
        seed=seed,
        device=device(params),
        workers=params.machine.workers,
        **running,
    )


if __name__ == "__main__":
    run(main, shares=True)
