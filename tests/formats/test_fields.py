"""Numbers and lines of raw text against Python's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scople.data.samples import BadMember
from scople.formats.fields import Fields

NUMBERS = st.one_of(
    st.floats(width=32).map(lambda value: f"{value:.7g}"),
    st.floats(allow_nan=False).map(repr),
    st.floats(-1000, 1000).flatmap(lambda value: st.integers(0, 14).map(lambda places: f"{value:.{places}f}")),
    st.integers().map(str),
    st.text("0123456789.-+e_", min_size=1, max_size=19),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=5),
)


def value_of(text: str) -> float:
    try:
        return float("nan") if "_" in text else float(text)
    except ValueError:
        return float("nan")


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(st.lists(NUMBERS, min_size=1, max_size=23), st.sampled_from([" ", "  ", "\t", "\n", "\r\n", " \n "]))
def test_a_number_is_what_float_makes_of_it_to_the_last_bit(texts, between):
    fields = Fields(between.join(texts).encode())
    values = fields.numbers(np.arange(len(texts)))
    expected = np.array([value_of(text) for text in texts])
    np.testing.assert_array_equal(values.view(np.uint64), expected.view(np.uint64))
    assert [fields.field(i) for i in range(len(texts))] == [text.encode() for text in texts]


def test_numbers_of_more_than_one_batch_stay_in_order():
    texts = [f"{value / 7:.5f}" for value in range(9001)]
    fields = Fields(" ".join(texts).encode())
    some = np.arange(9000, -1, -3)
    assert fields.numbers(some).tolist() == [float(texts[i]) for i in some]


def test_a_short_number_is_not_read_the_slow_way(monkeypatch):
    monkeypatch.setattr(Fields, "field", None)
    fields = Fields(b"0.2181153 -0.02764709 3.785547 12 -7 .5 5. 0.0001234567 0 9999999999999 padding_to_the_end")
    assert fields.numbers(np.arange(10)).tolist() == [
        0.2181153, -0.02764709, 3.785547, 12, -7, 0.5, 5, 0.0001234567, 0, 9999999999999,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (b"", []),
        (b"\n \n", []),
        (b"1", [b"1"]),
        (b"1 2\n\n3\n", [b"1 2", b"", b"3"]),
        (b" 1\r\n2\t3 \r\n\r\n \r\n", [b"1", b"2\t3"]),
    ],
)
def test_lines_are_counted_without_empty_ones_at_the_end(text, lines):
    fields = Fields(text)
    assert [fields.line(i) for i in range(len(fields))] == lines
    assert np.diff(fields.first).tolist() == [len(line.split()) for line in lines]


def test_text_that_is_not_ascii_is_refused_with_its_line():
    with pytest.raises(BadMember, match="line 2: not plain ASCII"):
        Fields("1\n½\n".encode())
