"""A recording as a picture: the skeleton moving, the joints that the best label looked at, and what was answered.

The view is the camera's: what lies to its left is on the left, so a person who faces it has the left hand on the right.
A joint's colour and size are its share of the attention that falls on joints, as in `scople.reports.figures`.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from PIL import Image

from scople.base.errors import ScopleError
from scople.base.files import whole
from scople.data.joints import PARENTS
from scople.prediction.answers import Answer
from scople.prediction.windows import FRAMES_PER_SECOND, Window
from scople.reports.figures import ATTENTION_COLOURS, BRIGHTEST, FAINT, INK

SHOWN_PER_SECOND = 10
"""Pictures of an animation: the most whose duration a GIF can say exactly and that divides 30."""

LONGEST = 60
"""Seconds of an animation, at most."""

MOMENTS = 5
"""Skeletons side by side in a still picture."""

SIZE, DOTS_PER_INCH = 4.0, 90

LEGEND = "Joints, pale to dark red: how much the label looked there."


@dataclass(frozen=True)
class Seen:
    """What is shown while a window plays.

    Attributes:
        window: the piece of the recording.
        answer: what the model said of it.
        attention: of the best label over the tokens, eq. 13: first the joint prompts, then the joints.
    """

    window: Window
    answer: Answer
    attention: Float32[np.ndarray, " J"]


def draw(sequence: Float32[np.ndarray, "M T V C"], seen: Sequence[Seen], path: Path, note: str = "") -> int:
    """Write an animated GIF in the recording's own time, or five moments of it as a PNG.

    Args:
        sequence: the whole recording, metres, y up, 30 frames a second.
        seen: its windows, by time; at least one. A frame shows the window whose middle is nearest.
        path: where to, ending in .gif or .png.
        note: a line below the picture.

    Returns:
        Number of skeletons drawn, one after the other or side by side.

    Raises:
        ScopleError: an animation would be longer than `LONGEST`, or the disk is full.
    """
    frames = sequence.shape[1]
    if path.suffix.lower() == ".png":
        moments = np.unique(np.linspace(0, frames - 1, MOMENTS).round().astype(int))
        figure = Figure(figsize=(0.6 * SIZE * len(moments), SIZE), dpi=DOTS_PER_INCH)
        for number, frame in enumerate(moments.tolist()):
            axes = figure.add_axes(((number + 0.05) / len(moments), 0.13, 0.9 / len(moments), 0.7))
            _Stage(axes, sequence).show(frame, _nearest(seen, frame))
        shown = _nearest(seen, frames // 2)
        _caption(figure, shown.answer, note)
        with whole(path) as beside:
            _picture(figure).save(beside, format="png")
        return len(moments)
    if frames > LONGEST * FRAMES_PER_SECOND:
        raise ScopleError(
            f"{path} would show {frames / FRAMES_PER_SECOND:.0f} s, but an animation has at most {LONGEST}: draw a "
            "PNG, or cut the recording."
        )
    pictures = _animation(sequence, seen, note)
    with whole(path) as beside:
        pictures[0].save(
            beside,
            format="gif",
            save_all=True,
            append_images=pictures[1:],
            duration=1000 // SHOWN_PER_SECOND,
            loop=0,
            disposal=1,
        )
    return len(pictures)


def _animation(sequence: Float32[np.ndarray, "M T V C"], seen: Sequence[Seen], note: str) -> list[Image.Image]:
    figure = Figure(figsize=(SIZE, 1.15 * SIZE), dpi=DOTS_PER_INCH)
    stage = _Stage(figure.add_axes((0.03, 0.13, 0.94, 0.73)), sequence)
    pictures, captioned = [], None
    for frame in range(0, sequence.shape[1], FRAMES_PER_SECOND // SHOWN_PER_SECOND):
        shown = _nearest(seen, frame)
        if shown is not captioned:
            _caption(figure, shown.answer, note)
            captioned = shown
        stage.show(frame, shown)
        pictures.append(_picture(figure))
    return pictures


class _Stage:
    """Axes that a recording moves in: wide enough for all of it."""

    def __init__(self, axes: Axes, sequence: Float32[np.ndarray, "M T V C"]):
        self.axes = axes
        self.places = sequence[..., :2] * np.array([-1, 1], np.float32)  # x grows to the camera's left
        self.is_there = sequence.any(axis=(2, 3))
        axes.set_axis_off()
        low, high = (end(self.places[self.is_there], axis=(0, 1)) for end in (np.min, np.max))
        middle, box = (low + high) / 2, axes.bbox.size
        reach = 0.55 * max(0.1, *(high - low) / box * box.max()) * box / box.max()  # as many metres an inch either way
        (left, bottom), (right, top) = middle - reach, middle + reach
        axes.set(xlim=(left, right), ylim=(bottom, top))
        self.bones = axes.add_collection(LineCollection([], colors="#9a9a9a", linewidths=1.5, zorder=1))
        style = {"cmap": ATTENTION_COLOURS, "norm": Normalize(0, BRIGHTEST, clip=True), "edgecolors": "#5a5a5a"}
        self.joints = axes.scatter([], [], c=[], linewidths=0.4, zorder=2, **style)

    def show(self, frame: int, seen: Seen) -> None:
        """Put everybody who is there into place, coloured by attention."""
        bodies = self.places[self.is_there[:, frame], frame]
        shares = _even_shares(seen.attention)
        order = np.argsort(shares)  # the brightest on top
        self.bones.set_segments(np.stack([bodies, bodies[:, PARENTS]], axis=2).reshape(-1, 2, 2))
        self.joints.set_offsets(bodies[:, order].reshape(-1, 2))
        self.joints.set_array(np.tile(shares[order], len(bodies)))
        self.joints.set_sizes(8 + 85 * self.joints.norm(np.tile(shares[order], len(bodies))))
        # Pillow joins equal pictures into one of twice the duration; the clock makes every one another one.
        self.axes.set_title(f"{frame / FRAMES_PER_SECOND:.1f} s", fontsize=8, color=FAINT, y=-0.05)


def _even_shares(attention: Float32[np.ndarray, " J"]) -> Float[np.ndarray, " V"]:
    """Attention of each joint, 1 being an even share of what falls on joints."""
    joints = attention[-len(PARENTS) :].astype(np.float64)
    return joints / joints.mean()


def _nearest(seen: Sequence[Seen], frame: int) -> Seen:
    return min(seen, key=lambda each: abs(each.window.start + each.window.end - 1 - 2 * frame))


def _caption(figure: Figure, answer: Answer, note: str) -> None:
    """The answer above, the note below; in the place of those before."""
    for text in list(figure.texts):
        text.remove()
    plain = {"ha": "center", "parse_math": False}
    name = _drawable(textwrap.shorten(answer.best, 34, placeholder=" …"))
    figure.text(0.5, 0.985, name, va="top", fontsize=13, weight="bold", color=INK, **plain)
    said = f"{100 * answer.probabilities[0]:.1f} %, chance {100 * answer.chance:.1f} %"
    figure.text(0.5, 0.925, said, va="top", fontsize=9, color=FAINT, **plain)
    lines = textwrap.wrap(f"{LEGEND} {note}".strip(), int(figure.get_size_inches()[0] * 18))
    figure.text(0.5, 0.012, "\n".join(lines), va="bottom", fontsize=6.5, color=FAINT, **plain)


def _drawable(text: str) -> str:
    """A label with ? for what the font lacks, such as Chinese characters; Matplotlib would warn and draw boxes."""
    font = get_font(findfont(FontProperties(weight="bold")))
    return "".join(letter if font.get_char_index(ord(letter)) else "?" for letter in text)


def _picture(figure: Figure) -> Image.Image:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    return picture.quantize(64, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
