"""Fields of raw text: where they start, and their numbers, converted thousands at a time.

An NTU file has some 30,000 fields of which 7,500 matter; a Python loop over them is what makes the published
preparation slow. Everything here is exact: a number is the float64 nearest to its text, as with `float`.
"""

import re

import numpy as np
from jaxtyping import Float64, Int64

from scople.data.samples import BadMember

_FIELD = re.compile(rb"[^\x00- ]+")
_WINDOW = 16  # characters of a number that are looked at together
_AT_ONCE = 8192  # numbers, so that the windows stay in the processor's cache
_COLUMNS = np.arange(_WINDOW, dtype=np.uint8)[:, None]
_LONGEST = 13  # digits and point; up to here all sums are whole numbers below 2^53
_SCALES = 10.0 ** np.arange(_LONGEST, -1, -1)  # of the digits after the point, by the point's column


class Fields:
    """Where the fields and the lines of a text are; a field is a run of characters above the blank.

    Attributes:
        text: the whole text.
        starts: position of each field's first character.
        line_starts: position of each line, without empty ones at the end.
        first: index of each line's first field; at the end, the number of fields.

    Raises:
        BadMember: the text is not ASCII, or has zero bytes.
    """

    def __init__(self, text: bytes):
        characters = np.frombuffer(text, np.uint8)
        if not text.isascii():
            position = int(np.argmax(characters > 127))
            raise BadMember("not plain ASCII text", text.count(b"\n", 0, position) + 1)
        if b"\0" in text:  # what a broken copy leaves behind
            raise BadMember("a block of zeros", text.count(b"\n", 0, text.index(b"\0")) + 1)
        is_blank = np.ones(len(text) + 1, np.bool_)  # of the character before each position
        np.less_equal(characters, ord(" "), out=is_blank[1:])
        self.text = text
        self.starts: Int64[np.ndarray, " fields"] = np.flatnonzero(is_blank[:-1] > is_blank[1:])
        line_starts = np.concatenate([[0], np.flatnonzero(characters == ord("\n")) + 1])
        first = np.searchsorted(self.starts, line_starts)
        used = int(np.searchsorted(first, len(self.starts)))  # lines after these have no field
        self.first: Int64[np.ndarray, " lines+1"] = np.append(first[:used], len(self.starts))
        self.line_starts: Int64[np.ndarray, " lines"] = line_starts[:used]

    def __len__(self) -> int:
        """Number of lines."""
        return len(self.line_starts)

    def line(self, index: int) -> bytes:
        """A line without blanks at its ends."""
        start = self.line_starts[index]
        end = self.line_starts[index + 1] if index + 1 < len(self.line_starts) else len(self.text)
        return self.text[start:end].strip()

    def field(self, index: int) -> bytes:
        """A field's text."""
        return _FIELD.match(self.text, self.starts[index]).group()

    def numbers(self, fields: Int64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
        """The values of some fields; NaN where a field is no number."""
        text = self.text.ljust(_WINDOW)
        starts = self.starts[fields]
        values = np.empty(len(fields))
        for begin in range(0, len(fields), _AT_ONCE):
            part = slice(begin, begin + _AT_ONCE)
            values[part], is_plain = _plain_decimals(text, starts[part])
            for row in np.flatnonzero(~is_plain) + begin:
                values[row] = _number(self.field(int(fields[row])))
        return values


def _number(text: bytes) -> float:
    try:
        return float("nan") if b"_" in text else float(text)  # Python reads 1_0 as ten
    except ValueError:
        return float("nan")


def _plain_decimals(text: bytes, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the form -12.345 at some positions, and whether each is of that form (and short enough).

    The digits of a number are added up with the point counted as a zero; the digits before the point then move
    one place down. Both are whole numbers below 2^53, so that the one division rounds as `float` does.
    """
    characters = np.frombuffer(text, np.uint8)
    is_negative = characters[starts] == ord("-")
    starts = np.minimum(starts + is_negative, len(text) - 1)
    windows = np.lib.stride_tricks.as_strided(
        characters[:_WINDOW].view(f"V{_WINDOW}"), (len(text) - _WINDOW + 1,), (1,)
    )
    beginnings = windows[np.minimum(starts, len(windows) - 1)].view(np.uint8).reshape(-1, _WINDOW)
    digits = np.ascontiguousarray(beginnings.T) - np.uint8(ord("0"))  # column of the text, number
    is_point = digits == ord(".") - ord("0") + 256
    belongs = (digits < 10) | is_point
    for before, here in zip(belongs[:-1], belongs[1:], strict=True):
        here &= before
    is_point &= belongs
    digits *= belongs ^ is_point

    length = belongs.sum(axis=0, dtype=np.uint8)
    points = is_point.sum(axis=0, dtype=np.uint8)
    point = np.where(points, (is_point * _COLUMNS).sum(axis=0, dtype=np.uint8), length)
    is_plain = (points < 2) & (points < length) & (length <= _LONGEST) & (starts < len(windows))
    is_plain &= characters[np.minimum(starts + length, len(text) - 1)] <= ord(" ")

    # No matrix product here: its threads would compete with the other worker processes.
    pairs = digits[0::2] * np.uint8(10) + digits[1::2]
    fours = pairs[0::2] * np.uint16(100) + pairs[1::2]
    summed = fours[0] * 1e10 + fours[1] * 1e6 + fours[2] * 1e2 + pairs[6]
    scale = _SCALES.take(point, mode="clip")
    whole = np.floor(summed / (10 * scale))
    values = (summed - 9 * scale * whole) / scale
    return np.where(is_negative, -values, values), is_plain
