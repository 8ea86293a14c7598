"""Run by torchrun or alone: one pre-training in double precision, its history and weights written to a file."""

import os
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from scople.backbone.pretraining import pretrain
from scople.backbone.processes import SharedTraining
from scople.base.checkpoints import Checkpoint
from scople.base.errors import ScopleError
from scople.base.shapes import JOINTS, PERSONS

SAMPLES, CLASSES = 29, 3


class Noise(Dataset):
    """Sequences in which class k is a little larger along axis k."""

    def __init__(self):
        self.targets = np.arange(SAMPLES) % CLASSES
        self.sequences = np.random.default_rng(1).normal(size=(SAMPLES, 3, 8, JOINTS, PERSONS))
        for sequence, target in zip(self.sequences, self.targets, strict=True):
            sequence[target] *= 1.5

    def __len__(self):
        return SAMPLES

    def __getitem__(self, item):
        return torch.from_numpy(self.sequences[item])


class KilledAfter(Checkpoint):
    """Ends the process when the state after this epoch is kept."""

    last = 0

    def save(self, parts, history, *, is_last):
        super().save(parts, history, is_last=True)
        if len(history) == self.last:
            sys.exit(f"killed after epoch {self.last}")


def main(out, position_gradient, batch_size, kept=None, killed_after=None):
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    device, data = torch.device("cpu"), Noise()
    is_first = os.environ.get("RANK", "0") == "0"
    checkpoint = KilledAfter(Path(kept), writes=is_first) if kept else None
    KilledAfter.last = int(killed_after or 0)
    try:
        model, history = pretrain(
            data,
            data.targets,
            CLASSES,
            width=2,
            epochs=7,
            batch_size=int(batch_size),
            learning_rate=0.1,
            milestones=[5],
            position_gradient=position_gradient,
            seed=1,
            device=device,
            checkpoint=checkpoint,
            shared=SharedTraining(device) if "RANK" in os.environ else None,
        )
    except ScopleError as error:
        sys.exit(f"error: {error}")
    if is_first:
        torch.save({"history": history, "model": model.state_dict()}, out)


if __name__ == "__main__":
    main(*sys.argv[1:])
