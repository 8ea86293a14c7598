"""Joint features on disk: the outputs of the frozen backbone for a split's samples.

The training part and the test part are different types in different files, so that code that trains, selects or
calibrates only accepts the training part.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Float32, Int64

from scople.base.artefacts import load_tensors, save_tensors


@dataclass(frozen=True)
class JointFeatures:
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

    def save(self, path: Path, **belongs: str) -> None:
        """Write one safetensors file, whole or not at all.

        Args:
            path: where to.
            **belongs: what the features belong to, as `scople.base.artefacts.save_tensors` takes it.

        Raises:
            ScopleError: a number is not finite.
        """
        arrays = {name: torch.from_numpy(getattr(self, name)) for name in ("features", "labels", "backbone_scores")}
        save_tensors(self.kind, arrays, path, **belongs, backbone=self.backbone)


class TrainingFeatures(JointFeatures):
    """Training subjects, seen classes."""

    kind = "training features"


class TestFeatures(JointFeatures):
    """Test subjects, seen and unseen classes; only the evaluation opens them."""

    kind = "test features"
    __test__ = False  # not a test case for pytest, despite its name


Part = TypeVar("Part", bound=JointFeatures)


def load_features(kind: type[Part], path: Path, **belongs: str) -> Part:
    """Read one part.

    Args:
        kind: which part.
        path: where from.
        **belongs: what the features must belong to.

    Raises:
        ScopleError: the file is missing or damaged, holds the other part, or belongs to something else.
    """
    again = "run `dvc repro features` again"
    tensors, described = load_tensors(kind.kind, path, again=again, **belongs)
    return kind(**{name: tensor.numpy() for name, tensor in tensors.items()}, backbone=described["backbone"])
