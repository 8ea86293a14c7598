"""The gates' constants for GZSL, chosen on pseudo-unseen classes.

SCoPLe is trained once more on the same features, but without the pseudo-unseen classes and without a few held-out
samples of the other classes. The scores of these samples, all of training subjects, determine each gate's threshold.
Test samples cannot be used here: the only features that these functions take are the training part.
"""

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import torch

from scople.base.seeding import numpy_generator
from scople.data.joint_features import TrainingFeatures
from scople.data.splits import Split, targets
from scople.judging.gates import Gate, PseudoUnseenScores, choose_threshold, hold_out, medians
from scople.model.scople import SCoPLe
from scople.model.training import fit, score


def calibrate_gates(
    model: SCoPLe,
    training: TrainingFeatures,
    split: Split,
    names: Callable[[tuple[int, ...]], list[str]],
    *,
    gate_holdout: float,
    score_batch_size: int,
    seed: int,
    device: torch.device,
    **training_settings: Any,
) -> dict[str, dict[str, Any]]:
    """Train `model` without the pseudo-unseen classes and choose every gate's threshold.

    Args:
        model: untrained; it is trained here.
        training: the split's training part.
        split: the whole split, with its pseudo-unseen classes.
        names: class names of labels.
        gate_holdout: fraction of each remaining class's samples that is held out of training and used to choose.
        score_batch_size: samples scored at a time.
        seed: root seed.
        device: where to compute.
        **training_settings: as `scople.model.training.fit` takes them.

    Returns:
        Gate → `threshold`; `harmonic`, the H reached in this calibration, per cent; `median_seen` and `median_unseen`,
        the medians of the number that the gate compares, over the held-out and over the pseudo-unseen samples; and the
        S-U curve from which the threshold was chosen: `thresholds`, `seen`, `unseen`.
    """
    inner = split.without_pseudo_unseen
    remaining = np.flatnonzero(np.isin(training.labels, inner.seen))
    held = hold_out(training.labels[remaining], gate_holdout, numpy_generator(seed, "gate holdout", split.name))
    learned = remaining[~held]
    fit(
        model,
        training.features[learned],
        targets(training.labels[learned], inner.seen),
        names(inner.seen),
        seed=seed,
        device=device,
        **training_settings,
    )
    judged = np.setdiff1d(np.arange(len(training.labels)), learned)
    candidates = [*inner.seen, *inner.unseen]
    scores = score(
        model, training.features[judged], names(tuple(candidates)), batch_size=score_batch_size, device=device
    )
    pseudo = PseudoUnseenScores.of(
        training,
        judged,
        split,
        seen_scores=scores[:, : len(inner.seen)],
        unseen_scores=scores[:, len(inner.seen) :],
    )
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
