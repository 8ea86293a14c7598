"""Pictures show the numbers they were given, and the same numbers give the same bytes."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from PIL import Image

from scople.data.joints import JOINT_NAMES, PARENTS
from scople.judging.metrics import harmonic_mean
from scople.reports.figures import (
    BRIGHTEST,
    COLUMNS,
    ROWS,
    SEEN,
    STANDING,
    UNSEEN,
    attention_pages,
    confusion_matrix,
    figure3,
    save,
    seen_unseen_curves,
    side_by_side,
)

NAMES = ["drink water", "clapping", "use a fan (with hand or paper)/feeling warm", "kicking", "salute"]
IS_UNSEEN = np.array([False, True, False, False, True])
SEEN_FIRST = [0, 2, 3, 1, 4]


def confusion():
    counts = np.random.default_rng(1).integers(7, size=(5, 5))
    counts[3] = 0
    return counts, confusion_matrix(counts, NAMES, IS_UNSEEN, "title")


def gates():
    seen, unseen = np.array([0.0, 20.0, 50.0, 60.0]), np.array([40.0, 40.0, 30.0, 0.0])
    curve = {"thresholds": [0.5, 1.0, 1.5, 2.0], "seen": seen.tolist(), "unseen": unseen.tolist()}
    entropy = curve | {"threshold": 1.5, "harmonic": float(harmonic_mean(seen, unseen).max())}
    none = {"threshold": 0.0, "harmonic": 0.0, "thresholds": [0.0], "seen": [60.0], "unseen": [0.0]}
    tested = {gate: {"seen": 31.0 + k, "unseen": 17.0 + k} for k, gate in enumerate(("entropy", "stacking", "none"))}
    return {"entropy": entropy, "stacking": entropy | {"threshold": 1.0}, "none": none}, tested


def attention(classes=5, prompts=3):
    weights = np.random.default_rng(2).dirichlet(np.ones(prompts + len(JOINT_NAMES)), size=classes)
    return weights, attention_pages(weights, [f"class {k}" for k in range(classes)], np.arange(classes) == 1, "title")


def settings():
    names = enumerate(("prefix_length", "layer_depth", "joint_prompts"))
    rows = [{"setting": name, "value": v, "zsl": 10.0 * k + v, "zsl_std": 3.0} for k, name in names for v in (2, 0, 1)]
    points = pd.DataFrame(rows)
    means = points.assign(zsl=points["zsl"] + 5, zsl_difference_se=1.5, splits=4).drop(columns="zsl_std")
    return figure3(points, means, {"prefix_length": 2, "layer_depth": 1, "joint_prompts": 0}, "title")


def methods():
    rows = pd.DataFrame(
        {"model": ["ReViSE", "$pay$ _x^", "SCoPLe"], "zsl": [31.0, 17.0, 43.0], "zsl_se": [2.0, 3.0, np.nan]}
    )
    rows = rows.assign(harmonic=[11.0, 23.0, 29.0], harmonic_se=[1.0, np.nan, 5.0], chance=[13.0, 13.0, 13.0])
    return side_by_side(rows, "title", "In some order.")


def texts(axes):
    return {text.get_text(): text.get_color() for text in axes.texts}


def lines(axes):
    return {line.get_label(): line.get_xydata() for line in axes.lines if not line.get_label().startswith("_")}


def test_confusion_shows_the_shares_of_each_row_with_seen_classes_first():
    counts, figure = confusion()
    axes = figure.axes[0]
    shown = axes.images[0].get_array()
    for row, true in enumerate(SEEN_FIRST):
        for column, predicted in enumerate(SEEN_FIRST):
            if counts[true].sum() == 0:
                assert shown.mask[row, column], "no sample: no share"
            else:
                assert shown[row, column] == pytest.approx(100 * counts[true, predicted] / counts[true].sum())


def test_confusion_names_every_class_twice_and_marks_the_unseen_ones():
    _, figure = confusion()
    axes = figure.axes[0]
    named = [(text.get_text(), text.get_color()) for text in axes.texts]
    short = "use a fan (with hand or paper)/feeling …"
    expected = [
        (name if len(name) <= 40 else short, UNSEEN if unseen else SEEN)
        for name, unseen in zip(NAMES, IS_UNSEEN, strict=True)
    ]
    assert sorted(named) == sorted(2 * expected)
    borders = [line.get_xydata() for line in axes.lines if line.get_color() == UNSEEN]
    assert [border.max() for border in borders] == [2.5, 2.5]


def test_threshold_panels_show_the_curve_and_the_chosen_point():
    curves, tested = gates()
    figure = seen_unseen_curves(curves, tested, "title")
    entropy, stacking, _ = figure.axes
    for axes, gate in ((entropy, "entropy"), (stacking, "stacking")):
        shown = lines(axes)
        np.testing.assert_array_equal(shown["S"].T, [curves[gate]["thresholds"], curves[gate]["seen"]])
        np.testing.assert_array_equal(shown["U"].T, [curves[gate]["thresholds"], curves[gate]["unseen"]])
        assert shown["H"][:, 1].max() == pytest.approx(curves[gate]["harmonic"])
        (ring,) = [line.get_xydata()[0] for line in axes.lines if line.get_marker() == "o"]
        assert ring.tolist() == [curves[gate]["threshold"], curves[gate]["harmonic"]]


def test_plane_keeps_the_test_result_apart_from_what_was_chosen():
    curves, tested = gates()
    plane = seen_unseen_curves(curves, tested, "title").axes[-1]
    rings = [line.get_xydata()[0].tolist() for line in plane.lines if line.get_marker() == "o"]
    diamonds = [line.get_xydata()[0].tolist() for line in plane.lines if line.get_marker() == "D"]
    assert rings == [[50.0, 30.0], [20.0, 40.0]]
    assert diamonds == [[31.0, 17.0], [32.0, 18.0]]
    assert {text.get_text() for text in plane.get_legend().texts} >= {"chosen", "its test result"}


def test_figure3_shows_the_papers_split_and_the_mean_with_its_error():
    figure = settings()
    for k, (axes, value) in enumerate(zip(figure.axes, (2, 1, 0), strict=True)):
        np.testing.assert_array_equal(lines(axes)["paper's split"], [[v, 10.0 * k + v] for v in (0, 1, 2)])
        np.testing.assert_array_equal(lines(axes)["mean of 4 splits"], [[v, 10.0 * k + v + 5] for v in (0, 1, 2)])
        bars, band = axes.collections
        assert [part[:, 1].tolist() for part in bars.get_segments()] == [
            [10 * k + v - 3, 10 * k + v + 3] for v in range(3)
        ]
        assert band.get_datalim(axes.transData).bounds == (0.0, 10.0 * k + 3.5, 2.0, 5.0)
        assert axes.lines[0].get_xdata()[0] == value


def test_each_method_has_its_line_with_its_standard_errors_and_chance():
    (axes,) = methods().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ReViSE", "$pay$ _x^", "SCoPLe"]
    assert axes.get_ylim() == (2.5, -0.5)  # the first on top
    drawn = {bars.get_label(): bars for bars in axes.containers}
    for label, values, errors in (("ZSL", [31, 17, 43], [2, 3]), ("H", [11, 23, 29], [1, 5])):
        points, _, (whiskers,) = drawn[label].lines
        assert points.get_xdata().tolist() == values
        assert np.round(points.get_ydata()).tolist() == [0, 1, 2]
        assert [(part[1, 0] - part[0, 0]) / 2 for part in whiskers.get_segments() if len(part)] == errors
    assert set(lines(axes)["ZSL by chance"][:, 0]) == {13.0}


def test_attention_is_drawn_in_even_shares_of_the_joints():
    weights, (figure,) = attention()
    (dots,) = [c for c in figure.axes[0].collections if isinstance(c, PathCollection)]
    shown = {
        (round(x), round(y)): (share, size)
        for (x, y), share, size in zip(dots.get_offsets(), dots.get_array(), dots.get_sizes(), strict=True)
    }
    for place, k in enumerate([0, 2, 3, 4, 1]):  # class 1 is unseen: it comes last
        joints = weights[k, 3:]
        for joint, (x, y) in enumerate(STANDING):
            share, size = shown[(x + 150 * place, y)]
            assert share == pytest.approx(joints[joint] / joints.sum() * len(JOINT_NAMES))
            assert size == pytest.approx(8 + 85 * min(share / BRIGHTEST, 1))


def test_attention_titles_give_the_share_of_the_prompts():
    weights, (figure,) = attention()
    shown = texts(figure.axes[0])
    assert shown["class 1"] == UNSEEN
    assert shown["class 0"] == SEEN
    for row in weights:
        assert f"prompts {100 * row[:3].sum():.1f} %" in shown


def test_a_class_without_samples_is_left_out():
    weights, _ = attention()
    weights[3] = np.nan
    (page,) = attention_pages(weights, NAMES, IS_UNSEEN, "title")
    assert NAMES[3] not in texts(page.axes[0])
    assert NAMES[0] in texts(page.axes[0])


def test_many_classes_take_several_pages():
    _, pages = attention(classes=COLUMNS * ROWS + 1)
    assert len(pages) == 2
    assert "class 1" not in texts(pages[0].axes[0])  # unseen: last of all
    assert list(texts(pages[1].axes[0])) == ["class 1", next(t for t in texts(pages[1].axes[0]) if "prompts" in t)]
    assert [page.texts[0].get_text() for page in pages] == ["title (1 of 2)", "title (2 of 2)"]


def test_the_person_stands_upright_and_faces_the_reader():
    place = dict(zip(JOINT_NAMES, STANDING, strict=True))
    assert place["head"][1] > place["neck"][1] > place["spine base"][1] > place["left ankle"][1]
    assert place["left hand"][0] > 0 > place["right hand"][0]
    distances = np.linalg.norm(STANDING[:, None] - STANDING[None], axis=-1)
    assert distances[~np.eye(len(STANDING), dtype=bool)].min() > 10  # no joint hides another
    assert np.linalg.norm(STANDING - STANDING[PARENTS], axis=1).max() < 50


@pytest.mark.parametrize(
    "draw",
    [
        lambda: confusion()[1],
        lambda: seen_unseen_curves(*gates(), "title"),
        settings,
        methods,
        lambda: attention()[1][0],
    ],
    ids=["confusion", "gates", "figure3", "methods", "attention"],
)
def test_the_same_numbers_give_the_same_bytes(draw, tmp_path):
    for name in ("first.png", "second.png"):
        save(draw(), tmp_path / name)
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()
    picture = Image.open(tmp_path / "first.png")
    assert picture.info == {} or set(picture.info) <= {"transparency"}
    assert len(picture.getcolors()) > 20


def test_a_name_that_looks_like_a_formula_is_drawn_as_it_is(tmp_path):
    """Bad TeX in the last class of the last split would break the stage at its very end."""
    names = [r"pay $5 \frac{ $", r"$\bad$", "a_b^c $", "$$", r"\$"]
    counts, weights = np.ones((5, 5), np.int64), attention()[0]
    save(confusion_matrix(counts, names, IS_UNSEEN, r"$\title$"), tmp_path / "confusion.png")
    for page in attention_pages(weights, names, IS_UNSEEN, r"$\title$"):
        save(page, tmp_path / "attention.png")
        assert set(names) <= set(texts(page.axes[0]))
