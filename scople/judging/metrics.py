"""ZSL and GZSL metrics from scores and targets. NumPy only: no model, no batches, nothing is chosen here.

Every accuracy is over samples, in per cent, from counts over the whole set.
"""

from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from scople.base.errors import ScopleError

PerCent = TypeVar("PerCent", float, np.ndarray)


def accuracy(predicted: Int[np.ndarray, " N"], targets: Int[np.ndarray, " N"]) -> float:
    """Share of the samples that are predicted correctly, in per cent.

    Raises:
        ScopleError: there is no sample.
    """
    if len(targets) == 0:
        raise ScopleError("An accuracy was to be measured on 0 samples, but needs at least 1: give it test samples.")
    return 100 * float(np.mean(predicted == targets))


def per_class_accuracy(
    predicted: Int[np.ndarray, " N"], targets: Int[np.ndarray, " N"], classes: int
) -> Float[np.ndarray, " K"]:
    """Accuracy over the samples of each class, in per cent; NaN for a class without samples.

    Args:
        predicted: predicted class of each sample.
        targets: true class of each sample, in [0, classes).
        classes: K.

    Returns:
        One number for each class, in their order.
    """
    samples = np.bincount(targets, minlength=classes)
    correct = np.bincount(targets[predicted == targets], minlength=classes)
    return np.divide(100.0 * correct, samples, out=np.full(classes, np.nan), where=samples > 0)


def harmonic_mean(seen: PerCent, unseen: PerCent) -> PerCent:
    """H = 2SU / (S + U), the main GZSL metric, in the unit of S and U; 0 if both are 0, NaN if either is NaN."""
    total = np.add(seen, unseen)
    return np.divide(2 * np.multiply(seen, unseen), total, out=np.zeros_like(total), where=total != 0)[()]


def zsl_accuracy(unseen_scores: Float[np.ndarray, "N U"], targets: Int[np.ndarray, " N"]) -> float:
    """Accuracy in per cent of samples of unseen classes, when only unseen classes are candidates.

    Args:
        unseen_scores: score of each unseen candidate; the largest is the prediction, and of equal ones the first.
        targets: true row among the unseen candidates.

    Raises:
        ScopleError: there is no sample.
    """
    return accuracy(unseen_scores.argmax(axis=1), targets)


def gzsl_metrics(
    *,
    unseen_scores: Float[np.ndarray, "N U"],
    predicted_unseen: Bool[np.ndarray, " N"],
    predicted_targets: Int[np.ndarray, " N"],
    is_unseen: Bool[np.ndarray, " N"],
    targets: Int[np.ndarray, " N"],
) -> dict[str, float]:
    """ZSL, S, U and H of one model over all test samples, in per cent.

    A target is a row among the seen or among the unseen candidates, depending on its flag. A prediction is right if
    both flag and row are right. As the gate only decides between the best seen and the best unseen class, U cannot
    exceed ZSL.

    Args:
        unseen_scores: score of each unseen candidate.
        predicted_unseen: whether the gate called the sample unseen.
        predicted_targets: predicted row.
        is_unseen: whether the sample's class is unseen.
        targets: true row.

    Returns:
        `zsl`, `seen` (S), `unseen` (U), `harmonic` (H).

    Raises:
        ScopleError: there is no seen or no unseen sample, a score is not finite, or U exceeds ZSL, which means that the
            predictions were not made from these scores.
    """
    if not np.isfinite(unseen_scores).all():
        raise ScopleError("Scores of unseen classes are not all finite: train again at a lower learning rate.")
    # One number encodes flag and row: seen rows count up from 0, unseen ones down from -1.
    predicted = np.where(predicted_unseen, ~predicted_targets, predicted_targets)
    truth = np.where(is_unseen, ~targets, targets)
    seen, unseen = (accuracy(predicted[which], truth[which]) for which in (~is_unseen, is_unseen))
    zsl = zsl_accuracy(unseen_scores[is_unseen], targets[is_unseen])
    if unseen > zsl:
        raise ScopleError(
            f"U is {unseen:.2f} % and ZSL {zsl:.2f} %, but a gate between the best seen and the best unseen class "
            "cannot raise U above ZSL: predict from the scores that ZSL is computed on."
        )
    return {"zsl": zsl, "seen": seen, "unseen": unseen, "harmonic": float(harmonic_mean(seen, unseen))}


def controls(
    *,
    seen_scores: Float[np.ndarray, "N S"],
    unseen_scores: Float[np.ndarray, "N U"],
    backbone_scores: Float[np.ndarray, "N S"],
    is_unseen: Bool[np.ndarray, " N"],
    targets: Int[np.ndarray, " N"],
    generator: np.random.Generator,
    shuffles: int = 200,
) -> dict[str, float]:
    """Controls that show whether the metrics can be trusted, in per cent.

    Args:
        seen_scores: score of each seen candidate.
        unseen_scores: score of each unseen candidate.
        backbone_scores: logits of the backbone's own classifier over the seen classes.
        is_unseen: whether the sample's class is unseen.
        targets: true row among the seen or the unseen candidates.
        generator: draws the shuffles.
        shuffles: number of shuffles that are averaged.

    Returns:
        `chance` of ZSL; `zsl`; `zsl_shuffled`, ZSL with the skeletons shuffled among the unseen samples, mean over the
        shuffles; `seen_candidates`, the accuracy of seen samples among the seen candidates, without a gate; and
        `backbone`, the accuracy of the backbone's own classifier on the same samples. `zsl_shuffled` is at chance
        unless a score depended on the label. Whether the *training* used the skeletons is a harder question, see
        `scople.judging.diagnostics`.
    """
    unseen_targets, seen_targets = targets[is_unseen], targets[~is_unseen]
    predicted = unseen_scores[is_unseen].argmax(axis=1)
    # A score depends only on its own skeleton, so shuffling the skeletons shuffles the predictions.
    shuffled = [accuracy(generator.permutation(predicted), unseen_targets) for _ in range(shuffles)]
    return {
        "chance": 100 / unseen_scores.shape[1],
        "zsl": accuracy(predicted, unseen_targets),
        "zsl_shuffled": float(np.mean(shuffled)),
        "seen_candidates": accuracy(seen_scores[~is_unseen].argmax(axis=1), seen_targets),
        "backbone": accuracy(backbone_scores[~is_unseen].argmax(axis=1), seen_targets),
    }
