"""A published Shift-GCN in place of a split's pre-training: which one is accepted, and what the tables say of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from scople.backbone.pretraining import extract
from scople.backbone.shift_gcn import ShiftGCN
from scople.base.artefacts import not_finite
from scople.base.checkpoints import History
from scople.base.errors import ScopleError
from scople.base.files import sha256
from scople.base.params import Params
from scople.data.corpus import Corpus, NormalisedSequences
from scople.data.splits import Split, partition, targets
from scople.pipeline.running import device

LARGEST = 2**30
"""Bytes of a checkpoint that is opened; the published ones have 4 million."""

TAKEN_FOR_SEEN = "the backbone was not trained here; the rows of its classifier are taken for the seen classes"
SAW_UNSEEN = "the backbone was not trained here and may have learned the unseen classes: no zero-shot result"


@dataclass(frozen=True)
class GivenBackbone:
    """A backbone that was trained elsewhere.

    Attributes:
        network: its classifier has the seen classes of the split, ascending.
        digest: SHA-256 of the checkpoint.
        rows: classes of the checkpoint's classifier.
    """

    network: ShiftGCN
    digest: str
    rows: int
    saw_unseen: bool

    @property
    def note(self) -> str:
        """What every table says of it."""
        kind = SAW_UNSEEN if self.saw_unseen else TAKEN_FOR_SEEN
        return f"{kind} (weights {self.digest[:12]})"


def load_given(params: Params, split: Split, num_classes: int) -> GivenBackbone:
    """The backbone that params.yaml names for a split.

    A checkpoint does not say which classes its classifier's rows are. As many rows as the split has seen classes are
    taken for these, by ascending label, as kchengiva/Shift-GCN's descendants number them. A row for each class of the
    data set means that the network learned all of them. That has to be allowed, and the seen rows are kept.

    Args:
        params: the whole of params.yaml.
        split: the classes.
        num_classes: of the data set.

    Raises:
        ScopleError: no such file or another one than the digest says; it is no Shift-GCN of the profile's width; its
            classifier has too few rows, or more than `backbone_saw_unseen` allows.
    """
    entry, seen = params.splits[split.name], len(split.seen)
    path, key = Path(entry.backbone_weights), f"backbone_weights of split '{split.name}'"
    _check_digest(path, entry.backbone_digest.lower(), key)
    network = _network(path, params.scale.pretrain.width, f"profiles.{params.profile}.pretrain.width")
    rows = len(network.fc.weight)
    if rows < seen:
        raise ScopleError(
            f"the classifier of {path} has {rows} rows, fewer than the {seen} seen classes of {split.name}: give a "
            "backbone of this split."
        )
    if rows > seen and not entry.backbone_saw_unseen:
        raise ScopleError(
            f"the classifier of {path} has {rows} rows, more than the {seen} seen classes of {split.name}, so it has "
            "learned unseen ones: give a backbone of the seen classes, or set `backbone_saw_unseen: true` for numbers "
            "that are not zero-shot."
        )
    if rows not in (seen, num_classes):
        raise ScopleError(
            f"the classifier of {path} has {rows} rows, neither the {seen} seen nor all {num_classes} classes of "
            f"{split.name}'s data set: give a backbone of this data set."
        )
    if rows > seen:
        network.fc = _restricted(network.fc, split.seen)
    return GivenBackbone(network, entry.backbone_digest, rows, entry.backbone_saw_unseen)


def examine_given(params: Params, corpus: Corpus, split: Split, network: ShiftGCN) -> History:
    """One line in place of a training's: loss in nats and accuracy in per cent on the training part.

    An accuracy near chance means that the classifier's rows are other classes than `load_given` takes them for, or that
    the network learned from otherwise prepared recordings.
    """
    labels = corpus.index["label"].to_numpy()
    rows = partition(split, labels, corpus.index["is_training"].to_numpy()).training
    logits = extract(
        network,
        NormalisedSequences(corpus, rows, params.scale.frames),
        batch_size=params.scale.pretrain.batch_size,
        device=device(params),
        precision=params.scale.pretrain.precision,
        workers=params.machine.workers,
    ).logits
    wanted = targets(labels[rows], split.seen)
    loss = F.cross_entropy(torch.from_numpy(logits).double(), torch.from_numpy(wanted)).item()
    return [{"epoch": 0, "loss": loss, "accuracy": 100 * float((logits.argmax(axis=1) == wanted).mean())}]


def _restricted(classifier: torch.nn.Linear, labels: Sequence[int]) -> torch.nn.Linear:
    """A classifier of some of the classes only."""
    kept = torch.nn.Linear(classifier.in_features, len(labels))
    with torch.no_grad():
        kept.weight.copy_(classifier.weight[list(labels)])
        kept.bias.copy_(classifier.bias[list(labels)])
    return kept


def _check_digest(path: Path, digest: str, key: str) -> None:
    if not path.is_file():  # reading a pipe would block
        raise ScopleError(f"{path}, the {key}, is no file: put the checkpoint there or take the key out.")
    if path.stat().st_size > LARGEST:
        raise ScopleError(
            f"{path}, the {key}, has {path.stat().st_size} bytes, more than {LARGEST}: give a checkpoint."
        )
    try:
        found = sha256(path)
    except OSError as error:
        raise ScopleError(f"{path}, the {key}, cannot be read ({error.strerror}): correct its rights.") from error
    if found != digest:
        said = f"backbone_digest says {digest[:12]}..." if re.fullmatch("[0-9a-f]{64}", digest) else "it has no digest"
        raise ScopleError(
            f"{path}, the {key}, has the SHA-256 {found}, but {said}: put the right file there, or set "
            f"`backbone_digest: {found}` beside it."
        )


def _network(path: Path, width: int, key: str) -> ShiftGCN:
    """The network of a checkpoint. Its classifier is checked first: its sizes decide how large all else becomes."""
    state = _state(path)
    classifier = state.get("fc.weight", torch.empty(1, 4 * width))  # without one, `from_published` says so
    if classifier.ndim != 2 or not len(classifier):
        raise ScopleError(
            f"{path} has a classifier of the shape {tuple(classifier.shape)}, not classes x features: give the state "
            "dict of the official joint-stream model."
        )
    if classifier.shape[1] != 4 * width:
        raise ScopleError(
            f"{path} is a Shift-GCN of width {classifier.shape[1] / 4:g}, but {key} is {width}: give other weights or "
            "set the width."
        )
    for name, tensor in state.items():
        is_real = not tensor.is_complex() and not_finite({name: tensor}) is None
        if not is_real or (name.endswith("running_var") and (tensor < 0).any()):
            raise ScopleError(
                f"{name} of {path} has a number that is not finite and real, or a variance below 0: get the checkpoint "
                "again."
            )
    try:
        return ShiftGCN.from_published(state)
    except ScopleError as error:
        raise ScopleError(f"{path} cannot be taken: {error}") from error
    except (RuntimeError, ValueError, IndexError, TypeError) as error:  # of tensors with other axes
        raise ScopleError(
            f"{path} has tensors with other axes than Shift-GCN's: give the state dict of the official joint-stream "
            "model."
        ) from error


def _state(path: Path) -> dict[str, Tensor]:
    """Tensors by name, without `module.` of a network that was trained in parallel."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    # On damage torch raises what zipfile, pickle and its own readers raise.
    except Exception as error:
        raise ScopleError(f"{path} is no checkpoint of tensors alone: give the published .pt file.") from error
    is_state = isinstance(state, dict) and all(
        isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in state.items()
    )
    if not is_state:
        raise ScopleError(f"{path} holds no tensors by name: give the state dict of the official joint-stream model.")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}
