"""Compare a model's predictions on the test samples with their labels: everything that is reported of one repeat."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from scople.data.class_names import ClassEntry, names_of
from scople.data.joint_features import TestFeatures
from scople.data.splits import Split, labels_of, task_targets
from scople.judging.gates import Gate, Predictions, highest_harmonic, medians
from scople.judging.metrics import controls, gzsl_metrics, per_class_accuracy


class Repeat(NamedTuple):
    """Results of one repeat of a model on the test subjects of a split, in per cent.

    Attributes:
        metrics: `zsl`, `seen`, `unseen` and `harmonic` with the gate of the run.
        under_gates: the same with every gate.
        controls: see `scople.judging.metrics.controls` and `gate_controls`; begins with the heading.
        per_class: a row for each class; each begins with the heading.
        pairs: columns actual and predicted, the class names of every test sample.
    """

    metrics: dict[str, float]
    under_gates: dict[Gate, dict[str, float]]
    controls: dict[str, Any]
    per_class: list[dict[str, Any]]
    pairs: pd.DataFrame


def judge(
    split: Split,
    classes: Sequence[ClassEntry],
    test: TestFeatures,
    *,
    seen_scores: Float[np.ndarray, "N S"],
    unseen_scores: Float[np.ndarray, "N U"],
    predictions: Mapping[Gate, Predictions],
    calibration: Mapping[Gate, Mapping[str, Any]],
    gate: Gate,
    heading: Mapping[str, Any],
    generator: np.random.Generator,
) -> Repeat:
    """Compare scores and predictions with the labels of the test samples.

    Args:
        split: the classes.
        classes: of the data set, in label order.
        test: labels, and the scores of the backbone's own classifier.
        seen_scores: score of each seen candidate.
        unseen_scores: score of each unseen candidate.
        predictions: each gate's predictions from these scores.
        calibration: of each gate, see `scople.judging.calibration.calibrate_gates`.
        gate: the gate of the run.
        heading: the first columns of every row of the tables.
        generator: draws the shuffles of the controls.
    """
    is_unseen, rows = task_targets(split, test.labels)
    under_gates = {
        name: gzsl_metrics(
            unseen_scores=unseen_scores,
            predicted_unseen=predicted.is_unseen,
            predicted_targets=predicted.targets,
            is_unseen=is_unseen,
            targets=rows,
        )
        for name, predicted in predictions.items()
    }
    control = controls(
        seen_scores=seen_scores,
        unseen_scores=unseen_scores,
        backbone_scores=test.backbone_scores,
        is_unseen=is_unseen,
        targets=rows,
        generator=generator,
    )
    for name in (name for name in predictions if name != "none"):
        control |= gate_controls(
            name,
            under_gates[name]["harmonic"],
            calibration[name],
            seen_scores=seen_scores,
            unseen_scores=unseen_scores,
            is_unseen=is_unseen,
            targets=rows,
        )
    labels = labels_of(split, *predictions[gate])
    accuracies = per_class_accuracy(labels, test.labels, len(classes))
    return Repeat(
        metrics=under_gates[gate],
        under_gates=under_gates,
        controls={**heading, **control},
        per_class=[{**heading, **row} for row in per_class_rows(classes, split.unseen, accuracies)],
        pairs=pd.DataFrame(
            {"actual": names_of(classes, test.labels.tolist()), "predicted": names_of(classes, labels.tolist())}
        ),
    )


def gate_controls(
    gate: Gate,
    harmonic: float,
    calibration: Mapping[str, Any],
    *,
    seen_scores: Float[np.ndarray, "N S"],
    unseen_scores: Float[np.ndarray, "N U"],
    is_unseen: Bool[np.ndarray, " N"],
    targets: Int[np.ndarray, " N"],
) -> dict[str, float]:
    """How well a gate's threshold transfers from the samples on which it was chosen to the test samples.

    Args:
        gate: the gate's name; every key begins with it.
        harmonic: H on the test samples with the chosen threshold.
        calibration: of this gate, with `threshold`, `median_seen` and `median_unseen`.
        seen_scores: score of each seen candidate, of the test samples.
        unseen_scores: score of each unseen candidate.
        is_unseen: whether the sample's class is unseen.
        targets: row of the sample's class among the unseen or the seen candidates.

    Returns:
        `<gate>_harmonic`; `<gate>_upper_bound_from_test_labels`, the H of the best of all thresholds, which no method
        can know; `<gate>_percent_of_upper_bound`, the share of this bound that was reached (100 if the bound is 0);
        `<gate>_threshold`; and four medians of the gate's number (in nats for the entropy): over the seen and over the
        unseen samples, both in the calibration and in the test.
    """
    bound = highest_harmonic(
        gate, seen_scores=seen_scores, unseen_scores=unseen_scores, is_unseen=is_unseen, targets=targets
    )
    tested = medians(gate, seen_scores, unseen_scores, is_unseen)
    values = {
        "harmonic": harmonic,
        "upper_bound_from_test_labels": bound,
        "percent_of_upper_bound": 100 * harmonic / bound if bound else 100.0,
        "threshold": calibration["threshold"],
        "calibration_median_seen": calibration["median_seen"],
        "calibration_median_unseen": calibration["median_unseen"],
        "test_median_seen": tested["median_seen"],
        "test_median_unseen": tested["median_unseen"],
    }
    return {f"{gate}_{name}": value for name, value in values.items()}


def per_class_rows(
    classes: Sequence[ClassEntry], unseen: Iterable[int], accuracies: Float[np.ndarray, " K"]
) -> list[dict[str, Any]]:
    """For each class of a data set, in label order: number, name, whether it is unseen, and accuracy in per cent.

    The accuracy is None for a class without samples.
    """
    unseen = set(unseen)
    return [
        {
            "id": entry.number,
            "label": entry.name,
            "is_unseen": entry.number - 1 in unseen,
            "accuracy": None if math.isnan(accuracy) else accuracy,
        }
        for entry, accuracy in zip(classes, accuracies.tolist(), strict=True)
    ]
