"""What is reported of a repeat, on scores small enough to count by hand."""

import numpy as np
import pytest

from scople.data.class_names import ClassEntry
from scople.data.joint_features import TestFeatures
from scople.data.splits import Split
from scople.judging.gates import Predictions
from scople.judging.judge import judge, per_class_rows


def test_per_class_rows_keep_label_order():
    classes = [ClassEntry(1, "bow", False), ClassEntry(2, "hug", True)]
    rows = per_class_rows(classes, (1,), np.array([12.5, 50.0]))
    assert rows == [
        {"id": 1, "label": "bow", "is_unseen": False, "accuracy": 12.5},
        {"id": 2, "label": "hug", "is_unseen": True, "accuracy": 50.0},
    ]


def test_judge_counts_by_hand():
    """Three seen and two unseen classes, seven samples; labels stand in another order than rows."""
    classes = [ClassEntry(k + 1, name, False) for k, name in enumerate(["bow", "clap", "hop", "kick", "wave"])]
    split = Split(name="small", seen=(0, 2, 3), unseen=(1, 4), pseudo_unseen=(0,))
    labels = np.array([0, 2, 3, 1, 4, 4, 3])
    seen_scores = np.eye(3, dtype=np.float32)[[0, 1, 0, 2, 2, 2, 2]]
    unseen_scores = np.eye(2, dtype=np.float32)[[0, 0, 0, 0, 1, 0, 1]]
    called_unseen = np.array([False, False, False, True, True, False, True])
    said = Predictions(called_unseen, np.where(called_unseen, unseen_scores.argmax(1), seen_scores.argmax(1)))
    never = Predictions(np.zeros(7, dtype=bool), seen_scores.argmax(1))
    test = TestFeatures(
        features=np.zeros((7, 5, 11), dtype=np.float32), labels=labels, backbone_scores=seen_scores[:, ::-1].copy()
    )
    repeat = judge(
        split,
        classes,
        test,
        seen_scores=seen_scores,
        unseen_scores=unseen_scores,
        predictions={"entropy": said, "none": never},
        calibration={"entropy": {"threshold": 0.25, "median_seen": 0.125, "median_unseen": 0.5}},
        gate="entropy",
        heading={"split": "small"},
        generator=np.random.default_rng(1),
    )
    # Of four seen samples bow and hop are right; of three unseen ones clap and the first wave.
    expected = {"zsl": 200 / 3, "seen": 50.0, "unseen": 200 / 3, "harmonic": 400 / 7}
    assert repeat.metrics == repeat.under_gates["entropy"] == pytest.approx(expected)
    assert repeat.under_gates["none"] == pytest.approx({"zsl": 200 / 3, "seen": 75.0, "unseen": 0.0, "harmonic": 0.0})
    assert repeat.controls["split"] == "small"
    assert (repeat.controls["chance"], repeat.controls["seen_candidates"]) == (50.0, 75.0)
    assert repeat.controls["backbone"] == 50.0  # columns turned round: hop is right again, and the first kick
    # All seven samples have the same entropy: whatever the threshold, all are called seen or all unseen.
    assert repeat.controls["entropy_harmonic"] == pytest.approx(400 / 7)
    assert repeat.controls["entropy_upper_bound_from_test_labels"] == 0
    assert [repeat.controls[f"entropy_{name}"] for name in ("threshold", "calibration_median_seen")] == [0.25, 0.125]
    assert repeat.controls["entropy_calibration_median_unseen"] == 0.5
    alike = np.log(np.e + 2) - np.e / (np.e + 2)  # entropy of scores 1, 0, 0
    assert repeat.controls["entropy_test_median_seen"] == pytest.approx(alike)
    assert repeat.controls["entropy_test_median_unseen"] == pytest.approx(alike)
    assert "none_harmonic" not in repeat.controls
    assert {row["label"]: row["accuracy"] for row in repeat.per_class} == {
        "bow": 100.0, "clap": 100.0, "hop": 100.0, "kick": 0.0, "wave": 50.0
    }  # fmt: skip
    assert [row["split"] for row in repeat.per_class] == ["small"] * 5
    assert repeat.pairs["actual"].tolist() == ["bow", "hop", "kick", "clap", "wave", "wave", "kick"]
    assert repeat.pairs["predicted"].tolist() == ["bow", "hop", "bow", "clap", "wave", "kick", "wave"]
