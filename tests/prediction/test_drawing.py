"""A recording as a picture: frames, time, colours and what it says."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from tiny_model import body

from scople.base.errors import ScopleError
from scople.prediction import drawing
from scople.prediction.answers import Answer
from scople.prediction.drawing import Seen, draw
from scople.prediction.windows import windows


def seen(sequence, *words):
    generator = np.random.default_rng(1)
    found = []
    for number, piece in enumerate(windows(sequence, *words)):
        answer = Answer.of([f"label {number}", "other"], np.array([2, 1], np.float32), is_seen=False)
        attention = generator.random(28, dtype=np.float32)
        found.append(Seen(piece, answer, attention / attention.sum()))
    return found


@pytest.mark.parametrize(("frames", "pictures"), [(31, 11), (30, 10), (2, 1)])
def test_an_animation_has_ten_pictures_a_second(tmp_path, frames, pictures):
    sequence = body(frames, 1, 2)
    path = tmp_path / "a.gif"
    assert draw(sequence, seen(sequence), path, "A note.") == pictures
    with Image.open(path) as picture:
        assert (picture.format, getattr(picture, "n_frames", 1)) == ("GIF", pictures)
        for frame in range(pictures):
            picture.seek(frame)
            assert pictures == 1 or picture.info["duration"] == 100


def test_a_body_that_stands_still_keeps_its_time(tmp_path):
    """Pillow joins equal pictures; the clock keeps them apart."""
    sequence = np.repeat(body(1, 1), 30, axis=1)
    draw(sequence, seen(sequence), tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.n_frames == 10


def test_the_same_recording_gives_the_same_bytes(tmp_path):
    sequence = body(12, 1)
    for name in ("a.gif", "b.gif", "a.png", "b.png"):
        draw(sequence, seen(sequence), tmp_path / name)
    for ending in ("gif", "png"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()


def test_a_still_picture_has_five_moments(tmp_path):
    for frames, moments in ((40, 5), (3, 3), (1, 1)):
        sequence = body(frames, 1)
        path = tmp_path / "a.png"
        assert draw(sequence, seen(sequence), path) == moments
        with Image.open(path) as picture:
            assert (picture.format, picture.size[1]) == ("PNG", 360)


def test_a_long_animation_is_refused_before_anything_is_written(tmp_path):
    sequence = body(1801, 1)
    with pytest.raises(ScopleError, match="at most 60"):
        draw(sequence, seen(sequence), tmp_path / "a.gif")
    assert list(tmp_path.iterdir()) == []


def shown(sequence, frame, found):
    stage = drawing._Stage(Figure().add_axes((0, 0, 1, 1)), sequence)
    stage.show(frame, found)
    return stage


def test_the_view_is_the_cameras_and_nobody_is_cut_off():
    sequence = body(9, 1, 2)
    sequence[1, 4] = 0  # the second person leaves
    found = seen(sequence)[0]
    stage = shown(sequence, 3, found)
    places = np.asarray(stage.joints.get_offsets())
    assert len(places) == 50
    order = np.argsort(found.attention[3:])
    np.testing.assert_allclose(places[:25], (sequence[0, 3, :, :2] * [-1, 1])[order], rtol=1e-5)
    assert len(shown(sequence, 4, found).joints.get_offsets()) == 25
    (left, right), (bottom, top) = stage.axes.get_xlim(), stage.axes.get_ylim()
    assert left < -sequence[..., 0].max()
    assert right > -sequence[..., 0].min()
    assert bottom < sequence[0, ..., 1].min()
    assert top > sequence[..., 1].max()
    width, height = stage.axes.bbox.size
    assert (right - left) / width == pytest.approx((top - bottom) / height)


def test_colours_are_attention_in_even_shares():
    sequence = body(9, 1)
    found = seen(sequence)[0]
    values = np.asarray(shown(sequence, 0, found).joints.get_array())
    joints = found.attention[3:].astype(float)
    np.testing.assert_allclose(values, np.sort(25 * joints / joints.sum()), rtol=1e-6)


def test_a_frame_shows_the_window_whose_middle_is_nearest():
    sequence = body(90, 1)
    found = seen(sequence, 1.0, 0.5)
    said = [drawing._nearest(found, frame).answer.best for frame in (0, 21, 23, 89)]
    assert said == ["label 0", "label 0", "label 1", "label 4"]


def test_what_the_font_lacks_is_a_question_mark(tmp_path):
    """Matplotlib warns of a letter that it has no picture of, and a warning fails a test."""
    assert drawing._drawable("grüßen, махать: 挥手 あ") == "grüßen, махать: ?? ?"
    sequence = body(3, 1)
    answer = Answer.of(["挥手", "b"], np.array([2, 1], np.float32), is_seen=False)
    draw(sequence, [Seen(windows(sequence)[0], answer, np.ones(28, np.float32))], tmp_path / "a.png")


def test_a_caption_takes_the_place_of_the_one_before():
    figure = Figure(figsize=(4, 4))
    for number in (1, 2):
        answer = Answer.of([f"cost ${number}$ " + 50 * "x", "b"], np.array([2, 1], np.float32), is_seen=False)
        drawing._caption(figure, answer, "A note.")
    texts = [text.get_text() for text in figure.texts]
    assert len(texts) == 3
    assert texts[0] == "cost $2$ …"
    assert texts[1] == "73.1 %, chance 50.0 %"
    assert "A note." in texts[2].replace("\n", " ")
