"""The GZSL gate: is a sample of a seen or of an unseen class? Chosen on pseudo-unseen classes, never on test samples.

Every gate has one number for each sample and one threshold. If the number is above the threshold, the prediction is the
best of the unseen candidates, otherwise the best of the seen ones. Scores are the method's own (SCoPLe's logits are
similarities divided by the temperature), the same for all gates.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from scople.base.errors import ScopleError
from scople.data.joint_features import TrainingFeatures
from scople.data.splits import Split
from scople.data.splits import targets as targets_among
from scople.judging.metrics import harmonic_mean

Gate = Literal["entropy", "stacking", "none"]


class Predictions(NamedTuple):
    """A gate's predictions: whether each sample is unseen, and its row among the unseen or the seen candidates."""

    is_unseen: Bool[np.ndarray, " N"]
    targets: Int[np.ndarray, " N"]


@dataclass(frozen=True)
class PseudoUnseenScores:
    """Scores on which a threshold may be chosen: training subjects and seen classes, some of these as pseudo-unseen.

    Create it with `of`, which accepts only training features. The model that gave the scores must not have been trained
    on these samples or on the pseudo-unseen classes.

    Attributes:
        seen_scores: logits of the seen classes that the model was trained on.
        unseen_scores: logits of the pseudo-unseen classes.
        is_unseen: whether the sample's class is a pseudo-unseen one.
        targets: row of the sample's class among the pseudo-unseen or the remaining seen candidates.
    """

    seen_scores: Float[np.ndarray, "N S"]
    unseen_scores: Float[np.ndarray, "N U"]
    is_unseen: Bool[np.ndarray, " N"]
    targets: Int[np.ndarray, " N"]

    @classmethod
    def of(
        cls,
        training: TrainingFeatures,
        rows: Int[np.ndarray, " N"],
        split: Split,
        *,
        seen_scores: Float[np.ndarray, "N S"],
        unseen_scores: Float[np.ndarray, "N U"],
    ) -> "PseudoUnseenScores":
        """Combine scores with the labels of their samples in the training features.

        Args:
            training: the split's training part.
            rows: the samples that were scored, as rows of `training`.
            split: the whole split, with its pseudo-unseen classes.
            seen_scores: columns in the order of `split.without_pseudo_unseen.seen`.
            unseen_scores: columns in the order of `split.pseudo_unseen`.

        Raises:
            ScopleError: `training` is not the training part, a sample's class is not a seen one, or there is no sample
                of the pseudo-unseen or of the remaining classes.
        """
        if not isinstance(training, TrainingFeatures):
            raise ScopleError(
                f"A gate cannot be calibrated on {type(training).__name__}, only on TrainingFeatures: "
                "pass the training part."
            )
        labels = training.labels[rows]
        if strange := sorted(set(labels.tolist()) - set(split.seen)):
            raise ScopleError(
                f"A gate cannot be calibrated on class {strange[0] + 1}, which is not a seen class of {split.name}: "
                "extract the split's features again."
            )
        is_unseen = np.isin(labels, split.pseudo_unseen)
        if is_unseen.all() or not is_unseen.any():
            kind = "remaining seen" if is_unseen.all() else "pseudo-unseen"
            raise ScopleError(
                f"A gate cannot be calibrated on 0 samples of {kind} classes of {split.name}, it needs at least 1: "
                "give the split other pseudo_unseen classes or more samples."
            )
        candidates = split.without_pseudo_unseen
        targets = np.empty(len(labels), dtype=np.int64)
        targets[~is_unseen] = targets_among(labels[~is_unseen], candidates.seen)
        targets[is_unseen] = targets_among(labels[is_unseen], candidates.unseen)
        return cls(seen_scores=seen_scores, unseen_scores=unseen_scores, is_unseen=is_unseen, targets=targets)


@dataclass(frozen=True)
class SeenUnseenCurve:
    """S, U and H in per cent at every threshold that changes a prediction, in ascending order."""

    thresholds: Float64[np.ndarray, " T"]
    seen: Float64[np.ndarray, " T"]
    unseen: Float64[np.ndarray, " T"]
    harmonic: Float64[np.ndarray, " T"]


def log_shares(scores: Float[np.ndarray, "N K"]) -> Float64[np.ndarray, "N K"]:
    """Ln of the softmax over each sample's candidates: a scale on which scores of two models can be compared."""
    shifted = scores.astype(np.float64) - scores.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


def unseenness(
    gate: Gate, seen_scores: Float[np.ndarray, "N S"], unseen_scores: Float[np.ndarray, "N U"]
) -> Float64[np.ndarray, " N"]:
    """The number that a gate compares with its threshold.

    Args:
        gate: "entropy": entropy, in nats, of the softmax over the seen candidates, at most ln S. Unstated: it is the
            entropy of the whole distribution; a single term, as printed, would vanish for a very unlikely class.
            "stacking": best unseen minus best seen score; the constant that calibrated stacking subtracts from the
            seen scores is minus the threshold. "none": the same number, but its threshold is 0.
        seen_scores: logits of the seen candidates.
        unseen_scores: logits of the unseen candidates.
    """
    if gate == "entropy":
        log_p = log_shares(seen_scores)
        return -(np.exp(log_p) * log_p).sum(axis=1)
    seen_scores, unseen_scores = seen_scores.astype(np.float64), unseen_scores.astype(np.float64)
    return unseen_scores.max(axis=1) - seen_scores.max(axis=1)


def apply_gate(
    gate: Gate,
    seen_scores: Float[np.ndarray, "N S"],
    unseen_scores: Float[np.ndarray, "N U"],
    threshold: float,
) -> Predictions:
    """Predict seen and unseen classes.

    Args:
        gate: see `unseenness`.
        seen_scores: logits of the seen candidates.
        unseen_scores: logits of the unseen candidates.
        threshold: from `choose_threshold`; a sample is predicted as unseen if its `unseenness` is above it.
    """
    is_unseen = unseenness(gate, seen_scores, unseen_scores) > threshold
    return Predictions(is_unseen, np.where(is_unseen, unseen_scores.argmax(axis=1), seen_scores.argmax(axis=1)))


def choose_threshold(gate: Gate, scores: PseudoUnseenScores) -> tuple[float, SeenUnseenCurve]:
    """The threshold with the highest H on pseudo-unseen classes, and the curve of S, U and H.

    Unstated: of equally good thresholds, the lowest is chosen.

    Args:
        gate: see `unseenness`.
        scores: scores on which a threshold may be chosen.

    Returns:
        The threshold, and the curve from which it was chosen.
    """
    curve = _curve(gate, scores.seen_scores, scores.unseen_scores, scores.is_unseen, scores.targets)
    return float(curve.thresholds[curve.harmonic.argmax()]), curve


def highest_harmonic(
    gate: Gate,
    *,
    seen_scores: Float[np.ndarray, "N S"],
    unseen_scores: Float[np.ndarray, "N U"],
    is_unseen: Bool[np.ndarray, " N"],
    targets: Int[np.ndarray, " N"],
) -> float:
    """H in per cent of the threshold that is best on these samples, found with their labels.

    It is an upper bound for comparison with a chosen threshold, not a result. The threshold itself is not returned, so
    that it cannot be used for predictions.

    Args:
        gate: see `unseenness`.
        seen_scores: logits of the seen candidates.
        unseen_scores: logits of the unseen candidates.
        is_unseen: whether the sample's class is unseen.
        targets: row of the sample's class among the unseen or the seen candidates.
    """
    return float(_curve(gate, seen_scores, unseen_scores, is_unseen, targets).harmonic.max())


def medians(
    gate: Gate,
    seen_scores: Float[np.ndarray, "N S"],
    unseen_scores: Float[np.ndarray, "N U"],
    is_unseen: Bool[np.ndarray, " N"],
) -> dict[str, float]:
    """`median_seen` and `median_unseen`: medians of the gate's number over the seen and over the unseen samples."""
    values = unseenness(gate, seen_scores, unseen_scores)
    return {"median_seen": float(np.median(values[~is_unseen])), "median_unseen": float(np.median(values[is_unseen]))}


def _curve(
    gate: Gate,
    seen_scores: Float[np.ndarray, "N S"],
    unseen_scores: Float[np.ndarray, "N U"],
    is_unseen: Bool[np.ndarray, " N"],
    targets: Int[np.ndarray, " N"],
) -> SeenUnseenCurve:
    """S, U and H at all thresholds that can differ: halfway between neighbouring numbers, and one beyond each end.

    For "none" there is nothing to choose: the only threshold is 0.
    """
    values = unseenness(gate, seen_scores, unseen_scores)
    levels = np.unique(values)
    below = np.nextafter(levels[:1], -np.inf)
    thresholds = np.zeros(1) if gate == "none" else np.concatenate([below, (levels[:-1] + levels[1:]) / 2, levels[-1:]])

    best = np.where(is_unseen, unseen_scores.argmax(axis=1), seen_scores.argmax(axis=1))
    is_right = best == targets  # if the gate's decision is right

    def not_above(which: Bool[np.ndarray, " N"]) -> Int[np.ndarray, " T"]:
        return np.searchsorted(np.sort(values[which]), thresholds, side="right")

    right_unseen = is_unseen & is_right
    seen = 100 * not_above(~is_unseen & is_right) / (~is_unseen).sum()
    unseen = 100 * (right_unseen.sum() - not_above(right_unseen)) / is_unseen.sum()
    return SeenUnseenCurve(thresholds, seen, unseen, harmonic_mean(seen, unseen))


def hold_out(targets: Int[np.ndarray, " N"], fraction: float, generator: np.random.Generator) -> Bool[np.ndarray, " N"]:
    """Draw samples of every class to hold out of training; they are the seen side of a gate's calibration.

    Args:
        targets: class of each sample.
        fraction: share of each class's samples, rounded to the nearest count. At least one sample is held out and at
            least one is not; if a class has only one sample, it stays in training.
        generator: draws the samples.

    Returns:
        Whether each sample is held out.
    """
    held = np.zeros(len(targets), dtype=bool)
    for target in np.unique(targets):
        rows = np.flatnonzero(targets == target)
        count = min(max(1, round(fraction * len(rows))), len(rows) - 1)
        held[generator.permutation(rows)[:count]] = True
    return held
