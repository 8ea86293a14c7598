"""One repeat of a variant on a split: the method on every seen class, then once more to calibrate its gates."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Int

from scople.base.artefacts import save_sealed_json, save_tensors
from scople.base.checkpoints import Checkpoint, History
from scople.base.files import whole
from scople.base.params import Params
from scople.data.class_names import names_of
from scople.data.joint_features import CalibrationFeatures, TrainingFeatures, load_features
from scople.data.splits import Split, targets
from scople.judging.calibration import Trial, calibrate_gates, calibrate_gates_of_head
from scople.methods.fitting import fit, score_seen_and_unseen
from scople.methods.method import Method, Samples
from scople.pipeline.assembly import Assembly, Inputs, build_tower
from scople.pipeline.layout import Layout, identity, load_featured_problem
from scople.pipeline.resuming import resumable
from scople.pipeline.running import device

Names = Callable[[tuple[int, ...]], list[str]]
"""Function from labels to their class names."""


def train_repeat(params: Params, layout: Layout, split_name: str, seed: str) -> str:
    """Train, calibrate the gates, and write what was learned, the gates' constants and the history.

    Args:
        params: the whole of params.yaml.
        layout: where; names the variant.
        split_name: name of the split.
        seed: number of the repeat.

    Returns:
        The outcome in one line.

    Raises:
        ScopleError: no such split, repeat or variant; an input is missing, damaged or belongs to something else; or the
            training gives numbers that are not finite.
    """
    whose = f"variant {layout.variant}" if layout.variant else "main"
    read = _files(params, layout, split_name, seed)
    with resumable(params, "train", whose, split_name, seed, inputs=read) as checkpoint:
        return _train(params, layout, split_name, seed, checkpoint)


def train_splits(params: Params, layout: Layout, split_names: Sequence[str]) -> str:
    """Every repeat on several splits, one after the other; a killed run takes up what it had finished.

    Arguments and errors as for `train_repeat`.

    Returns:
        The outcomes in one line.
    """
    repeats = [(name, str(seed)) for name in split_names for seed in params.seeds]
    read = [path for repeat in repeats for path in _files(params, layout, *repeat)]
    with resumable(params, "train_splits", f"variant {layout.variant}", inputs=read) as checkpoint:
        said = [
            f"{name} {seed}: {_train(params, layout, name, seed, checkpoint, f'{name} {seed} ')}"
            for name, seed in repeats
        ]
    return "; ".join(said)


def _files(params: Params, layout: Layout, split_name: str, seed: str) -> list[Path]:
    """What a training may read of earlier stages; not all of it is there for every variant."""
    number = params.backbone_of(seed)
    return [
        layout.classes(split_name),
        layout.features(split_name, "training", number),
        layout.intervals(split_name, "training", number),
        layout.calibration_features(split_name, number),
    ]


def _train(
    params: Params,
    layout: Layout,
    split_name: str,
    seed: str,
    checkpoint: Callable[[str], Checkpoint],
    prefix: str = "",
) -> str:
    """As `train_repeat`, with the names of the checkpoints prefixed."""
    root_seed, number = params.repeat_seed(seed), params.backbone_of(seed)
    split, classes = load_featured_problem(params, split_name)
    problem = identity(split, classes)
    training = load_features(TrainingFeatures, layout.features(split_name, "training", number), **problem)
    assembly = Assembly.of(params, layout.variant, params.dataset_of(split_name), build_tower(params.scale))
    inputs = assembly.inputs(training, layout, number, problem)
    belongs = assembly.identity(params, root_seed, problem, training.backbone)

    def names(labels: tuple[int, ...]) -> list[str]:
        return names_of(classes, labels)

    running = {"seed": root_seed, "device": device(params)}
    again = {"batch_size": params.scale.evaluate.batch_size, "checkpoint": checkpoint(f"{prefix}gates"), **running}
    is_head = assembly.settings.seen_source == "head"
    if is_head:  # before the training, which is in vain without them
        known = load_features(CalibrationFeatures, layout.calibration_features(split_name, number), **problem)
    method, history = trained(
        assembly,
        inputs,
        np.arange(len(training.labels)),
        targets(training.labels, split.seen),
        names(split.seen),
        checkpoint=checkpoint(f"{prefix}training"),
        **running,
    )
    if is_head:
        of_known = assembly.inputs(known, layout, number, problem)
        gates = calibrate_gates_of_head(trial_of(assembly, of_known, known, names, **again), known, split)
    else:
        trial = trial_of(assembly, inputs, training, names, **again)
        gates = calibrate_gates(trial, training, split, gate_holdout=assembly.settings.gate_holdout, seed=root_seed)
    save_tensors("model", method.learned().state_dict(), layout.model(split_name, seed), **belongs)
    save_sealed_json("gates", gates, layout.gates(split_name, seed), **belongs)
    with whole(layout.history(split_name, seed)) as path:
        table = pd.DataFrame(history, columns=None if history else ["epoch", "loss"])
        table.to_csv(path, index=False, lineterminator="\n")
    told = f"loss {history[0]['loss']:.3f} to {history[-1]['loss']:.3f}" if history else "solved"
    return (
        f"{told} over {len(training.labels)} samples of {len(split.seen)} seen classes, entropy gate's H on "
        f"pseudo-unseen ones {gates['entropy']['harmonic']:.1f} %"
    )


def trained(
    assembly: Assembly,
    inputs: Inputs,
    rows: Int[np.ndarray, " N"],
    classes: Int[np.ndarray, " N"],
    names: list[str],
    *,
    seed: int,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
) -> tuple[Method, History]:
    """A method that has learned from some samples.

    Args:
        assembly: of its variant.
        inputs: of the training part.
        rows: the samples, as rows of `inputs`.
        classes: row in `names` of each sample's class.
        names: of the seen classes.
        seed: root seed; decides the start and the course of the training.
        device: where to train.
        checkpoint: see `scople.methods.fitting.fit`.

    Raises:
        ScopleError: as for `scople.methods.fitting.fit`.
    """
    features = inputs.features[rows]
    method = assembly.build(features.shape[-1], inputs.lengths, len(names), seed)
    texts = assembly.texts(method, names)
    return method, fit(
        method,
        assembly.own.recipe(),
        features,
        classes,
        texts,
        seed=seed,
        device=device,
        checkpoint=checkpoint,
    )


def trial_of(
    assembly: Assembly,
    inputs: Inputs,
    training: TrainingFeatures,
    names: Names,
    *,
    batch_size: int,
    seed: int,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
) -> Trial:
    """How a calibration trains the method of a variant anew and scores with it.

    Args:
        assembly: of the variant.
        inputs: of the training part.
        training: the same samples, with their labels.
        names: class names of labels.
        batch_size: samples scored at a time.
        seed: root seed of the training.
        device: where to compute.
        checkpoint: see `scople.methods.fitting.fit`.
    """

    def trial(split: Split, learned: Int[np.ndarray, " N1"], judged: Int[np.ndarray, " N2"]) -> tuple:
        rows = targets(training.labels[learned], split.seen)
        method, _ = trained(
            assembly, inputs, learned, rows, names(split.seen), seed=seed, device=device, checkpoint=checkpoint
        )
        return score_seen_and_unseen(
            method,
            inputs.features[judged],
            assembly.texts(method, names(split.seen + split.unseen)),
            len(split.seen),
            samples=samples_for(method, inputs, learned, rows),
            batch_size=batch_size,
            device=device,
            seed=seed,
        )

    return trial


def samples_for(
    method: Method, inputs: Inputs, rows: Int[np.ndarray, " N"], classes: Int[np.ndarray, " N"]
) -> Samples | None:
    """Training samples for a method that fits a classifier of the seen candidates; None for others.

    Args:
        method: trained.
        inputs: of the training part.
        rows: the samples that it has learned from, as rows of `inputs`.
        classes: row of each sample's class among the seen ones.
    """
    if not method.fits_candidates:
        return None
    return Samples(torch.from_numpy(inputs.features[rows]), torch.from_numpy(classes))
