"""Joint features on disk: what the frozen backbone made of a split's samples.

The training part and the test part are different types in different files, so that whatever trains, selects or
calibrates can be given the one and never the other.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Float32, Int64
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from scople.base.errors import ScopleError
from scople.base.files import whole


@dataclass(frozen=True)
class JointFeatures:
    """Features with the class of each sample.

    Attributes:
        features: last Shift-GCN map, averaged over persons and time.
        labels: class ids of the data set, from 0.
        backbone_scores: logits of the backbone's own classifier over the seen classes, ascending labels.
    """

    features: Float32[np.ndarray, "N V D"]
    labels: Int64[np.ndarray, " N"]
    backbone_scores: Float32[np.ndarray, "N S"]

    def save(self, path: Path) -> None:
        """Write one safetensors file, whole or not at all."""
        arrays = {f.name: np.ascontiguousarray(getattr(self, f.name)) for f in fields(self)}
        with whole(path) as beside:
            save_file(arrays, beside)


class TrainingFeatures(JointFeatures):
    """Training subjects, seen classes."""


class TestFeatures(JointFeatures):
    """Test subjects, seen and unseen classes; only the evaluation opens them."""

    __test__ = False  # not a test case, whatever its name looks like to pytest


Part = TypeVar("Part", bound=JointFeatures)


def load_features(kind: type[Part], path: Path) -> Part:
    """Read one part.

    Raises:
        ScopleError: the file is missing, damaged, or holds other arrays.
    """
    try:
        return kind(**load_file(path))
    except (OSError, SafetensorError, TypeError) as error:
        raise ScopleError(
            f"joint features {path} can not be read ({error}): run `dvc repro features` again."
        ) from error
