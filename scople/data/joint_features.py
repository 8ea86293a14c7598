"""What the frozen backbone says of a split's samples, on disk: joint features, and the same interval by interval.

The training part and the test part are different types in different files, so that code that trains, selects or
calibrates only accepts the training part.
"""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64

from scople.base.artefacts import load_tensors, save_tensors
from scople.base.errors import ScopleError

INTERVALS = 3
"""Intervals of time that interval features are means over: beginning, middle and end, as STAR and PURLS read them."""


def interval_lengths(steps: int, intervals: int) -> tuple[int, ...]:
    """Steps of time in each interval, cut at round(i * steps / intervals).

    Raises:
        ScopleError: fewer steps than intervals.
    """
    if steps < intervals:
        raise ScopleError(f"{steps} steps of time cannot be cut into {intervals} intervals: use more frames.")
    cuts = [round(i * steps / intervals) for i in range(intervals + 1)]
    return tuple(end - start for start, end in zip(cuts, cuts[1:], strict=False))


class _Features:
    """Arrays of one part, and the digest of the backbone that they come from."""

    kind: ClassVar[str]
    again: ClassVar[str] = "run `dvc repro features` again"
    backbone: str

    def save(self, path: Path, **belongs: str) -> None:
        """Write one safetensors file, whole or not at all; the arrays are not copied.

        Args:
            path: where to.
            **belongs: what the features belong to, as `scople.base.artefacts.save_tensors` takes it.

        Raises:
            ScopleError: a number is not finite.
        """
        names = [each.name for each in fields(self) if each.name != "backbone"]  # type: ignore[arg-type]
        arrays = {name: torch.from_numpy(getattr(self, name)) for name in names}
        save_tensors(self.kind, arrays, path, **belongs, backbone=self.backbone)


@dataclass(frozen=True)
class JointFeatures(_Features):
    """Features with the class of each sample.

    Attributes:
        features: last Shift-GCN map, averaged over persons and time.
        labels: class ids of the data set, from 0.
        backbone_scores: logits of the backbone's own classifier over the seen classes, ascending labels.
        backbone: digest of the backbone's weights; empty where it is not needed.
    """

    kind: ClassVar[str] = "joint features"
    features: Float32[np.ndarray, "N V D"]
    labels: Int64[np.ndarray, " N"]
    backbone_scores: Float32[np.ndarray, "N S"]
    backbone: str = ""


class TrainingFeatures(JointFeatures):
    """Training subjects, seen classes."""

    kind = "training features"


@dataclass(frozen=True)
class CalibrationFeatures(TrainingFeatures):
    """All training samples of a split, by a backbone that was trained for the calibration of gates on its own scores.

    It saw neither the pseudo-unseen classes nor the held-out subjects. Its `backbone_scores` have a column for each of
    the remaining seen classes, ascending labels.

    Attributes:
        is_learned: whether the backbone was trained on the sample; a method may be trained on these alone.
    """

    kind = "calibration features"
    again = (
        "`seen_source: head` has no sound calibration without it, run `dvc repro "
        "baselines/dvc.yaml:calibration_backbone` for it"
    )
    is_learned: Bool[np.ndarray, " N"] = field(kw_only=True)


class TestFeatures(JointFeatures):
    """Test subjects, seen and unseen classes; only the evaluation opens them."""

    kind = "test features"
    __test__ = False  # not a test case for pytest, despite its name


@dataclass(frozen=True)
class IntervalFeatures(_Features):
    """Features of the same samples as `JointFeatures`, in the same order, before the mean over all of time.

    Attributes:
        features: last Shift-GCN map, averaged over persons and the steps of each interval, earliest first.
        labels: class ids of the data set, from 0.
        lengths: steps of the map in each interval, see `interval_lengths`. Weighted by them, the mean over intervals is
            that of all steps: the joint features, up to rounding.
        backbone: digest of the backbone's weights; empty where it is not needed.
    """

    kind: ClassVar[str] = "intervals"
    features: Float32[np.ndarray, "N I V D"]
    labels: Int64[np.ndarray, " N"]
    lengths: Int64[np.ndarray, " I"]
    backbone: str = ""


class TrainingIntervals(IntervalFeatures):
    """Training subjects, seen classes."""

    kind = "training intervals"


class TestIntervals(IntervalFeatures):
    """Test subjects, seen and unseen classes; only the evaluation opens them."""

    kind = "test intervals"
    __test__ = False  # not a test case for pytest, despite its name


Part = TypeVar("Part", bound=JointFeatures | IntervalFeatures)


def load_features(kind: type[Part], path: Path, **belongs: str) -> Part:
    """Read one part.

    Args:
        kind: which part of which features.
        path: where from.
        **belongs: what the features must belong to.

    Raises:
        ScopleError: the file is missing or damaged, holds another part, or belongs to something else.
    """
    tensors, described = load_tensors(kind.kind, path, again=kind.again, **belongs)
    return kind(**{name: tensor.numpy() for name, tensor in tensors.items()}, backbone=described["backbone"])
