"""The GZSL gate: is a sample of a seen or of an unseen class? Chosen on pseudo-unseen classes, never on test samples.

Every gate is one number per sample and one threshold; a sample is called unseen where its number is above the
threshold. Then its class is the best of the unseen candidates, otherwise the best of the seen ones. Scores are SCoPLe's
logits (similarity over temperature), the same for all gates.
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
    """What a gate says of each sample: unseen or not, and the row among the unseen or the seen candidates."""

    is_unseen: Bool[np.ndarray, " N"]
    targets: Int[np.ndarray, " N"]


@dataclass(frozen=True)
class PseudoUnseenScores:
    """What a threshold may be chosen on: training subjects and seen classes, some of which stand in for unseen ones.

    Made with `of`, which takes nothing but training features. The model that scored must not have been trained on
    these rows nor on the pseudo-unseen classes.

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
        """Put scores beside what the training features know of their samples.

        Args:
            training: the split's training part.
            rows: the samples that were scored, as rows of `training`.
            split: the whole split, with its pseudo-unseen classes.
            seen_scores: columns in the order of `split.without_pseudo_unseen.seen`.
            unseen_scores: columns in the order of `split.pseudo_unseen`.

        Raises:
            ScopleError: not training features, a sample of a class that is not seen, or a kind of sample without one.
        """
        if not isinstance(training, TrainingFeatures):
            raise ScopleError(
                f"A gate was to be calibrated on {type(training).__name__}, but only TrainingFeatures may choose it: "
                "pass the training part."
            )
        labels = training.labels[rows]
        if strange := sorted(set(labels.tolist()) - set(split.seen)):
            raise ScopleError(
                f"A gate was to be calibrated on class {strange[0] + 1}, which is not a seen class of {split.name}: "
                "extract the split's features again."
            )
        is_unseen = np.isin(labels, split.pseudo_unseen)
        if is_unseen.all() or not is_unseen.any():
            kind = "remaining seen" if is_unseen.all() else "pseudo-unseen"
            raise ScopleError(
                f"A gate was to be calibrated on 0 samples of {kind} classes of {split.name}, but needs at least 1: "
                "give the split other pseudo_unseen classes or more samples."
            )
        candidates = split.without_pseudo_unseen
        targets = np.empty(len(labels), dtype=np.int64)
        targets[~is_unseen] = targets_among(labels[~is_unseen], candidates.seen)
        targets[is_unseen] = targets_among(labels[is_unseen], candidates.unseen)
        return cls(seen_scores=seen_scores, unseen_scores=unseen_scores, is_unseen=is_unseen, targets=targets)


@dataclass(frozen=True)
class SeenUnseenCurve:
    """S, U and H in per cent at every threshold that makes a difference, thresholds ascending."""

    thresholds: Float64[np.ndarray, " T"]
    seen: Float64[np.ndarray, " T"]
    unseen: Float64[np.ndarray, " T"]
    harmonic: Float64[np.ndarray, " T"]


def unseenness(
    gate: Gate, seen_scores: Float[np.ndarray, "N S"], unseen_scores: Float[np.ndarray, "N U"]
) -> Float64[np.ndarray, " N"]:
    """The number that a gate holds against its threshold.

    Args:
        gate: "entropy": entropy, in nats, of the softmax over the seen candidates, at most ln S. Unstated: of the whole
            distribution; term by term, as printed, it would vanish for a class that is out of the question.
            "stacking": best unseen minus best seen score, so that the constant taken off the seen scores (calibrated
            stacking) is minus the threshold. "none": likewise, to be held against 0.
        seen_scores: logits of the seen candidates.
        unseen_scores: logits of the unseen candidates.
    """
    seen_scores, unseen_scores = seen_scores.astype(np.float64), unseen_scores.astype(np.float64)
    if gate == "entropy":
        shifted = seen_scores - seen_scores.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -(np.exp(log_p) * log_p).sum(axis=1)
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
        threshold: what `choose_threshold` gave; a sample is unseen where its `unseenness` is above.
    """
    is_unseen = unseenness(gate, seen_scores, unseen_scores) > threshold
    return Predictions(is_unseen, np.where(is_unseen, unseen_scores.argmax(axis=1), seen_scores.argmax(axis=1)))


def choose_threshold(gate: Gate, scores: PseudoUnseenScores) -> tuple[float, SeenUnseenCurve]:
    """The threshold of highest H on pseudo-unseen classes, and S against U on the way.

    Unstated: of equally good ones the lowest.

    Args:
        gate: see `unseenness`.
        scores: samples that a gate may be chosen on.

    Returns:
        The threshold, and the curve it was chosen from.
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
    """H in per cent that the best of all thresholds would have had on these very samples, whose labels it is told.

    It is an upper bound to hold a chosen threshold against, and no result. The threshold itself is not given away, so
    that nothing can be decided by it.

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
    """`median_seen` and `median_unseen`: the middle of the gate's number over samples of either kind."""
    values = unseenness(gate, seen_scores, unseen_scores)
    return {"median_seen": float(np.median(values[~is_unseen])), "median_unseen": float(np.median(values[is_unseen]))}


def _curve(
    gate: Gate,
    seen_scores: Float[np.ndarray, "N S"],
    unseen_scores: Float[np.ndarray, "N U"],
    is_unseen: Bool[np.ndarray, " N"],
    targets: Int[np.ndarray, " N"],
) -> SeenUnseenCurve:
    """S, U and H at all thresholds that can differ: halfway between neighbouring samples, and one beyond either end.

    For "none" there is nothing to choose: the only threshold is 0.
    """
    values = unseenness(gate, seen_scores, unseen_scores)
    levels = np.unique(values)
    below = np.nextafter(levels[:1], -np.inf)
    thresholds = np.zeros(1) if gate == "none" else np.concatenate([below, (levels[:-1] + levels[1:]) / 2, levels[-1:]])

    best = np.where(is_unseen, unseen_scores.argmax(axis=1), seen_scores.argmax(axis=1))
    is_right = best == targets  # if the gate decides rightly

    def not_above(which: Bool[np.ndarray, " N"]) -> Int[np.ndarray, " T"]:
        return np.searchsorted(np.sort(values[which]), thresholds, side="right")

    right_unseen = is_unseen & is_right
    seen = 100 * not_above(~is_unseen & is_right) / (~is_unseen).sum()
    unseen = 100 * (right_unseen.sum() - not_above(right_unseen)) / is_unseen.sum()
    return SeenUnseenCurve(thresholds, seen, unseen, harmonic_mean(seen, unseen))


def hold_out(targets: Int[np.ndarray, " N"], fraction: float, generator: np.random.Generator) -> Bool[np.ndarray, " N"]:
    """Draw samples of every class that training leaves out, for the seen side of a gate's calibration.

    Args:
        targets: class of each sample.
        fraction: share of each class's samples, rounded to the nearest count; at least one sample is held out and at
            least one is not, but the only sample of a class stays in training.
        generator: decides which.

    Returns:
        Whether each sample is held out.
    """
    held = np.zeros(len(targets), dtype=bool)
    for target in np.unique(targets):
        rows = np.flatnonzero(targets == target)
        count = min(max(1, round(fraction * len(rows))), len(rows) - 1)
        held[generator.permutation(rows)[:count]] = True
    return held
