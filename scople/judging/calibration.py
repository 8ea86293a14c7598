"""The gates' constants for GZSL, chosen on pseudo-unseen classes.

A method is trained once more on the same features, but without the pseudo-unseen classes and without a few held-out
samples of the other classes. The scores of these samples, all of training subjects, determine each gate's threshold.
Test samples cannot be used here: the only features that these functions take are the training part.
"""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
from jaxtyping import Float, Int

from scople.base.errors import ScopleError
from scople.base.seeding import numpy_generator
from scople.data.joint_features import CalibrationFeatures, TrainingFeatures
from scople.data.splits import Split
from scople.judging.gates import Gate, PseudoUnseenScores, choose_threshold, hold_out, log_shares, medians

Trial = Callable[
    [Split, Int[np.ndarray, " N1"], Int[np.ndarray, " N2"]],
    tuple[Float[np.ndarray, "N2 S"], Float[np.ndarray, "N2 U"]],
]
"""Trains a method anew on some rows of the training part and scores others: split, rows to learn from, rows to score →
scores for the split's seen classes, and for its unseen ones."""


def calibrate_gates(
    trial: Trial, training: TrainingFeatures, split: Split, *, gate_holdout: float, seed: int
) -> dict[str, dict[str, Any]]:
    """Train without the pseudo-unseen classes and choose every gate's threshold.

    Args:
        trial: trains and scores, on the rows of `training` that it is told.
        training: the split's training part.
        split: the whole split, with its pseudo-unseen classes.
        gate_holdout: fraction of each remaining class's samples that is held out of training and used to choose.
        seed: root seed; decides which.

    Returns:
        Gate → `threshold`; `harmonic`, the H reached in this calibration, per cent; `median_seen` and `median_unseen`,
        the medians of the number that the gate compares, over the held-out and over the pseudo-unseen samples; and the
        S-U curve from which the threshold was chosen: `thresholds`, `seen`, `unseen`.

    Raises:
        ScopleError: `training` is not the training part, or has no sample to choose on.
    """
    if not isinstance(training, TrainingFeatures):
        raise ScopleError(
            f"A gate cannot be calibrated on {type(training).__name__}, only on TrainingFeatures: "
            "pass the training part."
        )
    inner = split.without_pseudo_unseen
    remaining = np.flatnonzero(np.isin(training.labels, inner.seen))
    held = hold_out(training.labels[remaining], gate_holdout, numpy_generator(seed, "gate holdout", split.name))
    learned = remaining[~held]
    judged = np.setdiff1d(np.arange(len(training.labels)), learned)
    return _chosen(training, judged, split, *trial(inner, learned, judged))


def calibrate_gates_of_head(trial: Trial, calibration: CalibrationFeatures, split: Split) -> dict[str, dict[str, Any]]:
    """As `calibrate_gates`, where the scores of seen classes are those of the backbone's own classifier.

    A backbone is sure of what it was trained on, so that it must know neither the pseudo-unseen classes nor the
    subjects of the samples that stand for seen ones: both are held out of the backbone already, and the method is
    trained on the rest of that backbone's features. The two sides come from two models, so that each is taken as
    `log_shares` among its own candidates; otherwise stacking would subtract logits of one scale from those of another.

    Args:
        trial: trains and scores, on the rows of `calibration` that it is told.
        calibration: the split's training samples by such a backbone.
        split: the whole split, with its pseudo-unseen classes.
    """
    if not isinstance(calibration, CalibrationFeatures):
        raise ScopleError(
            f"A gate on the backbone's own scores cannot be calibrated on {type(calibration).__name__}, only on "
            "CalibrationFeatures: pass those of a backbone that was held out for it."
        )
    judged = np.flatnonzero(~calibration.is_learned)
    _, unseen_scores = trial(split.without_pseudo_unseen, np.flatnonzero(calibration.is_learned), judged)
    seen_scores = log_shares(calibration.backbone_scores[judged])
    return _chosen(calibration, judged, split, seen_scores, log_shares(unseen_scores))


def _chosen(
    training: TrainingFeatures,
    judged: Int[np.ndarray, " N"],
    split: Split,
    seen_scores: Float[np.ndarray, "N S"],
    unseen_scores: Float[np.ndarray, "N U"],
) -> dict[str, dict[str, Any]]:
    pseudo = PseudoUnseenScores.of(training, judged, split, seen_scores=seen_scores, unseen_scores=unseen_scores)
    gates = {}
    for gate in get_args(Gate):
        threshold, curve = choose_threshold(gate, pseudo)
        gates[gate] = {
            "threshold": threshold,
            "harmonic": float(curve.harmonic.max()),
            **medians(gate, pseudo.seen_scores, pseudo.unseen_scores, pseudo.is_unseen),
            "thresholds": curve.thresholds.tolist(),
            "seen": curve.seen.tolist(),
            "unseen": curve.unseen.tolist(),
        }
    return gates
