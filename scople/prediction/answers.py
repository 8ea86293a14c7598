"""What a model says of one recording: labels with probabilities, best first, and how clear that is."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64


@dataclass(frozen=True)
class Answer:
    """The labels that were to choose from, best first.

    Attributes:
        labels: by falling score; of equal scores the one that was given first.
        scores: logit of each, as the evaluation computes it.
        probabilities: softmax over these labels; they sum to 1. Departs: no part of the paper; the temperature is the
            model's own, and nothing has calibrated it on other recordings.
        is_seen: whether these are the model's seen classes, because the gate chose them over the given labels.
    """

    labels: tuple[str, ...]
    scores: Float32[np.ndarray, " K"]
    probabilities: Float64[np.ndarray, " K"]
    is_seen: bool

    @classmethod
    def of(cls, labels: list[str], scores: Float32[np.ndarray, " K"], *, is_seen: bool) -> "Answer":
        """Put labels in the order of their scores."""
        order = np.argsort(-scores, kind="stable")
        ordered = scores[order]
        shares = np.exp(ordered.astype(np.float64) - float(ordered[0]))
        return cls(tuple(labels[row] for row in order), ordered, shares / shares.sum(), is_seen)

    @property
    def best(self) -> str:
        """The label of the highest score."""
        return self.labels[0]

    @property
    def margin(self) -> float:
        """Probability of the best label less that of the second, 0 to 1; where there is no second, the first's own."""
        return float(self.probabilities[0] - sum(self.probabilities[1:2]))

    @property
    def chance(self) -> float:
        """Probability of each label if nothing were known."""
        return 1 / len(self.labels)
