"""ZSL and GZSL metrics from scores and targets. NumPy only: no model, no batches, nothing is chosen here.

Every accuracy is over samples, in per cent, from counts over the whole set.
"""

from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float, Int

from scople.base.errors import ScopleError

PerCent = TypeVar("PerCent", float, np.ndarray)


def accuracy(predicted: Int[np.ndarray, " N"], targets: Int[np.ndarray, " N"]) -> float:
    """Share of the samples whose prediction is their target, in per cent.

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
    """H = 2SU / (S + U), the headline of GZSL, in the unit of its arguments; 0 where both are 0, NaN where one is."""
    total = np.add(seen, unseen)
    return np.divide(2 * np.multiply(seen, unseen), total, out=np.zeros_like(total), where=total != 0)[()]


def zsl_accuracy(unseen_scores: Float[np.ndarray, "N U"], targets: Int[np.ndarray, " N"]) -> float:
    """Accuracy in per cent of samples of unseen classes among the unseen candidates.

    Args:
        unseen_scores: score of each unseen candidate, the largest wins; of equal ones the first.
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

    A target is a row among the seen candidates or among the unseen ones, as the flag beside it says; a prediction is
    right where flag and row both are. Since the gate only decides between the best seen and the best unseen class, U
    cannot exceed ZSL.

    Args:
        unseen_scores: score of each unseen candidate.
        predicted_unseen: whether the gate called the sample unseen.
        predicted_targets: predicted row.
        is_unseen: whether the sample's class is unseen.
        targets: true row.

    Returns:
        `zsl`, `seen` (S), `unseen` (U), `harmonic` (H).

    Raises:
        ScopleError: there is no seen or no unseen sample, a score is not finite, or U exceeds ZSL, so the predictions
            were not made from these scores.
    """
    if not np.isfinite(unseen_scores).all():
        raise ScopleError("Scores of unseen classes are not all finite: train again at a lower learning rate.")
    # One number for flag and row: seen rows count up from 0, unseen ones down from -1.
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
    """What keeps the headline honest, in per cent.

    Args:
        seen_scores: score of each seen candidate.
        unseen_scores: score of each unseen candidate.
        backbone_scores: logits of the backbone's own classifier over the seen classes.
        is_unseen: whether the sample's class is unseen.
        targets: true row among the seen or the unseen candidates.
        generator: draws the shuffles.
        shuffles: how many are averaged.

    Returns:
        `chance` of ZSL; `zsl`; `zsl_shuffled`, with the skeletons shuffled among the unseen samples, mean over the
        shuffles: what these predictions are worth without their skeletons, at chance unless a score was told the label
        (whether the *training* looked at skeletons is the harder question, see `scople.judging.diagnostics`);
        `seen_candidates`, seen samples scored among the seen candidates, no gate; and `backbone`, the same samples
        under the backbone's own classifier.
    """
    unseen_targets, seen_targets = targets[is_unseen], targets[~is_unseen]
    predicted = unseen_scores[is_unseen].argmax(axis=1)
    # A score depends on its own skeleton alone, so shuffled skeletons are shuffled predictions.
    shuffled = [accuracy(generator.permutation(predicted), unseen_targets) for _ in range(shuffles)]
    return {
        "chance": 100 / unseen_scores.shape[1],
        "zsl": accuracy(predicted, unseen_targets),
        "zsl_shuffled": float(np.mean(shuffled)),
        "seen_candidates": accuracy(seen_scores[~is_unseen].argmax(axis=1), seen_targets),
        "backbone": accuracy(backbone_scores[~is_unseen].argmax(axis=1), seen_targets),
    }
