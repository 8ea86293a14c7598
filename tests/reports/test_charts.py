"""The page's charts show the numbers they were given."""

import numpy as np
import pandas as pd
from hostile_profile import gates

from scople.reports.page import charts


def test_whiskers_stand_at_values_and_are_as_long_as_errors():
    means = pd.DataFrame(
        {
            "name": ["a", "b", "mean"],
            "is_group": [False, False, True],
            "value": [40.0, 20.0, 30.0],
            "error": [np.nan, 3.0, 7.0],
            "chance": [20.0, 10.0, np.nan],
        }
    )
    (axes,) = charts.whiskers(means, "ZSL").axes
    bars = np.concatenate([np.array(part.get_segments()) for part in axes.collections])
    np.testing.assert_allclose(np.ptp(bars[..., 0], axis=1), [0, 6, 14])
    np.testing.assert_allclose(bars[..., 0].mean(axis=1), [40, 20, 30])
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b", "mean"]
    (chance,) = [line for line in axes.lines if line.get_marker() == "|"]
    assert chance.get_xdata().tolist() == [20, 10]


def test_confusion_is_the_share_of_each_row():
    counts = np.array([[5, 2, 0], [1, 0, 6], [0, 0, 0]])
    (axes,) = charts.confusion(counts, np.array([False, False, True])).axes
    (image,) = axes.images
    np.testing.assert_allclose(image.get_array(), [[5 / 7, 2 / 7, 0], [1 / 7, 0, 6 / 7], [0, 0, 0]])


def test_curves_go_through_their_points():
    (axes,) = charts.threshold_curves("entropy", gates()["entropy"]).axes
    shown = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
    assert shown["S"] == [0, 20, 60]
    assert shown["U"] == [40, 30, 0]
    np.testing.assert_allclose(shown["H"], [0, 24, 0])
    (plane,) = charts.seen_unseen_plane(gates(), {"entropy": {"seen": 11.0, "unseen": 13.0}}).axes
    (diamond,) = [line for line in plane.lines if line.get_marker() == "D"]
    assert (*diamond.get_xdata(), *diamond.get_ydata()) == (11, 13)
    rings = [(*line.get_xdata(), *line.get_ydata()) for line in plane.lines if line.get_marker() == "o"]
    assert rings == [(20, 30), (0, 40)]


def test_taken_for_names_the_most_frequent_mistake():
    counts = np.array([[5, 2, 3], [0, 7, 0], [0, 0, 0]])
    assert charts.taken_for(counts, ["a", "b", "c"]) == {"a": [("c", 30.0)], "b": []}


def test_a_setting_has_its_band():
    means = pd.DataFrame(
        {"setting": "layer_depth", "value": [2, 1], "zsl": [46.0, 40.0], "zsl_difference_se": [0.0, 3]}
    )
    (axes,) = charts.setting_curve(means, 2).axes
    assert [line.get_ydata().tolist() for line in axes.lines if line.get_marker() == "o"] == [[40, 46]]
    (band,) = [part for part in axes.collections if len(part.get_paths()[0].vertices) > 4]
    assert band.get_paths()[0].vertices[:, 1].min() == 37


def test_a_long_curve_is_thinned_and_keeps_its_ends_and_the_chosen_threshold():
    thresholds = np.arange(4999.0).tolist()
    curve = {
        "thresholds": thresholds,
        "seen": thresholds,
        "unseen": thresholds[::-1],
        "threshold": 1234.0,
        "harmonic": 1,
    }
    thin = charts.thinned(curve)
    assert charts.MOST_POINTS <= len(thin["thresholds"]) <= charts.MOST_POINTS + 1
    assert {0.0, 1234.0, 4998.0} <= set(thin["thresholds"])
    assert thin["seen"] == thin["thresholds"]
    assert charts.thinned(gates()["entropy"]) == gates()["entropy"]
