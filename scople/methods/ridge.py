"""Ridge regression from class texts to class means: the control that every method has to beat.

Each seen class has a text t and a mean m of its samples' pooled features. With T and M, their rows less their means,

    W = T^T (T T^T + lambda I)^-1 M,    mean of a class with text t = mean(m) + (t - mean(t)) W,

and a sample v belongs to the candidate with the nearest mean. lambda is the one of `PENALTIES` with the smallest
squared error when each seen class in turn is left out, which has a closed form (PRESS). No gradient, nothing drawn.

The score is the logarithm of a Gaussian around that mean, up to a constant: -|v - mean|^2 / (2 variance), with the
variance of one dimension of the seen samples around the means of their own classes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from scople.methods.inputs import pooled
from scople.methods.method import ClassTexts, Method, Progress, Samples, Update
from scople.methods.recipe import Recipe
from scople.methods.sizes import Sizes

PENALTIES = tuple(10.0**k for k in range(-3, 4))
"""Candidates for lambda, for texts of length 1."""


@dataclass(frozen=True)
class RidgeSettings:
    """There is nothing to set."""

    def recipe(self) -> Recipe:
        """No step at all."""
        return Recipe(batch_size=1)


class Ridge(Method):
    """See the module.

    Args:
        settings: none.
        sizes: of features and texts.
    """

    def __init__(self, settings: RidgeSettings, sizes: Sizes) -> None:
        super().__init__()
        double = {"dtype": torch.float64}
        self.register_buffer("text_mean", torch.zeros(sizes.text_width, **double))
        self.register_buffer("feature_mean", torch.zeros(sizes.feature_width, **double))
        self.register_buffer("weights", torch.zeros(sizes.text_width, sizes.feature_width, **double))
        self.register_buffer("variance", torch.ones((), **double))

    def groups(self) -> Mapping[str, list]:
        """Nothing has a gradient."""
        return {}

    def begin(self, samples: Samples, texts: ClassTexts) -> None:
        """Solve for the weights, in double precision."""
        rows = samples.targets.cpu().numpy()
        features = pooled(samples.features).double().cpu().numpy()
        present = np.unique(rows)
        means = np.stack([features[rows == row].mean(axis=0) for row in present])
        text = texts.fields["name"].double().cpu().numpy()[present]
        text_mean, feature_mean = text.mean(axis=0), means.mean(axis=0)
        text, aims = text - text_mean, means - feature_mean
        penalty = min(PENALTIES, key=lambda each: left_out_error(text, aims, each))
        weights = text.T @ np.linalg.solve(text @ text.T + penalty * np.eye(len(text)), aims)
        variance = np.square(features - means[np.searchsorted(present, rows)]).mean()
        for name, value in {
            "text_mean": text_mean,
            "feature_mean": feature_mean,
            "weights": weights,
            "variance": np.maximum(variance, np.finfo(np.float32).tiny),
        }.items():
            getattr(self, name).copy_(torch.from_numpy(np.asarray(value)))

    def updates(
        self, samples: Samples, texts: ClassTexts, at: Progress, generator: torch.Generator
    ) -> Iterator[Update]:
        """None."""
        return iter(())

    def prepare(
        self, texts: ClassTexts, generator: torch.Generator, samples: Samples | None = None
    ) -> Float64[Tensor, "K D"]:
        """The means that the candidates' texts predict."""
        return self.feature_mean + (texts.fields["name"].double() - self.text_mean) @ self.weights

    def scores(self, features: Float[Tensor, "B I V D"], candidates: Float64[Tensor, "K D"]) -> Float64[Tensor, "B K"]:
        """Logarithm of each Gaussian, up to a constant."""
        differences = pooled(features).double().unsqueeze(1) - candidates
        return -differences.square().sum(dim=-1) / (2 * self.variance)


def left_out_error(text: Float64[np.ndarray, "K E"], aims: Float64[np.ndarray, "K D"], penalty: float) -> float:
    """Squared error, summed over the classes, of each class's mean by the regression on the others.

    With H = 1/K + T T^T (T T^T + lambda I)^-1 the residual of a class that was left out is its own one over 1 - H_kk.

    Args:
        text: rows whose mean is 0.
        aims: rows whose mean is 0.
        penalty: lambda.
    """
    products = text @ text.T
    hat = np.linalg.solve(products + penalty * np.eye(len(text)), products).T
    residuals = (aims - hat @ aims) / (1 - 1 / len(text) - np.diag(hat))[:, None]
    return float(np.square(residuals).sum())
