"""Train Shift-GCN on a split's seen classes by its published recipe, then extract what methods read of a sample.

The recipe is that of kchengiva/Shift-GCN, main.py and config: cross-entropy, SGD with Nesterov momentum 0.9, a learning
rate that falls to a tenth at each milestone, no warm-up, no augmentation; incomplete batches are dropped. Departs: the
weights of the last epoch are kept, whereas the published numbers are those of the best test epoch.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from scople.backbone.feeding import Feed, Order, step_memory
from scople.backbone.precision import Precision, at_precision
from scople.backbone.processes import SharedTraining, mean_over_processes, process_count, process_number
from scople.backbone.shift_gcn import ShiftGCN, joint_means
from scople.backbone.temporal_shift import PositionGradient
from scople.base.artefacts import load_weights, not_finite
from scople.base.checkpoints import Checkpoint, History
from scople.base.errors import ScopleError
from scople.base.progress import progress
from scople.base.seeding import seeded, torch_generator
from scople.base.shapes import JOINTS
from scople.data.joint_features import INTERVALS, interval_lengths


def pretrain(
    sequences: Dataset,
    targets: Int[np.ndarray, " N"],
    num_classes: int,
    *,
    width: int,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    milestones: Sequence[int],
    position_gradient: PositionGradient,
    seed: int,
    device: torch.device | str,
    precision: Precision = "float32",
    workers: int = 0,
    checkpoint: Checkpoint | None = None,
    shared: SharedTraining | None = None,
) -> tuple[ShiftGCN, History]:
    """Train a Shift-GCN from scratch.

    Args:
        sequences: N normalised sequences, float32 `C T V M`, metres, T a multiple of 4.
        targets: row of each sequence's class among the seen ones.
        num_classes: seen classes.
        width: channels of the first blocks; the paper has 64.
        epochs: passes over the sequences.
        batch_size: samples a step; if there are fewer samples, they form one batch.
        learning_rate: at the start.
        milestones: epochs, counted from 0, at the start of which the learning rate falls to a tenth.
        position_gradient: see `scople.backbone.temporal_shift`.
        seed: root seed of the initialisation and of the order of samples.
        device: where to train.
        precision: see `scople.backbone.precision`.
        workers: processes that read sequences; their number does not change the result.
        checkpoint: an interrupted training is resumed from it, and it is kept up to date.
        shared: the processes that share this training. Each calls this function with the same arguments. The result
            is that of one process, up to rounding.

    Returns:
        The network in evaluation mode, and a row for each epoch: `epoch` from 1; mean `loss` in nats and `accuracy`
        in per cent, both measured on the samples during training; `learning_rate`.

    Raises:
        ScopleError: there are no sequences, the loss or a weight is no longer a finite number, or the batch size is
            not a multiple of the number of processes. Or the device lacks the precision.
    """
    if len(targets) == 0:
        raise ScopleError("The backbone has 0 sequences to train on; give it at least one of a seen class.")
    with seeded(seed, "backbone"):
        model = ShiftGCN(num_classes, width, position_gradient).to(device)
    optimiser = torch.optim.SGD(parameter_groups(model), learning_rate, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, list(milestones), gamma=0.1)
    order = torch_generator(seed, "backbone", "order")
    workers_generator = torch_generator(seed, "backbone", "workers")
    rows = Order(len(targets), min(batch_size, len(targets)), order, process_number(), process_count())
    target = torch.as_tensor(targets, dtype=torch.int64)
    step = step_memory(rows.batch_size // process_count(), sequences[0].shape[1], width)
    batches = Feed(sequences, target, rows, device, workers=workers, generator=workers_generator, step=step)
    network = shared.average(model) if shared else model
    state = {
        "model": model,
        "optimiser": optimiser,
        "schedule": schedule,
        "order": order,
        "workers": workers_generator,
    }
    history = checkpoint.restore(state) if checkpoint else []
    for epoch in progress(range(1, epochs + 1), "Shift-GCN", unit="epoch", done=len(history)):
        shown = progress(batches, f"Shift-GCN, epoch {epoch}", unit="batch")  # one epoch may take many minutes
        loss, accuracy = train_epoch(network, shown, optimiser, device, precision)
        if not np.isfinite(loss):
            raise ScopleError(
                f"The backbone's loss is {loss} after epoch {epoch}; lower the learning rate, now {learning_rate}."
            )
        if name := not_finite(model.state_dict()):  # the last update comes after the last loss
            raise ScopleError(
                f"{name} of the backbone is not finite after epoch {epoch}: lower the learning rate of {learning_rate}."
            )
        rate = schedule.get_last_lr()[0]
        history.append({"epoch": epoch, "loss": loss, "accuracy": accuracy, "learning_rate": rate})
        schedule.step()
        if checkpoint:
            checkpoint.save(state, history, is_last=epoch == epochs)
    return model.eval(), history


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimiser: torch.optim.Optimizer,
    device: torch.device | str,
    precision: Precision,
) -> tuple[float, float]:
    """A step for each batch of sequences and targets; returns the mean loss in nats and the accuracy in per cent."""
    model.train()
    # Summed on the device: reading a number at every step would make it wait.
    total = torch.zeros(2, dtype=torch.float64, device=device)
    samples = 0
    with at_precision(precision, device) as forward_pass:
        for x, target in batches:
            with forward_pass():
                logits = model(x)
            loss = nn.functional.cross_entropy(_at_least_float32(logits), target)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            recognised = (logits.detach().argmax(1) == target).sum()
            total += torch.stack([loss.detach().double() * len(target), recognised.double()])
            samples += len(target)
    loss, recognised = mean_over_processes(total / samples).tolist()
    return loss, 100 * recognised


def _at_least_float32(x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def parameter_groups(model: ShiftGCN) -> list[dict]:
    """The published weight decay: 1e-3 on the linear weights of the GCN, none on its masks, 1e-4 on everything else.

    "Everything else" includes biases, batch norms and the temporal positions.
    """
    linear, masks, others = [], [], []
    for name, parameter in model.named_parameters():
        if name.endswith(".linear_weight"):
            linear.append(parameter)
        elif name.endswith(".feature_mask"):
            masks.append(parameter)
        else:
            others.append(parameter)
    return [
        {"params": linear, "weight_decay": 1e-3},
        {"params": masks, "weight_decay": 0.0},
        {"params": others, "weight_decay": 1e-4},
    ]


class Extracted(NamedTuple):
    """What the frozen network says of N sequences, in their order.

    Attributes:
        features: joint features, see `ShiftGCN.joint_features`.
        intervals: the same means over each of `INTERVALS` intervals of the last map's steps, earliest first.
        lengths: steps in each interval.
        logits: of the network's own classes.
    """

    features: Float32[np.ndarray, "N V D"]
    intervals: Float32[np.ndarray, "N I V D"]
    lengths: tuple[int, ...]
    logits: Float32[np.ndarray, "N K"]


@torch.no_grad()
def extract(
    model: ShiftGCN,
    sequences: Dataset,
    batch_size: int,
    device: torch.device | str,
    precision: Precision = "float32",
    workers: int = 0,
) -> Extracted:
    """Features and class logits of every sequence from the frozen network, in the order of `sequences`.

    The results are the only thing that grows with their number: 100 kB a sequence at the paper's sizes.

    Args:
        model: put into evaluation mode and moved to `device`.
        sequences: as in `pretrain`.
        batch_size: sequences at a time; it changes rounding only.
        device: where to compute.
        precision: see `scople.backbone.precision`; means and logits are float32 whatever it is.
        workers: processes that read sequences.

    Raises:
        ScopleError: fewer frames than make one step for each interval, or a feature or a logit is not finite. Or the
            device lacks the precision.
    """
    model.to(device).eval()
    samples, width, classes = len(sequences), model.fc.in_features, model.fc.out_features
    features = torch.empty(samples, JOINTS, width)
    intervals = torch.empty(samples, INTERVALS, JOINTS, width)
    logits = torch.empty(samples, classes)
    lengths, done = (), 0
    on_gpu = torch.device(device).type == "cuda"
    batches = DataLoader(sequences, batch_size, num_workers=workers, pin_memory=on_gpu)
    with at_precision(precision, device) as forward_pass:
        for x in progress(batches, "joint features", unit="batch"):
            with forward_pass():
                last = model.last_map(x.to(device, non_blocking=True))
            last = _at_least_float32(last)
            lengths = interval_lengths(last.shape[-1], INTERVALS)
            rows = slice(done, done := done + len(x))
            features[rows] = joint_features = joint_means(last)
            intervals[rows] = torch.stack([joint_means(interval) for interval in last.split(lengths, -1)], 1)
            logits[rows] = model.classify(joint_features)
    found = {"features": features, "intervals": intervals, "logits": logits}
    if name := not_finite(found):
        raise ScopleError(
            f"The {name} of {len(found[name])} sequences are not all finite: train the backbone again at a lower "
            "learning rate, or parse the recordings again."
        )
    return Extracted(features.numpy(), intervals.numpy(), lengths, logits.numpy())


def load_backbone(path: Path, *, num_classes: int, width: int, **belongs: str) -> ShiftGCN:
    """The frozen network of an artefact "backbone", which holds its `state_dict`; in evaluation mode.

    Args:
        path: the artefact's file.
        num_classes: seen classes.
        width: channels of the first blocks.
        **belongs: what it must belong to, see `scople.base.artefacts.save_tensors`.

    Raises:
        ScopleError: the file is missing or damaged, holds a network of another size, or belongs to something else.
    """
    model = ShiftGCN(num_classes, width)
    load_weights(model, "backbone", path, again="run `dvc repro pretrain` again", **belongs)
    return model.requires_grad_(False).eval()
